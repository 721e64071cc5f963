"""One question to a WHOIS server, against a real one that behaves well, or does not."""

import socket
import time

import pytest
from daemon import free_port
from hypothesis import given
from hypothesis import strategies as st
from servers.whois import PT_OLD, REFUSAL, WhoisServer

from abuse_triage.lookups.resolver import UnansweredError
from abuse_triage.lookups.whois import LARGEST, PAUSE, WhoisError, absent, ask, host_of, question


def nowhere(host: str, deadline: float) -> tuple[str, ...]:
    """Fail where a host is looked up although its address was given."""
    raise AssertionError(host)


def asked(server: WhoisServer, name: str = "example.pt", seconds: float = 5.0) -> str:
    """Return the answer of a server."""
    return ask(server.address, name, nowhere, seconds)


def test_one_line_goes_out_and_text_comes_back() -> None:
    """The question is the name and nothing else; line ends become plain ones."""
    with WhoisServer() as server:
        text = asked(server)
    assert [b"example.pt\r\n"] == server.queries
    assert text.startswith("Domain: example.pt\nDomain Status: Registered\n")
    assert "Évora" in text
    assert "\r" not in text


def test_the_server_of_the_configuration_is_looked_up_in_both_families() -> None:
    """A family in which nobody listens costs nothing but a try, and an address needs no look-up."""
    with WhoisServer(host="::1") as server:
        hosts = []

        def resolve(host: str, _deadline: float) -> tuple[str, ...]:
            hosts.append(host)
            return ("127.0.0.1", "::1")

        assert "Domain: example.pt" in ask(f"WHOIS.example:{server.port}", "example.pt", resolve, 5)
        assert ["whois.example"] == hosts
        assert "Domain: example.pt" in asked(server)


def test_a_silent_address_leaves_time_for_the_next() -> None:
    """The first address takes its share of the time, no more."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        try:
            with WhoisServer(port=port) as server:
                text = ask(f"whois.example:{server.port}", "example.pt", lambda *_: ("127.0.0.2", "127.0.0.1"), 2)
        finally:
            for filler in fillers:
                filler.close()
    assert "Domain: example.pt" in text


def test_many_addresses_of_one_family_do_not_hide_the_other() -> None:
    """Two of each family are tried."""
    with WhoisServer(host="::1") as server:
        several = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "::1")
        assert "Domain:" in ask(f"whois.example:{server.port}", "example.pt", lambda *_: several, 5)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "pt",
        "example.pt\r\nsecond.pt",
        "example.pt\n",
        "-T dn example.pt",
        "example .pt",
        "EXAMPLE.PT",
        "exámple.pt",
        "example..pt",
        "-example.pt",
        "*.pt",
        f"{'a' * 64}.pt",
        f"{'a.' * 130}pt",
        "example.pt\x00",
    ],
)
def test_nothing_but_a_name_can_be_asked(name: str) -> None:
    """No second line, option, blank or foreign letter gets into the question, and nobody is connected to."""
    with WhoisServer() as server, pytest.raises(WhoisError, match="no name that can be asked about"):
        asked(server, name)
    assert [] == server.queries


@given(st.text())
def test_every_question_is_one_short_line(text: str) -> None:
    """Whatever the name is, there is one line of harmless characters, or none."""
    try:
        line = question(text)
    except WhoisError:
        return
    assert f"{text}\r\n".encode() == line
    assert len(line) <= 255
    assert set(line.decode()) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-\r\n")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("drip", "takes too long|timed out"),
        ("silent", "timed out"),
        ("open", "takes too long|timed out"),
        ("reset", "does not answer"),
        ("empty", "gives an empty answer"),
        ("endless", "too large: more than 64000 bytes"),
    ],
)
def test_a_bad_server_costs_no_more_than_the_time(fault: str, words: str) -> None:
    """All waits together end at the one deadline, and memory at the largest answer."""
    with WhoisServer(fault=fault) as server:
        began = time.monotonic()
        with pytest.raises(WhoisError, match=rf"127\.0\.0\.1.*(?:{words})") as caught:
            asked(server, seconds=0.5)
        assert time.monotonic() - began < 2
    assert caught.value.retry_after is None


def test_the_largest_answer() -> None:
    """As much as the limit comes whole; one octet more does not."""
    with WhoisServer({"example.pt": "x" * LARGEST}) as server:
        assert LARGEST == len(asked(server))
        server.answers["example.pt"] += "x"
        with pytest.raises(WhoisError, match="too large"):
            asked(server)


def test_old_servers_speak_latin_1() -> None:
    """What is no UTF-8 is read as ISO-8859-1."""
    with WhoisServer({"antigo.pt": PT_OLD}, fault="latin-1") as server:
        assert asked(server, "antigo.pt").startswith("Nome de domínio / Domain Name: antigo.pt\n")


def test_nobody_there() -> None:
    """Refused connections, hosts without addresses and dead resolvers are all told."""

    def dead(_host: str, _deadline: float) -> tuple[str, ...]:
        raise UnansweredError("no resolver answers")

    with pytest.raises(WhoisError, match=r"127\.0\.0\.1 does not answer: .*refused"):
        ask(f"127.0.0.1:{free_port()}", "example.pt", nowhere, 5)
    with pytest.raises(WhoisError, match=r"whois\.example has no address"):
        ask("whois.example:43", "example.pt", lambda *_: (), 5)
    with pytest.raises(WhoisError, match="no resolver answers"):
        ask("whois.example:43", "example.pt", dead, 5)
    with pytest.raises(WhoisError, match="takes too long"):
        ask("127.0.0.1:43", "example.pt", nowhere, 0)


def test_host_of() -> None:
    """Budgets are counted by the host without its port."""
    assert "whois.dns.example" == host_of("WHOIS.dns.example:43")
    assert "2001:db8::1" == host_of("[2001:db8::1]:43")
    assert "" == host_of("")


@pytest.mark.parametrize(
    "text",
    [
        REFUSAL,
        "%ERROR:201: access denied for 192.0.2.1\n%\n% Sorry, access from your host has been permanently denied",
        "Too many queries from 192.0.2.1\nNo match for example.pt",
        "Your IP has been blacklisted",
        "WHOIS LIMIT EXCEEDED - SEE WWW.EXAMPLE.ORG/WHOIS FOR DETAILS",
        "Quota  exceeded",
    ],
)
def test_refusals(text: str) -> None:
    """A server that had enough is left alone for an hour, and its answer is never taken for "no such name"."""
    with pytest.raises(WhoisError, match=r"whois\.example refuses the question") as caught:
        absent(text, "whois.example:43")
    assert PAUSE == caught.value.retry_after


@pytest.mark.parametrize(
    "text",
    [
        "u34jedzcq.pt - No Match",
        'No match for domain "EXAMPLE.COM".\r\n>>> Last update of whois database <<<',
        "% Copyright (c) Nic.example\n% The data is subject to terms\n\n% No match for example.br\n",
        "NOT FOUND\nTerms: whoever has exceeded your limit gets access denied",
        "The queried object does not exist: previous registration",
        "Domain: example.de\nStatus: free",
        "Domain:   example.de\nStatus:  free",
        "%ERROR:101: no entries found",
    ],
)
def test_no_such_name(text: str) -> None:
    """The phrases of well-known registries; what stands below the first of them does not matter."""
    assert absent(text, "whois.example:43")


@pytest.mark.parametrize(
    "text", ["", "Good morning", f"{'terms and conditions ' * 20}: not found, access denied", "x" * 60_000]
)
def test_neither(text: str) -> None:
    """Long lines are terms of use, whatever words they have."""
    assert not absent(text, "whois.example:43")
