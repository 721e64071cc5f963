r"""The patterns of names, addresses and URLs in text.

Each repeats at most a fixed number of times, and possessively where what follows may be missing, so no text makes one
backtrack. Letters are ranges instead of `\w`: that leaves out combining marks, so that an "é" of two characters would
cut the beginning off "crédito.pt" and make another name of it; and it costs five times as much.
"""

import re

# Letters, marks and digits outside ASCII, and the characters that RFC 5892 allows in context ("col·legi"), by blocks:
# wider than what a name may hold (UTS 46 decides in `names`), but without punctuation, symbols and emoji.
_BEYOND_ASCII = (
    "\u00aa\u00b5\u00b7\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u200c\u200d\u2c00-\u2dff\u3005-\u3007\u3021-\u302f"
    "\u3031-\ud7ff\uf900-\ufd3d\ufd40-\ufdff\ufe20-\ufe2f\ufe70-\ufefe\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
    "\uff66-\uffdc\U00010000-\U0001efff\U00020000-\U000323af"
)
NAME = f"A-Za-z0-9_{_BEYOND_ASCII}"
"""Inside of a character class: what a label consists of, without the hyphen."""

_LONGEST_PATH = 2048
_QUOTES = r"\"`\u00ab\u00bb\u2018-\u201f\u2039\u203a"
_REST = rf"[^\s<>|\\^\x00-\x1f\x7f-\x9f{_QUOTES}\u2026\u3001\uff0c]{{0,{_LONGEST_PATH}}}+"

RUN = re.compile(
    rf"(?<![{NAME}])(?<![{NAME}-][.-])"  # never in the middle of something longer: its end is another name
    rf"[{NAME}][{NAME}-]{{0,62}}+(?:(?:\.[{NAME}-]{{1,63}}+){{1,126}}+(?![{NAME}-])|(?=://))"
)
"""Labels with dots between them, or the scheme of a URL."""

OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = re.compile(rf"{OCTET}(?:\.{OCTET}){{3}}")
"""Dotted decimal without leading zeros, which some programs read as octal."""

AUTHORITY = re.compile(
    rf"://(?:(?P<user>[{NAME}.!$&'*+=:%~@-]{{1,128}})@)?"
    rf"(?P<host>\[[0-9A-Fa-f:.]{{2,45}}\]|[{NAME}.-]{{1,255}}+)"
    rf"(?::(?P<port>[0-9]{{1,5}}+(?![0-9]))?)?"
)
"""What follows the scheme of a URL (RFC 3986 section 3.2)."""

PATH = re.compile(rf"[/?#]{_REST}")
"""What follows the authority, query and fragment included."""

TAIL = re.compile(
    rf"(?::(?P<port>[0-9]{{1,5}}+))?(?P<path>/(?!(?:tcp|udp|TCP|UDP|{IPV4.pattern})(?![{NAME}.-])){_REST})"
)
"""What makes a URL of a host without a scheme: a path, but not "/tcp" or a second address."""

ADDRESS_TAIL = re.compile(
    rf"(?::(?P<port>[0-9]{{1,5}}+))?(?P<path>/(?!(?:tcp|udp|TCP|UDP)(?![{NAME}.-]))[A-Za-z~%_?]{_REST})"
)
"""The same behind an address, where "/24" is a prefix length and "/443" a port."""

LOCAL_REVERSED = re.compile(rf"[{NAME}.+=~'&-]{{1,65}}+")
"""The local part of an e-mail address read from the "@" backwards; 65 are too many (RFC 5321 section 4.5.3.1.1)."""

IPV6_SIGN = re.compile(r"::|:[0-9A-Fa-f]{1,4}+:[0-9A-Fa-f]{1,4}+:")
"""What every IPv6 address contains and neither a time nor prose does."""
IPV6_HEAD_REVERSED = re.compile(r"[0-9A-Fa-f:]{0,45}+")
IPV6_BODY = re.compile(r"[0-9A-Fa-f:]{2,45}+(?:\.[0-9]{1,3}){0,4}")
