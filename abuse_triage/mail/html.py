"""HTML to text and link targets, in one pass over the tags.

No tree is built. A tree as the HTML standard wants it can be quadratic in its source: 14 kB of unclosed <b> and <p>
make a million nodes, and 100,000 nested <div> take a good parser many seconds. Text with line breaks and link targets
need only the tags, one after the other, so time and memory stay in proportion to the source whatever it holds.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

MOST_HREFS = 2000
"""Link targets kept of one document."""
LONGEST_HREF = 4000
"""Characters kept of one link target."""

_ATTRIBUTE = r"""([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+))?+"""
# Every repetition is possessive (Python 3.11): a tag is read once, and either ends or does not.
_TAG = re.compile(rf"<(/?)([a-zA-Z][^\s/>]*+)((?:\s++|/|{_ATTRIBUTE})*+)>")
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])")
_ENTITY = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z][a-zA-Z0-9]{1,31});?")
_ENTITY_IN_ATTRIBUTE = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_REST = re.compile(r"<[^<>]*+>?")
_WHITESPACE = str.maketrans("\n\r\f\t", "    ")
_HIDDEN = frozenset(["script", "style", "title", "iframe", "noembed", "noframes"])
"""Elements whose content is no text to read (HTML standard, 13.2.5.1: raw text; title stands in no body)."""
_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII) for name in _HIDDEN}
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol", "dl", "hr"])
_LINES = frozenset(
    [
        "address",
        "article",
        "aside",
        "body",
        "br",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "header",
        "html",
        "legend",
        "li",
        "main",
        "nav",
        "option",
        "section",
        "summary",
        "tbody",
        "textarea",
        "tfoot",
        "thead",
        "tr",
    ]
)
_CELLS = frozenset(["td", "th"])
_TARGETS = {"a": "href", "area": "href", "form": "action"}
_NO_TARGET = ("#", "javascript:", "data:", "cid:", "about:")


class Document(NamedTuple):
    """The text of an HTML document, one line per block, and its link targets in order without repetitions."""

    text: str
    hrefs: tuple[str, ...]


def read(source: str) -> Document:
    """Turn HTML into text and link targets; never fails, and takes time in proportion to the length of the source."""
    hrefs: dict[str, None] = {}
    text = "".join(_pieces(source, hrefs))
    return Document(_tidy(text), tuple(hrefs))


def _pieces(source: str, hrefs: dict[str, None]) -> Iterator[str]:
    position = preformatted = 0
    while found := _MARKUP.search(source, position):
        start = found.start()
        yield _text(source[position:start], preformatted)
        tag = _TAG.match(source, start)
        if tag is None:
            end = _end_of_other(source, start)
            if end < 0:
                # Never closed: what a browser would swallow is kept as text, without what looks like a tag.
                yield _text(_REST.sub(" ", source[start:]), preformatted)
                return
            position = end
            continue
        closing, name, attributes = tag[1], tag[2].lower(), tag[3]
        position = tag.end()
        if name in _HIDDEN and not closing:
            over = _ENDS[name].search(source, position)
            if over is None:
                return
            position = over.start()
        elif name == "pre":
            preformatted = max(0, preformatted + (-1 if closing else 1))
        elif name in _TARGETS and not closing and len(hrefs) < MOST_HREFS:
            _keep_target(attributes, _TARGETS[name], hrefs)
        yield _break(name)
    yield _text(source[position:], preformatted)


def _end_of_other(source: str, start: int) -> int:
    """Return where a comment, a declaration or a stray closing tag ends, -1 if nowhere (HTML standard, 13.2.5.42)."""
    if source.startswith(("<!-->", "<!--->"), start):
        return source.index(">", start) + 1
    if source.startswith("<!--", start):
        end = source.find("-->", start + 4)
        return end + 3 if end >= 0 else -1
    if source[start + 1] in "!?" or source.startswith("</", start):
        return source.find(">", start) + 1 or -1
    return -1


def _text(piece: str, preformatted: int) -> str:
    if "&" in piece:
        piece = _ENTITY.sub(_character, piece)
    return piece if preformatted else piece.translate(_WHITESPACE)


def _character(entity: re.Match[str]) -> str:
    return unescape(entity[0])


def _break(name: str) -> str:
    if name in _LINES:
        return "\n"
    if name in _PARAGRAPHS:
        return "\n\n"
    return " " if name in _CELLS else ""


def _keep_target(attributes: str, wanted: str, hrefs: dict[str, None]) -> None:
    for attribute in _ATTRIBUTES.finditer(attributes):
        if attribute[1].lower() == wanted:
            value = attribute[2] or ""
            if value[:1] in {'"', "'"}:
                value = value[1:-1]
            # A browser removes line breaks and tabs inside an address, and spaces around it (URL standard, 4.4).
            value = "".join(_ENTITY_IN_ATTRIBUTE.sub(_character, value).split("\n")).strip()
            value = value.replace("\r", "").replace("\t", "")[:LONGEST_HREF]
            if value and not value.lower().startswith(_NO_TARGET):
                hrefs[value] = None
            return


def _tidy(text: str) -> str:
    """Collapse spaces (no-break ones too) within lines, and more than one blank line."""
    lines: list[str] = []
    for line in text.split("\n"):
        words = " ".join(line.split())
        if words or (lines and lines[-1]):
            lines.append(words)
    return "\n".join(lines).rstrip("\n")
