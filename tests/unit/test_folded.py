"""One mail in place of several acknowledgements."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from abuse_triage.model.identity import Team
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing
from abuse_triage.replies.folded import LISTED, folded
from abuse_triage.replies.sandbox import WIDTH
from abuse_triage.replies.wording import SHIPPED, Wording

TEAM = Team(
    name="CSIRT Exemplo",
    organisation="Associação Exemplo",
    ticket_prefix="EXEMPLO",
    timezone="Europe/Lisbon",
    hours_pt="dias úteis das 9h às 18h",
    hours_en="working days 09:00-18:00",
    telephones=("800 00 00 00",),
)


def written(**changes: object) -> Outgoing:
    """Fold three acknowledgements, except for what is given."""
    values = {
        "team": TEAM,
        "numbers": ["EXEMPLO#2026-000003", "EXEMPLO#2026-000007", "EXEMPLO#2026-000008"],
        "language": "pt",
        "message_id": "fold.abc.def@csirt.example.pt",
        "sender": "abuse@example.pt",
        "recipient": "ana@example.org",
        "date": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        "references": ["case-1@example.org", "case-2@example.org"],
        "proven": True,
        "wording": SHIPPED,
        **changes,
    }
    return folded(**values)


def parsed(outgoing: Outgoing) -> EmailMessage:
    """Read the mail back."""
    message = email.message_from_bytes(outgoing.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text(outgoing: Outgoing) -> str:
    """Return the text as the reporter reads it."""
    return str(parsed(outgoing).get_content()).replace("\r\n", "\n")


def test_all_references_stand_in_one_mail() -> None:
    """The whole text: every number once, both languages, nothing of any report."""
    assert text(written()) == snapshot("""\
Recebemos as suas mensagens; esta resposta vale para todas elas.
(English below)

Referências:
- EXEMPLO#2026-000003
- EXEMPLO#2026-000007
- EXEMPLO#2026-000008

Urgente?      Ligue 800 00 00 00, dias úteis das 9h às 18h

Cada uma tem um registo próprio. Alguém da nossa equipa lê-as e
escreve-lhe se precisarmos de mais alguma coisa. Nem sempre podemos
contar-lhe o resultado.

Para acrescentar alguma coisa a uma delas, escreva uma mensagem nova
com a referência dela no assunto.

Resposta automática de CSIRT Exemplo, Associação Exemplo.

----------------------------------------------------------------

We received your messages; this answer is for all of them.
The references stand above.

Urgent?       Call 800 00 00 00, working days 09:00-18:00

Each of them has a record of its own. A member of our team reads
them and writes to you if we need anything more. We cannot always
tell you the outcome.

To add something to one of them, write a new message with its
reference in the subject.

Automatic answer of CSIRT Exemplo, Associação Exemplo.
""")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("pt", "[EXEMPLO#2026-000003] Auto: Mensagens recebidas / Messages received"),
        ("en", "[EXEMPLO#2026-000003] Auto: Messages received / Mensagens recebidas"),
        ("", "[EXEMPLO#2026-000003] Auto: Messages received / Mensagens recebidas"),
    ],
)
def test_the_subject_has_the_first_number(language: str, expected: str) -> None:
    """It is as generic as that of any acknowledgement, in the order of the languages."""
    outgoing = written(language=language)
    assert expected == parsed(outgoing)["Subject"]
    assert ("pt" if language == "pt" else "en") == outgoing.language


def test_it_belongs_to_the_threads_that_it_answers() -> None:
    """All ids that are answered stand in References, the last in In-Reply-To; it is an acknowledgement."""
    outgoing = written()
    message = parsed(outgoing)
    assert (MailKind.ACKNOWLEDGEMENT, "ana@example.org", True, "case-2@example.org") == (
        outgoing.kind,
        outgoing.recipient,
        outgoing.proven,
        outgoing.answers,
    )
    assert ["<case-1@example.org>", "<case-2@example.org>"] == message["References"].split()
    assert ("<case-2@example.org>", "auto-replied", "All") == (
        message["In-Reply-To"],
        message["Auto-Submitted"],
        message["X-Auto-Response-Suppress"],
    )


def test_mail_without_ids_can_be_folded() -> None:
    """Where none of the mails had a Message-ID, there is no thread."""
    outgoing = written(references=[])
    assert ("", None) == (outgoing.answers, parsed(outgoing)["In-Reply-To"])


@pytest.mark.parametrize(
    ("count", "listed", "more"), [(1, 1, 0), (LISTED, 500, 0), (LISTED + 1, 500, 1), (1000, 500, 500)]
)
def test_so_many_numbers_are_listed(count: int, listed: int, more: int) -> None:
    """The others are counted, and the mail stays short."""
    outgoing = written(numbers=[f"EXEMPLO#2026-{n:06}" for n in range(1, count + 1)])
    said = text(outgoing)
    assert listed == said.count("- EXEMPLO#2026-")
    assert (f"- e mais {more}\n" in said) == (more > 0)
    assert len(outgoing.content) < 20_000


def test_the_placeholder_has_no_place_in_it() -> None:
    """The numbers are known, so that the store replaces nothing."""
    assert NUMBER_PLACEHOLDER.encode() not in written().content


def test_own_wording_is_used() -> None:
    """The operator's template comes in place of the shipped one."""
    own = "Subject: Tudo junto\n\n{% for one in numbers %}\n* {{ one }}\n{% endfor %}\n\n{{ contact }}"
    outgoing = written(wording=Wording({"pt/folded.txt.j2": own}))
    assert "[EXEMPLO#2026-000003] Auto: Tudo junto / Messages received" == parsed(outgoing)["Subject"]
    assert text(outgoing).startswith("* EXEMPLO#2026-000003\n* EXEMPLO#2026-000007\n")


@given(st.lists(st.from_regex(r"[A-Za-z0-9#._-]{1,54}", fullmatch=True), min_size=1, max_size=60), st.booleans())
def test_no_number_needs_a_second_line(numbers: list[str], telephones: bool) -> None:
    """Numbers of up to 54 characters stand whole, in lines of at most 68 columns."""
    team = TEAM if telephones else TEAM.model_copy(update={"telephones": ()})
    said = text(written(team=team, numbers=numbers)).split("\n")
    assert max(map(len, said)) <= WIDTH
    assert [f"- {number}" for number in numbers[:LISTED]] == [line for line in said if line[:2] == "- "][
        : min(len(numbers), LISTED)
    ]
