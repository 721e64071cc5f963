"""The two ways out, against a real SMTP server, a scripted one, and a real folder."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers.smtp_sink import SmtpSink

from abuse_triage.errors import TemporaryError
from abuse_triage.service import delivery
from abuse_triage.service.delivery import (
    Folder,
    Letter,
    NotNowError,
    RefusedError,
    RouteDownError,
    Smarthost,
    UnknownError,
)

CONTENT = b"Subject: x\r\nMessage-ID: <ack.a.b@csirt.example.pt>\r\n\r\n.a dot\r\n..two\r\n.\r\nend\r\n"


def letter(recipient: str = "ana@example.org", **changes: object) -> Letter:
    """Return a mail to send."""
    values = {"message_id": "ack.a.b@csirt.example.pt", "bounces_to": "", "content": CONTENT, **changes}
    return Letter(recipient=recipient, **values)


def send(route: Smarthost | Folder, **changes: object) -> str:
    """Offer and commit a mail."""
    route.offer(letter(**changes))
    return route.commit()


def smarthost(address: str, timeout: float = 5.0) -> Smarthost:
    """Return the route to a server on loopback."""
    return Smarthost(address, hostname="csirt.example.pt", timeout=timeout)


@contextmanager
def script(*answers: bytes, hang_up: bool = True) -> Iterator[str]:
    """Answer each line with the next of some answers, first the greeting; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                for position, answer in enumerate(answers):
                    if position and not lines.readline():
                        return
                    connection.sendall(answer)
                if not hang_up:
                    lines.read()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


def test_a_mail_arrives_as_it_was_written(tmp_path: Path) -> None:
    """Envelope and content arrive unchanged, lines that begin with dots too."""
    with SmtpSink(tmp_path) as sink:
        route = smarthost(sink.address)
        assert "250 2.0.0 kept" == send(route)
        route.close()
        (mail,) = sink.mails()
        assert ("", "ana@example.org", CONTENT) == (mail.sender, mail.recipient, mail.content)


def test_an_address_with_utf8_is_sent_where_the_smarthost_can(tmp_path: Path) -> None:
    """With SMTPUTF8 the address and the header arrive in UTF-8, and MAIL says so; other mail is sent as ever."""
    content = "To: <joão@example.pt>\r\n\r\nx\r\n".encode()
    with SmtpSink(tmp_path, smtputf8=True) as sink:
        route = smarthost(sink.address)
        send(route, recipient="joão@example.pt", content=content)
        assert ["BODY=8BITMIME", "SMTPUTF8"] == sink.options
        send(route)
        assert [] == sink.options
        route.close()
        assert ("joão@example.pt", content) == (sink.mails()[0].recipient, sink.mails()[0].content)


def test_an_address_with_utf8_is_refused_where_the_smarthost_cannot(tmp_path: Path) -> None:
    """Without SMTPUTF8 it is never sent, the reason says so, and the connection serves the next mail."""
    with SmtpSink(tmp_path) as sink:
        route = smarthost(sink.address)
        with pytest.raises(RefusedError, match="the address needs SMTPUTF8, which the smarthost does not offer"):
            send(route, recipient="joão@example.pt")
        send(route, recipient="ana@café.example")
        route.close()
        assert (["ana@xn--caf-dma.example"], 1) == ([mail.recipient for mail in sink.mails()], sink.connections)


def test_an_unfinished_last_line_is_finished(tmp_path: Path) -> None:
    """A mail without a line end at its end still ends with the lone dot on a line of its own."""
    with SmtpSink(tmp_path) as sink:
        route = smarthost(sink.address)
        send(route, content=b".x\r\n\r\nlast")
        route.close()
        assert [b".x\r\n\r\nlast\r\n"] == [mail.content for mail in sink.mails()]


def test_bounces_of_a_digest_come_back(tmp_path: Path) -> None:
    """The reverse-path is the one that the letter has."""
    with SmtpSink(tmp_path) as sink:
        route = smarthost(sink.address)
        send(route, bounces_to="csirt@example.pt")
        route.close()
        assert ["csirt@example.pt"] == [mail.sender for mail in sink.mails()]


