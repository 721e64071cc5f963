"""gpg's status stream (doc/DETAILS of GnuPG): bytes in, values out, or an error where a single line is not understood.

The stream comes on a pipe of its own, on which gpg writes nothing else. It is split at LF only, because names in keys
and other text of strangers may hold every other character that some consider a line end; gpg escapes LF and all other
control characters. Of lines that carry such text only the words before it are kept, so that it goes no further.
"""

import re
from dataclasses import dataclass

LONGEST = 262_144
"""Octets of one stream; an operation on a message with 32 recipients writes 10,000."""
MOST_LINES = 4096

_LINE = re.compile(rb"\[GNUPG:\] ([A-Z][A-Z0-9_]{0,63})(?: ([ -~\x80-\xff]*))?")
_NUMBER = rb"([0-9]{1,10})"
_KEY = rb"([0-9A-F]{16}|[0-9A-F]{40}|[0-9A-F]{64})"
_FINGERPRINT = rb"([0-9A-F]{40}|[0-9A-F]{64})"
_MORE = rb"(?: .*)?"
_NAMED = re.compile(_KEY + rb"(?: .*)?")
_WORD = re.compile(rb"([!-~]{1,200})" + _MORE)
_REST = re.compile(rb".*")

_FORMS = {
    b"GOODSIG": _NAMED,
    b"BADSIG": _NAMED,
    b"EXPSIG": _NAMED,
    b"EXPKEYSIG": _NAMED,
    b"REVKEYSIG": _NAMED,
    # key, public-key and hash algorithm, class, time, reason, fingerprint
    b"ERRSIG": re.compile(
        _KEY
        + rb" ([0-9]{1,3}) ([0-9]{1,3}) ([0-9a-f]{2}) "
        + _NUMBER
        + rb" ([0-9]{1,10})(?: ([0-9A-F]{40,64}|-))?"
        + _MORE
    ),
    # fingerprint, date, time, end, version, reserved, public-key and hash algorithm, class, primary key's fingerprint
    b"VALIDSIG": re.compile(
        _FINGERPRINT
        + rb" ([0-9-]{10}) "
        + _NUMBER
        + b" "
        + _NUMBER
        + rb" ([0-9]{1,3}) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9a-f]{2}) "
        + _FINGERPRINT
        + _MORE
    ),
    b"SIG_CREATED": re.compile(
        rb"([DCS]) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9a-f]{2}) " + _NUMBER + b" " + _FINGERPRINT + _MORE
    ),
    b"NO_PUBKEY": re.compile(_KEY + _MORE),
    b"NO_SECKEY": re.compile(_KEY + _MORE),
    b"ENC_TO": re.compile(rb"([0-9A-F]{16}) [0-9]{1,3} [0-9]{1,10}" + _MORE),
    b"PLAINTEXT": re.compile(rb"([0-9a-f]{2})(?: .*)?"),
    b"ERROR": re.compile(rb"([!-~]{1,200}) ([!-~]{1,200})" + _MORE),
    b"FAILURE": re.compile(rb"([!-~]{1,200}) ([!-~]{1,200})" + _MORE),
    b"INV_RECP": re.compile(rb"([0-9]{1,3})" + _MORE),
    b"INV_SGNR": re.compile(rb"([0-9]{1,3})" + _MORE),
    b"NODATA": _WORD,
    b"UNEXPECTED": _WORD,
    b"IMPORTED": _NAMED,
    b"IMPORT_OK": re.compile(rb"([0-9]{1,3}) " + _FINGERPRINT + _MORE),
    b"IMPORT_PROBLEM": re.compile(rb"([0-9]{1,3})(?: ([0-9A-F]{40,64}))?" + _MORE),
    b"KEY_CREATED": re.compile(rb"([BPS]) " + _FINGERPRINT + _MORE),
    # names, notations and file names: their text is not kept
    b"NEWSIG": _REST,
    b"USERID_HINT": _REST,
    b"NOTATION_NAME": _REST,
    b"NOTATION_DATA": _REST,
    b"POLICY_URL": _REST,
}
_WITH_TEXT = frozenset(
    b"GOODSIG BADSIG EXPSIG EXPKEYSIG REVKEYSIG IMPORTED NEWSIG USERID_HINT NOTATION_NAME NOTATION_DATA "
    b"POLICY_URL PLAINTEXT".split()
)
"""The keywords after which octets above 127 may stand."""


class StatusError(Exception):
    """What gpg wrote is not what gpg writes: nothing of it may be believed."""


@dataclass(frozen=True, slots=True)
class Status:
    """One line: its keyword and the arguments that we rely on, all ASCII; "" for one that is missing."""

    keyword: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statuses:
    """The lines of one operation, in their order."""

    lines: tuple[Status, ...]

    def of(self, *keywords: str) -> tuple[Status, ...]:
        """Return the lines with any of the keywords."""
        return tuple(line for line in self.lines if line.keyword in keywords)

    def count(self, *keywords: str) -> int:
        """Return how many lines have any of the keywords."""
        return len(self.of(*keywords))


def read(stream: bytes) -> Statuses:
    """Read a whole stream of at most LONGEST octets and MOST_LINES lines; raises StatusError.

    Every line begins with "[GNUPG:] " and ends with LF, the last one too. A keyword that is not known is kept without
    its arguments. A known one must have the form that GnuPG documents; more arguments may follow, as it says.
    """
    if not stream:
        return Statuses(())
    if len(stream) > LONGEST or stream.count(b"\n") > MOST_LINES:
        raise StatusError("the status is too long")
    if not stream.endswith(b"\n"):
        raise StatusError("the status ends within a line")
    return Statuses(tuple(_line(line) for line in stream[:-1].split(b"\n")))


def _line(line: bytes) -> Status:
    found = _LINE.fullmatch(line)
    if found is None:
        raise StatusError("a line is not of the status stream")
    keyword, text = found[1], found[2] or b""
    if not text.isascii() and keyword not in _WITH_TEXT:
        raise StatusError(f"{keyword.decode()} has octets that are not ASCII")
    form = _FORMS.get(keyword)
    if form is None:
        return Status(keyword.decode())
    arguments = form.fullmatch(text)
    if arguments is None:
        raise StatusError(f"{keyword.decode()} has an unknown form")
    return Status(keyword.decode(), tuple((word or b"").decode() for word in arguments.groups()))
