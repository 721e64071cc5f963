"""Registrable names at their registries, against a real RDAP server, with whoisit as the other opinion."""

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import whoisit
from hypothesis import given
from hypothesis import strategies as st
from servers import rdap, registries
from servers.rdap import RdapServer
from servers.whois import WhoisServer
from whoisit.parser import parse as other_opinion

from abuse_triage import __version__
from abuse_triage.lookups.bootstrap import Bootstrap, Services
from abuse_triage.lookups.domains import Domains, parse
from abuse_triage.lookups.transport import Transport
from abuse_triage.lookups.whoisdomains import WhoisDomains
from abuse_triage.model.lookups import LONGEST_TEXT, MOST_ITEMS, Answer, FoundContact, LookupKind, Result

SECONDS = 5.0
NAME = "example.org"


@pytest.fixture
def server() -> Iterator[RdapServer]:
    """The registry of .org on loopback."""
    with RdapServer() as server:
        server.domains["org"] = {NAME: registries.domain(NAME)}
        yield server


def client(server: RdapServer, overrides: Mapping[str, str] | None = None, *, limit: int = 500_000) -> Domains:
    """Return a client of a server, by default for .org."""
    configured = {"org": server.base("org")} if overrides is None else overrides
    transport = Transport(server.reach(), limit=limit, configured=configured.values())
    return Domains(configured, Bootstrap([]), transport)


def read(document: object, subject: str = NAME) -> Answer:
    """Return what a document says."""
    return parse(document, subject=subject, server="rdap.example")


def test_everything_that_a_registry_tells(server: RdapServer) -> None:
    """One question brings registrar, dates, statuses, name servers, DNSSEC and the registrar's abuse contact."""
    assert Answer(
        kind=LookupKind.DOMAIN,
        subject=NAME,
        server="127.0.0.1",
        result=Result.FOUND,
        registrar="Example Registrar, Inc.",
        holder="Example Shop",
        created=datetime(2019, 3, 4, 10, 11, 12, tzinfo=UTC),
        expires=datetime(2027, 3, 4, 10, 11, 12, tzinfo=UTC),
        statuses=("client transfer prohibited",),
        name_servers=("ns1.example.org", "ns2.example.net"),
        ds=(f"12345 13 2 {'AB' * 32}",),
        signed=True,
        contacts=(
            FoundContact(
                role="abuse",
                email="abuse@registrar.example",
                telephone="+1.5555550100",
                source="RDAP abuse role of 9999, registrar",
            ),
            FoundContact(role="registrar", name="Example Registrar, Inc.", source="RDAP registrar role of 9999"),
            FoundContact(
                role="registrant", name="Example Shop", source="RDAP registrant role of REDACTED", personal=True
            ),
        ),
    ) == client(server).ask(NAME, SECONDS)
    assert ["/org/domain/example.org"] == server.paths


def test_whom_to_ask_is_known_without_asking(server: RdapServer) -> None:
    """The configuration counts before IANA's list, the longest end of a name first, and WHOIS last."""
    listed = Bootstrap([Services("dns.json", datetime(2026, 11, 1, tzinfo=UTC), {"org": "https://rdap.example:443/"})])
    overrides = {"net": "http://127.0.0.1:1/", "co.net": "http://[::1]:2/x", "info": ""}
    whois = WhoisDomains({"pt": "WHOIS.example:43", "info": "whois.info.example:43"}, lambda *_: ())
    domains = Domains(overrides, listed, Transport(server.reach(), limit=1), whois)
    assert "rdap.example" == domains.server("example.org")
    assert "127.0.0.1" == domains.server("example.net")
    assert "::1" == domains.server("example.co.net")
    assert "whois.info.example" == domains.server("example.info")
    assert "whois.example" == domains.server("example.pt")
    assert "" == domains.server("example.com")
    assert "" == Domains({}, listed, Transport(server.reach(), limit=1)).server("example.pt")
    assert [] == server.asked


def test_names_without_a_server(server: RdapServer) -> None:
    """Where nobody is known nobody is asked."""
    answer = client(server).ask("example.com", SECONDS)
    assert (Result.FAILED, "", "no server is known for this name") == (answer.result, answer.server, answer.reason)
    assert [] == server.asked


def test_whois_where_there_is_no_rdap(server: RdapServer) -> None:
    """The answer is that of the WHOIS server of the configuration."""
    with WhoisServer() as port43:
        whois = WhoisDomains({"org": port43.address}, lambda *_: ())
        domains = Domains({"org": ""}, Bootstrap([]), Transport(server.reach(), limit=1), whois)
        assert "Example Registrar, Inc." == domains.ask(NAME, SECONDS).registrar
    assert [] == server.asked


