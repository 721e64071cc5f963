"""Acknowledgements."""

import email
import email.policy
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from jinja2 import UndefinedError, meta

from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.model.report import Kind
from abuse_triage.model.settings import Team
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing
from abuse_triage.replies.acknowledgement import LANGUAGES, WIDTH, acknowledge, environment, template

NUMBER = "DNSPT-CSIRT#2026-000123"
TEAM = Team(
    name="CSIRT Exemplo",
    organisation="Associação Exemplo",
    ticket_prefix="DNSPT-CSIRT",
    timezone="Europe/Lisbon",
    hours_pt="dias úteis das 9h às 18h (Lisboa)",
    hours_en="working days 09:00-18:00 (Lisbon)",
    telephones=("+351 210 000 000", "800 00 00 00"),
    openpgp_fingerprint="0123456789ABCDEF0123456789ABCDEF01234567",
    policy_url="https://www.example.pt/rfc2350",
)
one_line = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=200)


def written(**changes: object) -> Outgoing:
    """Acknowledge an ordinary report, except for what is given."""
    values = {
        "team": TEAM,
        "kind": TicketKind.INCIDENT,
        "language": "pt",
        "category_names": {"pt": "Fraude", "en": "Fraud"},
        "counts": {Kind.URL: 2, Kind.DOMAIN: 1},
        "tlp": Tlp.GREEN,
        "tlp_marked": False,
        "missing": (),
        "hours": 24,
        "message_id": "ack.abc.def@csirt.example.pt",
        "sender": "abuse@example.pt",
        "recipient": "ana@example.org",
        "date": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        "in_reply_to": "case-1@example.org",
        "references": ("case-0@example.org",),
        **changes,
    }
    return acknowledge(**values)


def text(outgoing: Outgoing, number: str = NUMBER) -> str:
    """Return the text as the reporter reads it."""
    message = email.message_from_bytes(outgoing.numbered(number), policy=email.policy.default)
    return message.get_content().replace("\r\n", "\n")


def subject(outgoing: Outgoing) -> str:
    """Return the subject as the reporter reads it."""
    return email.message_from_bytes(outgoing.numbered(NUMBER), policy=email.policy.default)["Subject"]


def test_a_report_is_acknowledged_in_both_languages() -> None:
    """The whole text, as a Portuguese reporter reads it."""
    assert text(written(missing=("time", "source", "evidence"))) == snapshot("""\
Recebemos a sua notificação e abrimos um registo para ela.
(English below)

Referência:   DNSPT-CSIRT#2026-000123
Categoria:    Fraude (classificação automática)
Indicadores:  1 domínio, 2 URL
TLP:          TLP:GREEN (por omissão: não vinha marcada)

Não encontrámos o seguinte na sua notificação. Se o tiver,
envie-nos, por favor; começamos sem isso:
- quando aconteceu: data, hora e fuso horário
- do que se trata: endereço IP de origem, URL ou domínio
- linhas de registo (logs) ou cabeçalhos completos da mensagem

Alguém da nossa equipa lê a sua notificação no prazo de 24 horas, em
condições normais, e escreve-lhe se for preciso mais alguma coisa.
Nem sempre podemos contar o resultado.

Para corrigir ou juntar provas, responda a este e-mail e mantenha a
referência no assunto.

Esta resposta é automática.

Equipa:       CSIRT Exemplo, Associação Exemplo
Horário:      dias úteis das 9h às 18h (Lisboa)
Urgências:    +351 210 000 000 ou 800 00 00 00
OpenPGP:      0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567
Política:     https://www.example.pt/rfc2350

----------------------------------------------------------------

We received your report and opened a record for it.

Reference:    DNSPT-CSIRT#2026-000123
Category:     Fraud (automatic assessment)
Indicators:   1 domain, 2 URLs
TLP:          TLP:GREEN (our default: it was not marked)

We did not find the following in your report. If you have it,
please send it; we start without it:
- when it happened: date, time and time zone
- what it is about: source IP address, URL or domain
- log lines, or the full headers of the e-mail concerned

A member of our team reads your report within 24 hours under normal
conditions and writes to you if more is needed. We cannot always
tell you the outcome.

To correct it or to add evidence, answer this e-mail and keep the
reference in the subject.

This answer is automatic.

Team:         CSIRT Exemplo, Associação Exemplo
Hours:        working days 09:00-18:00 (Lisbon)
Urgent:       +351 210 000 000 or 800 00 00 00
OpenPGP:      0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567
Policy:       https://www.example.pt/rfc2350
""")


