"""DMARC: policies in a real name server, From fields as people and cheats write them, and what follows."""

from collections.abc import Iterator

import pytest
from proving import Prover, key_records, letter, rsa, signed
from servers.nsd import NameServer, text

from abuse_triage.model.message import Authentication

SPF = '@ IN TXT "v=spf1 ip4:192.0.2.0/24 -all"\n'


def policy(record: str, name: str = "_dmarc") -> str:
    """Write a DMARC record."""
    return f"{name} IN TXT {text(record)}\n"


CIRCLES = """
circle IN CNAME circle2
circle2 IN CNAME circle
_dmarc.circle IN CNAME _dmarc.circle2
_dmarc.circle2 IN CNAME _dmarc.circle
"""
OWN = policy("v=DMARC1; p=none; adkim=s", "_dmarc.own")


@pytest.fixture(scope="module")
def prover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prover]:
    """A name server with policies, and the check that asks it."""
    key = rsa(2048)
    keys = key_records(s1=key)
    subdomains = "".join(
        f'{name} IN TXT "v=spf1 ip4:192.0.2.0/24 -all"\ns1._domainkey.{name} IN TXT {text(key.record)}\n'
        for name in ("mail", "list", "own")
    )
    zones = {
        "example.pt": SPF + keys + subdomains + policy("v=DMARC1; p=reject; sp=none") + OWN,
        "example.com": SPF + keys + subdomains + policy("v=DMARC1;p=quarantine;aspf=s;adkim=s;pct=10;"),
        "example.org": SPF + keys,
        "example.net": policy("v=DMARC1; p=none") + policy("v=DMARC1; p=reject"),
        "com.pt": policy("v=DMARC1; p=reject"),
        "loja.com.pt": SPF + keys + policy("v=DMARC1; p=reject"),
        "outra.com.pt": SPF + keys,
        "example.edu": "".join(
            policy(record, f"_dmarc.{name}")
            for name, record in {
                "spf": "v=spf1 -all",
                "version": "v=DMARC10; p=reject",
                "late": "p=reject; v=DMARC1",
                "no-p": "v=DMARC1; adkim=s",
                "no-p-rua": "v=DMARC1; rua=mailto:d@example.edu",
                "wrong-p": "v=DMARC1; p=maybe",
                "blanks": "v=DMARC1 ; P = REJECT ; aspf = S",
                "nonsense": "v=DMARC1;;;=;p=reject;=;x",
                "huge": "v=DMARC1; p=reject; rua=" + "mailto:x@example.edu," * 3000,
            }.items()
        ) + CIRCLES,
        "my-bank.example": SPF + policy("v=DMARC1; p=reject"),
        "my.example": SPF,
    }  # fmt: skip
    with NameServer(tmp_path_factory.mktemp("nsd"), zones) as server:
        yield Prover(server.address)


