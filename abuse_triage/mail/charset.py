"""Bytes to text, whatever the sender says about them."""

import re
from encodings.aliases import aliases

_SUPERSETS = {
    # What senders call by the left name is often the right one, which contains it (WHATWG Encoding Standard, 4.2).
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "cp950",
}
_SINGLE_BYTE = frozenset(
    [f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 16)]
    + [f"cp{page}" for page in (437, 850, 852, 855, 862, 866, 874, *range(1250, 1259))]
    + ["koi8_r", "koi8_u", "mac_roman", "mac_cyrillic"]
)
_MULTI_BYTE = frozenset(["utf_8", "gb18030", "big5hkscs", "cp932", "cp949", "cp950", "euc_jp"])
_STATEFUL = frozenset(["iso2022_jp", "iso2022_kr", "hz", "utf_16", "utf_16_le", "utf_16_be", "utf_32"])
"""Codecs in which ASCII bytes may mean something else."""
CODECS = _SINGLE_BYTE | _MULTI_BYTE | _STATEFUL | frozenset(_SUPERSETS.values())
_SEPARATORS = re.compile(r"[^a-z0-9.]+")


def codec(declared: str) -> str:
    """Return the codec for a charset name as a sender writes it, "" for one that is unknown or not on the list.

    The list leaves out utf-7, punycode, idna, unicode_escape and all that are no character sets: they let a sender
    write text that other programs read differently. No name from outside reaches `codecs.lookup`, whose cache of
    unknown names never shrinks.
    """
    name = _SEPARATORS.sub("_", declared[:60].lower()).strip("_")
    name = aliases.get(name, name)
    name = _SUPERSETS.get(name, name)
    return name if name in CODECS else ""


def text(data: bytes, declared: str = "") -> tuple[str, str]:
    """Decode to text and say which codec it was; never fails.

    The declared charset if it is known and fits without error, then UTF-8 if it fits, then windows-1252 with U+FFFD for
    what it does not define.
    """
    name = codec(declared)
    if data.isascii() and name not in _STATEFUL:
        return data.decode("ascii"), name or "ascii"
    for candidate in (name, "utf_8"):
        if candidate:
            try:
                return data.decode(candidate), candidate
            except UnicodeDecodeError:
                continue
    return data.decode("cp1252", "replace"), "cp1252"