@pytest.mark.parametrize("name", ["../ip/192.0.2.1.org", "a b.org", "EXAMPLE.org", "a.org?x=y", "a.org\r\nX: y.org"])
def test_nothing_but_a_name_gets_into_the_path(server: RdapServer, name: str) -> None:
    """What is no name is not asked about."""
    assert Result.FAILED == client(server).ask(name, SECONDS).result
    assert [] == server.asked


def test_no_such_name(server: RdapServer) -> None:
    """Status 404 is an answer."""
    assert Result.NOT_FOUND == client(server).ask("free-example.org", SECONDS).result


@pytest.mark.parametrize("code", [400, 422])
def test_a_name_that_there_cannot_be(server: RdapServer, code: int) -> None:
    """A registry that takes a question for nonsense works well, and is not to be left alone for that."""
    server.faults["/"] = rdap.status(code)
    answer = client(server).ask("xn--a.org", SECONDS)
    assert (Result.NOT_FOUND, True) == (answer.result, answer.reason.endswith("there can be no such name"))


def test_an_answer_about_another_name_is_none(server: RdapServer) -> None:
    """Nor is one about something else than a name."""
    for document in (
        registries.domain("other.org"),
        registries.network("192.0.2.0/24", "NET", "NAME"),
        {**registries.domain(NAME), "objectClassName": "entity"},
        {**registries.domain(NAME), "ldhName": None},
        {},
        [],
        "text",
    ):
        server.faults["/"] = rdap.json_body(document)
        answer = client(server).ask(NAME, SECONDS)
        assert (Result.FAILED, "127.0.0.1 answers about something else") == (answer.result, answer.reason)


def test_names_in_other_letters() -> None:
    """What was asked about is an A-label; a registry may show the name as people write it."""
    subject = "xn--po-exemplo-f5a.org"
    assert Result.FOUND == read(registries.domain(subject), subject).result
    document = {**registries.domain(subject), "ldhName": None, "unicodeName": "pão-exemplo.org"}
    assert Result.FOUND == read(document, subject).result


def test_broken_dates_are_left_out() -> None:
    """A date that makes no sense is no date; a later one of the same kind may."""
    events = [
        {"eventAction": "registration", "eventDate": "the year of the dragon"},
        {"eventAction": "Registration", "eventDate": "2020-02-03T04:05:06+01:00"},
        {"eventAction": "expiration", "eventDate": "2020-13-45"},
        {"eventAction": "expiration", "eventDate": 7},
        {"eventAction": None, "eventDate": None},
        "event",
    ]
    answer = read(registries.domain(NAME, events=events))
    assert (datetime(2020, 2, 3, 3, 5, 6, tzinfo=UTC), None) == (answer.created, answer.expires)


@pytest.mark.parametrize(
    ("secure", "signed", "ds"),
    [
        ({"delegationSigned": False}, False, 0),
        ({"delegationSigned": True}, True, 0),
        ({"delegationSigned": "yes"}, None, 0),
        ({}, None, 0),
        (None, None, 0),
        ({"dsData": [{"keyTag": "1", "algorithm": 8, "digestType": 2, "digest": "ab" * 32}]}, True, 1),
        ({"dsData": [{"keyTag": 1}, "x", {"keyTag": 1, "algorithm": 8, "digestType": 2, "digest": "no"}]}, None, 0),
        ({"dsData": [{"keyTag": [1], "algorithm": 8, "digestType": 2, "digest": "ab" * 32}]}, None, 0),
    ],
)
def test_dnssec(secure: object, signed: bool | None, ds: int) -> None:
    """Whether a delegation is signed is known only where it is said."""
    answer = read(registries.domain(NAME, secureDNS=secure))
    assert (signed, ds) == (answer.signed, len(answer.ds))


def registrant(vcard: object) -> Answer:
    """Return the answer about a name with this registrant."""
    return read(registries.domain(NAME, entities=[registries.entity("H1", ["registrant"], vcard)]))


def test_holders() -> None:
    """An organisation is shown; a person, and whoever may be one, is marked and is no holder."""
    card = registries.card
    assert "Example Foundation" == registrant(card("Example Foundation", kind="org")).holder
    assert "Example Foundation" == registrant(card("Ana", kind="individual", organisation="Example Foundation")).holder
    for person in (card("Maria Exemplo", kind="individual"), card("Maria Exemplo", kind="")):
        answer = registrant(person)
        assert "" == answer.holder
        assert [("Maria Exemplo", True)] == [(contact.name, contact.personal) for contact in answer.contacts]
    hidden = registrant(card("REDACTED FOR PRIVACY", kind="org", organisation="Not disclosed"))
    assert ("", ()) == (hidden.holder, hidden.contacts)
    assert not registrant(card("Example Foundation", kind="org")).contacts[0].personal


