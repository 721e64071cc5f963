"""What was encrypted: what is decided on its inside, what on its outside alone, and what of it is kept."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from contract.values import certificate
from daemon import write_config
from hypothesis import given
from hypothesis import strategies as st
from openpgp_shapes import REPORT, attachment, encrypted, mail, multipart, text

from abuse_triage import config, outcomes, pipeline
from abuse_triage.judgement import judge
from abuse_triage.model.decision import TicketKind, Tlp
from abuse_triage.model.message import Arrival, Authentication, Channel, Envelope
from abuse_triage.model.openpgp import Encrypted, Failure, Form, Headers, Protection, Signature, Source
from abuse_triage.model.report import NOT_OPENED, Opened, Reading
from abuse_triage.model.ticket import Outcome, OutcomeKind, RelationKeys, Relations
from abuse_triage.outcomes import Decision, Knowledge
from abuse_triage.service.knowledge import knowledge_of

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
RULES = """
version: 1
ruleset: {id: test, taxonomy: rncsirt-nine}
rules:
  - id: gate.casino
    phase: gate
    why: Advertising.
    when: {text: {re: 'casino', fold: true}}
    then: {park: advertising}
    tests:
      - {name: word, facts: {text: Casino}, expect: {match: true, park: true}}
      - {name: another word, facts: {text: Cinema}, expect: {match: false}}
  - id: cls.phishing
    phase: classify
    why: The word itself.
    when: {text: {re: '(imita|phish)[a-z0-9]{0,20}', fold: true}}
    then: {vote: {fraud: strong}, type: 'fraud:phishing'}
    tests:
      - {name: word, facts: {text: it imita the bank}, expect: {match: true}}
      - {name: another word, facts: {text: nothing}, expect: {match: false}}
  - id: route.silent
    phase: route
    why: They asked for it.
    when: {text: {re: 'silent', fold: true}}
    then: {reply: none, kind: enquiry}
    tests:
      - {name: word, facts: {text: Silent}, expect: {match: true, acknowledge: false}}
      - {name: another word, facts: {text: Loud}, expect: {match: false}}
"""
PLAIN = REPORT.partition("\n\n")[2]


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """Three rules, two mailboxes, and the taxonomy."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules").mkdir()
    (folder / "rules" / "10.yaml").write_text(RULES)
    shipped = Path(__file__).resolve().parents[2] / "rules" / "taxonomy.yaml"
    (folder / "rules" / "taxonomy.yaml").write_text(shipped.read_text("utf-8"), "utf-8")
    return knowledge_of(config.load(write_config(folder, extra='[rules]\npaths = ["rules"]\n')))


def head(subject: str = "...", *fields: str, sender: str = "Ana Silva <ana@example.pt>") -> str:
    """Write the fields outside."""
    lines = (f"From: {sender}", "To: abuse@example.pt", f"Subject: {subject}", "Message-ID: <1@example.pt>", *fields)
    return "\n".join((*lines, "Date: Sat, 21 Nov 2026 09:00:00 +0000", "MIME-Version: 1.0", ""))


