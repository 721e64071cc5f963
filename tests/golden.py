"""The golden messages of `tests/corpus`, each with its envelope and what is expected of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "corpus"
ANSWERED = b"<answered@example.pt>"
"""Stands in a mail for the Message-ID of the acknowledgement that it answers."""


@dataclass(frozen=True)
class Case:
    """One golden message."""

    name: str
    raw: bytes
    sender: str
    recipients: tuple[str, ...]
    answers: str
    expected: Mapping[str, Any]


def cases() -> list[Case]:
    """Read all of them, in the order of their numbers."""
    return [_case(path.parent) for path in sorted(FOLDER.glob("*/case.toml"))]


def _case(folder: Path) -> Case:
    described = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    envelope = described["envelope"]
    return Case(
        name=folder.name,
        raw=(folder / "mail.eml").read_bytes(),
        sender=envelope["sender"],
        recipients=tuple(envelope["recipients"]),
        answers=envelope.get("answers", ""),
        expected=described["expected"],
    )
