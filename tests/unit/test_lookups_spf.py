"""SPF: policies in a real name server, and who may send in whose name."""

import socket
from collections.abc import Iterator

import pytest
from proving import Prover, letter
from servers.nsd import NameServer, text

from abuse_triage.lookups.resolver import Kind, Questions, Record, Resolver
from abuse_triage.lookups.spf import LONGEST_TERM, check

POLICIES = {
    "plain": "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8:1::/48 -all",
    "soft": "v=spf1 ip4:192.0.2.0/24 ~all",
    "neutral": "v=spf1 ip4:192.0.2.0/24 ?all",
    "silent": "v=spf1 ip4:192.0.2.0/24",
    "empty": "",
    "other": "google-site-verification=1234",
    "broken": "v=spf1 ip4:192.0.2.0/240 -all",
    "unknown": "v=spf1 ipv4:192.0.2.1 -all",
    "twice-redirect": "v=spf1 redirect=plain.example.net redirect=soft.example.net",
    "redirected": "v=spf1 redirect=plain.example.net",
    "nowhere": "v=spf1 redirect=absent.example.net",
    "ten": "v=spf1 " + " ".join(f"include:i{n}.example.net" for n in range(9)) + " a:gate.example.net -all",
    "eleven": "v=spf1 " + " ".join(f"include:i{n}.example.net" for n in range(11)) + " ip4:192.0.2.1 -all",
    "loop": "v=spf1 include:loop2.example.net -all",
    "loop2": "v=spf1 include:loop.example.net -all",
    "itself": "v=spf1 include:itself.example.net -all",
    "void": "v=spf1 a:v1.example.net a:v2.example.net a:v3.example.net ip4:192.0.2.1 -all",
    "macro": "v=spf1 exists:%{ir}.%{v}.%{l}.%{d2}.ok.example.net -all",
    "macro-sender": "v=spf1 exists:%{l}.of.%{o}.at.%{h}.example.net -all",
    "macro-broken": "v=spf1 exists:%{q}.example.net -all",
    "mx": "v=spf1 mx -all",
    "ptr": "v=spf1 ptr:example.net -all",
    "explained": "v=spf1 -all exp=why.example.net",
    "missing-include": "v=spf1 include:absent.example.net -all",
    "long-term": "v=spf1 exists:" + "a" * LONGEST_TERM + ".example.net -all",
}
MORE = (
    "\n".join(f'i{n} IN TXT "v=spf1 ip4:203.0.113.{n} -all"' for n in range(11))
    + """
gate IN A 192.0.2.1
gate IN AAAA 2001:db8:1::1
gate IN TXT "v=spf1 a -all"
mx IN MX 10 gate
twice IN TXT "v=spf1 -all"
twice IN TXT "v=spf1 +all"
aliased IN CNAME plain
circle IN CNAME circle2
circle2 IN CNAME circle
v6 IN TXT "v=spf1 a:gate.example.net -all"
why IN TXT "%{i} is not one of our hosts"
1.2.0.192.in-addr.rita.example.net.ok IN A 127.0.0.2
rita.of.macro-sender.example.net.at.mx.example.pt IN A 127.0.0.2
"""
)
HUGE = "huge IN TXT " + text("v=spf1 " + "ip4:203.0.113.1 " * 3000 + "ip4:192.0.2.1 -all") + "\n"


@pytest.fixture(scope="module")
def prover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prover]:
    """A name server with policies, and the check that asks it."""
    lines = "".join(f"{name} IN TXT {text(policy)}\n" for name, policy in POLICIES.items())
    zones = {
        "example.net": lines + MORE + HUGE,
        "2.0.192.in-addr.arpa": "1 IN PTR gate.example.net.\n2 IN PTR gate.example.net.\n",
        "example.com": '@ IN TXT "v=spf1 +all"\n',
    }
    with NameServer(tmp_path_factory.mktemp("nsd"), zones) as server:
        yield Prover(server.address)


