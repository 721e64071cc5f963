"""What conditions may look at: every fact with its type and one line about it, and how a reading becomes facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from abuse_triage.model.decision import TicketKind
from abuse_triage.model.identity import Contact
from abuse_triage.model.lookups import DirectoryEntry
from abuse_triage.model.message import Authentication, Envelope, Header, Place
from abuse_triage.model.openpgp import UNPROTECTED, Protection
from abuse_triage.model.report import Indicator, Kind, Reading, Scope
from abuse_triage.rules.complaints import did_you_mean

FactValue = str | int | bool | tuple[str, ...]
Facts = Mapping[str, FactValue]


class FactType(StrEnum):
    """What kind of value a fact has; an absent fact has the empty value of its type."""

    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that rules may name: its type and one line for the reference.

    `absent` is the value of a number that nobody knows.
    """

    type: FactType
    doc: str
    absent: int = 0


def _indicator_facts() -> dict[str, Fact]:
    facts = {}
    for kind in Kind:
        facts[f"indicators.{kind}"] = Fact(FactType.TEXTS, f"values of the indicators of kind {kind}, normalised")
        facts[f"indicators.{kind}.count"] = Fact(FactType.NUMBER, f"how many indicators of kind {kind} there are")
    return facts


FACTS: Mapping[str, Fact] = {
    "subject": Fact(FactType.TEXT, "the decoded subject"),
    "text": Fact(FactType.TEXT, "subject and body.new together: what the sender says"),
    "body.new": Fact(FactType.TEXT, "the text without quoted lines and signature"),
    "body.all": Fact(FactType.TEXT, "all readable text"),
    "lang": Fact(FactType.TEXT, 'likely language of the text: "pt", "en" or ""'),
    "from.addr": Fact(FactType.TEXT, "address in From, lower case"),
    "from.domain": Fact(FactType.TEXT, "domain of the address in From"),
    "from.name": Fact(FactType.TEXT, "display name in From"),
    "envelope.from": Fact(FactType.TEXT, "reverse-path of the envelope, empty for the null reverse-path"),
    "auth.spf": Fact(FactType.TEXT, "result of SPF by our own MTA or our own check: pass, fail, none, temperror …"),
    "auth.dkim": Fact(FactType.TEXT, "result of DKIM by our own MTA or our own check"),
    "auth.dmarc": Fact(FactType.TEXT, "result of DMARC by our own MTA or our own check"),
    "auth.aligned": Fact(FactType.FLAG, "whether the domain in From is proven, by DMARC or by what passed for it"),
    "auth.forged": Fact(FactType.FLAG, "whether SPF or DMARC failed and no signature of the domain in From holds"),
    "contact.name": Fact(FactType.TEXT, "the contact that wrote, proven; empty where it is none"),
    "contact.kind": Fact(FactType.TEXT, "what that contact is: team or robot"),
    "reporter.kind": Fact(
        FactType.TEXT,
        "what the reporter is in the contact directory, proven: cctld, csirt, national-csirt, registrar, "
        "law-enforcement, customer or other; empty where unknown or not proven",
    ),
    "reporter.organisation": Fact(FactType.TEXT, "the organisation of that reporter"),
    "reporter.country": Fact(FactType.TEXT, "the country of that reporter, two capitals"),
    "openpgp.form": Fact(FactType.TEXT, "how OpenPGP is wrapped in it: pgp-mime-signed, deeper …; empty for none"),
    "openpgp.encrypted": Fact(FactType.TEXT, "whether it was encrypted: yes, no or failed"),
    "openpgp.signature": Fact(FactType.TEXT, "what the signature is: none, good, bad, expired-key, unknown-key …"),
    "openpgp.signer": Fact(
        FactType.TEXT, "fingerprint of the key that signed; proves who wrote only with openpgp.verified"
    ),
    "openpgp.source": Fact(FactType.TEXT, "how that key is known: pinned, ring, attached or wkd"),
    "openpgp.from_match": Fact(FactType.FLAG, "whether that key belongs to the address in From"),
    "openpgp.headers": Fact(FactType.TEXT, "what protected headers say of the others: none, match or mismatch"),
    "openpgp.replayed": Fact(FactType.FLAG, "whether the same signature or ciphertext came before in another message"),
    "openpgp.verified": Fact(FactType.FLAG, "whether a pinned key proves that whoever stands in From wrote all of it"),
    "spam.upstream": Fact(FactType.FLAG, "whether a spam filter before us said spam; a claim, so only good against"),
    "mailbox.address": Fact(FactType.TEXT, "the mailbox that was written to"),
    "mailbox.kind": Fact(FactType.TEXT, "what that mailbox is for: incident or enquiry"),
    "automatic": Fact(FactType.TEXT, "bounce, auto-reply, list, robot or loop; empty for a person's mail"),
    "message.readable": Fact(FactType.FLAG, "whether the message could be decoded"),
    "message.truncated": Fact(FactType.FLAG, "whether only its beginning was kept"),
    "report.format": Fact(FactType.TEXT, "the reader that took it: arf, plain, unreadable …"),
    "report.type": Fact(FactType.TEXT, "what the format itself calls the kind of abuse"),
    "attachments.name": Fact(FactType.TEXTS, "names of the attachments as given"),
    "attachments.type": Fact(FactType.TEXTS, "declared and detected types of the attachments"),
    "attachments.count": Fact(FactType.NUMBER, "how many attachments there are"),
    "indicators.count": Fact(FactType.NUMBER, "how many indicators there are"),
    **_indicator_facts(),
    "scope.any": Fact(FactType.FLAG, "whether the report points at something of ours"),
    "scope.registry": Fact(FactType.FLAG, "whether it points at a name below our domains"),
    "scope.name_server": Fact(FactType.FLAG, "whether it points at one of our name servers"),
    "scope.network": Fact(FactType.FLAG, "whether it points at an address in our networks"),
    "scope.asn": Fact(FactType.TEXTS, "numbers of our autonomous systems that it points into"),
    "lookup.done": Fact(FactType.FLAG, "whether look-ups about it have been answered"),
    "lookup.country": Fact(FactType.TEXTS, "countries of its addresses and networks, two capitals"),
    "lookup.asn": Fact(FactType.TEXTS, "numbers of the autonomous systems of its addresses, without AS"),
    "lookup.network": Fact(FactType.TEXTS, "names of the networks of its addresses"),
    "lookup.holder": Fact(FactType.TEXTS, "holders of its networks, autonomous systems and names"),
    "lookup.registrar": Fact(FactType.TEXTS, "registrars and managing entities of its names"),
    "lookup.owner": Fact(FactType.TEXTS, "owners of its addresses and names by your own table"),
    "lookup.name_server": Fact(FactType.TEXTS, "name servers of its names"),
    "lookup.age": Fact(
        FactType.NUMBER,
        "days since the youngest of its names was registered; -1 where that is not known, so ask for gte: 0 as well",
        absent=-1,
    ),
    "lookup.unsigned": Fact(FactType.FLAG, "whether a name of ours has no signed delegation"),
    "marking.tlp": Fact(FactType.TEXT, "the strictest TLP marking in the message, such as amber; empty for none"),
    "thread.ours": Fact(FactType.FLAG, "whether it answers a mail of ours, proven by our signature"),
    "thread.ticket": Fact(FactType.FLAG, "whether its subject has the number of one of our tickets"),
    "decision.category": Fact(FactType.TEXT, "route only: the category that was decided"),
    "decision.type": Fact(FactType.TEXT, "route only: the type that was decided"),
    "decision.score": Fact(FactType.NUMBER, "route only: the points of that category"),
    "decision.review": Fact(FactType.FLAG, "route only: whether a person is asked to look"),
    "decision.tags": Fact(FactType.TEXTS, "route only: the tags of the mark rules"),
    "decision.tlp": Fact(FactType.TEXT, "route only: the TLP that was decided"),
}
"""Every fact with a fixed name."""

