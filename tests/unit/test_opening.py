"""Opening and checking messages as the decider does, with messages and keys of a stock gpg."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contract.values import claim_one, opens
from openpgp_shapes import attachment, mail, multipart, signed, text
from pgp import Forge
from sealed_mail import RITA, TEXT, arrived, head, sealed, settings_of_a_team, signed_part, vouched, with_openpgp

from abuse_triage import config, pipeline
from abuse_triage.model.message import Arrival
from abuse_triage.model.openpgp import Encrypted, Failure, Form, Headers, KeyOrigin, Protection, Signature, Source
from abuse_triage.model.report import NOT_OPENED, Opened
from abuse_triage.model.settings import Settings
from abuse_triage.openpgp import command, gpg, messages
from abuse_triage.service import opening
from abuse_triage.service.opening import Opener, OpeningError, limits_of, usable_key
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Iterator[Settings]:
    """A team with a key."""
    with settings_of_a_team(tmp_path_factory.mktemp("team"), forge) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store without keys."""
    made = open_store(tmp_path / "store.sqlite")
    yield made
    made.close()


class Bench:
    """An opener, and the reader's part of the work."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._ended = ExitStack()
        self._settings, self.store = settings, store
        self.opener = self.configured()
        self.read_again: list[list[bytes | None]] = []

    def configured(self, **changes: object) -> Opener:
        """Make an opener with other settings of [openpgp]."""
        return self._ended.enter_context(Opener(with_openpgp(self._settings, **changes), self.store))

    def open(self, raw: bytes, opener: Opener | None = None, **how: Any) -> Opened:
        """Read a mail that comes in now, and open it."""
        arrival: Arrival = arrived(raw, **how)

        def reread(texts: Any) -> Any:
            self.read_again.append(list(texts))
            return pipeline.read_opened(raw, texts, self._settings.limits)

        reading = pipeline.read(raw, self._settings.limits)
        return (opener or self.opener).open(reading, arrival, reread)

    def kill_agent(self) -> None:
        """End the agent of the opener as a crash does."""
        agent = self.opener._home._agent
        os.kill(int(agent.ask("GETINFO pid")), signal.SIGKILL)
        while agent.alive:
            pass

    def close(self) -> None:
        """End everything."""
        self._ended.close()


@pytest.fixture
def bench(settings: Settings, store: Store) -> Iterator[Bench]:
    """An opener with the team's key and a store without keys."""
    made = Bench(settings, store)
    yield made
    made.close()


@pytest.fixture
def decryptions(monkeypatch: pytest.MonkeyPatch) -> list[messages.Decrypted]:
    """Collect what each decryption gave."""
    found: list[messages.Decrypted] = []

    def decrypt(*given: Any, **more: Any) -> messages.Decrypted:
        found.append(as_always(*given, **more))
        return found[-1]

    as_always = messages.decrypt
    monkeypatch.setattr(messages, "decrypt", decrypt)
    return found


def test_a_message_without_openpgp_costs_nothing(bench: Bench) -> None:
    """Nothing is found, and nothing is read again."""
    assert NOT_OPENED is bench.open(mail(TEXT, head=head()))
    assert [] == bench.read_again


def test_certificates_that_came_along_are_offered(bench: Bench, forge: Forge) -> None:
    """What is none is left where it is; a secret key, too."""
    blobs = (forge.public(forge.stranger), b"no key", forge.secret(forge.partner))
    attached = [attachment(blob, "k.asc", "application/pgp-keys") for blob in blobs]
    found = bench.open(mail(multipart("mixed", text("x\n"), *attached), head=head()))
    assert [forge.stranger] == [one.fingerprint for one in found.offered]
    assert (NOT_OPENED.protection, None, {}) == (found.protection, found.reading, found.reply_keys)