@pytest.mark.parametrize(
    ("domain", "peer", "result"),
    [
        ("plain", "192.0.2.1", "pass"),
        ("plain", "198.51.100.1", "fail"),
        ("plain", "2001:db8:1::25", "pass"),
        ("plain", "2001:db8:2::25", "fail"),
        ("soft", "198.51.100.1", "softfail"),
        ("neutral", "198.51.100.1", "neutral"),
        ("silent", "198.51.100.1", "neutral"),
        ("absent", "192.0.2.1", "none"),
        ("empty", "192.0.2.1", "none"),
        ("other", "192.0.2.1", "none"),
        ("twice", "192.0.2.1", "permerror"),
        ("broken", "192.0.2.1", "permerror"),
        ("unknown", "192.0.2.1", "permerror"),
        ("twice-redirect", "192.0.2.1", "permerror"),
        ("redirected", "192.0.2.1", "pass"),
        ("redirected", "198.51.100.1", "fail"),
        ("nowhere", "192.0.2.1", "permerror"),
        ("ten", "192.0.2.1", "pass"),
        ("eleven", "192.0.2.1", "permerror"),
        ("loop", "192.0.2.1", "permerror"),
        ("itself", "192.0.2.1", "permerror"),
        ("void", "192.0.2.1", "permerror"),
        ("macro", "192.0.2.1", "pass"),
        ("macro", "192.0.2.2", "fail"),
        ("macro-sender", "192.0.2.1", "pass"),
        ("macro-broken", "192.0.2.1", "permerror"),
        ("mx", "192.0.2.1", "pass"),
        ("mx", "192.0.2.2", "fail"),
        ("ptr", "192.0.2.1", "pass"),
        ("ptr", "192.0.2.2", "fail"),
        ("v6", "2001:db8:1::1", "pass"),
        ("v6", "2001:db8:1::2", "fail"),
        ("explained", "192.0.2.1", "fail"),
        ("missing-include", "192.0.2.1", "permerror"),
        ("long-term", "192.0.2.1", "permerror"),
        ("huge", "192.0.2.1", "none"),
        ("aliased", "192.0.2.1", "pass"),
        ("circle", "192.0.2.1", "temperror"),
    ],
)
def test_a_policy_gives_its_result(prover: Prover, domain: str, peer: str, result: str) -> None:
    """Each result of RFC 7208 comes out where it should, within the limits of section 4.6.4."""
    assert result == prover.prove(letter(), sender=f"rita@{domain}.example.net", peer=peer).spf


@pytest.mark.parametrize(
    ("sender", "helo", "result"),
    [
        ("", "gate.example.net", "pass"),
        ("", "plain.example.net.", "pass"),
        ("", "[192.0.2.1]", "none"),
        ("", "localhost", "none"),
        ("", "", "none"),
        ('"rita@example.com"@absent.example.net', "gate.example.net", "none"),
        ('"@example.com"@explained.example.net', "gate.example.net", "fail"),
        ("rita@plain.example.net.", "gate.example.net", "pass"),
        ("rita@PLAIN.Example.NET", "gate.example.net", "pass"),
        ("rita", "gate.example.net", "none"),
        ("rita@[192.0.2.1]", "gate.example.net", "none"),
        ("ri\u0301ta@plain.example.net", "gate.example.net", "pass"),
        ("ri\u0301ta@macro.example.net", "gate.example.net", "fail"),
        ("rita@" + "a." * 120 + "example.net", "gate.example.net", "none"),
        (f"{'r' * 300}@macro.example.net", "gate.example.net", "fail"),
        ("%{d}%@macro.example.net", "gate.example.net", "fail"),
    ],
)
def test_the_identity_is_the_domain_behind_the_last_at_sign(
    prover: Prover, sender: str, helo: str, result: str
) -> None:
    """MAIL FROM decides, HELO only for the null sender, and what is no host name has no policy."""
    assert result == prover.prove(letter(), sender=sender, helo=helo, peer="192.0.2.1").spf


def test_without_a_client_nothing_is_asked(prover: Prover) -> None:
    """What came through a relay has no SPF result."""
    assert "none" == prover.prove(letter(), sender="rita@plain.example.net").spf


def test_what_nobody_thought_of_is_a_fault_of_the_policy() -> None:
    """Whatever goes wrong while a stranger's policy is evaluated, there is a result."""

    class Broken(Questions):
        def ask(self, name: str, kind: Kind) -> tuple[Record, ...]:
            raise RecursionError(name, kind)

    questions = Broken(Resolver(["127.0.0.1:9"], 1), 0)
    assert "permerror" == check(questions, address="192.0.2.1", helo="", local_part="r", domain="plain.example.net")


def test_a_resolver_that_drops_questions_is_a_temporary_error() -> None:
    """No answer in time is no answer about the sender."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        prover = Prover(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.4)
        assert "temperror" == prover.prove(letter(), sender="rita@plain.example.net", peer="192.0.2.1").spf