@pytest.mark.parametrize(
    ("author", "sender", "peer", "expected"),
    [
        ("example.pt", "example.pt", "192.0.2.1", Authentication(spf="pass", dmarc="pass", spf_aligned=True)),
        ("example.pt", "mail.example.pt", "192.0.2.1", Authentication(spf="pass", dmarc="pass", spf_aligned=True)),
        ("mail.example.pt", "example.pt", "192.0.2.1", Authentication(spf="pass", dmarc="pass", spf_aligned=True)),
        (
            "absent.example.pt",
            "absent.example.pt",
            "192.0.2.1",
            Authentication(spf="none", dmarc="fail", spf_aligned=False),
        ),
        ("example.pt", "example.pt", "198.51.100.1", Authentication(spf="fail", dmarc="fail", spf_aligned=False)),
        ("example.pt", "example.org", "192.0.2.1", Authentication(spf="pass", dmarc="fail", spf_aligned=False)),
        ("example.com", "example.com", "192.0.2.1", Authentication(spf="pass", dmarc="pass", spf_aligned=True)),
        ("example.com", "mail.example.com", "192.0.2.1", Authentication(spf="pass", dmarc="fail", spf_aligned=True)),
        (
            "mail.example.com",
            "mail.example.com",
            "192.0.2.1",
            Authentication(spf="pass", dmarc="pass", spf_aligned=True),
        ),
        ("example.org", "example.org", "192.0.2.1", Authentication(spf="pass", dmarc="none", spf_aligned=True)),
        ("example.org", "example.org", "198.51.100.1", Authentication(spf="fail", dmarc="none", spf_aligned=False)),
        ("example.net", "example.net", "192.0.2.1", Authentication(spf="none", dmarc="none", spf_aligned=False)),
        ("loja.com.pt", "loja.com.pt", "192.0.2.1", Authentication(spf="pass", dmarc="pass", spf_aligned=True)),
        ("loja.com.pt", "outra.com.pt", "192.0.2.1", Authentication(spf="pass", dmarc="fail", spf_aligned=False)),
        ("outra.com.pt", "loja.com.pt", "192.0.2.1", Authentication(spf="pass", dmarc="none", spf_aligned=False)),
        ("EXAMPLE.PT", "Example.pt", "192.0.2.1", Authentication(spf="pass", dmarc="pass", spf_aligned=True)),
        ("my-bank.example", "my.example", "192.0.2.1", Authentication(spf="pass", dmarc="fail", spf_aligned=False)),
        ("my.example", "my-bank.example", "192.0.2.1", Authentication(spf="pass", dmarc="none", spf_aligned=False)),
    ],
)
def test_spf_counts_where_its_domain_is_the_authors(
    prover: Prover, author: str, sender: str, peer: str, expected: Authentication
) -> None:
    """Relaxed or strict as the record says; two domains below one public suffix are strangers."""
    assert expected == prover.prove(letter(f"Rita <rita@{author}>"), sender=f"rita@{sender}", peer=peer)


@pytest.mark.parametrize(
    ("author", "domain", "dmarc", "aligned"),
    [
        ("example.pt", "example.pt", "pass", True),
        ("example.pt", "list.example.pt", "pass", True),
        ("list.example.pt", "example.pt", "pass", True),
        ("own.example.pt", "example.pt", "fail", True),
        ("own.example.pt", "own.example.pt", "pass", True),
        ("example.com", "list.example.com", "fail", True),
        ("example.com", "example.com", "pass", True),
        ("example.pt", "example.org", "fail", False),
        ("loja.com.pt", "outra.com.pt", "fail", False),
    ],
)
def test_dkim_counts_where_its_domain_is_the_authors(
    prover: Prover, author: str, domain: str, dmarc: str, aligned: bool
) -> None:
    """A forwarder breaks SPF; the author's signature holds, relaxed or strict as the record says."""
    raw = signed(letter(f"Rita <rita@{author}>"), rsa(2048), domain)
    proven = prover.prove(raw, sender="list@example.org", peer="198.51.100.1")
    assert Authentication(spf="fail", dkim="pass", dmarc=dmarc, dkim_aligned=aligned) == proven


@pytest.mark.parametrize(
    ("name", "dmarc"),
    [
        ("spf", "none"),
        ("version", "none"),
        ("late", "none"),
        ("no-p", "none"),
        ("no-p-rua", "fail"),
        ("wrong-p", "none"),
        ("blanks", "fail"),
        ("nonsense", "fail"),
        ("huge", "none"),
        ("circle", "temperror"),
    ],
)
def test_a_record_is_one_or_there_is_none(prover: Prover, name: str, dmarc: str) -> None:
    """Records that are none are overlooked, and those with small faults are read (RFC 7489 section 6.6.3)."""
    raw = letter(f"rita@{name}.example.edu")
    assert dmarc == prover.prove(raw, sender="rita@example.org", peer="192.0.2.1").dmarc


