"""The digest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st
from inline_snapshot import snapshot

from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.model.ticket import MailState, Ticket, TicketState
from abuse_triage.replies.digest import (
    WIDTH,
    DigestInput,
    HeldMessage,
    RefusedAcknowledgement,
    TroubledMail,
    Waiting,
    digest,
    digest_subject,
)

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
EMPTY = DigestInput(
    team="CSIRT Exemplo",
    timezone="Europe/Lisbon",
    at=NOW,
    since=NOW - timedelta(days=1),
    settled=NOW,
    category_names={"fraud": "Fraud"},
)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def ticket(number: int, **changes: object) -> Ticket:
    """Return an open ticket."""
    values = {
        "id": number,
        "number": f"EXEMPLO#2026-{number:06}",
        "kind": TicketKind.INCIDENT,
        "state": TicketState.NEW,
        "category": "fraud",
        "type": "fraud:phishing",
        "tlp": Tlp.GREEN,
        "tlp_marked": False,
        "priority": Priority.P3,
        "review": False,
        "summary": "Phishing em hxxps://banco[.]example[.]org/login",
        "reporter": "ana@example.org",
        "mailbox": "abuse@example.pt",
        "created_at": NOW - DAY,
        "updated_at": NOW - DAY,
        "due": NOW + 3 * HOUR,
        **changes,
    }
    return Ticket(**values)


FULL = replace(
    EMPTY,
    open_tickets=(
        ticket(1, priority=Priority.P1, due=NOW - 2 * HOUR - 10 * MINUTE, review=True, messages=4),
        ticket(2, tlp=Tlp.RED, priority=Priority.P2, due=NOW - DAY - HOUR),
        ticket(3, tlp=Tlp.AMBER_STRICT, due=NOW + 59 * MINUTE),
        ticket(4, kind=TicketKind.ENQUIRY, category="other", summary="Pedido de reunião"),
    ),
    open_count=17,
    new=(("fraud", 22), ("availability", 1)),
    unreadable=(
        HeldMessage(id="01JD3Y", received_at=NOW - HOUR, sender="ana@example.org", reason="it crashed the reader"),
    ),
    parked=(
        HeldMessage(
            id="01JD3Z",
            received_at=NOW - 2 * HOUR,
            sender="",
            reason="newsletter",
            subject="Novidades em hxxps://loja[.]example[.]pt",
        ),
        HeldMessage(id="01JD40", received_at=NOW - 3 * HOUR, sender="rui@example.net", reason="suspected spam"),
    ),
    parked_count=12,
    refused=(
        RefusedAcknowledgement(at=NOW - HOUR, ticket="EXEMPLO#2026-000003", reason="null return path"),
        RefusedAcknowledgement(at=NOW - 2 * HOUR, ticket="", reason="Auto-Submitted: auto-generated"),
        RefusedAcknowledgement(at=NOW - 3 * HOUR, ticket="EXEMPLO#2026-000001", reason="null return path"),
    ),
    troubled=(
        TroubledMail(id=7, at=NOW - HOUR, ticket="EXEMPLO#2026-000001", state=MailState.UNKNOWN, error="no answer"),
        TroubledMail(id=8, at=NOW - DAY, ticket="", state=MailState.FAILED, error="550 5.1.1 no such mailbox"),
        TroubledMail(
            id=9,
            at=NOW - DAY,
            ticket="EXEMPLO#2026-000002",
            state=MailState.UNDELIVERABLE,
            error="a delivery report says so: message 01JD3X",
        ),
    ),
    waiting=(
        Waiting(name="messages received", count=12, oldest=NOW - 3 * MINUTE),
        Waiting(name="mail queued", count=0, oldest=None),
    ),
)


def test_a_full_digest() -> None:
    """Everything that a digest may tell, in its order."""
    assert digest(FULL) == snapshot("""\
TLP:RED
CSIRT Exemplo, 2026-11-21 08:00 WET, since 2026-11-20 08:00 WET

NEEDS A DECISION (17 open, 2 overdue)
!! EXEMPLO#2026-000001  P1, Fraud, 4 messages, review       overdue 2 h 10 min
   Phishing em hxxps://banco[.]example[.]org/login
