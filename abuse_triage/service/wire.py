"""Frames between two of our processes: a length, then so many bytes; never more than was agreed."""

import io
import os
import select
import struct
import time

from abuse_triage.errors import TemporaryError

_LENGTH = struct.Struct(">I")
_CHUNK = 1 << 20


class WireError(TemporaryError):
    """Ours: the other process is gone, too slow, or breaks the agreement."""


def frame(payload: bytes) -> bytes:
    """Return a payload with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


def send(fd: int, payload: bytes, *, deadline: float | None = None) -> None:
    """Write one frame; `deadline` is on the monotonic clock, None waits for ever."""
    poll = _poll(fd, select.POLLOUT)
    rest = memoryview(payload)
    _write(fd, memoryview(_LENGTH.pack(len(payload)) + rest[:_CHUNK]), poll, deadline)
    _write(fd, rest[_CHUNK:], poll, deadline)  # as it is: a large payload is not copied


def receive(fd: int, limit: int, *, deadline: float | None = None) -> bytes:
    """Read one frame of at most `limit` bytes; "" of length 0 is a frame, the end of the stream a `WireError`."""
    poll = _poll(fd, select.POLLIN)
    (length,) = _LENGTH.unpack(_exactly(fd, _LENGTH.size, poll, deadline))
    if length > limit:
        raise WireError(f"a frame of {length} bytes is over the limit of {limit}")
    return _exactly(fd, length, poll, deadline)


def _write(fd: int, view: memoryview, poll: select.poll, deadline: float | None) -> None:
    while view:
        _wait(poll, deadline)
        try:
            view = view[os.write(fd, view[:_CHUNK]) :]
        except BlockingIOError:
            continue
        except OSError as error:
            raise WireError("the other process closed its end") from error


def _exactly(fd: int, count: int, poll: select.poll, deadline: float | None) -> bytes:
    payload = io.BytesIO()  # hands over what it holds, where joining chunks would copy it
    while count:
        _wait(poll, deadline)
        try:
            chunk = os.read(fd, min(count, _CHUNK))
        except BlockingIOError:
            continue
        if not chunk:
            raise WireError("the other process closed its end")
        payload.write(chunk)
        count -= len(chunk)
    return payload.getvalue()


def _poll(fd: int, event: int) -> select.poll:
    poll = select.poll()
    poll.register(fd, event)
    return poll


def _wait(poll: select.poll, deadline: float | None) -> None:
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise WireError("the deadline passed")
