"""Where OpenPGP lies in a raw message, as offsets into its bytes (RFC 3156, RFC 9580 sections 6 and 7).

A signature is made over bytes, and what is read comes from a parser: if both had their own idea of where a part begins
and ends, a signature could cover less than what is read. So there is no second parser here. The offsets are those of
the lines on which `structure.parse` itself saw each part, and of a signed message nothing is read but the bytes that
were signed (`opened`).

OpenPGP counts only at the root of a message; what lies deeper is content that somebody may have wrapped in anything
(RFC 9787 section 4.5), and is only noted, so that handlers can read it. Text outside of a signed block takes its worth.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from abuse_triage.mail import headers
from abuse_triage.mail.armor import (
    BEGINS_KEY,
    BEGINS_SIGNATURE,
    blocks,
    charset_of,
    in_html,
    is_binary_message,
    is_message,
    is_signed_text,
    trimmed,
)
from abuse_triage.mail.decode import EMBEDDED, transferred
from abuse_triage.mail.structure import Budget, Node, line_starts, parse
from abuse_triage.model.message import Mail
from abuse_triage.model.openpgp import Encoding, Form, Layer, Span
from abuse_triage.model.settings import LimitSettings

MOST_LAYERS = 10
MOST_KEYS = 4
LONGEST_KEY = 64_000
"""Bytes of one attached certificate."""
ROOT_ENCRYPTED = frozenset([Form.MIME_ENCRYPTED, Form.INLINE_ENCRYPTED])
EXCHANGE = "Exchange made a multipart/mixed of it"
"""Known as "Mixed-Up": an empty text, the version, the ciphertext (draft-dkg-openpgp-pgpmime-message-mangling)."""
GATEWAY = "a gateway put an empty text before it"
IPGMAIL = "iPGMail put the ciphertext between two empty texts"
SPACES = "no-break spaces stood in the armour"
HTML = "a mail program made HTML of the armour"

_MULTIPART_ENCODINGS = frozenset(["", "7bit", "8bit", "binary"])
_ENCODINGS = {one.value: one for one in (Encoding.BASE64, Encoding.QUOTED_PRINTABLE)}
_NAMES = (".asc", ".gpg", ".pgp")
_ARMOUR = b"-----BEGIN PGP "
_ARMOURED = b"-----BEGIN PGP MESSAGE-----"
_ARMOUR_IN_BASE64 = b"LS0tLS1CRUdJTiBQR1Ag"
_HEAD = 400
"""Bytes of an attachment in which armour has to begin."""
_NO_BREAK_SPACE = b"\xc2\xa0"
_LINE_END = re.compile(rb"(?:\r\n|\r|\n)\Z")
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """OpenPGP in one message: its layers, and the certificates that are attached, decoded."""

    layers: tuple[Layer, ...] = ()
    keys: tuple[bytes, ...] = ()


NOTHING = Found()


def layers(raw: bytes, limits: LimitSettings) -> tuple[Layer, ...]:
    """Return where OpenPGP lies: the layer that is the whole message first, then what lies deeper, at most 10.

    Inside a root that is encrypted nothing else is looked for; inside one that is signed, ciphertexts are. Linear in
    the size of the message, never raises. A message whose parsing had to stop at a limit has no layers at the end that
    was not read.
    """
    return find(raw, limits).layers


def find(raw: bytes, limits: LimitSettings) -> Found:
    """Return the layers of a message and the certificates attached to it; `layers` says the rest."""
    whole = _Whole(raw, limits)
    root = _root(whole)
    if root is not None and root.form is not Form.MIME_SIGNED:
        return Found(layers=(root,))
    deeper = islice(_deeper(whole, whole.root), MOST_LAYERS - (root is not None))
    keys = islice(_keys(whole, whole.root), MOST_KEYS)
    return Found(layers=(*((root,) if root else ()), *deeper), keys=tuple(keys))


def suspected(raw: bytes, mail: Mail) -> bool:
    """Tell whether it is worth looking for layers in a message that was decoded; False is certain."""
    return (
        _ARMOUR in raw
        or _ARMOUR_IN_BASE64 in raw
        or any(
            part.content_type.startswith("application/pgp")
            or part.filename.lower().endswith(_NAMES)
            or (part.text is not None and "-----BEGIN PGP " in part.text)
            for part in mail.parts
        )
    )


def cut(raw: bytes, span: Span) -> bytes:
    """Return the bytes of a span with its transfer encoding undone (RFC 2045 section 6)."""
    return transferred(raw[span.start : span.end], span.encoding.value)


def canonical(data: bytes) -> bytes:
    r"""Return a signed part as it was signed: every line end CRLF (RFC 3156 section 5); a bare "\r" stays."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def content(raw: bytes, layer: Layer) -> bytes:
    """Return what gpg is given of a layer: the ciphertext, the signed block, or the signed part in canonical form.

    Of text around an armoured block nothing is left, but of two messages at the root none is dropped, so
    that they are refused; no-break spaces in armour are spaces.
    """
    data = cut(raw, layer.body)
    if layer.form is Form.MIME_SIGNED:
        return canonical(data)
    if layer.form is Form.INLINE_SIGNED:
        return data
    if layer.repaired == HTML:
        return in_html(data)
    if layer.form in ROOT_ENCRYPTED and data.count(_ARMOURED) > 1:
        return data
    return trimmed(data).replace(_NO_BREAK_SPACE, b" ") if _ARMOUR in data else data


