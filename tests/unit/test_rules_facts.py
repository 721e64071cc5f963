"""A reading becomes facts; every fact has a type and a line of explanation."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from abuse_triage.enrichment.late import late_facts
from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.model.identity import Contact
from abuse_triage.model.lookups import NOTHING_KNOWN, ContactKind, DirectoryEntry
from abuse_triage.model.message import Address, Authentication, Channel, Envelope, Header, Place
from abuse_triage.model.report import Attachment, Indicator, Kind, Marking, Reading, Report, Scope
from abuse_triage.rules.facts import FACTS, FAMILIES, Fact, FactType, FactValue, fact, facts_of, suggestion, typed

ENVELOPE = Envelope(sender="ana@example.org", recipients=("abuse@example.pt",), channel=Channel.SMTP)
OURS = Scope(ours=True, reason="below .pt", registry="pt")
NETWORK = Scope(ours=True, reason="AS64500", asn=64500)
SERVER = Scope(ours=True, reason="ns1.example.pt", name_server="ns1.example.pt")
FOREIGN = Scope(ours=False, reason="not ours")


def indicator(kind: Kind, value: str, *places: Place) -> Indicator:
    """Return an indicator as it stood in the text, or elsewhere."""
    return Indicator(kind=kind, value=value, seen=value, places=places or (Place.BODY,))


def reading(*indicators: Indicator) -> Reading:
    """Return a reading with some indicators."""
    return Reading(
        headers=(Header("received", "from a"), Header("received", "from b"), Header("x-tlp", "AMBER")),
        subject="Página falsa",
        sender=Address("Ana", "ana@example.org"),
        message_id="1@example.org",
        in_reply_to=(),
        references=(),
        date=None,
        content_type="text/plain",
        report=Report(
            format="arf",
            reason="it says so",
            text="all",
            new_text="new",
            language="pt",
            type="fraud",
            fields=(("source-ip", "192.0.2.1"), ("reported-uri", "a"), ("reported-uri", "b")),
        ),
        indicators=indicators,
        markings=(
            Marking(tlp=Tlp.AMBER, seen="AMBER", place=Place.HEADER),
            Marking(tlp=Tlp.GREEN, seen="x", place=Place.BODY),
        ),
        attachments=(
            Attachment(name="a.pdf", content_type="application/pdf", detected_type="", size=1, sha256="0"),
            Attachment(name="", content_type="text/plain", detected_type="application/zip", size=1, sha256="1"),
        ),
        fingerprint="f",
    )


def facts(
    message: Reading, *scopes: Scope, truncated: bool = False, reporter: DirectoryEntry | None = None
) -> dict[str, FactValue]:
    """Return the facts of a reading in usual circumstances."""
    return facts_of(
        message,
        ENVELOPE,
        scopes,
        mailbox="abuse@example.pt",
        mailbox_kind=TicketKind.INCIDENT,
        automatic_kind="robot",
        authentication=Authentication(spf="pass", dmarc="fail"),
        contact=Contact(name="CERT Example", domains=("example.org",)),
        truncated=truncated,
        answers_ours=True,
        mentions_ticket=False,
        reporter=reporter,
    )


def test_facts_of_a_message() -> None:
    """Every fact of a message is there, with the value that the message has."""
    expected: dict[str, FactValue] = {
        "subject": "Página falsa",
        "body.new": "new",
        "body.all": "all",
        "lang": "pt",
        "from.addr": "ana@example.org",
        "from.domain": "example.org",
        "from.name": "Ana",
        "envelope.from": "ana@example.org",
        "auth.spf": "pass",
        "auth.dkim": "none",
        "auth.dmarc": "fail",
        "auth.aligned": False,
        "auth.forged": True,
        "contact.name": "CERT Example",
        "contact.kind": "team",
        "spam.upstream": False,
        "mailbox.address": "abuse@example.pt",
        "mailbox.kind": "incident",
        "automatic": "robot",
        "message.readable": True,
        "message.truncated": False,
        "report.format": "arf",
        "report.type": "fraud",
        "attachments.name": ("a.pdf",),
        "attachments.type": ("application/pdf", "text/plain", "application/zip"),
        "attachments.count": 2,
        "marking.tlp": "amber",
        "thread.ours": True,
        "thread.ticket": False,
        "header.received": ("from a", "from b"),
        "header.x-tlp": ("AMBER",),
        "report.field.source-ip": ("192.0.2.1",),
        "report.field.reported-uri": ("a", "b"),
        "reporter.kind": "",
        "reporter.organisation": "",
        "reporter.country": "",
        "openpgp.form": "",
        "openpgp.encrypted": "no",
        "openpgp.signature": "none",
        "openpgp.signer": "",
        "openpgp.source": "",
        "openpgp.from_match": False,
        "openpgp.headers": "none",
        "openpgp.replayed": False,
        "openpgp.verified": False,
        "indicators.count": 2,
        "indicators.domain": (),
        "indicators.domain.count": 0,
        "indicators.ipv4": ("192.0.2.1", "192.0.2.2"),
        "indicators.ipv4.count": 2,
        "indicators.ipv6": (),
        "indicators.ipv6.count": 0,
        "indicators.url": (),
        "indicators.url.count": 0,
        "indicators.email": (),
        "indicators.email.count": 0,
        "scope.any": True,
        "scope.registry": False,
        "scope.name_server": True,
        "scope.network": True,
        "scope.asn": ("64500",),
    }

    assert expected == facts(
        reading(indicator(Kind.IPV4, "192.0.2.1"), indicator(Kind.IPV4, "192.0.2.2")), NETWORK, SERVER
    )


def test_every_fact_of_a_message_is_documented() -> None:
    """What messages bring is in the registry with its type, and the registry has nothing else but what is derived."""
    found = facts(reading(indicator(Kind.IPV4, "192.0.2.1")), NETWORK)
    types = {str: FactType.TEXT, bool: FactType.FLAG, int: FactType.NUMBER, tuple: FactType.TEXTS}

    for name, value in found.items():
        known = fact(name)
        assert known is not None
        assert types[type(value)] is known.type
    later = ("decision.", "lookup.")
    assert {name for name in FACTS if name not in found} == {"text", *(n for n in FACTS if n.startswith(later))}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-spam-flag", "YES", True),
        ("x-spam-flag", "NO", False),
        ("x-spam-status", "Yes, score=9.1 required=5.0", True),
        ("x-spam-status", "No, score=-1 tests=YES_WE_CAN", False),
        ("x-spam", "Yes", True),
        ("x-spamd-result", "default: True [15.10 / 15.00];", True),
        ("x-spamd-result", "default: False [1.10 / 15.00];", False),
        ("x-rspamd-action", "add header", True),
        ("x-rspamd-action", "no action", False),
        ("x-ms-exchange-organization-scl", "9", True),
        ("x-ms-exchange-organization-scl", "-1", False),
        ("x-spam-report", "yes", False),
    ],
)
def test_a_spam_filter_before_us_is_heard(name: str, value: str, expected: bool) -> None:
    """The usual filters' verdict "spam" is a fact, their other words are not."""
    message = replace(reading(), headers=(Header(name, value),))
    assert expected is facts(message)["spam.upstream"]


