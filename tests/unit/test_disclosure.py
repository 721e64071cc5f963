"""What a handler is shown of messages with OpenPGP: verdicts by default, texts on demand and journaled."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event

import pytest
from csirt import Csirt
from openpgp_shapes import attachment, mail, multipart
from pgp import Forge
from sealed_mail import RITA, TEXT, arrived, head, sealed, settings_of_a_team, signed_part, vouched

from abuse_triage import config
from abuse_triage.errors import NotFoundError
from abuse_triage.model.openpgp import UNPROTECTED, Encrypted, Failure
from abuse_triage.model.settings import Settings
from abuse_triage.service import disclosure
from abuse_triage.service.disclosure import disclosing
from abuse_triage.service.knowledge import knowledge_of
from abuse_triage.service.opening import Opener
from abuse_triage.service.reading import Reader
from abuse_triage.service.triage import Decider
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store, TicketFile

NAMES = ("sealed", "foreign", "signed", "plain")
WORDS = "palavra\x1b[31m interna"


@dataclass
class Desk:
    """A store with one message of each kind, and the commands."""

    settings: Settings
    store: Store
    csirt: Csirt

    def ticket(self, message_id: str) -> TicketFile:
        """Return the ticket of a message."""
        return self.store.ticket(self.store.message(message_id)[0].ticket)

    def journal(self, message_id: str) -> list[tuple[str, str, str]]:
        """Return what was written down about reading a message."""
        lines = self.ticket(message_id).journal
        return [(one.actor, one.action, one.detail) for one in lines if "decrypted" in one.action]


@pytest.fixture
def confined(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Collect the promises to leave no core, which would bind the process of the tests for good."""
    promises: list[bool] = []
    monkeypatch.setattr(disclosure, "leave_no_core", lambda: promises.append(True))
    return promises


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Iterator[Desk]:
    """A worker with the team's key has been through all of them."""
    folder = tmp_path_factory.mktemp("team")
    with settings_of_a_team(folder, forge) as settings:
        store = open_store(settings.store.path, number_format=config.number_format(settings))
        store.add_key(vouched(forge, forge.partner, RITA))
        inside = multipart("mixed", f"{TEXT}{WORDS}\n", attachment(b"x", "lista.txt"))
        raws = {
            "sealed": sealed(forge, inside, signer=forge.partner, outside=head(subject="fora")),
            "foreign": sealed(forge, TEXT, forge.stranger),
            "signed": mail(signed_part(forge, f"{TEXT}em claro\n", forge.partner), head=head()),
            "plain": mail(f"{TEXT}sem nada\n", head=head()),
        }
        store.accept([arrived(raw, name) for name, raw in raws.items()])
        reader = Reader(settings)
        with Opener(settings, store) as opener:
            decider = Decider(knowledge_of(settings), store, reader, announce=lambda _line: None, opener=opener)
            while store.waiting():
                decider.work(Event())
        reader.close()
        yield Desk(settings, store, Csirt(folder))
        store.close()


@pytest.mark.usefixtures("confined")
def test_what_was_encrypted_is_shown_once_it_is_journaled(desk: Desk) -> None:
    """The journal says who read what, by the name that was asked for."""
    before = len(desk.journal("sealed"))
    with disclosing(desk.settings, desk.store, "ana") as reading:
        found = reading.read("sealed")
        kept = reading.read("sealed", "key taken from the decrypted message")
    assert WORDS.replace("\x1b", "") in found.reading.report.text.replace("\x1b", "")
    assert "encrypted, signed and verified" == found.protection.words
    assert found.reading == kept.reading
    assert [
        ("ana", "decrypted and shown", "sealed"),
        ("ana", "key taken from the decrypted message", "sealed"),
    ] == desk.journal("sealed")[before:]


@pytest.mark.usefixtures("confined")
def test_nothing_is_journaled_where_nothing_was_opened(desk: Desk) -> None:
    """What is encrypted to somebody else, and what came in clear."""
    with disclosing(desk.settings, desk.store, "ana") as reading:
        foreign, signed, plain = (reading.read(name) for name in ("foreign", "signed", "plain"))
    assert (Encrypted.FAILED, Failure.NO_SECRET_KEY) == (foreign.protection.encrypted, foreign.protection.reason)
    assert "" == foreign.reading.report.text
    assert "signed and verified" == signed.protection.words
    assert "em claro" in signed.reading.report.text
    assert ("sem nada" in plain.reading.report.text, UNPROTECTED) == (True, plain.protection)
    assert [[]] * 3 == [desk.journal(name) for name in ("foreign", "signed", "plain")]


