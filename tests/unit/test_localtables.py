"""CSV files of operators: every wrong line at once, and every way in which spreadsheets write them."""

import os
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import pytest

from abuse_triage.config import localtables
from abuse_triage.config.localtables import read_table
from abuse_triage.errors import ConfigError

COLUMNS = ("name", "contact", "note")
HEADER = "name,contact,note\n"


def row(fields: Sequence[str]) -> tuple[str, ...]:
    """Take any line but one about "wrong"."""
    if fields[0] == "wrong":
        raise ValueError("is wrong")
    return tuple(fields)


def read(folder: Path, content: str | bytes) -> list[tuple[str, ...]]:
    """Write a table and read it."""
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, "lookups.table", COLUMNS, row, itemgetter(0))


def problems(folder: Path, content: str | bytes) -> list[str]:
    """Return the problems of a table, without its folder."""
    with pytest.raises(ConfigError) as raised:
        read(folder, content)
    return [problem.removeprefix(f"{folder}/") for problem in raised.value.problems]


@pytest.mark.parametrize(
    "content",
    [
        "name,contact,note\nSilva & Irmãos,a@example.pt,x\nb,,\n",
        "\ufeffName;Contact;Note\r\nSilva & Irmãos;a@example.pt;x\r\nb;;\r\n",
        '"name", "contact", "note"\n"Silva &\n  Irmãos ", a@example.pt ,"x"\n\n,,\n b ,,',
        "name,contact,note\rSilva &\xa0Irmãos,a@example.pt,x\rb,,\r",
    ],
    ids=["commas", "as a spreadsheet writes it", "quoted", "carriage returns"],
)
def test_a_table_is_read_however_it_was_written(tmp_path: Path, content: str) -> None:
    """Separators, line ends, byte order mark, blanks and empty lines make no difference."""
    assert [("Silva & Irmãos", "a@example.pt", "x"), ("b", "", "")] == read(tmp_path, content)


def test_every_wrong_line_is_named(tmp_path: Path) -> None:
    """With its number, and the lines around it do not hide it."""
    content = HEADER + "a,,\nwrong,,\nb,\nA,,\na,,\nc,,,\nwrong,,\n"
    assert [
        "table.csv:3: is wrong",
        "table.csv:4: has 2 fields in place of 3",
        "table.csv:6: is about the same as line 2",
        "table.csv:7: has 4 fields in place of 3",
        "table.csv:8: is wrong",
    ] == problems(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    ["", "name,contact\na,b\n", "a,b,c\n", "name\tcontact\tnote\n", HEADER.encode("utf-16"), "x" * 5000],
    ids=["empty", "a column too few", "no names", "tabs", "UTF-16", "long"],
)
def test_the_first_line_names_the_columns(tmp_path: Path, content: str | bytes) -> None:
    """Without it nobody knows what the columns are."""
    assert ["table.csv:1: should name the columns: name,contact,note"] == problems(tmp_path, content)


@pytest.mark.parametrize("content", ['a,"b"c,d\n', 'a,"b\n', f'a,"{"x" * 200_000}",\n'])
def test_what_is_no_csv_ends_the_reading(tmp_path: Path, content: str) -> None:
    """Behind a broken quotation nobody knows where lines begin; what was wrong before is told too."""
    found = problems(tmp_path, f"{HEADER}wrong,,\n{content}")
    assert 2 == len(found)
    assert found[1].startswith("table.csv:3: is not CSV: ")


def test_bytes_that_are_no_text_reach_the_row_as_what_cannot_be_printed(tmp_path: Path) -> None:
    """Whoever makes a value of the line sees that, and names the line."""
    assert not read(tmp_path, HEADER.encode() + b"Jos\xe9,,\n")[0][0].isprintable()


def test_no_more_problems_than_somebody_reads(tmp_path: Path) -> None:
    """A file that is another one altogether does not fill the screen."""
    found = problems(tmp_path, HEADER + "wrong,,\n" * 5000)
    assert 101 == len(found)
    assert "table.csv: lookups.table: what is behind line 101 was not read" == found[-1]


def test_a_table_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In lines and in bytes."""
    monkeypatch.setattr(localtables, "MOST_ROWS", 3)
    assert 3 == len(read(tmp_path, HEADER + "a,,\nb,,\nc,,\n"))
    assert ["table.csv: lookups.table: has more than 3 lines"] == problems(tmp_path, HEADER + "a,,\nb,,\nc,,\nd,,\n")
    monkeypatch.setattr(localtables, "LARGEST", 10)
    assert ["table.csv: is larger than 0 MB"] == problems(tmp_path, HEADER)


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    """Absent, a folder, or something that would make us wait."""
    absent = tmp_path / "absent.csv"
    with pytest.raises(ConfigError, match=r"absent\.csv: lookups\.table: cannot be read: No such file"):
        read_table(absent, "lookups.table", COLUMNS, row, itemgetter(0))
    os.mkfifo(absent)
    for path in (absent, tmp_path):
        with pytest.raises(ConfigError, match="is not a file"):
            read_table(path, "lookups.table", COLUMNS, row, itemgetter(0))