@pytest.mark.parametrize(
    ("what", "scope", "names"),
    [
        (indicator(Kind.URL, "https://example.pt/"), OURS, ["scope.any", "scope.registry"]),
        (indicator(Kind.DOMAIN, "example.pt", Place.QUOTED), OURS, ["scope.any", "scope.registry"]),
        (indicator(Kind.DOMAIN, "example.pt", Place.HEADER), OURS, []),
        (indicator(Kind.DOMAIN, "example.pt", Place.HEADER, Place.BODY), OURS, ["scope.any", "scope.registry"]),
        (indicator(Kind.EMAIL, "ana@example.pt"), OURS, []),
        (indicator(Kind.IPV4, "192.0.2.1"), FOREIGN, []),
        (indicator(Kind.IPV4, "192.0.2.53"), SERVER, ["scope.any", "scope.name_server"]),
        (indicator(Kind.IPV4, "192.0.2.1"), NETWORK, ["scope.any", "scope.network"]),
    ],
)
def test_scope(what: Indicator, scope: Scope, names: list[str]) -> None:
    """A report is ours for what it points at: neither for the way it took nor for e-mail addresses."""
    found = facts(reading(what), scope)

    assert names == [name for name, value in found.items() if name.startswith("scope.") and value is True]


def test_truncated_messages() -> None:
    """The beginning of a message says that it is only that."""
    assert facts(reading(), truncated=True)["message.truncated"] is True


def test_a_reporter_of_the_directory() -> None:
    """Kind, organisation and country of a proven reporter are facts."""
    entry = DirectoryEntry(
        email="csirt@registry.example", kind=ContactKind.CCTLD, organisation="Example Registry", country="BR"
    )

    found = facts(reading(), reporter=entry)

    assert ("cctld", "Example Registry", "BR") == tuple(
        found[f"reporter.{name}"] for name in ("kind", "organisation", "country")
    )


def test_every_late_fact_is_documented() -> None:
    """What look-ups bring has its line, and an age that nobody knows is not the age of a new name."""
    found = late_facts(NOTHING_KNOWN, datetime(2026, 11, 22, tzinfo=UTC))

    assert {name for name in FACTS if name.startswith("lookup.")} == set(found)
    assert found["lookup.age"] == FACTS["lookup.age"].absent


def test_no_marking() -> None:
    """Without a marking the fact is empty."""
    message = reading()
    object.__setattr__(message, "markings", ())

    assert "" == facts(message)["marking.tlp"]


def test_families() -> None:
    """Names of headers and fields are part of the fact's name, in lower case."""
    assert FAMILIES["header."] == fact("header.list-id")
    assert FAMILIES["report.field."] == fact("report.field.source-ip")
    assert fact("header.") is None
    assert fact("header.List-Id") is None
    assert fact("nothing") is None


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("subjct", '; did you mean "subject"?'),
        ("Subject", '; did you mean "subject"?'),
        ("scope.nameserver", '; did you mean "scope.name_server"?'),
        ("xyzzy", ""),
    ],
)
def test_suggestions(name: str, proposed: str) -> None:
    """The nearest name is proposed, if any is near."""
    assert proposed == suggestion(name)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (FactType.TEXT, "a", "a"),
        (FactType.TEXT, 5, "5"),
        (FactType.TEXTS, "a", ("a",)),
        (FactType.TEXTS, 5, ("5",)),
        (FactType.TEXTS, ["a", 5], ("a", "5")),
        (FactType.NUMBER, 5, 5),
        (FactType.FLAG, False, False),
    ],
)
def test_values_of_tests_become_typed(kind: FactType, value: object, expected: FactValue) -> None:
    """What a test writes becomes what a message would bring."""
    assert expected == typed(Fact(kind, "…"), value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FactType.TEXT, True),
        (FactType.TEXT, ["a"]),
        (FactType.TEXTS, True),
        (FactType.NUMBER, True),
        (FactType.NUMBER, "5"),
        (FactType.FLAG, 1),
        (FactType.FLAG, "true"),
    ],
)
def test_values_of_another_type(kind: FactType, value: object) -> None:
    """A value that the fact can never have is refused."""
    with pytest.raises(ValueError, match=f"it is a {kind}"):
        typed(Fact(kind, "…"), value)
