"""Debian's Postfix in front, set up with the very lines of docs/install.md, delivers over the LMTP socket."""

import hashlib
import shutil
import smtplib
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import Daemon
from servers import postfix

from abuse_triage.model.message import Channel
from abuse_triage.store.interface import MessageFilter
from docs import transcript

INSTALL = Path(__file__).resolve().parents[2] / "docs" / "install.md"
HEADER = (
    b"From: Rita <rita@example.com>\r\nTo: abuse@example.pt\r\nSubject: Phishing\r\nMessage-ID: <1@example.com>\r\n"
)

pytestmark = pytest.mark.skipif(bool(postfix.why_not()), reason=postfix.why_not())


class Chain:
    """Postfix as the document sets it up, and the daemon behind it."""

    def __init__(self, mta: postfix.Postfix, daemon: Daemon) -> None:
        self.mta, self.daemon = mta, daemon

    def send(self, recipients: list[str], content: bytes, *, sender: str = "rita@example.com") -> dict[str, int]:
        """Hand a message, which ends with a line end, to Postfix; returns the recipients refused, with their codes."""
        with smtplib.SMTP("127.0.0.1", self.mta.port, timeout=60) as client:
            client.ehlo("client.example.com")
            client.mail(sender, ["BODY=8BITMIME"])
            codes = {recipient: client.rcpt(recipient)[0] for recipient in recipients}
            if 250 in codes.values():
                client.putcmd("DATA")
                assert 354 == client.getreply()[0]
                stuffed = b"\r\n".join(b"." + line if line[:1] == b"." else line for line in content.split(b"\r\n"))
                client.send(stuffed + b".\r\n")
                assert 250 == client.getreply()[0]
        return {recipient: code for recipient, code in codes.items() if code != 250}

    def stored(self, count: int) -> list[tuple[tuple[str, ...], bytes, bool]]:
        """Wait for so many messages; returns recipients, raw bytes and whether it was cut, oldest first."""
        deadline = time.monotonic() + 60
        store = self.daemon.store()
        while len(found := store.messages(MessageFilter(limit=100))) < count:
            assert time.monotonic() < deadline, self.mta.log()[-3000:] + self.daemon.log()[-3000:]
            time.sleep(0.1)
        assert {Channel.LMTP} == {message.envelope.channel for message in found}
        return [
            (message.envelope.recipients, store.message(message.id)[1], message.truncated)
            for message in reversed(found)
        ]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Start both, with the files of the document: only its folders and its domain are others."""
    shown = tmp_path / "shown"
    transcript.write_files(INSTALL, shown)
    here = {"alfa.pt": "example.pt", "hash:/etc/postfix/": "hash:{config}/"}

    def of(name: str) -> str:
        text = (shown / "postfix" / name).read_text()
        for there, instead in here.items():
            text = text.replace(there, instead)
        return text

    mta = postfix.Postfix(main=of("main.cf"), master=of("master.cf"), tables={"abuse-triage": of("abuse-triage")})
    listen = tomllib.loads(of("config.toml"))["lmtp"]["listen"][0]
    socket = mta.folder / "queue" / Path(listen).relative_to("/var/spool/postfix")
    folder = tmp_path / "daemon"
    folder.mkdir()
    with mta:
        socket.parent.mkdir()
        shutil.chown(socket.parent, group="postfix")
        socket.parent.chmod(0o2750)
        with Daemon(folder, extra=f'\n[lmtp]\nlisten = ["{socket}"]\n', smtp='max_message = "2 MB"\n') as daemon:
            daemon.start()
            yield Chain(mta, daemon)


def test_one_message_for_several_mailboxes_comes_once(chain: Chain) -> None:
    """Both mailboxes are on the one message that Postfix hands over, and it leaves Postfix's queue."""
    assert {} == chain.send(["abuse@example.pt", "csirt+urgent@example.pt"], HEADER + b"\r\nHost 192.0.2.7\r\n")

    ((recipients, _, _),) = chain.stored(1)
    assert {"abuse@example.pt", "csirt@example.pt"} == set(recipients)
    chain.mta.drain()


def test_long_lines_and_eight_bit_text_arrive_as_they_were_sent(chain: Chain) -> None:
    """The hash of the text is the same on both sides, whatever the length of its lines and the octets in them."""
    texts = [
        b"x" * 998 + b"\r\n" + b"y" * 5000 + b"\r\n" + b"z" * 300_000 + b"\r\n",
        "Olá, isto é phishing contra clientes nossos: ção, ñ, €.\r\n".encode() * 50,
        bytes(octet for octet in range(0x80, 0x100)) * 20 + b"\r\n",
        b".\r\n..\r\n.leading dots\r\n\r\n \t trailing blanks \t \r\n",
    ]
    for text in texts:
        chain.send(
            ["abuse@example.pt"], HEADER + b"Content-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n\r\n" + text
        )

    arrived = {hashlib.sha256(raw.partition(b"\r\n\r\n")[2]).hexdigest() for _, raw, _ in chain.stored(len(texts))}
    assert {hashlib.sha256(text).hexdigest() for text in texts} == arrived


def test_an_address_that_does_not_exist_is_refused_at_once(chain: Chain) -> None:
    """Nobody gets a bounce for it, because Postfix never takes it."""
    assert {"sales@example.pt": 550} == chain.send(["sales@example.pt"], HEADER)
    chain.mta.drain()


def test_what_is_too_large_is_cut_and_never_bounced(chain: Chain) -> None:
    """Its beginning is kept and marked as cut; Postfix is rid of it, and has nothing to send back."""
    chain.send(["abuse@example.pt", "csirt@example.pt"], HEADER + b"\r\n" + b"0123456789abcdef\r\n" * 200_000)

    ((_, raw, truncated),) = chain.stored(1)
    assert (True, 1_000_000) == (truncated, len(raw))
    chain.mta.drain()
    assert "postfix/bounce" not in chain.mta.log()


def test_mail_waits_in_postfix_while_the_daemon_is_down(chain: Chain) -> None:
    """It is handed over when the daemon is back, from a socket that was made anew."""
    chain.daemon.stop()
    chain.send(["abuse@example.pt"], HEADER + b"\r\nHost 192.0.2.7\r\n")
    while "status=deferred" not in chain.mta.log():
        time.sleep(0.1)
    chain.daemon.start()
    chain.mta.flush()

    assert 1 == len(chain.stored(1))
    chain.mta.drain()