class _Whole:
    """A message with its tree, or one embedded in another; knows where each part stands in the outermost bytes."""

    def __init__(
        self, raw: bytes, limits: LimitSettings, *, start: int = 0, end: int | None = None, depth: int = 1
    ) -> None:
        self.raw = raw
        self.limits = limits
        data = raw[start:end]
        self.root = parse(data, Budget(limits), depth)
        self._base = start
        self._starts = line_starts(data)

    def span(self, node: Node) -> Span:
        """Return a whole part with its header, without the line end before the boundary (RFC 2046 section 5.1.1)."""
        start = self._base + self._starts[node.first]
        return Span(start=start, end=self._end(node, start))

    def body(self, node: Node) -> Span:
        """Return what stands behind the header."""
        start = self._base + self._starts[node.body]
        return Span(start=start, end=self._end(node, start), encoding=encoding(node))

    def content(self, node: Node) -> bytes:
        """Return the decoded content of a leaf."""
        return cut(self.raw, self.body(node))

    def _end(self, node: Node, start: int) -> int:
        end = self._base + self._starts[node.after]
        if node is self.root:
            return end
        line_end = _LINE_END.search(self.raw, max(start, end - 2), end)
        return line_end.start() if line_end else end


def encoding(node: Node) -> Encoding:
    """Return how a leaf is transferred."""
    return _ENCODINGS.get(node.field("content-transfer-encoding").strip().lower(), Encoding.NONE)


def _root(whole: _Whole) -> Layer | None:
    """Return the layer that is the whole message."""
    root = whole.root
    if root.after < 0 or _ambiguous(root):
        return None
    if root.children():
        return _signed(whole) or _encrypted(whole) or _mangled(whole)
    return _inline(whole)


def _ambiguous(node: Node) -> bool:
    """Tell whether programs may differ in what a part is: two types, two encodings, an encoded multipart."""
    names = [name.lower() for name, _ in node.raw_items()]
    if names.count("content-type") > 1 or names.count("content-transfer-encoding") > 1:
        return True
    transferred_as = node.field("content-transfer-encoding").strip().lower()
    return bool(node.children()) and transferred_as not in _MULTIPART_ENCODINGS


def _signed(whole: _Whole) -> Layer | None:
    """Recognise RFC 3156 section 5: two parts, the second a signature and nothing else."""
    kind, params = whole.root.declared()
    children = whole.root.children()
    if kind != "multipart/signed" or params.get("protocol", "").lower() != "application/pgp-signature":
        return None
    if len(children) != 2 or children[1].children() or any(child.after < 0 or _ambiguous(child) for child in children):
        return None
    if children[1].declared()[0] != "application/pgp-signature":
        return None
    if not BEGINS_SIGNATURE.match(whole.content(children[1])):
        return None
    return Layer(form=Form.MIME_SIGNED, body=whole.span(children[0]), signature=whole.body(children[1]))


def _encrypted(whole: _Whole) -> Layer | None:
    ciphertext = _ciphertext(whole, whole.root)
    return Layer(form=Form.MIME_ENCRYPTED, body=whole.body(ciphertext)) if ciphertext is not None else None


def _ciphertext(whole: _Whole, node: Node) -> Node | None:
    """Return the second part of a multipart/encrypted (RFC 3156 section 4)."""
    kind, params = node.declared()
    children = node.children()
    if kind != "multipart/encrypted" or len(children) != 2 or children[1].after < 0:
        return None
    if params.get("protocol", "application/pgp-encrypted").lower() != "application/pgp-encrypted":
        return None
    version, ciphertext = children
    if not _is_version(whole, version) or ciphertext.children() or not _may_be_ciphertext(ciphertext):
        return None
    return ciphertext


def _is_version(whole: _Whole, node: Node) -> bool:
    return (
        node.declared()[0] == "application/pgp-encrypted"
        and not node.children()
        and whole.content(node)[:100].strip().lower().startswith(b"version:")
    )


def _may_be_ciphertext(node: Node) -> bool:
    return node.declared()[0] in {"application/octet-stream", "application/pgp-encrypted"}


