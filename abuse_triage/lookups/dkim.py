"""DKIM (RFC 6376, RFC 8301, RFC 8463): which domains signed the message as it is.

dkimpy verifies. It is given the message already taken apart, and only signatures that it can check in a time
proportional to their length.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dkim
from dkim.canonicalization import (
    ALGORITHMS,
    CanonicalizationPolicy,
    Relaxed,
    correct_empty_body,
    strip_trailing_lines,
)
from dkim.util import InvalidTagValueList, parse_tag_value

from abuse_triage.lookups.resolver import Questions, UnansweredError

MOST_SIGNATURES = 5
"""Signatures that are tried; those of the author's organisation come first."""
LONGEST_SIGNATURE = 8192
"""Octets of a DKIM-Signature field."""
SMALLEST_KEY, LARGEST_KEY = 1024, 4096
"""Bits of an RSA key (RFC 8301 section 3.2 asks for no more)."""
LARGEST_EXPONENT = 2**32
"""Everybody has 65537; a long one is a way to use up our time."""

_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")
_WIDE = re.compile(rb"\s{101}")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,126}")


@dataclass(frozen=True, slots=True)
class Content:
    """A message taken apart: fields as (name, value with its line ends) from the top, and the body with CRLF."""

    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """What became of one signature: result word (RFC 8601 section 2.7.1), why it did not pass, signing domain."""

    result: str
    why: str
    domain: str


class _LinearRelaxed(Relaxed):  # type: ignore[misc]  # dkimpy has no types
    """The relaxed algorithm (RFC 6376 section 3.4.4); dkimpy's own takes the square of a run of blanks."""

    @staticmethod
    def canonicalize_body(body: bytes) -> bytes:
        """Return what is hashed of a body."""
        body = body.replace(b"\t", b" ")
        while b"  " in body:  # halves every run: for the longest that fits into a message 23 times
            body = body.replace(b"  ", b" ")
        canonical: bytes = correct_empty_body(strip_trailing_lines(body.replace(b" \r\n", b"\r\n")))
        return canonical


ALGORITHMS[b"relaxed"] = _LinearRelaxed


def split(raw: bytes, *, most_fields: int, header_bytes: int) -> Content | None:
    """Take a message apart as signers see it; None where its header is no list of fields, or too long.

    A line end that only some programs take for one would let others read another message than the signer wrote.
    """
    end = min((place for place in (raw.find(b"\n\r\n"), raw.find(b"\n\n")) if place >= 0), default=len(raw))
    header, body = raw[: end + 1], raw[end + 1 :].removeprefix(b"\r").removeprefix(b"\n")
    if len(header) > header_bytes or header.count(b"\r") != header.count(b"\r\n"):
        return None
    fields: list[tuple[bytes, list[bytes]]] = []
    lines = header.removesuffix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"\n").split(b"\n")
    for line in lines[1:] if lines[0].startswith(b"From ") else lines:
        if line[:1] in {b" ", b"\t"} and fields:
            fields[-1][1].append(line)
        elif (field := _FIELD.match(line)) and len(fields) < most_fields:
            fields.append((line[: field.end() - 1], [line[field.end() :]]))
        else:
            return None
    return Content(
        fields=tuple((name, b"".join(line + b"\r\n" for line in value)) for name, value in fields),
        body=body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    )


def check(content: Content, questions: Questions, *, own: Callable[[str], bool]) -> Iterator[Signature]:
    """Try the signatures of a message, at most `MOST_SIGNATURES`, first those whose domain is `own`. Never fails."""
    message = dkim.DKIM(minkey=SMALLEST_KEY)
    message.headers, message.body = [list(field) for field in content.fields], content.body
    values = [value for name, value in content.fields if name.lower() == b"dkim-signature"]
    tried = sorted(
        ((_tags(value), index) for index, value in enumerate(values)),
        key=lambda entry: not own(_domain(entry[0])),
    )
    for tags, index in tried[:MOST_SIGNATURES]:
        yield _verify(message, index, tags, questions)


def _tags(value: bytes) -> dict[bytes, bytes]:
    """Return the tags of a signature, none where it is one that cannot be checked in reasonable time."""
    if len(value) > LONGEST_SIGNATURE or _WIDE.search(value):
        return {}
    try:
        tags: dict[bytes, bytes] = parse_tag_value(value)
    except InvalidTagValueList:
        return {}
    return tags


