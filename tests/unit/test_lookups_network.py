"""The network of an address by RDAP: each registry, each thing that goes wrong, and what ipwhois alone makes of it."""

import inspect
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import timedelta
from typing import Any

import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipwhois.exceptions import HTTPLookupError, HTTPRateLimitError, IPDefinedError
from ipwhois.net import Net
from ipwhois.rdap import RDAP, RIR_RDAP
from servers import registries
from servers.rdap import (
    Fault,
    RdapServer,
    abuse_contacts,
    body,
    drip,
    json_body,
    large,
    redirect,
    reset,
    silence,
    status,
    too_many,
)
from servers.registries import card, entity, network

from abuse_triage import __version__
from abuse_triage.lookups.abusecontact import AbuseContactClient
from abuse_triage.lookups.client import Client
from abuse_triage.lookups.network import NetworkClient, _answer, _end, _OfflineNet, _read
from abuse_triage.lookups.registries import KNOWN, Registries
from abuse_triage.lookups.transport import Transport, TransportError
from abuse_triage.model.lookups import Answer, FoundContact, LookupKind, Result

REGISTRIES = ("ripe", "arin", "apnic", "lacnic", "afrinic")
ADDRESS = "192.0.2.7"
LIMIT = 500_000


@pytest.fixture
def server() -> Iterator[RdapServer]:
    """Run a server whose service "arin" knows the network of `ADDRESS`."""
    with RdapServer() as running:
        running.networks["arin"] = [registries.arin("192.0.2.0/24")]
        yield running


def client(server: RdapServer, only: str = "") -> NetworkClient:
    """Return what asks this server in place of all registries."""
    bases = {name: server.base(name) for name in REGISTRIES}
    return NetworkClient(
        Transport(server.reach(), limit=LIMIT, configured=list(bases.values())), Registries(bases), only=only
    )


def asked(server: RdapServer, address: str = ADDRESS, seconds: float = 5, only: str = "") -> Answer:
    """Ask once, and return the answer."""
    answer = client(server, only).ask(address, seconds)
    assert (LookupKind.NETWORK, address, "127.0.0.1") == (answer.kind, answer.subject, answer.server)
    return answer


class _Responses(urllib.request.BaseHandler):
    """Closes what urllib opened, for ipwhois does not."""

    handler_order = 0

    def __init__(self) -> None:
        self._open: list[Any] = []

    def http_response(self, _request: Any, response: Any) -> Any:
        self._open.append(response)
        return response

    def close(self) -> None:
        for response in self._open:
            response.close()


def bare(server: RdapServer, monkeypatch: pytest.MonkeyPatch, seconds: float = 5, **arguments: Any) -> dict[str, Any]:
    """Ask the same as ipwhois does by itself, with urllib's opener; only its table of documentation ranges is off."""
    urls = {"ip_url": server.base("arin") + "/ip/{0}", "entity_url": server.base("arin") + "/entity/{0}"}
    monkeypatch.setitem(RIR_RDAP, "arin", urls)
    responses = _Responses()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), responses)
    net = _OfflineNet(ADDRESS, seconds, opener)  # type: ignore[arg-type] # urllib's
    try:
        found: dict[str, Any] = RDAP(net).lookup(asn_data={"asn_registry": "arin"}, retry_count=0, **arguments)
    finally:
        responses.close()
    return found


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (registries.ripe(), ("ripe", "EXAMPLE-NET", "Example Hosting Lda", "PT", "abuse@example.org")),
        (registries.arin("192.0.2.0/24"), ("arin", "EXAMPLE-ARIN", "Example Corporation", "", "abuse@example.com")),
        (registries.apnic("192.0.2.0/24"), ("apnic", "EXAMPLE-AP", "Example Networks Pty", "AU", "irt@example.net")),
        (registries.lacnic(), ("lacnic", "", "Exemplo Telecomunicações Ltda", "", "joao@example.com")),
        (registries.afrinic(), ("afrinic", "EXAMPLE-AF", "Example ISP", "ZA", "")),
    ],
)
def test_each_registry(server: RdapServer, document: Any, expected: tuple[str, ...]) -> None:
    """Ends, name, holder, country and abuse contact are found in the shape of each, with one request."""
    name = expected[0]
    server.networks[name] = [document]
    answer = asked(server, only=name)
    assert (Result.FOUND, "", "192.0.2.0", "192.0.2.255") == (answer.result, answer.reason, answer.first, answer.last)
    abuse = next((contact.email for contact in answer.contacts if contact.role == "abuse"), "")
    assert expected == (answer.registry, answer.network, answer.holder, answer.country, abuse)
    assert [f"/{name}/ip/192.0.2.7"] == server.paths
    assert f"abuse-triage/{__version__}" == server.asked[0].fields["user-agent"]