FAMILIES: Mapping[str, Fact] = {
    "header.": Fact(FactType.TEXTS, "header.<name>: the values of that header field, name in lower case"),
    "report.field.": Fact(FactType.TEXTS, "report.field.<name>: the format's own field of that name, in lower case"),
}
"""Facts whose name ends in one that the message brings along."""


_SPAM_VERDICTS: Mapping[str, tuple[str, ...]] = {
    "x-spam-flag": ("yes", "true"),
    "x-spam-status": ("yes",),
    "x-spam": ("yes", "true"),
    "x-spamd-result": ("default: true",),
    "x-rspamd-action": ("add header", "rewrite subject", "reject", "soft reject", "quarantine"),
    "x-barracuda-spam-flag": ("yes",),
    "x-ms-exchange-organization-scl": ("5", "6", "7", "8", "9"),
}
"""How the verdict "spam" begins in the fields of SpamAssassin, Rspamd, Barracuda and Exchange, lower case."""


def fact(name: str) -> Fact | None:
    """Return the fact of this name, None where there is none."""
    found = FACTS.get(name)
    if found is None and name == name.lower():
        found = next((family for start, family in FAMILIES.items() if name.startswith(start) and name != start), None)
    return found


def typed(known: Fact, value: object) -> FactValue:
    """Return a value of a rule file as the fact's own type; raises `ValueError` saying what the fact is."""
    match known.type, value:
        case FactType.FLAG, bool():
            return value
        case FactType.NUMBER, int() if not isinstance(value, bool):
            return value
        case FactType.TEXT, str() | int() if not isinstance(value, bool):
            return str(value)
        case FactType.TEXTS, list():
            return tuple(str(item) for item in value)
        case FactType.TEXTS, str() | int() if not isinstance(value, bool):
            return (str(value),)
    raise ValueError(f"it is a {known.type} (here: {value!r})")


def suggestion(name: str) -> str:
    """Return '; did you mean "…"?' for a name that is no fact, "" where nothing is near."""
    if fact(name.lower()):
        return f'; did you mean "{name.lower()}"?'
    return did_you_mean(name.lower(), [*FACTS, *(f"{start}<name>" for start in FAMILIES)])


