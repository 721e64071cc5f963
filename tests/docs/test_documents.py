"""What the documents say of the program is complete, and what they point at is there."""

import re
from pathlib import Path

import click
import pytest

from abuse_triage.cli.main import cli
from docs import reference

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name(document: Path) -> str:
    """Name a document by its place in the checkout."""
    return str(document.relative_to(ROOT))


def anchors(document: Path) -> set[str]:
    """Return what may stand behind "#" in a link to a document."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(group: click.Group, before: str) -> list[str]:
    """Return every command below a group as it is typed."""
    found = []
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        typed = f"{before} {word}"
        found += commands(command, typed) if isinstance(command, click.Group) else [typed]
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_inside_leads_somewhere(document: Path) -> None:
    """A link to a file or heading of the checkout has its target."""
    lost = []
    for target in LINK.findall(FENCED.sub("", document.read_text("utf-8"))):
        if ":" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert [] == lost


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=name)
def test_the_reference_is_what_the_code_says(document: Path) -> None:
    """Generated parts are up to date; `python tests/docs/reference.py` writes them."""
    assert reference.renewed(document.read_text("utf-8")) == document.read_text("utf-8")


def test_every_reference_has_a_place() -> None:
    """Each generated part stands in some document, and is not empty."""
    text = "\n".join(document.read_text("utf-8") for document in DOCUMENTS)
    assert set(reference.PARTS) == set(re.findall(r"<!-- begin: (\S+) -->\n[^<]*\|", text))


def test_every_document_is_linked_from_the_readme_or_another() -> None:
    """Nothing below docs/ can be missed by a reader who follows links."""
    linked = {
        (document.parent / target.partition("#")[0]).resolve()
        for document in DOCUMENTS
        for target in LINK.findall(document.read_text("utf-8"))
    }
    assert [] == [name(document) for document in (ROOT / "docs").glob("*.md") if document not in linked]


def test_every_command_is_documented() -> None:
    """Each command stands in the table of docs/handling.md as it is typed, and nothing else does."""
    table = (ROOT / "docs" / "handling.md").read_text("utf-8").partition("## All commands")[2]
    assert set(commands(cli, "abuse-triage")) == set(re.findall(r"`(abuse-triage [a-z -]+)`", table))


def test_no_key_or_fact_lacks_its_line() -> None:
    """Every row of the generated tables says something in its last column."""
    rows = [line for write in reference.PARTS.values() for line in write().splitlines() if line.startswith("| ")]
    assert [] == [row for row in rows if re.search(r"\| +\|$", row)]