def test_the_registry_of_the_address_is_asked(server: RdapServer) -> None:
    """By our table: two networks, two registries; both protocols."""
    server.networks["apnic"] = [registries.apnic(), network("2001:db8::/32", "2001:db8::/32", "EXAMPLE6")]
    assert "EXAMPLE-ARIN" == asked(server).network
    assert "EXAMPLE-AP" == asked(server, "203.0.113.9").network
    six = asked(server, "2001:db8::1")
    assert ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff") == (six.first, six.last)
    assert ["/arin/ip/192.0.2.7", "/apnic/ip/203.0.113.9", "/apnic/ip/2001:db8::1"] == server.paths


def test_nobody_to_ask(server: RdapServer) -> None:
    """An address that no registry has is asked of nobody; neither is an unknown registry."""
    for one, address in ((client(server), "10.0.0.1"), (client(server, "example"), ADDRESS)):
        assert "" == one.server(address)
        answer = one.ask(address, 5)
        assert (Result.FAILED, "", False) == (answer.result, answer.server, answer.temporary)
        assert f"nobody is known to ask about {address}" == answer.reason
    assert 0 == server.connections


def test_both_are_clients(server: RdapServer) -> None:
    """They fit what asks in the looker, and say whom they would ask."""
    transport = Transport(server.reach(), limit=LIMIT)
    clients: list[Client] = [
        client(server),
        NetworkClient(transport, Registries({})),
        NetworkClient(transport, Registries({}), only="registro.br"),
        AbuseContactClient(transport, "https://rest.example.org"),
    ]
    hosts = ["127.0.0.1", "rdap.arin.net", "rdap.registro.br", "rest.example.org"]
    assert hosts == [one.server(ADDRESS) for one in clients]


@pytest.mark.parametrize(
    ("fault", "result", "words", "temporary"),
    [
        (status(404), Result.NOT_FOUND, "127.0.0.1 has nothing about it", False),
        (status(500), Result.FAILED, "127.0.0.1 answers with status 500", True),
        (reset, Result.FAILED, "127.0.0.1 does not answer: Connection reset by peer", True),
        (body(b"{"), Result.FAILED, "127.0.0.1 answers with broken JSON", False),
        (body(b"{}", "text/html"), Result.FAILED, "127.0.0.1 answers with something else than JSON", False),
        (large(), Result.FAILED, "the answer of 127.0.0.1 is larger than 500000 bytes", False),
        (redirect("http://169.254.169.254/"), Result.FAILED, "127.0.0.1 refers to 169.254.169.254", False),
        (json_body({}), Result.FAILED, "127.0.0.1 answers about another network than that of 192.0.2.7", False),
        (json_body([]), Result.FAILED, "127.0.0.1 answers about another network than that of 192.0.2.7", False),
        (json_body(None), Result.FAILED, "127.0.0.1 answers about another network than that of 192.0.2.7", False),
        (json_body(registries.arin()), Result.FAILED, "answers about another network", False),
        (json_body(network("2001:db8::/32", "X", "X")), Result.FAILED, "answers about another network", False),
        (
            json_body({**registries.arin(), "startAddress": "192.0.2.255", "endAddress": "192.0.2.0"}),
            Result.FAILED,
            "answers about another network",
            False,
        ),
    ],
)
def test_what_is_no_answer(server: RdapServer, fault: Fault, result: Result, words: str, *, temporary: bool) -> None:
    """Each is an answer that says why, after one request."""
    server.faults["/arin"] = fault
    answer = asked(server)
    assert words in answer.reason
    assert (result, temporary, "", ()) == (answer.result, answer.temporary, answer.refers_to, answer.contacts)
    assert 1 == server.connections


