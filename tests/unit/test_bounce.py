"""Bounces name the mail that came back; what was only delayed, or did arrive, is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.mail.decode import decode
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.bounce import MOST, returned

OURS = "ack.aaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbb@example.pt"
HEADERS = f"""\
From: CSIRT <abuse@example.pt>
To: <ana@example.org>
Subject: Auto: Report received
Message-ID: <{OURS}>
"""
REPORT = """\
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
To: abuse@example.pt
Subject: Undelivered Mail Returned to Sender
In-Reply-To: <answered@example.pt>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=B

--B
Content-Type: text/plain

This is the mail system at host mx.example.org.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

{status}
--B
{third}
--B--
"""
FAILED = "Final-Recipient: rfc822; ana@example.org\nAction: failed\nStatus: 5.1.1"
WHOLE = f"Content-Type: message/rfc822\n\n{HEADERS}\nO seu pedido foi recebido.\n"


def found(text: str) -> tuple[str, ...]:
    """Return what the text of a whole message says came back."""
    return returned(decode(text.encode(), LimitSettings()))


def report(status: str = FAILED, third: str = WHOLE) -> tuple[str, ...]:
    """Return what a delivery report says came back."""
    return found(REPORT.format(status=status, third=third))


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        (FAILED, True),
        ("Action: Failed (for good)\nStatus: 4.4.7 (too long in the queue)", True),
        ("Status: 5.2.2", True),
        ("Action: delayed\nStatus: 4.4.1", False),
        ("Action: delayed\nStatus: 5.0.0", False),
        ("Action: delivered\nStatus: 2.0.0", False),
        ("Action: relayed\nStatus: 2.0.0", False),
        ("Action: expanded\nStatus: 2.0.0", False),
        ("Status: 4.2.2", False),
        ("Action: delayed\nStatus: 4.4.1\n \nAction: failed\nStatus: 5.1.1", True),
        ("Action: delayed\n\tfailed", False),
    ],
)
def test_only_what_failed_for_good_came_back(status: str, failed: bool) -> None:
    """The action of a recipient decides (RFC 3464 section 2.3.3), and its status where no action stands there."""
    assert ((OURS,) if failed else ()) == report(status)


@pytest.mark.parametrize(
    "third",
    [
        WHOLE,
        f"Content-Type: text/rfc822-headers\n\n{HEADERS}",
        f"Content-Type: message/global-headers\n\n{HEADERS.replace('Message-ID: ', 'Message-Id:' + chr(10) + ' ')}",
        f"Content-Type: text/plain\n\n{HEADERS}",
    ],
)
def test_where_the_returned_mail_is_named(third: str) -> None:
    """The mail comes back whole, as its headers only, or as text."""
    assert (OURS,) == report(third=third)


@pytest.mark.parametrize("name", ["Original-Message-ID", "X-Original-Message-ID"])
def test_a_report_without_the_mail(name: str) -> None:
    """The report may name the mail in a field of its own; otherwise it is the mail that it answers."""
    nothing = "Content-Type: text/plain\n\nnothing"

    assert (OURS,) == report(f"{FAILED}\n\n{name}: <{OURS}>", nothing)
    assert ("answered@example.pt",) == report(FAILED, nothing)


def test_a_mail_inside_the_returned_mail_did_not_come_back() -> None:
    """Only the returned mail counts, not what was attached to it, and not what a person forwards."""
    inner = "Content-Type: message/rfc822\n\nMessage-ID: <inner@example.org>\nSubject: x\n\ntext"
    outer = f"MIME-Version: 1.0\n{HEADERS}Content-Type: multipart/mixed; boundary=C\n\n--C\n{inner}\n--C--\n"
    forwarded = REPORT.format(status=FAILED, third=WHOLE)
    person = "From: ana@example.org\nSubject: Fwd: bounce\nMIME-Version: 1.0\nContent-Type: multipart/mixed;"
    person += f" boundary=D\n\n--D\nContent-Type: message/rfc822\n\n{forwarded}\n--D--\n"

    assert (OURS,) == report(third=f"Content-Type: message/rfc822\n\n{outer}")
    assert () == found(person)


def test_many_ids_are_cut() -> None:
    """At most ten are kept, each once."""
    names = "\n".join(f"\nOriginal-Message-ID: <{number % 30}@example.pt>" for number in range(60))

    assert tuple(f"{number}@example.pt" for number in range(MOST)) == report(f"{FAILED}\n{names}", "")


QMAIL = f"""\
From: MAILER-DAEMON@mail.example.org
To: abuse@example.pt
Subject: failure notice

