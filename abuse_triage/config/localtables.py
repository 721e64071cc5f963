"""Tables that the operator keeps as CSV files: read whole or not at all, with every wrong line named at once."""

import csv
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from abuse_triage.errors import ConfigError

MOST_ROWS = 1_000_000
"""Lines of one table."""
LARGEST = 256_000_000
"""Bytes of one file."""
_MOST_PROBLEMS = 100

T = TypeVar("T")


def read_table(
    path: Path, key: str, columns: Sequence[str], row: Callable[[Sequence[str]], T], identity: Callable[[T], str]
) -> list[T]:
    """Read a table of at most a million lines: UTF-8, with or without a byte order mark, and a line of column names.

    Fields stand between commas, or semicolons where the line of names has those, as spreadsheets write them where the
    comma is for decimals; blanks around and within them are one each. Empty lines do not count.

    Args:
        path: the file.
        key: the setting that names it, for problems with the whole file.
        columns: the names of all columns, in order.
        row: makes a value of the fields of a line; raises `ValueError` that says what is wrong.
        identity: what no two lines may have in common.

    Raises:
        ConfigError: with the first 100 problems, as `file:line: problem`.
    """
    found: list[T] = []
    seen: dict[str, int] = {}
    problems: list[str] = []
    try:
        with _opened(path) as file:
            for number, fields in _lines(file, columns):
                if len(found) == MOST_ROWS:
                    problems.append(f"{path}: {key}: has more than {MOST_ROWS} lines")
                    break
                try:
                    value = row(_complete(fields, columns))
                    if (first := seen.setdefault(identity(value), number)) != number:
                        raise ValueError(f"is about the same as line {first}")  # noqa: TRY301 -- a problem like others
                    found.append(value)
                except ValueError as error:
                    problems.append(f"{path}:{number}: {error}")
                if len(problems) == _MOST_PROBLEMS:
                    problems.append(f"{path}: {key}: what is behind line {number} was not read")
                    break
    except OSError as error:
        raise ConfigError((f"{path}: {key}: cannot be read: {error.strerror}",)) from error
    except _FormError as error:
        problems.append(f"{path}{error}")
    if problems:
        raise ConfigError(tuple(problems))
    return found


def _complete(fields: Sequence[str], columns: Sequence[str]) -> Sequence[str]:
    if len(fields) != len(columns):
        raise ValueError(f"has {len(fields)} fields in place of {len(columns)}")
    return fields


class _FormError(Exception):
    """The file, or what is left of it, cannot be taken apart; `:line: problem`."""


def _opened(path: Path) -> TextIO:
    """Open a file that is one and not too large; what is not UTF-8 becomes characters that are not printable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    problem = "is not a file" if not stat.S_ISREG(status.st_mode) else ""
    if status.st_size > LARGEST:
        problem = f"is larger than {LARGEST // 1_000_000} MB"
    if problem:
        os.close(descriptor)
        raise _FormError(f": {problem}")
    return os.fdopen(descriptor, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _lines(file: TextIO, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each line that is not empty, with its number; raises `_FormError`."""
    names = file.readline(1000)
    separator = ";" if ";" in names else ","
    if [name.strip().strip('"').lower() for name in names.split(separator)] != list(columns):
        raise _FormError(f":1: should name the columns: {','.join(columns)}")
    lines = csv.reader(file, delimiter=separator, strict=True)
    try:
        for line in lines:
            fields = [" ".join(field.split()) for field in line]
            if any(fields):
                yield lines.line_num + 1, fields
    except csv.Error as error:
        raise _FormError(f":{lines.line_num + 1}: is not CSV: {error}") from error
