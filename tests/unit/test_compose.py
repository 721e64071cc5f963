"""Mail that we write, read back by the standard library's strictest parser."""

import email
import email.policy
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.compose import compose, written_address
from abuse_triage.model.ticket import NUMBER_PLACEHOLDER, MailKind, Outgoing

NUMBER = "DNSPT-CSIRT#2026-000123"
HEADERS = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "auto-submitted",
    "x-auto-response-suppress",
    "x-abuse-triage-loop",
    "precedence",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
]
anything = st.text(st.characters(codec=None), max_size=400)
printable = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=200)


def written(**changes: object) -> bytes:
    """Compose a mail in which everything is ordinary, except what is given."""
    values = {
        "kind": MailKind.ACKNOWLEDGEMENT,
        "message_id": "ack.abc.def@csirt.example.pt",
        "sender_name": "CSIRT Exemplo",
        "sender": "abuse@example.pt",
        "recipient": "ana@example.org",
        "subject": f"[{NUMBER_PLACEHOLDER}] Auto: Notificação recebida / Report received",
        "body": f"Olá.\n\nReferência: {NUMBER_PLACEHOLDER}\n",
        "date": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        "in_reply_to": "case-1@example.org",
        "references": ("case-0@example.org", "case-1@example.org"),
        **changes,
    }
    return compose(**values)


def parsed(content: bytes) -> EmailMessage:
    """Parse a mail; whatever the parser finds wrong is an error."""
    message = email.message_from_bytes(content, policy=email.policy.default.clone(raise_on_defect=True))
    assert isinstance(message, EmailMessage)
    for name, value in message.items():
        assert [] == list(value.defects), name
    return message


def text(message: EmailMessage) -> str:
    """Return the text of a mail with the line ends of a text."""
    return message.get_content().replace("\r\n", "\n")


def numbered(content: bytes, number: str = NUMBER) -> EmailMessage:
    """Put a number in place, as the store does, and parse."""
    outgoing = Outgoing(kind=MailKind.ACKNOWLEDGEMENT, message_id="", recipient="", content=content)
    return parsed(outgoing.numbered(number))


def test_everything_stands_where_rfc_3834_wants_it() -> None:
    """Each header is there once and says what it should; the text is what was given."""
    message = numbered(written())
    assert HEADERS == [name.lower() for name in message]
    assert "CSIRT Exemplo <abuse@example.pt>" == message["From"]
    assert "ana@example.org" == message["To"]
    assert f"[{NUMBER}] Auto: Notificação recebida / Report received" == message["Subject"]
    assert datetime(2026, 11, 21, 9, 30, tzinfo=UTC) == message["Date"].datetime
    assert "<ack.abc.def@csirt.example.pt>" == message["Message-ID"]
    assert "<case-1@example.org>" == message["In-Reply-To"]
    assert ["<case-0@example.org>", "<case-1@example.org>"] == message["References"].split()
    assert ("auto-replied", "All", "csirt.example.pt", "bulk") == (
        message["Auto-Submitted"],
        message["X-Auto-Response-Suppress"],
        message["X-Abuse-Triage-Loop"],
        message["Precedence"],
    )
    assert ("text/plain", "utf-8") == (message.get_content_type(), message.get_content_charset())
    assert f"Olá.\n\nReferência: {NUMBER}\n" == text(message)


def test_a_digest_answers_nobody() -> None:
    """What is not an answer is auto-generated, and has no threading headers without ids (RFC 3834 section 5)."""
    message = parsed(written(kind=MailKind.DIGEST, in_reply_to="", references=()))
    assert "auto-generated" == message["Auto-Submitted"]
    assert (None, None) == (message["In-Reply-To"], message["References"])


@given(printable, printable, printable)
def test_any_text_comes_back(name: str, subject: str, body: str) -> None:
    """Names, subjects and texts in any script arrive as they were, apart from runs of blanks in header values."""
    message = parsed(written(sender_name=name, subject=subject, body=f"{body}\n"))
    assert " ".join(subject.split()) == " ".join(message["Subject"].split())
    phrase, _ = parseaddr(email.message_from_bytes(written(sender_name=name))["From"].replace("\r\n", ""))
    assert " ".join(name.split()) == " ".join(str(make_header(decode_header(phrase))).split())
    assert f"{body}\n" == text(message)


