"""YAML text → plain data that remembers its lines: no guessed types, no repeated keys, no aliases, no bombs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from abuse_triage.errors import ConfigError

MAX_CHARS = 1_000_000
"""Longest file; 500 rules with their tests take a third of it."""
MAX_DEPTH = 40
"""Deepest nesting; a rule with conditions three levels deep needs 14."""

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and positions from the top."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One YAML document: mappings, lists, str, int, bool and None, and the line (from 1) at which each value stands."""

    name: str
    data: object
    lines: Mapping[Path, int]

    def line(self, where: Path) -> int:
        """Return the line of a value; parts of `where` that do not exist in the document are passed over."""
        known: Path = ()
        for part in where:
            if (*known, part) in self.lines:
                known = (*known, part)
        return self.lines.get(known, 1)


def read(name: str, text: str) -> Source:
    """Read one YAML document.

    Plain `true` and `false` are booleans and plain decimal numbers are integers; everything else is the string that
    stands there: `no`, `on`, dates and octal numbers are not guessed at (YAML 1.1 would). Raises `ConfigError` with
    every repeated key, alias and tag, or with the first error of syntax.
    """
    if len(text) > MAX_CHARS:
        raise ConfigError((f"{name}:1: the file has {len(text)} characters, at most {MAX_CHARS} are read; split it",))
    builder = _Builder(name)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError((*builder.problems, f"{name}:{line}: not YAML: {error.problem}")) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise ConfigError((*builder.problems, f"{name}:{line}: not YAML: {str(error).splitlines()[0]}")) from None
    if builder.problems:
        raise ConfigError(tuple(builder.problems))
    return Source(name=name, data=builder.document, lines=builder.lines)


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read; `key` waits for its value."""

    items: dict[str, object] | list[object]
    path: Path
    key: str | None = None
    repeated: bool = False


@dataclass(slots=True)
class _Builder:
    """Builds one document from the parser's events, without recursion."""

    name: str
    document: object = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _documents: int = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event; every kind of node ends in `_put`."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise ConfigError((*self.problems, f"{self.name}:{line}: a second document; use one file for each"))
            case yaml.AliasEvent():
                self._problem(line, f'alias "*{event.anchor}" is not allowed; name a list under "lists" instead')
                self._put(None, line)
            case yaml.ScalarEvent():
                self._refuse_tag(event.tag, line)
                top = self._open[-1] if self._open else None
                if top and isinstance(top.items, dict) and top.key is None:
                    self._key(top, event.value, line)
                else:
                    self._put(_scalar(event.value) if event.implicit[0] else event.value, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._refuse_tag(event.tag, line)
                items: dict[str, object] | list[object] = {} if isinstance(event, yaml.MappingStartEvent) else []
                path = self._put(items, line)
                self._open.append(_Open(items=items, path=path))
                if len(self._open) > MAX_DEPTH:
                    raise ConfigError((*self.problems, f"{self.name}:{line}: nested more than {MAX_DEPTH} levels deep"))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()

    def _problem(self, line: int, text: str) -> None:
        self.problems.append(f"{self.name}:{line}: {text}")

    def _refuse_tag(self, tag: str | None, line: int) -> None:
        if tag is not None:
            self._problem(line, f'tag "{tag}" is not allowed; write the plain value')

    def _key(self, top: _Open, key: str, line: int) -> None:
        path = (*top.path, key)
        top.key = key
        top.repeated = path in self.lines
        if top.repeated:
            self._problem(line, f'key "{key}" stands here a second time; the first is in line {self.lines[path]}')
        else:
            self.lines[path] = line

    def _put(self, value: object, line: int) -> Path:
        if not self._open:
            self.document = value
            return ()
        top = self._open[-1]
        if isinstance(top.items, list):
            path: Path = (*top.path, len(top.items))
            top.items.append(value)
            self.lines[path] = line
        elif top.key is None:
            raise ConfigError((*self.problems, f"{self.name}:{line}: a key must be one word or a quoted string"))
        else:
            path = (*top.path, top.key)
            if not top.repeated:
                top.items[top.key] = value
            top.key = None
        return path


def _scalar(value: str) -> str | int | bool | None:
    if value in _WORDS:
        return _WORDS[value]
    return int(value) if _INTEGER.fullmatch(value) else value