class Case:
    """An encrypted message: what stands outside, and what stood inside."""

    def __init__(
        self,
        inside: str = REPORT,
        outside: str = "",
        *,
        sender: str = "ana@example.pt",
        to: str = "abuse@example.pt",
        **protection: Any,
    ) -> None:
        self.raw = mail(encrypted(), head=outside or head())
        self.arrival = Arrival(
            id="01" * 13,
            received_at=NOW,
            envelope=Envelope(sender=sender, recipients=(to,), channel=Channel.SMTP),
            raw=self.raw,
        )
        self.inside = inside
        self.protection = Protection(**{"form": Form.MIME_ENCRYPTED, "encrypted": Encrypted.YES, **protection})

    def read(self, knowledge: Knowledge) -> tuple[Reading, Opened]:
        """Read it twice, as the decider has it done; what could not be opened only once."""
        limits = knowledge.settings.limits
        again = None
        if self.protection.encrypted is Encrypted.YES:
            again = pipeline.read_opened(self.raw, [mail(self.inside, head="")], limits)
        return pipeline.read(self.raw, limits), Opened(protection=self.protection, reading=again)

    def judged(self, knowledge: Knowledge, **more: Any) -> Decision:
        """Decide about it."""
        reading, opened = self.read(knowledge)
        keys = pipeline.keys(reading, self.arrival, knowledge)
        return judge(reading, self.arrival, keys, knowledge, opened=opened, **more)

    def decided(self, knowledge: Knowledge, *, relations: Relations | None = None, **opened_changes: Any) -> Outcome:
        """Send it the whole way."""
        reading, opened = self.read(knowledge)
        keys: RelationKeys = pipeline.keys(reading, self.arrival, knowledge)
        return pipeline.decide(
            reading,
            self.arrival,
            keys,
            relations or Relations(),
            knowledge,
            lease="lease",
            previous=None,
            now=NOW + timedelta(seconds=1),
            opened=replace(opened, **opened_changes),
        )


FAILED = {"encrypted": Encrypted.FAILED, "reason": Failure.NO_SECRET_KEY}


def test_rules_see_what_was_inside(knowledge: Knowledge) -> None:
    """Category, facts and scopes come from the plaintext; without it they come from what stands outside."""
    found = Case().judged(knowledge)
    assert ("fraud", "fraud:phishing") == (found.verdict.category, found.verdict.type)
    assert ("assinado.example.net",) == found.facts["indicators.domain"] or found.facts["indicators.url"]
    assert len(found.inside.indicators) == len(found.scopes) > 0
    failed = Case(**FAILED).judged(knowledge)
    assert "other" == failed.verdict.category
    assert (0, ()) == (failed.facts["indicators.count"], failed.scopes)


@pytest.mark.parametrize("protection", [{}, FAILED])
def test_what_stands_outside_parks_whether_it_could_be_opened_or_not(
    knowledge: Knowledge, protection: dict[str, Any]
) -> None:
    """The gate speaks about the outside."""
    found = Case(outside=head("Casino bonus"), **protection).judged(knowledge)
    assert ("advertising", False) == (found.verdict.parked, found.verdict.acknowledge)


def test_what_stands_inside_does_not_park(knowledge: Knowledge) -> None:
    """Silence would tell whoever sends a foreign ciphertext that it was opened; the trace says that the rule spoke."""
    found = Case(REPORT + "casino\n").judged(knowledge)
    assert ("", True, "fraud") == (found.verdict.parked, found.verdict.acknowledge, found.verdict.category)
    assert "gate.casino" in {entry.rule for entry in found.verdict.trace}


@pytest.mark.parametrize("promoted", [False, True])
@pytest.mark.parametrize(
    ("expected", "outside", "inside"),
    [(True, "...", "silent"), (False, "silent", "loud"), (False, "silent", "silent"), (True, "...", "loud")],
)
def test_rules_forbid_the_answer_by_the_outside_only(
    knowledge: Knowledge, expected: bool, outside: str, inside: str, promoted: bool
) -> None:
    """Whatever the text inside asks for, promoted by a person or not."""
    found = Case(f"{REPORT}{inside}\n", head(outside)).judged(knowledge, promoted=promoted)
    assert expected is found.verdict.acknowledge
    failed = Case(outside=head(outside), **FAILED).judged(knowledge, promoted=promoted)
    assert expected is failed.verdict.acknowledge


@pytest.mark.parametrize("protection", [{}, FAILED])
@pytest.mark.parametrize("promoted", [False, True])
def test_what_goes_round_in_circles_is_parked_by_its_outside(
    knowledge: Knowledge, *, promoted: bool, protection: dict[str, Any]
) -> None:
    """Whatever is inside; a person may take it for a report all the same."""
    looping = head("...", *[f"Received: from a by b{number}.example.net" for number in range(60)])
    found = Case(outside=looping, **protection).judged(knowledge, promoted=promoted)
    assert found.refusal is not None
    assert (found.refusal.parks, not promoted) == (True, found.verdict.parked == found.refusal.reason)