def _domain(tags: dict[bytes, bytes]) -> str:
    name = tags.get(b"d", b"").decode("ascii", "replace").lower()
    return name if _NAME.fullmatch(name) else ""


class _RefusedError(Exception):
    """A signature that does not pass: its result and the reason."""

    def __init__(self, result: str, why: str) -> None:
        """Keep both for the `Signature`."""
        super().__init__(result, why)
        self.result = result
        self.why = why


def _verify(message: dkim.DKIM, index: int, tags: dict[bytes, bytes], questions: Questions) -> Signature:
    domain = _domain(tags)
    try:
        key = _key(tags, domain, questions)
        _refuse(message, tags, key)
        _compare(message, index, key)
    except _RefusedError as refusal:
        return Signature(refusal.result, refusal.why, domain)
    except Exception as error:  # noqa: BLE001 -- whatever a hostile signature or key brings about
        return Signature("permerror", type(error).__name__, domain)
    return Signature("pass", "", domain)


def _key(tags: dict[bytes, bytes], domain: str, questions: Questions) -> bytes:
    """Return the one key record that the signature names."""
    selector = tags.get(b"s", b"").decode("ascii", "replace").lower()
    if not domain or not selector:
        raise _RefusedError("neutral", "it makes no sense or is too long")
    try:
        keys = questions.texts(f"{selector}._domainkey.{domain}")
    except UnansweredError as error:
        raise _RefusedError("temperror", str(error)) from None
    if len(keys) != 1:
        raise _RefusedError("permerror", f"{len(keys)} keys")
    return keys[0]


def _refuse(message: dkim.DKIM, tags: dict[bytes, bytes], key: bytes) -> None:
    """Raise where a signature counts for nothing, whatever its value."""
    if b"from" not in _items(tags, b"h", b""):
        raise _RefusedError("permerror", "it does not sign From")  # RFC 6376 section 6.1.1
    if tags.get(b"a") == b"rsa-sha1":
        raise _RefusedError("policy", "it uses SHA-1")  # RFC 8301 section 3.1
    public, bits, kind, _ = dkim.evaluate_pk("", key)
    if kind == b"rsa" and not SMALLEST_KEY <= bits <= LARGEST_KEY:
        raise _RefusedError("policy", f"its key has {bits} bits")  # RFC 8301 section 3.2
    if kind == b"rsa" and public["publicExponent"] > LARGEST_EXPONENT:
        raise _RefusedError("policy", "the exponent of its key is too large")
    allowed = parse_tag_value(key)  # section 3.6.1
    if not {b"*", b"email"} & _items(allowed, b"s", b"*"):
        raise _RefusedError("permerror", "its key is not for mail")  # dkimpy overlooks it
    if b"sha256" not in _items(allowed, b"h", b"sha256"):
        raise _RefusedError("permerror", "its key is for another hash")
    if b"s" in _items(allowed, b"t", b"") and _behind_at(tags) != tags[b"d"].lower():
        raise _RefusedError("policy", "its key is for no subdomain")
    if b"l" in tags:
        whole = CanonicalizationPolicy.from_c_value(tags.get(b"c")).canonicalize_body(message.body)
        if int(tags[b"l"]) != len(whole):
            # Whoever forwards such a message may put below it what they like (RFC 6376 section 8.2).
            raise _RefusedError("policy", "it signs a part of the body only")


def _items(tags: dict[bytes, bytes], name: bytes, default: bytes) -> set[bytes]:
    """Return the values of a list with colons, in lower case."""
    return {item.strip().lower() for item in tags.get(name, default).split(b":")}


def _behind_at(tags: dict[bytes, bytes]) -> bytes:
    """Return the domain of the identity that signs."""
    return tags.get(b"i", b"@" + tags[b"d"]).rpartition(b"@")[2].lower()


def _compare(message: dkim.DKIM, index: int, key: bytes) -> None:
    """Raise where the signature is another message's, or does not hold any more."""
    message.verify_headerprep(index)
    try:
        passed = message.verify(idx=index, dnsfunc=lambda _name, timeout: key)  # noqa: ARG005 -- dkimpy's
    except dkim.ValidationError:
        raise _RefusedError("fail", "the body is another one") from None
    if not passed:
        raise _RefusedError("fail", "the header is another one")
