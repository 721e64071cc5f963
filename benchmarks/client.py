"""A lean SMTP and LMTP client for load: kept connections, messages made before the clock starts, nothing parsed."""

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

SMTP, LMTP = b"HELO", b"LHLO"
"""How a session begins, which is all the difference while each message has one recipient."""
_DATA = b"DATA\r\n"
_A_CONNECTION = 200
"""Messages in one connection: `smtp.max_commands` is 1000 by default."""
_END = b"\r\n.\r\n"


class RefusedError(RuntimeError):
    """The server gave another answer than the one that was wanted."""


def send_all(port: int, messages: Sequence[tuple[str, bytes]], sessions: int, greeting: bytes = SMTP) -> list[float]:
    """Send (sender, text) pairs over so many connections; returns seconds from the end of DATA to "250" of each."""
    shares = [messages[start::sessions] for start in range(sessions)]
    with ThreadPoolExecutor(sessions) as pool:
        return [latency for share in pool.map(partial(_share, port, greeting), shares) for latency in share]


def _share(port: int, greeting: bytes, messages: Sequence[tuple[str, bytes]]) -> list[float]:
    latencies: list[float] = []
    for start in range(0, len(messages), _A_CONNECTION):
        _session(port, greeting, messages[start : start + _A_CONNECTION], latencies)
    return latencies


def _session(port: int, greeting: bytes, messages: Sequence[tuple[str, bytes]], latencies: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _expect(answers, b"220")
        connection.sendall(greeting + b" bench.example.org\r\n")
        _expect(answers, b"250")
        for sender, text in messages:
            connection.sendall(f"MAIL FROM:<{sender}>\r\nRCPT TO:<abuse@example.pt>\r\n".encode() + _DATA)
            _expect(answers, b"250")
            _expect(answers, b"250")
            _expect(answers, b"354")
            connection.sendall(text + _END)
            sent_at = time.perf_counter()
            _expect(answers, b"250")
            latencies.append(time.perf_counter() - sent_at)
        connection.sendall(b"QUIT\r\n")


def _expect(answers: "socket.SocketIO", code: bytes) -> None:
    line = answers.readline()
    while line.startswith(code + b"-"):
        line = answers.readline()
    if not line.startswith(code):
        raise RefusedError(f"expected {code!r}, got {line!r}")
