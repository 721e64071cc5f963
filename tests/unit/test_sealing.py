"""What leaves: signed and encrypted by the sender, verified and opened by a stock gpg."""

import email
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from contract.values import NOON, known
from pgp import Forge
from sealed_mail import RITA, settings_of_a_team, vouched, with_openpgp
from structlog.testing import capture_logs

from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind, MailState
from abuse_triage.openpgp import command, gpg
from abuse_triage.openpgp.certificates import inspect
from abuse_triage.service.sealing import Sealer, SealingError
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store
from abuse_triage.store.outbox import StoredMail

CONTENT = (
    b"From: abuse@example.pt\r\nTo: rita@example.pt\r\nSubject: [TEST#2026-000001] recebido\r\n"
    b"Date: Sun, 22 Nov 2026 09:00:00 +0000\r\nMessage-ID: <ack.1@example.pt>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Recebemos a sua participa=C3=A7=C3=A3o.\r\n"
)
SAID = b"Recebemos a sua participa=C3=A7=C3=A3o."
Making = Callable[..., Sealer]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Iterator[Settings]:
    """A team with a key that is advertised."""
    with settings_of_a_team(tmp_path_factory.mktemp("team"), forge) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path, forge: Forge) -> Iterator[Store]:
    """A store that knows Rita's key."""
    made = open_store(tmp_path / "store.sqlite")
    made.add_key(vouched(forge, forge.partner, RITA))
    yield made
    made.close()


@pytest.fixture
def sealer(settings: Settings, store: Store) -> Iterator[Making]:
    """What makes sealers with other settings of [openpgp], or another advertised key."""
    with ExitStack() as ended:

        def make(advertised: str | None = None, **changes: object) -> Sealer:
            changed = with_openpgp(settings, **changes)
            if advertised is not None:
                team = settings.team.model_copy(update={"openpgp_fingerprint": advertised})
                changed = changed.model_copy(update={"team": team})
            return ended.enter_context(Sealer(changed, store))

        yield make


def outgoing(encrypt_to: str = "") -> StoredMail:
    """Return a mail that is due."""
    return StoredMail(
        id=1,
        kind=MailKind.ACKNOWLEDGEMENT,
        message_id="ack.1@example.pt",
        recipient=RITA,
        ticket="TEST#2026-000001",
        state=MailState.QUEUED,
        created_at=NOON,
        tries=0,
        next_try=NOON,
        error="",
        encrypt_to=encrypt_to,
    )


def kill_agent(one: Sealer) -> None:
    """End the agent of a sealer as a crash does."""
    assert one._home is not None
    agent = one._home._agent
    os.kill(int(agent.ask("GETINFO pid")), signal.SIGKILL)
    while agent.alive:
        pass


def said_and_signed(forge: Forge, folder: Path, entity: bytes) -> bool:
    """Tell whether a multipart/signed is ours and says what we wrote, for a stock gpg."""
    parsed = email.message_from_bytes(entity)
    assert "multipart/signed" == parsed.get_content_type()
    _, covered, last, _ = entity.split(b"--" + parsed.get_boundary().encode())
    signature, data = folder / "s.asc", folder / "s.txt"
    signature.write_bytes(email.message_from_bytes(last.lstrip(b"\r\n")).get_payload(decode=True))
    data.write_bytes(covered.removeprefix(b"\r\n").removesuffix(b"\r\n"))
    status = forge.gpg("--status-fd", "1", "--verify", str(signature), str(data)).decode()
    return f"VALIDSIG {forge.team}" in status and SAID in data.read_bytes()


def opened(forge: Forge, sealed: bytes) -> bytes:
    """Open a multipart/encrypted with a stock gpg, and see that nothing is told outside."""
    parsed = email.message_from_bytes(sealed)
    assert "multipart/encrypted" == parsed.get_content_type()
    assert "[...]" == parsed["Subject"]
    assert b"2026-000001" not in sealed
    return forge.opened(parsed.get_payload()[1].get_payload(decode=True))


def test_what_we_send_is_signed(sealer: Making, forge: Forge, tmp_path: Path) -> None:
    """Where there is a key for it, and no key to encrypt to."""
    assert said_and_signed(forge, tmp_path, sealer().seal(outgoing(), CONTENT))


def test_an_answer_to_what_was_encrypted_is_signed_and_encrypted(sealer: Making, forge: Forge, tmp_path: Path) -> None:
    """The signature is inside, and verifies there."""
    assert said_and_signed(forge, tmp_path, opened(forge, sealer().seal(outgoing(forge.partner), CONTENT)))