@pytest.mark.parametrize(("retry_after", "seconds"), [("", None), ("300", 300), ("100000", 3600)])
def test_asked_too_often(server: RdapServer, retry_after: str, seconds: int | None) -> None:
    """Nobody sleeps: the server's wish is handed on."""
    server.faults["/arin"] = too_many(retry_after)
    began = time.monotonic()
    answer = asked(server)
    assert time.monotonic() - began < 2
    assert (Result.FAILED, True) == (answer.result, answer.temporary)
    assert (None if seconds is None else timedelta(seconds=seconds)) == answer.retry_after


def test_a_notice_that_we_asked_too_often(server: RdapServer) -> None:
    """Some registries say it in an answer with status 200."""
    notice = {**registries.arin("192.0.2.0/24"), "notices": [None, {"title": "Rate Limit Notice"}]}
    for document in (notice, {"notices": [{"title": "rate limit exceeded"}]}):
        server.faults["/arin"] = json_body(document)
        answer = asked(server)
        assert (Result.FAILED, "127.0.0.1 was asked too often", True) == (
            answer.result,
            answer.reason,
            answer.temporary,
        )
    server.faults["/arin"] = json_body({**registries.arin("192.0.2.0/24"), "notices": {"title": "Rate Limit Notice"}})
    assert Result.FOUND is asked(server).result


@pytest.mark.parametrize(
    ("location", "registry"),
    [
        ("https://rdap.apnic.net/ip/192.0.2.7", "apnic"),
        ("https://rdap.registro.br/ip/192.0.2.7", "registro.br"),
        ("https://RDAP.DB.RIPE.NET/ip/192.0.2.7", "ripe"),
        ("https://rdap.example.org/ip/192.0.2.7", ""),
        ("http://127.0.0.1:1/ip/192.0.2.7", ""),
        ("/elsewhere", ""),
    ],
)
def test_another_registry_would_know(server: RdapServer, location: str, registry: str) -> None:
    """A redirect to one that we know is told by its name, and not followed; any other is only told."""
    server.faults["/arin"] = redirect(location)
    answer = asked(server)
    assert (Result.FAILED, registry) == (answer.result, answer.refers_to)
    assert 1 == server.connections


@pytest.mark.parametrize(
    ("cidr", "name"),
    [
        ("0.0.0.0/0", "IANA-BLK"),
        ("192.0.0.0/7", "WIDE"),
        ("192.0.0.0/8", "IANA-192"),
        ("192.0.0.0/8", "NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK"),
        ("192.0.0.0/16", "ERX-NETBLOCK"),
        ("2000::/12", "WIDE6"),
        ("::/0", "ROOT"),
    ],
)
def test_placeholders_are_no_answer(server: RdapServer, cidr: str, name: str) -> None:
    """What a registry holds for nobody in particular names nobody to write to."""
    address = "2001:db8::1" if ":" in cidr else ADDRESS
    server.networks["apnic"] = server.networks["arin"] = [network(cidr, "X", name, *registries.ripe()["entities"])]
    answer = asked(server, address)
    assert (Result.NOT_FOUND, "", ()) == (answer.result, answer.holder, answer.contacts)
    assert "127.0.0.1 knows nothing smaller than " in answer.reason
    assert name in answer.reason


@pytest.mark.parametrize("cidr", ["192.0.0.0/8", "2001:c00::/23"])
def test_large_networks_have_owners(server: RdapServer, cidr: str) -> None:
    """Somebody may have a whole eighth."""
    server.networks["apnic"] = server.networks["arin"] = [network(cidr, "X", "EXAMPLE")]
    assert Result.FOUND is asked(server, "2001:db8::1" if ":" in cidr else ADDRESS).result


