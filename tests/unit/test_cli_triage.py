"""`triage`: one decision, explained."""

from pathlib import Path

import pytest
from csirt import PHISHING, VACATION, Csirt, install


@pytest.fixture(scope="module")
def csirt(tmp_path_factory: pytest.TempPathFactory) -> Csirt:
    """A fresh installation."""
    return install(tmp_path_factory.mktemp("csirt"))


def explained(csirt: Csirt, raw: bytes, *arguments: str) -> str:
    """Return what `triage` says of a message."""
    return csirt.run("triage", "-", *arguments, stdin=raw).stdout


def test_the_explanation_follows_the_way_of_the_decision(csirt: Csirt) -> None:
    """Message, category and evidence, rules with line and words, TLP, priority, indicators, answer: in this order."""
    expected = [
        "read as   plain",
        "Decided: fraud (fraud:phishing)",
        "evidence  fraud 50",
        "classify: fraud +50 (strong); type fraud:phishing",
        "cls.phishing  (rules/10-test.yaml:5)",
        "why: The word itself.",
        "because text: phishing",
        "TLP:GREEN, priority P3",
        "not marked; TLP:GREEN is the default of abuse@example.pt",
        "no rule speaks of the priority; P3 is the usual one",
        "Indicators: 2 (* is yours)",
        "* url    hxxps://login[.]banco-exemplo[.]pt/entrar  [body]",
        "below .pt",
        "* ipv4   198[.]51[.]100[.]7  [body]",
        "AS64500",
        "Acknowledged to anna@example.org",
    ]
    shown = explained(csirt, PHISHING)
    at = -1

    for text in expected:
        assert text in shown[at + 1 :], text
        at = shown.index(text, at + 1)


def test_a_saved_report_is_not_taken_for_a_bounce(csirt: Csirt) -> None:
    """Without Return-Path, the address in From stands for the envelope sender, and that is said."""
    shown = explained(csirt, PHISHING.partition(b"\n")[2])

    assert "from <anna@example.org> (assumed: the address in From) to abuse@example.pt" in shown
    assert "Acknowledged to anna@example.org" in shown
    assert "(assumed" not in explained(csirt, PHISHING)


@pytest.mark.parametrize(
    "raw",
    [
        b"just a line\nand another\n",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        bytes(range(256)) * 20,
        b"Note: a text\n\nx",
    ],
)
def test_what_is_no_mail_is_warned_of(csirt: Csirt, raw: bytes) -> None:
    """A file without any header of a mail is explained all the same, with a warning apart from the explanation."""
    result = csirt.run("triage", "-", stdin=raw)
    assert ["warning: - has no header of a mail: is it one? It is read all the same."] == result.stderr.splitlines()
    assert "Decided: " in result.stdout


@pytest.mark.parametrize("raw", [PHISHING, VACATION, b"Subject: x\n\n"])
def test_mail_is_not_warned_of(csirt: Csirt, raw: bytes) -> None:
    """One header of a mail is enough."""
    assert "" == csirt.run("triage", "-", stdin=raw).stderr


def test_an_empty_file_cannot_be_used(csirt: Csirt) -> None:
    """There is nothing to explain, which is said, with exit code 65."""
    assert "there is no message in -" in csirt.run("triage", "-", stdin=b"", code=65).stderr


def test_a_parked_message_says_so(tmp_path: Path) -> None:
    """With the shipped rules a bounce opens no ticket."""
    csirt = install(tmp_path)
    csirt.path.write_text(csirt.path.read_text("utf-8").replace('paths = ["rules"]', "paths = []"), "utf-8")

    shown = explained(csirt, VACATION, "--sender", "")

    assert "Parked: no ticket\n  because  parked: " in shown
    assert "gate: park: " in shown


def test_nothing_of_the_message_steers_the_terminal(csirt: Csirt) -> None:
    """Every line of the explanation is printable."""
    assert all(line.isprintable() for line in explained(csirt, PHISHING).splitlines())


def test_nothing_is_stored(csirt: Csirt) -> None:
    """A dry run leaves not even an empty store behind."""
    explained(csirt, PHISHING)

    assert not (csirt.folder / "abuse-triage.sqlite").exists()