!! EXEMPLO#2026-000002  (TLP:RED, withheld)                    overdue 1 d 1 h
   EXEMPLO#2026-000003  (TLP:AMBER+STRICT, withheld)             due in 59 min
   EXEMPLO#2026-000004  P3, Enquiry                           due in 3 h 0 min
   Pedido de reunião
  … and 13 more: abuse-triage ticket list --due --limit 1000

NEW SINCE THE LAST DIGEST
      22  Fraud
       1  availability

UNREADABLE (1), abuse-triage message retry ID
  01JD3Y  2026-11-21 07:00 WET  ana@example[.]org
    it crashed the reader

PARKED (2 new, 12 in all), abuse-triage message promote ID
  01JD3Z  2026-11-21 06:00 WET  no return path
    Novidades em hxxps://loja[.]example[.]pt
    newsletter
  01JD40  2026-11-21 05:00 WET  rui@example[.]net
    suspected spam
  … and 10 older:
    abuse-triage message list --outcome parked --limit 12

NOT ACKNOWLEDGED (3), abuse-triage message list --unanswered
       2  null return path
       1  Auto-Submitted: auto-generated
  the last ones:
  2026-11-21 07:00 WET  EXEMPLO#2026-000003  null return path
  2026-11-21 06:00 WET  no ticket  Auto-Submitted: auto-generated
  2026-11-21 05:00 WET  EXEMPLO#2026-000001  null return path

NOT DELIVERED (3), abuse-triage mail resend ID
  7  delivery-unknown  2026-11-21 07:00 WET  EXEMPLO#2026-000001
    no answer
  8  failed  2026-11-20 08:00 WET  digest
    550 5.1.1 no such mailbox
  9  undeliverable  2026-11-20 08:00 WET  EXEMPLO#2026-000002
    a delivery report says so: message 01JD3X

HEALTH
      12  messages received  oldest 3 min
""")


def test_a_digest_with_nothing_is_one_line() -> None:
    """It comes all the same, so that its absence means something."""
    idle = replace(EMPTY, waiting=(Waiting(name="mail queued", count=0, oldest=None),))
    assert digest(idle) == snapshot("TLP:GREEN  2026-11-21 08:00 WET: nothing to decide, nothing waits. CSIRT Exem…\n")
    assert "[CSIRT Exemplo] 0 open, 0 new, 2026-11-21, TLP:GREEN" == digest_subject(idle)
    assert WIDTH + 1 == len(digest(replace(idle, team="x" * 60)))


def test_what_waits_is_something() -> None:
    """A backlog is told even when there is nothing else."""
    waiting = replace(
        EMPTY, since=None, waiting=(Waiting(name="mail queued", count=3, oldest=NOW - 2 * DAY - 5 * HOUR),)
    )
    assert digest(waiting) == snapshot("""\
TLP:GREEN
CSIRT Exemplo, 2026-11-21 08:00 WET

HEALTH
       3  mail queued  oldest 2 d 5 h
""")


def test_a_count_without_a_list_is_told() -> None:
    """Open tickets that were not listed are still open."""
    assert "… and 3 more: abuse-triage ticket list --due --limit 1000" in digest(replace(EMPTY, open_count=3))


def test_the_subject_says_how_much_and_how_strict() -> None:
    """Counts, the day in the team's zone, and the label; nothing that a reporter wrote."""
    assert (
        "[CSIRT Exemplo] 17 open, 2 overdue, 23 new, 1 unreadable, 2 parked, 3 not delivered, 2026-11-21, TLP:RED"
        == digest_subject(FULL)
    )
    late = replace(EMPTY, timezone="Asia/Dili", at=datetime(2026, 11, 21, 15, 30, tzinfo=UTC))
    assert "2026-11-22" in digest_subject(late)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([], "TLP:GREEN"),
        ([Tlp.CLEAR], "TLP:GREEN"),
        ([Tlp.AMBER, Tlp.GREEN], "TLP:AMBER"),
        ([Tlp.AMBER_STRICT, Tlp.AMBER], "TLP:AMBER+STRICT"),
        ([Tlp.GREEN, Tlp.RED, Tlp.AMBER_STRICT], "TLP:RED"),
    ],
)
def test_the_strictest_label_stands_at_the_top(labels: list[Tlp], expected: str) -> None:
    """The first line is what the whole mail has to be treated as."""
    tickets = tuple(ticket(number, tlp=label) for number, label in enumerate(labels))
    assert expected == digest(replace(EMPTY, open_tickets=tickets, open_count=len(tickets))).split()[0]


