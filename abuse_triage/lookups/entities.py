"""Who stands in an RDAP answer: a walk over its entities, however deep and however odd they are.

Entities (RFC 9083 section 5.1) hold others: the abuse contact of a network is often one of its organisation, that of a
name one of its registrar. What is known of each is a jCard (RFC 7095), and registries are free with its form.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from abuse_triage.lookups.cleaning import clean, clean_email
from abuse_triage.model.lookups import MOST_ITEMS, FoundContact

DEEPEST = 8
"""Entities inside of entities that are looked at."""
MOST_ENTITIES = 200
"""Entities of one answer that are looked at."""
_MOST_PROPERTIES = 100
_ROLES = ("abuse", "registrar", "technical", "administrative", "registrant")
"""The roles that somebody is kept for; the others of RFC 9083 section 10.2.4 help nobody with a report."""


@dataclass(frozen=True, slots=True)
class _Place:
    """An entity, how deep it is, the next handle above it, and whether a registrar is above it."""

    entity: dict[str, object]
    depth: int
    above: str
    of_registrar: bool


@dataclass(frozen=True, slots=True)
class _Card:
    """What a jCard says of somebody."""

    name: str = ""
    email: str = ""
    telephone: str = ""
    individual: bool = False


def contacts(document: object) -> tuple[FoundContact, ...]:
    """Return whom an answer names, abuse contacts first, and the nearest first among them and among the others.

    Never fails, whatever JSON it is given. At most `MOST_ITEMS`, each once; somebody of whom nothing but a handle is
    known is left out. `personal` are individuals in other roles than abuse.
    """
    found: dict[tuple[str, str, str], FoundContact] = {}
    for place in _places(document):
        card = _card(place.entity.get("vcardArray"))
        named = card.name and card.name != clean(place.entity.get("handle"))  # maintainers are called by their handle
        if not (named or card.email or card.telephone):
            continue
        for role in _roles(place.entity):
            contact = FoundContact(
                role=role,
                name=card.name,
                email=card.email,
                telephone=card.telephone,
                source=_source(role, place),
                personal=card.individual and role != "abuse",
            )
            found.setdefault((role, card.name, card.email), contact)
    return tuple(sorted(found.values(), key=lambda contact: contact.role != "abuse")[:MOST_ITEMS])


def organisation(found: tuple[FoundContact, ...], role: str) -> str:
    """Return the name of the first who has a role and is no person, "" for none."""
    return next((contact.name for contact in found if contact.role == role and not contact.personal), "")


def _places(document: object) -> Iterator[_Place]:
    """Go through the entities, the nearest first."""
    waiting = deque(_inside(document, depth=1, above="", of_registrar=False))
    for _ in range(MOST_ENTITIES):
        if not waiting:
            return
        place = waiting.popleft()
        yield place
        if place.depth < DEEPEST:
            waiting.extend(
                _inside(
                    place.entity,
                    depth=place.depth + 1,
                    above=clean(place.entity.get("handle")) or place.above,
                    of_registrar=place.of_registrar or "registrar" in _roles(place.entity),
                )
            )


def _inside(document: object, *, depth: int, above: str, of_registrar: bool) -> Iterator[_Place]:
    """Yield the entities right inside of an object; a registry may forget the list around a single one."""
    entities = document.get("entities") if isinstance(document, dict) else None
    for entity in _list(entities)[:MOST_ENTITIES]:
        if isinstance(entity, dict):
            yield _Place(entity, depth, above, of_registrar)


def _roles(entity: dict[str, object]) -> list[str]:
    """Return the roles of an entity that count."""
    roles = {clean(role).lower() for role in _list(entity.get("roles"))[:MOST_ENTITIES]}
    return [role for role in _ROLES if role in roles]


def _source(role: str, place: _Place) -> str:
    """Say where it stood."""
    own = clean(place.entity.get("handle"))
    handle = place.above or own if place.of_registrar else own or place.above
    words = f"RDAP {role} role of {handle}" if handle else f"RDAP {role} role"
    return clean(f"{words[:180]}, registrar" if place.of_registrar else words)


def _card(card: object) -> _Card:
    """Read a jCard: `["vcard", [[name, parameters, type, value, …], …]]`."""
    texts: dict[str, str] = {}
    for name, parameters, value in _properties(card):
        match name:
            case "email":
                text = clean_email(value.removeprefix("mailto:"))
            case "tel" if "fax" not in _types(parameters):
                text = clean(value.removeprefix("tel:"))
            case "fn" | "org" | "kind":
                text = clean(value)
            case _:
                text = ""
        if text:
            texts.setdefault(name, text)
    return _Card(
        name=texts.get("fn") or texts.get("org", ""),
        email=texts.get("email", ""),
        telephone=texts.get("tel", ""),
        individual=texts.get("kind", "").lower() == "individual",
    )


def _properties(card: object) -> Iterator[tuple[str, object, str]]:
    """Yield name, parameters and each text of the properties that are whole; they may stand right in the card."""
    rows = [part for part in _list(card) if isinstance(part, list)]
    if rows and not (rows[0] and isinstance(rows[0][0], str)):
        rows = rows[0]
    for row in rows[:_MOST_PROPERTIES]:
        match row:
            case [str(name), parameters, _, *values]:
                for value in values[:_MOST_PROPERTIES]:
                    for text in _list(value)[:_MOST_PROPERTIES]:
                        if isinstance(text, str):
                            yield name.lower(), parameters, text


def _types(parameters: object) -> list[str]:
    kinds = parameters.get("type") if isinstance(parameters, dict) else None
    return [kind.lower() for kind in _list(kinds)[:_MOST_PROPERTIES] if isinstance(kind, str)]


def _list(value: object) -> list[object]:
    """Return a list as it is, anything else as the only item of one."""
    return value if isinstance(value, list) else [value]
