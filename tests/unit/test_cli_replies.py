"""`reply preview`."""

import json
from pathlib import Path

import pytest
from csirt import PHISHING, Csirt, install, worked

from abuse_triage import config
from abuse_triage.model.ticket import MailKind, Outgoing
from abuse_triage.replies.folded import folded
from abuse_triage.service.templates import wording_of

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"]


@pytest.fixture
def csirt(tmp_path: Path) -> Csirt:
    """An installation without tickets."""
    return install(tmp_path)


def own_template(csirt: Csirt, name: str, text: str) -> None:
    """Give an installation a template of its own."""
    file = csirt.folder / "templates" / name
    file.parent.mkdir(parents=True)
    file.write_text(text, "utf-8")
    csirt.path.write_text(csirt.path.read_text("utf-8").replace('templates = ""', 'templates = "templates"'), "utf-8")


def test_a_whole_mail_is_shown(csirt: Csirt) -> None:
    """Headers as they are read, an empty line, and the text; the made-up report lacks everything."""
    lines = csirt.lines("reply", "preview")
    head, text = lines[: lines.index("")], "\n".join(lines[lines.index("") :])
    assert HEADERS == [line.split(":")[0] for line in head][:8]
    assert "To: reporter@example.org" in head
    (subject,) = (line for line in head if line.startswith("Subject:"))
    assert "Auto: Notificação recebida / Report received" in subject
    assert "Categoria:    Fraude (" in text
    assert "o endereço completo (URL) da página" in text
    assert "linhas de registo" not in text
    assert text.index("Recebemos") < text.index("We received")


def test_language_category_and_number_can_be_chosen(csirt: Csirt) -> None:
    """A class or a type of the taxonomy, English first, and another team's number."""
    lines = csirt.lines(
        *("reply", "preview", "--language", "en", "--category", "availability:ddos", "--their-number", "CERT #7")
    )
    text = "\n".join(lines)
    assert "Auto: Report received / Notificação recebida [CERT #7]" in text
    assert "Category:     Availability (" in text
    assert "- the log lines that show it" in text
    assert "Category:     Fraud" in "\n".join(csirt.lines("reply", "preview", "--category", "fraud"))


def test_enquiries_and_folded_mail_can_be_seen(csirt: Csirt) -> None:
    """Each template of a mail has its preview."""
    enquiry = "\n".join(csirt.lines("reply", "preview", "--template", "enquiry"))
    assert "From: Example CSIRT <csirt@example.pt>" in enquiry
    assert "abuse@example.pt" in enquiry
    folded_lines = csirt.lines("reply", "preview", "--template", "folded")
    assert 3 == len([line for line in folded_lines if line.startswith("- EXAMPLE-CSIRT#")])


def test_a_category_that_does_not_exist_is_wrong_usage(csirt: Csirt) -> None:
    """The complaint says which there are."""
    assert (
        "'nix' is no category; there are malicious-code, "
        in csirt.run("reply", "preview", "--category", "nix", code=2).stderr
    )


def test_json_has_headers_and_text(csirt: Csirt) -> None:
    """Programs get both apart."""
    shown = csirt.json("reply", "preview")
    assert HEADERS == [name for name, _ in shown["headers"]][:8]
    assert shown["text"].startswith("Recebemos")


def test_own_wording_is_seen_before_anybody_gets_it(csirt: Csirt) -> None:
    """The preview shows the operator's template, and nothing in it that a terminal obeys."""
    own_template(csirt, "pt/incident.txt.j2", "Subject: Cá está\n\nRef. {{ number }} \x1b[31m\n\n{{ contact }}")
    text = "\n".join(csirt.lines("reply", "preview"))
    assert "Auto: Cá está / Report received" in text
    assert "Ref. EXAMPLE-CSIRT#" in text
    assert "\x1b" not in text


def test_own_wording_reaches_the_reporter(csirt: Csirt) -> None:
    """From the file of the operator to the mail in the outbox, and back with the preview of the ticket."""
    own_template(csirt, "en/incident.txt.j2", "Subject: Thanks\n\nThank you: {{ number }}.\n\n{{ contact }}")
    csirt.take(PHISHING)
    csirt.work()
    store = csirt.store()
    (sent,) = store.due(store.mails((), 1)[0].created_at, 10)
    store.close()
    assert b"Thank you: EXAMPLE-CSIRT#" in sent.content
    shown = csirt.run("reply", "preview", "--ticket", "1")
    assert "Thank you: EXAMPLE-CSIRT#" in shown.stdout
    assert f"Message-ID: <{sent.mail.message_id}>" in shown.stdout
    assert f"mail {sent.mail.id} to anna@example.org: queued" in shown.stderr


def test_the_answer_of_a_ticket_is_shown_as_it_was_sent(tmp_path: Path) -> None:
    """What is in the outbox counts, whatever the templates say now."""
    csirt = worked(tmp_path)
    before = csirt.lines("reply", "preview", "--ticket", "1")
    own_template(csirt, "en/incident.txt.j2", "Subject: Thanks\n\nThank you: {{ number }}.\n\n{{ contact }}")
    assert before == csirt.lines("reply", "preview", "--ticket", "1")
    assert "Thank you" in "\n".join(csirt.lines("reply", "preview", "--language", "en"))


def test_a_ticket_without_answer_says_why_and_what_it_would_be(tmp_path: Path) -> None:
    """The reason stands on standard error, the mail is written from what the ticket holds."""
    csirt = worked(tmp_path)
    shown = csirt.run("reply", "preview", "--ticket", "2")
    assert "not acknowledged: Auto-Submitted is not no" in shown.stderr
    assert "#2026-000002" in shown.stdout or "-000002]" in shown.stdout
    assert "To: robot@example.org" in shown.stdout
    assert "We received your message." in shown.stdout