def test_an_enquiry_has_its_own_wording() -> None:
    """No category, no indicators, nothing missing; where incidents go is said."""
    enquiry = written(
        kind=TicketKind.ENQUIRY, language="en", tlp=Tlp.AMBER, tlp_marked=True, incident_address="abuse@example.pt"
    )
    assert text(enquiry) == snapshot("""\
We received your message.
(Português mais abaixo)

Reference:    DNSPT-CSIRT#2026-000123
TLP:          TLP:AMBER (as you marked it)

A member of our team reads your message within 24 hours under normal
conditions.

To add something, answer this e-mail and keep the reference in the
subject.

Please report security incidents to abuse@example.pt.

This answer is automatic.

Team:         CSIRT Exemplo, Associação Exemplo
Hours:        working days 09:00-18:00 (Lisbon)
Urgent:       +351 210 000 000 or 800 00 00 00
OpenPGP:      0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567
Policy:       https://www.example.pt/rfc2350

----------------------------------------------------------------

Recebemos a sua mensagem.

Referência:   DNSPT-CSIRT#2026-000123
TLP:          TLP:AMBER (como marcou)

Alguém da nossa equipa lê a sua mensagem no prazo de 24 horas, em
condições normais.

Para acrescentar alguma coisa, responda a este e-mail e mantenha a
referência no assunto.

Incidentes de segurança comunicam-se para abuse@example.pt.

Esta resposta é automática.

Equipa:       CSIRT Exemplo, Associação Exemplo
Horário:      dias úteis das 9h às 18h (Lisboa)
Urgências:    +351 210 000 000 ou 800 00 00 00
OpenPGP:      0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567
Política:     https://www.example.pt/rfc2350
""")


def test_a_team_that_says_little_is_signed_with_little() -> None:
    """What is not configured leaves no empty line or label behind."""
    assert text(written(team=Team(name="CSIRT", ticket_prefix="X"), counts={}, language="en")) == snapshot("""\
We received your report and opened a record for it.
(Português mais abaixo)

Reference:    DNSPT-CSIRT#2026-000123
Category:     Fraud (automatic assessment)
Indicators:   none recognised
TLP:          TLP:GREEN (our default: it was not marked)

A member of our team reads your report within 24 hours under normal
conditions and writes to you if more is needed. We cannot always
tell you the outcome.

To correct it or to add evidence, answer this e-mail and keep the
reference in the subject.

This answer is automatic.

Team:         CSIRT

----------------------------------------------------------------

Recebemos a sua notificação e abrimos um registo para ela.

Referência:   DNSPT-CSIRT#2026-000123
Categoria:    Fraude (classificação automática)
Indicadores:  nenhum reconhecido
TLP:          TLP:GREEN (por omissão: não vinha marcada)

Alguém da nossa equipa lê a sua notificação no prazo de 24 horas, em
condições normais, e escreve-lhe se for preciso mais alguma coisa.
Nem sempre podemos contar o resultado.

Para corrigir ou juntar provas, responda a este e-mail e mantenha a
referência no assunto.

Esta resposta é automática.

Equipa:       CSIRT
""")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("pt", f"[{NUMBER}] Auto: Notificação recebida / Report received"),
        ("en", f"[{NUMBER}] Auto: Report received / Notificação recebida"),
        ("", f"[{NUMBER}] Auto: Report received / Notificação recebida"),
    ],
)
def test_the_likelier_language_stands_first(language: str, expected: str) -> None:
    """Subject and text agree in which language comes first; English does where nothing is known."""
    outgoing = written(language=language)
    assert expected == subject(outgoing)
    portuguese, english = text(outgoing).index("Recebemos"), text(outgoing).index("We received")
    assert (language == "pt") == (portuguese < english)


def test_the_envelope_and_the_thread() -> None:
    """The mail goes to the envelope sender, belongs to the reporter's thread, and has our id."""
    outgoing = written()
    message = email.message_from_bytes(outgoing.content, policy=email.policy.default)
    assert (MailKind.ACKNOWLEDGEMENT, "ack.abc.def@csirt.example.pt", "ana@example.org") == (
        outgoing.kind,
        outgoing.message_id,
        outgoing.recipient,
    )
    assert ["<case-0@example.org>", "<case-1@example.org>"] == message["References"].split()
    assert ("<case-1@example.org>", "auto-replied") == (message["In-Reply-To"], message["Auto-Submitted"])


def test_a_mail_without_id_starts_no_thread() -> None:
    """Where the reporter's mail has no Message-ID, there is nothing to refer to."""
    message = email.message_from_bytes(written(in_reply_to="", references=()).content)
    assert (None, None) == (message["In-Reply-To"], message["References"])


