"""Questions to name servers: a real tree of zones, a real resolver, and a log of what the names' servers saw."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from servers.resolvers import FakeResolver, Reply
from servers.tree import Tree

from abuse_triage.lookups.client import Client
from abuse_triage.lookups.delegation import VALIDATED, Delegation
from abuse_triage.lookups.dnsclient import SERVER, DnsClient
from abuse_triage.lookups.records import Hosts, Pointer
from abuse_triage.lookups.resolver import Kind, Resolver
from abuse_triage.model.lookups import MOST_ITEMS, Answer, LookupKind, Result
from abuse_triage.service.discovery import special_range


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """Real servers and a real resolver."""
    with Tree(tmp_path_factory.mktemp("tree")) as started:
        yield started


@pytest.fixture
def resolver(tree: Tree) -> Resolver:
    """What asks the tree's resolver, and remembers nothing yet."""
    return Resolver([tree.resolver], 5)


@pytest.fixture
def delegation(tree: Tree, resolver: Resolver) -> Delegation:
    """What asks the tree for delegations, whatever the addresses of its servers."""
    return Delegation(resolver, lambda _address: "", port=tree.port)


def nothing(kind: LookupKind, subject: str, lifetime: timedelta) -> Answer:
    """Return what is said of what is not there."""
    return Answer(kind=kind, subject=subject, server=SERVER, result=Result.NOT_FOUND, lifetime=lifetime)


def test_a_signed_delegation_has_its_servers_and_ds_records(delegation: Delegation) -> None:
    """Names come in small letters and in order, and the resolver vouches for the DS record."""
    answer = delegation.ask("signed.pt", 5)
    assert (Result.FOUND, "signed.pt", SERVER, "") == (answer.result, answer.subject, answer.server, answer.reason)
    assert ("ns1.signed.pt", "ns2.signed.pt") == answer.name_servers
    assert (True, (VALIDATED,)) == (answer.signed, answer.statuses)
    (record,) = answer.ds
    assert ["13", "2"] == record.split()[1:3]
    assert timedelta(minutes=5) >= (answer.lifetime or timedelta()) > timedelta(minutes=4)


@pytest.mark.parametrize(
    ("name", "servers", "statuses"),
    [
        ("unsigned.pt", ("ns.unsigned.pt",), (VALIDATED,)),
        ("dead.pt", ("ns.dead.pt",), (VALIDATED,)),
        ("loja.com.pt", ("ns1.signed.pt",), ()),  # com.pt is a zone of its own, which is not signed
        ("loja.org.pt", ("ns1.signed.pt",), (VALIDATED,)),  # org.pt is none: the next zone above is pt
        ("com.pt", ("a.dns.pt",), (VALIDATED,)),  # the server has both zones, and answers for the lower one
    ],
)
def test_an_unsigned_delegation_says_so(
    delegation: Delegation, name: str, servers: tuple[str, ...], statuses: tuple[str, ...]
) -> None:
    """Whether or not its servers are alive, and wherever the zone above begins."""
    answer = delegation.ask(name, 5)
    assert (Result.FOUND, servers, (), False) == (answer.result, answer.name_servers, answer.ds, answer.signed)
    assert statuses == answer.statuses


@pytest.mark.parametrize(
    ("name", "lifetime"),
    [("absent.pt", 120), ("text.pt", 120), ("a.alias.pt", 120), ("absent.com.pt", 120), ("a.nosuch", 60), ("pt", 60)],
)
def test_what_is_not_delegated_is_not_found(delegation: Delegation, name: str, lifetime: int) -> None:
    """No such name, a name without delegation, below an alias, below no zone; the root is never asked."""
    assert nothing(LookupKind.DELEGATION, name, timedelta(seconds=lifetime)) == delegation.ask(name, 5)


