"""Answers that come after the ticket: what they change in a running daemon, and what they must leave alone."""

import email
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from threading import Event

import pytest
from daemon import Daemon
from pgp import Forge
from sealed import SECRET, Csirt, encrypted, entity, places, raw_mail
from servers import registries
from servers.rdap import Conversation, RdapServer

from abuse_triage.model.decision import Priority, Tlp
from abuse_triage.model.lookups import ContactKind, DirectoryEntry, LookupKind, LookupState
from abuse_triage.model.ticket import JournalEntry, MessageState, OutcomeKind
from abuse_triage.store.interface import MessageFilter, Store, TicketFile, TicketFilter

ADDRESS = "185.5.80.7"  # asked about nowhere but on loopback; documentation addresses are never asked about
REPORTER = "rita@reporter.example"
RULES = """\
version: 1
ruleset: {id: late, taxonomy: rncsirt-nine}
decide: {accept: 40, margin: 20, otherwise: {category: other, review: true}}
rules:
  - id: cls.hosted-here
    phase: classify
    why: Whatever stands in this country is taken for a copied page.
    when: {lookup.country: PT}
    then: {vote: {fraud: strong}, type: 'fraud:phishing'}
    tests:
      - {name: here, facts: {lookup.country: [PT]}, expect: {match: true, category: fraud}}
      - {name: nobody answered, facts: {subject: PT}, expect: {match: false, category: other}}
  - id: cls.bad-registrar
    phase: classify
    why: Names of this registrar are those of botnets.
    when: {lookup.registrar: Bulk Names Ltd}
    then: {vote: {malicious-code: strong}, type: 'malicious-code:c2-server'}
    tests:
      - name: its name
        facts: {lookup.registrar: [Bulk Names Ltd]}
        expect: {match: true, category: malicious-code}
      - {name: another one, facts: {lookup.registrar: [Example Registrar]}, expect: {match: false}}
  - id: route.young-name
    phase: route
    why: A name that was registered for this very attack will be gone soon.
    when:
      all:
        - {lookup.age: {gte: 0}}
        - {lookup.age: {lte: 30}}
    then: {priority: p1}
    tests:
      - {name: new, facts: {lookup.age: 3}, expect: {match: true, priority: p1}}
      - {name: unknown, facts: {lookup.age: -1}, expect: {match: false}}
      - {name: old, facts: {lookup.age: 3000}, expect: {match: false}}
"""
LOOKUPS = """
[lookups]
enabled = true
spread = "1ms"
timeout = "30s"
rate = "1000/1s"
abuse_contacts = "{rest}"

[lookups.rdap]
ripe = "{ripe}"
org = "{org}"
"""
OWN_RULES = '\n[rules]\npaths = ["rules"]\n'