@given(anything, anything, anything, anything, st.lists(anything, max_size=15))
def test_nothing_becomes_a_header(name: str, subject: str, body: str, reply: str, references: list[str]) -> None:
    """Whatever strangers or names contain, there are our headers and no others, in short ASCII lines."""
    content = written(sender_name=name, subject=subject, body=body, in_reply_to=reply, references=references)
    head, _, rest = content.partition(b"\r\n\r\n")
    assert head.isascii()
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert b"\n" not in head.replace(b"\r\n", b"")
    names = [line.split(b":")[0].decode().lower() for line in head.split(b"\r\n") if line[:1] != b" "]
    assert [name for name in HEADERS if name in names] == names
    assert set(HEADERS) - set(names) <= {"in-reply-to", "references"}
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert max(map(len, rest.split(b"\r\n"))) <= 76
    assert b"\0" not in content


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\x0b", "\u2028", "\x85", "\r\n\r\n", "\0"])
def test_a_line_end_in_a_value_is_a_blank(line_end: str) -> None:
    """Header injection ends as text in the value (RFC 5322 section 2.2)."""
    attack = f"x{line_end}Bcc: eve@example.net"
    message = parsed(written(sender_name=attack, subject=attack, in_reply_to=attack, references=(attack,)))
    assert HEADERS[:5] + HEADERS[7:] == [name.lower() for name in message]
    assert "x Bcc: eve@example.net" == message["Subject"]


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\x1b", "\x9b", "\x08", "\ufeff", "\0", "\u2029", "\x7f"])
def test_terminals_and_eyes_are_not_deceived(hidden: str) -> None:
    """Control characters and overrides of direction are in neither subject nor text."""
    message = parsed(written(subject=f"a{hidden}b", body=f"a{hidden}b\n"))
    assert ("a b", "ab\n") == (message["Subject"], text(message))


@pytest.mark.parametrize(
    "subject",
    [
        f"[{NUMBER_PLACEHOLDER}] Auto: Notificação",
        f"Notificação {NUMBER_PLACEHOLDER} é",
        f"{NUMBER_PLACEHOLDER}é",
        f"é{NUMBER_PLACEHOLDER}é {NUMBER_PLACEHOLDER}",
        f"{NUMBER_PLACEHOLDER} =?utf-8?q?x?=",
        NUMBER_PLACEHOLDER,
    ],
)
def test_the_placeholder_survives_in_the_subject(subject: str) -> None:
    """Around the placeholder words are encoded, the placeholder never is."""
    content = written(subject=subject)
    assert subject.count(NUMBER_PLACEHOLDER) + 1 == content.count(NUMBER_PLACEHOLDER.encode())
    expected = subject.replace(NUMBER_PLACEHOLDER, NUMBER).replace(" ", "")
    assert expected == numbered(content)["Subject"].replace(" ", "")


@given(printable, printable, st.integers(0, 90))
def test_the_placeholder_survives_in_the_text(before: str, after: str, blanks: int) -> None:
    """Wherever it stands in whatever line, the number appears there and nothing else changes."""
    body = f"{before}{' ' * blanks}{NUMBER_PLACEHOLDER}{after}\n"
    content = written(subject="x", body=body)
    assert 1 == content.count(NUMBER_PLACEHOLDER.encode())
    replaced = numbered(content)
    assert body.replace(NUMBER_PLACEHOLDER, NUMBER) == text(replaced)


@given(printable, st.text("abcDEF#-0123", min_size=1, max_size=50))
def test_numbers_keep_lines_short(before: str, number: str) -> None:
    """With numbers of up to 50 characters every line of the text stays within 76 columns (RFC 2045 section 6.7)."""
    content = written(body=f"{before} {NUMBER_PLACEHOLDER} {before}\n")
    replaced = content.replace(NUMBER_PLACEHOLDER.encode(), number.encode())
    _, _, body = replaced.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 76


def test_of_many_references_the_ends_remain() -> None:
    """The first four and the last six hold a thread together; ids that are no ids are left out."""
    ids = [f"{number}@example.org" for number in range(20)]
    message = parsed(written(references=("bad id@example.org", *ids, "<x@example.org>", "no-at", "ü@example.org")))
    kept = [f"<{number}@example.org>" for number in (0, 1, 2, 3, 14, 15, 16, 17, 18, 19)]
    assert kept == message["References"].split()


