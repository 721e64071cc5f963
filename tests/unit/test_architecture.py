"""ARCHITECTURE.md names every module, with the first sentence of its docstring."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "abuse_triage"
ROW = re.compile(r"^\| `([a-z_0-9/]+\.py)` \| (.*) \|$", re.MULTILINE)


def sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return re.split(r"(?<=[.!?])\s", " ".join(docstring.split()), maxsplit=1)[0].replace("|", r"\|")


def modules() -> dict[str, str]:
    """Return every module with its sentence, folder by folder, the top one first; what only marks a folder is none."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or _has_code(path)]
    paths.sort(key=lambda path: (path.parent != PACKAGE, path.parent, path.name))
    return {path.relative_to(PACKAGE).as_posix(): sentence(path) for path in paths}


def _has_code(path: Path) -> bool:
    return len(ast.parse(path.read_text("utf-8")).body) > 1


def table(wanted: dict[str, str]) -> str:
    """Write the section: one table for each folder."""
    lines: list[str] = ["## Modules"]
    folder = None
    for name, what in wanted.items():
        if name.rpartition("/")[0] != folder:
            folder = name.rpartition("/")[0]
            lines += ["", f"| {f'`{folder}/`' if folder else '`abuse_triage/`'} | |", "| --- | --- |"]
        lines.append(f"| `{name}` | {what} |")
    return "\n".join(lines)


def test_every_module_stands_in_the_architecture_as_it_describes_itself() -> None:
    """None is missing, none is made up, and each has the sentence of its docstring."""
    wanted = modules()
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    section = text.partition("\n## Modules\n")[2].partition("\n## ")[0]
    assert wanted == dict(ROW.findall(section)), f"ARCHITECTURE.md should say:\n\n{table(wanted)}\n"


def test_every_module_says_what_it_is() -> None:
    """Each docstring begins with a sentence that fits into a line of the table."""
    assert [] == [name for name, what in modules().items() if not what.endswith(".") or len(what) > 160]