def test_a_refused_acknowledgement_says_why(csirt: Csirt) -> None:
    """An automatic message is explained with the reason why nobody answers it."""
    shown = explained(csirt, VACATION, "--sender", "robot@example.org", "--recipient", "csirt@example.pt")

    assert "No acknowledgement\n  Auto-Submitted" in shown
    assert "opens a ticket, enquiry" in shown
    assert "  none\n" in shown


def test_a_marking_is_shown_with_its_place(csirt: Csirt) -> None:
    """An explicit TLP is quoted, and no default is spoken of."""
    shown = explained(csirt, PHISHING.replace(b"Subject: ", b"Subject: [TLP:AMBER] "))

    assert "TLP:AMBER, priority" in shown
    assert "marked TLP:AMBER in the header" in shown
    assert "not marked" not in shown


def test_the_document_has_facts_verdict_and_trace(csirt: Csirt) -> None:
    """--json has everything that the decision stands on."""
    document = csirt.json("triage", "-", stdin=PHISHING)

    assert "fraud" == document["verdict"]["category"]
    assert "cls.phishing" == document["verdict"]["trace"][0]["rule"]
    assert "anna@example.org" == document["facts"]["envelope.from"]
    assert [True, True] == [item["scope"]["ours"] for item in document["indicators"]]
    assert {
        "to": ["anna@example.org"],
        "reason": "to the envelope sender",
        "proven": False,
        "refused": "",
    } == document["acknowledgement"]
    assert ("nobody", "anna@example.org") == (document["origin"]["witness"], document["origin"]["writer"]["email"])


def test_who_wrote_is_explained(tmp_path: Path) -> None:
    """What is proven, by whose word, which contact that is, and why the answer goes where it goes."""
    csirt = install(tmp_path)
    text = csirt.path.read_text("utf-8").replace('authserv_id = ""', 'authserv_id = "mx.example.pt"')
    contact = '\n[[contact]]\nname = "CERT"\ndomains = ["example.org"]\n'
    csirt.path.write_text(text + contact, "utf-8")
    raw = PHISHING.replace(b"Subject: ", b"Subject: [CERT #12345] ")
    proven = b"Authentication-Results: mx.example.pt; dkim=pass header.d=example.org\n" + raw
    forged = b"Authentication-Results: mx.example.pt; spf=fail smtp.mailfrom=example.org\n" + raw

    shown = explained(csirt, proven, "--sender", "bounces+1@mail.example.net")

    for line in (
        "says          our MTA",
        "results       SPF none, DKIM pass, DMARC none",
        "so            From is proven",
        "contact       CERT, team",
        "their number  CERT #12345",
        "Acknowledged to anna@example.org\n  to From, which is proven: the envelope sender only takes bounces",
        "the sender is proven",
    ):
        assert line in shown, line
    assert "From may be forged" in explained(csirt, forged)
    assert "No acknowledgement\n  SPF or DMARC failed" in explained(csirt, forged)
    unproven = explained(csirt, raw)
    assert "says  nobody\n  so    From is not proven" in unproven
    assert "the sender is not proven: the smaller budget holds" in unproven
    document = csirt.json("triage", "-", stdin=proven)
    assert ("CERT", "CERT #12345") == (document["origin"]["contact"], document["origin"]["number"])
    assert (True, False) == (document["origin"]["aligned"], document["origin"]["forged"])


def test_long_values_are_cut(csirt: Csirt) -> None:
    """A subject of a thousand characters does not fill the screen."""
    shown = explained(csirt, b"Subject: " + b"a" * 1000 + b"\n\nText.\n")

    assert "a" * 100 + "…" in shown
    assert "a" * 101 not in shown


def test_a_file_is_explained(csirt: Csirt, tmp_path: Path) -> None:
    """The message may come from a file."""
    (tmp_path / "mail.eml").write_bytes(PHISHING)

    assert "Decided: fraud" in csirt.run("triage", str(tmp_path / "mail.eml")).stdout


def test_nothing_is_no_message(csirt: Csirt) -> None:
    """Empty input ends with exit code 65."""
    assert "there is no message in -" in csirt.run("triage", "-", stdin=b"", code=65).stderr