def test_a_person_overrules_the_gate(knowledge: Knowledge) -> None:
    """A promoted message is not parked, and says who wanted it."""
    found = Case(outside=head("casino")).judged(knowledge, promoted=True)
    assert "" == found.verdict.parked
    assert found.verdict.reason.endswith("a person took it for a report")


WORDS = st.lists(
    st.sampled_from(["casino", "silent", "imita", "TLP:RED", "TLP:CLEAR", "http://a.example.net/", "out of office"])
)


@given(WORDS, st.booleans(), st.sampled_from(["...", "silent", "casino", "[TEST#2026-000001]"]), st.booleans())
def test_nothing_that_a_stranger_can_see_depends_on_the_inside(
    knowledge: Knowledge, words: list[str], signed: bool, subject: str, automatic: bool
) -> None:
    """Whether, to whom, and with what words it is answered are the same as for a message that could not be opened."""
    outside = head(subject, *(["Auto-Submitted: auto-replied"] if automatic else []))
    inside = text("\n".join([*words, ""]))
    proof = {"signature": Signature.GOOD, "source": Source.PINNED, "from_match": True, "fresh": True} if signed else {}
    opened = Case(inside, outside, **proof)
    failed = Case(outside=outside, **FAILED)
    ours, theirs = (one.judged(knowledge) for one in (opened, failed))
    assert signed is ours.protection.verified
    assert (theirs.refusal, theirs.origin, theirs.addressee) == (ours.refusal, ours.origin, ours.addressee)
    assert (theirs.verdict.parked, theirs.verdict.acknowledge) == (ours.verdict.parked, ours.verdict.acknowledge)
    ours_told, theirs_told = (one.decided(knowledge) for one in (opened, failed))
    assert (theirs_told.kind, theirs_told.refused) == (ours_told.kind, ours_told.refused)
    assert theirs_told.outgoing == ours_told.outgoing
    assert (theirs_told.keys, theirs_told.participants) == (ours_told.keys, ours_told.participants)


@pytest.mark.parametrize(
    ("expected", "marked", "inside", "protection"),
    [
        (Tlp.AMBER, False, REPORT, {}),
        (Tlp.AMBER, False, REPORT, FAILED),
        (Tlp.CLEAR, True, f"{REPORT}\nTLP:CLEAR\n", {}),
        (Tlp.RED, True, f"{REPORT}\nTLP:RED\n", {}),
        (Tlp.GREEN, False, REPORT, {"encrypted": Encrypted.NO, "form": None}),
    ],
)
def test_what_was_encrypted_is_amber_unless_its_sender_says_otherwise(
    knowledge: Knowledge, expected: Tlp, marked: bool, inside: str, protection: dict[str, Any]
) -> None:
    """The label of the mailbox, which is lower here, counts for what came in clear only."""
    mailbox = tuple(one.model_copy(update={"default_tlp": Tlp.GREEN}) for one in knowledge.settings.mailbox)
    green = replace(knowledge, settings=knowledge.settings.model_copy(update={"mailbox": mailbox}))
    found = Case(inside, **protection).judged(green)
    assert (expected, marked) == (found.verdict.tlp, found.verdict.tlp_marked)


def test_a_stricter_mailbox_stays_stricter(knowledge: Knowledge) -> None:
    """AMBER is the least, not the most."""
    mailbox = tuple(one.model_copy(update={"default_tlp": Tlp.RED}) for one in knowledge.settings.mailbox)
    red = replace(knowledge, settings=knowledge.settings.model_copy(update={"mailbox": mailbox}))
    assert Tlp.RED is Case().judged(red).verdict.tlp


