"""A lean SMTP client for load: kept connections, messages made before the clock starts, nothing parsed."""

import socket
import threading
import time
from collections.abc import Sequence

_DATA = b"DATA\r\n"
_END = b"\r\n.\r\n"


def send_all(port: int, messages: Sequence[tuple[str, bytes]], sessions: int) -> list[float]:
    """Send (sender, text) pairs over so many connections; returns seconds from the end of DATA to "250" of each."""
    latencies: list[float] = []
    shares = [messages[start::sessions] for start in range(sessions)]
    threads = [threading.Thread(target=_session, args=(port, share, latencies)) for share in shares if share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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
