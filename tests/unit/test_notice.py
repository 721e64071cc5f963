"""Handlers hear at once of what cannot wait, in our own words, and nobody learns what is withheld."""

import email
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.model.decision import Phase, Priority, TicketKind, Tlp, TraceEntry, Verdict
from abuse_triage.model.identity import Team
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing
from abuse_triage.replies.notice import WIDTH, gathered, notice, reasons

NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
TEAM = Team(name="CSIRT Exemplo", ticket_prefix="TEST", timezone="Europe/Lisbon")
ASKED = TraceEntry(
    phase=Phase.MARK,
    rule="mark.life-in-danger",
    file="20-mark.yaml",
    line=1,
    why="Threats to the physical safety of people come before everything else, whatever the scope.",
    because=(("text", "ameaca de morte"),),
    effect="priority at least p1; handlers are told at once",
    notifies=True,
)
VERDICT = Verdict(
    category="abusive-content",
    type="abusive-content:harmful-speech",
    tlp=Tlp.GREEN,
    tlp_marked=False,
    priority=Priority.P1,
    kind=TicketKind.INCIDENT,
    reason="abusive-content has 50 points",
    generation="0",
    notify=True,
    trace=(ASKED,),
)


def written(verdict: Verdict = VERDICT, reporter: str = "ana@example.org", proof: str = "") -> Outgoing:
    """Write the notice of one verdict to one handler."""
    return notice(
        team=TEAM,
        verdict=verdict,
        category="Abusive content",
        due=NOW,
        reporter=reporter,
        proven=proof == "proven",
        forged=proof == "forged",
        message_id="notice.a.b@example.pt",
        sender="abuse@example.pt",
        recipient="rui@example.pt",
        date=NOW,
    )