def facts_of(
    reading: Reading,
    envelope: Envelope,
    scopes: Sequence[Scope],
    *,
    mailbox: str,
    mailbox_kind: TicketKind,
    automatic_kind: str,
    authentication: Authentication,
    contact: Contact | None,
    truncated: bool,
    answers_ours: bool,
    mentions_ticket: bool,
    protection: Protection = UNPROTECTED,
    reporter: DirectoryEntry | None = None,
) -> dict[str, FactValue]:
    """Return the facts of one message.

    `scopes` goes with `reading.indicators`, one for each, in order. `automatic_kind` says which kind of robot wrote,
    "" for a person. `contact` is the one that is proven to have written. `protection` is what OpenPGP proves.
    `reporter` is the entry of the contact directory for whoever is proven to have written. The facts `lookup.*` are
    added by whoever knows the answers.
    """
    report = reading.report
    facts: dict[str, FactValue] = {
        "subject": reading.subject,
        "body.new": report.new_text,
        "body.all": report.text,
        "lang": report.language,
        "from.addr": reading.sender.email,
        "from.domain": reading.sender.domain,
        "from.name": reading.sender.name,
        "envelope.from": envelope.sender,
        "auth.spf": authentication.spf,
        "auth.dkim": authentication.dkim,
        "auth.dmarc": authentication.dmarc,
        "auth.aligned": authentication.aligned,
        "auth.forged": authentication.forged,
        "contact.name": contact.name if contact else "",
        "contact.kind": contact.kind if contact else "",
        "reporter.kind": str(reporter.kind) if reporter else "",
        "reporter.organisation": reporter.organisation if reporter else "",
        "reporter.country": reporter.country if reporter else "",
        "openpgp.form": str(protection.form or ""),
        "openpgp.encrypted": str(protection.encrypted),
        "openpgp.signature": str(protection.signature),
        "openpgp.signer": protection.signer,
        "openpgp.source": str(protection.source),
        "openpgp.from_match": protection.from_match,
        "openpgp.headers": str(protection.headers),
        "openpgp.replayed": protection.replayed,
        "openpgp.verified": protection.verified,
        "spam.upstream": any(_says_spam(header) for header in reading.headers),
        "mailbox.address": mailbox,
        "mailbox.kind": str(mailbox_kind),
        "automatic": automatic_kind,
        "message.readable": reading.readable,
        "message.truncated": truncated,
        "report.format": report.format,
        "report.type": report.type,
        "attachments.name": tuple(part.name for part in reading.attachments if part.name),
        "attachments.type": _attachment_types(reading),
        "attachments.count": len(reading.attachments),
        "marking.tlp": str(max((marking.tlp for marking in reading.markings), default="")),
        "thread.ours": answers_ours,
        "thread.ticket": mentions_ticket,
    }
    facts.update(_families(reading))
    facts.update(_counted(reading.indicators))
    facts.update(_scoped(reading.indicators, scopes))
    return facts


def _says_spam(header: Header) -> bool:
    """Tell whether a field is a spam filter's verdict that the message is spam; anybody may have written it."""
    words = _SPAM_VERDICTS.get(header.name)
    return words is not None and header.value.strip().lower().startswith(words)


def _attachment_types(reading: Reading) -> tuple[str, ...]:
    types = [name for part in reading.attachments for name in (part.content_type, part.detected_type) if name]
    return tuple(dict.fromkeys(types))


def _families(reading: Reading) -> dict[str, FactValue]:
    values: dict[str, list[str]] = {}
    for header in reading.headers:
        values.setdefault(f"header.{header.name}", []).append(header.value)
    for name, value in reading.report.fields:
        values.setdefault(f"report.field.{name}", []).append(value)
    return {name: tuple(found) for name, found in values.items()}


def _counted(indicators: Sequence[Indicator]) -> dict[str, FactValue]:
    values: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    for indicator in indicators:
        values[indicator.kind].append(indicator.value)
    facts: dict[str, FactValue] = {"indicators.count": len(indicators)}
    for kind, found in values.items():
        facts[f"indicators.{kind}"] = tuple(found)
        facts[f"indicators.{kind}.count"] = len(found)
    return facts


def _scoped(indicators: Sequence[Indicator], scopes: Sequence[Scope]) -> dict[str, FactValue]:
    """Look at what the report points at.

    What stood in the message's own header only is the way that the mail took, and e-mail addresses are mostly those of
    reporters and victims: neither makes a report ours.
    """
    ours = [
        scope
        for indicator, scope in zip(indicators, scopes, strict=False)
        if scope.ours and indicator.kind is not Kind.EMAIL and indicator.places != (Place.HEADER,)
    ]
    return {
        "scope.any": bool(ours),
        "scope.registry": any(scope.registry for scope in ours),
        "scope.name_server": any(scope.name_server for scope in ours),
        "scope.network": any(scope.asn for scope in ours),
        "scope.asn": tuple(dict.fromkeys(str(scope.asn) for scope in ours if scope.asn)),
    }
