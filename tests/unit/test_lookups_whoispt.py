"""What becomes of the answers of whois.dns.pt, and of those of other registries, from a server to an `Answer`."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from servers.whois import PT, PT_OLD, PT_PERSON, THICK, WhoisServer

from abuse_triage.lookups import whoisother, whoispt
from abuse_triage.lookups.client import Client
from abuse_triage.lookups.whois import PAUSE
from abuse_triage.lookups.whoisdomains import OwnDomains, WhoisDomains
from abuse_triage.lookups.whoisfields import host_names, is_hidden, is_organisation, moment, same_name
from abuse_triage.model.lookups import LONGEST_TEXT, MOST_ITEMS, Answer, FoundContact, LookupKind, Result

LISBON = ZoneInfo("Europe/Lisbon")
OWN = LookupKind.OWN_DOMAIN


@pytest.fixture
def server() -> Iterator[WhoisServer]:
    """The registry's server on loopback."""
    with WhoisServer() as server:
        yield server


def own(server: WhoisServer) -> Client:
    """Return the client for our own registry."""
    return OwnDomains(server.address, lambda *_: ())


def parsed(text: str, subject: str = "example.pt") -> Answer:
    """Return what the record in a text says."""
    answer = whoispt.parse(text, kind=OWN, subject=subject, server="whois.example")
    assert answer is not None
    return answer


def other(text: str, subject: str = "example.org") -> Answer:
    """Return what the record of another registry says."""
    answer = whoisother.parse(text, kind=LookupKind.DOMAIN, subject=subject, server="whois.example")
    assert answer is not None
    return answer


def test_a_name_of_an_organisation(server: WhoisServer) -> None:
    """Everything that there is to know, from one question."""
    assert Answer(
        kind=OWN,
        subject="example.pt",
        server="127.0.0.1",
        result=Result.FOUND,
        managed_by="Registos Exemplo S.A.",
        holder="Padaria Exemplo, Lda.",
        country="PT",
        created=datetime(1997, 1, 14, tzinfo=LISBON),
        expires=datetime(2027, 7, 20, 23, 59, 42, tzinfo=LISBON),
        statuses=("Registered",),
        name_servers=("ns1.example.pt", "ns2.example.net"),
        contacts=(
            FoundContact(
                role="administrative",
                name="Registos Exemplo S.A.",
                email="dominios@registos.example",
                source="managing entity at 127.0.0.1",
            ),
            FoundContact(
                role="registrant",
                name="Padaria Exemplo, Lda.",
                email="dominios@example.pt",
                source="owner at 127.0.0.1",
            ),
        ),
    ) == own(server).ask("example.pt", 5)
    assert ["example.pt"] == server.names()


def test_times_are_lisbon_s() -> None:
    """In summer the clocks there are an hour ahead of UTC."""
    assert datetime(2027, 7, 20, 22, 59, 42, tzinfo=UTC) == parsed(PT).expires
    assert datetime(1997, 1, 14, tzinfo=UTC) == parsed(PT).created


@pytest.mark.parametrize("date", ["01/01/0001", "01/01/1900", "31/12/9999 23:59:59"])
def test_times_that_no_name_has(date: str) -> None:
    """What cannot be told in every time zone, or kept to the second, is left out."""
    answer = parsed(f"Domain: example.pt\nCreation Date: {date}\nExpiration Date: {date}\nOwner Name: Exemplo, Lda.\n")
    assert (None, None) == (answer.created, answer.expires)


def test_a_long_row_of_blanks_costs_nothing() -> None:
    """A server cannot keep the program busy with one line; this one took half a minute."""
    text = f"Domain Name: example.pt\nRegistrar: Exemplo\nDomain Status: ok{' ' * 60_000}x (https://example.org/ok)\n"
    began = time.process_time()
    answer = whoisother.parse(text, kind=OWN, subject="example.pt", server="whois.example")
    assert answer is not None
    assert ("ok",) == answer.statuses
    assert time.process_time() - began < 1


