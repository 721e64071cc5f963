"""`key fetch`: what a domain publishes for an address, from a real HTTPS server to the answer that is encrypted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from csirt import Csirt
from keyed import RITA, keyed, sealed
from openpgp_shapes import text
from pgp import Forge
from servers.https import HttpsServer, answer
from servers.nsd import NameServer

from abuse_triage import config
from abuse_triage.errors import InputError
from abuse_triage.model.openpgp import KeyOrigin, KnownKey
from abuse_triage.openpgp import wkd
from abuse_triage.openpgp.certificates import inspect
from abuse_triage.service import discovery


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture
def csirt(tmp_path: Path, forge: Forge) -> Iterator[Csirt]:
    """An installation whose team has a key."""
    with keyed(tmp_path, forge) as made:
        yield made


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpsServer]:
    """The web server of example.pt on loopback, which `key fetch` reaches; a test says what it answers."""
    with HttpsServer(answer(status="404 Not Found")) as server:
        reach = server.reach(openpgpkey_example_pt="127.0.0.1")
        monkeypatch.setattr(discovery, "outside", lambda _settings: reach)
        yield server


def offered(csirt: Csirt) -> list[dict[str, object]]:
    """List the keys for which nobody vouches."""
    return list(csirt.json("key", "list", "--offered"))


def vouch(csirt: Csirt, data: bytes, origin: KeyOrigin = KeyOrigin.OPERATOR, address: str = RITA) -> None:
    """Keep a key for an address."""
    now = datetime.now(UTC)
    certificate = inspect(data, limit=64_000, now=now)
    store = csirt.store()
    store.add_key(
        KnownKey(certificate=certificate, origin=origin, addresses=(address,), added_at=now, added_by="somebody")
    )
    store.close()


def test_a_published_key_is_kept_and_answers_are_encrypted_to_it(
    csirt: Csirt, forge: Forge, published: HttpsServer
) -> None:
    """It is asked for where the draft says, is nobody's word but the domain's, and proves nobody."""
    published.reply = answer(forge.public(forge.partner))

    result = csirt.run("key", "fetch", "Rita@Example.pt")

    host, path = wkd.places("Rita@Example.pt")[0]
    assert [(host, path)] == published.asked
    assert path.endswith(f"/example.pt/hu/{wkd.name(RITA)}?l=Rita")
    digits = " ".join(forge.partner[start : start + 4] for start in range(0, 40, 4))
    assert f"Fingerprint  {digits}\n" in result.stdout
    assert "example.pt says that this is the key of Rita@Example.pt, and nobody else does." in result.stderr
    assert f"key add {forge.partner} --address {RITA}" in result.stderr
    assert '"event":"key-fetched"' in result.stderr
    assert [] == csirt.json("key", "list")
    (known,) = offered(csirt)
    assert (forge.partner, "wkd", [RITA]) == (known["fingerprint"], known["origin"], known["addresses"])
    assert "published by its domain" in csirt.run("key", "show", forge.partner).stdout

    csirt.take(sealed(forge, text("phishing on 198.51.100.7"), forge.team, signer=forge.partner))
    csirt.work(opening=True)

    store = csirt.store()
    found = store.ticket(csirt.json("ticket", "list")[0]["number"])
    store.close()
    assert "encrypted, signed, not verified: key not pinned (wkd)" == found.ticket.protection
    assert [forge.partner] == [mail.encrypt_to for mail in found.mails]


def test_a_second_address_is_added_to_the_first(csirt: Csirt, forge: Forge, published: HttpsServer) -> None:
    """What was fetched before still counts."""
    both = forge.generate("Duas <duas@example.pt>")
    forge.gpg("--quick-add-uid", both, "Outra <outra@example.pt>")
    published.reply = answer(forge.public(both))

    for address in ("duas@example.pt", "outra@example.pt", "duas@example.pt"):
        csirt.run("key", "fetch", address)

    assert [["duas@example.pt", "outra@example.pt"]] == [sorted(one["addresses"]) for one in offered(csirt)]


def test_what_you_vouch_for_stays(csirt: Csirt, forge: Forge, published: HttpsServer) -> None:
    """The same key changes nothing, another one is told."""
    vouch(csirt, forge.public(forge.partner))
    published.reply = answer(forge.public(forge.partner))
    assert "that you vouch for already; nothing is changed" in csirt.run("key", "fetch", RITA).stderr
    assert [] == offered(csirt)

    other = forge.generate("Rita S. <rita@example.pt>")
    published.reply = answer(forge.public(other))
    result = csirt.run("key", "fetch", RITA)
    assert f"You vouch for another key of this address: {forge.partner}." in result.stderr
    assert [other] == [one["fingerprint"] for one in offered(csirt)]


def test_a_revocation_reaches_the_copy_that_is_kept(csirt: Csirt, forge: Forge, published: HttpsServer) -> None:
    """A revoked key is refused, and an earlier copy of it is in use no longer; an operator's is named."""
    published.reply = answer(forge.revoked_certificate)
    address = "gone@example.pt"
    assert "was revoked" in csirt.run("key", "fetch", address, code=65).stderr
    assert [] == offered(csirt)

    vouch(csirt, forge.public(forge.unrevoked), KeyOrigin.WKD, address)
    csirt.run("key", "fetch", address, code=65)
    assert [True] == [one["revoked"] for one in offered(csirt)]

    csirt.run("key", "remove", forge.unrevoked)
    vouch(csirt, forge.public(forge.unrevoked), KeyOrigin.OPERATOR, address)
    result = csirt.run("key", "fetch", address, code=65)
    assert "You vouched for it; the revoked copy has taken its place." in result.stderr
    assert [(True, [address])] == [(one["revoked"], one["addresses"]) for one in csirt.json("key", "list")]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("other", "is not for rita@example.pt: it names someone@example.org"),
        ("two", "publishes something that cannot be used: there are 2 keys in it"),
        ("secret", "this is a SECRET key"),
        ("page", "this is not an OpenPGP key"),
        ("huge", "larger than 64000 bytes"),
    ],
)
def test_what_is_not_the_key_of_the_address_is_not_kept(
    csirt: Csirt, forge: Forge, published: HttpsServer, kind: str, words: str
) -> None:
    """Each is refused with its reason."""
    published.reply = answer(
        {
            "other": lambda: forge.public(forge.stranger),
            "two": lambda: forge.public(forge.partner, forge.stranger),
            "secret": lambda: forge.secret(forge.partner),
            "page": lambda: b"<html>no such page</html>",
            "huge": lambda: bytes(100_000),
        }[kind]()
    )
    assert words in csirt.run("key", "fetch", RITA, code=65).stderr
    assert [] == csirt.json("key", "list") + offered(csirt)


