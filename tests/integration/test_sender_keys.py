"""What becomes of mail that cannot be signed: none is lost, and handlers hear of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from integration.test_sender import NOW, outgoing, settings_of, work
from pgp import Forge

from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind, MailState
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Everybody's keys."""
    with Forge.open() as forge:
        yield forge


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a store of its own."""
    opened = open_store(tmp_path / "store.sqlite")
    yield opened
    opened.close()


def signing(folder: Path, forge: Forge, key: str) -> Settings:
    """Return a configuration that signs with a key."""
    secret = folder / "team.pgp"
    secret.touch(0o600)
    secret.write_bytes(forge.secret(key))
    settings = settings_of(folder)
    return settings.model_copy(
        update={
            "team": settings.team.model_copy(update={"openpgp_fingerprint": key}),
            "openpgp": settings.openpgp.model_copy(update={"secret_key": secret, "runtime": Path("/dev/shm")}),
        }
    )


def test_answers_wait_for_a_key_as_long_as_it_takes(tmp_path: Path, store: Store, forge: Forge) -> None:
    """Unsigned they would not be believed, and given up they would fail a person: they leave when there is a key."""
    store.queue(outgoing(1), NOW)
    for days in (0, 30):
        work(signing(tmp_path, forge, forge.expired), store, NOW + timedelta(days=days))
        (mail,) = store.mails((), 10)
        assert MailState.QUEUED is mail.state
        assert "cannot be signed" in mail.error
    work(signing(tmp_path, forge, forge.team), store, NOW + timedelta(days=31))
    assert [MailState.SENT] == [mail.state for mail in store.mails((), 10)]


@pytest.mark.parametrize("kind", [MailKind.DIGEST, MailKind.NOTICE])
def test_handlers_are_told_without_a_signature(tmp_path: Path, store: Store, forge: Forge, kind: MailKind) -> None:
    """What tells them that the key has expired must not wait for the key."""
    store.queue(outgoing(1, kind), NOW)
    work(signing(tmp_path, forge, forge.expired), store)
    assert [MailState.SENT] == [mail.state for mail in store.mails((), 10)]
    (file,) = (tmp_path / "outbox").iterdir()
    assert outgoing(1, kind).content == file.read_bytes()