def test_nobody_can_smuggle_a_placeholder() -> None:
    """An id of a stranger never holds the placeholder, so that the number cannot be sent elsewhere."""
    content = written(subject="x", body="x\n", in_reply_to=f"a{NUMBER_PLACEHOLDER}b", references=(NUMBER_PLACEHOLDER,))
    assert 0 == content.count(NUMBER_PLACEHOLDER.encode())


def test_lines_end_in_crlf_only() -> None:
    """Whatever line ends the text has, the mail has CRLF (RFC 5321 section 2.3.8)."""
    content = written(body="one\r\ntwo\rthree\nfour")
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
    assert b"\r\n\r\none\r\ntwothree\r\nfour" in content


def test_values_are_cut() -> None:
    """A header value has at most 300 characters."""
    assert "x" * 200 + " " + "y" * 99 == parsed(written(subject="x" * 200 + " " + "y" * 5000))["Subject"]
    assert 300 == len(parsed(written(subject="é" * 5000))["Subject"])


def test_the_zone_of_the_date_is_kept() -> None:
    """The date says the moment in the zone that it was given."""
    lisbon_summer = datetime(2026, 7, 1, 9, 0, tzinfo=timezone(timedelta(hours=1)))
    assert "Wed, 01 Jul 2026 09:00:00 +0100" == parsed(written(date=lisbon_summer))["Date"]


@pytest.mark.parametrize(
    ("email_address", "expected"),
    [
        ("ana@example.org", "ana@example.org"),
        ("ana.o'neil+x=y@[192.0.2.1]", "ana.o'neil+x=y@[192.0.2.1]"),
        ("bounce@[IPv6:2001:db8::1]", "bounce@[IPv6:2001:db8::1]"),
        ("ana silva@example.org", '"ana silva"@example.org'),
        ("a..b@example.org", '"a..b"@example.org'),
        ('a"b\\c@example.org', '"a\\"b\\\\c"@example.org'),
        ("a@b@example.org", '"a@b"@example.org'),
        ("x>\r\nRCPT TO:<eve@example.net", ""),
        ("ana\x1b@example.org", ""),
        ("joão@example.pt", "joão@example.pt"),
        ("joão silva@example.pt", '"joão silva"@example.pt'),
        ("joa\u0303o@example.pt", ""),  # not NFC: each such letter would be another address
        ("joão\u202e@example.pt", ""),
        ("ana@café.example", "ana@xn--caf-dma.example"),
        ("ana@CAFÉ.example", ""),
        ("ana@\uff45xample.org", ""),  # a wide e, which UTS 46 takes for the other
        ("ana@" + "é" * 64 + ".example", ""),
        ("é" * 125 + "@example.pt", ""),
        ("ana@exa mple.org", ""),
        ("ana@example.org>", ""),
        ("@example.org", ""),
        ("ana", ""),
        ("ana@", ""),
        ("", ""),
        ("a" * 250 + "@example.org", ""),
    ],
)
def test_addresses_are_written_or_refused(email_address: str, expected: str) -> None:
    """What needs quotes gets them, what cannot be written in one form only is refused."""
    assert expected == written_address(email_address)


def test_an_address_with_utf8_stands_in_to_as_it_is() -> None:
    """RFC 6532: UTF-8 in the field, no encoded-word in an address; everything else stays ASCII."""
    content = written(recipient="joão@café.example")
    assert "To: <joão@xn--caf-dma.example>\r\n".encode() in content
    assert content.replace("joão".encode(), b"").isascii()


def test_an_odd_local_part_arrives() -> None:
    """A quoted local part stands in To as one address."""
    assert ("a@b", "example.org") == (
        (address := parsed(written(recipient="a@b@example.org"))["To"].addresses[0]).username,
        address.domain,
    )


@pytest.mark.parametrize(
    "changes",
    [{"recipient": "joa\u0303o@example.pt"}, {"sender": "x"}, {"message_id": "<a@b>"}, {"message_id": "a\r\nb@c"}],
)
def test_wrong_addresses_and_ids_of_ours_are_errors(changes: dict[str, str]) -> None:
    """What must be right before is not silently left out."""
    with pytest.raises(ValueError, match=r"address|Message-ID"):
        written(**changes)