def test_a_registrar_without_a_name() -> None:
    """Its handle is better than nothing."""
    document = registries.domain(NAME, entities=[registries.entity("9999-EX", ["registrar"])])
    assert "9999-EX" == read(document).registrar


def test_lists_and_texts_have_an_end() -> None:
    """However much a registry says, the answer is small and harmless."""
    document = registries.domain(
        NAME,
        registrar=f"a\x1b[31mb\u202ec{'x' * 5000}",
        status=[f"s{number}" for number in range(5000)],
        nameservers=[{"ldhName": f"ns{number}.example.net"} for number in range(5000)],
    )
    answer = read(document)
    assert (MOST_ITEMS, MOST_ITEMS) == (len(answer.statuses), len(answer.name_servers))
    assert LONGEST_TEXT == len(answer.registrar)
    assert answer.registrar.startswith("a[31mbc")


JUNK = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([[]]) | st.just({"a": []})
)


@st.composite
def mutilated(draw: st.DrawFn) -> object:
    """Draw a good answer in which any value was replaced by junk."""

    def walk(value: Any, depth: int = 0) -> Any:
        if depth and draw(st.integers(0, 7)) == 0:
            return draw(JUNK)
        if isinstance(value, dict):
            return {key: walk(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, depth + 1) for inner in value]
        return value

    return {**walk(registries.domain(NAME)), "objectClassName": "domain", "ldhName": NAME}


@given(mutilated())
def test_no_json_breaks_the_parser(document: object) -> None:
    """Whatever stands in it, there is an answer of clean texts."""
    answer = read(document)
    assert Result.FOUND == answer.result
    shown = [answer.registrar, answer.holder, *answer.statuses, *answer.name_servers, *answer.ds]
    assert all(text.isprintable() and len(text) <= LONGEST_TEXT for text in shown)


# The other opinion: whoisit 4 on well-formed answers.