def test_a_person_is_marked_and_is_no_holder(server: WhoisServer) -> None:
    """What is about a natural person stands in the contact that says so, and nowhere else."""
    answer = own(server).ask("maria-exemplo.pt", 5)
    assert "" == answer.holder
    assert "Registos Exemplo S.A." == answer.managed_by
    manager, owner = answer.contacts
    assert not manager.personal
    assert ("Maria Exemplo da Silva", "maria@example.org", True) == (owner.name, owner.email, owner.personal)


def test_a_person_who_manages_the_name_is_marked_too() -> None:
    """A managing entity that is the owner is as much of a person."""
    alone = PT_PERSON.replace("Registos Exemplo S.A.", "Maria Exemplo da Silva")
    answer = parsed(alone, "maria-exemplo.pt")
    assert [True, True] == [contact.personal for contact in answer.contacts]


def test_hidden_owners_are_nobody() -> None:
    """Where the registry shows no owner there is no contact for one, and no holder."""
    empty = "\n".join(line.partition(":")[0] + ":" if line.startswith("Owner") else line for line in PT.splitlines())
    for text in (empty, PT.replace("Padaria Exemplo, Lda.", "Redacted for privacy").replace("dominios@example.pt", "")):
        answer = parsed(text)
        assert "" == answer.holder
        assert ["administrative"] == [contact.role for contact in answer.contacts]


def test_the_old_format() -> None:
    """What the registry wrote until 2018 is understood as far as it says the same."""
    with WhoisServer(fault="latin-1") as server:
        answer = own(server).ask("antigo.pt", 5)
    assert Result.FOUND == answer.result
    assert datetime(2003, 1, 9, tzinfo=LISBON) == answer.created
    assert datetime(2017, 10, 31, tzinfo=LISBON) == answer.expires
    assert ("ACTIVE",) == answer.statuses
    assert "Registos Exemplo S.A." == answer.managed_by
    assert "Associação Exemplo" == answer.holder
    assert ("ns1.antigo.pt", "ns2.example.net") == answer.name_servers
    assert ["dominios@registos.example", "geral@antigo.pt"] == [contact.email for contact in answer.contacts]


def test_no_match(server: WhoisServer) -> None:
    """A name that is not registered is an answer, not a failure."""
    answer = own(server).ask("livre-exemplo.pt", 5)
    assert (Result.NOT_FOUND, "") == (answer.result, answer.reason)


def test_a_reserved_name() -> None:
    """A record with a status only is one."""
    with WhoisServer({"reservado.pt": "Domain: reservado.pt\nDomain Status: Reserved\n"}) as server:
        answer = own(server).ask("reservado.pt", 5)
    assert (Result.FOUND, ("Reserved",)) == (answer.result, answer.statuses)


@pytest.mark.parametrize(
    ("fault", "words", "pause"),
    [
        ("refusal", "127.0.0.1 refuses the question", PAUSE),
        ("empty", "127.0.0.1 gives an empty answer", None),
        ("silent", "127.0.0.1 does not answer: timed out", None),
    ],
)
def test_failures(fault: str, words: str, pause: timedelta | None) -> None:
    """Why there is no answer is said, and how long the server is to be left alone."""
    with WhoisServer(fault=fault) as server:
        answer = own(server).ask("example.pt", 0.3)
    assert (Result.FAILED, words, pause) == (answer.result, answer.reason, answer.retry_after)
    assert "127.0.0.1" == answer.server


def test_an_answer_about_another_name_is_none() -> None:
    """Neither format tells us of a name that nobody asked about."""
    with WhoisServer({"example.pt": PT_PERSON, "example.org": THICK.replace("EXAMPLE.ORG", "OTHER.ORG")}) as server:
        for name in ("example.pt", "example.org"):
            answer = own(server).ask(name, 5)
            assert (Result.FAILED, "127.0.0.1 answers about another name") == (answer.result, answer.reason)


def test_an_answer_that_nobody_understands() -> None:
    """It fails, with no word of the answer in the reason."""
    with WhoisServer({"example.pt": "<html>\x1b[31mgood morning</html>"}) as server:
        answer = own(server).ask("example.pt", 5)
    assert (Result.FAILED, "the answer of 127.0.0.1 is not understood") == (answer.result, answer.reason)


