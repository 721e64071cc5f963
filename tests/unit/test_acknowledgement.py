"""Acknowledgements."""

import email
import email.policy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from abuse_triage.model.decision import Priority, TicketKind, Tlp
from abuse_triage.model.identity import Mailbox, Team
from abuse_triage.model.report import Kind
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing
from abuse_triage.replies.acknowledgement import acknowledge, incident_address, promised
from abuse_triage.replies.sandbox import WIDTH
from abuse_triage.replies.wording import Wording

NUMBER = "DNSPT-CSIRT#2026-000123"
ARRIVAL = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
EVERYTHING = ("time", "source", "page", "logs", "message")
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
        "received_at": ARRIVAL,
        "response": timedelta(hours=24),
        "message_id": "ack.abc.def@csirt.example.pt",
        "sender": "abuse@example.pt",
        "recipient": "ana@example.org",
        "date": ARRIVAL + timedelta(seconds=5),
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
    assert text(written(missing=EVERYTHING)) == snapshot("""\
Recebemos a sua notificação e abrimos um registo.
(English below)

Referência:   DNSPT-CSIRT#2026-000123
Categoria:    Fraude (classificação automática)
Indicadores:  1 domínio, 2 URL
TLP:          TLP:GREEN (por omissão: não vinha marcada)
Urgente?      Ligue +351 210 000 000 ou 800 00 00 00, dias úteis das
              9h às 18h (Lisboa)

Em condições normais, alguém da nossa equipa lê a sua notificação
até 2026-11-22 14:30 (WET), verifica-a e, se for caso disso,
contacta quem pode agir. Escrevemos-lhe se precisarmos de mais
alguma coisa. Nem sempre podemos contar-lhe o resultado, e não somos
nós que retiramos o que outros alojam.

Não encontrámos o seguinte na sua notificação. Se o tiver,
envie-nos, por favor; começamos sem isso:
- quando aconteceu: data, hora e fuso horário
- do que se trata: endereço IP, domínio ou URL
- o endereço completo (URL) da página, ou a mensagem que lá levava
- as linhas de registo (logs) que o mostram
- a mensagem original com todos os cabeçalhos, como anexo

Para corrigir ou acrescentar alguma coisa, responda a este e-mail e
mantenha a referência no assunto.

Resposta automática de CSIRT Exemplo, Associação Exemplo.
OpenPGP:      0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567
Política:     https://www.example.pt/rfc2350

----------------------------------------------------------------

We received your report and opened a record for it.

Reference:    DNSPT-CSIRT#2026-000123
Category:     Fraud (automatic assessment)
Indicators:   1 domain, 2 URLs
TLP:          TLP:GREEN (our default: it was not marked)
Urgent?       Call +351 210 000 000 or 800 00 00 00, working days
              09:00-18:00 (Lisbon)

Under normal conditions, a member of our team reads your report by
2026-11-22 14:30 (WET), checks it and, where needed, contacts
whoever can act. We write to you if we need anything more. We cannot
always tell you the outcome, and we are not the ones who take down
what others host.

We did not find the following in your report. If you have it,
please send it; we start without it:
- when it happened: date, time and time zone
- what it is about: IP address, domain or URL
- the complete address (URL) of the page, or the message that led
  there
- the log lines that show it
- the original e-mail with its full headers, as an attachment

To correct it or to add something, answer this e-mail and keep the
reference in the subject.

Automatic answer of CSIRT Exemplo, Associação Exemplo.
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
Urgent?       Call +351 210 000 000 or 800 00 00 00, working days
              09:00-18:00 (Lisbon)

Under normal conditions, a member of our team reads your message by
2026-11-22 14:30 (WET).

To add something, answer this e-mail and keep the reference in the
subject.

To report a security incident, write to abuse@example.pt.

Automatic answer of CSIRT Exemplo, Associação Exemplo.
OpenPGP:      0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567
Policy:       https://www.example.pt/rfc2350

----------------------------------------------------------------

Recebemos a sua mensagem.

Referência:   DNSPT-CSIRT#2026-000123
TLP:          TLP:AMBER (como marcou)
Urgente?      Ligue +351 210 000 000 ou 800 00 00 00, dias úteis das
              9h às 18h (Lisboa)

Em condições normais, alguém da nossa equipa lê a sua mensagem até
2026-11-22 14:30 (WET).

Para acrescentar alguma coisa, responda a este e-mail e mantenha a
referência no assunto.

Para comunicar um incidente de segurança, escreva para
abuse@example.pt.

Resposta automática de CSIRT Exemplo, Associação Exemplo.
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

Under normal conditions, a member of our team reads your report by
2026-11-22 14:30 (UTC), checks it and, where needed, contacts
whoever can act. We write to you if we need anything more. We cannot
always tell you the outcome, and we are not the ones who take down
what others host.

To correct it or to add something, answer this e-mail and keep the
reference in the subject.

Automatic answer of CSIRT.

----------------------------------------------------------------

Recebemos a sua notificação e abrimos um registo.

Referência:   DNSPT-CSIRT#2026-000123
Categoria:    Fraude (classificação automática)
Indicadores:  nenhum reconhecido
TLP:          TLP:GREEN (por omissão: não vinha marcada)

Em condições normais, alguém da nossa equipa lê a sua notificação
até 2026-11-22 14:30 (UTC), verifica-a e, se for caso disso,
contacta quem pode agir. Escrevemos-lhe se precisarmos de mais
alguma coisa. Nem sempre podemos contar-lhe o resultado, e não somos
nós que retiramos o que outros alojam.

Para corrigir ou acrescentar alguma coisa, responda a este e-mail e
mantenha a referência no assunto.

Resposta automática de CSIRT.
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


@pytest.mark.parametrize(
    ("zone", "arrival", "expected"),
    [
        ("Europe/Lisbon", "2026-11-21 14:30", "2026-11-22 14:30 (WET)"),
        ("Europe/Lisbon", "2026-07-01 23:59", "2026-07-03 00:59 (WEST)"),
        ("Europe/Lisbon", "2026-10-24 12:00", "2026-10-25 12:00 (WET)"),  # the night with 25 hours
        ("UTC", "2026-12-31 12:00", "2027-01-01 12:00 (UTC)"),
        ("America/Sao_Paulo", "2026-11-21 14:30", "2026-11-22 11:30 (UTC-03)"),
    ],
)
def test_the_promise_is_a_moment_on_the_clock(zone: str, arrival: str, expected: str) -> None:
    """By when a person reads it is counted from the arrival, in the team's zone, both languages saying the same."""
    team = TEAM.model_copy(update={"timezone": zone})
    at = datetime.fromisoformat(arrival).replace(tzinfo=UTC)
    for kind in TicketKind:
        said = " ".join(text(written(team=team, kind=kind, received_at=at, date=at)).split())
        assert f"até {expected}" in said
        assert f"by {expected}" in said


@pytest.mark.parametrize("kind", list(TicketKind))
def test_a_promise_that_is_broken_already_is_not_made(kind: TicketKind) -> None:
    """Whoever is answered late is told so, and no moment of the past."""
    late = text(written(kind=kind, date=ARRIVAL + timedelta(hours=24)))
    assert "This answer comes later than it should." in late
    assert "Esta resposta sai mais tarde do que devia." in late
    assert "2026" not in late.replace(NUMBER, "")
    assert "later than" not in text(written(kind=kind, date=ARRIVAL + timedelta(hours=23, minutes=59)))


def test_every_reporter_is_promised_the_same() -> None:
    """The promise is one that every ticket keeps, and so says nothing about priorities."""
    response = {Priority.P1: timedelta(hours=1), Priority.P3: timedelta(hours=24), Priority.P4: timedelta(hours=72)}
    assert timedelta(hours=72) == promised(response)


def test_telephones_stand_near_the_top() -> None:
    """What cannot wait is in the first ten lines of each language, with the hours."""
    for kind in TicketKind:
        first, second = text(written(kind=kind)).split("-" * 64)
        assert "Urgente?      Ligue +351 210 000 000 ou 800 00 00 00" in "\n".join(first.split("\n")[:10])
        assert "Urgent?       Call +351 210 000 000 or 800 00 00 00" in "\n".join(second.strip().split("\n")[:10])
        assert 1 == first.count("dias úteis") == second.count("working days")
    silent = text(written(team=TEAM.model_copy(update={"telephones": ()})))
    assert "Urgente" not in silent
    assert "Horário:      dias úteis das 9h às 18h (Lisboa)" in silent


@pytest.mark.parametrize(
    "number",
    [
        "CNCS|CERT.PT #188458",
        "CERT-Bund#2021010628001547",
        "Ticket ID: TN-364686",
        "a/b/c",
        "N" * 60,
    ],
)
@pytest.mark.parametrize("kind", list(TicketKind))
def test_another_team_finds_its_own_number(kind: TicketKind, number: str) -> None:
    """The number of their system stands at the end of the subject and in both languages, ours at the beginning."""
    answer = written(kind=kind, their_number=number)
    assert subject(answer).startswith(f"[{NUMBER}] Auto: ")
    assert subject(answer).endswith(f" [{number}]")
    said = "".join(text(answer).split())
    assert f"Vossaref.:{number}".replace(" ", "") in said
    assert f"Yourref.:{number}".replace(" ", "") in said


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[ -~]{0,70}", fullmatch=True)))
def test_nothing_but_a_number_is_echoed(number: str) -> None:
    """A header, an address, a link or a placeholder never comes back to anybody under our name."""
    answer = written(their_number=number)
    assert 14 == len(email.message_from_bytes(answer.content).keys())
    assert 3 == answer.content.count(NUMBER_PLACEHOLDER.encode())
    said = subject(answer).removeprefix(f"[{NUMBER}] ")
    assert "@" not in said
    assert "//" not in said
    assert len(said) <= 120


@pytest.mark.parametrize(
    "number", ["", " 1", "x@example.org", "http://example.org", "1\r\nBcc: x", "1]", "é", "N" * 61]
)
def test_what_is_no_number_is_left_out(number: str) -> None:
    """Without a number that can be one, subject and text are those of everybody."""
    assert written().content == written(their_number=number).content


def test_the_notice_of_the_digital_services_act_is_there_where_it_is_wanted() -> None:
    """Receipt, decision with redress, and automated means: paragraphs 4, 5 and 6 of article 16, in both languages."""
    said = " ".join(text(written(dsa_notice=True)).split())
    assert (
        "Se esta é uma notificação nos termos do artigo 16.º do Regulamento (UE) 2022/2065 (Regulamento dos Serviços"
        " Digitais), esta mensagem serve de aviso de receção (n.º 4). Sem demora injustificada, comunicamos-lhe a nossa"
        " decisão e as possibilidades de recurso (n.º 5). A receção e a classificação recorrem a meios automatizados; a"
        " decisão é tomada por uma pessoa (n.º 6)."
    ) in said
    assert (
        "If this is a notice under Article 16 of Regulation (EU) 2022/2065 (Digital Services Act), this mail confirms"
        " its receipt (paragraph 4). Without undue delay, we notify you of our decision and of the possibilities for"
        " redress (paragraph 5). We use automated means to receive and classify notices; the decision is taken by a"
        " person (paragraph 6)."
    ) in said
    assert "2022/2065" not in text(written())
    assert "2022/2065" not in text(written(dsa_notice=True, kind=TicketKind.ENQUIRY))


@pytest.mark.parametrize(("given_language", "expected"), [("pt", "pt"), ("en", "en"), ("", "en")])
def test_what_is_needed_to_fold_it_goes_with_it(given_language: str, expected: str) -> None:
    """The store learns which mail is answered, whether its sender is proven, and which language stands first."""
    answer = written(language=given_language, proven=True)
    assert (True, "case-1@example.org", expected) == (answer.proven, answer.answers, answer.language)
    assert not written().proven


def test_incidents_go_to_the_first_mailbox_for_them() -> None:
    """Enquirers are told where incidents go, if anywhere."""
    assert "abuse@example.pt" == incident_address(
        [
            Mailbox(address="csirt@example.pt", kind=TicketKind.ENQUIRY),
            Mailbox(address="abuse@example.pt"),
            Mailbox(address="x@example.pt"),
        ]
    )
    assert "" == incident_address([Mailbox(address="csirt@example.pt", kind=TicketKind.ENQUIRY)])


def test_an_address_that_cannot_be_written_is_an_error() -> None:
    """The caller has to ask first."""
    with pytest.raises(ValueError, match="address"):
        written(recipient="x\r\nBcc: y@example.org")


@given(
    name=st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=60),
    lines=st.lists(one_line, min_size=4, max_size=4),
    telephones=st.lists(one_line, max_size=4),
    counts=st.dictionaries(st.sampled_from(Kind), st.integers(0, 10**9)),
    tlp=st.sampled_from(Tlp),
    late=st.booleans(),
    theirs=st.sampled_from(["", "N" * 60]),
)
def test_no_team_breaks_a_line_or_a_header(
    *,
    name: str,
    lines: list[str],
    telephones: list[str],
    counts: dict[Kind, int],
    tlp: Tlp,
    late: bool,
    theirs: str,
) -> None:
    """Whatever a team is called, however it is reached and however much was reported, no line needs wrapping."""
    organisation, hours, policy, category = lines
    team = TEAM.model_copy(
        update={
            "name": name,
            "organisation": organisation,
            "hours_pt": hours,
            "hours_en": hours,
            "telephones": tuple(telephones),
            "policy_url": policy,
        }
    )
    for kind in TicketKind:
        answer = written(
            team=team,
            kind=kind,
            category_names={"pt": category, "en": category},
            counts=counts,
            tlp=tlp,
            missing=EVERYTHING,
            dsa_notice=True,
            date=ARRIVAL + timedelta(days=2 * late),
            their_number=theirs,
            incident_address=f"{'a' * 64}@{'b' * 63}.example.pt",
        )
        assert max(map(len, text(answer, "N" * 54).split("\n"))) <= WIDTH
        head = answer.content.partition(b"\r\n\r\n")[0]
        names = [line.split(b":")[0] for line in head.split(b"\r\n") if line[:1] != b" "]
        assert [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"In-Reply-To", b"References"] == names[:7]
        assert 14 == len(names)


