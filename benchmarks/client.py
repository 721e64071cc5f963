"""A lean SMTP client for load: kept connections, messages made before the clock starts, nothing parsed."""

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

_DATA = b"DATA\r\n"
_A_CONNECTION = 200
"""Messages in one connection: `smtp.max_commands` is 1000 by default."""
_END = b"\r\n.\r\n"


def send_all(port: int, messages: Sequence[tuple[str, bytes]], sessions: int) -> list[float]:
    """Send (sender, text) pairs over so many connections; returns seconds from the end of DATA to "250" of each."""
    shares = [messages[start::sessions] for start in range(sessions)]
    with ThreadPoolExecutor(sessions) as pool:
        return [latency for share in pool.map(partial(_share, port), shares) for latency in share]


def _share(port: int, messages: Sequence[tuple[str, bytes]]) -> list[float]:
    latencies: list[float] = []
    for start in range(0, len(messages), _A_CONNECTION):
        _session(port, messages[start : start + _A_CONNECTION], latencies)
    return latencies


def _session(port: int, messages: Sequence[tuple[str, bytes]], latencies: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _expect(answers, b"220")
        connection.sendall(b"HELO bench.example.org\r\n")
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
    if not line.startswith(code):
        raise RuntimeError(f"expected {code!r}, got {line!r}")