def test_the_answer_of_a_ticket_in_another_language(tmp_path: Path) -> None:
    """What was sent is one thing, what it would be in a language that is asked for another, and it is said which."""
    csirt = worked(tmp_path)
    for number in ("1", "2"):  # answered, and not
        for language, first in (("pt", "Recebemos"), ("en", "We received")):
            shown = csirt.run("reply", "preview", "--ticket", number, "--language", language)
            assert f"\n\n{first}" in shown.stdout
            assert ("written now" if number == "1" else "not acknowledged") in shown.stderr
            assert f"-00000{number}]" in shown.stdout


@pytest.mark.parametrize("option", [("--template", "folded"), ("--category", "fraud"), ("--their-number", "7")])
def test_what_a_ticket_says_itself_is_not_asked_for(csirt: Csirt, option: tuple[str, str]) -> None:
    """An option that would be ignored is wrong usage."""
    assert "are those of the ticket" in csirt.run("reply", "preview", "--ticket", "1", *option, code=2).stderr


def test_an_unreadable_report_has_a_preview_too(csirt: Csirt) -> None:
    """Nothing is known of it but that it came, and who sent it may be nobody."""
    csirt.take(b"Subject: odd\r\n\r\n", "--sender", "", "--recipient", "abuse@example.pt")
    csirt.fail()
    shown = csirt.run("reply", "preview", "--ticket", "1")
    assert "not acknowledged: it could not be read" in shown.stderr
    assert "To: reporter@example.org" in shown.stdout


def test_a_reporter_whose_address_has_utf8_is_answered(csirt: Csirt) -> None:
    """The mail is addressed as RFC 6532 says, and can be read as any other."""
    csirt.take(PHISHING, "--sender", "joão@example.org")
    csirt.work()
    shown = csirt.run("reply", "preview", "--ticket", "1")
    assert "To: joão@example.org" in shown.stdout
    assert "to joão@example.org: queued" in shown.stderr


def test_a_folded_answer_is_shown_as_the_reporter_got_it(tmp_path: Path) -> None:
    """Where one mail told several numbers, it is that mail."""
    csirt = worked(tmp_path)
    settings, store = config.load(csirt.path), csirt.store()
    held = next(mail for mail in store.mails((), 10) if mail.kind is MailKind.ACKNOWLEDGEMENT)
    together: Outgoing = folded(
        team=settings.team,
        numbers=[held.ticket],
        language="en",
        message_id="fold.a.b@example.pt",
        sender="abuse@example.pt",
        recipient=held.recipient,
        date=held.created_at,
        references=[held.answers],
        proven=False,
        wording=wording_of(settings),
    )
    assert store.fold(together, [held.id], held.created_at)
    store.close()
    assert "this answer is for all of them" in "\n".join(csirt.lines("reply", "preview", "--ticket", "1"))


def test_a_ticket_that_does_not_exist_is_not_found(csirt: Csirt) -> None:
    """Exit code 3, as everywhere."""
    csirt.run("reply", "preview", "--ticket", "99", code=3)


def test_bad_templates_are_told_in_place_of_a_preview(csirt: Csirt) -> None:
    """The same lines as check-config, exit code 78."""
    own_template(csirt, "pt/team.txt.j2", "{{ nobody }}")
    assert "templates/pt/team.txt.j2:1: there is no variable nobody" in csirt.run("reply", "preview", code=78).stderr


def test_check_config_and_serve_tell_every_problem_of_the_templates(csirt: Csirt) -> None:
    """A template that does not say the number is refused before anybody misses it."""
    own_template(csirt, "en/enquiry.txt.j2", "Subject: Thanks\n\nThank you.\n")
    expected = "templates/en/enquiry.txt.j2: does not say the number of the ticket"
    assert [expected] == csirt.run("check-config", code=78).stdout.splitlines()
    assert expected in csirt.run("serve", code=78).stderr


def test_check_config_warns_of_a_template_that_names_nobody(csirt: Csirt) -> None:
    """It may be meant so: a warning with what to write, on standard error, and exit code 0."""
    own_template(csirt, "en/enquiry.txt.j2", "Subject: Thanks\n\n{{ number }}\n")
    result = csirt.run("check-config")
    warning = "warning: en/enquiry.txt.j2 does not say who answers; end it with {{ contact }}, or with a name and how"
    assert f"{warning} to reach you" in result.stderr.splitlines()
    assert f"{csirt.path}: no problems" in result.stderr


def test_check_config_says_which_language_is_not_one_s_own(csirt: Csirt) -> None:
    """An own template in one language is right, and its reader should know what stands beside it."""
    own_template(csirt, "en/enquiry.txt.j2", "Subject: Thanks\n\n{{ number }}\n\n{{ contact }}")
    note = "en/enquiry.txt.j2 is yours, pt/enquiry.txt.j2 is the one that comes with the program"
    result = csirt.run("check-config")
    assert ("", [note, f"{csirt.path}: no problems"]) == (result.stdout, result.stderr.splitlines())
    other = csirt.folder / "templates" / "pt" / "enquiry.txt.j2"
    other.parent.mkdir()
    other.write_text("Subject: Obrigado\n\n{{ number }}\n\n{{ contact }}")
    assert [f"{csirt.path}: no problems"] == csirt.run("check-config").stderr.splitlines()
    assert json.loads(csirt.run("check-config", "--json").stdout) == []