def test_keys_are_unlocked_when_they_are_needed_and_gone_afterwards(desk: Desk, confined: list[bool]) -> None:
    """One unlocking for all messages; no core is left from the beginning on, and no key ring at the end."""
    runtime = desk.settings.openpgp.runtime
    assert runtime is not None
    with disclosing(desk.settings, desk.store, "ana") as reading:
        assert [True] == confined
        reading.read("plain")
        assert [] == list(runtime.iterdir())
        reading.read("signed")
        (home,) = runtime.iterdir()
        reading.read("foreign")
        assert [home] == list(runtime.iterdir())
    assert [] == list(runtime.iterdir())


@pytest.mark.usefixtures("confined")
def test_an_unknown_message_is_an_error_that_leaves_nothing(desk: Desk) -> None:
    """Whatever happens inside, the processes end."""
    runtime = desk.settings.openpgp.runtime
    assert runtime is not None
    with disclosing(desk.settings, desk.store, "ana") as reading:
        reading.read("signed")
        with pytest.raises(NotFoundError):
            reading.read("nothing")
    with pytest.raises(NotFoundError), disclosing(desk.settings, desk.store, "ana") as reading:
        reading.read("nothing")
    assert [] == list(runtime.iterdir())


@pytest.mark.usefixtures("confined")
@pytest.mark.parametrize("by", ["message", "ticket"])
def test_the_text_is_shown_safely(desk: Desk, by: str) -> None:
    """With what to take care of; what would steer the terminal is escaped."""
    name = "sealed" if by == "message" else desk.ticket("sealed").ticket.number
    shown = desk.csirt.run(by, "show", name, "--text").stdout
    lines = shown[shown.index("Text of message sealed") :].splitlines()
    assert "  OpenPGP  encrypted, signed and verified" in lines
    assert "  care     it came encrypted: answer encrypted, and quote nothing in clear" in lines
    assert f"  From     Rita Sousa <{RITA}>" in lines
    assert "  subject  fora" in lines
    assert "  files    lista.txt (application/octet-stream)" in lines
    assert r"  | palavra\x1b[31m interna" in lines
    assert not any(line.startswith("  to do") for line in lines)


@pytest.mark.usefixtures("confined")
def test_what_cannot_be_opened_is_shown_with_what_to_do(desk: Desk) -> None:
    """There is no text, and no line of one."""
    shown = desk.csirt.run("message", "show", "foreign", "--text").stdout
    assert "OpenPGP  could not be decrypted: no secret key, not signed" in shown
    assert "to do    It is encrypted to another key: ask the sender" in shown
    assert "  | " not in shown


@pytest.mark.usefixtures("confined")
def test_what_came_in_clear_needs_no_care(desk: Desk) -> None:
    """A message without OpenPGP has neither line."""
    shown = desk.csirt.run("message", "show", "plain", "--text").stdout
    assert "  | sem nada" in shown
    assert "care" not in shown
    assert "OpenPGP" not in shown


def test_a_ticket_says_what_openpgp_proves(desk: Desk, forge: Forge) -> None:
    """Words, signer, and what to do; nothing of the text, and not a word for a message without OpenPGP."""
    shown = {name: desk.csirt.run("ticket", "show", desk.ticket(name).ticket.number).stdout for name in NAMES}
    assert f"OpenPGP   encrypted, signed and verified; key {forge.partner}" in shown["sealed"]
    assert "palavra" not in shown["sealed"]
    assert "interna" not in repr(desk.ticket("sealed"))
    assert "OpenPGP   could not be decrypted: no secret key, not signed. It is encrypted to another" in shown["foreign"]
    assert f"OpenPGP   signed and verified; key {forge.partner}\n" in shown["signed"]
    assert "OpenPGP" not in shown["plain"]
    assert [1, 1, 1, 0] == [shown[name].count("triage: OpenPGP (") for name in NAMES]


@pytest.mark.parametrize(
    "arguments", [["ticket", "show", "1", "--text", "--json"], ["message", "show", "plain", "--text", "--raw"]]
)
def test_texts_are_for_reading_only(desk: Desk, arguments: list[str]) -> None:
    """--text excludes what programs read."""
    assert "exclude each other" in desk.csirt.run(*arguments, code=2).stderr
