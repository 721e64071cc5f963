"""Raw bytes to a `Mail`: whatever comes in, what can be read of it comes out."""

from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterable
from hashlib import sha256

from abuse_triage.mail import charset, headers, html, sniff
from abuse_triage.mail.addresses import addresses
from abuse_triage.mail.structure import Budget, Node, parse
from abuse_triage.model.message import Address, Header, Mail, Part, Place
from abuse_triage.model.settings import LimitSettings

EMBEDDED = frozenset(["message/rfc822", "message/global", "message/news"])
"""Types of leaves that hold a message."""
_ENCODINGS = frozenset(["", "7bit", "8bit", "binary", "base64", "quoted-printable"])
_HEADERS_ONLY = frozenset(["text/rfc822-headers", "message/rfc822-headers", "message/global-headers"])
_HTML = frozenset(["text/html", "application/xhtml+xml"])
_TEXTUAL = frozenset(
    ["application/json", "application/xml", "application/csv", "application/yaml", "application/x-yaml"]
)
_TEXTUAL_SUFFIXES = ("+json", "+xml", "+yaml")
_TEXTUAL_NAMES = (".txt", ".log", ".csv", ".json", ".xml", ".yaml", ".yml")
_DEFECTS = {
    "NoBoundaryInMultipartDefect": "a multipart names no boundary",
    "StartBoundaryNotFoundDefect": "a multipart's boundary never occurs",
    "CloseBoundaryNotFoundDefect": "a multipart is not closed",
    "MultipartInvariantViolationDefect": "a multipart has no parts",
    "InvalidMultipartContentTransferEncodingDefect": "a multipart has a transfer encoding",
    "MissingHeaderBodySeparatorDefect": "no empty line between header and body",
    "FirstHeaderLineIsContinuationDefect": "the header begins with a continuation line",
    "MisplacedEnvelopeHeaderDefect": 'a "From " line stands among the fields',
    "InvalidHeaderDefect": "a field has no name",
}
_NOT_BASE64 = bytes(
    byte for byte in range(256) if byte not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)
_FOR_MACHINES = frozenset(["authentication-results", "received-spf"])
"""Fields that our own MTA writes around what the sender made up."""
_CUT_TEXT = "text: only the first {} characters were read"
_STUB = 200
"""Characters below which a plain text beside a much longer HTML one is taken for "your program shows no HTML"."""


def decode(raw: bytes, limits: LimitSettings) -> Mail:
    r"""Decode a message within the limits; never raises for any bytes.

    Parts stand in the order of the message. Those inside an embedded message follow the part that holds it, with place
    FORWARDED. In texts, line ends are "\n", and NUL and lone surrogates are U+FFFD. All texts together have at most
    `limits.text` characters, and so have all HTML twins of plain texts. What was cut is named in `limits`, what was odd
    in `defects` (RFC 7103 has advice on both).
    """
    budget = Budget(limits)
    root = parse(raw, budget)
    content_type, params = root.declared()
    parts = tuple(_message_parts(root, "", Place.BODY, budget))
    ids = headers.message_ids(root.field("message-id"))
    return Mail(
        headers=_headers(root),
        subject=headers.decoded(root.field("subject")),
        senders=_mailboxes(root, "from"),
        reply_to=_mailboxes(root, "reply-to"),
        message_id=ids[0] if ids else "",
        in_reply_to=headers.message_ids(root.field("in-reply-to")),
        references=headers.message_ids(root.field("references")),
        date=headers.date(root.field("date")),
        content_type=content_type,
        params=tuple(params.items()),
        parts=parts,
        defects=budget.defects,
        limits=budget.notes,
    )


def _headers(node: Node) -> tuple[Header, ...]:
    return tuple(
        Header(name.lower(), (headers.structured if name.lower() in _FOR_MACHINES else headers.decoded)(value))
        for name, value in node.raw_items()
    )


def _mailboxes(node: Node, name: str) -> tuple[Address, ...]:
    return addresses(", ".join(value for key, value in node.raw_items() if key.lower() == name))


def _message_parts(node: Node, prefix: str, place: Place, budget: Budget) -> list[Part]:
    """Return the parts of a whole message; numbers are those of IMAP's FETCH (RFC 9051 section 6.4.5.1)."""
    if node.children():
        return _multipart(node, prefix, place, 0, budget)
    return _leaf(node, f"{prefix}1", place, 0, budget)


def _multipart(node: Node, prefix: str, place: Place, rival: int, budget: Budget) -> list[Part]:
    """Return the leaves of a multipart; `rival` is the length of a plain text to which they are an alternative."""
    _note_defects(node, budget)
    alternative = node.get_content_subtype() == "alternative"
    parts: list[Part] = []
    for number, child in enumerate(node.children(), start=1):
        path = f"{prefix}{number}"
        if child.children():
            found = _multipart(child, f"{path}.", place, rival, budget)
        else:
            found = _leaf(child, path, place, rival, budget)
        parts.extend(found)
        if alternative:
            rival = max(rival, _plain_length(found))
    return parts


def _plain_length(parts: Iterable[Part]) -> int:
    return max((len(part.text.strip()) for part in parts if part.text and part.content_type == "text/plain"), default=0)


