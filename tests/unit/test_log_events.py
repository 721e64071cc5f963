"""Log events are an interface: docs/logs.md names each of them, with its values, and nothing else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
ROW = re.compile(r"\| `([a-z-]+)` \| ([a-z, ]+) \|([^|]*)\| [^|]+ \|")


def is_level(node: ast.AST) -> bool:
    """Tell whether a node is `log.info` or the like."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in LEVELS
        and isinstance(node.value, ast.Name)
        and node.value.id == "log"
    )


def speakers(tree: ast.Module) -> set[str]:
    """Name the functions and variables of a module that stand for log methods."""
    names = set()
    for node in ast.walk(tree):
        if not any(is_level(part) for part in ast.walk(node)):
            continue
        if isinstance(node, ast.FunctionDef) and any(argument.arg == "event" for argument in node.args.args):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def logged() -> Iterator[tuple[str, set[str]]]:
    """Yield each event of the program with the names of the values that one call gives."""
    for path in (ROOT / "abuse_triage").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        known = speakers(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (
                is_level(node.func) or (isinstance(node.func, ast.Name) and node.func.id in known)
            ):
                event = node.args[0]
                if isinstance(event, ast.Name) and event.id == "event":  # inside a function that passes it on
                    continue
                names = [part.value for part in ast.walk(event) if isinstance(part, ast.Constant)]
                names = [name for name in names if isinstance(name, str)]
                assert names, f"{path}:{node.lineno}: the name of an event must stand where it is logged"
                for name in names:
                    yield name, {keyword.arg for keyword in node.keywords if keyword.arg}


def documented() -> dict[str, set[str]]:
    """Return each event of docs/logs.md with its values."""
    text = (ROOT / "docs" / "logs.md").read_text("utf-8")
    return {match[1]: set(re.findall(r"`([a-z_]+)`", match[3])) for match in ROW.finditer(text)}


def test_every_event_is_documented() -> None:
    """Each event that the program logs has its line in docs/logs.md, and each line its event."""
    assert {name for name, _ in logged()} | {"library"} == set(documented())


def test_every_value_is_documented() -> None:
    """The values that an event carries stand in its line."""
    lines = documented()

    assert [] == [(name, value) for name, values in logged() for value in values - lines[name]]


def test_names_are_words_with_hyphens() -> None:
    """Event names are easy to search for: small letters and hyphens."""
    assert [] == [name for name, _ in logged() if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)]