class Registry:
    """A registry of addresses and one of names, which answer at once, or when they are let."""

    def __init__(self, server: RdapServer) -> None:
        self.server = server
        self._free = Event()
        server.networks["ripe"] = [registries.ripe("185.5.80.0/24")]
        server.domains["org"] = {"example.org": registries.domain("example.org")}

    @property
    def config(self) -> str:
        """Return the tables of the configuration that make a daemon ask it."""
        names = {"ripe": "ripe", "org": "org", "rest": "rest"}
        return LOOKUPS.format(**{key: self.server.base(name) for key, name in names.items()})

    def register(self, name: str, days: int, registrar: str) -> None:
        """Let a name be registered some days ago."""
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        events = [{"eventAction": "registration", "eventDate": at}]
        self.server.domains["org"][name] = registries.domain(name, registrar=registrar, events=events)

    def hold(self) -> None:
        """Let whoever asks wait for `release`."""
        self.server.faults["/"] = self._wait

    def release(self) -> None:
        """Answer those who wait, and everybody from now on."""
        self._free.set()

    def _wait(self, talk: Conversation) -> None:
        self._free.wait(60)
        talk.reply(self.server.document(talk.path))


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Know one network, and one name that was registered long ago."""
    with RdapServer() as server:
        made = Registry(server)
        yield made
        made.release()


@pytest.fixture
def daemon(tmp_path: Path, registry: Registry) -> Iterator[Daemon]:
    """A daemon with rules about late answers, not yet started."""
    own_rules(tmp_path)
    with Daemon(tmp_path, extra=registry.config + OWN_RULES) as made:
        yield made


def own_rules(folder: Path) -> None:
    """Write the rule folder of these tests."""
    (folder / "rules").mkdir()
    (folder / "rules" / "10-late.yaml").write_text(RULES)
    shutil.copy(Path(__file__).resolve().parents[2] / "rules" / "taxonomy.yaml", folder / "rules")


def letter(text: str, subject: str = "Um relato", **more: str) -> bytes:
    """Write a report in words that no rule knows."""
    message = EmailMessage()
    fields = {"From": f"Rita <{REPORTER}>", "To": "abuse@example.pt", "Subject": subject, **more}
    fields.setdefault("Message-ID", f"<{time.monotonic_ns()}@reporter.example>")
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(f"Bom dia,\n\n{text}\n\nRita\n")
    return message.as_bytes()


def send(daemon: Daemon, raw: bytes, sender: str = REPORTER) -> None:
    """Send a report, and wait for its outcome and its acknowledgement."""
    before = len(daemon.store().messages(MessageFilter()))
    daemon.send(raw, sender=sender, recipient="abuse@example.pt")
    wait_until(lambda: len(daemon.store().messages(MessageFilter())) > before, daemon)
    daemon.drain()


def wait_until(condition: Callable[[], bool], daemon: Daemon, seconds: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, daemon.log()[-4000:]
        time.sleep(0.05)


def only(daemon: Daemon) -> TicketFile:
    """Return the one ticket that there is."""
    (ticket,) = daemon.store().tickets(TicketFilter())
    return daemon.store().ticket(ticket.number)


def lines(found: TicketFile, action: str) -> list[JournalEntry]:
    """Return the lines of a journal about an action."""
    return [entry for entry in found.journal if entry.action == action]


def journaled(daemon: Daemon, action: str, times: int = 1) -> Callable[[], bool]:
    """Return a condition: the one ticket has so many lines about an action."""
    return lambda: len(lines(only(daemon), action)) >= times


def acknowledgements(daemon: Daemon) -> list[Path]:
    """Return the mails that went out."""
    return sorted((daemon.folder / "outbox").glob("*.eml"))


def settled(daemon: Daemon) -> bool:
    """Tell whether no message is on its way to the rules, nor any mail on its way out."""
    busy = ("messages", "mail queued", "mail held", "mail sending")
    return not any(gauge.count for gauge in daemon.store().gauges() if gauge.name.startswith(busy))


def command(folder: Path, *words: str) -> None:
    """Run a command on the daemon's store, as a handler does."""
    program = (sys.executable, "-m", "abuse_triage", "--config", str(folder / "config.toml"))
    subprocess.run((*program, *words), check=True, capture_output=True, text=True)


def test_an_answer_reclassifies_its_ticket_and_answers_nobody_again(daemon: Daemon, registry: Registry) -> None:
    """First nobody knows anything; then the ticket changes, its journal says by which rule, and no mail goes out."""
    registry.register("example.org", 2, "Example Registrar, Inc.")
    registry.hold()
    daemon.start()
    send(daemon, letter(f"vejam {ADDRESS} e hxxps://example[.]org/a\n\nTLP:GREEN"))
    before = only(daemon)
    assert ("other", True) == (before.ticket.category, before.ticket.review)
    assert Priority.P1 < before.ticket.priority
    assert 1 == len(acknowledgements(daemon))

    registry.release()
    wait_until(journaled(daemon, "decided again"), daemon)
    wait_until(lambda: settled(daemon), daemon)
    time.sleep(2)

    after = only(daemon)
    assert ("fraud", "fraud:phishing", False) == (after.ticket.category, after.ticket.type, after.ticket.review)
    assert (Priority.P1, Tlp.GREEN, True) == (after.ticket.priority, after.ticket.tlp, after.ticket.tlp_marked)
    assert before.ticket.due > after.ticket.due
    (changed,) = lines(after, "reclassified by look-ups")
    was = f"category other to fraud, type {before.ticket.type} to fraud:phishing"
    assert f"{was}, priority {before.ticket.priority} to p1" == changed.detail.partition(": cls")[0]
    assert "cls.hosted-here (lookup.country = PT)" in changed.detail
    assert "route.young-name (lookup.age = 2)" in changed.detail
    assert 1 == len(lines(after, "decided again"))
    assert 1 == len(lines(after, "looked up"))
    assert 1 == len(lines(after, "acknowledgement queued"))
    assert 1 == len(acknowledgements(daemon))
    (message,) = daemon.store().messages(MessageFilter())
    assert (MessageState.DONE, OutcomeKind.OPENED) == (message.state, message.outcome)


def test_an_answer_that_no_rule_speaks_of_changes_nothing_but_the_journal(daemon: Daemon, registry: Registry) -> None:
    """The rules ran again, and the ticket is as it was."""
    daemon.start()
    send(daemon, letter("vejam hxxps://example[.]org/a\n\nTLP:GREEN"))
    wait_until(journaled(daemon, "decided again"), daemon)
    wait_until(lambda: settled(daemon), daemon)
    found = only(daemon)
    assert ["/org/domain/example.org"] == registry.server.paths
    assert "other" == found.ticket.category
    assert [] == lines(found, "reclassified by look-ups")
    assert 1 == len(acknowledgements(daemon))


