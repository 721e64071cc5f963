"""Logs on standard error: for people on a terminal, one JSON object a line everywhere else.

Every event is named in docs/logs.md. What a value holds may come from a stranger: it is escaped and cut here, so that
no log line can be forged and no terminal is steered. `structlog` and the settings are imported late, because
commands that log nothing should not wait for them.
"""

import contextlib
import json
import logging
import math
import os
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from abuse_triage.model.settings import LogSettings

MAX_VALUE = 1000
"""Characters of one value; of a traceback the last 8,000 are kept."""
_MAX_TRACEBACK = 8000
_MAX_CAUSES = 5
_MAX_ITEMS = 50
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Priorities of sd-daemon(3), which are those of syslog (RFC 5424 section 6.2.1)."""
_LEVELS = logging.getLevelNamesMapping()

Values = MutableMapping[str, Any]


def setup(settings: "LogSettings", *, output: BinaryIO | None = None, lasting: bool = True) -> None:
    """Configure the logs of this process: `output` takes bytes, None stands for whatever is standard error then.

    With `format = "auto"` a terminal gets the console form. Under systemd each line begins with its priority in angle
    brackets (sd-daemon(3)). Warnings of third-party packages become events "library". What is not `lasting` can be
    configured anew: loggers look it up each time, which a daemon that writes much has no time for.
    """
    import structlog  # noqa: PLC0415 -- late: takes a tenth of a second

    on_terminal = output is None and sys.stderr is not None and sys.stderr.isatty()
    console = settings.format == "console" or (settings.format == "auto" and on_terminal)
    renderer: Callable[[Any, str, Values], str] = _json
    if console:
        colours = on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        renderer = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=24)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _entry(words=settings.level == "debug"), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level.upper()]),
        context_class=dict,
        logger_factory=lambda *_args: _Output(output, prefix=output is None and _to_journal()),
        cache_logger_on_first_use=lasting,
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


def escape(text: str) -> str:
    r"""Make a string safe to show: what is not printable becomes visible ("\x1b", "\n", "\u202e"), spaces stay."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _visible(character) for character in text)


def _visible(character: str) -> str:
    if unicodedata.category(character) == "Zs":  # a no-break space steers nothing
        return " "
    return character.encode("unicode_escape").decode("ascii")


def _entry(*, words: bool) -> Callable[[object, str, Values], Values]:
    """Return the processor that puts time, level and event first, and makes every value safe."""

    def entry(_logger: object, method: str, values: Values) -> Values:
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        entry: dict[str, Any] = {
            "timestamp": f"{_second(seconds)}.{nanoseconds // 1_000_000:03}Z",
            "level": method,
            "event": _safe(values.pop("event", "")),
        }
        failure = values.pop("exc_info", None)
        for name, value in values.items():
            entry[name] = _safe(value)
        if failure:
            entry["exception"] = _traceback(failure, words=words)
        return entry

    return entry


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _safe(value: object) -> object:
    if isinstance(value, str):
        return escape(value) if len(value) <= MAX_VALUE else escape(value[:MAX_VALUE]) + "…"
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return [_safe(item) for item in value[:_MAX_ITEMS]]
    if isinstance(value, Mapping):
        return [_safe(f"{name}={item}") for name, item in list(value.items())[:_MAX_ITEMS]]
    return _safe(str(value))


def _traceback(failure: object, *, words: bool) -> str:
    """Show where exceptions came from, first cause first; their words may quote a message, and are for debug only."""
    if isinstance(failure, tuple):
        failure = failure[1]
    error = failure if isinstance(failure, BaseException) else sys.exception()
    parts: list[str] = []
    while error is not None and len(parts) < _MAX_CAUSES:
        said = f": {error}" if words else ""
        parts.insert(0, "".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__ + said)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = "\n".join(parts)[-_MAX_TRACEBACK:].splitlines()
    return "\n".join(escape(line) for line in lines)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(_logger: object, _method: str, values: Values) -> str:
    return _encode(values)


def _to_journal() -> bool:
    """Tell whether standard error is the stream that systemd connected to the journal (systemd.exec(5))."""
    with contextlib.suppress(OSError, ValueError):
        status = os.fstat(2)
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False


class _Output:
    """Writes each line with one call; a log that cannot be written stops nothing."""

    def __init__(self, output: BinaryIO | None, *, prefix: bool) -> None:
        self._output = output
        self._prefixes = {level: f"<{number}>" if prefix else "" for level, number in _PRIORITIES.items()}

    def __getattr__(self, level: str) -> Callable[[str], None]:
        """Return the method that structlog calls for a level, made once."""
        prefix = self._prefixes[level]

        def write(line: str) -> None:
            if prefix:  # a traceback on the console form has line ends, and every line needs the prefix
                line = prefix + line.replace("\n", f"\n{prefix}")
            try:
                output = self._output or sys.stderr.buffer
                output.write(f"{line}\n".encode())
                output.flush()
            except (OSError, ValueError, AttributeError):  # disk full, pipe closed, or no standard error at all
                return

        setattr(self, level, write)
        return write


class _Bridge(logging.Handler):
    """Hands what third-party packages log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        import structlog  # noqa: PLC0415 -- see setup

        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        level = min(max(record.levelno // 10 * 10, logging.WARNING), logging.CRITICAL)
        structlog.get_logger().log(level, "library", package=record.name, message=message, exc_info=record.exc_info)