@pytest.mark.parametrize("how", [{"sign": False}, {"secret_key": None}, {"advertised": ""}])
def test_without_a_key_that_signs_mail_is_only_encrypted(
    sealer: Making, forge: Forge, how: dict[str, str | bool | None]
) -> None:
    """Switched off, no key at all, none advertised: what needs no signature leaves as it is."""
    one = sealer(**how)
    assert CONTENT == one.seal(outgoing(), CONTENT)
    inside = opened(forge, one.seal(outgoing(forge.partner), CONTENT))
    assert "text/plain" == email.message_from_bytes(inside).get_content_type()
    assert SAID in inside


def unusable(forge: Forge, store: Store, how: str) -> str:
    """Make a key in the store that cannot be encrypted to now, and return its fingerprint."""
    if how == "gone":
        return "A" * 40
    then = datetime(2020, 6, 1, tzinfo=UTC)
    if how == "revoked":
        store.add_key(known(inspect(forge.revoked_certificate, limit=64_000, now=datetime.now(UTC)), "g@example.pt"))
        return forge.unrevoked
    if how == "expired":
        store.add_key(known(inspect(forge.public(forge.expired), limit=64_000, now=then), "old@example.pt"))
        return forge.expired
    name = "Subkey Ended <ended@example.pt>"
    if name not in forge._made:
        forge.gpg("--quick-gen-key", name, "ed25519", "cert,sign", "never", at="20200101T000000")
        listed = forge.gpg("--with-colons", "--list-keys", "ended@example.pt").decode()
        forge._made[name] = listed.split("\nfpr:")[1].split(":")[8]
        forge.gpg("--quick-add-key", forge._made[name], "cv25519", "encr", "1y", at="20200101T000000")
    found = replace(inspect(forge.public(forge._made[name]), limit=64_000, now=then), expires=None)
    assert found.usable(datetime.now(UTC)), "what the store says is older than what gpg finds"
    store.add_key(known(found, "ended@example.pt"))
    return forge._made[name]


@pytest.mark.parametrize("sign", [True, False])
@pytest.mark.parametrize("how", ["gone", "revoked", "expired", "refused by gpg"])
def test_a_key_that_cannot_be_encrypted_to_is_done_without(
    sealer: Making, store: Store, forge: Forge, tmp_path: Path, *, how: str, sign: bool
) -> None:
    """The answer says nothing about the report; it leaves in clear, signed as always, and the log names the key."""
    fingerprint = unusable(forge, store, how)
    with capture_logs() as logs:
        sent = sealer(sign=sign).seal(outgoing(fingerprint), CONTENT)
    assert said_and_signed(forge, tmp_path, sent) if sign else CONTENT == sent
    assert [("key-unusable", "warning", fingerprint)] == [
        (line["event"], line["log_level"], line["fingerprint"]) for line in logs
    ]


def test_an_agent_that_has_died_is_started_again(sealer: Making, forge: Forge, tmp_path: Path) -> None:
    """The mail that notices is signed all the same."""
    one = sealer()
    kill_agent(one)
    assert said_and_signed(forge, tmp_path, one.seal(outgoing(), CONTENT))


@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.parametrize("dead", [False, True])
def test_nothing_leaves_unsigned_where_signing_is_configured(
    sealer: Making, forge: Forge, encrypt: bool, dead: bool
) -> None:
    """An advertised key whose secret part is missing stops mail, encrypted or not, agent revived or not."""
    one = sealer(advertised=forge.stranger)
    if dead:
        kill_agent(one)
    with pytest.raises(SealingError, match=r"cannot sign") as caught:
        one.seal(outgoing(forge.partner if encrypt else ""), CONTENT)
    assert "docs/openpgp.md" in caught.value.advice


def test_mail_waits_for_an_agent_that_does_not_come_back(
    sealer: Making, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once GnuPG is back, the same mail is signed."""
    one = sealer()
    kill_agent(one)
    with monkeypatch.context() as patch:
        patch.setitem(command.ENVIRONMENT, "PATH", "/nonexistent")
        for _ in range(2):
            with pytest.raises(SealingError, match="gpg is not installed"):
                one.seal(outgoing(), CONTENT)
    assert said_and_signed(forge, tmp_path, one.seal(outgoing(), CONTENT))


def test_mail_waits_for_a_gpg_that_does_not_start(sealer: Making, forge: Forge) -> None:
    """What should be encrypted does not leave in clear because gpg is missing."""
    one = sealer(secret_key=None)
    one._gpg = gpg.Gpg(Path("/nonexistent"), gpg.Limits(), program="/nonexistent/gpg")
    with pytest.raises(SealingError, match="gpg does not work"):
        one.seal(outgoing(forge.partner), CONTENT)
