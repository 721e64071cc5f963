"""Lists of addresses and domains: those that come with the program, and the operator's own beside them.

One entry a line, in any case; "#" begins a comment, and "!" in front of an entry takes a shipped one out again.
"""

import re
from pathlib import Path

from abuse_triage.config.rulefiles import shipped_rules
from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import Settings

_MAX_BYTES = 1_000_000
_MAX_ENTRIES = 20_000
_DOMAIN = r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,10}"
_DOMAINS = re.compile(_DOMAIN)
_ADDRESSES_AND_DOMAINS = re.compile(rf"(?:[a-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@)?{_DOMAIN}")


def robots(settings: Settings) -> frozenset[str]:
    """Return the addresses and domains of robots and feeds that are never answered, lower case.

    A domain stands for all below it. They come from rules/robots.txt, `reply.robots`, and the contacts of kind "robot".
    Raises `ConfigError` with every line that is no entry, as `file:line: problem`.
    """
    known = {name for contact in settings.contact if contact.kind == "robot" for name in contact.addresses}
    known |= {name for contact in settings.contact if contact.kind == "robot" for name in contact.domains}
    return frozenset(_listed("robots.txt", "reply.robots", settings.reply.robots, _ADDRESSES_AND_DOMAINS) | known)


def freemail(settings: Settings) -> frozenset[str]:
    """Return the domains under which strangers have mailboxes, lower case: a budget for all of them makes no sense.

    They come from rules/freemail.txt and `reply.freemail`. Raises `ConfigError` as `robots` does.
    """
    return frozenset(_listed("freemail.txt", "reply.freemail", settings.reply.freemail, _DOMAINS))


def list_problems(settings: Settings) -> list[str]:
    """Return every problem in the files of both lists, as `file:line: problem`."""
    found: list[str] = []
    for read in (robots, freemail):
        try:
            read(settings)
        except ConfigError as error:
            found += error.problems
    return found


def _listed(shipped: str, key: str, own: Path | None, form: re.Pattern[str]) -> set[str]:
    known, _ = _read(shipped_rules() / shipped, shipped, form)
    if own is None:
        return known
    added, removed = _read(own, key, form)
    return (known - removed) | added


def _read(path: Path, key: str, form: re.Pattern[str]) -> tuple[set[str], set[str]]:
    """Read a file of at most 1 MB and 20,000 entries: what it names, and what it takes out."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError((f"{path}: {key}: cannot be read: {error.strerror}",)) from error
    if len(content) > _MAX_BYTES:
        raise ConfigError((f"{path}: {key}: is larger than 1 MB",))
    named: dict[bool, set[str]] = {True: set(), False: set()}
    problems = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        entry = line.decode("utf-8", "replace").partition("#")[0].strip().lower()
        bare = entry.removeprefix("!").strip()
        if form.fullmatch(bare):
            named[entry.startswith("!")].add(bare)
        elif entry:
            what = "a domain" if form is _DOMAINS else "an address or a domain"
            problems.append(f"{path}:{number}: is not {what}, such as {_example(form)}")
    if len(named[True]) + len(named[False]) > _MAX_ENTRIES:
        problems.append(f"{path}: {key}: has more than {_MAX_ENTRIES} entries")
    if problems:
        raise ConfigError(tuple(problems))
    return named[False], named[True]


def _example(form: re.Pattern[str]) -> str:
    return "example.org" if form is _DOMAINS else "feed@example.org"