def test_a_person_looks_at_what_could_not_be_opened(knowledge: Knowledge) -> None:
    """Review is asked for, whatever the rules found outside."""
    assert Case(outside=head("phishing"), **FAILED).judged(knowledge).verdict.review
    assert not Case(outside=head("phishing")).judged(knowledge).verdict.review


PROVEN = {"signature": Signature.GOOD, "source": Source.PINNED, "from_match": True, "fresh": True}


@pytest.mark.parametrize(
    ("expected", "protection"),
    [
        (True, {"form": Form.MIME_SIGNED, "encrypted": Encrypted.NO, **PROVEN}),
        (False, {"form": Form.MIME_SIGNED, "encrypted": Encrypted.NO, **PROVEN, "replayed": True}),
        (False, {"form": Form.MIME_ENCRYPTED, "encrypted": Encrypted.YES, **PROVEN}),
        (False, {"form": None, "encrypted": Encrypted.NO}),
    ],
)
def test_a_verified_signature_of_a_clear_message_proves_the_addressee(
    knowledge: Knowledge, expected: bool, protection: dict[str, Any]
) -> None:
    """That of an encrypted one is inside, and does not count for the answer."""
    found = Case(**protection).judged(knowledge)
    assert ("ana@example.pt", expected) == (found.addressee.address, found.addressee.proven)


def test_a_signature_proves_nobody_elses_address(knowledge: Knowledge) -> None:
    """Where the return path is of another organisation than From, the signature says nothing about it."""
    signed = Case(sender="eva@example.org", form=Form.MIME_SIGNED, encrypted=Encrypted.NO, **PROVEN)
    assert not signed.judged(knowledge).addressee.proven


def test_what_is_forged_is_not_answered(knowledge: Knowledge) -> None:
    """Our own check counts for encrypted messages as for all others."""
    forged = Authentication(spf="fail", dkim="none", dmarc="fail")
    found = Case().judged(knowledge, checked=forged)
    assert "" == found.addressee.address


# What is kept

DIGITS = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=12).map(lambda word: f"zq{word}")


@given(st.lists(DIGITS, min_size=6, max_size=6, unique=True))
def test_no_word_of_the_inside_is_kept(knowledge: Knowledge, words: list[str]) -> None:
    """Neither subject, text, markings, names of files nor what made a rule speak; what has a type is."""
    subject, said, near, name, header, comment = words
    part = text(f"{said} imita{near} TLP:AMBER em http://assinado.example.net/ e 192.0.2.7\n")
    inside = multipart("mixed", part, attachment(b"x", f"TLP-RED {name}.pdf", f"application/{name}"), boundary=comment)
    inside = inside.replace("\n\n", f"\nX-Inside: {header}\nSubject: {subject}\n\n", 1)
    inside = inside.replace(f'boundary="{comment}"', f'boundary="{comment}"; hp="cipher"', 1)
    case = Case(inside)
    judged = case.judged(knowledge)
    assert all(word in repr(judged.inside) for word in (said, near, name))
    assert any(near in text for entry in judged.verdict.trace for _, text in entry.because)

    outcome = case.decided(knowledge)

    kept = repr(asdict(outcome)) + outcome.facts
    assert [] == [word for word in words if word in kept]
    facts = json.loads(outcome.facts)
    assert {"192.0.2.7"} == set(facts["facts"]["indicators.ipv4"])
    assert ["http://assinado.example.net/"] == facts["facts"]["indicators.url"]
    assert {"192.0.2.7", "http://assinado.example.net/"} <= {one.value for one in outcome.indicators}
    assert ("yes", False, "plain", 1) == tuple(
        facts["facts"][key] for key in ("openpgp.encrypted", "openpgp.verified", "report.format", "attachments.count")
    )
    assert {("TLP:AMBER", ""), ("TLP:RED", "")} == {(label, seen) for label, seen, _ in facts["markings"]}
    assert [["", "", 0, ""]] == facts["attachments"]
    assert {""} == {seen for entry in outcome.verdict.trace for _, seen in entry.because}
    assert "cls.phishing" in {entry.rule for entry in outcome.verdict.trace}