def test_the_servers_of_a_name_never_see_a_question_about_its_delegation(tree: Tree, resolver: Resolver) -> None:
    """Their log stays empty, until somebody asks for hosts: then the same log has it."""
    delegation = Delegation(resolver, lambda _address: "", port=tree.port)
    tree.seen.clear()
    for name in ("signed.pt", "unsigned.pt", "dead.pt", "loja.com.pt", "loja.org.pt", "absent.pt"):
        delegation.ask(name, 5)
    assert [] == tree.seen
    Hosts(resolver).ask("signed.pt", 5)
    assert {"signed.pt. IN A", "signed.pt. IN MX"} <= set(tree.seen)
    assert not any("www" in question for question in tree.seen)


def test_servers_at_special_addresses_are_not_asked(tree: Tree, resolver: Resolver) -> None:
    """Where the zone above is at an address inside, nothing is sent; what the resolver knows is said all the same."""
    delegation = Delegation(resolver, special_range, port=tree.port)
    answer = delegation.ask("unsigned.pt", 5)
    assert Result.FAILED is answer.result
    assert answer.reason in {f"pt: {name}.dns.pt is at 127.0.0.1 (loopback range), which is not asked" for name in "ab"}
    signed = delegation.ask("signed.pt", 5)
    assert (Result.FOUND, True, (), 1) == (signed.result, signed.signed, signed.name_servers, len(signed.ds))
    assert "which is not asked" in signed.reason
    assert timedelta(minutes=1) == signed.lifetime


def test_hosts_of_a_name(resolver: Resolver) -> None:
    """Addresses of both kinds, mail hosts in the order of preference, and texts."""
    answer = Hosts(resolver).ask("signed.pt", 5)
    assert (Result.FOUND, SERVER, "") == (answer.result, answer.server, answer.reason)
    assert ("192.0.2.10", "2001:db8::10") == answer.addresses
    assert ("mail1.signed.pt", "mail2.signed.pt") == answer.mail_hosts
    assert ("v=spf1 -all",) == answer.texts


def test_a_name_that_takes_no_mail_has_no_mail_host(resolver: Resolver) -> None:
    """The null MX is a record, and no host (RFC 7505)."""
    answer = Hosts(resolver).ask("unsigned.pt", 5)
    assert (Result.FOUND, (), ()) == (answer.result, answer.mail_hosts, answer.addresses)


def test_names_without_hosts(resolver: Resolver) -> None:
    """No such name is not found; one whose servers are dead has failed."""
    absent = Hosts(resolver).ask("absent.pt", 5)
    assert (Result.NOT_FOUND, LookupKind.HOSTS) == (absent.result, absent.kind)
    assert timedelta(minutes=1) <= (absent.lifetime or timedelta()) <= timedelta(minutes=2)
    dead = Hosts(resolver).ask("dead.pt", 0.5)
    assert (Result.FAILED, "the deadline passed", SERVER) == (dead.result, dead.reason, dead.server)
    assert dead.temporary


def test_names_of_an_address(resolver: Resolver) -> None:
    """Every name that its network gives it, in small letters."""
    pointer = Pointer(resolver)
    answer = pointer.ask("192.0.2.10", 5)
    assert (Result.FOUND, ("signed.pt", "www.signed.pt")) == (answer.result, answer.names)
    assert Result.NOT_FOUND is pointer.ask("192.0.2.11", 5).result


@pytest.mark.parametrize("make", [Hosts, Pointer, lambda resolver: Delegation(resolver, special_range)])
def test_without_a_resolver_nobody_is_asked(make: type[Hosts]) -> None:
    """The server is unknown, and whoever asks all the same hears why there is no answer."""
    client: Client = make(None)
    assert "" == client.server("192.0.2.1")
    answer = client.ask("192.0.2.1", 5)
    assert (Result.FAILED, "", "no resolver is configured") == (answer.result, answer.server, answer.reason)
    assert not answer.temporary
    assert SERVER == make(Resolver(["127.0.0.1:53"], 5)).server("192.0.2.1")


