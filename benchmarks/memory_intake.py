"""How much memory of the intake one message of 25 MB costs at its peak, and what idle connections cost."""

import argparse
import json
import random
import smtplib
import socket
import tempfile
from base64 import encodebytes
from pathlib import Path

from served import Served, intake

SIZE = 25_000_000
IDLE = 190


def main() -> None:
    """Measure, print and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None, help="where the store is")
    folder = parser.parse_args().folder
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=folder) as name, intake(Path(name) / "one") as server:
        _send(server, b"Subject: small\r\n\r\nsmall\r\n")
        base = server.memory("VmHWM")
        text = _text()
        _send(server, text)
        figures["base_mb"] = base / 1e6
        figures["message_mb"] = len(text) / 1e6
        figures["times_its_size"] = (server.memory("VmHWM") - base) / len(text)
        for _ in range(3):
            _send(server, text)
        figures["times_its_size_after_four"] = (server.memory("VmHWM") - base) / len(text)
    with tempfile.TemporaryDirectory(dir=folder) as name, intake(Path(name) / "idle") as server:
        _send(server, b"Subject: small\r\n\r\nsmall\r\n")
        base = server.memory("VmRSS")
        clients = [_greeted(server) for _ in range(IDLE)]
        figures["idle_connection_kb"] = (server.memory("VmRSS") - base) / IDLE / 1e3
        for client in clients:
            client.close()
    for key, value in figures.items():
        print(f"{key:>28} {value:8.2f}")
    print(json.dumps({"benchmark": "memory_intake"} | {key: round(value, 2) for key, value in figures.items()}))


def _send(server: Served, text: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("reporter@example.org", ["abuse@example.pt"], text)


def _text() -> bytes:
    """Write a message with a random attachment in base64, which compresses as attachments do."""
    data = encodebytes(random.Random(1).randbytes(SIZE * 57 // 78)).replace(b"\n", b"\r\n")
    return b"Subject: large\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data


def _greeted(server: Served) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port))
    client.recv(1000)
    client.sendall(b"EHLO client.example.org\r\n")
    client.recv(1000)
    return client


if __name__ == "__main__":
    main()