def _mangled(whole: _Whole) -> Layer | None:
    """Recognise what mail systems make of RFC 3156 section 4; nothing that could be read may stand beside it."""
    if whole.root.declared()[0] != "multipart/mixed":
        return None
    children = whole.root.children()
    if any(child.after < 0 for child in children) or not _is_empty(whole, children[0]):
        return None
    found: Node | None = None
    repaired = ""
    if len(children) == 2:
        found, repaired = _ciphertext(whole, children[1]), GATEWAY
    elif len(children) == 3 and _is_version(whole, children[1]):
        found, repaired = children[2], EXCHANGE
    elif len(children) == 3 and _is_empty(whole, children[2]):
        found, repaired = children[1], IPGMAIL
    if found is None or found.children() or not _may_be_ciphertext(found) or not is_message(whole.content(found)):
        return None
    return Layer(form=Form.MIME_ENCRYPTED, body=whole.body(found), repaired=repaired)


def _is_empty(whole: _Whole, node: Node) -> bool:
    """Tell whether a part is a text without any; one of HTML, whose tags may do anything, never is."""
    return not node.children() and node.declared()[0] == "text/plain" and not whole.content(node).strip()


def _inline(whole: _Whole) -> Layer | None:
    """Recognise a text that is one armoured block and nothing else."""
    root = whole.root
    kind, params = root.declared()
    if kind not in {"text/plain", "application/pgp"}:
        return None
    data = whole.content(root)
    body = whole.body(root)
    if is_message(data):
        repaired = SPACES if _NO_BREAK_SPACE in data else ""
        named = charset_of(data) or params.get("charset", "")
        return Layer(form=Form.INLINE_ENCRYPTED, body=body, charset=_charset(named), repaired=repaired)
    if is_signed_text(data):
        return Layer(form=Form.INLINE_SIGNED, body=body, charset=_charset(params.get("charset", "")))
    return None


def _charset(name: str) -> str:
    return name if _CHARSET.fullmatch(name) else ""


def _deeper(whole: _Whole, node: Node) -> Iterator[Layer]:
    """Yield the ciphertexts in a part and in messages embedded in it."""
    if node.after < 0:
        return
    ciphertext = _ciphertext(whole, node)
    if ciphertext is not None:
        yield Layer(form=Form.DEEPER, body=whole.body(ciphertext), part=whole.span(node))
    elif node.children():
        for child in node.children():
            yield from _deeper(whole, child)
    elif (embedded := _embedded(whole, node)) is not None:
        yield from _deeper(embedded, embedded.root)
    else:
        yield from _in_leaf(whole, node)


def _embedded(whole: _Whole, node: Node) -> "_Whole | None":
    """Return a message embedded as it is; in an encoded one, offsets would have no meaning."""
    if node.declared()[0] not in EMBEDDED or encoding(node) is not Encoding.NONE or node.depth >= node.budget.depth:
        return None
    body = whole.body(node)
    return _Whole(whole.raw, whole.limits, start=body.start, end=body.end, depth=node.depth + 1)


def _in_leaf(whole: _Whole, node: Node) -> Iterator[Layer]:
    kind, params = node.declared()
    body, part = whole.body(node), whole.span(node)
    named = kind.startswith("application/pgp") or _name(node).endswith(_NAMES)
    if kind.startswith("multipart/"):  # one that could not be taken apart
        return
    if not named and not kind.startswith("text/") and _ARMOUR not in _head(whole, body):
        return
    data = cut(whole.raw, body)
    if is_message(data) or (named and is_binary_message(data)):
        yield Layer(form=Form.DEEPER, body=body, part=part, charset=_charset(charset_of(data)))
    elif kind == "text/plain" and body.encoding is not Encoding.BASE64:
        # What frames a block is ASCII without anything that quoted-printable has to encode.
        for start, end in blocks(whole.raw, body.start, body.end):
            block = Span(start=start, end=end, encoding=body.encoding)
            yield Layer(form=Form.DEEPER, body=block, part=block, charset=_charset(params.get("charset", "")))
    elif kind in {"text/plain", "text/html"} and next(blocks(data, 0, len(data)), None):
        yield Layer(form=Form.DEEPER, body=body, part=part, charset=_charset(params.get("charset", "")))
    elif kind == "text/html" and in_html(data):
        charset = _charset(params.get("charset", ""))
        yield Layer(form=Form.DEEPER, body=body, part=part, charset=charset, repaired=HTML)


def _head(whole: _Whole, body: Span) -> bytes:
    return cut(whole.raw, Span(start=body.start, end=min(body.end, body.start + _HEAD), encoding=body.encoding))


def _name(node: Node) -> str:
    disposition = headers.parameters(node.field("content-disposition")).get("filename", "")
    return headers.filename(disposition or node.declared()[1].get("name", "")).lower()


def _keys(whole: _Whole, node: Node) -> Iterator[bytes]:
    """Yield the certificates attached to a message, not those of messages embedded in it."""
    if node.after < 0:
        return
    if node.children():
        for child in node.children():
            yield from _keys(whole, child)
        return
    body = whole.body(node)
    if node.declared()[0] == "application/pgp-keys" or BEGINS_KEY.match(_head(whole, body)):
        data = cut(whole.raw, body)
        if 0 < len(data) <= LONGEST_KEY:
            yield data
