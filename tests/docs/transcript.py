"""Examples in Markdown as things that can be run: marked blocks of commands with what they print, and marked files.

A block is marked by a comment on the line before its fence. `<!-- test: NAME -->` marks a transcript: lines that begin
with "$ " are commands (more lines begin with "> "), the lines below them are what they print. `<!-- file: PATH -->`
marks a file that the commands need. In what is printed, "…" stands for anything, alone on a line for any lines; dates,
times, ids and years of ticket numbers are compared by their shape, columns without regard to their width.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^<!-- (test|file): (\S+) -->\n```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHAPES = (
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d)?\b"), "TIME"),
    (re.compile(r"\b01[0-9a-hjkmnp-tv-z]{24}\b"), "ID"),
    (re.compile(r"#\d{4}-"), "#YEAR-"),
    (re.compile(r"(?<=\S) {2,}"), "  "),
    (re.compile(r"\back\.[a-z2-7]{24}\.[a-z2-7]{24}@"), "ack.ID@"),
)
_PORT = "127.0.0.1:8025"
_END = "\x1e"
_ROOM = {"COLUMNS": "200", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


@dataclass(frozen=True, slots=True)
class Command:
    """One command and the lines that it prints."""

    line: str
    printed: str


def transcripts(document: Path, name: str) -> list[Command]:
    """Return the commands of a document's transcripts of that name, in order; fails if there is none."""
    commands: list[Command] = []
    for kind, found, body in _BLOCK.findall(document.read_text("utf-8")):
        if (kind, found) != ("test", name):
            continue
        for chunk in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            first, *rest = chunk.splitlines()
            more = [line.removeprefix("> ") for line in rest if line.startswith("> ")]
            printed = [line for line in rest if not line.startswith("> ")]
            commands.append(Command("\n".join([first, *more]), "\n".join(printed).strip()))
    assert commands, f"{document.name} has no transcript {name}"
    return commands


def write_files(document: Path, folder: Path) -> None:
    """Write the files that a document shows into a folder."""
    for kind, path, body in _BLOCK.findall(document.read_text("utf-8")):
        if kind == "file":
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(body, "utf-8")


def names(document: Path) -> set[str]:
    """Return the names of a document's transcripts."""
    return {name for kind, name, _ in _BLOCK.findall(document.read_text("utf-8")) if kind == "test"}


def run(commands: list[Command], folder: Path, *, replace: dict[str, str] | None = None) -> list[str]:
    """Run commands one after the other in one shell; returns what each prints, both streams together.

    `replace` has texts of the document and what stands for them here; in what is returned the document's texts stand.
    """
    there = replace or {}
    between = f"\ncode=$?; printf '{_END}'; (exit $code)\n"  # so that "$?" is the command's, as at a prompt
    script = between.join(command.line for command in commands)
    for document_text, here in there.items():
        script = script.replace(document_text, here)
    done = subprocess.run(
        ("bash", "-c", script),
        cwd=folder,
        env={**os.environ, **_ROOM, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    printed = done.stdout.decode("utf-8", "replace")
    for document_text, here in there.items():
        printed = printed.replace(here, document_text) if here else printed
    outputs = printed.split(_END)
    return [*outputs, *[""] * (len(commands) - len(outputs))]


def compare(document: Path, command: Command, printed: str) -> None:
    """Fail where a command printed something else than the document says."""
    expected, got = _shaped(command.printed), _shaped(printed)
    assert _pattern(expected).fullmatch(got), f"{document.name}: $ {command.line}\n{expected}--- got ---\n{printed}"


def check(document: Path, name: str, folder: Path, *, replace: dict[str, str] | None = None) -> None:
    """Run a document's transcripts of that name and compare all that they print."""
    commands = transcripts(document, name)
    for command, printed in zip(commands, run(commands, folder, replace=replace), strict=True):
        compare(document, command, printed)


def at_port(port: int) -> dict[str, str]:
    """Let the daemon of a test stand for the one that the documents speak of."""
    return {_PORT: f"127.0.0.1:{port}"}


def _shaped(text: str) -> str:
    for shape, word in _SHAPES:
        text = shape.sub(word, text)
    return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())


def _pattern(expected: str) -> re.Pattern[str]:
    lines = (
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in expected.splitlines()
    )
    return re.compile("".join(lines))