@pytest.mark.parametrize(
    ("author", "dmarc"),
    [
        ("rita@example.pt", "pass"),
        ("<rita@example.pt>", "pass"),
        ('"rita@example.org" <rita@example.pt>', "pass"),
        ("rita@example.pt (chefe@example.org)", "pass"),
        ("(chefe@example.org) rita@example.pt", "pass"),
        ("=?utf-8?q?chefe=40example=2Eorg?= <rita@example.pt>", "pass"),
        ('"Sousa, Rita" <rita@example.pt>', "pass"),
        ("Rita <rita@mail.example.pt>", "pass"),
        ("rita@example.org <rita@example.pt>", "pass"),
        ("rita@example.pt, chefe@example.pt", "permerror"),
        ("rita@example.pt, chefe@example.org", "permerror"),
        ("Equipa: rita@example.pt, chefe@example.org;", "permerror"),
        ("undisclosed-recipients:;", "permerror"),
        ("Rita", "permerror"),
        ("rita@[192.0.2.1]", "permerror"),
        ("rita@localhost", "permerror"),
        ("", "permerror"),
        ('"rita@example.pt" <x@example.org>', "none"),
        ("x@example.org (rita@example.pt)", "none"),
        ("x@example.org\r\n <rita@example.pt", "pass"),
        ("rita@example.pt\x00.example.org", "permerror"),
    ],
)
def test_the_author_is_the_one_mailbox_in_from(prover: Prover, author: str, dmarc: str) -> None:
    """Names, comments and encoded words are no addresses; several authors, or none, have no result."""
    proven = prover.prove(letter(author), sender="rita@example.pt", peer="192.0.2.1")
    assert (dmarc, dmarc == "pass") == (proven.dmarc, proven.aligned)


@pytest.mark.parametrize(
    ("second", "dmarc"), [(b"From: rita@example.pt\r\n", "permerror"), (b"from : chefe@example.org\r\n", "none")]
)
def test_two_fields_from_have_no_result(prover: Prover, second: bytes, dmarc: str) -> None:
    """Nobody knows which of them a reader sees; one with a blank before the colon is where our own reading ends."""
    proven = prover.prove(second + signed(letter(), rsa(2048)), sender="rita@example.pt", peer="192.0.2.1")
    assert (dmarc, False) == (proven.dmarc, proven.aligned)


def test_without_from_there_is_no_author(prover: Prover) -> None:
    """A message without From has no DMARC result; SPF has its own."""
    raw = letter().replace(b"From:", b"X-From:")
    assert Authentication(spf="pass") == prover.prove(raw, sender="rita@example.pt", peer="192.0.2.1")


def test_the_null_sender_is_proven_by_helo(prover: Prover) -> None:
    """Bounces and automatic replies have an SPF identity too (RFC 7489 section 3.1.2)."""
    proven = prover.prove(letter(), sender="", helo="mail.example.pt", peer="192.0.2.1")
    assert Authentication(spf="pass", dmarc="pass", spf_aligned=True) == proven


def test_a_method_that_could_not_be_tried_makes_no_failure(prover: Prover) -> None:
    """Behind a relay SPF is unknown, of a cut message the signature: what passes counts, the rest proves nothing."""
    raw = signed(letter(), rsa(2048))
    assert Authentication(dkim="pass", dmarc="pass", dkim_aligned=True) == prover.prove(raw)
    assert Authentication(dkim="fail", dmarc="none") == prover.prove(raw.replace(b"203.0.113.7", b"203.0.113.8"))
    cut = prover.answer(raw, whole=False, sender="x@example.org", peer="192.0.2.1")
    assert Authentication(spf="pass", dmarc="none") == cut.proven
    cut = prover.answer(raw, whole=False, sender="rita@example.pt", peer="192.0.2.1")
    assert Authentication(spf="pass", dmarc="pass", spf_aligned=True) == cut.proven


def test_what_may_still_pass_has_not_failed(prover: Prover) -> None:
    """An aligned method without an answer leaves the result open, a stranger's does not."""
    raw = signed(letter("rita@circle.example.edu"), rsa(2048), "circle.example.edu")
    assert "temperror" == prover.prove(raw, sender="x@example.org", peer="192.0.2.1").dmarc
    raw = letter("rita@nonsense.example.edu")
    assert "temperror" == prover.prove(raw, sender="x@circle.example.edu", peer="192.0.2.1").dmarc
    raw = letter("rita@example.pt")
    proven = prover.prove(raw, sender="x@circle.example.edu", peer="192.0.2.1")
    assert ("temperror", "fail") == (proven.spf, proven.dmarc)
