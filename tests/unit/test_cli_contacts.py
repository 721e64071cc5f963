"""`contacts`: the directory is listed, changed, taken in from files and written to them."""

import json
from pathlib import Path

import pytest
from csirt import Csirt, install

from abuse_triage.cli.context import operator

CCTLD = ("contacts", "add", "Incidentes@Registo.example.pt", "--kind", "cctld", "--organisation", "Registo Exemplo")
FILE = """\
E-mail;Kind;Organisation;Country;Telephone
incidentes@registo.example.pt;cctld;Registo Exemplo;PT;+351 000 000 000
cert@example.org;national-csirt;CERT Example;BR;
policia@example.pt;law-enforcement;Polícia Exemplo;PT;
"""


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """An installation with an empty directory."""
    return install(tmp_path)


def written(csirt: Csirt, text: str | bytes, name: str = "contacts.csv") -> str:
    """Write a file beside the installation and return its name."""
    path = csirt.folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def addresses(csirt: Csirt, *arguments: str) -> list[str]:
    """List the directory and return its addresses."""
    return [entry["email"] for entry in csirt.json("contacts", "list", *arguments)]


def test_a_contact_is_added_shown_changed_and_removed(csirt: Csirt) -> None:
    """What was typed is kept in its one form, with who typed it; what is changed alone changes."""
    added = csirt.run(*CCTLD, "--country", "pt", "--cctld", ".PT", "--emergency-telephone", "+351 000", "--note", "x")
    assert "Added: incidentes@registo.example.pt" in added.stderr
    assert "contacts-changed" in added.stderr

    shown = csirt.run("contacts", "show", "INCIDENTES@registo.example.pt").stdout
    for expected in (
        "ccTLD                pt\n",
        "Country              PT\n",
        "Kind                 cctld\n",
        f" by {operator()}",
    ):
        assert expected in shown
    assert "Fax" not in shown

    assert "Changed: " in csirt.run("contacts", "change", "incidentes@registo.example.pt", "--note", "").stderr
    assert "As before: " in csirt.run("contacts", "change", "incidentes@registo.example.pt", "--country", "PT").stderr
    after = csirt.json("contacts", "show", "incidentes@registo.example.pt")
    assert ("", "+351 000", "cctld") == (after["note"], after["emergency_telephone"], after["kind"])

    csirt.run("contacts", "remove", "Incidentes@registo.example.pt")
    assert [] == addresses(csirt)


def test_what_cannot_be_meant_is_told_at_once(csirt: Csirt) -> None:
    """Every option that is wrong is named; nothing is stored."""
    refused = csirt.run(
        *("contacts", "add", "nobody", "--kind", "csrt", "--organisation", "x", "--country", "Portugal"), code=2
    )

    for expected in ("ADDRESS: it is no e-mail", "--kind: there are cctld", 'did you mean "csirt"', "--country: it is"):
        assert expected in refused.stderr
    csirt.run("contacts", "add", "ana@example.org", code=2)
    assert [] == addresses(csirt)


def test_what_is_there_is_not_added_and_what_is_not_is_not_found(csirt: Csirt) -> None:
    """An address stands in the directory once; one that is not there ends with exit code 3."""
    csirt.run(*CCTLD)

    assert "already" in csirt.run(*CCTLD, code=65).stderr
    for command in (("show",), ("change", "--note", "x"), ("remove",)):
        assert "'ana@example.org'" in csirt.run("contacts", *command, "ana@example.org", code=3).stderr
    assert "Say what to change" in csirt.run("contacts", "change", "incidentes@registo.example.pt", code=2).stderr


def test_an_import_counts(csirt: Csirt) -> None:
    """An import says what it did, a dry run what it would do; the same file again changes nothing."""
    name = written(csirt, FILE)

    assert (
        "3 new, 0 changed, 0 as before; nothing was imported"
        in csirt.run("contacts", "import", name, "--dry-run").stderr
    )
    assert [] == addresses(csirt)
    assert "3 new, 0 changed, 0 as before\n" in csirt.run("contacts", "import", name).stderr
    assert "0 new, 0 changed, 3 as before\n" in csirt.run("contacts", "import", name).stderr
    other = FILE.replace("CERT Example", "CERT Exemplo") + "ana@example.org;other;Ana;;\n"
    for arguments in (("--dry-run",), ()):
        done = csirt.run("contacts", "import", "-", *arguments, stdin=other.encode())
        assert "1 new, 1 changed, 2 as before" in done.stderr


