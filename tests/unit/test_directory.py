"""The contact directory as a file: what may stand in it, and that nothing is lost on the way out and in."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.enrichment import directory
from abuse_triage.errors import InputError
from abuse_triage.model.lookups import ContactKind, DirectoryEntry

HEADING = "E-mail,Kind,Organisation"
FULL = DirectoryEntry(
    email="incidentes@registo.example.pt",
    kind=ContactKind.CCTLD,
    organisation="Associação de Registo Exemplo",
    cctld="pt",
    representative="Ana Gonçalves",
    country="PT",
    domain="registo.example.pt",
    telephone="+351 000 000 000 (UTC+0)",
    emergency_telephone="+351 000 000 112 (UTC+0)",
    messengers="Signal: @registo; XMPP: equipa@registo.example.pt",
    facsimile="+351 000 000 001",
    other_means="rádio, canal 9",
    language="pt",
    openpgp_fingerprint="0123456789ABCDEF0123456789ABCDEF01234567",
    note="=1+1 is no formula here",
)
_WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
_LINES = st.lists(_WORDS, max_size=5).map(" ".join)
_CODES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=2)
ENTRIES = st.lists(
    st.builds(
        DirectoryEntry,
        email=st.from_regex(r"[a-z0-9=+'-]{1,20}@[a-z]{1,10}\.example", fullmatch=True),
        kind=st.sampled_from(ContactKind),
        organisation=_LINES.filter(bool),
        cctld=st.just("") | _CODES,
        representative=_LINES,
        country=st.just("") | _CODES.map(str.upper),
        domain=st.sampled_from(["", "example.org", "xn--caf-dma.example"]),
        telephone=_LINES.map(lambda text: f"+{text}"),
        emergency_telephone=_LINES.map(lambda text: f"''={text}"),
        messengers=_LINES,
        facsimile=_LINES.map(lambda text: f"'{text}"),
        other_means=_LINES,
        language=st.sampled_from(["", "pt", "en", "por"]),
        openpgp_fingerprint=st.just("") | st.text("0123456789ABCDEF", min_size=40, max_size=40),
        note=_LINES,
    ),
    max_size=5,
    unique_by=lambda entry: entry.email,
)


def problems(text: str) -> list[str]:
    """Return the lines of complaint about a file."""
    with pytest.raises(InputError) as caught:
        directory.parse("file.csv", text, {})
    return str(caught.value).splitlines()


@given(ENTRIES)
def test_what_is_written_is_read_again(entries: list[DirectoryEntry]) -> None:
    """An exported directory imports as it was, whatever stands in it."""
    text = directory.render(entries)

    assert tuple(entries) == directory.parse("file.csv", text, {})
    assert text == directory.render(directory.parse("file.csv", text, {}))


@given(ENTRIES)
def test_no_cell_is_a_formula(entries: list[DirectoryEntry]) -> None:
    """No cell that is written begins as a spreadsheet's formula does."""
    cells = [cell for row in csv.reader(io.StringIO(directory.render(entries))) for cell in row]

    assert [] == [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")]


def test_the_file_has_the_template_first() -> None:
    """The twelve fields of the template stand first and in its order, then ours."""
    heading = directory.render([]).strip()

    assert (
        "ccTLD,Representative,Organisation,Country,Domain,Telephone,Emergency telephone,E-mail,Messengers,Fax,"
        "Other means,Language,Kind,OpenPGP fingerprint,Note" == heading
    )
    assert {column.field for column in directory.COLUMNS} == set(DirectoryEntry.__slots__) - {
        "updated_at",
        "updated_by",
    }


def test_everything_goes_through() -> None:
    """An entry with all of its fields is read as it was written."""
    assert (FULL,) == directory.parse("file.csv", directory.render([FULL]), {})


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("\ufeffE-mail,Kind,Organisation\n", "Ana@Example.org,CSIRT,Equipa\n"),
        ("E-mail;Kind;Organisation\r\n", "ana@example.org;csirt;Equipa\r\n"),
        ('"email";"KIND";" organisation "\n', '"ana@example.org";" csirt ";"\u00a0Equipa"\n'),
        ("E-Mail,Kind,Organisation\n", "\n,,\nana@example.org,csirt,'Equipa\n".replace("'", "")),
        ("Note,E-mail,Kind,Organisation\n", ",ana@example.org,csirt,Equipa"),
    ],
)
def test_files_of_every_hand(head: str, line: str) -> None:
    """BOM, semicolons, quotes, capitals, blanks, empty lines and columns in any order are all understood."""
    expected = DirectoryEntry(email="ana@example.org", kind=ContactKind.CSIRT, organisation="Equipa")

    assert (expected,) == directory.parse("file.csv", head + line, {})


def test_columns_that_are_absent_stay() -> None:
    """A field without a column is as it was; one with an empty cell is cleared; who changed it and when stays."""
    before = replace(FULL, updated_at=datetime(2026, 11, 22, tzinfo=UTC), updated_by="ana")
    text = f"{HEADING},Note\n{FULL.email},cctld,Registo Exemplo,\n"

    (after,) = directory.parse("file.csv", text, {before.email: before})

    assert replace(before, organisation="Registo Exemplo", note="") == after


def test_entries_are_compared() -> None:
    """What is not known is new, what differs is changed, and the rest is neither."""
    other = replace(FULL, email="outro@example.org")
    changed = replace(FULL, note="outra")

    assert ((other,), (changed,)) == directory.compare([other, changed], {FULL.email: FULL})
    assert ((), ()) == directory.compare([FULL], {FULL.email: FULL})