def test_of_what_came_in_clear_all_is_kept_but_the_texts(knowledge: Knowledge) -> None:
    """Names of files, spelling of markings and the words that made rules speak stand there for a handler."""
    inside = multipart("mixed", text("imita TLP:AMBER\n"), attachment(b"x", "lista.txt"))
    raw = mail(inside, head=head("Relatório TLP:AMBER"))
    case = Case(encrypted=Encrypted.NO, form=None)
    reading = pipeline.read(raw, knowledge.settings.limits)
    keys = pipeline.keys(reading, case.arrival, knowledge)
    decide = (reading, replace(case.arrival, raw=raw), keys, Relations(), knowledge)
    outcome = pipeline.decide(*decide, lease="lease", previous=None, now=NOW)

    facts = json.loads(outcome.facts)
    assert "lista.txt" == facts["attachments"][0][0]
    assert "Relatório TLP:AMBER" == facts["facts"]["subject"]
    assert not any(name.startswith("body.") for name in facts["facts"])
    assert {"AMBER"} == {seen.removeprefix("TLP:") for _, seen, _ in facts["markings"]}
    assert [(("text", "imita"),)] == [entry.because for entry in outcome.verdict.trace]
    assert "openpgp" not in facts


def test_what_openpgp_proves_is_kept(knowledge: Knowledge) -> None:
    """Each value by its name, and the words for a person."""
    signed_at = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    proof = {**PROVEN, "signer": "A" * 40, "signed_at": signed_at, "headers": Headers.MATCH}
    facts = json.loads(Case(**proof).decided(knowledge).facts)
    assert {
        "words": "encrypted, signed and verified",
        "form": "pgp-mime-encrypted",
        "encrypted": "yes",
        "reason": "",
        "signature": "good",
        "signer": "A" * 40,
        "source": "pinned",
        "signed_at": "2026-11-21T08:00:00+00:00",
        "from_match": True,
        "headers": "match",
        "fresh": True,
        "replayed": False,
        "verified": True,
    } == facts["openpgp"]
    failed = json.loads(Case(**FAILED).decided(knowledge).facts)["openpgp"]
    assert ("failed", "no secret key", None) == (failed["encrypted"], failed["reason"], failed["signed_at"])


# What an outcome says


@pytest.mark.parametrize(
    ("expected", "protection"),
    [
        ("Ver hxxp://a[.]example[.]net", {}),
        ("[could not be decrypted: no secret key] Ver hxxp://a[.]example[.]net", FAILED),
        ("Ver hxxp://a[.]example[.]net", {"encrypted": Encrypted.NO, "form": None}),
    ],
)
def test_the_summary_is_the_subject_outside_and_what_keeps_it_from_being_read(
    knowledge: Knowledge, expected: str, protection: dict[str, Any]
) -> None:
    """Defanged, and at most 200 characters."""
    found = Case(outside=head("Ver http://a.example.net"), **protection).decided(knowledge)
    assert found.opens is not None
    assert expected == found.opens.summary == json.loads(found.facts)["summary"]
    long = Case(outside=head("palavra " * 50), **protection).decided(knowledge)
    assert long.opens is not None
    assert 200 == len(long.opens.summary)


@pytest.mark.parametrize(
    ("expected", "protection"),
    [
        (("", False), {}),
        (("5", True), {"signature_id": "5"}),
        (("5", False), {"signature_id": "5", "replayed": True}),
    ],
)
def test_a_signature_is_remembered_and_said_to_be_new_only_where_it_is(
    knowledge: Knowledge, expected: tuple[str, bool], protection: dict[str, Any]
) -> None:
    """The store turns an outcome stale whose signature has come meanwhile, but not one that knows of it."""
    found = Case(**protection).decided(knowledge)
    assert expected == (found.signature_id, found.unseen)