def test_what_a_handler_set_before_the_answer_stays(daemon: Daemon, registry: Registry) -> None:
    """Category and type are the handler's; the priority, which they left alone, is raised by the answer."""
    registry.register("example.org", 0, "Bulk Names Ltd")
    registry.hold()
    daemon.start()
    send(daemon, letter("vejam hxxps://example[.]org/a\n\nTLP:GREEN"))
    number = only(daemon).ticket.number
    command(daemon.folder, "ticket", "set", number, "--category", "availability:ddos")

    registry.release()
    wait_until(journaled(daemon, "decided again"), daemon)

    found = only(daemon)
    assert ("availability", "availability:ddos") == (found.ticket.category, found.ticket.type)
    assert Priority.P1 == found.ticket.priority
    assert ("category",) == found.ticket.by_hand
    (changed,) = lines(found, "reclassified by look-ups")
    assert "category" not in changed.detail
    assert 1 == len(lines(found, "set by hand"))
    assert 1 == len(acknowledgements(daemon))


def test_a_follow_up_has_look_ups_of_its_own(daemon: Daemon, registry: Registry) -> None:
    """What a second message points at is asked too, for the same ticket; who opened the ticket classifies it."""
    registry.register("second.org", 1, "Bulk Names Ltd")
    daemon.start()
    send(daemon, letter(f"vejam {ADDRESS}\n\nTLP:GREEN"))
    wait_until(journaled(daemon, "decided again"), daemon)
    first = only(daemon)
    assert "fraud" == first.ticket.category
    (acknowledgement,) = acknowledgements(daemon)
    ours = email.message_from_bytes(acknowledgement.read_bytes())["Message-ID"]

    send(daemon, letter("e também hxxp://second[.]org/b\n\nTLP:GREEN", "Re: Um relato", In_Reply_To=ours))
    wait_until(journaled(daemon, "decided again", 2), daemon)
    wait_until(lambda: settled(daemon), daemon)

    found = only(daemon)
    assert 2 == len(found.reports)
    assert [(LookupKind.NETWORK, ADDRESS), (LookupKind.DOMAIN, "second.org")] == [
        (one.kind, one.subject) for one in found.lookups
    ]
    assert {LookupState.ANSWERED} == {one.state for one in found.lookups}
    assert [f"/ripe/ip/{ADDRESS}", "/org/domain/second.org"] == registry.server.paths
    assert (first.ticket.category, first.ticket.priority) == (found.ticket.category, found.ticket.priority)
    assert 1 == len(lines(found, "reclassified by look-ups"))
    assert "malicious-code" in lines(found, "decided again")[1].detail
    assert 1 == len(acknowledgements(daemon))


def test_what_stands_in_an_encrypted_report_is_asked_by_the_column_of_amber(
    tmp_path: Path, registry: Registry, forge: Forge
) -> None:
    """The address is asked about, the name waits for a handler; the answer counts, and no word of hers is kept."""
    own_rules(tmp_path)
    with Csirt.open(tmp_path, forge, openpgp=registry.config + OWN_RULES) as csirt:
        daemon = csirt.daemon
        text = f"vejam {ADDRESS} e hxxps://login[.]example[.]org/entrar; palavra interna: {SECRET}\n"
        ciphertext = forge.encrypted(entity(text), forge.team)
        opened = csirt.send(raw_mail(encrypted(ciphertext), subject="..."))
        wait_until(journaled(daemon, "decided again"), daemon)
        wait_until(lambda: settled(daemon), daemon)

        found = only(daemon)
        assert opened.ticket.number == found.ticket.number
        asked = {one.kind: (one.subject, one.state, one.reason) for one in found.lookups}
        assert (ADDRESS, LookupState.ANSWERED, "") == asked[LookupKind.NETWORK]
        assert ("example.org", LookupState.WITHHELD, "withheld by TLP:AMBER") == asked[LookupKind.DOMAIN]
        assert ("fraud", Tlp.AMBER) == (found.ticket.category, found.ticket.tlp)
        assert "encrypted" in found.ticket.protection
        assert [f"/ripe/ip/{ADDRESS}"] == registry.server.paths
        assert 1 == len(lines(found, "reclassified by look-ups"))

        wait_until(lambda: bool(acknowledgements(daemon)), daemon)
        time.sleep(1)
        assert 1 == len(acknowledgements(daemon))
        assert [] == places(daemon.folder, SECRET)


def test_a_signed_and_encrypted_report_is_verified_the_second_time_too(
    tmp_path: Path, registry: Registry, forge: Forge
) -> None:
    """That its signature has been seen, on the same message, does not make it a copy of another one."""
    own_rules(tmp_path)
    with Csirt.open(tmp_path, forge, openpgp=registry.config + OWN_RULES) as csirt:
        ciphertext = forge.encrypted(entity(f"vejam {ADDRESS}\n"), forge.team, signer=forge.partner)
        csirt.send(raw_mail(encrypted(ciphertext), subject="..."))
        wait_until(journaled(csirt.daemon, "decided again"), csirt.daemon)
        found = only(csirt.daemon)
        assert ("fraud", "encrypted, signed and verified") == (found.ticket.category, found.ticket.protection)


