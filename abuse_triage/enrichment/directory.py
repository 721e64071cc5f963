"""The contact directory as text: which columns its file has, what each may hold, and how entries become CSV and back.

The first twelve columns are those of the contact template of the ccNSO's working group on incident response (2009), in
its order. Spreadsheets run cells that begin like a formula: on the way out such cells get an apostrophe in front, which
is taken away on the way in (CWE-1236).
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from abuse_triage.errors import InputError
from abuse_triage.indicators import names
from abuse_triage.model.lookups import ContactKind, DirectoryEntry
from abuse_triage.rules.complaints import did_you_mean

LONGEST_FIELD = 200
"""Characters of one field; a note may have five times as many."""
MOST_ENTRIES = 10_000
"""Entries of one file, and so of a directory that can be exported and imported again."""
_MOST_PROBLEMS = 100

_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9.-]{4,253}")
_LONGEST_EMAIL = 254  # RFC 5321 section 4.5.3.1.3, without the brackets
_CCTLD = re.compile(r"[a-z]{2}|xn--[a-z0-9-]{1,59}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_FORMULA = re.compile("'*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")
_DEFUSED = re.compile("'+[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")
_NEWLINES = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file.

    `field` is the attribute of `DirectoryEntry`, `title` its heading and `about` what it holds. `check` returns a value
    as it is kept, or raises `ValueError` saying what it should be. Columns that are `needed` have a value in each line.
    """

    field: str
    title: str
    about: str
    check: Callable[[str], str]
    needed: bool = False


def _text(value: str) -> str:
    return _line(value, LONGEST_FIELD)


def _long_text(value: str) -> str:
    return _line(value, 5 * LONGEST_FIELD)


def _line(value: str, most: int) -> str:
    if len(value) > most:
        raise ValueError(f"it has {len(value)} characters, at most {most} can be kept")
    if not value.isprintable():
        raise ValueError("it has characters that cannot be seen")
    return value


def _kind(value: str) -> str:
    kind = "-".join(value.lower().split())
    if kind not in list(ContactKind):
        raise ValueError(f"there are {', '.join(ContactKind)}{did_you_mean(kind, ContactKind)}")
    return kind


def _email(value: str) -> str:
    local, _, domain = value.lower().rpartition("@")
    found = f"{local}@{names.canonical(domain)}"
    if len(found) > _LONGEST_EMAIL or not _EMAIL.fullmatch(found):
        raise ValueError("it is no e-mail address")
    return found


def _domain(value: str) -> str:
    found = names.canonical(value)
    if not found:
        raise ValueError("it is no domain")
    return found


def _cctld(value: str) -> str:
    found = names.canonical(f"x.{value.removeprefix('.')}").removeprefix("x.")
    if not _CCTLD.fullmatch(found):
        raise ValueError("it is no country-code top-level domain, such as pt")
    return found


def _country(value: str) -> str:
    if not _COUNTRY.fullmatch(value.upper()):
        raise ValueError("it is no country code of two letters (ISO 3166-1), such as PT")
    return value.upper()


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value.lower()):
        raise ValueError("it is no language code of two or three letters (ISO 639), such as pt")
    return value.lower()


def _fingerprint(value: str) -> str:
    digits = value.replace(" ", "").upper()
    if not _FINGERPRINT.fullmatch(digits):
        raise ValueError("it is no fingerprint of 40 hexadecimal digits")
    return digits


COLUMNS = (
    Column("cctld", "ccTLD", "top-level domain of a ccTLD registry, such as pt", _cctld),
    Column("representative", "Representative", "person who represents the team", _text),
    Column("organisation", "Organisation", "organisation that hosts the contact point", _text, needed=True),
    Column("country", "Country", "country code of two letters", _country),
    Column("domain", "Domain", "Internet domain of the organisation", _domain),
    Column("telephone", "Telephone", "regular telephone number, with country code and time zone", _text),
    Column("emergency_telephone", "Emergency telephone", "telephone number for emergencies, in the same form", _text),
    Column("email", "E-mail", "address that it writes from, and by which it is found", _email, needed=True),
    Column("messengers", "Messengers", "messenger services, each with the id there", _text),
    Column("facsimile", "Fax", "facsimile number", _text),
    Column("other_means", "Other means", "other ways to reach it", _text),
    Column("language", "Language", "language code, such as pt", _language),
    Column("kind", "Kind", f"what it is: {', '.join(ContactKind)}", _kind, needed=True),
    Column("openpgp_fingerprint", "OpenPGP fingerprint", "fingerprint that it told you, 40 digits", _fingerprint),
    Column("note", "Note", "whatever else matters", _long_text),
)
"""Every column, in the order of the file."""

_BY_FIELD = {column.field: column for column in COLUMNS}
_BY_TITLE = {"".join(filter(str.isalnum, column.title.lower())): column for column in COLUMNS}


