"""The reader process: it meets the hostile bytes, and has no database, no keys and no network.

It takes requests on standard input and answers each with a `Reading` as JSON on standard output. A request is a frame
that says which plaintexts follow (`Request`), one with the raw message, and one for each plaintext. Once
started it can open no file and no socket (RLIMIT_NOFILE), write no file (RLIMIT_FSIZE) and use no more memory than it
is given (RLIMIT_AS); the CPU time of each message is limited as well (RLIMIT_CPU), so that it ends even where nobody is
left to kill it. Where reading raises, the answer is `FAILED` and the place in our code instead: what an exception says
may hold words of the message, and belongs in no log.
"""

import codecs
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from abuse_triage import pipeline
from abuse_triage.mail.charset import CODECS
from abuse_triage.mail.layers import MOST_LAYERS
from abuse_triage.model.report import Reading
from abuse_triage.model.settings import LimitSettings
from abuse_triage.service import wire
from abuse_triage.service.confinement import allow_cpu, confine
from abuse_triage.service.failpoints import failpoint

READING = TypeAdapter(Reading)
MAX_REPLY = 32_000_000
"""Bytes of one answer; a `Reading` within the default limits stays far below."""
READY = b"ready"
FAILED = b"!"
"""How an answer begins that is no `Reading`; JSON never does."""
_DESCRIPTORS = 3
"""0, 1 and 2 are open: nothing else can be."""
_LATER = 2
"""Seconds of CPU more than the wall clock allows: the deadline comes first."""
_WARM_UP = (
    b"From: =?utf-8?q?A?= <a@example.pt>\r\nSubject: =?iso-8859-1?b?QQ==?=\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nPHA+aHh4cDovL2NyXHUwMGU5ZGl0b1suXWV4YW1wbGVbLl1wdDwvcD4=\r\n--b\r\n"
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"hxxp://cr=C3=A9dito[.]example[.]pt 192.0.2.1 2001:db8::1 TLP:AMBER\r\n--b--\r\n"
)
_WARM_UP_OPENED = (
    b"From: a@example.pt\r\n\r\n-----BEGIN PGP MESSAGE-----\r\nCharset: utf-8\r\n\r\nAAAA\r\n"
    b"-----END PGP MESSAGE-----\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a reader is told once, as its first frame: sizes in bytes, CPU seconds for one message.

    `max_plaintext` is the most that all plaintexts of one message have together.
    """

    limits: LimitSettings
    max_message: int
    max_plaintext: int
    memory: int
    cpu_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the frames behind this one hold: the raw message, and a plaintext for each layer that is True here.

    Without any it is a first reading. At most as many layers as a message has (`layers.MOST_LAYERS`).
    """

    plaintexts: tuple[bool, ...] = ()


START = TypeAdapter(Start)
REQUEST = TypeAdapter(Request)
LONGEST_REQUEST = 1000
"""Bytes of a `Request`."""


def main() -> None:
    """Read messages until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = START.validate_json(wire.receive(0, 1_000_000))
    _warm_up(start.limits)
    confine(start.memory, _DESCRIPTORS)
    try:
        bytearray(2 * start.max_message)
    except MemoryError:  # no fault of any message
        wire.send(1, FAILED + b"triage.memory does not hold the largest message twice")
        return
    wire.send(1, READY)
    while True:
        try:
            request = REQUEST.validate_json(wire.receive(0, LONGEST_REQUEST))
            raw = wire.receive(0, start.max_message)
            plaintexts = _plaintexts(request, start.max_plaintext)
        except wire.WireError:
            return
        failpoint("reader.read")
        allow_cpu(start.cpu_seconds + _LATER)
        wire.send(1, _answer(raw, plaintexts, start.limits))


def _plaintexts(request: Request, room: int) -> list[bytes | None]:
    received: list[bytes | None] = []
    for follows in request.plaintexts[:MOST_LAYERS]:
        plaintext = wire.receive(0, room) if follows else None
        room -= len(plaintext or b"")
        received.append(plaintext)
    return received


def _answer(raw: bytes, plaintexts: list[bytes | None], limits: LimitSettings) -> bytes:
    try:
        if plaintexts:
            return READING.dump_json(pipeline.read_opened(raw, plaintexts, limits))
        return READING.dump_json(pipeline.read(raw, limits))
    except Exception as error:  # noqa: BLE001 -- whatever a hostile message brings about
        place = traceback.extract_tb(error.__traceback__)[-1]
        return FAILED + f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}".encode()


def _warm_up(limits: LimitSettings) -> None:
    """Import everything that is imported late, codecs among it, because no file can be opened afterwards."""
    for name in CODECS:
        codecs.lookup(name)
    READING.dump_json(pipeline.read(_WARM_UP, limits))
    READING.dump_json(pipeline.read_opened(_WARM_UP_OPENED, [_WARM_UP], limits))


if __name__ == "__main__":
    main()