def test_every_problem_is_told_at_once() -> None:
    """Each line and each column that is wrong has its complaint, with what stands there."""
    text = (
        f"{HEADING},Country,ccTLD,Language,OpenPGP fingerprint,Domain,Telephone\n"
        "ana@example,csrt,,Portugal,portugal,english,1234,nome,+351\u200b1\n"
        f'ana@example.org,csirt,Equipa,PT,pt,pt,,example.pt,"1\n2"\n'
        f"Ana@example.org,csirt,Equipa,PT,.pt,pt,,example.pt,{'1' * 201}\n"
        "rui@example.org,csirt,Equipa\n"
    )

    kinds = "cctld, csirt, national-csirt, registrar, law-enforcement, customer, other"
    assert [
        "file.csv:2: E-mail: it is no e-mail address (here: 'ana@example')",
        f"file.csv:2: Kind: there are {kinds}; did you mean \"csirt\"? (here: 'csrt')",
        "file.csv:2: Organisation: it is needed",
        "file.csv:2: Country: it is no country code of two letters (ISO 3166-1), such as PT (here: 'Portugal')",
        "file.csv:2: ccTLD: it is no country-code top-level domain, such as pt (here: 'portugal')",
        "file.csv:2: Language: it is no language code of two or three letters (ISO 639), such as pt (here: 'english')",
        "file.csv:2: OpenPGP fingerprint: it is no fingerprint of 40 hexadecimal digits (here: '1234')",
        "file.csv:2: Domain: it is no domain (here: 'nome')",
        "file.csv:2: Telephone: it has characters that cannot be seen (here: '+351\\u200b1')",
        "file.csv:3: Telephone: it has more than one line (here: '1\\n2')",
        f"file.csv:5: Telephone: it has 201 characters, at most 200 can be kept (here: '{'1' * 200}')",
        "file.csv:5: E-mail: ana@example.org stands in line 3 already",
        "file.csv:6: it has 3 cells, the heading has 9",
    ] == problems(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["E-mail: this column is needed", "Kind: this column is needed", "Organisation: this column is needed"]),
        (
            f"{HEADING},Telefone,note,Note\n",
            [
                "there is no column 'Telefone'; did you mean \"Telephone\"?",
                "Note: this column stands more than once",
                "Note: this column stands more than once",
            ],
        ),
        ("E-mail,Kind\n", ["Organisation: this column is needed"]),
    ],
)
def test_headings_that_are_wrong(text: str, expected: list[str]) -> None:
    """Columns that are unknown, repeated or lacking are named; the lines below are not looked at then."""
    assert sorted(f"file.csv:1: {line}" for line in expected) == sorted(problems(text + "x,y,z\n" * bool(text)))


def test_quotes_that_do_not_end() -> None:
    """What is no CSV is said with the line where it begins."""
    (problem,) = problems(f'{HEADING}\nana@example.org,csirt,Equipa\nrui@example.org,"csirt\n')

    assert problem.startswith("file.csv:3: it is no CSV: ")


def test_complaints_have_an_end() -> None:
    """A file that is wrong throughout has a hundred complaints, and one line that says there are more."""
    found = problems(f"{HEADING}\n" + "x,y,z\n" * 5000)

    assert 101 == len(found)
    assert "there is more wrong with it" == found[-1]


def test_a_file_has_an_end() -> None:
    """More entries than a directory has room for are refused."""
    lines = "".join(f"a{n}@example.org,csirt,Equipa\n" for n in range(directory.MOST_ENTRIES + 2))

    assert [f"file.csv:{directory.MOST_ENTRIES + 2}: a file has at most 10000 entries"] == problems(
        f"{HEADING}\n{lines}"
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("email", " Ana@Example.ORG ", "ana@example.org"),
        ("email", "ana@café.example", "ana@xn--caf-dma.example"),
        ("kind", "National CSIRT", ContactKind.NATIONAL_CSIRT),
        ("country", "pt", "PT"),
        ("cctld", ".PT", "pt"),
        ("cctld", ".ελ", "xn--qxam"),
        ("domain", "Café.example", "xn--caf-dma.example"),
        ("language", "PT", "pt"),
        ("openpgp_fingerprint", "0123 4567 89ab cdef 0123  4567 89AB CDEF 0123 4567", FULL.openpgp_fingerprint),
        ("telephone", "+351\u00a0000\t000", "+351 000 000"),
        ("note", "x" * 1000, "x" * 1000),
        ("note", "", ""),
    ],
)
def test_values_as_they_are_kept(field: str, value: str, expected: str) -> None:
    """Each field has one form, whichever way it was typed."""
    assert ({field: expected}, ()) == directory.checked({field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "@example.org"),
        ("email", "ana"),
        ("email", "Ana <ana@example.org>"),
        ("email", f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 63}.example"),
        ("kind", ""),
        ("organisation", "  "),
        ("country", "P1"),
        ("cctld", "com"),
        ("language", "p"),
        ("openpgp_fingerprint", "g" * 40),
        ("telephone", "\u202e1"),
        ("note", "a\u2028b"),
    ],
)
def test_values_that_are_refused(field: str, value: str) -> None:
    """What cannot be meant is refused with the column that it stands in."""
    fit, ((column, problem),) = directory.checked({field: value})

    assert {} == fit
    assert field == column.field
    assert problem
