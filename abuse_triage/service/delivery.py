"""The two ways out: an SMTP smarthost, or a folder of .eml files. Each first offers a mail, then commits it.

`offer` does everything that leaves no trace with the receiver, `commit` the rest, so that the sender can make "sending"
durable between them. What goes wrong is told by which of three errors is raised.
"""

import os
import re
import smtplib
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from abuse_triage.errors import TemporaryError
from abuse_triage.mail.compose import written_address
from abuse_triage.model.fields import host_port

_IDLE_SECONDS = 5.0
_QUIT_SECONDS = 2.0
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=-]{0,200}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


class DeliveryError(Exception):
    """A mail did not go out; `code` is the SMTP reply code, 0 where there was none."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        """Keep at most 200 printable characters: the peer's answer is not ours."""
        super().__init__(_UNPRINTABLE.sub(" ", message)[:200])
        self.code = code


class NotNowError(DeliveryError):
    """The mail was certainly not taken over; later it may be."""


class RouteDownError(NotNowError):
    """The same, and no other mail would fare better now."""


class RefusedError(DeliveryError):
    """The mail was refused for good."""


class UnknownError(DeliveryError):
    """Nobody can tell whether the mail was taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail for one recipient; `bounces_to` is the reverse-path, "" for the null one (RFC 3834 section 3.3)."""

    message_id: str
    bounces_to: str
    recipient: str
    content: bytes


class Route(Protocol):
    """A way out; offers and commits one mail at a time."""

    def offer(self, letter: Letter) -> None:
        """Prepare a mail; raises `NotNowError`, `RouteDownError` or `RefusedError`."""

    def commit(self) -> str:
        """Hand over the offered mail and return the answer; raises any `DeliveryError`."""

    def withdraw(self) -> None:
        """Forget the offered mail; raises nothing."""

    def rest(self) -> None:
        """Let go of what is not worth keeping while nothing is sent."""

    def close(self) -> None:
        """Let go of everything."""


class Smarthost:
    """An MTA that takes our mail over one SMTP connection, kept between mails (RFC 5321).

    A mail to an address with UTF-8 needs SMTPUTF8 there (RFC 6531); without it the mail is refused.
    """

    def __init__(self, address: str, *, hostname: str, timeout: float) -> None:
        """Take "host:port", our name for EHLO, and the seconds that one answer may take; nothing is opened yet."""
        self._host, self._port = host_port(address)
        self._hostname = hostname
        self._timeout = timeout
        self._smtp: smtplib.SMTP | None = None
        self._content = b""
        self._used_at = 0.0

    def offer(self, letter: Letter) -> None:
        """Say MAIL and RCPT; a kept connection that the server has closed meanwhile is replaced once."""
        recipient = written_address(letter.recipient)
        if not recipient:
            raise RefusedError("the recipient's address cannot be written in SMTP")
        self._content = letter.content
        kept = self._smtp is not None
        try:
            self._open(letter.bounces_to, recipient)
        except RouteDownError:
            if not kept:
                raise
            self._open(letter.bounces_to, recipient)

    def commit(self) -> str:
        """Say DATA and send the mail; from the first byte of it on, silence means `UnknownError`."""
        smtp = self._connected()
        code, answer = self._command(smtp, "DATA")
        if code != 354:
            self._fail(code, answer)
        try:
            smtp.send(_stuffed(self._content))
            code, reply = smtp.getreply()
        except OSError as error:  # smtplib's errors are OSErrors, too
            self._drop()
            raise UnknownError(f"no answer after the mail was sent: {error}") from error
        self._used_at = time.monotonic()
        answer = reply.decode("ascii", "replace")
        if not (200 <= code < 300 or 400 <= code < 600):
            self._drop()
            raise UnknownError(f"strange answer after the mail was sent: {code} {answer}", code=code)
        if code >= 300:
            self._fail(code, answer)
        return f"{code} {answer}"

    def withdraw(self) -> None:
        """Say RSET, or drop the connection where that fails."""
        if self._smtp is not None:
            with suppress(RouteDownError):
                self._command(self._smtp, "RSET")

    def rest(self) -> None:
        """Leave a connection that was not used for some seconds: the server has better use for it."""
        if self._smtp is not None and time.monotonic() - self._used_at > _IDLE_SECONDS:
            self.close()

    def close(self) -> None:
        """Say QUIT and close; a server that does not answer soon is not waited for."""
        if self._smtp is not None:
            with suppress(OSError):
                if self._smtp.sock is not None:
                    self._smtp.sock.settimeout(_QUIT_SECONDS)
                self._smtp.quit()
        self._drop()

    def _open(self, bounces_to: str, recipient: str) -> None:
        smtp = self._connected()
        parameters = ""
        if not recipient.isascii():
            if not smtp.has_extn("SMTPUTF8"):
                raise RefusedError("the address needs SMTPUTF8, which the smarthost does not offer")
            parameters = " BODY=8BITMIME SMTPUTF8"
        for command in (f"MAIL FROM:<{bounces_to}>{parameters}", f"RCPT TO:<{recipient}>"):
            code, answer = self._command(smtp, command)
            if not 200 <= code < 300:
                self._fail(code, answer)

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is not None:
            return self._smtp
        smtp = smtplib.SMTP(local_hostname=self._hostname, timeout=self._timeout)
        smtp.command_encoding = "utf-8"
        try:
            code, answer = smtp.connect(self._host, self._port)
            if code == 220:
                code, answer = smtp.ehlo()
                if code != 250:
                    code, answer = smtp.helo()
        except OSError as error:
            smtp.close()
            raise RouteDownError(f"cannot connect to the smarthost: {error}") from error
        if code != 250:
            smtp.close()
            text = answer.decode("ascii", "replace")
            raise RouteDownError(f"the smarthost does not greet: {code} {text}", code=code)
        self._smtp = smtp
        return smtp

    def _command(self, smtp: smtplib.SMTP, command: str) -> tuple[int, str]:
        try:
            code, answer = smtp.docmd(command)
        except OSError as error:
            self._drop()
            raise RouteDownError(f"the smarthost is gone: {error}") from error
        self._used_at = time.monotonic()
        return code, answer.decode("ascii", "replace")

    def _fail(self, code: int, answer: str) -> NoReturn:
        text = f"{code} {answer}"
        if code == 421 or not 400 <= code < 600:  # the server closes (RFC 5321 section 3.8), or does not speak SMTP
            self._drop()
            raise RouteDownError(text, code=code)
        self.withdraw()
        raise (NotNowError if code < 500 else RefusedError)(text, code=code)

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None