@pytest.mark.parametrize("failpoint", ["triage.claimed:2", "triage.before-commit:2", "triage.after-commit:2"])
def test_a_decider_that_is_killed_over_an_answer_loses_and_doubles_nothing(
    daemon: Daemon, registry: Registry, failpoint: str
) -> None:
    """Killed (kill -9) at the begin or end of its second pass: one ticket, one change, one answer."""
    registry.hold()
    daemon.start(failpoint=failpoint)
    daemon.wait_for_port()
    send(daemon, letter(f"vejam {ADDRESS}\n\nTLP:GREEN"))
    (killed,) = (pid for pid, name in daemon.processes().items() if name == "triage")
    registry.release()
    wait_until(lambda: killed not in daemon.processes(), daemon)
    wait_until(journaled(daemon, "decided again"), daemon)
    wait_until(lambda: settled(daemon), daemon)
    whole(daemon)


def release(store: Store, number: str) -> None:
    """Let the withheld look-up of the address be made."""
    store.release_lookups(number, [ADDRESS], [LookupKind.NETWORK], "ana", datetime.now(UTC))


def whole(daemon: Daemon) -> None:
    """Check that there is one ticket, changed once, acknowledged once, by one message that is done."""
    found = only(daemon)
    assert ("fraud", Tlp.GREEN, 1) == (found.ticket.category, found.ticket.tlp, found.ticket.messages)
    for action in ("opened", "reclassified by look-ups", "decided again", "acknowledgement queued"):
        assert 1 == len(lines(found, action)), action
    (message,) = daemon.store().messages(MessageFilter())
    assert (MessageState.DONE, OutcomeKind.OPENED) == (message.state, message.outcome)
    assert 1 == len(acknowledgements(daemon))
    assert 1 == len(found.indicators)


def test_a_reader_that_fails_on_the_second_pass_leaves_the_ticket_as_it_was(daemon: Daemon) -> None:
    """After the last attempt the journal says that it was not decided again; nothing goes to quarantine."""
    daemon.start()
    send(daemon, letter(f"vejam {ADDRESS}\n\nTLP:RED"))
    before = only(daemon)
    daemon.stop()
    daemon.start(failpoint="reader.read")
    daemon.wait_for_port()

    release(daemon.store(), before.ticket.number)
    wait_until(journaled(daemon, "not decided again"), daemon)
    wait_until(lambda: settled(daemon), daemon)

    after = only(daemon)
    kept = ("category", "type", "priority", "tlp", "review", "summary", "state", "due", "protection", "messages")
    assert [getattr(before.ticket, name) for name in kept] == [getattr(after.ticket, name) for name in kept]
    assert before.reports == after.reports
    assert before.indicators == after.indicators
    (line,) = lines(after, "not decided again")
    assert ("triage", True) == (line.actor, "reader" in line.detail)
    assert [] == [*lines(after, "decided again"), *lines(after, "quarantined")]
    (message,) = daemon.store().messages(MessageFilter())
    assert (MessageState.DONE, OutcomeKind.OPENED) == (message.state, message.outcome)
    assert 3 == daemon.log().count('"event":"reading-failed"')
    assert 1 == len(acknowledgements(daemon))


def test_a_cctld_contact_goes_first_only_where_dmarc_proves_it(tmp_path: Path) -> None:
    """With the shipped rules: P2 for whom the directory names, where our MTA says pass, and for nobody else."""
    contact = DirectoryEntry(
        email="noc@registry.example", kind=ContactKind.CCTLD, organisation="Registry of .example", cctld="example"
    )
    extra = '\n[authentication]\nauthserv_id = "mx.example.pt"\n'
    with Daemon(tmp_path, extra=extra) as daemon:
        daemon.store().put_contacts([contact], "ana", datetime.now(UTC))
        daemon.start()
        found = {}
        for said in ("pass", "fail", "none", ""):
            result = f"mx.example.pt; dmarc={said} header.from=registry.example"
            raw = letter(
                f"Port scan from {ADDRESS}, case {said}.",
                f"Port scan {said}",
                From="NOC <noc@registry.example>",
                **({"Authentication_Results": result} if said else {}),
            )
            send(daemon, raw, "noc@registry.example")
            newest = daemon.store().messages(MessageFilter(limit=1))[0]
            found[said] = daemon.store().ticket(newest.ticket).ticket
        assert Priority.P2 == found["pass"].priority, daemon.log()[-3000:]
        assert [] == [said for said in ("fail", "none", "") if found[said].priority <= Priority.P2]
