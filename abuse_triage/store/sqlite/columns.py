"""Values as columns hold them: times, texts that any engine can keep, and verdicts as JSON."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from abuse_triage.model.decision import Verdict
from abuse_triage.model.message import Channel, Envelope

VERDICT_SCHEMA = 1
"""Version of the JSON shape of a stored `Verdict`; raised with every change that old rows do not follow."""

_VERDICT = TypeAdapter(Verdict)

Value = str | int | bytes | None
"""What a column holds."""

# One escape of a JSON string at a time, so that the "\u0000" inside of "\\u0000" is not taken for one: a pair of
# surrogates, what may not stay (group 1), or any other escape.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))|.)",
    re.DOTALL,
)


def clean(text: str) -> str:
    """Return a text with U+FFFD for every NUL and lone surrogate; two surrogates that are a pair become one character.

    SQLite keeps a NUL but its tools stop there, PostgreSQL refuses it, and neither takes a surrogate.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(text: str) -> str:
    """Do the same for a JSON document, where both may also stand as escapes; linear in its length."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda escape: r"\ufffd" if escape[1] else escape[0], text)
    return clean(text)


def columns(values: Iterable[Value]) -> list[Value]:
    """Return what may be bound to a statement; every value that is stored goes through here."""
    # What most values are is said in this line, because it runs two hundred times for each message.
    return [
        clean(value) if isinstance(value, str) and ("\0" in value or not value.isascii()) else value for value in values
    ]


def moment(at: datetime) -> str:
    """Write an aware time as UTC text of fixed width, so that the order of the texts is the order of the times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    """Read what `moment` wrote."""
    return datetime.fromisoformat(text)


def verdict_json(verdict: Verdict | None) -> str | None:
    """Write a verdict as JSON, None for none."""
    if verdict is None:
        return None
    try:
        text = _VERDICT.dump_json(verdict).decode()
    except PydanticSerializationError:
        # A lone surrogate, which UTF-8 cannot say; the standard library writes it as an escape.
        text = json.dumps(_VERDICT.dump_python(verdict))
    return clean_json(text)


def verdict_of(text: str | None) -> Verdict | None:
    """Read what `verdict_json` wrote; fields that a newer version added are passed over."""
    return None if text is None else _VERDICT.validate_json(text)


def envelope(columns: Sequence[Any]) -> Envelope:
    """Return the envelope that columns hold: sender, recipients, channel, peer, helo, tls, details (as JSON)."""
    sender, recipients, channel, peer, helo, tls, details = columns
    return Envelope(
        sender=sender,
        recipients=tuple(json.loads(recipients)),
        channel=Channel(channel),
        peer=peer,
        helo=helo,
        tls=bool(tls),
        details=tuple(json.loads(details)),
    )
