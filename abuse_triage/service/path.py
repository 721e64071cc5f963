"""Reverse-path and forward-path of MAIL and RCPT (RFC 5321 section 4.1.2, with UTF-8 as in RFC 6531 section 3.3)."""

import re

NULL_PATH = "<>"
"""The null reverse-path, as `split_path` returns it."""

_ATOM = r'[^\s()<>@,;:\\"\[\]]'
_MAILBOX = (
    rf'(?:{_ATOM}{{1,256}}|"(?:[^"\\]|\\.){{0,128}}")'  # longer than 64: VERP, SRS and BATV are
    rf"@(?:{_ATOM}{{1,255}}|\[[0-9A-Za-z.:]{{1,60}}\])"
)
_PATH = re.compile(rf"(<)?(?:@[^\s<>:]{{1,255}}:)?({_MAILBOX})(?(1)>)(?: +(.*))?")
_NULL = re.compile(r"<>(?: +(.*))?")


def split_path(text: str) -> tuple[str, str] | None:
    """Split what follows "FROM:" or "TO:" into the mailbox and the parameters; None where it is no path.

    Angle brackets may be missing; a source route is dropped, as section 4.1.1.3 says; quotes around a local part stay.
    `text` must not hold control characters. Linear in its length.
    """
    if match := _PATH.fullmatch(text):
        return match[2], match[3] or ""
    if match := _NULL.fullmatch(text):
        return NULL_PATH, match[1] or ""
    return None
