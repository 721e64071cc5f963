"""Frames between processes: whole or not at all, within limit and deadline."""

import os
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_triage.service import wire

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Give the two ends of a pipe, to read from and to write to."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


@given(st.lists(st.binary(max_size=2000), max_size=5))
def test_what_was_sent_is_received(payloads: list[bytes]) -> None:
    """Frames come out as they went in, in order, empty ones too."""
    source, sink = os.pipe()
    try:
        for payload in payloads:
            wire.send(sink, payload)
        assert payloads == [wire.receive(source, 2000) for _ in payloads]
    finally:
        os.close(source)
        os.close(sink)


def test_a_frame_larger_than_the_pipe_passes_in_pieces(pipe: Pipe) -> None:
    """A sender that must not block writes piece by piece while the other end reads."""
    source, sink = pipe
    os.set_blocking(sink, False)
    payload = os.urandom(3_000_000)
    sender = threading.Thread(target=wire.send, args=(sink, payload), kwargs={"deadline": time.monotonic() + 30})
    sender.start()
    assert payload == wire.receive(source, len(payload), deadline=time.monotonic() + 30)
    sender.join()


def test_a_receiver_that_must_not_block_waits_for_every_piece(pipe: Pipe) -> None:
    """A frame that trickles in byte by byte is received whole."""
    source, sink = pipe
    os.set_blocking(source, False)

    def trickle() -> None:
        for byte in wire.frame(b"slow"):
            os.write(sink, bytes([byte]))
            time.sleep(0.005)

    writer = threading.Thread(target=trickle)
    writer.start()
    assert b"slow" == wire.receive(source, 4, deadline=time.monotonic() + 30)
    writer.join()


def test_an_end_that_is_not_ready_yet_is_asked_again(pipe: Pipe) -> None:
    """Without a deadline nobody waits for the ends, and one that would block is tried until it does not."""
    source, sink = pipe
    os.set_blocking(source, False)
    os.set_blocking(sink, False)
    payload = b"x" * 1_000_000
    sender = threading.Thread(target=wire.send, args=(sink, payload))
    sender.start()
    assert payload == wire.receive(source, len(payload))
    sender.join()


@pytest.mark.parametrize(("length", "limit"), [(10, 10), (0, 0), (11, 10), (4_294_967_295, 32_000_000)])
def test_the_limit_is_met_before_anything_is_read(pipe: Pipe, length: int, limit: int) -> None:
    """A frame of exactly the limit is received, one byte more is refused by its announcement alone."""
    source, sink = pipe
    if length <= limit:
        wire.send(sink, b"x" * length)
        assert b"x" * length == wire.receive(source, limit)
    else:
        os.write(sink, length.to_bytes(4, "big"))
        with pytest.raises(wire.WireError, match=f"{length} bytes is over the limit of {limit}"):
            wire.receive(source, limit)


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\5abc"])
def test_the_end_of_the_stream_is_no_frame(pipe: Pipe, sent: bytes) -> None:
    """A peer that closes before or inside a frame is an error, with a deadline and without."""
    source, sink = pipe
    os.write(sink, sent)
    os.close(sink)
    with pytest.raises(wire.WireError, match="closed its end"):
        wire.receive(source, 100)
    with pytest.raises(wire.WireError, match="closed its end"):
        wire.receive(source, 100, deadline=time.monotonic() + 5)


@pytest.mark.parametrize("seconds", [None, 5])
def test_sending_to_nobody_is_an_error(pipe: Pipe, seconds: float | None) -> None:
    """A peer that closed its end is an error for the sender, with a deadline and without."""
    source, sink = pipe
    os.close(source)
    with pytest.raises(wire.WireError, match="closed its end"):
        wire.send(sink, b"x", deadline=None if seconds is None else time.monotonic() + seconds)


@pytest.mark.parametrize("seconds", [-1, 0.1])
def test_a_silent_peer_ends_the_wait_at_the_deadline(pipe: Pipe, seconds: float) -> None:
    """Receiving and sending both end at the deadline, also where it has passed before."""
    source, sink = pipe
    began = time.monotonic()
    with pytest.raises(wire.WireError, match="deadline"):
        wire.receive(source, 100, deadline=began + seconds)
    os.set_blocking(sink, False)
    with pytest.raises(wire.WireError, match="deadline"):
        wire.send(sink, b"x" * 1_000_000, deadline=began + seconds + 0.1)
    assert time.monotonic() - began < 2
