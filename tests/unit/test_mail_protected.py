"""Protected headers."""

import pytest

from abuse_triage.mail.fields import split
from abuse_triage.mail.protected import compare
from abuse_triage.model.openpgp import Headers

OUTSIDE = (
    b"From: Ana Silva <ana@example.pt>\r\nTo: abuse@example.org, cert@example.org\r\nSubject: Phishing\r\n"
    b"Date: Mon, 16 Nov 2026 10:00:00 +0000\r\nMessage-ID: <case-1@example.pt>\r\n\r\n"
)
CLEAR = b'Content-Type: text/plain; hp="clear"\r\n'
CIPHER = b'Content-Type: text/plain; hp="cipher"\r\n'
LEGACY = b'Content-Type: multipart/mixed; boundary=b; protected-headers="v1"\r\n'
HIDDEN = OUTSIDE.replace(b"Phishing", b"[...]")
TOLD = b"".join(b"HP-Outer: " + line + b"\r\n" for line in HIDDEN.strip().split(b"\r\n"))


def said(outside: bytes, inside: bytes, *, encrypted: bool = False) -> Headers:
    """Return what is said of a header by one inside."""
    return compare(split(outside), split(inside), encrypted=encrypted).headers


@pytest.mark.parametrize("encrypted", [False, True])
def test_fields_without_a_mark_are_no_protected_ones(encrypted: bool) -> None:
    """A part may have any fields; only the parameter makes them the sender's word on those outside."""
    inside = b"Content-Type: text/plain\r\nSubject: other\r\n" + OUTSIDE
    checked = compare(split(OUTSIDE), split(inside), encrypted=encrypted)
    assert (Headers.NONE, None) == checked


@pytest.mark.parametrize("mark", [CLEAR, LEGACY, CLEAR.replace(b"clear", b"Cipher")])
def test_the_same_fields_match(mark: bytes) -> None:
    """Names of people, folding, coding and case of addresses may differ."""
    inside = OUTSIDE.replace(b"Ana Silva", b"A. S.").replace(b"abuse@", b"Abuse@")
    inside = inside.replace(b"Phishing", b"\r\n =?utf-8?q?Phishing?=")
    inside = inside.replace(b"10:00:00 +0000", b"11:00:00 +0100")
    assert Headers.MATCH is said(OUTSIDE, mark + inside)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ana@example.pt", b"eva@example.net"),
        (b"ana@example.pt>", b"ana@example.pt>, eva@example.net"),
        (b", cert@", b", csirt@"),
        (b"Phishing", b"Invoice"),
        (b"Mon, 16", b"Tue, 17"),
        (b"case-1", b"case-2"),
        (b"To: ", b"Reply-To: eva@example.net\r\nTo: "),
        (b"To: ", b"Cc: eva@example.net\r\nTo: "),
        (b"To: ", b"From: eva@example.net\r\nTo: "),
        (b"Subject: Phishing\r\n", b""),
    ],
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_fields_that_differ_outside_are_seen(old: bytes, new: bytes, encrypted: bool) -> None:
    """Changed and added ones; one that is missing too, if nothing was encrypted."""
    expected = Headers.MATCH if encrypted and not new else Headers.MISMATCH
    assert expected is said(OUTSIDE.replace(old, new), CLEAR + OUTSIDE, encrypted=encrypted)


def test_older_programs_protect_some_fields_only() -> None:
    """What is not inside was not protected; RFC 9788 leaves out what servers add."""
    inside = b"Subject: Phishing\r\n\r\n"
    assert Headers.MATCH is said(OUTSIDE, LEGACY + inside)
    assert Headers.MISMATCH is said(OUTSIDE, CLEAR + inside)
    added = OUTSIDE.partition(b"Date")[0] + b"\r\n"
    assert Headers.MATCH is said(OUTSIDE, CLEAR + added)


@pytest.mark.parametrize("subject", ["...", "[...]", "Re: ...", "Encrypted Message", "", "=?utf-8?b?4oCm?="])
def test_a_hidden_subject_is_no_mismatch_where_it_was_encrypted(subject: str) -> None:
    """The one inside is for reading; in a message that was only signed, it is somebody's change."""
    outside = OUTSIDE.replace(b"Phishing", subject.encode())
    checked = compare(split(outside), split(LEGACY + OUTSIDE), encrypted=True)
    assert Headers.MATCH is checked.headers
    assert checked.subject is not None
    assert b"Subject: Phishing\r\n" == checked.subject.raw
    clear = compare(split(outside), split(CLEAR + OUTSIDE), encrypted=False)
    assert (Headers.MISMATCH, None) == clear


def test_fields_may_differ_as_the_sender_says() -> None:
    """HP-Outer tells what was put outside; anything else there is a mismatch, and so is another From in any case."""
    other = OUTSIDE.replace(b"Phishing", b"Ticket")
    told = TOLD.replace(b"[...]", b"Ticket")
    assert Headers.MATCH is said(HIDDEN, CIPHER + TOLD + OUTSIDE, encrypted=True)
    assert Headers.MATCH is said(other, CIPHER + told + OUTSIDE, encrypted=True)
    assert Headers.MISMATCH is said(other, CIPHER + TOLD + OUTSIDE, encrypted=True)
    assert Headers.MISMATCH is said(other, CIPHER + told + OUTSIDE)
    eve = HIDDEN.replace(b"ana@", b"eva@")
    assert Headers.MISMATCH is said(eve, CIPHER + TOLD.replace(b"ana@", b"eva@") + OUTSIDE, encrypted=True)
    answers = b"Reply-To: list@example.org\r\n"
    assert Headers.MATCH is said(answers + HIDDEN, CIPHER + TOLD + b"HP-Outer: " + answers + OUTSIDE, encrypted=True)