Hi. This is the qmail-send program at mail.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ana@example.org>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <>
Received: (qmail 4711 invoked from network); 21 Nov 2026 09:00:00 -0000
{HEADERS}
O seu pedido foi recebido.
"""
EXIM = f"""\
From: Mail Delivery System <Mailer-Daemon@mail.example.org>
To: abuse@example.pt
Auto-Submitted: auto-replied
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ana@example.org
    retry timeout exceeded

------ This is a copy of the message, including all the headers. ------

Return-path: <>
{HEADERS}
O seu pedido foi recebido.
"""
EXIM_DELAY = f"""\
From: Mail Delivery System <Mailer-Daemon@mail.example.org>
To: abuse@example.pt
Subject: Warning: message 1abcde-000001-AB delayed 24 hours

This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on mail.example.org.

The message identifier is:     1abcde-000001-AB
{HEADERS}
No action is required on your part. Delivery attempts will continue for
some time, and this warning may be repeated at intervals if the message
remains undelivered.
"""
EXCHANGE = f"""\
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.org>
To: abuse@example.pt
Subject: Undeliverable: Auto: Report received

Delivery has failed to these recipients or groups:

ana@example.org
The e-mail address you entered couldn't be found.

Diagnostic information for administrators:
#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##

Original message headers:

Received: from mx1.example.pt (192.0.2.1) by ex1.example.org (192.0.2.2)
{HEADERS}"""
PORTUGUESE = f"""\
From: Administrador <postmaster@correio.example.com>
To: abuse@example.pt
Subject: =?utf-8?Q?N=C3=A3o_entregue:_Auto?=
Content-Type: text/plain; charset=utf-8

Não foi possível
entregar a sua mensagem a este destinatário. O servidor não voltará a tentar.

> {HEADERS.replace(chr(10), chr(10) + "> ")}
"""
ATTACHED = f"""\
From: MAILER-DAEMON <>
To: abuse@example.pt
Subject: Returned mail: User unknown
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/plain

   ----- The following addresses had permanent fatal errors -----
ana@example.org
--B
{WHOLE}
--B--
"""


@pytest.mark.parametrize("text", [QMAIL, EXIM, EXCHANGE, PORTUGUESE, ATTACHED])
def test_bounces_in_prose(text: str) -> None:
    """Servers that know no delivery reports say it in words, with the mail below or attached."""
    assert (OURS,) == found(text)


def test_failed_recipients() -> None:
    """The field of Exim and Gmail says enough, whatever the words, and stands in for an empty report."""
    text = EXIM.replace("Auto-Submitted: auto-replied", "X-Failed-Recipients: ana@example.org")
    empty = REPORT.replace("To: abuse", "X-Failed-Recipients: ana@example.org\nTo: abuse")

    assert (OURS,) == found(text.replace("could not be delivered", "had bad luck").replace("permanent error", "end"))
    assert (OURS,) == found(empty.replace("Reporting-MTA: dns; mx.example.org\n", "").format(status="", third=WHOLE))


@pytest.mark.parametrize(
    "text",
    [
        EXIM_DELAY,
        EXIM.replace("Mailer-Daemon", "ana"),
        QMAIL.replace(HEADERS, ""),
        QMAIL.replace("wasn't able to deliver", "was glad to deliver").replace(
            "permanent error; I've given up", "note"
        ),
        EXCHANGE.replace("Delivery has failed", "Delivery is delayed"),
        "Subject: Undeliverable\n\n" + HEADERS,
        "",
    ],
)
def test_other_mail_returns_nothing(text: str) -> None:
    """A warning, a person's words, and a bounce that does not name the mail mark nothing."""
    assert () == found(text)


def test_the_return_path_tells_a_machine() -> None:
    """A null Return-Path, as a delivering MTA writes it, is as good as the name of a machine."""
    assert (OURS,) == found("Return-Path: <>\n" + EXIM.replace("Mailer-Daemon", "system"))


PIECES = st.sampled_from(
    [
        *("Action: failed\n", "Status: 5.1.1\n", "\n", "\n\n", ":", "> ", "--B\n", "Message-ID: <", "a@b>"),
        *("Content-Type: message/rfc822\n", "Content-Type: message/delivery-status\n"),
        *("From: mailer-daemon@example.org\n", "could not be delivered"),
    ]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=40))
def test_it_never_raises(pieces: list[str]) -> None:
    """Whatever comes in, at most ten bare ids come out."""
    head = "Content-Type: multipart/report; boundary=B\nFrom: mailer-daemon@example.org\n\n--B\n"
    for text in ("".join(pieces), head + "".join(pieces)):
        ids = returned(decode(text.encode("utf-8", "surrogatepass"), LimitSettings()))
        assert len(ids) <= MOST
        assert not any("<" in one or ">" in one for one in ids)