HOST = st.from_regex(r"\A[a-z]{1,8}\.example\.net\Z")
DATE = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat())
PERSON = st.from_regex(r"\A[A-Z][a-z]{1,9} [A-Z][a-z]{1,9}\Z")
EMAIL = st.from_regex(r"\A[a-z]{1,8}@[a-z]{1,8}\.example\Z")


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a well-behaved registry answers."""
    abuse = registries.entity("AB1", ["abuse"], registries.card(draw(PERSON), email=draw(EMAIL)))
    registrar = registries.entity("1", ["registrar"], registries.card(draw(PERSON)), abuse)
    tech = registries.entity("T1", ["technical"], registries.card(draw(PERSON), email=draw(EMAIL)))
    around = [registrar, tech] if draw(st.booleans()) else [tech, registrar]
    return {
        "objectClassName": "domain",
        "handle": "H1",
        "ldhName": NAME,
        "status": draw(st.lists(st.sampled_from(["active", "client hold", "locked"]), unique=True)),
        "events": [
            {"eventAction": "registration", "eventDate": draw(DATE)},
            {"eventAction": "expiration", "eventDate": draw(DATE)},
        ],
        "nameservers": [
            {"objectClassName": "nameserver", "ldhName": host} for host in draw(st.lists(HOST, unique=True, max_size=5))
        ],
        "secureDNS": {"delegationSigned": draw(st.booleans())},
        "entities": around,
    }


@given(answers())
def test_whoisit_finds_the_same(document: dict[str, Any]) -> None:
    """Registrar, abuse address, dates, name servers, statuses and DNSSEC of well-formed answers."""
    other = other_opinion(whoisit._bootstrap, "domain", NAME, document)
    answer = read(document)
    assert other["entities"]["registrar"][0]["name"] == answer.registrar
    assert other["entities"]["abuse"][0]["email"] == answer.contacts[0].email
    assert (other["registration_date"], other["expiration_date"]) == (answer.created, answer.expires)
    assert tuple(other["nameservers"]) == answer.name_servers
    assert tuple(other["status"]) == answer.statuses
    assert other["dnssec"] == answer.signed


# What the reference says that whoisit does, and what must not happen here.


def test_a_server_that_had_enough_is_not_asked_again(server: RdapServer) -> None:
    """The other, whoisit, repeats the question three times and waits for up to ten seconds each."""
    server.faults["/"] = rdap.too_many("7")
    began = time.monotonic()
    answer = client(server).ask(NAME, SECONDS)
    assert time.monotonic() - began < 1
    assert (Result.FAILED, "127.0.0.1 was asked too often") == (answer.result, answer.reason)
    assert timedelta(seconds=7) == answer.retry_after
    assert 1 == len(server.asked)


def test_the_registrar_s_own_service_is_not_asked(server: RdapServer) -> None:
    """The other, whoisit, follows "related" links unless it is told otherwise."""
    links = [{"rel": "related", "href": f"{server.base('registrar')}/domain/{NAME}", "type": "application/rdap+json"}]
    server.domains["org"][NAME] = registries.domain(NAME, links=links)
    server.domains["registrar"] = {NAME: registries.domain(NAME, registrar="Somebody Else")}
    assert "Example Registrar, Inc." == client(server).ask(NAME, SECONDS).registrar
    assert ["/org/domain/example.org"] == server.paths


def test_a_redirect_is_not_followed(server: RdapServer) -> None:
    """The other, whoisit, goes wherever a registry sends it, loopback included."""
    for place in (f"{server.base('inside')}/domain/{NAME}", "http://169.254.169.254/latest/meta-data"):
        server.faults["/org/"] = rdap.redirect(place)
        answer = client(server).ask(NAME, SECONDS)
        assert Result.FAILED == answer.result
        assert answer.reason.startswith("127.0.0.1 refers to ")
    assert {"/org/domain/example.org"} == set(server.paths)


def test_we_say_who_asks(server: RdapServer) -> None:
    """The other, whoisit, calls itself whoisit whatever it is told."""
    client(server).ask(NAME, SECONDS)
    assert f"abuse-triage/{__version__}" == server.asked[0].fields["user-agent"]


@pytest.mark.parametrize("told", [True, False])
def test_an_answer_has_a_largest_size(server: RdapServer, told: bool) -> None:
    """The other, whoisit, takes answers of any size."""
    server.faults["/"] = rdap.large(told=told)
    answer = client(server, limit=10_000).ask(NAME, SECONDS)
    assert (Result.FAILED, "the answer of 127.0.0.1 is larger than 10000 bytes") == (answer.result, answer.reason)


def test_all_waits_together_have_one_end(server: RdapServer) -> None:
    """The limit of whoisit is for each octet, so a server that drips can hold it for ever."""
    for fault in (rdap.drip(), rdap.silence):
        server.faults["/"] = fault
        began = time.monotonic()
        assert Result.FAILED == client(server).ask(NAME, 0.4).result
        assert time.monotonic() - began < 1.5


def test_clients_do_not_share_anything(server: RdapServer) -> None:
    """The services and sessions of whoisit are one for the process."""
    server.domains["other"] = {NAME: registries.domain(NAME, registrar="Other Registrar")}
    first, second = client(server), client(server, {"org": server.base("other")})
    answers: dict[str, Answer] = {}
    threads = [
        threading.Thread(target=lambda key=key, asked=asked: answers.update({key: asked.ask(NAME, SECONDS)}))
        for key, asked in (("first", first), ("second", second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "Example Registrar, Inc." == answers["first"].registrar
    assert "Other Registrar" == answers["second"].registrar


def test_no_contact_of_one_name_reaches_the_next(server: RdapServer) -> None:
    """IntelMQ's expert keeps roles from one name to the next."""
    server.domains["org"]["bare.org"] = {"objectClassName": "domain", "ldhName": "bare.org"}
    domains = client(server)
    assert domains.ask(NAME, SECONDS).contacts
    bare = domains.ask("bare.org", SECONDS)
    assert Answer(kind=LookupKind.DOMAIN, subject="bare.org", server="127.0.0.1", result=Result.FOUND) == bare


@pytest.mark.parametrize(
    "key", ["entities", "events", "links", "nameservers", "notices", "remarks", "secureDNS", "status", "handle"]
)
def test_null_is_nothing(key: str) -> None:
    """The parser of whoisit raises TypeError for most of these, and so loses the whole answer."""
    answer = read({**registries.domain(NAME), key: None})
    assert Result.FOUND == answer.result
    assert answer.expires or key == "events"


@pytest.mark.parametrize(
    "fault", [rdap.body(b'{"ldhName": "exa'), rdap.body(b"<html>", "text/html"), rdap.cut, rdap.reset, rdap.status(500)]
)
def test_other_failures(server: RdapServer, fault: rdap.Fault) -> None:
    """Each is told in our words."""
    server.faults["/"] = fault
    answer = client(server).ask(NAME, SECONDS)
    assert (Result.FAILED, "127.0.0.1") == (answer.result, answer.server)
    assert answer.reason.startswith("127.0.0.1 ")