def answering(**by_kind: list[str]) -> Reply:
    """Answer questions by type: with these records, or an error for those that are not named."""

    def reply(query: dns.message.Message) -> bytes:
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        response = dns.message.make_response(query)
        if kind not in by_kind:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif by_kind[kind]:
            response.answer.append(dns.rrset.from_text(query.question[0].name, 7200, "IN", kind, *by_kind[kind]))
        return response.to_wire(max_size=65_535)

    return reply


def test_what_fails_behind_an_answer_is_said() -> None:
    """Of a name whose texts nobody gets, the rest is an answer, for a short time."""
    with FakeResolver(answering(A=["192.0.2.1"], AAAA=[], MX=[])) as fake:
        answer = Hosts(Resolver([fake.address], 5)).ask("example.org", 5)
        assert (Result.FOUND, ("192.0.2.1",)) == (answer.result, answer.addresses)
        assert "TXT: the servers of that name fail" == answer.reason
        assert timedelta(minutes=1) == answer.lifetime


def test_where_something_fails_and_the_rest_is_nothing_all_fails() -> None:
    """Nothing is not said to be absent as long as it may be there."""
    with FakeResolver(answering(A=[], AAAA=[], TXT=[])) as fake:
        answer = Hosts(Resolver([fake.address], 5)).ask("example.org", 5)
        assert (Result.FAILED, "the servers of that name fail") == (answer.result, answer.reason)


def test_texts_of_strangers_are_cleaned_and_counted() -> None:
    """Escape sequences are gone, long texts are cut, of many items the first are kept, for an hour at most."""
    many = [f'"{number:02}\\027[31m{"x" * 220}"' for number in range(MOST_ITEMS + 5)]
    with FakeResolver(answering(A=["192.0.2.1"], AAAA=["2001:db8::1"], MX=["5 BAD\\027.example."], TXT=many)) as fake:
        answer = Hosts(Resolver([fake.address], 5)).ask("example.org", 5)
        assert MOST_ITEMS == len(answer.texts)
        assert all(text.isprintable() and len(text) == 200 for text in answer.texts)
        assert ("bad\\027.example",) == answer.mail_hosts
        assert timedelta(hours=1) == answer.lifetime


def test_ds_and_ns_records_behind_an_alias_are_anothers(tree: Tree, resolver: Resolver) -> None:
    """A CNAME in place of a zone does not make the zone that it leads to the one above."""

    def reply(query: dns.message.Message) -> bytes:
        question = query.question[0]
        response = dns.message.make_response(query)
        other = dns.name.from_text("elsewhere.example.")
        response.answer.append(dns.rrset.from_text(question.name, 300, "IN", "CNAME", other.to_text()))
        kind = dns.rdatatype.to_text(question.rdtype)
        data = "ns.elsewhere.example." if kind == "NS" else "1 13 2 " + "00" * 32
        response.answer.append(dns.rrset.from_text(other, 300, "IN", kind, data))
        return response.to_wire()

    with FakeResolver(reply) as fake:
        other = Resolver([fake.address], 5)
        for kind in (Kind.NS, Kind.DS):
            assert () == other.ask("example.org", kind, time.monotonic() + 5)


def test_whether_an_answer_is_validated_is_known(resolver: Resolver) -> None:
    """The resolver vouches for what is signed, says so again from memory, and not for what is not."""
    for _ in range(2):
        assert resolver.find("signed.pt", Kind.DS, time.monotonic() + 5).validated
    assert not resolver.find("unsigned.pt", Kind.A, time.monotonic() + 5).validated


class Above(FakeResolver):
    """A server that is the resolver and the server of the zone above at once, and has an own idea of referrals."""

    def __init__(self, refer: Reply) -> None:
        """`refer` answers the questions without recursion."""
        super().__init__(self._answer)
        self._refer = refer
        self.asked = 0

    def _answer(self, query: dns.message.Message) -> bytes | None:
        if not query.flags & dns.flags.RD:
            self.asked += 1
            return self._refer(query)
        servers = [f"ns{number}.above.example." for number in range(5)]
        known = answering(A=["127.0.0.1"], AAAA=[], NS=servers, DS=[])
        return known(query)


