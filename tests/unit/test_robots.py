"""Addresses behind which nobody sits, and return paths that only take bounces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.robots import is_listed, is_owner, is_robot, takes_bounces

ROBOTS = [
    "mailer-daemon@example.pt", "mailer-daemon", "mailer-daemon-7@example.pt",
    "noreply@example.pt", "no-reply@example.pt", "no_reply@example.pt", "no.reply@example.pt",
    "abuse-noreply@example.pt", "noreply+tag@example.pt", "do-not-reply@example.pt", "donotreply@example.pt",
    "nao-responder@example.pt", "nao.responda@example.pt", "listserv@example.pt", "majordomo@example.pt",
    "autoreply@example.pt", "nobody@example.pt", "prvs=1234abcdef=noreply@example.pt",
    "srs0=ab=cd=example.org=no-reply@example.net",
]  # fmt: skip
BOUNCES = [
    "bounce@example.pt", "bounces@example.pt", "bounce-4711@example.pt", "bounce4711@example.pt",
    "fblbounces@example.pt", "pm_bounces@mail.example.pt", "news.bounce@example.pt",
    "owner-lista@example.pt", "lista-owner@example.pt", "lista-request@example.pt", "lista-bounces@example.pt",
    "lista-bounces+ana=example.org@lists.example.pt", "lista+ana=example.org@example.pt",
    "lista-return-4711-ana=example.org@example.pt", "lista-return-12-@example.pt",
    "owner-lista+ana=example.org@example.pt", "abuse+bncbcsbnlw7ryhrb4jx2@example.pt",
    "bounces+1234567-ab12-ana=example.org@em4711.example.pt", "bounce+6a5c8c.4b0d0-ana=example.org@mg.example.pt",
    "bounce-md_12345.abc.v1-ab@mail.example.pt", "bounce-mc.us1_1.2-ana=example.org@mail1.example.pt",
    "msprvs1=18abcd=bounces-12345@example.pt", "ana=example.org__0-abc@x.bnc.example.pt",
    "4711.ana=example.org@a1.bnc3.example.pt", "xyz@bounces.example.pt", "xyz@em.bounce.example.pt",
    "010001900f2c3b4a-6d2e1f00-aaaa-bbbb-cccc-0123456789ab-000000@amazonses.com",
    "010001900f2c3b4a-6d2e1f00-aaaa-bbbb-cccc-0123456789ab-000000@eu-west-1.amazonses.com",
    "010001900f2c3b4a-6d2e1f00-aaaa-bbbb-cccc-0123456789ab-000000@mail.example.pt",
    "ana+caf_=abuse=example.org@example.com", "prvs=1234abcdef=lista-bounces@example.pt",
    "srs0=ab=cd=example.org=lista-bounces@example.net", "bounces+srs=q8t7g=4u@example.pt",
]  # fmt: skip
PEOPLE = [
    "abuse@example.pt", "ana@example.pt", "ana.silva+abuse@example.pt", "root@example.pt", "info@example.pt",
    "security@example.pt", "cert@example.pt", "reply@example.pt", "owner@example.pt", "request@example.pt",
    "bouncer@example.pt", "reports@example.pt", "returns@example.pt", "noreen.plymouth@example.pt",
    "prvs=1234abcdef=ana@example.pt", "prvs=ana/1234abcdef@example.pt", "btv1==123abc==ana@example.pt",
    "srs0=ab=cd=example.org=ana@example.net", "srs0+ab=cd=example.org=ana@example.net",
    "srs1=ab=example.net==cd=ef=example.org=ana@example.com",
    "ana+srs=44ldt=ix=example.org=rui@example.com", "soc+ticket=12@example.pt",
]  # fmt: skip


@pytest.mark.parametrize("address", ROBOTS)
def test_robots(address: str) -> None:
    """An address of a machine, or one that says that nobody reads it, is a robot's."""
    assert is_robot(address)


@pytest.mark.parametrize("address", BOUNCES)
def test_return_paths(address: str) -> None:
    """Lists, mailing services and Google's forwarding put return paths into the envelope that are no writer's."""
    assert takes_bounces(address)
    assert not is_robot(address)


@pytest.mark.parametrize("address", PEOPLE)
def test_people(address: str) -> None:
    """Role addresses, BATV and a forwarder's rewritten return path (SRS) reach people."""
    assert not is_robot(address)
    assert not takes_bounces(address)


def test_owners_of_lists() -> None:
    """The owner's address of a list is told from an address called owner."""
    assert is_owner("lista-owner")
    assert is_owner("lista-request+x")
    assert not is_owner("owner")


def test_an_address_is_listed_by_itself_or_by_its_domain() -> None:
    """Subaddresses and subdomains are listed with what they belong to, neighbours are not."""
    known = frozenset(["feed@example.org", "feeds.example.net"])
    for listed in ("feed@example.org", "feed+4711@example.org", "x@feeds.example.net", "x@a.feeds.example.net"):
        assert is_listed(listed, known)
    for other in ("ana@example.org", "feed@example.net", "x@otherfeeds.example.net", "feed@a.example.org", ""):
        assert not is_listed(other, known)
    assert not is_listed("feed@example.org", frozenset())


@given(st.text(max_size=400))
def test_any_text_is_judged(text: str) -> None:
    """No address makes it fail, however long and odd."""
    for address in (text, f"{text}@example.pt", f"srs0={text}", f"prvs={text}@example.pt"):
        assert is_robot(address) in {True, False}
        assert takes_bounces(address) in {True, False}


@given(st.sampled_from(PEOPLE + BOUNCES), st.from_regex(r"[0-9a-f]{4}=[a-z2-7]{2}", fullmatch=True))
def test_a_forwarder_changes_nothing(address: str, tag: str) -> None:
    """What SRS wraps is judged as what is inside it; what is wrapped already is wrapped by SRS1 instead."""
    local, _, domain = address.partition("@")
    if "srs" not in local:
        assert takes_bounces(address) == takes_bounces(f"srs0={tag}={domain}={local}@forwarder.example.com")
