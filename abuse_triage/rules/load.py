"""Rule files and a taxonomy → a checked rule set, or every problem at once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pydantic import ValidationError

from abuse_triage.errors import ConfigError
from abuse_triage.model.decision import Phase
from abuse_triage.rules import schema, taxonomy
from abuse_triage.rules.compile import Compiler
from abuse_triage.rules.complaints import at, complain, did_you_mean
from abuse_triage.rules.facts import fact, suggestion, typed
from abuse_triage.rules.ruleset import Rule, Rules, Ruleset
from abuse_triage.rules.source import Path, Source, read
from abuse_triage.rules.taxonomy import Taxonomy

TAXONOMY_FILE = "taxonomy.yaml"
"""Name of the taxonomy beside the rule files; every other *.yaml of the folder is a rule file."""
MAX_RULES = 5000
"""Most rules of one rule set."""

_PREFIX = {Phase.GATE: "gate", Phase.MARK: "mark", Phase.CLASSIFY: "cls", Phase.ROUTE: "route"}


def load(files: Mapping[str, str], taxonomy_text: str) -> Ruleset:
    """Build a rule set from file name → text.

    Files are taken in the order given; only the gate and route phases depend on it. Names are shown in errors and
    traces. Raises `ConfigError` with every problem as `file:line: rule: problem`.
    """
    problems: list[str] = []
    classes = None
    try:
        classes = taxonomy.parse(TAXONOMY_FILE, taxonomy_text)
    except ConfigError as error:
        problems.extend(error.problems)
    parsed = []
    for name, text in files.items():
        try:
            parsed.append(_file(read(name, text), problems))
        except ConfigError as error:
            problems.extend(error.problems)
    if classes is None or len(parsed) < len(files):
        raise _error(problems)
    ruleset = _Assembly(parsed, classes, problems).ruleset(_generation(files, taxonomy_text))
    if not ruleset.rules and not problems:
        problems.append("rules: no file has a rule that is not off; give a folder with *.yaml")
    if problems:
        raise _error(problems)
    return ruleset


_ADVICE = "Mend the lines above and run check-config again; until then the rules that run stay in force."


def _error(problems: list[str]) -> ConfigError:
    """Put problems in order of file and line; what an escape in a rule file could do to a terminal is taken out."""
    shown = ["".join(sign if sign.isprintable() else "?" for sign in problem) for problem in problems]
    return ConfigError(tuple(sorted(shown, key=_place)), advice=_ADVICE)


def _generation(files: Mapping[str, str], taxonomy_text: str) -> str:
    canonical = json.dumps([list(files.items()), taxonomy_text], ensure_ascii=True).replace("\\r\\n", "\\n")
    return sha256(canonical.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class _File:
    source: Source
    content: schema.RuleFile
    rules: Sequence[tuple[int, schema.AnyRule]]


def _file(source: Source, problems: list[str]) -> _File:
    """Check one file rule by rule, so that a broken one does not hide what is wrong with the others.

    Raises `ConfigError` where the file itself is not in shape.
    """
    rules = []
    data = source.data
    match data:
        case {"rules": list(items), **rest}:
            data = {**rest, "rules": []}
            for position, item in enumerate(items):
                try:
                    rules.append((position, schema.RULE.validate_python(item)))
                except ValidationError as error:
                    problems.extend(complain(source, error, schema.MODELS, ("rules", position)))
    try:
        return _File(source, schema.RuleFile.model_validate(data), rules)
    except ValidationError as error:
        raise ConfigError(complain(source, error, schema.MODELS)) from None


def _place(problem: str) -> tuple[str, int]:
    """Order problems by file and line."""
    file, line = problem.split(":", 2)[:2]
    return file, int(line) if line.isdigit() else 0


class _Assembly:
    """Puts the files together; `problems` grows with everything that does not fit."""

    def __init__(self, files: list[_File], classes: Taxonomy, problems: list[str]) -> None:
        self._files = files
        self._taxonomy = classes
        self._problems = problems
        self._lists = self._merge_lists()
        self._live = Compiler(lists=self._lists, problems=problems)
        self._off = Compiler(lists=self._lists, problems=problems)

    def ruleset(self, generation: str) -> Ruleset:
        """Return the rule set; worth using only where no problem was found."""
        decide = self._decide()
        self._refuse_repeated_ids()
        return Ruleset(
            generation=generation,
            taxonomy=self._taxonomy,
            decide=decide,
            gate=Rules(self._rules(schema.GateRule)),
            mark=Rules(self._rules(schema.MarkRule)),
            classify=Rules(self._rules(schema.ClassifyRule)),
            route=Rules(self._rules(schema.RouteRule)),
            engines=self._live.engines(),
            lists=self._lists,
        )

    def _merge_lists(self) -> dict[str, tuple[str, ...]]:
        lists: dict[str, tuple[str, ...]] = {}
        owners: dict[str, str] = {}
        for file in self._files:
            for name, entries in file.content.lists.items():
                if name in lists:
                    self._doubt(file.source, ("lists", name), f"{owners[name]} has a list of this name already")
                lists.setdefault(name, tuple(entries))
                owners.setdefault(name, f"{file.source.name}:{file.source.line(('lists', name))}")
        return lists

    def _decide(self) -> schema.Decide:
        chosen: tuple[_File, schema.Decide] | None = None
        for file in self._files:
            head, decide = file.content.ruleset, file.content.decide
            if head.taxonomy not in {"", self._taxonomy.id}:
                where = ("ruleset", "taxonomy")
                self._doubt(file.source, where, f'the taxonomy in use is "{self._taxonomy.id}", not "{head.taxonomy}"')
            if decide and chosen:
                self._doubt(file.source, ("decide",), f"{chosen[0].source.name} says it already; say it once")
            elif decide:
                chosen = (file, decide)
                self._check_category(file.source, ("decide", "otherwise", "category"), decide.otherwise.category)
        return chosen[1] if chosen else schema.Decide()

    def _refuse_repeated_ids(self) -> None:
        seen: dict[str, str] = {}
        for file in self._files:
            for position, rule in file.rules:
                where: Path = ("rules", position, "id")
                if rule.id in seen:
                    self._doubt(file.source, where, f"{seen[rule.id]} has a rule of this name already")
                seen.setdefault(rule.id, f"{file.source.name}:{file.source.line(where)}")
        if len(seen) > MAX_RULES:
            self._problems.append(f"rules: there are {len(seen)} rules, at most {MAX_RULES} are taken")

    def _rules(self, kind: type[schema.RuleOf[schema.Then]]) -> Iterator[Rule[schema.Then]]:
        for file in self._files:
            for position, written in file.rules:
                if isinstance(written, kind):
                    rule = self._rule(file.source, ("rules", position), written.phase, written)
                    if written.status != "off":
                        yield rule

    def _rule(
        self, source: Source, where: Path, phase: Phase, written: schema.RuleOf[schema.Then]
    ) -> Rule[schema.Then]:
        if not written.id.startswith(f"{_PREFIX[phase]}."):
            self._doubt(source, (*where, "id"), f'the id of a rule of phase {phase} begins with "{_PREFIX[phase]}."')
        if isinstance(written.then, schema.ClassifyThen):
            self._check_votes(source, (*where, "then"), written.then)
        for position, example in enumerate(written.tests):
            self._check_example(source, (*where, "tests", position), example)
        compiler = self._off if written.status == "off" else self._live
        return Rule(
            phase=phase,
            id=written.id,
            file=source.name,
            line=source.line(where),
            why=written.why,
            shadow=written.status == "shadow",
            when=compiler.condition(source, (*where, "when"), phase, written.when),
            exceptions=tuple(
                (case.id, compiler.condition(source, (*where, "except", position, "when"), phase, case.when))
                for position, case in enumerate(written.except_)
            ),
            then=written.then,
            tests=tuple(written.tests),
        )

    def _check_votes(self, source: Source, where: Path, then: schema.ClassifyThen) -> None:
        for category in then.vote:
            self._check_category(source, (*where, "vote", category), category)
        if then.type:
            self._check_type(source, (*where, "type"), then.type)
            owner = self._taxonomy.category_of_type.get(then.type)
            if owner and owner not in then.vote:
                self._doubt(source, (*where, "type"), f'"{then.type}" belongs to {owner}, which has no vote here')

    def _check_example(self, source: Source, where: Path, example: schema.Example) -> None:
        for name, value in example.facts.items():
            known = fact(name)
            if known is None:
                self._doubt(source, (*where, "facts", name), f'there is no fact "{name[:60]}"{suggestion(name)}')
                continue
            try:
                typed(known, value)
            except ValueError as error:
                self._doubt(source, (*where, "facts", name), str(error))
        if example.expect.category:
            self._check_category(source, (*where, "expect", "category"), example.expect.category)
        if example.expect.type:
            self._check_type(source, (*where, "expect", "type"), example.expect.type)

    def _check_category(self, source: Source, where: Path, category: str) -> None:
        known = self._taxonomy.categories
        if category not in known:
            self._doubt(source, where, f'there is no category "{category[:60]}"{did_you_mean(category, known)}')

    def _check_type(self, source: Source, where: Path, type_id: str) -> None:
        known = self._taxonomy.category_of_type
        if type_id not in known:
            self._doubt(source, where, f'there is no type "{type_id[:60]}"{did_you_mean(type_id, known)}')

    def _doubt(self, source: Source, where: Path, problem: str) -> None:
        self._problems.append(at(source, where, problem))