@pytest.mark.parametrize("tlp", [Tlp.AMBER_STRICT, Tlp.RED])
def test_of_strict_tickets_only_number_and_clock_are_shown(tlp: Tlp) -> None:
    """Neither summary nor category, priority or counts of a strict ticket are in the mail, and that is said."""
    strict = ticket(9, tlp=tlp, priority=Priority.P1, review=True, messages=3, due=NOW - HOUR)
    (line,) = [line for line in digest(replace(EMPTY, open_tickets=(strict,))).split("\n") if "000009" in line]
    assert f"!! EXEMPLO#2026-000009  ({tlp.label}, withheld)" in line
    assert line.endswith("  overdue 1 h 0 min")
    shown = digest(replace(EMPTY, open_tickets=(strict,)))
    for hidden in ("Fraud", "P1", "banco", "review", "messages"):
        assert hidden not in shown


@pytest.mark.parametrize("tlp", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER])
def test_other_tickets_are_shown(tlp: Tlp) -> None:
    """Up to AMBER the team may read in its mail."""
    assert "banco[.]example" in digest(replace(EMPTY, open_tickets=(ticket(9, tlp=tlp),)))


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (NOW, "due in 0 min"),
        (NOW + 90 * MINUTE, "due in 1 h 30 min"),
        (NOW + 3 * DAY + 2 * HOUR, "due in 3 d 2 h"),
        (NOW - timedelta(seconds=1), "overdue 0 min"),
        (NOW - 50 * HOUR, "overdue 2 d 2 h"),
    ],
)
def test_the_clock(due: datetime, expected: str) -> None:
    """Each ticket says how long there is, and is marked when it is too late."""
    shown = digest(replace(EMPTY, open_tickets=(ticket(1, due=due),)))
    assert f"  {expected}\n" in shown
    assert ("!!" in shown) == ("overdue" in expected)


def test_long_lists_are_cut() -> None:
    """At most fifty entries of a kind and ten last refusals are listed, the rest is counted."""
    many = replace(
        EMPTY,
        open_tickets=tuple(map(ticket, range(60))),
        parked=tuple(HeldMessage(id=f"P{n}", received_at=NOW, sender="", reason="x") for n in range(60)),
        unreadable=tuple(HeldMessage(id=f"U{n}", received_at=NOW, sender="", reason="x") for n in range(60)),
        refused=tuple(RefusedAcknowledgement(at=NOW, ticket=f"R{n}", reason=f"r{n % 3}") for n in range(60)),
        troubled=tuple(
            TroubledMail(id=n, at=NOW, ticket=f"M{n}", state=MailState.FAILED, error="x") for n in range(60)
        ),
    )
    shown = digest(many)
    assert 50 == shown.count("EXEMPLO#2026-")
    assert 4 == shown.count("… and 10 more")
    assert (True, False) == ("R9 " in shown, "R10 " in shown)
    assert 3 == shown.count("      20  r")


def test_what_is_parked_is_listed_once_and_counted_ever_after() -> None:
    """Without anything new the section is still there, with the command that lists what waits."""
    assert digest(replace(EMPTY, parked_count=3)) == snapshot("""\
TLP:GREEN
CSIRT Exemplo, 2026-11-21 08:00 WET, since 2026-11-20 08:00 WET

PARKED (0 new, 3 in all), abuse-triage message promote ID
  … and 3 older:
    abuse-triage message list --outcome parked --limit 3
""")


@pytest.mark.parametrize(
    ("new", "count", "expected"),
    [
        (50, 50, None),
        (51, 51, "  … and 1 more new:\n    abuse-triage message list --outcome parked --limit 51\n"),
        (60, 75, "  … and 10 more new, 15 older:\n    abuse-triage message list --outcome parked --limit 75\n"),
        (1, 900_000, "  … and 899999 older:\n    abuse-triage message list --outcome parked --limit 100000\n"),
    ],
)
def test_what_is_not_listed_is_said_with_its_command(new: int, count: int, expected: str | None) -> None:
    """More than fifty between two digests, and those of earlier ones, are counted apart."""
    parked = tuple(HeldMessage(id=f"P{n}", received_at=NOW, sender="", reason="x") for n in range(new))
    shown = digest(replace(EMPTY, parked=parked, parked_count=count))
    assert f"PARKED ({new} new, {count} in all)" in shown
    assert (expected is None) == ("…" not in shown)
    assert shown.endswith(expected or "    x\n")