def test_one_connection_serves_many_mails(tmp_path: Path) -> None:
    """The connection is kept, after refused and withdrawn mails too."""
    with SmtpSink(tmp_path, faults=["none", "rcpt-5xx", "rcpt-4xx", "mail-4xx", "data-4xx", "data-5xx"]) as sink:
        route = smarthost(sink.address)
        send(route)
        for expected in (RefusedError, NotNowError, NotNowError, NotNowError, RefusedError):
            with pytest.raises(expected) as caught:
                send(route)
            assert 400 <= caught.value.code < 600
            assert not isinstance(caught.value, RouteDownError)
        route.offer(letter())
        route.withdraw()
        send(route)
        route.close()
        assert (2, 1) == (len(sink.mails()), sink.connections)


def test_a_closed_connection_is_replaced(tmp_path: Path) -> None:
    """A server that closed the kept connection meanwhile costs nothing but a new one."""
    with SmtpSink(tmp_path) as sink:
        route = smarthost(sink.address)
        send(route)
        assert route._smtp is not None
        route._smtp.sock.shutdown(socket.SHUT_RDWR)
        send(route)
        route.close()
        assert (2, 2) == (len(sink.mails()), sink.connections)


def test_an_unused_connection_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing is sent the connection is closed after some seconds, not at once."""
    with SmtpSink(tmp_path) as sink:
        route = smarthost(sink.address)
        route.rest()
        send(route)
        route.rest()
        send(route)
        assert 1 == sink.connections
        monkeypatch.setattr(delivery, "_IDLE_SECONDS", 0.0)
        route.rest()
        send(route)
        route.close()
        assert 2 == sink.connections


@pytest.mark.parametrize("fault", ["rcpt-421", "drop-at-rcpt"])
def test_a_server_that_leaves_before_data_took_nothing(fault: str, tmp_path: Path) -> None:
    """Trouble before DATA is certain: the mail was not taken over, and the connection is given up."""
    with SmtpSink(tmp_path, faults=[fault]) as sink:
        route = smarthost(sink.address)
        with pytest.raises(RouteDownError):
            send(route)
        send(route)
        route.close()
        assert 1 == len(sink.mails())


@pytest.mark.parametrize(("fault", "kept"), [("drop-after-data", 1), ("lose-after-data", 0), ("slow", 1)])
def test_silence_after_data_is_ambiguous(fault: str, kept: int, tmp_path: Path) -> None:
    """Without an answer after DATA nobody can tell: the server may or may not have kept the mail."""
    with SmtpSink(tmp_path, faults=[fault], delay=2) as sink:
        route = smarthost(sink.address, timeout=0.5)
        with pytest.raises(UnknownError):
            send(route)
        route.close()
        assert kept == len(sink.mails())


@pytest.mark.parametrize(
    "answers",
    [
        (b"554 5.3.2 go away\r\n",),
        (b"SSH-2.0-OpenSSH\r\n",),
        (b"220 hi\r\n", b"502 what\r\n", b"502 what\r\n"),
        (b"220 hi\r\n", b"250 hi\r\n", b"999 what\r\n"),
        (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 strange\r\n"),
        (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n"),
        (b"220 hi\r\n", b"250 hi\r\n", b"x" * 9000 + b"\r\n"),
    ],
    ids=["refuses", "not-smtp", "no-helo", "strange-code", "no-354", "gone-at-data", "endless-line"],
)
def test_a_server_that_speaks_otherwise_took_nothing(answers: tuple[bytes, ...]) -> None:
    """Whatever goes wrong before the content was sent leaves the mail for later."""
    with script(*answers) as address:
        route = smarthost(address)
        with pytest.raises(RouteDownError):
            send(route)
        route.close()


@pytest.mark.parametrize(
    ("answer", "error"), [(b"451 4.7.1 later\r\n", NotNowError), (b"554 5.7.1 never\r\n", RefusedError)]
)
def test_data_may_be_refused_before_the_content(answer: bytes, error: type[Exception]) -> None:
    """An answer to the DATA command is as certain as any before it."""
    with script(b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", answer, b"250 reset\r\n") as address:
        route = smarthost(address)
        with pytest.raises(error, match=r"later|never"):
            send(route)
        route.close()


def test_a_strange_answer_after_data_is_ambiguous() -> None:
    """A reply that is neither success nor failure says nothing about the mail."""
    preamble = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")
    with script(*preamble, *[b""] * 7, b"111 what\r\n") as address:
        route = smarthost(address)
        with pytest.raises(UnknownError, match="111 what"):
            send(route)
        route.close()


def test_nobody_listens() -> None:
    """A refused connection leaves the mail for later, with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(RouteDownError, match="cannot connect") as caught:
        send(smarthost(address))
    assert 0 == caught.value.code


