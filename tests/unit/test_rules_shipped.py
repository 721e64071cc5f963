"""The rules that come with the program hold their own tests and what is promised of them."""

import pytest
from rulesets import SHIPPED, decide, shipped

from abuse_triage.model.decision import Priority, TicketKind
from abuse_triage.rules.facts import FactValue
from abuse_triage.rules.load import TAXONOMY_FILE
from abuse_triage.rules.testing import failures

RULES = shipped()


def test_their_own_tests_pass() -> None:
    """Every example inside the shipped rules is met."""
    assert [] == failures(RULES)


def test_no_test_is_left_to_do() -> None:
    """Shipped rules have no known failures."""
    assert [] == [rule.id for rule in RULES.rules for example in rule.tests if example.todo]


def test_every_type_can_be_found() -> None:
    """There is a rule for every type of the taxonomy, but for the one that means undecided."""
    found = {rule.then.type for rule in RULES.classify}

    assert {RULES.taxonomy.undetermined} == set(RULES.taxonomy.category_of_type) - found


def test_every_list_is_used() -> None:
    """A word list that no rule looks at is a mistake."""
    texts = "".join(path.read_text("utf-8") for path in SHIPPED.glob("*.yaml") if path.name != TAXONOMY_FILE)

    assert [] == [
        name for name in RULES.lists if f"words_in: {name}}}" not in texts and f"in_list: {name}}}" not in texts
    ]


REPORTS = [
    ("Denúncia", "Encontrámos um site falso que imita o nosso banco e pede credenciais.", "fraud:phishing"),
    ("Urgent takedown", "A spear-phishing page targets our customers at the URL below.", "fraud:phishing"),
    ("Uso indevido da nossa marca", "O domínio vende produtos contrafeitos em nosso nome.", "fraud:masquerade"),
    ("Notice", "The film is offered without a licence: copyright infringement.", "fraud:copyright"),
    ("Queixa", "Recebo publicidade não solicitada deste remetente, sempre o mesmo.", "abusive-content:spam"),
    ("Complaint", "Your customer keeps sending unsolicited e-mail to our staff.", "abusive-content:spam"),
    ("Pedido de ajuda", "Um anónimo publica insultos e ameaças.", "abusive-content:harmful-speech"),
    ("Malicious URL", "The link serves malware; the payload URL is in the log.", "malicious-code:malware-distribution"),
    ("Aviso", "O endereço é um servidor de comando e controlo.", "malicious-code:c2-server"),
    ("Notificação", "Equipamentos infetados na vossa rede contactaram um sinkhole.", "malicious-code:infected-system"),
    ("Logs", "We saw a horizontal scan: port scanning of TCP 23 and 2323.", "information-gathering:scanner"),
    ("Registos", "Foi detetado um varrimento de portas à nossa rede.", "information-gathering:scanner"),
    ("Abuse", "Multiple failed logins by SSH, an obvious brute force attack.", "intrusion-attempts:brute-force"),
    ("Ataque", "Tentativas de autenticação no nosso RDP, milhares por hora.", "intrusion-attempts:brute-force"),
    ("WAF", "The client attempted SQL injection on our shop.", "intrusion-attempts:ids-alert"),
    ("Intrusion", "Our server was compromised; a rootkit was left.", "intrusions:system-compromise"),
    ("Câmara municipal", "A página inicial do site foi desfigurada esta noite.", "intrusions:application-compromise"),
    ("Mailbox", "The account of our colleague was hacked.", "intrusions:unprivileged-account-compromise"),
    ("Ataque em curso", "Estamos a sofrer um ataque DDoS com tráfego de reflexão.", "availability:ddos"),
    ("Help", "A single host causes a denial of service on our API.", "availability:dos"),
    ("DNS", "A delegação errada deixa o domínio sem resposta.", "availability:misconfiguration"),
    ("Aviso RGPD", "Houve uma fuga de dados: base de dados à venda num fórum.",
     "information-content-security:data-leak"),
    ("Hospital", "Consulta indevida: um funcionário acedeu sem autorização a processos clínicos.",
     "information-content-security:unauthorised-information-access"),
    ("Help", "All files were encrypted, there is a ransom note.",
     "information-content-security:unauthorised-information-modification"),
    ("Notice", "Your host is an open DNS resolver and can be abused.", "vulnerable:ddos-amplifier"),
    ("Security", "I found a vulnerability in your portal; proof of concept attached.", "vulnerable:vulnerable-system"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "kind"), REPORTS)
