"""Header fields that are signed or encrypted together with the body, against those outside that anybody may change.

RFC 9788 and the draft before it ("protected-headers=v1", as Enigmail and early Thunderbird write it). What is inside
decides nothing: it is compared, and only an encrypted Subject takes the place of the one outside.
"""

from collections.abc import Iterable
from typing import NamedTuple

from abuse_triage.mail import headers
from abuse_triage.mail.addresses import addresses
from abuse_triage.mail.fields import Entity, Field
from abuse_triage.model.openpgp import Headers

_ADDRESSES = frozenset(["from", "to", "cc", "reply-to"])
_COMPARED = ("from", "to", "cc", "reply-to", "subject", "date", "message-id")
_ADDED_BY_SERVERS = frozenset(["date", "message-id"])
"""Fields that a submission server adds where they are missing (RFC 6409 section 8)."""
_OBSCURED = frozenset(
    [
        *("", "...", "…", "[...]", "[…]", "p≡p", "pep"),
        *("encrypted message", "encrypted email", "encrypted mail", "mensagem cifrada", "mensagem encriptada"),
    ]
)
"""What programs write outside in the place of an encrypted Subject, in lower case."""


class Protected(NamedTuple):
    """What protected fields say of those outside, and the Subject for reading, None where that outside stays."""

    headers: Headers
    subject: Field | None = None


UNPROTECTED = Protected(Headers.NONE)


def compare(outside: Entity, inside: Entity, *, encrypted: bool) -> Protected:
    """Compare the protected fields of a payload with those of its message.

    Addresses are compared without names, subjects without differences in white space and coding. Where the payload was
    encrypted, a field may be missing outside or stand there as the payload itself says (HP-Outer), and the Subject may
    be one of those that hide it; a From that differs never may.

    Args:
        outside: the message's own header.
        inside: the header of the signed or encrypted payload, the innermost one.
        encrypted: the payload was encrypted; for one that was only signed, nothing may differ.
    """
    params = headers.parameters(inside.first("content-type"))
    complete = params.get("hp", "").lower() in {"clear", "cipher"}
    if not complete and params.get("protected-headers", "").lower() != "v1":
        return UNPROTECTED
    told = _told(inside) if encrypted and complete else {}
    same = all(_matches(name, outside, inside, told, encrypted=encrypted, complete=complete) for name in _COMPARED)
    subject = next((field for field in inside.fields if field.name == "subject"), None)
    return Protected(Headers.MATCH if same else Headers.MISMATCH, subject if encrypted else None)


def _told(inside: Entity) -> dict[str, list[str]]:
    """Return the fields that the sender put outside, as HP-Outer names them (RFC 9788 section 2.2)."""
    fields: dict[str, list[str]] = {}
    for value in inside.values("hp-outer"):
        name, _, rest = value.partition(":")
        fields.setdefault(name.strip().lower(), []).append(rest.strip())
    return fields


def _matches(
    name: str, outside: Entity, inside: Entity, told: dict[str, list[str]], *, encrypted: bool, complete: bool
) -> bool:
    there, protected = outside.values(name), inside.values(name)
    if not protected:
        # RFC 9788 protects every field: one that came outside only was added by somebody.
        return not there or not complete or name in _ADDED_BY_SERVERS or _same(name, there, told.get(name, ()))
    if _same(name, there, protected):
        return True
    if not encrypted or name == "from":
        return False
    if not there or _same(name, there, told.get(name, ())):
        return True
    return name == "subject" and all(_subject(value).removeprefix("re: ") in _OBSCURED for value in there)


def _same(name: str, one: Iterable[str], other: Iterable[str]) -> bool:
    return _normal(name, one) == _normal(name, other)


def _normal(name: str, values: Iterable[str]) -> object:
    if name in _ADDRESSES:
        return {address.email or address.name for address in addresses(", ".join(values))}
    if name == "date":
        return [headers.date(value) or value for value in values]
    if name == "message-id":
        return [headers.message_ids(value) for value in values]
    return [_subject(value) for value in values]


def _subject(value: str) -> str:
    return " ".join(headers.decoded(value).lower().split())