@pytest.mark.parametrize(
    ("subject", "withheld"),
    [
        ("[TLP:RED] Ganhe dinheiro", True),
        ("tlp: amber + strict, ganhe", True),
        ("TLP AMBER+STRICT ganhe", True),
        ("TLP:AMBER ganhe", False),
        ("Infrared lamps, no label", False),
    ],
)
def test_a_parked_message_that_is_marked_strictly_keeps_its_subject(subject: str, withheld: bool) -> None:
    """A label in the subject of a parked message holds as it does for tickets."""
    held = HeldMessage(id="P", received_at=NOW, sender="ana@example.org", reason="suspected spam", subject=subject)
    shown = digest(replace(EMPTY, parked=(held,)))
    assert (withheld, not withheld) == ("withheld" in shown, subject in shown)


@pytest.mark.parametrize(
    "waits",
    [
        {"parked_count": 1},
        {"waiting": (Waiting(name="mail held", count=1, oldest=NOW),)},
        {"troubled": (TroubledMail(id=1, at=NOW, ticket="", state=MailState.UNDELIVERABLE, error=""),)},
        {"open_count": 1},
    ],
)
def test_a_digest_is_not_empty_while_something_waits(waits: dict[str, object]) -> None:
    """Whatever waits for a person or for us is told, whatever else there is not."""
    assert "nothing waits" not in digest(replace(EMPTY, **waits))


def test_health_leaves_out_what_does_not_wait() -> None:
    """A count of zero takes no line, and without any other there is no section."""
    waiting = (Waiting(name="mail queued", count=0, oldest=None), Waiting(name="mail held", count=2, oldest=None))
    assert "HEALTH\n       2  mail held\n" in digest(replace(EMPTY, waiting=waiting))
    assert "HEALTH" not in digest(replace(EMPTY, parked_count=1, waiting=waiting[:1]))


hostile = st.text(st.characters(codec=None), max_size=200)


@generated(hostile, hostile, hostile, hostile, hostile)
def test_nothing_of_a_reporter_breaks_the_layout(
    summary: str, sender: str, reason: str, error: str, subject: str
) -> None:
    """No line is wider than 78 columns, none is added, and no terminal finds anything to obey."""
    held = HeldMessage(id="01JD3Y", received_at=NOW, sender=sender or "x", reason=reason, subject=subject or "x")
    shown = digest(
        replace(
            FULL,
            open_tickets=(ticket(1, summary=summary),),
            unreadable=(held,),
            parked=(held,),
            refused=(RefusedAcknowledgement(at=NOW, ticket="T", reason=reason),),
            troubled=(TroubledMail(id=1, at=NOW, ticket="T", state=MailState.FAILED, error=error),),
        )
    )
    assert 35 == shown.count("\n")
    assert all(line.isprintable() for line in shown.split("\n"))
    assert max(map(len, shown.split("\n"))) <= WIDTH


def test_senders_are_defanged() -> None:
    """No mail program makes a link of an address in the digest."""
    assert "ana@example[.]org" in digest(FULL)
    assert "ana@example.org" not in digest(FULL)


def test_what_openpgp_proves_stands_in_words_below_a_ticket() -> None:
    """A line of its own, where there is something to tell."""
    one = replace(EMPTY, open_tickets=(ticket(1, protection="encrypted, signed and verified"), ticket(2)), open_count=2)

    lines = digest(one).split("\n")

    assert ["   OpenPGP: encrypted, signed and verified"] == [line for line in lines if "OpenPGP" in line]


def test_keys_that_expire_are_listed() -> None:
    """Each with what to do, in lines that fit; a digest with nothing else is sent for them."""
    line = f"the key {'A' * 40} of rita@example.org expires on 2026-12-24: ask for a renewed copy, then `key add`"

    text = digest(replace(EMPTY, expiring=(line,)))

    assert "KEYS THAT EXPIRE (1)" in text
    assert line == " ".join(text[text.index("the key") :].split())
    assert WIDTH >= max(map(len, text.split("\n")))