def test_helo_will_do() -> None:
    """A server without EHLO is greeted with HELO (RFC 5321 section 3.2)."""
    answers = (b"220 hi\r\n", b"502 no\r\n", b"250 hi\r\n", b"250 ok\r\n", b"550 5.1.1 unknown\r\n", b"250 ok\r\n")
    with script(*answers) as address:
        route = smarthost(address)
        with pytest.raises(RefusedError, match="550"):
            send(route)
        route.close()


@pytest.mark.parametrize("recipient", ["", "ana@example.org\r\nRCPT TO:<eve@example.org>", "joa\u0303o@example.pt"])
def test_an_impossible_recipient_is_refused_without_asking(recipient: str) -> None:
    """What cannot be written in an SMTP command never reaches a connection."""
    with pytest.raises(RefusedError):
        send(smarthost("127.0.0.1:1"), recipient=recipient)


def test_the_answer_is_kept_printable_and_short() -> None:
    """The peer's answer is cut and loses control characters before it is stored or shown."""
    with script(b"220 hi\r\n", b"250 hi\r\n", b"550 \x1b[2J" + b"y" * 500 + b"\r\n", b"250 ok\r\n") as address:
        route = smarthost(address)
        with pytest.raises(RefusedError) as caught:
            send(route)
        route.close()
    assert "550  [2Jyyy" == str(caught.value)[:11]
    assert 200 == len(str(caught.value))


def test_a_folder_takes_a_mail_whole(tmp_path: Path) -> None:
    """The file has its name only when it is complete, and nothing else is left."""
    folder = Folder(tmp_path / "new" / "outbox")
    folder.offer(letter())
    assert folder.offered("ack.a.b@csirt.example.pt")
    assert not folder.confirm("ack.a.b@csirt.example.pt")
    assert "written to ack.a.b@csirt.example.pt.eml" == folder.commit()
    assert folder.confirm("ack.a.b@csirt.example.pt")
    assert not folder.offered("ack.a.b@csirt.example.pt")
    folder.rest()
    folder.close()
    assert [CONTENT] == [path.read_bytes() for path in (tmp_path / "new" / "outbox").iterdir()]


def test_a_folder_never_takes_a_mail_twice(tmp_path: Path) -> None:
    """A file that is there is the same mail, and stays as it is."""
    folder = Folder(tmp_path)
    send(folder)
    send(folder, content=b"other")
    assert [CONTENT] == [path.read_bytes() for path in tmp_path.iterdir()]


def test_an_offer_to_a_folder_can_be_withdrawn(tmp_path: Path) -> None:
    """Nothing is left of a mail that was offered only; withdrawing again does no harm."""
    folder = Folder(tmp_path)
    folder.offer(letter())
    folder.withdraw()
    folder.withdraw()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("message_id", ["../up@example.pt", ".hidden@example.pt", "a/b@example.pt", "a\0b@c", ""])
def test_a_message_id_never_leaves_the_folder(message_id: str, tmp_path: Path) -> None:
    """Only what our own ids are made of becomes a file name."""
    folder = Folder(tmp_path / "outbox")
    with pytest.raises(RefusedError):
        send(folder, message_id=message_id)
    assert not folder.confirm(message_id)
    assert not folder.offered(message_id)


def test_a_folder_that_cannot_be_written_to_is_tried_again(tmp_path: Path) -> None:
    """Trouble of the disk puts mail off."""
    (tmp_path / "file").touch()
    with pytest.raises(RouteDownError, match="cannot write"):
        send(Folder(tmp_path / "file" / "outbox"))
    folder = Folder(tmp_path / "outbox")
    folder.offer(letter())
    (tmp_path / "outbox" / ".ack.a.b@csirt.example.pt.part").unlink()
    with pytest.raises(RouteDownError, match="cannot write"):
        folder.commit()


def test_a_disk_that_does_not_sync_confirms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery counts only when the folder itself is on the disk."""
    folder = Folder(tmp_path)
    send(folder)

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(TemporaryError):
        folder.confirm("ack.a.b@csirt.example.pt")
    with pytest.raises(RouteDownError):
        folder.commit()