@pytest.mark.parametrize("kind", list(TicketKind))
@pytest.mark.parametrize("language", ["pt", "en"])
def test_every_combination_is_within_its_width(kind: TicketKind, language: str) -> None:
    """With and without everything that may be said, each with each other."""
    for tlp, marked, missing, theirs, late, notice, count, team in product(
        (Tlp.GREEN, Tlp.AMBER_STRICT),
        (True, False),
        ((), EVERYTHING),
        ("", "CNCS|CERT.PT #188458"),
        (True, False),
        (True, False),
        (0, 1, 2000),
        (TEAM, Team(name="C", ticket_prefix="X")),
    ):
        answer = written(
            kind=kind,
            language=language,
            tlp=tlp,
            tlp_marked=marked,
            missing=missing,
            their_number=theirs,
            date=ARRIVAL + timedelta(days=2 * late),
            dsa_notice=notice,
            counts=dict.fromkeys(Kind, count),
            team=team,
        )
        said = text(answer, "N" * 54)
        assert max(map(len, said.split("\n"))) <= WIDTH
        assert "\n\n\n" not in said


def test_each_language_is_short() -> None:
    """An ordinary answer has about fifteen lines of text in each language, and the longest forty lines in all.

    RFC 3834 section 3.2 asks for brevity.
    """
    for part in text(written(team=TEAM.model_copy(update={"policy_url": ""}))).split("-" * 64):
        assert len([line for line in part.split("\n") if line]) <= 17
    longest = written(missing=EVERYTHING, counts=dict.fromkeys(Kind, 7), dsa_notice=True, their_number="CERT #1")
    for part in text(longest).split("-" * 64):
        assert part.count("\n") <= 46


