"""The answers of whois.dns.pt, as it writes them today and as it did until 2018.

The format is not documented; what is known comes from published answers. Times are those of Lisbon. There is no
registrar in it: the managing entity ("Admin", once "Entidade Gestora") is who a name is looked after by. Owners who are
natural persons are shown only where they agreed, and are marked here.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from abuse_triage.lookups.cleaning import clean, clean_country, clean_email
from abuse_triage.lookups.whoisfields import (
    MOST_LINES,
    host_names,
    is_hidden,
    is_organisation,
    pairs,
    same_name,
    sensible,
    texts,
)
from abuse_triage.model.lookups import Answer, FoundContact, LookupKind, Result

_LISBON = ZoneInfo("Europe/Lisbon")
_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?: +([0-9]{1,2}):([0-9]{2}):([0-9]{2}))?")
_OLD_KEYS = {
    "nome de domínio / domain name": "domain",
    "data de registo / creation date (dd/mm/yyyy)": "creation date",
    "data de expiração / expiration date (dd/mm/yyyy)": "expiration date",
    "estado / status": "domain status",
}
_OLD_PARTS = {"titular / registrant": "owner", "entidade gestora / billing contact": "admin"}

_Pair = tuple[str, str]


def parse(text: str, *, kind: LookupKind, subject: str, server: str) -> Answer | None:
    """Return what an answer says, None where it has no record in one of the two formats; never fails.

    It FAILED where the record is another name's.
    """
    found: dict[str, list[str]] = {}
    for key, value in _old(text) if "/ Domain Name:" in text else pairs(text):
        if value:
            found.setdefault(key, []).append(value)
    first = {key: values[0] for key, values in found.items()}
    if "domain" not in first or not {"creation date", "owner name", "admin name"} & first.keys():
        return None
    if not same_name(first["domain"], subject):
        reason = f"{server} answers about another name"
        return Answer(kind=kind, subject=subject, server=server, result=Result.FAILED, reason=reason)
    owner, manager = clean(first.get("owner name")), clean(first.get("admin name"))
    is_shown = bool(owner) and not is_hidden(owner)
    return Answer(
        kind=kind,
        subject=subject,
        server=server,
        result=Result.FOUND,
        managed_by=manager,
        holder=owner if is_shown and is_organisation(owner) else "",
        country=clean_country(first.get("owner country code")),
        created=_moment(first.get("creation date", "")),
        expires=_moment(first.get("expiration date", "")),
        statuses=texts(found.get("domain status", [])),
        name_servers=host_names(value.partition("|")[0] for value in found.get("name server", [])),
        contacts=_contacts(first, owner, manager, server),
    )


def _contacts(first: dict[str, str], owner: str, manager: str, server: str) -> tuple[FoundContact, ...]:
    """Return the managing entity and the owner, as far as they are shown."""
    is_person = not is_organisation(owner)
    found = (
        FoundContact(
            role="administrative",
            name=manager,
            email=clean_email(first.get("admin email")),
            source=f"managing entity at {server}",
            personal=bool(manager) and manager == owner and is_person,  # somebody who looks after it without help
        ),
        FoundContact(
            role="registrant",
            name="" if is_hidden(owner) else owner,
            email=clean_email(first.get("owner email")),
            source=f"owner at {server}",
            personal=is_person,
        ),
    )
    return tuple(contact for contact in found if contact.name or contact.email)


def _old(text: str) -> Iterator[_Pair]:
    """Yield the lines of the old format under the keys of the new one."""
    part, named = "", False
    for line in text.split("\n", MOST_LINES)[:MOST_LINES]:
        stripped = line.strip()
        key, colon, value = (piece.strip() for piece in stripped.partition(":"))
        if not line.startswith((" ", "\t")):
            part, named = _OLD_PARTS.get(stripped.lower(), ""), False
            if colon:
                yield _OLD_KEYS.get(key.lower(), ""), value
        elif key == "Nameserver":
            words = value.split()
            if len(words) == 3 and words[1] == "NS":
                yield "name server", words[2]
        elif part and key == "Email":
            yield f"{part} email", value
        elif part and not named:
            named = True
            yield f"{part} name", stripped


def _moment(text: str) -> datetime | None:
    match = _DATE.fullmatch(text.strip()[:30])
    if match is None:
        return None
    day, month, year, hour, minute, second = (int(number or 0) for number in match.groups())
    try:
        return sensible(datetime(year, month, day, hour, minute, second, tzinfo=_LISBON))
    except ValueError:
        return None