def test_lists_are_narrowed(csirt: Csirt) -> None:
    """Kind and country leave the contacts that they mean, in the order of kind, country and organisation."""
    csirt.run("contacts", "import", written(csirt, FILE))

    assert ["incidentes@registo.example.pt", "policia@example.pt", "cert@example.org"] == addresses(csirt)
    assert ["cert@example.org"] == addresses(csirt, "--kind", "national-csirt", "--kind", "csirt")
    assert ["incidentes@registo.example.pt", "policia@example.pt"] == addresses(csirt, "--country", "pt")
    header, first, *_ = csirt.lines("contacts", "list")
    assert header.index("ORGANISATION") == first.index("Registo Exemplo")
    cut = csirt.run("contacts", "list", "--limit", "1")
    assert "only the first 1 are shown" in cut.stderr
    assert 2 == len(cut.stdout.splitlines())


def test_an_import_is_all_or_nothing(csirt: Csirt) -> None:
    """One line that is wrong keeps all others out, and is named with its line."""
    name = written(csirt, FILE.replace("law-enforcement", "police"))

    refused = csirt.run("contacts", "import", name, code=65)

    assert f"{name}:4: Kind: there are cctld" in refused.stderr
    assert "Nothing was imported" in refused.stderr
    assert [] == addresses(csirt)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FILE.encode("latin-1"), ":4: it is not UTF-8"),
        (FILE.encode("utf-16"), ":1: it is not UTF-8"),
        (b"x" * 20_000_001, "it has more than 20,000,000 bytes"),
        (b"", ":1: E-mail: this column is needed"),
    ],
)
def test_files_that_are_none(csirt: Csirt, content: bytes, expected: str) -> None:
    """What is no CSV in UTF-8, or endless, is refused with what to do."""
    assert expected in csirt.run("contacts", "import", written(csirt, content), code=65).stderr


def test_a_directory_has_an_end(csirt: Csirt) -> None:
    """An import that would make more contacts than can be exported again is refused."""
    lines = "".join(f"a{n}@example.org,csirt,Equipa\n" for n in range(10_000))
    csirt.run("contacts", "import", "-", stdin=f"E-mail,Kind,Organisation\n{lines}".encode())

    refused = csirt.run("contacts", "import", written(csirt, FILE), code=65)

    assert "more than 10,000 contacts" in refused.stderr
    assert "10000 contacts written" in csirt.run("contacts", "export", str(csirt.folder / "out.csv")).stderr


def test_files_that_are_absent(csirt: Csirt) -> None:
    """A file that cannot be read is an error of whoever named it."""
    assert "No such file" in csirt.run("contacts", "import", str(csirt.folder / "none.csv"), code=65).stderr


def test_an_export_can_be_imported(csirt: Csirt) -> None:
    """What one installation writes another one takes over whole; no cell of it is a formula."""
    csirt.run("contacts", "import", written(csirt, FILE))
    csirt.run("contacts", "change", "cert@example.org", "--note", '=HYPERLINK("https://example.org")')
    name = str(csirt.folder / "out.csv")

    assert "3 contacts written" in csirt.run("contacts", "export", name).stderr
    content = Path(name).read_bytes()
    assert content == csirt.run("contacts", "export").stdout_bytes
    assert "'+351 000 000 000" in content.decode()
    assert "\"'=HYPERLINK" in content.decode()
    assert "0 new, 0 changed, 3 as before" in csirt.run("contacts", "import", name).stderr
    assert b"CERT" not in csirt.run("contacts", "export", "--kind", "cctld").stdout_bytes


def test_an_export_overwrites_nothing(csirt: Csirt) -> None:
    """A file that is there stays as it is."""
    name = written(csirt, "mine")

    assert "File exists" in csirt.run("contacts", "export", name, code=65).stderr
    assert "mine" == Path(name).read_text()


def test_json_is_one_document(csirt: Csirt) -> None:
    """--json has every field of an entry, with when and by whom it was changed."""
    csirt.run(*CCTLD)

    (entry,) = json.loads(csirt.run("contacts", "list", "--json").stdout)

    assert 17 == len(entry)
    assert entry["updated_at"].endswith("Z")
