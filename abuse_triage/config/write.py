"""From settings to a TOML file in which every key stands with its explanation."""

from collections.abc import Iterator, Sequence
from datetime import time
from enum import Enum
from typing import TYPE_CHECKING, Any, get_args

from abuse_triage.config.read import validate
from abuse_triage.model.section import Section
from abuse_triage.model.settings import Settings

if TYPE_CHECKING:
    from tomlkit.items import AoT, Table

_TOP = (
    "Configuration of abuse-triage. Relative paths start at this file's folder.",
    'Durations are written "90s", "15m", "24h" or "7d", sizes "256 kB", "36 MB" or "1 GB".',
    "abuse-triage check-config says what is wrong with it, abuse-triage print-config what holds.",
)


def neutral(
    *,
    name: str = "Example CSIRT",
    organisation: str = "Example Organisation",
    ticket_prefix: str = "EXAMPLE-CSIRT",
    timezone: str = "UTC",
    incidents: str = "abuse@example.pt",
    enquiries: str = "csirt@example.pt",
    domains: Sequence[str] = (),
) -> Settings:
    """Return settings for a team; what is not given is an example's, and then the whole identity counts as one.

    The example's constituency is documentation networks and names (RFC 5737, RFC 3849, RFC 5398). With `domains` of
    one's own it is those alone, because nobody can guess the networks. Raises `ConfigError`.
    """
    example = not domains or any("example" in address.split("@")[-1].split(".") for address in (incidents, enquiries))
    scope: dict[str, Any] = {"domains": tuple(domains)}
    if not domains:
        scope = {
            "domains": ("pt",),
            "second_level": ("com.pt", "org.pt"),
            "autonomous_system": (
                {"asn": 64500, "name": "EXAMPLE", "networks": ("198.51.100.0/24", "2001:db8:100::/40")},
            ),
            "name_server": ({"name": "a.ns.example.pt", "addresses": ("203.0.113.53", "2001:db8:53::53")},),
        }
    return validate(
        {
            "team": {
                "name": name,
                "organisation": organisation,
                "ticket_prefix": ticket_prefix,
                "timezone": timezone,
                "example": example,
            },
            "mailbox": [
                {"address": address, "kind": kind}
                for address, kind in ((incidents, "incident"), (enquiries, "enquiry"))
                if address
            ],
            "scope": scope,
        },
        name="identity",
    )


def render(settings: Settings, *, comments: bool = True) -> str:
    """Write settings as TOML that `parse` turns back into the same; with comments, each key is explained above it."""
    import tomlkit  # noqa: PLC0415 -- late: only init and print-config write

    document = tomlkit.document()
    if comments:
        for line in _TOP:
            document.add(tomlkit.comment(line))
    _fill(document, settings, comments=comments)
    return tomlkit.dumps(document).lstrip("\n")


def _fill(container: Any, section: Section, *, comments: bool) -> None:
    """Add the keys of a section to a TOML container: plain values first, because TOML wants tables last."""
    import tomlkit  # noqa: PLC0415 -- see render

    plain = section.model_dump()
    tables = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if _is_for_tables(field.annotation, value):
            if value or isinstance(value, dict):  # as a plain key, none would forbid to add a table of that name
                tables.append((name, value))
            continue
        if comments:
            container.add(tomlkit.comment(str(field.description)))
        container.add(name, _plain(plain[name]))
    for name, value in tables:
        if isinstance(value, dict):
            table = tomlkit.table()
            if comments:
                table.comment(str(type(section).model_fields[name].description))
            for key, item in plain[name].items():
                table.add(str(_plain(key)), _plain(item))
            container.add(name, table)
        elif isinstance(value, Section):
            container.add(name, _table(value, comments=comments))
        else:
            container.add(name, _tables(value, comments=comments))


def _is_for_tables(annotation: object, value: object) -> bool:
    """Tell whether a key is for tables: a section, a dictionary, or a tuple of sections."""
    if isinstance(value, dict | Section):
        return True
    return any(isinstance(one, type) and issubclass(one, Section) for one in _types(annotation))


def _types(annotation: object) -> Iterator[object]:
    """Return the types inside of others, through Annotated and tuples."""
    inside = get_args(annotation)
    for one in inside or (annotation,):
        yield from _types(one) if inside else (one,)


def _tables(sections: Sequence[Section], *, comments: bool) -> "AoT":
    """Write several; explained once is enough, in the first."""
    import tomlkit  # noqa: PLC0415 -- see render

    array = tomlkit.aot()
    for index, section in enumerate(sections):
        array.append(_table(section, comments=comments and index == 0))
    return array


def _table(section: Section, *, comments: bool) -> "Table":
    import tomlkit  # noqa: PLC0415 -- see render

    table = tomlkit.table()
    if comments:
        table.comment((type(section).__doc__ or "").splitlines()[0])
    _fill(table, section, comments=comments)
    return table


def _plain(value: object) -> Any:
    """Turn a value into what TOML knows; durations and sizes are strings already."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, (str, int, float, bool, time)) else str(value)