def test_a_sealed_report_of_a_partner_is_opened_and_verified(bench: Bench, forge: Forge) -> None:
    """The plaintext is read, and everything about the signature is proven."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    found = bench.open(sealed(forge, TEXT, signer=forge.partner))
    assert found.reading is not None
    assert "https://login.banco-exemplo.pt/entrar" in {one.value for one in found.reading.indicators}
    proven = found.protection
    assert (Form.MIME_ENCRYPTED, Encrypted.YES, None, Signature.GOOD) == (
        proven.form,
        proven.encrypted,
        proven.reason,
        proven.signature,
    )
    assert (forge.partner, Source.PINNED, True, True) == (proven.signer, proven.source, proven.from_match, proven.fresh)
    assert proven.verified
    assert 64 == len(proven.signature_id)
    assert {RITA: forge.partner} == found.reply_keys


@pytest.mark.parametrize("outside", ["", "outside"])
def test_protected_headers_are_compared(bench: Bench, forge: Forge, outside: str) -> None:
    """A subject inside that is another than the one outside undoes what the signature proves."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    part = TEXT.replace("utf-8", 'utf-8; protected-headers="v1"').replace("\n\n", "\nSubject: inside\n\n", 1)
    found = bench.open(mail(signed_part(forge, part, forge.partner), head=head(subject=outside or "inside")))
    expected = Headers.MISMATCH if outside else Headers.MATCH
    assert (expected, not outside) == (found.protection.headers, found.protection.verified)


def test_without_keys_of_the_team_nothing_is_opened_and_signatures_are_checked(
    bench: Bench, forge: Forge, decryptions: list[messages.Decrypted]
) -> None:
    """A team that has made no key yet reads why, and trusts its partners all the same."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    bare = bench.configured(secret_key=None)
    found = bench.open(sealed(forge, TEXT), bare)
    assert (Encrypted.FAILED, Failure.NOT_CONFIGURED) == (found.protection.encrypted, found.protection.reason)
    assert (None, [], []) == (found.reading, bench.read_again, decryptions)
    assert {RITA: forge.partner} == found.reply_keys, "the answer must look the same"
    assert bench.open(mail(signed_part(forge, TEXT, forge.partner), head=head()), bare).protection.verified


@pytest.mark.parametrize(
    ("expected", "to", "changes"),
    [
        (Failure.NO_SECRET_KEY, ("stranger",), {}),
        (Failure.TOO_MANY_KEYS, ("team", "stranger"), {"max_recipients": 1}),
        (Failure.TOO_LARGE, ("team",), {"max_output": 50}),
    ],
)
def test_what_cannot_be_opened_says_why(
    bench: Bench, forge: Forge, expected: Failure, to: tuple[str, ...], changes: dict[str, object]
) -> None:
    """The reason stands in the protection; who wrote may be answered encrypted as if it had been opened."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    found = bench.open(sealed(forge, TEXT, *(getattr(forge, name) for name in to)), bench.configured(**changes))
    assert (Encrypted.FAILED, expected) == (found.protection.encrypted, found.protection.reason)
    assert (None, {RITA: forge.partner}) == (found.reading, found.reply_keys)
    assert (Signature.NONE, "") == (found.protection.signature, found.protection.signer)


def test_a_signer_whom_only_the_signature_names_is_looked_up(
    bench: Bench, forge: Forge, decryptions: list[messages.Decrypted]
) -> None:
    """The signature inside of a ciphertext names its key only when it is opened: then it is opened once more."""
    bench.store.add_key(vouched(forge, forge.with_signing_subkey, "sara@example.pt"))
    found = bench.open(sealed(forge, TEXT, signer=forge.with_signing_subkey))
    assert [Signature.UNKNOWN_KEY, Signature.GOOD] == [one.check.signature for one in decryptions]
    proven = found.protection
    assert (forge.with_signing_subkey, Source.RING, False) == (proven.signer, proven.source, proven.from_match)