def checked(values: Mapping[str, str]) -> tuple[dict[str, Any], tuple[tuple[Column, str], ...]]:
    """Return some fields of an entry as they are kept, and what is wrong with the others.

    `values` has texts by field. Blanks around and between words become single ones.
    """
    fit: dict[str, Any] = {}
    problems: list[tuple[Column, str]] = []
    for field, value in values.items():
        column = _BY_FIELD[field]
        try:
            fit[field] = _checked(column, value)
        except ValueError as error:
            problems.append((column, str(error)))
    return fit, tuple(problems)


def _checked(column: Column, value: str) -> str | ContactKind:
    if _NEWLINES.search(value.strip()):
        raise ValueError("it has more than one line")
    words = " ".join(value.split())
    if not words:
        if column.needed:
            raise ValueError("it is needed")
        return ""
    found = column.check(words)
    return ContactKind(found) if column.field == "kind" else found


def render(entries: Iterable[DirectoryEntry]) -> str:
    """Return entries as CSV with a heading (RFC 4180), safe to open in a spreadsheet."""
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(column.title for column in COLUMNS)
    for entry in entries:
        writer.writerow(_defused(str(getattr(entry, column.field))) for column in COLUMNS)
    return output.getvalue()


def parse(name: str, text: str, known: Mapping[str, DirectoryEntry]) -> tuple[DirectoryEntry, ...]:
    """Return the entries of a file, in its order.

    Columns that it lacks stay as they are in the entry that is `known` by that address, and are empty in a new one.
    Who changed an entry, and when, is not in the file and stays as well.

    Args:
        name: what problems call the file.
        text: its content, with commas or semicolons between the cells.
        known: the directory as it is, by address.

    Raises:
        InputError: it has a line `name:line: column: problem` for everything that is wrong, at most 100.
    """
    rows = _Rows(name, text)
    columns = rows.columns()
    entries: dict[str, DirectoryEntry] = {}
    seen: dict[str, int] = {}
    for line, cells in rows if columns else ():
        fit = rows.fit(line, columns, cells)
        address = str(fit.get("email", ""))
        if address in seen:
            rows.complain(line, f"E-mail: {address} stands in line {seen[address]} already")
        elif address:
            seen[address] = line
        if not rows.problems:
            before = known.get(address)
            entries[address] = replace(before, **fit) if before else DirectoryEntry(**fit)
        if len(rows.problems) > _MOST_PROBLEMS:
            break
        if len(seen) > MOST_ENTRIES:
            rows.complain(line, f"a file has at most {MOST_ENTRIES} entries")
            break
    if rows.problems:
        shown = rows.problems[:_MOST_PROBLEMS]
        more = ["there is more wrong with it"] if len(rows.problems) > _MOST_PROBLEMS else []
        raise InputError("\n".join([*shown, *more]), advice="Nothing was imported. Mend the file and try again.")
    return tuple(entries.values())


def compare(
    entries: Sequence[DirectoryEntry], known: Mapping[str, DirectoryEntry]
) -> tuple[tuple[DirectoryEntry, ...], tuple[DirectoryEntry, ...]]:
    """Return which entries are new, and which differ from those that are known; the others are as before."""
    new = tuple(entry for entry in entries if entry.email not in known)
    changed = tuple(entry for entry in entries if known.get(entry.email, entry) != entry)
    return new, changed


class _Rows:
    """The lines of a file, and what is wrong with them."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        text = text.removeprefix("\ufeff")
        head = text.partition("\n")[0]
        separator = ";" if head.count(";") > head.count(",") else ","
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        self.problems: list[str] = []

    def complain(self, line: int, problem: str) -> None:
        """Keep a problem."""
        self.problems.append(f"{self._name}:{line}: {problem}")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row that is not empty with the line in which it begins."""
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                self.complain(line, f"it is no CSV: {error}")
                return
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield line, cells

    def columns(self) -> list[Column]:
        """Read the heading and return its columns, none where it is not as it should be."""
        line, titles = next(iter(self), (1, []))
        found = [_BY_TITLE.get("".join(filter(str.isalnum, title.lower()))) for title in titles]
        for title, column in zip(titles, found, strict=True):
            if column is None:
                near = did_you_mean(title, [one.title for one in COLUMNS])
                self.complain(line, f"there is no column {title[:LONGEST_FIELD]!r}{near}")
            elif found.count(column) > 1:
                self.complain(line, f"{column.title}: this column stands more than once")
        for column in COLUMNS:
            if column.needed and column not in found:
                self.complain(line, f"{column.title}: this column is needed")
        return [] if self.problems else [column for column in found if column]

    def fit(self, line: int, columns: Sequence[Column], cells: Sequence[str]) -> dict[str, Any]:
        """Return the fields of a row that are as they should be, and complain of the others."""
        if len(cells) != len(columns):
            self.complain(line, f"it has {len(cells)} cells, the heading has {len(columns)}")
            return {}
        values = {column.field: _restored(cell) for column, cell in zip(columns, cells, strict=True)}
        fit, problems = checked(values)
        for column, problem in problems:
            shown = values[column.field][:LONGEST_FIELD]
            self.complain(line, f"{column.title}: {problem}{f' (here: {shown!r})' if shown else ''}")
        return fit


def _defused(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _restored(cell: str) -> str:
    return cell[1:] if _DEFUSED.match(cell) else cell
