"""What commands print."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.cli import output
from abuse_triage.model.decision import Priority

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Thing:
    """A value as the store returns it."""

    name: str
    at: datetime
    parts: tuple[str, ...]
    priority: Priority


def test_a_document_is_sorted_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Values become one JSON document: keys sorted, times in UTC, enumerations as their values."""
    at = NOW.astimezone(timezone(timedelta(hours=1)))
    output.document([Thing("João", at, ("a",), Priority.P1), {"b": {2, 1}, "a": Path("/x")}])

    printed = capsys.readouterr().out
    assert [
        {"at": "2026-11-21T20:00:00Z", "name": "João", "parts": ["a"], "priority": "p1"},
        {"a": "/x", "b": [1, 2]},
    ] == json.loads(printed)
    assert printed.index('"at"') < printed.index('"name"')
    assert "João" in printed


def test_an_empty_list_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing found is [] for programs."""
    output.document([])

    assert "[]\n" == capsys.readouterr().out


@given(st.text())
def test_documents_keep_every_character_and_are_safe_to_look_at(text: str) -> None:
    """A document decodes to what went in, and holds nothing that steers a terminal."""
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.click, "echo", printed.append)
        output.document({"text": text})

    assert {"text": text} == json.loads(printed[0])
    assert printed[0].replace("\n", "").isprintable()
    assert 3 == len(printed[0].splitlines())


@given(st.text())
def test_safe_text_is_one_printable_line(text: str) -> None:
    """Whatever a stranger wrote, one printable line comes out."""
    assert output.safe(text).isprintable()


def test_a_table_is_aligned_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe, columns stand below their headers, and hostile cells are escaped."""
    output.table(("NUMBER", "SUMMARY"), [("1", "a\x1b[2Jb"), ("2000000", "[red]c[/red]")])

    assert ["NUMBER   SUMMARY", "1        a\\x1b[2Jb", "2000000  [red]c[/red]"] == capsys.readouterr().out.splitlines()


def test_an_empty_table_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """No rows, no headers: scripts that count lines count right."""
    output.table(("A",), [])

    assert "" == capsys.readouterr().out


def test_a_table_on_a_terminal_shows_hostile_cells_as_they_are() -> None:
    """On a terminal rich draws the table; markup and control characters of a stranger have no effect."""
    program = 'from abuse_triage.cli.output import table; table(("NUMBER", "SUMMARY"), [("1", "[red]a\\x1b[2Jb")])'
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=slave, check=True)
    os.close(slave)
    got = os.read(master, 65536).decode("utf-8")
    os.close(master)

    assert "[red]a\\x1b[2Jb" in got
    assert "\x1b[2J" not in got
    assert "NUMBER" in got


def test_fields_are_aligned_and_empty_ones_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and values stand below each other."""
    output.fields([("id", "1"), ("nothing", ""), ("state", "new\n")], indent=2)

    assert "  id     1\n  state  new\\n\n" == capsys.readouterr().out


def test_talk_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Talk may have several lines, each escaped."""
    output.say("a\nb\x1b")

    captured = capsys.readouterr()
    assert ("", "a\nb\\x1b\n") == (captured.out, captured.err)


def test_moments_are_shown_in_the_zone() -> None:
    """Times for people are in the team's zone, to the minute."""
    assert "2026-07-01 13:00" == output.moment(datetime(2026, 7, 1, 12, 0, tzinfo=UTC), "Europe/Lisbon")
    assert "-" == output.moment(None, "UTC")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86400, "1d"), (-5, "0s")]
)
def test_ages_have_one_unit(seconds: int, expected: str) -> None:
    """An age is a number and its largest unit; clocks that disagree show 0."""
    assert expected == output.age(NOW - timedelta(seconds=seconds), NOW)
    assert "-" == output.age(None, NOW)