def referring(owner: str, *, flags: int = 0, code: dns.rcode.Rcode = dns.rcode.NOERROR) -> Reply:
    """Answer with a referral of some zone."""

    def reply(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= flags
        response.set_rcode(code)
        response.authority.append(dns.rrset.from_text(owner, 300, "IN", "NS", "ns.example.org."))
        return response.to_wire()

    return reply


@pytest.mark.parametrize(
    "refer",
    [
        referring("example."),
        referring("."),
        referring("a.example.org."),
        referring("example.org.", code=dns.rcode.SERVFAIL),
        lambda _query: b"garbage",
        lambda query: dns.message.make_response(query).to_wire(),
    ],
    ids=["the zone above itself", "the root", "a name below", "an error", "garbage", "nothing, without authority"],
)
def test_what_is_no_referral_of_the_name_is_no_answer(refer: Reply) -> None:
    """Servers that do not know the zone are passed over, and after three the answer is that there is none."""
    with Above(refer) as fake:
        client = Delegation(Resolver([fake.address], 2), lambda _address: "", port=fake.port)
        answer = client.ask("example.org", 2)
        assert Result.FAILED is answer.result
        assert "org: no name server gives an answer that makes sense" == answer.reason
        assert 1 <= fake.asked <= 3


def test_no_more_than_three_servers_are_asked() -> None:
    """Of a zone with many servers, each of which fails at once, three see the question."""
    with Above(referring("example.")) as fake:
        client = Delegation(Resolver([fake.address], 5), lambda _address: "", port=fake.port)
        client.ask("example.org", 5)
        assert 3 == fake.asked


def test_silence_ends_with_the_deadline() -> None:
    """Servers that never answer cost no more than the time that is given."""
    with Above(lambda _query: None) as fake:
        client = Delegation(Resolver([fake.address], 5), lambda _address: "", port=fake.port)
        began = time.monotonic()
        assert Result.FAILED is client.ask("example.org", 1).result
        assert time.monotonic() - began < 2


def test_a_truncated_answer_is_fetched_within_the_same_deadline() -> None:
    """A server that says "too long" and then keeps silent over TCP does not get the time twice."""

    def truncated(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response.to_wire()

    with Above(truncated) as fake, socket.create_server(("127.0.0.1", fake.port)):
        client = Delegation(Resolver([fake.address], 5), lambda _address: "", port=fake.port)
        began = time.monotonic()
        assert Result.FAILED is client.ask("example.org", 1).result
        assert time.monotonic() - began < 2


def test_where_the_servers_above_have_no_address_that_is_said() -> None:
    """Nobody can be asked, and the name is not said to be absent."""
    with FakeResolver(answering(NS=["ns.example.com."], A=[], DS=[])) as fake:
        answer = Delegation(Resolver([fake.address], 2), lambda _address: "").ask("example.org", 2)
        assert (Result.FAILED, "org: no name server has an address") == (answer.result, answer.reason)


def test_where_ds_records_have_no_answer_it_is_not_known_whether_the_name_is_signed() -> None:
    """The name servers are an answer, for a short time."""

    def reply(query: dns.message.Message) -> bytes | None:
        if not query.flags & dns.flags.RD:
            return referring("example.org.")(query)
        return answering(A=["127.0.0.1"], NS=["ns.above.example."])(query)

    with FakeResolver(reply) as fake:
        answer = Delegation(Resolver([fake.address], 2), lambda _address: "", port=fake.port).ask("example.org", 2)
        assert (Result.FOUND, ("ns.example.org",), None) == (answer.result, answer.name_servers, answer.signed)
        assert timedelta(minutes=1) == answer.lifetime


def test_each_kind_has_its_client() -> None:
    """They all say which kind of question they ask."""
    kinds = {client.kind for client in DnsClient.__subclasses__()}
    assert {LookupKind.DELEGATION, LookupKind.HOSTS, LookupKind.POINTER} == kinds