def test_names_in_other_letters() -> None:
    """The registry may show a name as people write it; what was asked is its A-label."""
    text = PT.replace("Domain: example.pt", "Domain: Pão-Exemplo.pt")
    assert Result.FOUND == parsed(text, "xn--po-exemplo-f5a.pt").result
    assert Result.FAILED == parsed(text, "po-exemplo.pt").result


def test_the_client_knows_its_server_without_asking() -> None:
    """Our own registry's server is that of every name; without one nobody is asked."""
    client = OwnDomains("WHOIS.example:43", lambda *_: ())
    assert "whois.example" == client.server("example.pt")
    nobody = OwnDomains("", lambda *_: ())
    assert "" == nobody.server("example.pt")
    answer = nobody.ask("example.pt", 5)
    assert (Result.FAILED, "no server is known for this name") == (answer.result, answer.reason)


def test_other_registries_by_the_longest_end_of_a_name() -> None:
    """The servers of the configuration count for the names below them, and only these are asked."""
    client = WhoisDomains({"example": "a.example:43", "co.example": "b.example:4343"}, lambda *_: ())
    assert "a.example" == client.server("shop.example")
    assert "b.example" == client.server("shop.co.example")
    assert "" == client.server("example.org")
    assert "" == client.server("example")


def test_a_thick_registry(server: WhoisServer) -> None:
    """What the layout of generic top-level domains says; the referral to the registrar's server is not followed."""
    answer = WhoisDomains({"org": server.address}, lambda *_: ()).ask("example.org", 5)
    assert (
        Answer(
            kind=LookupKind.DOMAIN,
            subject="example.org",
            server="127.0.0.1",
            result=Result.FOUND,
            registrar="Example Registrar, Inc.",
            holder="Example Foundation",
            country="US",
            created=datetime(1995, 8, 31, 4, tzinfo=UTC),
            expires=datetime(2027, 8, 30, 4, tzinfo=UTC),
            statuses=("clientTransferProhibited", "serverDeleteProhibited"),
            name_servers=("ns1.example.net", "ns2.example.net"),
            signed=True,
            ds=("370 13 2 BE74359954660069D5C63D200C39F5603827D7DD02B56F120EE9F3A86764247C",),
            contacts=(
                FoundContact(
                    role="abuse",
                    name="Example Registrar, Inc.",
                    email="abuse@registrar.example",
                    telephone="+1.5550100",
                    source="registrar at 127.0.0.1",
                ),
            ),
        )
        == answer
    )
    assert ["example.org"] == server.names()


def test_another_layout() -> None:
    """Many country registries have keys of their own, filled up with dots, and dates of their own."""
    text = """\
% Terms: not found and access denied are words.
domain.............: example.fi
status.............: Registered
created............: 15.1.2003 00:00:00
expires............: 15.1.2028 00:00:00
dnssec.............: no
nserver............: ns1.example.fi 192.0.2.1 [Ok]
nserver............: ns2.example.net
holder.............: Maija Esimerkki
registrar..........: Example Oy
"""
    answer = other(text, "example.fi")
    assert ("Example Oy", "", False) == (answer.registrar, answer.holder, answer.signed)
    assert ("ns1.example.fi", "ns2.example.net") == answer.name_servers
    assert datetime(2028, 1, 15, tzinfo=UTC) == answer.expires
    assert () == answer.contacts
    assert "Example Foundation" == other("Domain: example.org\nHolder: Example Foundation\n").holder
    assert "" == other("Domain: example.org\nStatus: ok\nRegistrant Organization: REDACTED FOR PRIVACY\n").holder


def test_a_free_name() -> None:
    """Some registries answer with a record that says that there is none."""
    with WhoisServer({"example.de": "Domain: example.de\nStatus: free\n"}) as server:
        answer = WhoisDomains({"de": server.address}, lambda *_: ()).ask("example.de", 5)
    assert Result.NOT_FOUND == answer.result


