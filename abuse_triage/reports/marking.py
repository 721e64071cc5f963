"""TLP markings as people write them (FIRST TLP 2.0, with older and Portuguese names)."""

import re
from collections.abc import Iterator

from abuse_triage.model.decision import Tlp
from abuse_triage.model.message import Header, Mail, Place
from abuse_triage.model.report import Marking, Report
from abuse_triage.reports.quoting import split

_LABELS = {
    "red": Tlp.RED,
    "amberstrict": Tlp.AMBER_STRICT,
    "amber": Tlp.AMBER,
    "green": Tlp.GREEN,
    "clear": Tlp.CLEAR,
    "white": Tlp.CLEAR,  # TLP 1.0
    # TLP 2.0 forbids translations, and people write them.
    "vermelho": Tlp.RED,
    "ambar": Tlp.AMBER,
    "âmbar": Tlp.AMBER,
    "amarelo": Tlp.AMBER,
    "yellow": Tlp.AMBER,
    "verde": Tlp.GREEN,
    "branco": Tlp.CLEAR,
}
_COLOUR = (
    r"RED|AMBER[ \t]{0,2}[+\-_ ][ \t]{0,2}STRICT|AMBER|GREEN|CLEAR|WHITE|VERMELHO|[AÂ]MBAR|AMARELO|YELLOW|VERDE|BRANCO"
)
# Every repetition is bounded: the search is linear.
_MARKING = re.compile(
    rf"""(?<![A-Za-z0-9])TLP[ \t]{{0,2}}[:\-_/=.]?[ \t]{{0,2}}[*"'(\[]{{0,2}}({_COLOUR})(?![A-Za-z0-9])""",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"[ \t]{{0,5}}({_COLOUR})[ \t]{{0,5}}", re.IGNORECASE)
_BETWEEN_PARAGRAPHS = re.compile(r"\n[> \t|]*\n")
_FIELDS = frozenset(["tlp", "x-tlp", "x-tlp-level", "x-tlp-label", "x-tlp-marking", "x-tlp-classification"])
_LEGEND = 3
"""Distinct labels from which on a paragraph explains labels and does not mark."""


def markings(mail: Mail, report: Report) -> tuple[Marking, ...]:
    """Return the markings of a message, one for each label and place, as it was first spelled there.

    Looked at are subject, Keywords and TLP fields, own and quoted text, attachments and their names, embedded messages
    with their subjects, and a field "tlp" of the report's format. A paragraph with three or more distinct labels is a
    legend. Which marking counts is decided elsewhere: the strictest.
    """
    found: dict[tuple[Tlp, Place], Marking] = {}
    for place, text in _sources(mail, report):
        for tlp, seen in _labels(text):
            found.setdefault((tlp, place), Marking(tlp=tlp, seen=seen, place=place))
    return tuple(found.values())


def _sources(mail: Mail, report: Report) -> Iterator[tuple[Place, str]]:
    yield from ((Place.HEADER, text) for text in _of_headers(mail.headers))
    yield from ((Place.ATTACHMENT, f"TLP:{value}") for name, value in report.fields if name == "tlp")
    for part in mail.parts:
        yield from ((Place.FORWARDED, text) for text in _of_headers(part.headers))
        yield Place.ATTACHMENT, part.filename
        if part.text and "tlp" in part.text.lower():
            if part.place is Place.BODY:
                written = split(part.text)
                yield Place.BODY, written.new
                yield Place.QUOTED, written.quoted
                yield Place.BODY, written.signature
            else:
                yield part.place, part.text


def _of_headers(headers: tuple[Header, ...]) -> Iterator[str]:
    for header in headers:
        if header.name in _FIELDS:
            alone = _ALONE.fullmatch(header.value)
            yield f"TLP:{alone[1]}" if alone else header.value
        elif header.name in {"subject", "keywords"}:
            yield header.value


def _labels(text: str) -> Iterator[tuple[Tlp, str]]:
    """Yield label and spelling of every marking in a text, paragraph by paragraph."""
    if "tlp" not in text.lower():
        return
    for paragraph in _BETWEEN_PARAGRAPHS.split(text):
        here = [(_tlp(match[1]), match[0].strip()) for match in _MARKING.finditer(paragraph)]
        if len({tlp for tlp, _ in here}) < _LEGEND:
            yield from here


def _tlp(colour: str) -> Tlp:
    return _LABELS["".join(character for character in colour.lower() if character.isalpha())]
