"""What could be asked about a report follows from its indicators and from whose they are."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest

from abuse_triage.enrichment.questions import further, questions, subjects
from abuse_triage.indicators.extract import extract
from abuse_triage.indicators.scope import Constituency
from abuse_triage.model.decision import Tlp
from abuse_triage.model.identity import AutonomousSystem, NameServer, ScopeSettings
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import Answer, FoundContact, Known, LookupKind, Result
from abuse_triage.model.message import Place

OURS = Constituency(
    ScopeSettings(
        domains=("pt",),
        second_level=("com.pt", "bairro.pt"),
        autonomous_system=(AutonomousSystem(asn=64500, networks=(ip_network("9.1.0.0/16"),)),),
        name_server=(NameServer(name="a.dns.example.pt", addresses=(ip_address("9.2.0.53"),)),),
    )
)
NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
ALL = LookupSettings(enabled=True, resolver=("127.0.0.1:53",), own_whois="whois.example.pt:43")


def _asked(
    text: str, place: Place = Place.BODY, settings: LookupSettings = ALL, apart: tuple[str, ...] = ()
) -> list[str]:
    indicators, _ = extract([(place, text)], 50)
    found = subjects(indicators, [OURS.of(one) for one in indicators], OURS, apart=apart)
    return [f"{kind} {subject}" for kind, subject in questions(found, settings)]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("9.9.9.9", ["network 9.9.9.9", "pointer 9.9.9.9"]),
        ("2a00:1::7", ["network 2a00:1::7", "pointer 2a00:1::7"]),
        ("::ffff:9.9.9.9", ["network 9.9.9.9", "pointer 9.9.9.9"]),
        ("64:ff9b::909:909", ["network 9.9.9.9", "pointer 9.9.9.9"]),
        ("2002:909:909::1", ["network 9.9.9.9", "pointer 9.9.9.9"]),
        ("http://9.9.9.9:8080/x", ["network 9.9.9.9", "pointer 9.9.9.9"]),
        ("9.1.2.3", []),
        ("9.2.0.53", []),
        ("192.0.2.7", []),
        ("10.1.2.3", []),
        ("100.64.1.1", []),
        (
            "https://t0k3n-of-a-victim.login.example.org/a?b",
            ["domain example.org", "delegation example.org", "hosts example.org"],
        ),
        (
            "www.loja.com.pt",
            ["own-domain loja.com.pt", "delegation loja.com.pt", "hosts loja.com.pt"],
        ),
        (
            "https://casa.rua.bairro.pt/",
            ["own-domain rua.bairro.pt", "delegation rua.bairro.pt", "hosts rua.bairro.pt"],
        ),
        (
            "www.crédito.pt",
            ["own-domain xn--crdito-cva.pt", "delegation xn--crdito-cva.pt", "hosts xn--crdito-cva.pt"],
        ),
        ("someone@example.org", []),
        ("https://com.pt/", []),
        ("https://server.internal/", []),
        ("https://x.onion/", []),
    ],
)
def test_what_is_asked(text: str, asked: list[str]) -> None:
    """Registrable names and real addresses of others are asked about, and nothing else ever is."""
    assert asked == _asked(text)


def test_each_question_once() -> None:
    """A subject that stands there many times is asked about once."""
    assert ["domain example.org", "delegation example.org", "hosts example.org"] == _asked(
        "https://a.example.org/ https://b.example.org/ example.org"
    )


def test_the_way_of_the_mail_is_no_reason_to_ask() -> None:
    """What stands in header lines only is not asked about; what stands in the text too is."""
    assert [] == _asked("9.9.9.9", Place.HEADER)
    assert ["network 9.9.9.9", "pointer 9.9.9.9"] == _asked("9.9.9.9", Place.ATTACHMENT)


def test_the_sender_s_own_name_is_not_asked_about() -> None:
    """Whoever signs with the address of a web site does not report it."""
    assert [] == _asked("https://www.example.org/", apart=("example.org",))


def test_only_whom_the_settings_name_is_asked() -> None:
    """Without resolver nothing is asked of DNS, and without a WHOIS server of ours nothing about our names."""
    assert ["network 9.9.9.9", "domain example.org"] == _asked(
        "9.9.9.9 https://example.org/ https://loja.pt/", settings=LookupSettings(enabled=True)
    )


def test_where_look_ups_are_off_nothing_is_asked() -> None:
    """Without lookups.enabled there is no question."""
    assert [] == _asked("9.9.9.9 https://example.org/", settings=LookupSettings(own_whois="whois.example.pt:43"))


def test_kinds_of_dns_need_a_resolver() -> None:
    """Every kind that asks DNS is one that a missing resolver switches off."""
    dns = {LookupKind.DELEGATION, LookupKind.HOSTS, LookupKind.POINTER}
    asked = _asked("9.9.9.9 https://example.org/", settings=LookupSettings(enabled=True))
    assert not dns & {LookupKind(line.split()[0]) for line in asked}


def _network(**values: object) -> dict[tuple[LookupKind, str], Known]:
    """Know the network of 9.9.9.9 by an answer with some values."""
    question = (LookupKind.NETWORK, "9.9.9.9")
    given = {"kind": question[0], "subject": question[1], "server": "", "result": Result.FOUND, "registry": "ripe"}
    answer = Answer(**{**given, **values})
    return {question: Known(answer=answer, asked_at=NOW, fresh_until=NOW, stale_until=NOW, tlp=Tlp.CLEAR)}


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({}, True),
        ({"contacts": (FoundContact(role="technical", email="noc@redes.example"),)}, True),
        ({"contacts": (FoundContact(role="abuse"),)}, True),
        ({"contacts": (FoundContact(role="abuse", email="abuse@redes.example"),)}, False),
        ({"registry": "arin"}, False),
        ({"result": Result.NOT_FOUND}, False),
    ],
)
def test_ripe_is_asked_who_takes_reports_where_rdap_names_nobody(values: dict[str, object], asked: bool) -> None:
    """Whoever learns of such a network from the cache asks that question, too."""
    questions_of = [(LookupKind.NETWORK, "9.9.9.9"), (LookupKind.POINTER, "9.9.9.9")]
    expected = ((LookupKind.ABUSE_CONTACT, "9.9.9.9"),) if asked else ()
    assert expected == further(questions_of, _network(**values), ALL)
    assert () == further(questions_of, _network(**values), LookupSettings(enabled=True, abuse_contacts=""))
    assert () == further(questions_of, {}, ALL)
