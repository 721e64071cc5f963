"""Logs: what a line looks like where, and that nobody can forge one."""

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage import logs
from abuse_triage.model.settings import LogSettings

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import structlog
from abuse_triage import logs
from abuse_triage.model.settings import LogSettings
logs.setup(LogSettings({settings}))
log = structlog.get_logger()
log.info("accepted", id="01h", size=5)
log.error("store-failed", error="a\\nb")
"""


@pytest.fixture(autouse=True)
def own_configuration() -> Iterator[None]:
    """Each test configures logs for itself and leaves none behind."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def entries(output: io.BytesIO) -> list[dict[str, Any]]:
    """Parse what was written: one JSON object a line."""
    return [json.loads(line) for line in output.getvalue().decode("utf-8").splitlines()]


def logged(settings: LogSettings | None = None) -> io.BytesIO:
    """Set logs up for a stream and return it."""
    output = io.BytesIO()
    logs.setup(settings or LogSettings(), output=output)
    return output


def run(settings: str = "", stderr: Any = subprocess.PIPE, **environment: str) -> str:
    """Run a small program that logs, with standard error as given; returns what a pipe got."""
    clean = {name: value for name, value in os.environ.items() if name not in {"JOURNAL_STREAM", "NO_COLOR", "TERM"}}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(settings=settings)],
        cwd=ROOT,
        env={**clean, **environment},
        stderr=stderr,
        check=True,
    )
    return (done.stderr or b"").decode("utf-8")


def on_a_terminal(**environment: str) -> str:
    """Run the small program with a real terminal as standard error; returns what the terminal got."""
    master, slave = pty.openpty()
    run("", slave, **environment)
    os.close(slave)
    got = b""
    try:
        while chunk := os.read(master, 65536):
            got += chunk
    except OSError:  # Linux says EIO at the end
        pass
    os.close(master)
    return got.decode("utf-8")


def test_a_line_is_one_json_object_with_time_level_and_event_first() -> None:
    """Machines get one object a line: timestamp in UTC, level, event, then the values."""
    output = logged()

    structlog.get_logger().warning("reading-failed", id="01h", attempt=2, error=None)

    (entry,) = entries(output)
    assert ["timestamp", "level", "event", "id", "attempt", "error"] == list(entry)
    assert ("warning", "reading-failed", "01h", 2, None) == tuple(entry.values())[1:]
    stamp = datetime.fromisoformat(entry["timestamp"])
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["timestamp"])


def test_bound_context_is_on_every_line() -> None:
    """What a process binds once, such as its role, stands in each of its lines."""
    output = logged()
    structlog.contextvars.bind_contextvars(role="triage")

    structlog.get_logger().info("finished")

    assert "triage" == entries(output)[0]["role"]


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_levels_below_the_configured_one_are_dropped(level: str) -> None:
    """The level in the configuration is the least that is written."""
    output = logged(LogSettings.model_validate({"level": level}))
    order = ["debug", "info", "warning", "error", "critical"]

    for name in order:
        getattr(structlog.get_logger(), name)("x")

    assert order[order.index(level) :] == [entry["level"] for entry in entries(output)]


