"""What commands print: data on standard output, for a person or as one JSON document, and talk on standard error.

Much of it was written by strangers: nothing that is not printable reaches the terminal.
"""

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

from abuse_triage.logs import escape


def safe(text: str) -> str:
    """Make a stranger's text safe for a terminal: one line, no control or format characters."""
    return escape(text)


def show(text: str = "") -> None:
    """Print one line of data."""
    click.echo(safe(text))


def say(text: str) -> None:
    """Print talk on standard error; it may have several lines."""
    for line in text.split("\n"):
        click.echo(safe(line), err=True)


def document(value: object) -> None:
    """Print a value as one JSON document with sorted keys; times are UTC, bytes are not data."""
    text = json.dumps(value, default=_plain, ensure_ascii=False, sort_keys=True, indent=2)
    click.echo(
        "".join(character if character.isprintable() or character == "\n" else _json(character) for character in text)
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: as a table on a terminal, as aligned columns elsewhere; nothing where there are none."""
    lines = [[safe(cell) for cell in row] for row in rows]
    if not lines:
        return
    if sys.stdout.isatty():
        _rich_table(headers, lines)
        return
    widths = [max(map(len, column)) for column in zip(headers, *lines, strict=True)]
    for line in (headers, *lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def fields(pairs: Iterable[tuple[str, str]], *, indent: int = 0) -> None:
    """Print names and values below each other, values aligned; pairs without a value are left out."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        show(f"{' ' * indent}{name.ljust(width)}  {value}")


def moment(at: datetime | None, zone: str) -> str:
    """Write a time in a zone (an IANA name), to the minute; "-" for none."""
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") if at else "-"


def age(at: datetime | None, now: datetime) -> str:
    """Write how long ago something was, in its largest unit; "-" for none."""
    if at is None:
        return "-"
    seconds = max(int((now - at).total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _rich_table(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 -- late: only on a terminal
    from rich.console import Console  # noqa: PLC0415 -- see above
    from rich.table import Table  # noqa: PLC0415 -- see above
    from rich.text import Text  # noqa: PLC0415 -- see above

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        shown.add_column(Text(header), overflow="fold")
    for line in lines:
        shown.add_row(*(Text(cell) for cell in line))  # Text: a stranger's [brackets] are no markup
    Console().print(shown)


def _plain(value: object) -> object:
    """Turn what JSON does not know into what it does."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def _json(character: str) -> str:
    """Escape a character for JSON (RFC 8259 section 7), beyond the BMP as a surrogate pair."""
    return json.dumps(character)[1:-1]
