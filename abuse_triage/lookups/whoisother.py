"""The answers of registries that write "Key: value": those of generic top-level domains, and the many like them.

ICANN's layout (Registry Agreement, specification 4) is read whole; of other registries, what has a usual key.
"""

import re
from collections.abc import Mapping

from abuse_triage.lookups.cleaning import clean, clean_country, clean_email
from abuse_triage.lookups.whoisfields import host_names, is_hidden, is_organisation, moment, pairs, same_name, texts
from abuse_triage.model.lookups import Answer, FoundContact, LookupKind, Result

_KEYS: Mapping[str, tuple[str, ...]] = {
    "name": ("domain name", "domain"),
    "registrar": ("registrar", "registrar name", "sponsoring registrar", "registrar organization"),
    "abuse email": ("registrar abuse contact email", "registrar abuse email", "abuse contact email"),
    "abuse phone": ("registrar abuse contact phone", "registrar abuse phone", "abuse contact phone"),
    "organisation": ("registrant organization", "registrant organisation", "holder organization"),
    "holder": ("holder", "registrant", "registrant name"),
    "country": ("registrant country", "registrant country code"),
    "created": ("creation date", "created", "created on", "registered", "registered on", "registration date"),
    "expires": (
        "registry expiry date",
        "registrar registration expiration date",
        "expiration date",
        "expiry date",
        "expires",
        "expires on",
        "expire",
        "paid-till",
        "renewal date",
        "validity",
    ),
    "statuses": ("domain status", "status", "state"),
    "servers": ("name server", "name servers", "nserver", "nameserver", "nameservers"),
    "signed": ("dnssec", "dnssec signed"),
    "ds": ("dnssec ds data", "ds data", "ds rdata", "ds"),
}
_FREE = frozenset(["free", "available", "not registered"])
_DS = re.compile(r"[0-9]{1,5} [0-9]{1,3} [0-9]{1,3} [0-9A-Fa-f ]{8,128}")
_SIGNED = {"signeddelegation": True, "signed": True, "yes": True, "unsigned": False, "no": False, "inactive": False}


def parse(text: str, *, kind: LookupKind, subject: str, server: str) -> Answer | None:
    """Return what an answer says, None where it has no record of that form; never fails.

    It FAILED where the record is another name's.
    """
    lines: dict[str, list[str]] = {}
    for key, value in pairs(text):
        if value:
            lines.setdefault(key, []).append(value)
    found = {what: [value for key in keys for value in lines.get(key, [])] for what, keys in _KEYS.items()}
    names, statuses = found.pop("name"), found["statuses"]
    if not names or not any(found.values()) or (statuses and statuses[0].lower() in _FREE):
        return None
    if not same_name(names[0], subject):
        reason = f"{server} answers about another name"
        return Answer(kind=kind, subject=subject, server=server, result=Result.FAILED, reason=reason)
    first = {what: values[0] if values else "" for what, values in found.items()}
    registrar = clean(first["registrar"])
    return Answer(
        kind=kind,
        subject=subject,
        server=server,
        result=Result.FOUND,
        registrar=registrar,
        holder=_holder(first),
        country=clean_country(first["country"]),
        created=moment(first["created"]),
        expires=moment(first["expires"]),
        statuses=texts(_status(value) for value in statuses),
        name_servers=host_names(word for value in found["servers"] for word in value.split()),
        signed=_SIGNED.get(first["signed"].lower()),
        ds=texts(value for value in found["ds"] if _DS.fullmatch(value)),
        contacts=_abuse(first, registrar, server),
    )


def _status(value: str) -> str:
    """Return a status without the URL behind it, which says what it means; blanks are single before it is looked for.

    Of a long row of them a pattern would try each beginning.
    """
    return re.split(r" \(?https?:", clean(value), maxsplit=1)[0]


def _holder(first: dict[str, str]) -> str:
    """Return the organisation that holds a name; a holder who may be a person is left out."""
    organisation, holder = clean(first["organisation"]), clean(first["holder"])
    if organisation and not is_hidden(organisation):
        return organisation
    return holder if is_organisation(holder) and not is_hidden(holder) else ""


def _abuse(first: dict[str, str], registrar: str, server: str) -> tuple[FoundContact, ...]:
    """Return the abuse contact of the registrar, if it has an address or a telephone."""
    email, telephone = clean_email(first["abuse email"]), clean(first["abuse phone"])
    if not (email or telephone):
        return ()
    source = f"registrar at {server}"
    return (FoundContact(role="abuse", name=registrar, email=email, telephone=telephone, source=source),)