def test_keys_that_came_along_are_offered(knowledge: Knowledge) -> None:
    """The outcome hands them to the store."""
    offered = (certificate(1, "ana@example.pt"),)
    assert offered == Case().decided(knowledge, offered=offered).offered
    assert () == Case().decided(knowledge).offered


def test_the_answer_is_encrypted_to_a_key_of_its_addressee_and_leaves_later(knowledge: Knowledge) -> None:
    """Only where the report was encrypted, and to whom it goes; the delay hides how long opening took."""
    keys = {"ana@example.pt": "A" * 40, "outra@example.pt": "B" * 40}
    (mail_,) = Case(sender="Ana@example.pt").decided(knowledge, reply_keys=keys).outgoing
    assert ("A" * 40, NOW + knowledge.settings.openpgp.answer_delay) == (mail_.encrypt_to, mail_.not_before)
    (mail_,) = Case(sender="rui@example.pt").decided(knowledge, reply_keys=keys).outgoing
    assert ("", NOW + knowledge.settings.openpgp.answer_delay) == (mail_.encrypt_to, mail_.not_before)
    clear = Case(encrypted=Encrypted.NO, form=Form.MIME_SIGNED)
    (mail_,) = clear.decided(knowledge, reply_keys=keys).outgoing
    assert ("", None) == (mail_.encrypt_to, mail_.not_before)


@pytest.mark.parametrize(("expected", "took"), [(1, 0), (1, 59), (1, 60), (2, 61), (2, 120), (60, 3599)])
def test_a_late_answer_does_not_tell_how_long_opening_took(expected: int, took: int) -> None:
    """It leaves whole delays after the report came."""
    minute = timedelta(minutes=1)
    assert expected * minute == outcomes._answered_at(NOW, minute, NOW + timedelta(seconds=took)) - NOW


def test_the_words_of_the_answer_are_those_of_the_mailbox(knowledge: Knowledge) -> None:
    """A rule that saw the inside may make an enquiry of a report; the answer does not tell."""
    asked, told = (Case(REPORT + word).decided(knowledge) for word in ("silent\n", "loud\n"))
    assert asked.opens is not None
    assert told.opens is not None
    assert (TicketKind.ENQUIRY, TicketKind.INCIDENT) == (asked.opens.kind, told.opens.kind)
    assert told.outgoing == asked.outgoing
    (to_csirt,) = Case(to="csirt@example.pt").decided(knowledge).outgoing
    assert told.outgoing[0].content != to_csirt.content


def test_the_ticket_and_its_journal_say_what_openpgp_proves(knowledge: Knowledge) -> None:
    """In words; a message without OpenPGP has no such line."""
    found = Case().decided(knowledge)
    assert found.opens is not None
    assert "encrypted, not signed" == found.opens.protection
    assert [("OpenPGP", "encrypted, not signed")] == [
        (entry.action, entry.detail) for entry in found.journal if entry.action == "OpenPGP"
    ]
    clear = Case(encrypted=Encrypted.NO, form=None).decided(knowledge)
    assert "OpenPGP" not in {entry.action for entry in clear.journal}


def test_what_is_parked_by_its_outside_opens_nothing_and_keeps_no_words(knowledge: Knowledge) -> None:
    """Even a parked message is stored without what it says."""
    found = Case(f"{REPORT}palavrasecreta\n", head("casino")).decided(knowledge)
    assert (OutcomeKind.PARKED, (), "parked: advertising") == (found.kind, found.outgoing, found.refused)
    assert "palavrasecreta" not in repr(asdict(found))


def test_nothing_changes_for_a_message_without_openpgp(knowledge: Knowledge) -> None:
    """The default says that nothing was opened."""
    raw = mail(REPORT, head=head())
    case = Case()
    arrival = replace(case.arrival, raw=raw)
    reading = pipeline.read(raw, knowledge.settings.limits)
    keys = pipeline.keys(reading, arrival, knowledge)
    found = judge(reading, arrival, keys, knowledge)
    assert (reading, NOT_OPENED.protection, False) == (found.inside, found.protection, found.sealed)