def test_nothing_is_resolved(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No resolver is made, so none can be asked, and a host without /etc/resolv.conf is no trouble."""

    def missing(*_: object, **__: object) -> None:
        raise dns.resolver.NoResolverConfiguration("cannot open /etc/resolv.conf")

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", missing)
    assert Result.FOUND is asked(server).result
    with pytest.raises(dns.resolver.NoResolverConfiguration):
        Net("198.51.99.1")


def test_ipwhois_refuses_other_addresses_than_we() -> None:
    """Its table of special ranges lags: it asks about carriers' addresses; which to ask about is not decided here."""
    with pytest.raises(IPDefinedError):
        Net(ADDRESS)
    Net("100.64.0.1")
    assert not hasattr(_OfflineNet(ADDRESS, 1, None), "dns_resolver")  # type: ignore[arg-type] # nothing is opened


def test_ipwhois_alone_sleeps_when_it_asked_too_often(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times two minutes, unless it is told not to try again; nobody hears of Retry-After."""
    defaults = {name: p.default for name, p in inspect.signature(RDAP.lookup).parameters.items()}
    assert (3, 120) == (defaults["retry_count"], defaults["rate_limit_timeout"])
    server.faults["/arin"] = too_many("5")
    with pytest.raises(HTTPRateLimitError) as caught:
        bare(server, monkeypatch)
    assert not hasattr(caught.value, "retry_after")
    assert timedelta(seconds=5) == asked(server).retry_after


def test_ipwhois_alone_reads_without_an_end(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours stops at the limit."""
    server.networks["arin"][0]["remarks"] = [{"title": "x", "description": ["x" * 3_000_000]}]
    assert "EXAMPLE-ARIN" == bare(server, monkeypatch)["network"]["name"]
    answer = asked(server)
    assert (Result.FAILED, "the answer of 127.0.0.1 is larger than 500000 bytes") == (answer.result, answer.reason)


def test_ipwhois_alone_follows_redirects_anywhere(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours stays."""
    server.faults["/arin"] = redirect(f"{server.base('lacnic')}/ip/{ADDRESS}")
    server.networks["lacnic"] = [registries.lacnic()]
    assert "192.0.2.0" == bare(server, monkeypatch)["network"]["start_address"]
    assert ["/arin/ip/192.0.2.7", "/lacnic/ip/192.0.2.7"] == server.paths
    assert Result.FAILED is asked(server).result
    assert ["/arin/ip/192.0.2.7"] == server.paths[2:]


def test_ipwhois_alone_has_no_deadline(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its timeout is for each octet; ours is for all of them."""
    server.faults["/arin"] = drip(0.1, b'{"a":"01234"}')
    began = time.monotonic()
    with pytest.raises(Exception, match="Handle is missing"):  # it read the whole answer
        bare(server, monkeypatch, seconds=0.5)
    assert time.monotonic() - began > 1
    for fault in (drip(0.1), silence):
        server.faults["/arin"] = fault
        began = time.monotonic()
        assert "127.0.0.1 does not answer: " in asked(server, seconds=0.5).reason
        assert time.monotonic() - began < 3


def test_ipwhois_alone_says_that_it_is_python(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators of registries like to know who asks."""
    bare(server, monkeypatch)
    asked(server)
    agents = [one.fields["user-agent"] for one in server.asked]
    assert agents[0].startswith("Python-urllib/")
    assert f"abuse-triage/{__version__}" == agents[1]


def test_ipwhois_alone_asks_for_what_an_answer_names(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle becomes part of a URL as it is; ours asks nothing that an answer brought."""
    server.networks["arin"][0]["entities"] = [entity("../../evil?x=1", ["registrant"])]
    bare(server, monkeypatch)
    assert ["/arin/ip/192.0.2.7", "/arin/entity/../../evil?x=1"] == server.paths
    assert Result.FOUND is asked(server).result
    assert ["/arin/ip/192.0.2.7"] == server.paths[2:]


def test_ipwhois_alone_misses_nested_abuse_contacts(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at the outer entities only."""
    found = bare(server, monkeypatch, root_ent_check=False)
    assert ["EXAM-1"] == list(found["objects"])
    assert "abuse@example.com" == asked(server).contacts[0].email


def test_ipwhois_alone_stops_at_an_entity_without_handle(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those behind it vanish."""
    nameless = entity(None, ["technical"], card("Nobody"))
    abuse = entity("AB1", ["abuse"], card("", email="abuse@example.net"))
    server.networks["arin"][0]["entities"] = [nameless, abuse]
    assert {} == bare(server, monkeypatch, root_ent_check=False)["objects"]
    assert ["abuse@example.net", ""] == [contact.email for contact in asked(server).contacts]


def _with(**changes: object) -> dict[str, Any]:
    return {**registries.arin("192.0.2.0/24"), **changes}


def _card(*properties: object) -> dict[str, Any]:
    vcard = ["vcard", [*properties, ["email", {}, "text", "abuse@example.com"]]]
    return _with(entities=[entity("A", ["abuse"], vcard)])


@pytest.mark.parametrize(
    ("document", "raises"),
    [
        (_with(parentHandle=None), AttributeError),
        (_with(handle=None), AttributeError),
        (_with(handle=["X"]), AttributeError),
        (_with(ipVersion=None), AttributeError),
        (_card(["fn", {}, "text", None]), AttributeError),
        (_card(["email", {}, "text", None]), AttributeError),
        (_card(["tel", {}, "uri", ["tel:+1"]]), AttributeError),
        (_card(["fn"]), IndexError),
        (_card(["adr", {}]), IndexError),
        (_card([]), IndexError),
    ],
)
def test_ipwhois_alone_falls_over_odd_forms(
    server: RdapServer, monkeypatch: pytest.MonkeyPatch, document: Any, raises: type[Exception]
) -> None:
    """With errors that are not even its own; ours reads what there is."""
    server.faults["/arin"] = json_body(document)
    with pytest.raises(raises):
        bare(server, monkeypatch, root_ent_check=False)
    answer = asked(server)
    assert (Result.FOUND, "192.0.2.0", "192.0.2.255") == (answer.result, answer.first, answer.last)
    assert "abuse@example.com" == answer.contacts[0].email


def test_other_odd_forms(server: RdapServer) -> None:
    """Whatever else ipwhois cannot read, with or without an error of its own."""
    padded = {"startAddress": "192.000.002.000", "endAddress": "192.000.002.255", "name": 7, "country": ["PT"]}
    server.faults["/arin"] = json_body(padded)
    answer = asked(server)
    assert (Result.FOUND, "192.0.2.0", "", "") == (answer.result, answer.first, answer.network, answer.country)
    for end in ("x" * 100, "everything", "2001:db8::/32", "192.0.2.255%x", None):
        server.faults["/arin"] = json_body(_with(startAddress="192.0.2.0", endAddress=end))
        assert Result.FAILED is asked(server).result


def test_no_text_hides_in_an_end_of_a_network() -> None:
    """Behind the "%" of an IPv6 address everything may stand, also what moves the cursor of a terminal."""
    assert None is _end("2001:db8::%\x1b[2J")
    assert "2001:db8::" == str(_end("2001:db8::"))


def test_a_status_that_ipwhois_does_not_tell(server: RdapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its errors have words only; what we keep is what the server said."""
    server.faults["/arin"] = status(404)
    with pytest.raises(HTTPLookupError):
        bare(server, monkeypatch)
    assert Result.NOT_FOUND is asked(server).result


def test_ipwhois_stays_as_it_was(server: RdapServer) -> None:
    """Its tables are for all threads, and nobody changes them."""
    before = {name: dict(urls) for name, urls in RIR_RDAP.items()}
    for name in REGISTRIES:
        server.networks[name] = [registries.arin("192.0.2.0/24")]
        asked(server, only=name)
    assert before == RIR_RDAP


def test_many_threads_share_a_client(server: RdapServer) -> None:
    """Each gets the answer to its own question."""
    server.latency = 0.01
    server.networks["apnic"] = [registries.apnic()]
    shared = client(server)
    subjects = [ADDRESS, "203.0.113.9"] * 20
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda subject: shared.ask(subject, 10), subjects))
    assert ["EXAMPLE-ARIN", "EXAMPLE-AP"] * 20 == [answer.network for answer in answers]
    assert subjects == [answer.subject for answer in answers]


def test_a_national_registry_belongs_to_its_region(server: RdapServer) -> None:
    """It is asked like the regional one, and the answer is of its region."""
    server.networks["br"] = [registries.lacnic()]
    bases = {"registro.br": server.base("br")}
    transport = Transport(server.reach(), limit=LIMIT, configured=list(bases.values()))
    answer = NetworkClient(transport, Registries(bases), only="registro.br").ask(ADDRESS, 5)
    assert (Result.FOUND, "lacnic") == (answer.result, answer.registry)
    assert ["/br/ip/192.0.2.7"] == server.paths


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("192.0.2.0"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
_KEYS = st.sampled_from(
    ["startAddress", "endAddress", "name", "country", "notices", "entities", "handle", "title", "ipVersion"]
)


@given(_VALUES | st.dictionaries(_KEYS, _VALUES))
def test_no_json_makes_it_fail(document: object) -> None:
    """What comes is an answer or a refusal, and never longer than one may be."""
    try:
        answer = _answer(ADDRESS, KNOWN[0], document, _read(document))
    except TransportError:
        return
    for field in fields(answer):
        value = getattr(answer, field.name)
        assert not isinstance(value, str) or (len(value) <= 300 and value.isprintable())


def _abuse(server: RdapServer, base: str | None = None) -> AbuseContactClient:
    base = server.base("rest") if base is None else base
    return AbuseContactClient(Transport(server.reach(), limit=LIMIT, configured=[base] if base else []), base)


def test_the_abuse_contact_of_ripe(server: RdapServer) -> None:
    """One request brings one address, with where it stood."""
    server.abuse[ADDRESS] = ["abuse@example.org"]
    answer = _abuse(server).ask(ADDRESS, 5)
    assert (Result.FOUND, "ripe", "127.0.0.1") == (answer.result, answer.registry, answer.server)
    assert (FoundContact(role="abuse", email="abuse@example.org", source="RIPE abuse-c"),) == answer.contacts
    assert ["/rest/abuse-contact/192.0.2.7.json"] == server.paths


def test_a_contact_that_is_suspected_dead(server: RdapServer) -> None:
    """RIPE says when mail to it came back; several addresses are understood, each once."""
    row = {**abuse_contacts(ADDRESS, ["abuse@example.org"])["abuse-contacts"], "suspect": True}
    other = {"email": "abuse@example.net"}
    server.faults["/rest"] = json_body({"abuse-contacts": [row, row, other, None, {"email": None}]})
    contacts = _abuse(server).ask(ADDRESS, 5).contacts
    assert [
        ("abuse@example.org", "RIPE abuse-c, which RIPE suspects to be dead"),
        ("abuse@example.net", "RIPE abuse-c"),
    ] == [(contact.email, contact.source) for contact in contacts]


@pytest.mark.parametrize(
    "document", [abuse_contacts(ADDRESS, []), {}, [], None, {"abuse-contacts": "abuse@example.org"}]
)
def test_no_abuse_contact_at_ripe(server: RdapServer, document: object) -> None:
    """An answer without an address is one, too."""
    server.faults["/rest"] = json_body(document)
    answer = _abuse(server).ask(ADDRESS, 5)
    assert (Result.NOT_FOUND, (), "127.0.0.1 has no abuse contact for it") == (
        answer.result,
        answer.contacts,
        answer.reason,
    )


def test_an_abuse_service_that_fails(server: RdapServer) -> None:
    """It is told as of any other server; without a service nobody is asked."""
    server.faults["/rest"] = too_many("60")
    answer = _abuse(server).ask(ADDRESS, 5)
    assert (Result.FAILED, timedelta(minutes=1)) == (answer.result, answer.retry_after)
    nobody = _abuse(server, "")
    assert "" == nobody.server(ADDRESS)
    answer = nobody.ask(ADDRESS, 5)
    assert (Result.FAILED, "", LookupKind.ABUSE_CONTACT) == (answer.result, answer.server, answer.kind)
    assert 1 == len(server.asked)