def read(mail: Outgoing) -> tuple[EmailMessage, str]:
    """Return a notice as a mail client reads it, and its text."""
    message = email.message_from_bytes(mail.numbered("TEST#2026-000123"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message, message.get_content().replace("\r\n", "\n")


def test_a_notice() -> None:
    """Number, priority, clock in the team's zone, category, the rule's reason and the defanged sender are told."""
    mail = written()
    message, text = read(mail)

    assert (MailKind.NOTICE, "rui@example.pt", "notice.a.b@example.pt") == (mail.kind, mail.recipient, mail.message_id)
    assert NUMBER_PLACEHOLDER.encode() in mail.content
    assert "auto-generated" == message["Auto-Submitted"]
    assert "rui@example.pt" == message["To"]
    assert (
        "[TEST#2026-000123] notice, P1, TLP:GREEN: "
        "Threats to the physical safety of people come before everything else, whatever the scope."
        == message["Subject"]
    )
    assert text == (
        "TLP:GREEN\n\n"
        "TEST#2026-000123 was opened and should not wait for the digest.\n\n"
        "Priority      P1, due 2026-07-01 10:00 WEST\n"
        "Category      Abusive content\n"
        "Because       Threats to the physical safety of people come before everything\n"
        "              else, whatever the scope. (rule mark.life-in-danger)\n"
        "From          ana[@]example[.]org. The sender is not proven: make sure by\n"
        "              another way who wrote before you follow a link in it or act on\n"
        "              it.\n\n"
        "abuse-triage ticket show TEST#2026-000123\n"
    )


@pytest.mark.parametrize(("proof", "said"), [("proven", "is proven."), ("forged", "is forged"), ("", "is not proven")])
def test_what_is_known_of_the_sender(proof: str, said: str) -> None:
    """A handler learns whether the sender is who it says, because validation mails are forged, too."""
    assert f"The sender {said}" in " ".join(read(written(proof=proof))[1].split())


def test_a_sender_without_address() -> None:
    """Where From names nobody, that is said."""
    assert "From          nobody. The sender" in read(written(reporter=""))[1]


@pytest.mark.parametrize("tlp", [Tlp.AMBER_STRICT, Tlp.RED])
def test_what_is_strict_is_withheld(tlp: Tlp) -> None:
    """Of a strict ticket a notice tells number and clock only, and that it withholds the rest."""
    message, text = read(written(replace(VERDICT, tlp=tlp)))

    assert f"[TEST#2026-000123] notice, {tlp.label}" == message["Subject"]
    assert text == (
        f"{tlp.label}\n\n"
        "TEST#2026-000123 was opened and should not wait for the digest.\n\n"
        "Due           2026-07-01 10:00 WEST\n"
        f"Withheld      what it is about ({tlp.label})\n\n"
        "abuse-triage ticket show TEST#2026-000123\n"
    )


def test_several_rules() -> None:
    """Each rule that asked is named; a rule in shadow and one that did not ask are not."""
    second = replace(ASKED, rule="route.mine", why="x" * 500)
    shadow = replace(ASKED, rule="mark.shadow", applied=False)
    other = replace(ASKED, rule="cls.other", notifies=False)
    verdict = replace(VERDICT, trace=(shadow, second, other, ASKED))
    message, text = read(written(verdict))
    text = " ".join(text.split())

    assert (second, ASKED) == reasons(verdict)
    assert () == reasons(replace(verdict, notify=False))
    assert message["Subject"].endswith(f"{'x' * 99}…")
    assert "(rule route.mine)" in text
    assert "(rule mark.life-in-danger)" in text
    assert "mark.shadow" not in text
    assert "cls.other" not in text


@given(st.text(max_size=300))
def test_a_strangers_address_breaks_nothing(reporter: str) -> None:
    """Whatever stands in From, lines keep their width and nothing in it is live or begins a line of its own."""
    text = read(written(reporter=reporter))[1]

    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert 3 == sum(line.startswith(("Priority ", "Because ", "From ")) for line in text.splitlines())


def together(tickets: dict[str, tuple[Priority | None, Tlp | None]], *, proven: bool = False) -> Outgoing:
    """Write one notice of several tickets."""
    return gathered(
        team=TEAM,
        tickets=tickets,
        message_id="fold.a.b@example.pt",
        sender="abuse@example.pt",
        recipient="rui@example.pt",
        date=NOW,
        proven=proven,
    )


def test_one_notice_of_several_tickets() -> None:
    """Each ticket is told with its priority, the strictest TLP in subject and first line, and where to look."""
    mail = together({"TEST#2026-000001": (Priority.P1, Tlp.GREEN), "TEST#2026-000002": (Priority.P3, Tlp.AMBER)})
    message, text = read(mail)

    assert (MailKind.NOTICE, "rui@example.pt", False) == (mail.kind, mail.recipient, mail.proven)
    assert "notice, TLP:AMBER: 2 urgent tickets wait" == message["Subject"]
    assert "auto-generated" == message["Auto-Submitted"]
    assert text == (
        "TLP:AMBER\n\n"
        "2 urgent tickets wait and should not wait for the digest. They came faster\n"
        "than one mail for each.\n\n"
        "TEST#2026-000001  P1\n"
        "TEST#2026-000002  P3\n\n"
        "No sender of these is proven, and one stranger may have sent all of them: real\n"
        "ones may be among them all the same.\n\n"
        "abuse-triage ticket list --due\n"
    )
    assert "The senders are proven." in read(together({"TEST#2026-000001": (Priority.P1, Tlp.CLEAR)}, proven=True))[1]


def test_one_notice_withholds_what_is_strict() -> None:
    """Of a ticket with a strict TLP, or of which nothing is known, the number is told only."""
    message, text = read(
        together(
            {
                "TEST#2026-000001": (Priority.P1, Tlp.RED),
                "TEST#2026-000002": (Priority.P2, Tlp.AMBER_STRICT),
                "TEST#2026-000003": (None, None),
            }
        )
    )
    assert message["Subject"].startswith("notice, TLP:RED: 3 urgent")
    assert not {"P1", "P2"} & set(text.split())
    assert 3 == text.count(", withheld")


def test_one_ticket_waits() -> None:
    """Where several notices of one ticket waited, it is told once, in the singular."""
    text = read(together({"TEST#2026-000001": (Priority.P1, Tlp.CLEAR)}))[1]
    assert "1 urgent ticket waits and should" in text


def test_lines_of_several_are_no_wider_than_others() -> None:
    """With numbers of up to 50 characters every line fits."""
    strict = dict.fromkeys((f"{number:050}" for number in range(3)), (Priority.P1, Tlp.AMBER_STRICT))
    assert WIDTH >= max(map(len, read(together(strict))[1].splitlines()))