class Folder:
    """A folder that takes each mail as one file named after its Message-ID.

    The name tells whether a mail was delivered, so that no crash leaves a doubt: "<id>.eml" is delivered, ".<id>.part"
    was offered and not committed.
    """

    def __init__(self, path: Path) -> None:
        """Take the folder; it is made where it does not exist."""
        self._path = path
        self._file = self._part = path  # of the mail that is offered
        self._is_there = False

    def offer(self, letter: Letter) -> None:
        """Write the mail under its preliminary name, durably."""
        if not _FILE_NAME.fullmatch(letter.message_id):
            raise RefusedError("the Message-ID cannot be a file name")
        self._file, self._part = self._places(letter.message_id)
        self._is_there = self._file.exists()
        if self._is_there:
            return
        try:
            try:
                _write(self._part, letter.content)
            except FileNotFoundError:
                self._path.mkdir(parents=True, exist_ok=True)
                _write(self._part, letter.content)
        except OSError as error:
            raise RouteDownError(f"cannot write to the folder: {error}") from error

    def commit(self) -> str:
        """Give the file its name, durably; a file that is there already is the same mail."""
        try:
            if not self._is_there:
                self._part.rename(self._file)
            self._sync()
        except OSError as error:
            raise RouteDownError(f"cannot write to the folder: {error}") from error
        return f"written to {self._file.name}"

    def withdraw(self) -> None:
        """Remove the preliminary file."""
        with suppress(OSError):
            self._part.unlink()

    def rest(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is kept."""

    def confirm(self, message_id: str) -> bool:
        """Whether a mail is there, for good; raises `TemporaryError` where the disk does not say."""
        if not _FILE_NAME.fullmatch(message_id) or not self._places(message_id)[0].exists():
            return False
        try:
            self._sync()
        except OSError as error:
            raise TemporaryError(f"cannot read the outbox folder: {error}") from error
        return True

    def offered(self, message_id: str) -> bool:
        """Whether a mail was offered and neither committed nor withdrawn."""
        return bool(_FILE_NAME.fullmatch(message_id)) and self._places(message_id)[1].exists()

    def _places(self, message_id: str) -> tuple[Path, Path]:
        """Return where a mail is when it is delivered, and where until then."""
        return self._path / f"{message_id}.eml", self._path / f".{message_id}.part"

    def _sync(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    """Write a file, durably."""
    with path.open("wb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())


def _stuffed(content: bytes) -> bytes:
    """Double dots at line starts and end the mail with a lone one (RFC 5321 section 4.5.2); lines end in CRLF."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