def test_lists_and_texts_have_an_end() -> None:
    """However much a server says, an answer is small and harmless."""
    flood = "".join(f"Name Server: ns{number}.example.net\nDomain Status: s{number}\n" for number in range(900))
    answer = other(f"Domain Name: example.org\nRegistrar: a\x1b[31mb\u202ec{'x' * 5000}\n{flood}")
    assert (MOST_ITEMS, MOST_ITEMS) == (len(answer.name_servers), len(answer.statuses))
    assert LONGEST_TEXT == len(answer.registrar)
    assert answer.registrar.startswith("a[31mbc")


RECORD = st.lists(
    st.one_of(
        st.sampled_from(f"{PT}{PT_PERSON}{PT_OLD}{THICK}".splitlines()),
        st.builds(
            "{}: {}".format,
            st.sampled_from(["Domain", "Domain Name", "Owner Name", "Admin Name", "Creation Date", "Name Server"]),
            st.text(max_size=40),
        ),
        st.text(max_size=80),
    ),
    max_size=20,
).map("\n".join)


@given(RECORD)
@example("Domain: example.pt\nCreation Date: 31/02/2020 25:00:00\nExpiration Date: 00/00/0000")
@example("Nome de domínio / Domain Name: example.pt\nTitular / Registrant\n   \n")
@example("Domain: xn--\nOwner Name: x")
def test_no_text_breaks_the_parsers(text: str) -> None:
    """Whatever a server says, there is a record of clean texts, or none."""
    for parse in (whoispt.parse, whoisother.parse):
        answer = parse(text, kind=OWN, subject="example.pt", server="whois.example")
        if answer is None:
            continue
        shown = [answer.registrar, answer.managed_by, answer.holder, *answer.statuses, *answer.ds]
        shown += [text for contact in answer.contacts for text in (contact.name, contact.email, contact.source)]
        assert all(text.isprintable() and len(text) <= LONGEST_TEXT for text in shown)
        assert all(at is None or at.tzinfo for at in (answer.created, answer.expires))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-14T07:01:44Z", datetime(2026, 8, 14, 7, 1, 44, tzinfo=UTC)),
        ("2026-08-14T07:01:44+02:00", datetime(2026, 8, 14, 5, 1, 44, tzinfo=UTC)),
        ("2026-08-14 07:01:44", datetime(2026, 8, 14, 7, 1, 44, tzinfo=UTC)),
        ("14-Aug-2026", datetime(2026, 8, 14, tzinfo=UTC)),
        ("2026.08.14 07:01:44", datetime(2026, 8, 14, 7, 1, 44, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("tomorrow", None),
        ("", None),
        ("2026-08-14" + " " * 100 + "x", None),
    ],
)
def test_dates(text: str, expected: datetime | None) -> None:
    """What is a date in any of the usual ways is one, in UTC."""
    assert expected == moment(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Padaria Exemplo, Lda.", True),
        ("Registos Exemplo S.A.", True),
        ("Registos Exemplo SA", True),
        ("Município de Exemplo", True),
        ("Example GmbH", True),
        ("Maria Exemplo da Silva", False),
        ("Mário de Sá", False),
        ("MARIO DE SA", False),
        ("", False),
    ],
)
def test_organisations(name: str, expected: bool) -> None:
    """Where nothing in a name says that it is an organisation's it is taken for a person's."""
    assert expected == is_organisation(name)


def test_small_things() -> None:
    """Hidden names, names of hosts, and names that are the same."""
    assert is_hidden("REDACTED FOR PRIVACY")
    assert not is_hidden("Padaria Exemplo, Lda.")
    assert ("ns1.example.pt",) == host_names(["NS1.example.pt.", "ns1.example.pt", "192.0.2.1", "x y", "", "a"])
    assert same_name("EXAMPLE.pt.", "example.pt")
    assert not same_name("", "example.pt")
    assert not same_name("x" * 300, "example.pt")
    assert not same_name("exa mple.pt", "example.pt")
