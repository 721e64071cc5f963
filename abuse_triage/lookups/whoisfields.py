"""What the formats of WHOIS servers have in common: lines with a key, names, dates, and what hides a holder."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import idna

from abuse_triage.lookups.cleaning import clean
from abuse_triage.model.lookups import MOST_ITEMS

MOST_LINES = 2000
"""Lines of an answer that are looked at."""
_COMMENT = ("%", "#", ">>>", "--", "*")
_LONGEST_KEY = 60
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.){1,126}[a-z][a-z0-9-]{1,62}")
_LONGEST_DATE = 40
_YEARS = range(1970, 3000)
"""What years make sense; those at the ends of the calendar ("never") cannot be told in every time zone."""
_FORMATS = (
    "%Y.%m.%d %H:%M:%S",
    "%Y.%m.%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%d %b %Y",
)
_HIDDEN = (
    "redacted",
    "not disclosed",
    "not public",
    "undisclosed",
    "data protected",
    "protected by",
    "privacy",
    "private person",
    "private registration",
    "withheld",
    "whoisguard",
    "gdpr",
    "statutory masking",
    "registration private",
    "domains by proxy",
)
_ORGANISATION = frozenset(
    [
        *(
            "lda",
            "ltda",
            "unipessoal",
            "sgps",
            "crl",
            "srl",
            "sl",
            "sarl",
            "gmbh",
            "ug",
            "bv",
            "plc",
            "ltd",
            "llc",
            "inc",
        ),
        *("limited", "corp", "corporation", "company", "group", "hosting", "registrar", "registry", "services"),
        *(
            "associação",
            "associacao",
            "fundação",
            "fundacao",
            "cooperativa",
            "câmara",
            "camara",
            "município",
            "municipio",
        ),
        *("junta", "freguesia", "universidade", "instituto", "escola", "agrupamento", "ministério", "ministerio"),
        *("autoridade", "banco", "hospital", "federação", "federacao", "sindicato", "sociedade", "clube"),
        *("association", "foundation", "university", "institute", "school", "ministry", "authority", "bank", "society"),
    ]
)
"""Words of which organisations' names have one; without one it may be a person, and is taken for one."""
_SOCIETY = re.compile(r"\bS\. ?A\.?$|[a-z)\]\"] *,? SA$")
"""Behind the name of a company; Sá is a surname too, which people who write in capitals write like that."""


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the lines "Key: value" in order, keys in small letters; dots and blanks that fill up a key are left out."""
    for line in text.split("\n", MOST_LINES)[:MOST_LINES]:
        stripped = line.strip()
        key, colon, value = stripped.partition(":")
        if colon and len(key) <= _LONGEST_KEY and not stripped.startswith(_COMMENT):
            yield " ".join(key.lower().split()).rstrip(" ."), value.strip()


def same_name(shown: str, asked: str) -> bool:
    """Tell whether an answer is about the name that was asked about; it may show it in letters of all languages."""
    shown = shown.strip().rstrip(".").lower()
    if shown == asked or not shown or len(shown) > 253:
        return shown == asked
    try:
        return idna.encode(shown, uts46=True).decode("ascii") == asked
    except UnicodeError:
        return False


def host_names(values: Iterable[str]) -> tuple[str, ...]:
    """Return what looks like names of servers, small letters, each once, at most `MOST_ITEMS`."""
    hosts = (value.strip().rstrip(".").lower() for value in values)
    return tuple(dict.fromkeys(host for host in hosts if _HOST.fullmatch(host)))[:MOST_ITEMS]


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """Return texts that are fit to be kept, each once, at most `MOST_ITEMS`."""
    return tuple(dict.fromkeys(text for text in map(clean, values) if text))[:MOST_ITEMS]


def moment(text: str) -> datetime | None:
    """Return a date with or without time, as registries write them; None for others.

    It is UTC, also where no zone is said.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST_DATE:
        return None
    try:
        return sensible(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return sensible(datetime.strptime(text, form))  # noqa: DTZ007 -- the zone comes in the next step
        except ValueError:
            continue
    return None


def is_hidden(name: str) -> bool:
    """Tell whether a name says only that there is one which is not shown."""
    return any(words in name.lower() for words in _HIDDEN)


def is_organisation(name: str) -> bool:
    """Guess whether a name is an organisation's, by its words; where none is known it may be a person's."""
    words = name.casefold().replace(".", "").replace(",", " ").replace("-", " ").split()
    return not _ORGANISATION.isdisjoint(words) or _SOCIETY.search(name) is not None


def sensible(at: datetime) -> datetime | None:
    """Return a time as UTC, which it is where it has no zone; None where no name can have been registered or expire."""
    if at.year not in _YEARS:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
