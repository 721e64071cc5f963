"""Header fields read safely: encoded words, parameters, message ids and dates.

Values come in as the compat32 parser leaves them: folded, with raw 8-bit bytes as surrogates (PEP 383). Nothing here
raises, and everything takes time in proportion to the length of the value, which its caller has bounded.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_qp
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice

from abuse_triage.mail import charset

MOST_IDS = 200
"""Message ids read of one field."""
MOST_PARAMETERS = 100
"""Parameters read of one field."""
LONGEST_FILENAME = 255
"""Characters kept of a file name."""

# Control characters, line and paragraph separators, characters that turn the direction of writing, lone surrogates.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*+)\?=")
_PARAMETER = re.compile(r""";\s*+([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))""", re.DOTALL)
_NUMBERED = re.compile(r"([^*]{1,100})\*(?:([0-9]{1,3})(\*?))?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
_ID = re.compile(r"<([^<>]{1,1000})>")
_EARLIEST, _LATEST = 1971, 2199


def decoded(value: str) -> str:
    """Return a field's value as a person reads it: unfolded, encoded words decoded, no control characters.

    RFC 2047; words in unknown charsets are read as UTF-8 or windows-1252, broken ones stay as they are. Raw 8-bit text
    is read the same way (RFC 6532).
    """
    value = _unfolded(value)
    if "=?" in value:
        value = _decode_words(value)
    return printable(value).strip()


def structured(value: str) -> str:
    """Return the value of a field for machines, in which encoded words mean nothing (RFC 2047 section 5).

    Decoded, an address that somebody made up could hold semicolons and results of its own.
    """
    return printable(_unfolded(value)).strip()


def _unfolded(value: str) -> str:
    if not value.isascii():
        value = charset.text(_octets(value))[0]
    return value.replace("\r", "").replace("\n", "") if "\n" in value or "\r" in value else value


def _octets(value: str) -> bytes:
    """Return the bytes that a raw value stands for; surrogates that stand for none become U+FFFD."""
    return _LONE.sub("\ufffd", value).encode("utf-8", "surrogateescape")


def printable(value: str) -> str:
    """Replace what could steer a terminal, a log or a reader's eye by spaces."""
    return value if value.isprintable() else _CONTROLS.sub(" ", value)


def _decode_words(value: str) -> str:
    pieces: list[str] = []
    held, held_charset = b"", ""
    position = 0
    for word in _WORD.finditer(value):
        between = value[position : word.start()]
        position = word.end()
        data = _word_bytes(word[2], word[3])
        # The charset may name a language behind "*" (RFC 2231 section 5).
        word_charset = word[1].partition("*")[0].lower()
        if held and (between.strip() or word_charset != held_charset):
            pieces.append(charset.text(held, held_charset)[0])
            held = b""
        if between.strip() or not (pieces or held):
            pieces.append(between)
        # Words of one charset are decoded together: many senders cut in the middle of a character.
        held, held_charset = held + data, word_charset
    pieces.extend((charset.text(held, held_charset)[0], value[position:]))
    return "".join(pieces)


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return a2b_qp(data, header=True)
    try:
        return a2b_base64(data + b"==")
    except Base64Error:
        return data


def parameters(value: str) -> dict[str, str]:
    """Return the parameters of Content-Type or Content-Disposition, names in lower case, the first of each name.

    Continuations and charsets of RFC 2231 are put together and decoded, as are encoded words in quotes, which many
    senders write against RFC 2047.
    """
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for found in islice(_PARAMETER.finditer(value), MOST_PARAMETERS):
        name = found[1].lower()
        text = _ESCAPED.sub(r"\1", found[2]) if found[2] is not None else found[3].strip()
        numbered = _NUMBERED.fullmatch(name)
        if numbered is None:
            plain.setdefault(name, text)
        else:
            number = numbered[2]
            encoded = number is None or bool(numbered[3])
            pieces.setdefault(numbered[1], {}).setdefault(int(number or 0), (text, encoded))
    result = {name: decoded(text) for name, text in plain.items()}
    for name, numbers in pieces.items():
        result[name] = _put_together([numbers[number] for number in sorted(numbers)])
    return result


def _put_together(pieces: list[tuple[str, bool]]) -> str:
    """Join the pieces of one parameter; the first encoded one begins with charset'language' (RFC 2231 section 4)."""
    declared = ""
    if pieces[0][1] and pieces[0][0].count("'") >= 2:
        declared, _, rest = pieces[0][0].split("'", 2)
        pieces = [(rest, True), *pieces[1:]]
    data = b"".join(
        _PERCENT.sub(_byte, raw) if encoded else raw
        for raw, encoded in ((_octets(text), encoded) for text, encoded in pieces)
    )
    return printable(charset.text(data, declared)[0]).strip()


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 16),))


def filename(name: str) -> str:
    """Return the last component of a name as given, without control characters; "" where nothing is left.

    The result is for showing and for matching and must still never be used as a path.
    """
    name = printable(name).replace("\\", "/").rpartition("/")[2]
    name = name.strip(" .") if name.strip(" .") == "" else name.strip()
    if len(name) > LONGEST_FILENAME:
        stem, dot, extension = name.rpartition(".")
        kept = dot + extension if dot and len(extension) <= 10 else ""
        name = (stem if kept else name)[: LONGEST_FILENAME - len(kept)] + kept
    return name


def message_ids(value: str) -> tuple[str, ...]:
    """Return the message ids of a field without angle brackets, in order, no repetitions, at most `MOST_IDS`.

    Folding inside an id is undone (RFC 5322 section 3.6.4). Without angle brackets, words with an "@" count as ids.
    """
    if not value.isascii():
        value = decoded(value)
    ids = ("".join(found[1].split()) for found in _ID.finditer(value))
    unique = dict.fromkeys(printable(item) for item in ids if item)
    if not unique:
        unique = dict.fromkeys(printable(word.strip("<>,;")) for word in value.split() if "@" in word)
    return tuple(unique)[:MOST_IDS]


def date(value: str) -> datetime | None:
    """Return the date of a field, aware, in UTC where it names no zone; None where it makes no sense."""
    try:
        moment = parsedate_to_datetime(value.strip()[:100])
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if _EARLIEST <= moment.year <= _LATEST else None