@given(st.text(), st.text())
def test_nothing_that_steers_a_terminal_gets_through(event: str, value: str) -> None:
    """Whatever a value holds, the line has printable characters only and decodes to an object with that value."""
    output = logged()

    structlog.get_logger().info(event, value=value)

    line = output.getvalue().decode("utf-8")
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert logs.escape(value[:1000]) == json.loads(line)["value"].removesuffix("…" if len(value) > 1000 else "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("João, ação, 日本", "João, ação, 日本"),
        ("a\r\nb\x1b[31m\x00", "a\\r\\nb\\x1b[31m\\x00"),
        ("\u202etxt.exe\u2066", "\\u202etxt.exe\\u2066"),
        ("no\u00a0break", "no break"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_escape_shows_what_is_not_printable(text: str, expected: str) -> None:
    """Control, format and direction characters and surrogates become visible; letters of any script stay."""
    assert expected == logs.escape(text)


def test_values_are_cut() -> None:
    """Texts end at 1,000 characters, lists at 50 items."""
    output = logged()

    structlog.get_logger().info("x", long="a" * 1001, exact="b" * 1000, many=list(range(100)))

    (entry,) = entries(output)
    assert "a" * 1000 + "…" == entry["long"]
    assert "b" * 1000 == entry["exact"]
    assert list(range(50)) == entry["many"]


def test_values_of_any_type_are_shown() -> None:
    """Paths, mappings, odd numbers and whatever else become JSON that every parser reads."""
    output = logged()

    structlog.get_logger().info("x", path=Path("/a"), table={"a\n": 1}, number=float("nan"), real=1.5, flag=True)

    (entry,) = entries(output)
    assert ["/a", ["a\\n=1"], "nan", 1.5, True] == list(entry.values())[3:]


def fail_twice(words: str) -> None:
    """Raise an error that another one caused, each with words from a message."""
    try:
        {}[words]
    except KeyError as error:
        raise ValueError(f"{words}!\n{words}") from error


def test_a_traceback_says_where_and_keeps_the_words_back() -> None:
    """Above debug, an exception shows files, lines and classes, cause first; its words may quote a message."""
    output = logged()
    try:
        fail_twice("secret".upper())
    except ValueError:
        structlog.get_logger().exception("store-failed")

    (entry,) = entries(output)
    assert "error" == entry["level"]
    assert re.search(r"test_logs\.py.*\nKeyError\n.*test_logs\.py.*\nValueError$", entry["exception"], re.DOTALL)
    assert "SECRET" not in entry["exception"]


def test_at_debug_level_a_traceback_has_its_words() -> None:
    """Whoever sets the level to debug accepts to see what messages say."""
    output = logged(LogSettings(level="debug"))
    try:
        fail_twice("secret".upper())
    except ValueError as error:
        structlog.get_logger().error("store-failed", exc_info=error)

    assert "KeyError: 'SECRET'" in entries(output)[0]["exception"]
    assert "ValueError: SECRET!" in entries(output)[0]["exception"]


def test_no_exception_is_no_traceback() -> None:
    """Asking for a traceback where there is none does no harm."""
    output = logged()

    structlog.get_logger().error("x", exc_info=True)

    assert not entries(output)[0]["exception"]


def test_third_party_warnings_become_events() -> None:
    """What libraries log at warning and above, and Python's own warnings, are events "library"."""
    output = logged()

    logging.getLogger("some.library").info("not this")
    logging.getLogger("some.library").warning("odd %s", "line\n")
    logging.getLogger("some.library").error("%d", "no number")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", stacklevel=1)

    first, second, third = entries(output)
    assert ("library", "warning", "some.library", "odd line\\n") == tuple(
        first[name] for name in ("event", "level", "package", "message")
    )
    assert ("error", "%d") == (second["level"], second["message"])
    assert "old thing" in third["message"]


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """A full disk or a closed stream loses the line, not the daemon."""
    output = logged()
    output.close()

    structlog.get_logger().error("x")
    with Path("/dev/full").open("wb", buffering=0) as full:
        logs.setup(LogSettings(), output=full)
        structlog.get_logger().error("x")


def test_a_pipe_gets_json_without_prefix() -> None:
    """Where standard error is neither a terminal nor the journal, each line is an object and nothing else."""
    lines = run().splitlines()

    assert ["accepted", "store-failed"] == [json.loads(line)["event"] for line in lines]


def test_console_form_can_be_asked_for() -> None:
    """With format = "console" even a pipe gets lines for people, without colours."""
    lines = run('format="console"').splitlines()

    assert ["accepted", "store-failed"] == [line.split("]", 1)[1].split()[0] for line in lines]
    assert "\x1b" not in "".join(lines)


def test_under_systemd_every_line_begins_with_its_priority(tmp_path: Path) -> None:
    """JOURNAL_STREAM that names standard error's own stream turns prefixes on (systemd.exec(5), sd-daemon(3))."""
    path = tmp_path / "journal"
    with path.open("wb") as stream:
        status = os.fstat(stream.fileno())
        run("", stream, JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}")
    assert ["<6>{", "<3>{"] == [line[:4] for line in path.read_text("utf-8").splitlines()]


def test_a_foreign_journal_stream_adds_nothing(tmp_path: Path) -> None:
    """A redirected standard error under systemd is not the journal's stream."""
    path = tmp_path / "file"
    with path.open("wb") as stream:
        run("", stream, JOURNAL_STREAM="1:2")
    assert ["{", "{"] == [line[:1] for line in path.read_text("utf-8").splitlines()]


def test_in_the_journal_a_console_traceback_has_prefixes_on_all_lines(tmp_path: Path) -> None:
    """Even the lines of a traceback carry their priority."""
    output = io.BytesIO()
    written = logs._Output(output, prefix=True)

    written.error("a\nb")

    assert b"<3>a\n<3>b\n" == output.getvalue()


def test_a_terminal_gets_lines_for_people() -> None:
    """On a terminal the console form is used, in colour."""
    got = on_a_terminal(TERM="xterm")

    assert "accepted" in got
    assert "{" not in got
    assert "\x1b[" in got
    assert "a\\nb" in got


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}])
def test_no_color_is_heeded(environment: dict[str, str]) -> None:
    """NO_COLOR (no-color.org) and dumb terminals get no colours."""
    assert "\x1b" not in on_a_terminal(**environment)