def test_plain_reports(subject: str, text: str, kind: str) -> None:
    """What people write in Portuguese and English is filed where a handler would file it."""
    verdict = decide(RULES, {"subject": subject, "body.new": text})

    assert (kind, RULES.taxonomy.category_of_type[kind]) == (verdict.type, verdict.category), verdict.reason


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Olá", "Bom dia, podem ligar-me?"),
        ("Invoice 4711", "Please find the invoice attached."),
        ("", ""),
        ("Report", "X-Spam-Status: No, score=-1.2\nX-Spam-Flag: NO"),
        ("Visit us", "https://ddos.example.org/malware and phishing@example.org"),
    ],
)
def test_nothing_recognised_is_said(subject: str, text: str) -> None:
    """Other with a reason is an honest answer, and a person looks."""
    verdict = decide(RULES, {"subject": subject, "body.new": text})

    assert ("other", "other:undetermined", True) == (verdict.category, verdict.type, verdict.review)
    assert verdict.reason.startswith("undetermined: ")


@pytest.mark.parametrize(
    ("facts", "priority"),
    [
        ({"subject": "Spam", "body.new": "e uma ameaça de morte"}, Priority.P1),
        ({"subject": "DDoS", "scope.any": True, "scope.name_server": True}, Priority.P1),
        ({"subject": "Phishing", "scope.any": True, "scope.registry": True}, Priority.P2),
        ({"subject": "Malware", "scope.any": True, "scope.registry": True}, Priority.P2),
        ({"subject": "Phishing"}, Priority.P3),
        ({"subject": "Phishing", "indicators.url.count": 1}, Priority.P4),
        ({"subject": "Port scan", "scope.any": True, "scope.registry": True}, Priority.P4),
        ({"subject": "Spam", "scope.any": True, "scope.registry": True}, Priority.P4),
        ({"subject": "Validate your abuse contact"}, Priority.P2),
        ({"subject": "Hello"}, Priority.P3),
    ],
)
def test_priorities(facts: dict[str, FactValue], priority: Priority) -> None:
    """The order of concern: lives, the registry itself, harm below its domains, the rest."""
    assert priority is decide(RULES, facts).priority


@pytest.mark.parametrize("kind", ["bounce", "auto-reply"])
def test_automatic_mail_is_parked_unless_it_answers_ours(kind: str) -> None:
    """Bounces and automatic replies open no ticket; those to our own mail go to theirs."""
    assert decide(RULES, {"automatic": kind}).parked
    assert not decide(RULES, {"automatic": kind, "thread.ours": True}).parked
    assert not decide(RULES, {"automatic": kind, "report.format": "arf"}).parked


@pytest.mark.parametrize("kind", ["", "list", "robot", "loop"])
def test_other_mail_is_not_parked(kind: str) -> None:
    """What robots and lists send may be a report."""
    assert not decide(RULES, {"automatic": kind, "subject": "SSH brute force"}).parked


def test_enquiries() -> None:
    """A question that mentions an incident stays a question; a report of one is filed as such."""
    question = decide(
        RULES,
        {"mailbox.kind": "enquiry", "subject": "Formação", "body.new": "Querem falar de phishing?"},
        kind=TicketKind.ENQUIRY,
    )
    report = decide(
        RULES,
        {"mailbox.kind": "enquiry", "subject": "Phishing em example.pt", "body.new": "Site falso."},
        kind=TicketKind.ENQUIRY,
    )

    assert ("other", TicketKind.ENQUIRY, False) == (question.category, question.kind, question.review)
    assert ("fraud", TicketKind.ENQUIRY) == (report.category, report.kind)
