"""The classes and types of incident as versioned data, with their names in Portuguese and English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from abuse_triage.errors import ConfigError
from abuse_triage.rules.complaints import complain
from abuse_triage.rules.source import Path, Source, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What an id is called, in Portuguese and in English."""

    id: str
    pt: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Category(Name):
    """One class of the taxonomy with its types."""

    types: tuple[Name, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """A versioned set of classes; `undetermined` is the type of what could not be decided."""

    id: str
    version: str
    undetermined: str
    categories: Mapping[str, Category]
    category_of_type: Mapping[str, str]

    def category(self, category_id: str) -> Category:
        """Return the class with this id; raises `KeyError` where there is none."""
        return self.categories[category_id]

    def type(self, type_id: str) -> Name:
        """Return the type with this id ("fraud:phishing"); raises `KeyError` where there is none."""
        category = self.categories[self.category_of_type[type_id]]
        return next(name for name in category.types if name.id == type_id)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+(:[a-z0-9-]+)?$")]
    pt: Annotated[str, Field(min_length=1, max_length=100)]
    en: Annotated[str, Field(min_length=1, max_length=100)]


class _CategoryEntry(_Entry):
    types: Annotated[list[_Entry], Field(min_length=1)]


class _TaxonomyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    taxonomy: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")]
    version: str
    undetermined: str
    categories: Annotated[list[_CategoryEntry], Field(min_length=1)]


def parse(name: str, text: str) -> Taxonomy:
    """Read a taxonomy file; `name` is how errors call it. Raises `ConfigError` with every problem."""
    source = read(name, text)
    try:
        file = _TaxonomyFile.model_validate(source.data)
    except ValidationError as error:
        raise ConfigError(complain(source, error, (_TaxonomyFile, _CategoryEntry))) from None
    if problems := _doubts(source, file):
        raise ConfigError(tuple(problems))
    categories = {
        entry.id: Category(
            id=entry.id,
            pt=entry.pt,
            en=entry.en,
            types=tuple(Name(id=kind.id, pt=kind.pt, en=kind.en) for kind in entry.types),
        )
        for entry in file.categories
    }
    return Taxonomy(
        id=file.taxonomy,
        version=file.version,
        undetermined=file.undetermined,
        categories=categories,
        category_of_type={kind.id: category.id for category in categories.values() for kind in category.types},
    )


def _doubts(source: Source, file: _TaxonomyFile) -> list[str]:
    """Say what a schema cannot: repeated ids, and an `undetermined` that does not exist."""
    problems = []
    seen: dict[str, int] = {}
    for i, category in enumerate(file.categories):
        entries: list[tuple[Path, str]] = [(("categories", i, "id"), category.id)]
        entries += [(("categories", i, "types", k, "id"), kind.id) for k, kind in enumerate(category.types)]
        for where, entry_id in entries:
            line = source.line(where)
            if entry_id in seen:
                problems.append(f'{source.name}:{line}: id "{entry_id}" stands in line {seen[entry_id]} already')
            seen.setdefault(entry_id, line)
    types = {kind.id for category in file.categories for kind in category.types}
    if file.undetermined not in types:
        line = source.line(("undetermined",))
        problems.append(f'{source.name}:{line}: undetermined: there is no type "{file.undetermined}"')
    return problems