def _leaf(node: Node, path: str, place: Place, rival: int, budget: Budget) -> list[Part]:
    _note_defects(node, budget)
    content_type, params = node.declared()
    disposition = node.field("content-disposition")
    name = headers.filename(headers.parameters(disposition).get("filename", "") or params.get("name", ""))
    data = _content(node, budget)
    embedded = content_type in EMBEDDED or (name.lower().endswith(".eml") and not content_type.startswith("text/"))
    message = _embedded_message(data, node.depth + 1, budget) if embedded else None
    text: str | None = None
    hrefs: tuple[str, ...] = ()
    codec = ""
    if not embedded and _is_text(content_type, name, data, params.get("charset", "")):
        text, hrefs, codec = _text(content_type, name, data, params.get("charset", ""), budget)
    # A stub that only says "your program shows no HTML" has no twin: then the HTML is the text.
    twin = text is not None and rival > 0 and not (rival < _STUB and len(text) > 4 * rival)
    if text is not None:
        text = _within_budget(text, budget, twin=twin)
    part = Part(
        path=path,
        content_type=content_type,
        size=len(data),
        sha256=sha256(data).hexdigest(),
        place=_place(content_type, name, disposition, path, place),
        filename=name,
        detected_type=sniff.detected(data),
        charset=codec,
        text=text,
        hrefs=hrefs,
        headers=_headers(message) if message else (),
        twin=twin,
    )
    return [part, *_message_parts(message, f"{path}.", Place.FORWARDED, budget)] if message else [part]


def _note_defects(node: Node, budget: Budget) -> None:
    for defect in node.defects[:10]:
        budget.odd(_DEFECTS.get(type(defect).__name__, "the structure is damaged"))


def _content(node: Node, budget: Budget) -> bytes:
    """Return a leaf's bytes with the transfer encoding undone (RFC 2045 section 6)."""
    encoding = node.field("content-transfer-encoding").strip().lower()
    data = transferred(node.content(), encoding)
    if encoding not in _ENCODINGS:
        budget.odd("a transfer encoding is unknown")
    if len(data) > budget.decoded:
        budget.cut(f"size: only {budget.limits.decoded_bytes} decoded bytes were read")
        data = data[: budget.decoded]
    budget.decoded -= len(data)
    return data


def transferred(data: bytes, encoding: str) -> bytes:
    """Undo a transfer encoding, named in lower case; one that is unknown leaves everything as it is."""
    if encoding == "base64":
        return _unbase64(data)
    return a2b_qp(data) if encoding == "quoted-printable" else data


def _unbase64(data: bytes) -> bytes:
    try:
        return a2b_base64(data)
    except Base64Error:
        clean = data.translate(None, _NOT_BASE64)
        # One character beyond a multiple of four holds less than a byte.
        return a2b_base64(clean[: len(clean) - (len(clean) % 4 == 1)] + b"==")


def _embedded_message(data: bytes, depth: int, budget: Budget) -> Node | None:
    if depth > budget.depth:
        budget.too_deep()
        return None
    if budget.parts <= 0:
        budget.too_many()
        return None
    budget.parts -= 1
    return parse(data, budget, depth)


def _place(content_type: str, name: str, disposition: str, path: str, place: Place) -> Place:
    """Tell the message's own text from what hangs on it; what is inside an embedded message stays FORWARDED."""
    if content_type in _HEADERS_ONLY:
        return Place.FORWARDED
    first = path.strip("1.") == ""
    if place is Place.BODY and (
        not content_type.startswith(("text/", "multipart/"))
        or disposition.lstrip().lower().startswith("attachment")
        or (name and not first)
    ):
        return Place.ATTACHMENT
    return place


def _is_text(content_type: str, name: str, data: bytes, declared: str) -> bool:
    """Say whether a leaf is text to read; a multipart that could not be taken apart is."""
    kind = content_type.partition("/")[0]
    if kind in {"text", "multipart", "message"} or content_type in _TEXTUAL or content_type.endswith(_TEXTUAL_SUFFIXES):
        wide = data[:2] in {b"\xff\xfe", b"\xfe\xff"} or charset.codec(declared).startswith(("utf_16", "utf_32"))
        return wide or b"\0" not in data[:1000]
    return name.lower().endswith(_TEXTUAL_NAMES) and kind == "application" and b"\0" not in data[:1000]


def _text(content_type: str, name: str, data: bytes, declared: str, budget: Budget) -> tuple[str, tuple[str, ...], str]:
    """Return a leaf's text, its link targets and the codec that it was read with."""
    if content_type in _HTML or (name.lower().endswith((".html", ".htm")) and content_type == "text/plain"):
        limit = budget.limits.html_bytes
        if len(data) > limit:
            budget.cut(f"HTML: only the first {limit} bytes of a part were read")
        source, codec = charset.text(data[:limit], declared)
        document = html.read(source.replace("\0", "\ufffd"))
        return document.text, tuple(headers.printable(href) for href in document.hrefs), codec
    # No text needs more than four bytes a character, so this loses nothing that the budget would keep.
    text, codec = charset.text(data[: 4 * budget.limits.text + 4], declared)
    if len(data) > 4 * budget.limits.text + 4:
        budget.cut(_CUT_TEXT.format(budget.limits.text))
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd"), (), codec


def _within_budget(text: str, budget: Budget, *, twin: bool) -> str:
    left = budget.alternative_text if twin else budget.text
    if len(text) > left:
        budget.cut(_CUT_TEXT.format(budget.limits.text))
        text = text[:left]
    if twin:
        budget.alternative_text -= len(text)
    else:
        budget.text -= len(text)
    return text