def test_a_signer_whom_nobody_knows_costs_no_second_run(
    bench: Bench, forge: Forge, decryptions: list[messages.Decrypted]
) -> None:
    """There is no key to open it again with."""
    found = bench.open(sealed(forge, TEXT, signer=forge.stranger))
    assert (Signature.UNKNOWN_KEY, "", Source.NONE) == (
        found.protection.signature,
        found.protection.signer,
        found.protection.source,
    )
    assert found.reading is not None
    assert 1 == len(decryptions)


def test_a_second_run_that_fails_takes_nothing_away(
    bench: Bench, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first run has opened is used; the signature stays unknown."""
    bench.store.add_key(vouched(forge, forge.with_signing_subkey, "sara@example.pt"))
    runs = []

    def decrypt(*given: Any, **more: Any) -> messages.Decrypted:
        if runs:
            bench.kill_agent()
        runs.append(as_always(*given, **more))
        return runs[-1]

    as_always = messages.decrypt
    monkeypatch.setattr(messages, "decrypt", decrypt)
    found = bench.open(sealed(forge, TEXT, signer=forge.with_signing_subkey))
    assert [None, Failure.ENGINE] == [one.failure for one in runs]
    assert (Encrypted.YES, Signature.UNKNOWN_KEY) == (found.protection.encrypted, found.protection.signature)


def test_a_signed_part_inside_of_the_encryption_counts(bench: Bench, forge: Forge) -> None:
    """RFC 3156 section 6.1; its signature is what is proven."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    found = bench.open(sealed(forge, signed_part(forge, TEXT, forge.partner)))
    assert "encrypted, signed and verified" == found.protection.words
    assert Form.MIME_ENCRYPTED is found.protection.form


def test_two_signatures_prove_nothing(bench: Bench, forge: Forge) -> None:
    """Neither two about one part, nor one about the ciphertext's content and one inside of it."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    both = bench.open(mail(signed_part(forge, TEXT, forge.partner, forge.stranger), head=head()))
    nested = bench.open(sealed(forge, signed_part(forge, TEXT, forge.partner), signer=forge.partner))
    assert [Signature.MIXED] * 2 == [one.protection.signature for one in (both, nested)]
    assert not both.protection.verified
    assert not nested.protection.verified


@pytest.mark.parametrize("inline", [False, True])
def test_signed_messages_are_checked_in_both_forms(bench: Bench, forge: Forge, inline: bool) -> None:
    """A part with its signature, and a block in the text; what was changed is bad."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    plain = "Content-Type: text/plain; charset=utf-8\n\n"
    block = plain + forge.cleartext(b"A pagina imita o banco.\n", forge.partner).decode()
    body = block if inline else signed_part(forge, TEXT.replace("página", "pagina"), forge.partner)
    assert bench.open(mail(body, head=head())).protection.verified
    changed = bench.open(mail(body.replace("pagina", "padaria"), head=head()))
    assert Signature.BAD is changed.protection.signature


def test_a_signature_that_is_none_is_an_error_with_a_reason(bench: Bench) -> None:
    """An armour with anything in it is nobody's signature."""
    found = bench.open(mail(signed(TEXT), head=head()))
    assert (Signature.ERROR, Failure.MALFORMED) == (found.protection.signature, found.protection.reason)
    assert not found.protection.fresh


@pytest.mark.parametrize(
    ("expected", "origin", "address"),
    [
        ((Source.PINNED, True, True), KeyOrigin.OPERATOR, RITA),
        ((Source.RING, False, False), KeyOrigin.OPERATOR, "another@example.pt"),
        ((Source.WKD, True, False), KeyOrigin.WKD, RITA),
        ((Source.ATTACHED, True, False), KeyOrigin.ATTACHED, ""),
    ],
)
def test_who_vouches_for_a_key_decides(
    bench: Bench, forge: Forge, expected: tuple[Source, bool, bool], origin: KeyOrigin, address: str
) -> None:
    """Only the operator's word about the very address in From makes a signature a proof."""
    addresses = (address,) if address else ()
    bench.store.add_key(vouched(forge, forge.partner, *addresses, origin=origin))
    proven = bench.open(mail(signed_part(forge, TEXT, forge.partner), head=head())).protection
    assert Signature.GOOD is proven.signature
    assert expected == (proven.source, proven.from_match, proven.verified)


@pytest.mark.parametrize("pinned", [False, True])
def test_a_key_that_came_along_is_believed_only_by_the_operators_word(bench: Bench, forge: Forge, pinned: bool) -> None:
    """It may check its own signature, and proves nothing; where the operator has it, that is what counts."""
    if pinned:
        bench.store.add_key(vouched(forge, forge.partner, RITA))
    key = attachment(forge.public(forge.partner), "k.asc", "application/pgp-keys")
    part = multipart("mixed", TEXT, key, boundary="m")
    found = bench.open(mail(signed_part(forge, part, forge.partner), head=head()))
    assert [forge.partner] == [one.fingerprint for one in found.offered]
    expected = (Source.PINNED, True, True) if pinned else (Source.ATTACHED, True, False)
    assert expected == (found.protection.source, found.protection.from_match, found.protection.verified)


@pytest.mark.parametrize("sender", [f"Rita <{RITA}>, Eva <eva@example.net>", "nobody at all", "Eva <eva@example.net>"])
def test_from_must_be_the_signers_address_and_no_other(bench: Bench, forge: Forge, sender: str) -> None:
    """Two addresses, none, or somebody else's: the signature is good and proves nothing about them."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    found = bench.open(mail(signed_part(forge, TEXT, forge.partner), head=head(sender=sender)))
    assert (Signature.GOOD, False, False) == (
        found.protection.signature,
        found.protection.from_match,
        found.protection.verified,
    )


@pytest.mark.parametrize(
    ("expected", "date", "received"),
    [
        (True, timedelta(0), timedelta(0)),
        (True, WEEK - timedelta(hours=1), WEEK - timedelta(hours=1)),
        (True, timedelta(hours=1) - WEEK, timedelta(hours=1) - WEEK),
        (False, WEEK + timedelta(hours=1), timedelta(0)),
        (False, timedelta(0), WEEK + timedelta(hours=1)),
        (False, -timedelta(hours=1) - WEEK, timedelta(0)),
        (False, timedelta(0), -timedelta(hours=1) - WEEK),
        (True, None, timedelta(0)),
        (False, None, WEEK + timedelta(hours=1)),
    ],
)
def test_a_signature_is_of_the_time_of_its_message(
    bench: Bench, forge: Forge, expected: bool, date: timedelta | None, received: timedelta
) -> None:
    """Neither older nor younger than openpgp.freshness, by Date and by arrival; without Date by arrival alone."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    now = datetime.now(UTC)
    outside = head(date=now + (date or timedelta(0)))
    if date is None:
        outside = "".join(line for line in outside.splitlines(keepends=True) if not line.startswith("Date:"))
    found = bench.open(mail(signed_part(forge, TEXT, forge.partner), head=outside), at=now + received)
    assert (expected, expected) == (found.protection.fresh, found.protection.verified)


def test_what_came_before_in_another_message_is_a_replay(bench: Bench, forge: Forge) -> None:
    """The same message opened again is none; `renewed` sees what another message has brought meanwhile."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    raw = sealed(forge, TEXT, signer=forge.partner)
    first = bench.open(raw, name="m1")
    second = bench.open(raw, name="m2")
    assert [False, False] == [one.protection.replayed for one in (first, second)]
    bench.store.accept([arrived(raw, "m1"), arrived(raw, "m2")])
    claimed = claim_one(bench.store)
    bench.store.finish([opens(claimed, signature_id=first.protection.signature_id, unseen=True)])

    again = [bench.opener.renewed(one, arrived(raw, name)) for one, name in ((first, "m1"), (second, "m2"))]

    assert [False, True] == [one.protection.replayed for one in again]
    assert [True, False] == [one.protection.verified for one in again]
    assert second.reading is again[1].reading
    assert bench.open(raw, name="m2").protection.replayed


def test_a_ciphertext_without_signature_is_known_again(bench: Bench, forge: Forge) -> None:
    """What somebody took out of a foreign mail and sends anew has the id that it had, opened or not."""
    raw = sealed(forge, TEXT)
    ids = {bench.open(one).protection.signature_id for one in (raw, raw.replace(b"Subject: ...", b"Subject: mine"))}
    assert 1 == len(ids)
    assert "" not in ids
    assert ids.isdisjoint({bench.open(sealed(forge, TEXT)).protection.signature_id})


def test_answers_are_encrypted_to_keys_that_were_known_before(bench: Bench, forge: Forge) -> None:
    """To From and the envelope sender, by the operator's or the domain's word, while the key is usable."""
    now = datetime.now(UTC)
    for key in (
        vouched(forge, forge.partner, RITA, origin=KeyOrigin.WKD),
        vouched(forge, forge.stranger, origin=KeyOrigin.ATTACHED),
        vouched(forge, forge.expired, "old@example.pt"),
        vouched(forge, forge.with_signing_subkey, "sara@example.pt"),
    ):
        bench.store.add_key(key)
    raw = sealed(forge, TEXT)
    assert {RITA: forge.partner, "sara@example.pt": forge.with_signing_subkey} == bench.open(
        raw, sender="Sara@example.pt"
    ).reply_keys
    assert {RITA: forge.partner} == bench.open(raw, sender="").reply_keys
    clear = bench.open(mail(signed_part(forge, TEXT, forge.partner), head=head()))
    assert {} == clear.reply_keys
    found = {one: usable_key(bench.store, one, now) for one in ("someone@example.org", "old@example.pt", RITA)}
    assert [None, None, forge.partner] == [key and key.certificate.fingerprint for key in found.values()]


# What lies deeper


def two_attachments(forge: Forge, *contents: str) -> bytes:
    """Return a mail with encrypted files beside a text, each signed by Rita."""
    files = [forge.encrypted(one.encode(), forge.team, signer=forge.partner) for one in contents]
    parts = [attachment(one, f"{number}.txt.pgp") for number, one in enumerate(files)]
    return mail(multipart("mixed", text("em anexo\n"), *parts), head=head())


def test_what_lies_deeper_is_opened_and_its_signatures_count_for_nothing(bench: Bench, forge: Forge) -> None:
    """Anybody may attach what Rita has signed."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    found = bench.open(two_attachments(forge, "http://um.example.net/\n", "http://dois.example.net/\n"))
    assert found.reading is not None
    assert {"um.example.net", "dois.example.net"} <= {one.host for one in found.reading.indicators}
    assert (Form.DEEPER, Encrypted.YES, Signature.NONE, "") == (
        found.protection.form,
        found.protection.encrypted,
        found.protection.signature,
        found.protection.signer,
    )


def test_all_plaintexts_together_have_one_limit(bench: Bench, forge: Forge) -> None:
    """What does not fit any more is left closed, and the reason says so; what fits is used."""
    found = bench.open(two_attachments(forge, "a" * 60, "b" * 60), bench.configured(max_output=100))
    assert [[b"a" * 60, None]] == bench.read_again
    assert (Encrypted.YES, Failure.TOO_LARGE) == (found.protection.encrypted, found.protection.reason)


def test_all_layers_together_have_one_time_limit(
    bench: Bench, forge: Forge, monkeypatch: pytest.MonkeyPatch, decryptions: list[messages.Decrypted]
) -> None:
    """A layer that is reached too late is not even tried."""
    clock = iter([0.0, 1.0, bench.opener._settings.timeout.total_seconds() + 1])
    monkeypatch.setattr(opening, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    found = bench.open(two_attachments(forge, "um", "dois"))
    assert [[b"um", None]] == bench.read_again
    assert (Encrypted.YES, Failure.TOO_LONG) == (found.protection.encrypted, found.protection.reason)
    assert 1 == len(decryptions)


@pytest.mark.parametrize(("expected", "to"), [(Encrypted.YES, "team"), (Encrypted.FAILED, "stranger")])
def test_a_signed_message_with_something_encrypted_in_it(
    bench: Bench, forge: Forge, expected: Encrypted, to: str
) -> None:
    """The signature at the root is checked, and proves nothing: what is encrypted may be stolen."""
    bench.store.add_key(vouched(forge, forge.partner, RITA))
    file = forge.encrypted(b"lista\n", getattr(forge, to), signer=forge.stranger)
    part = multipart("mixed", TEXT, attachment(file, "lista.txt.pgp"), boundary="m")
    found = bench.open(mail(signed_part(forge, part, forge.partner), head=head()))
    proven = found.protection
    assert (Form.MIME_SIGNED, expected, Signature.GOOD) == (proven.form, proven.encrypted, proven.signature)
    assert not proven.verified
    assert [[None, b"lista\n"]][: expected is Encrypted.YES] == bench.read_again


# When GnuPG does not work


def test_an_agent_that_has_died_is_started_again(bench: Bench, forge: Forge) -> None:
    """The message that notices is opened all the same."""
    bench.kill_agent()
    found = bench.open(sealed(forge, TEXT))
    assert Encrypted.YES is found.protection.encrypted


def broken(bench: Bench, raw: bytes) -> None:
    """Try to open a mail where that cannot work."""
    with pytest.raises(OpeningError, match="gpg does not work") as caught:
        bench.open(raw)
    assert "check-config" in caught.value.advice


def test_a_gpg_that_does_not_start_is_our_fault(bench: Bench, forge: Forge) -> None:
    """Neither ciphertexts nor signatures of either form nor certificates get a verdict then."""
    block = "Content-Type: text/plain\n\n" + forge.cleartext(b"pagina\n", forge.partner).decode()
    raws = (sealed(forge, TEXT), mail(signed_part(forge, TEXT, forge.partner), head=head()), mail(block, head=head()))
    bench.opener._gpg = gpg.Gpg(bench.opener._home.folder, gpg.Limits(), program="/nonexistent/gpg")
    for raw in raws:
        broken(bench, raw)


def test_certificates_are_not_lost_where_gpg_does_not_start(
    bench: Bench, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message waits, instead of being taken for one without keys."""
    raw = mail(
        multipart("mixed", TEXT, attachment(forge.public(forge.stranger), "k.asc", "application/pgp-keys")), head=head()
    )
    monkeypatch.setattr(gpg, "_PATH", "/nonexistent")
    broken(bench, raw)


def test_an_agent_that_does_not_come_back_is_our_fault(
    bench: Bench, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same fault, and not one that ends the process; once GnuPG is back, messages are opened again."""
    raw = sealed(forge, TEXT)
    bench.kill_agent()
    with monkeypatch.context() as patch:
        patch.setitem(command.ENVIRONMENT, "PATH", "/nonexistent")
        broken(bench, raw)
        broken(bench, raw)
    assert Encrypted.YES is bench.open(raw).protection.encrypted


def test_the_limits_are_those_of_the_configuration() -> None:
    """Less than a second of CPU time is a second."""
    settings = with_openpgp(
        config.neutral(), timeout=timedelta(seconds=1.5), cpu=timedelta(milliseconds=1), memory=7, max_output=8
    )
    assert gpg.Limits(timeout=1.5, cpu=1, memory=7, output=8) == limits_of(settings.openpgp)


def test_nothing_is_proven_where_nothing_is_signed(bench: Bench, forge: Forge) -> None:
    """The values of an unsigned message are the empty ones."""
    proven = bench.open(sealed(forge, TEXT)).protection
    plain = Protection()
    for name in ("signature", "signer", "source", "signed_at", "from_match", "fresh", "replayed"):
        assert getattr(plain, name) == getattr(proven, name)
