"""The texts of a mail, each with the place where it stood, and a hash of what the mail says."""

from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256

from abuse_triage.model.message import Header, Mail, Part, Place
from abuse_triage.model.report import Indicator, Kind
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.quoting import split

_DEFAULT_LIMITS = LimitSettings()
_TOLD = frozenset(["from", "sender", "reply-to", "return-path", "subject", "x-originating-ip"])
"""Fields of an embedded message that say where it came from or led to."""


def texts(mail: Mail, limits: LimitSettings = _DEFAULT_LIMITS) -> tuple[tuple[Place, str], ...]:
    """Return the texts in which indicators are looked for, at most `limits.text` characters in all.

    The subject first, then the parts in order: own text, quoted text, attachments, embedded messages with the fields
    that say where they came from. Signatures are left out. Of HTML beside a plain text only the link targets are added.
    """
    kept: list[tuple[Place, str]] = []
    room = limits.text
    for place, text in _texts(mail):
        if text and room > 0:
            kept.append((place, text[:room]))
            room -= len(text)
    return tuple(kept)


def _texts(mail: Mail) -> Iterator[tuple[Place, str]]:
    yield Place.HEADER, mail.subject
    for part in mail.parts:
        if part.headers:
            yield Place.FORWARDED, "\n".join(_origin(part.headers))
        if part.text and not part.twin:
            if part.place is Place.BODY:
                written = split(part.text)
                yield Place.BODY, written.new
                yield Place.QUOTED, written.quoted
            else:
                yield part.place, part.text
        if part.hrefs:
            yield part.place, "\n".join(part.hrefs)


def _origin(headers: tuple[Header, ...]) -> Iterator[str]:
    for header in headers:
        if header.name in _TOLD:
            yield header.value
        elif header.name == "received":
            # Who handed it over; what follows is who took it, which is seldom the point.
            yield header.value.partition(" by ")[0]


def all_text(mail: Mail, limits: LimitSettings) -> str:
    """Return all readable text in the order of the parts, at most `limits.text` characters; signatures included."""
    found = [part.text for part in mail.parts if part.text and not part.twin]
    return "\n\n".join(found)[: limits.text]


def new_text(mail: Mail, limits: LimitSettings) -> str:
    """Return what the sender wrote, without quoted lines and the signature, at most `limits.text` characters."""
    own = [split(part.text).new for part in mail.parts if part.text and part.place is Place.BODY and not part.twin]
    return "\n\n".join(text for text in own if text)[: limits.text]


def fingerprint(mail: Mail, raw_digest: str) -> str:
    """Return a hash (SHA-256, hexadecimal) of what a mail says: equal for the same content sent twice.

    Subject, texts, link targets, attachments and the fields of embedded messages count; the mail's other fields, white
    space and line ends do not. Where something was cut, whole parts count as they are, so that mails which differ
    behind the limit stay different. Where there is nothing to hash, `raw_digest` is: hexadecimal, of the raw message.
    """
    pieces = [_squeeze(mail.subject)]
    for part in mail.parts:
        pieces.extend(_said(part))
        if mail.limits:
            pieces.append(part.sha256)
    if not any(pieces):
        pieces = ["raw", raw_digest]
    digest = sha256()
    for piece in pieces:
        data = piece.encode("utf-8", "replace")
        # Lengths keep "ab" + "c" and "a" + "bc" apart.
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def _said(part: Part) -> Iterator[str]:
    if part.headers:
        yield "\n".join(f"{header.name}: {header.value}" for header in part.headers)
    elif part.text is None and part.size:
        yield part.sha256
    if part.text is not None:
        yield _squeeze(part.text)
    yield from part.hrefs


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def points(indicators: Iterable[Indicator], domains: Collection[str]) -> bool:
    """Tell whether a message names something in its text that is none of these registrable domains, nor below one."""
    return any(
        indicator.kind is not Kind.EMAIL
        and indicator.places != (Place.HEADER,)
        and not (indicator.registrable and indicator.registrable in domains)
        for indicator in indicators
    )
