"""The reader process: what it can read, what it cannot do, and what becomes of it."""

import base64
import json
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Timer

import openpgp_shapes as shapes
import pytest
from daemon import report, write_config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_triage import config, pipeline
from abuse_triage.mail.charset import CODECS
from abuse_triage.model.settings import LimitSettings, Settings
from abuse_triage.service import reader, reading, wire
from abuse_triage.service.reading import Reader, ReaderStartError, ReadingError

HOSTILE = Path(__file__).resolve().parents[1] / "hostile_reader.py"
Made = Callable[..., Reader]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """Give a function that makes readers with other settings of [triage]; all of them are closed."""
    loaded = config.load(write_config(tmp_path))
    readers: list[Reader] = []

    def make(
        *, smtp: dict[str, object] | None = None, openpgp: dict[str, object] | None = None, **triage: object
    ) -> Reader:
        changed: Settings = loaded.model_copy(
            update={
                "triage": loaded.triage.model_copy(update=triage),
                "smtp": loaded.smtp.model_copy(update=smtp or {}),
                "openpgp": loaded.openpgp.model_copy(update=openpgp or {}),
            }
        )
        readers.append(Reader(changed))
        return readers[-1]

    yield make
    for one in readers:
        one.close()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let readers do what messages say; returns the file that is their standard error."""
    stderr = tmp_path / "stderr"
    monkeypatch.setattr(reading, "_COMMAND", (sys.executable, str(HOSTILE), str(stderr)))
    return stderr


def pid_of(one: Reader) -> int:
    """Return the id of the process behind a reader."""
    process = one._process
    assert process is not None
    return process.pid


def test_one_process_reads_message_after_message_as_the_pipeline_does(made: Made) -> None:
    """What comes back is what the pipeline finds, and the process stays the same."""
    one = made()
    limits = LimitSettings()
    pids = set()
    for number in range(3):
        assert pipeline.read(report(number), limits) == one.read(report(number))
        pids.add(pid_of(one))
    assert 1 == len(pids)


@given(st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_read_comes_back_the_same(raw: bytes) -> None:
    """A reading survives its way between the processes, whatever bytes it was read from."""
    found = pipeline.read(b"Subject: =?utf-16?b?" + raw + b"?=\r\nFrom: " + raw + b"\r\n\r\n" + raw, LimitSettings())
    assert found == reader.READING.validate_json(reader.READING.dump_json(found))


def test_text_in_every_charset_is_read_behind_the_limits(made: Made) -> None:
    """No codec has to be looked for in a file once the reader is confined, in the text as in headers."""
    one = made()
    for name in sorted(CODECS):
        declared = name.replace("_", "-").encode()
        word = next(
            word for word in ("São", "Привет", "שלום", "αβγ", "سلام", "สวัสดี", "日本", "abc") if _fits(word, name)
        )
        encoded = word.encode(name)
        raw = (
            b"From: a@example.org\r\nSubject: =?" + declared + b"?Q?"
            + b"".join(b"=%02X" % byte for byte in encoded)
            + b"?=\r\nContent-Type: text/plain; charset=" + declared + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.b64encode(encoded)
        )  # fmt: skip
        found = one.read(raw)
        assert (word, word) == (found.subject, found.report.text.strip()), name


def test_a_message_is_read_again_with_what_was_opened(made: Made) -> None:
    """The plaintexts come behind the message, those that are missing leave their place; the next one is a new one."""
    one = made()
    limits = LimitSettings()
    attached = [shapes.attachment(shapes.ARMOUR.encode(), name) for name in ("a.txt.gpg", "b.txt.gpg")]
    raw = shapes.mail(shapes.multipart("mixed", shapes.text("x"), *attached))
    opened = one.read_opened(raw, [None, b"http://dentro.example.net/"])
    assert pipeline.read_opened(raw, [None, b"http://dentro.example.net/"], limits) == opened
    assert ["dentro.example.net"] == [found.host for found in opened.indicators]
    assert ["a.txt.gpg", "b.txt"] == [found.name for found in opened.attachments]
    keys = shapes.mail(shapes.multipart("mixed", shapes.attachment(bytes(range(256)), "k", "application/pgp-keys")))
    assert (bytes(range(256)),) == one.read(keys).keys
    assert pipeline.read(raw, limits) == one.read(raw) == one.read_opened(raw, [None, None])


def test_plaintexts_over_the_limit_are_not_sent(made: Made) -> None:
    """All together count; the reader is none the worse for it."""
    one = made(openpgp={"max_output": 10})
    raw = shapes.mail(shapes.encrypted())
    one.read(raw)
    pid = pid_of(one)
    assert "0123456789" == one.read_opened(raw, [b"0123456789"]).report.text
    with pytest.raises(ReadingError, match="larger than 10 bytes"):
        one.read_opened(raw, [b"01234", b"567890"])
    assert pid == pid_of(one)


def test_the_largest_messages_are_opened_within_the_memory(made: Made) -> None:
    """A ciphertext of 25 MB with a plaintext of 25 MB of attachments, under the limit of memory that is the default."""
    one = made(deadline=timedelta(seconds=60))  # it is about memory, and the machine may be busy
    raw = shapes.mail(shapes.encrypted(base64.encodebytes(b"x" * 18_000_000).decode()))
    plaintext = shapes.mail(
        shapes.multipart("mixed", shapes.REPORT, shapes.attachment(b"x" * 18_000_000, "x.bin")), head=""
    )
    assert min(len(raw), len(plaintext)) > 24_000_000
    assert 18_000_000 == one.read_opened(raw, [plaintext]).attachments[0].size


def _fits(word: str, name: str) -> bool:
    try:
        return word.encode(name).decode(name) == word
    except UnicodeEncodeError:
        return False


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (b"open a file", "the reader failed: OSError at "),
        (b"open a socket", "the reader failed: OSError at "),
        (b"write", "the reader failed: OSError at hostile_reader.py:"),
        (b"eat memory", "the reader failed: MemoryError at hostile_reader.py:"),
        (b"raise", "the reader failed: ValueError at hostile_reader.py:"),
        (b"die", "the reader ended with code 3"),
        (b"answer nonsense", "the answer made no sense"),
        (b"answer too much", "a frame of 32000001 bytes is over the limit of 32000000"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_a_reader_that_misbehaves_is_replaced(made: Made, hostile: Path, order: bytes, error: str) -> None:
    """What a message makes its reader do ends in one error, without a word of the message; the next one is read."""
    one = made()
    with pytest.raises(ReadingError) as caught:
        one.read(order + b"\r\n" + report(1))
    assert str(caught.value).startswith(error)
    assert "\x1b" not in str(caught.value)
    assert "case 2" in one.read(report(2)).subject
    assert b"" == hostile.read_bytes()


@pytest.mark.usefixtures("hostile")
def test_an_endless_loop_ends_at_the_deadline(made: Made) -> None:
    """A reader that does not answer in time is killed."""
    one = made(deadline=timedelta(seconds=1))
    one.read(report(1))
    began = time.monotonic()
    with pytest.raises(ReadingError, match="the deadline passed"):
        one.read(b"loop\r\n")
    assert time.monotonic() - began < 3
    assert "case 2" in one.read(report(2)).subject


@pytest.mark.usefixtures("hostile")
def test_an_endless_loop_ends_by_itself_where_nobody_kills_it(made: Made) -> None:
    """The CPU time of a message is limited, and that of the messages before does not count."""
    one = made(deadline=timedelta(seconds=1))
    one._deadline = 60
    with pytest.raises(ReadingError, match=f"the reader ended with signal {signal.SIGXCPU}"):
        one.read(b"loop\r\n")


@pytest.mark.usefixtures("hostile")
def test_a_reader_can_be_interrupted_from_another_thread(made: Made) -> None:
    """Whoever wants to stop does not wait for the deadline."""
    one = made(deadline=timedelta(seconds=60))
    one.interrupt()
    one.read(report(1))
    timer = Timer(0.3, one.interrupt)
    timer.start()
    with pytest.raises(ReadingError, match=f"the reader ended with signal {signal.SIGKILL}"):
        one.read(b"loop\r\n")
    timer.join()
    one.read(report(2))


def test_a_reader_that_was_killed_between_messages_is_replaced(made: Made) -> None:
    """No message is charged with a death that happened while nothing was read."""
    one = made()
    one.read(report(1))
    process = one._process
    assert process is not None
    process.kill()
    process.wait()
    assert "case 2" in one.read(report(2)).subject


def test_a_message_over_the_limit_of_the_intake_is_not_taken(made: Made) -> None:
    """A raw message may be a megabyte over `smtp.max_message`, one byte more ends the reader, not the decider."""
    one = made(smtp={"max_message": 1000})
    head = b"From: a@example.org\r\nSubject: long\r\n\r\n"
    assert "long" == one.read(head + b"x" * (1_001_000 - len(head))).subject
    with pytest.raises(ReadingError):
        one.read(head + b"x" * (1_001_001 - len(head)))
    assert "case 2" in one.read(report(2)).subject


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (("/nowhere/python",), "No such file"),
        ((sys.executable, "-c", "raise SystemExit(4)"), "the reader ended with code 4"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "the reader ended with signal 9"),
    ],
    ids=["absent", "refuses", "is killed"],
)
def test_a_reader_that_cannot_start_is_no_fault_of_a_message(
    made: Made, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], error: str
) -> None:
    """The error is another one, so that no message is charged with it, and each call tries again."""
    one = made()
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_COMMAND", command)
        for _ in range(2):
            with pytest.raises(ReaderStartError, match=error):
                one.read(report(1))
    assert "case 1" in one.read(report(1)).subject


def test_too_little_memory_is_noticed_before_the_first_message(made: Made) -> None:
    """A reader whose memory does not hold the largest message twice does not start, and says why."""
    with pytest.raises(ReaderStartError, match=r"triage\.memory does not hold the largest message twice"):
        made(memory=60_000_000).read(report(1))


def test_closing_twice_is_fine(made: Made) -> None:
    """A reader that was never started, or is closed already, can be closed."""
    one = made()
    one.close()
    one.read(report(1))
    one.close()
    one.close()
    assert one._process is None


def test_a_reader_is_told_its_limits_answers_each_message_and_ends_with_its_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first frame is the start, "ready" comes after the limits are set, an exception becomes an answer."""
    start = reader.Start(limits=LimitSettings(), max_message=5000, max_plaintext=900, memory=10**9, cpu_seconds=7)
    first = reader.REQUEST.dump_json(reader.Request())
    again = reader.REQUEST.dump_json(reader.Request(plaintexts=(False, True, True)))
    frames = [reader.START.dump_json(start), first, report(1), first, report(2), again, report(3), b"1" * 600, b"2"]
    asked: list[int] = []
    events: list[object] = []

    def receive(fd: int, limit: int) -> bytes:
        assert 0 == fd
        asked.append(limit)
        if not frames:
            raise wire.WireError("the other process closed its end")
        return frames.pop(0)

    def read(raw: bytes, limits: LimitSettings) -> pipeline.Reading:
        if raw == report(2):
            raise ValueError("\x1b[2J")
        return pipeline.__dict__["_as_always"](raw, limits)  # type: ignore[no-any-return]

    monkeypatch.setattr(pipeline, "_as_always", pipeline.read, raising=False)
    monkeypatch.setattr(pipeline, "read", read)
    monkeypatch.setattr(wire, "receive", receive)
    monkeypatch.setattr(wire, "send", lambda fd, payload: events.append((fd, payload)))
    monkeypatch.setattr(resource, "setrlimit", lambda name, values: events.append((name, values)))
    before = signal.getsignal(signal.SIGINT)
    try:
        reader.main()
    finally:
        signal.signal(signal.SIGINT, before)
    limited = dict(event for event in events[:4] if isinstance(event, tuple))
    assert {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_AS: (10**9, 10**9),
        resource.RLIMIT_NOFILE: (3, 3),
    } == limited
    assert (1, b"ready") == events[4]
    answers = [event for event in events[5:] if isinstance(event, tuple) and event[0] == 1]
    assert "Brute force from 192.0.2.2 (case 1)" == json.loads(answers[0][1])["subject"]
    assert answers[1][1].startswith(b"!ValueError at test_reading.py:")
    assert [1_000_000, 1000, 5000, 1000, 5000, 1000, 5000, 900, 300, 1000] == asked
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = [event[1] for event in events if isinstance(event, tuple) and event[0] == resource.RLIMIT_CPU]
    assert all(
        0 <= used.ru_utime + used.ru_stime + 9 - soft < 10 and hard == resource.RLIM_INFINITY for soft, hard in cpu
    )