def test_an_address_that_looks_like_another_is_another(csirt: Csirt, forge: Forge, published: HttpsServer) -> None:
    """Exactly this address must stand in a user id."""
    published.reply = answer(forge.public(forge.partner))
    for address in ("arita@example.pt", "rita+x@example.pt"):
        assert f"is not for {address}" in csirt.run("key", "fetch", address, code=65).stderr


def test_a_key_that_only_signs_is_kept_with_a_word(csirt: Csirt, forge: Forge, published: HttpsServer) -> None:
    """Answers to it leave unencrypted, and the operator knows."""
    forge.gpg("--quick-gen-key", "Signs only <signs@example.pt>", "ed25519", "sign", "never")
    published.reply = answer(forge.public("signs@example.pt"))
    assert "answers leave unencrypted" in csirt.run("key", "fetch", "signs@example.pt").stderr


def test_a_domain_without_a_key_is_not_found(csirt: Csirt, published: HttpsServer) -> None:
    """Neither one that publishes none, nor one that does not exist."""
    assert "publishes no key" in csirt.run("key", "fetch", RITA, code=3).stderr
    assert "neither openpgpkey.example.org nor" in csirt.run("key", "fetch", "rita@example.org", code=3).stderr


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("rita", 2, "is no e-mail address"),
        ("rita@example.pt/x", 2, "is no e-mail address"),
        ("rita@[192.0.2.1]", 2, "is no e-mail address"),
        ("rita@192.0.2.1", 65, "is no domain on the Internet"),
        ("rita@localhost", 65, "is no domain on the Internet"),
        ("rita@mail.intern", 65, "is no domain on the Internet"),
        ("rita@example..pt", 65, "is no domain on the Internet"),
        ("rita@pt", 65, "is no domain on the Internet"),
    ],
)
def test_what_no_domain_can_answer_is_not_asked(
    csirt: Csirt, published: HttpsServer, address: str, code: int, words: str
) -> None:
    """Wrong usage, and names that nobody on the Internet has."""
    assert words in csirt.run("key", "fetch", address, code=code).stderr
    assert [] == published.asked


def test_the_operator_s_resolver_is_asked_and_inside_is_never_reached(csirt: Csirt, tmp_path: Path) -> None:
    """With nothing injected: the names go to authentication.resolver, and an address on loopback is refused."""
    zone = "openpgpkey IN A 127.0.0.1\nopenpgpkey IN A 192.0.2.1\n"
    (tmp_path / "nsd").mkdir()
    with NameServer(tmp_path / "nsd", {"example.pt": zone}) as server:
        content = csirt.path.read_text("utf-8").replace("resolver = []", f'resolver = ["{server.address}"]')
        csirt.path.write_text(content, "utf-8")

        result = csirt.run("key", "fetch", RITA, code=65)

    assert "openpgpkey.example.pt is at " in result.stderr
    assert "which is not asked" in result.stderr


def test_the_system_is_asked_where_no_resolver_is_configured(csirt: Csirt) -> None:
    """And TLS is verified by the system's authorities, on the usual port."""
    reach = discovery.outside(config.load(csirt.path))
    assert ("by_system", 443, True) == (reach.resolve.__name__, reach.port, reach.tls.check_hostname)
    assert "CERT_REQUIRED" == reach.tls.verify_mode.name


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("192.0.2.1", True),
        ("0.0.0.0", True),
        ("::1", True),
        ("fe80::1%1", True),
        ("fd00::1", True),
        ("::ffff:10.0.0.1", True),
        ("64:ff9b::a00:1", True),
        ("2002:a00:1::1", True),
        ("::127.0.0.1", True),
        ("fec0::1", True),
        ("::ffff:0:10.0.0.1", True),
        ("185.39.208.1", False),
        ("2a04:6d80::1", False),
    ],
)
def test_ranges_that_are_not_asked(address: str, refused: bool) -> None:
    """Everything that is not an ordinary address of the Internet, also wrapped into IPv6."""
    assert refused == bool(discovery.special_range(address))


def test_the_rule_about_ranges_holds_for_every_host(csirt: Csirt, published: HttpsServer, forge: Forge) -> None:
    """The same server with the rule of the program instead of the test's is not asked."""
    published.reply = answer(forge.public(forge.partner))
    settings = config.load(csirt.path)
    reach = replace(discovery.outside(settings), refuse=discovery.special_range)
    with pytest.raises(InputError, match=r"127\.0\.0\.1 \(loopback range\)"):
        discovery.published_key(RITA, settings, reach, datetime.now(UTC))
    assert [] == published.asked