def test_the_rule_between_the_languages_is_no_signature() -> None:
    """Mail programs hide what follows "-- ", and the second language is no signature."""
    assert "\n-- \n" not in text(written())


@pytest.mark.parametrize("kind", TicketKind)
def test_the_answer_to_an_encrypted_report_is_the_same_whatever_is_in_it(kind: TicketKind) -> None:
    """Nobody learns from it whether something could be decrypted, or what the rules made of it."""
    one = written(kind=kind, sealed=True, category_names={"pt": "Outro", "en": "Other"}, counts={}, tlp=Tlp.AMBER)
    told = {"tlp": Tlp.RED, "tlp_marked": True, "missing": EVERYTHING, "counts": {Kind.URL: 7}}
    other = written(kind=kind, sealed=True, encrypt_to="A" * 40, **told)

    assert one.content == other.content
    assert "encrypted" in text(one)
    assert "TLP" not in text(one)
    assert "Categor" not in text(one)


def test_an_operators_own_words_cannot_tell_what_an_encrypted_report_says() -> None:
    """A template that was written before there was encryption, and asks for everything, gets nothing."""
    asks = "Subject: Hello\n\n{{ number }} {{ category }} {{ tlp }}\n{{ contact }}"
    wording = Wording({"en/incident.txt.j2": asks})

    assert "- TLP:AMBER" in text(written(sealed=True, tlp=Tlp.RED, wording=wording))
    assert "Fraud TLP:RED" in text(written(tlp=Tlp.RED, wording=wording))


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        (True, {"tlp": Tlp.RED, "tlp_marked": True}),
        (True, {"tlp": Tlp.AMBER_STRICT, "tlp_marked": True, "kind": TicketKind.ENQUIRY}),
        (False, {"tlp": Tlp.AMBER, "tlp_marked": True}),
        (False, {"tlp": Tlp.RED, "tlp_marked": False}),
        (False, {"tlp": Tlp.RED, "tlp_marked": True, "team": TEAM.model_copy(update={"openpgp_fingerprint": ""})}),
    ],
)
def test_who_sends_something_strict_in_clear_is_told_how_to_encrypt_it(
    expected: bool, changes: dict[str, object]
) -> None:
    """Only where the sender marked it so, and where the team has a key."""
    assert expected == ("it reached us unencrypted" in " ".join(text(written(**changes)).split()))
