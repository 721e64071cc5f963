"""What the sender wrote now, told from what is quoted below it and from the signature."""

from typing import NamedTuple

SIGNATURE_LINES = 15
"""Lines that a signature may have; what is longer below a line of dashes is text."""

_WROTE = ("wrote:", "escreveu:", "escreveu o seguinte:", "escribió:", "a écrit :", "a écrit:", "schrieb:", "scrisse:")
_ATTRIBUTIONS = ("on ", "em ", "no dia ", "a ", "às ", "el ", "le ", "am ", "il ")
_TAILS = frozenset(
    [
        "original message", "forwarded message", "begin forwarded message", "original appointment",
        "mensagem original", "mensagem encaminhada", "mensagem reencaminhada", "início da mensagem reencaminhada",
        "início da mensagem encaminhada", "mensaje original", "mensaje reenviado", "message original",
        "message transféré", "ursprüngliche nachricht", "weitergeleitete nachricht",
    ]
)  # fmt: skip
_FROM = frozenset(["from", "de", "von"])
_SENT = frozenset(["sent", "enviado", "enviada", "enviada em", "enviado em", "envoyé", "gesendet"])
_SEPARATORS = frozenset(["--", "- --"])
"""Above a signature (RFC 3676 section 4.3); the second is dash-escaped (RFC 9580 section 7.2)."""
_ARMOUR = "-----BEGIN PGP SIG"


class Written(NamedTuple):
    """A text taken apart."""

    new: str
    quoted: str
    signature: str


def split(text: str) -> Written:
    r"""Tell new text from quoted text; line ends are "\n".

    Quoted are lines that begin with ">", the line above them that says who wrote, and everything from the first line
    on that says that a forwarded or an older message follows. A list's footer
    counts as signature. Takes time in proportion to the length.
    """
    lines = _without_armour(text).split("\n")
    new: list[str] = []
    quoted: list[str] = []
    for number, line in enumerate(lines):
        bare = line.strip()
        if bare[:1] == ">":
            if not quoted or lines[number - 1].strip()[:1] != ">":
                quoted.extend(_take_attribution(new))
            quoted.append(line)
        elif bare and _begins_tail(bare, lines, number):
            quoted.extend(lines[number:])
            break
        else:
            new.append(line)
    end = _start_of_signature(new, _start_of_signature(new, len(new)))
    parts = (new[:end], quoted, new[end:])
    return Written(*("\n".join(part).strip("\n") for part in parts))


def _take_attribution(new: list[str]) -> list[str]:
    """Remove the "On … wrote:" above quoted lines, which may be broken in two, from the new text and return it."""
    last = len(new) - 1
    while last >= 0 and last > len(new) - 3 and not new[last].strip():
        last -= 1
    if last < 0 or not _says_wrote(new[last]):
        return []
    first = last
    if not new[last].lstrip().lower().startswith(_ATTRIBUTIONS):
        while first > max(0, last - 2) and new[first - 1].strip():
            first -= 1
            if new[first].lstrip().lower().startswith(_ATTRIBUTIONS):
                break
        else:
            first = last
    taken = new[first : last + 1]
    del new[first:]
    return taken


def _says_wrote(line: str) -> bool:
    return line.rstrip()[-30:].lower().endswith(_WROTE)


def _begins_tail(bare: str, lines: list[str], number: int) -> bool:
    """Say whether an older message begins at this line, by a title, by an unquoted "wrote:" or by a block of fields."""
    if bare[-1] == ":" and len(bare) < 200 and _says_wrote(bare) and bare.lower().startswith(_ATTRIBUTIONS):
        following = next((line.lstrip() for line in lines[number + 1 : number + 4] if line.strip()), "")
        return bool(following) and following[0] != ">"
    if bare[0] in "-_*BIbií" and len(bare) < 100 and bare.strip("-_* :").lower() in _TAILS:
        return True
    return (
        ":" in bare[:12]
        and _label(bare) in _FROM
        and number + 1 < len(lines)
        and _label(lines[number + 1].strip()) in _SENT
    )


def _label(line: str) -> str:
    return line[:20].partition(":")[0].strip("* ").lower()


def _start_of_signature(lines: list[str], end: int) -> int:
    """Return where before `end` a short signature begins, at "-- " or at a list's line of underscores; or `end`."""
    filled = 0
    for number in range(end - 1, -1, -1):
        bare = lines[number].strip()
        if bare in _SEPARATORS or (len(bare) >= 20 and bare.count("_") == len(bare)):
            return number
        filled += bool(bare)
        if filled > SIGNATURE_LINES:
            break
    return end


def _without_armour(text: str) -> str:
    """Remove OpenPGP signatures and the lines that begin a clearsigned text (RFC 9580 section 7)."""
    if "-----BEGIN PGP " not in text:
        return text
    kept: list[str] = []
    inside = ""
    for line in text.split("\n"):
        if line.startswith(_ARMOUR):
            inside = "header" if "SIGNED" in line else "signature"
        elif not inside:
            kept.append(line)
        elif (inside == "signature" and line.startswith("-----END PGP ")) or (inside == "header" and not line.strip()):
            inside = ""
    return "\n".join(kept)