@pytest.mark.parametrize("kind", list(TicketKind))
def test_the_number_has_three_places(kind: TicketKind) -> None:
    """The placeholder stands in the subject and once in each language."""
    assert 3 == written(kind=kind).content.count(NUMBER_PLACEHOLDER.encode())


@pytest.mark.parametrize(
    ("counts", "portuguese", "english"),
    [
        ({}, "nenhum reconhecido", "none recognised"),
        ({Kind.DOMAIN: 0}, "nenhum reconhecido", "none recognised"),
        ({Kind.IPV4: 1}, "1 endereço IPv4", "1 IPv4 address"),
        (
            {Kind.EMAIL: 3, Kind.IPV6: 2},
            "2 endereços IPv6, 3 endereços de e-mail",
            "2 IPv6 addresses, 3 e-mail addresses",
        ),
    ],
)
def test_indicators_are_counted_by_kind(counts: Mapping[Kind, int], portuguese: str, english: str) -> None:
    """Only how many of which kind are told, one and many apart."""
    acknowledgement = text(written(counts=counts))
    assert f"Indicadores:  {portuguese}\n" in acknowledgement
    assert f"Indicators:   {english}\n" in acknowledgement


def test_every_kind_of_indicator_has_words() -> None:
    """A new kind without words would be an error here, not in production."""
    acknowledgement = " ".join(text(written(counts=dict.fromkeys(Kind, 71))).split())
    assert 2 * len(Kind) == acknowledgement.count("71 ")


def test_one_hour_is_one_hour() -> None:
    """The promise has its singular."""
    assert "no prazo de 1 hora, em" in text(written(hours=1))
    assert "within 1 hour under" in text(written(hours=1)).replace("\n", " ")


@pytest.mark.parametrize("name", ["incident", "enquiry", "team"])
def test_both_languages_use_the_same_variables(name: str) -> None:
    """What one language says, the other says too."""
    used = []
    for language in LANGUAGES:
        source, _, _ = environment().loader.get_source(environment(), f"{language}/{name}.txt.j2")
        used.append(meta.find_undeclared_variables(environment().parse(source)))
    assert used[0] == used[1]
    assert used[0]


def test_an_unknown_variable_is_an_error() -> None:
    """A template never shows a hole."""
    with pytest.raises(UndefinedError):
        template("pt/enquiry").render(number="1")


def test_an_address_that_cannot_be_written_is_an_error() -> None:
    """The caller has to ask first."""
    with pytest.raises(ValueError, match="address"):
        written(recipient="x\r\nBcc: y@example.org")


@given(
    organisation=one_line,
    hours=one_line,
    policy=one_line,
    category=one_line,
    telephones=st.lists(one_line, max_size=4),
    counts=st.dictionaries(st.sampled_from(Kind), st.integers(0, 10**9)),
    tlp=st.sampled_from(Tlp),
    promise=st.integers(0, 10**6),
)
def test_no_line_is_wider_than_68_columns(
    *,
    organisation: str,
    hours: str,
    policy: str,
    category: str,
    telephones: list[str],
    counts: dict[Kind, int],
    tlp: Tlp,
    promise: int,
) -> None:
    """Whatever a team is called, and however much was reported, no line needs wrapping."""
    team = TEAM.model_copy(
        update={
            "name": "Ä" * 60,
            "organisation": organisation,
            "hours_pt": hours,
            "hours_en": hours,
            "telephones": tuple(telephones),
            "policy_url": policy,
        }
    )
    for kind in TicketKind:
        acknowledgement = written(
            team=team,
            kind=kind,
            category_names={"pt": category, "en": category},
            counts=counts,
            tlp=tlp,
            hours=promise,
            missing=("time", "source", "evidence"),
            incident_address=f"{'a' * 64}@{'b' * 63}.example.pt",
        )
        assert max(map(len, text(acknowledgement, "N" * 54).split("\n"))) <= WIDTH


def test_each_language_is_short() -> None:
    """At most 35 lines each with everything in it: people read it (RFC 3834 section 3.2 asks for brevity)."""
    for part in text(written(missing=("time", "source", "evidence"), counts=dict.fromkeys(Kind, 7))).split("-" * 64):
        assert part.count("\n") <= 35


def test_the_rule_between_the_languages_is_no_signature() -> None:
    """Mail programs hide what follows "-- ", and the second language is no signature."""
    assert "\n-- \n" not in text(written())
