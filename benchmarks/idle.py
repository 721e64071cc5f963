"""What a connection costs the intake that says nothing: 1,000 of each kind, against a limit of 20 kB.

Each has greeted; those with TLS have negotiated it. What TLS needs for its buffers is told beside the limit.
"""

import argparse
import json
import resource
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from served import Served, intake

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from dialogue import certificate, trusting

AIM_KB = 20
KINDS = ("SMTP", "LMTP", "LMTP, socket", "SMTP, TLS")
_FILES = 100


def main() -> None:
    """Measure, print and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    count = parser.parse_args().connections
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + _FILES, hard))  # the intake raises its own
    figures = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="idle-") as name:
            folder = Path(name)
            (folder / "certificate.pem").touch(0o600)
            (folder / "certificate.pem").write_bytes(certificate())
            smtp = f'max_connections = {count + 1}\ncertificate = "certificate.pem"\n'
            with intake(folder, smtp) as server:
                figures[kind] = _kilobytes(server, kind, count)
        aim = "" if "TLS" in kind else f", aim {AIM_KB}"
        print(f"{kind}: {figures[kind]:.1f} kB for each of {count} idle connections{aim}", flush=True)
    print(json.dumps({"benchmark": "idle", "kb": {kind: round(value, 1) for kind, value in figures.items()}}))


def _kilobytes(server: Served, kind: str, count: int) -> float:
    """Open connections that have said who they are; return the kB that each of them made the intake larger."""
    with ExitStack() as clients:
        for _ in range(10):  # what the first ones cost belongs to the intake
            clients.enter_context(_greeted(server, kind))
        before = server.memory("VmRSS")
        for _ in range(count - 10):
            clients.enter_context(_greeted(server, kind))
        return (server.memory("VmRSS") - before) / (count - 10) / 1000


def _greeted(server: Served, kind: str) -> socket.socket:
    if kind == "LMTP, socket":
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(server.lmtp_socket))
    else:
        client = socket.create_connection(("127.0.0.1", server.port if "SMTP" in kind else server.lmtp_port))
    client.settimeout(30)
    _expect(client.recv(1000), b"220")
    _say(client, b"EHLO client.example.org" if "SMTP" in kind else b"LHLO client.example.org", b"250")
    if "TLS" in kind:
        _say(client, b"STARTTLS", b"220")
        client = trusting().wrap_socket(client, server_hostname="mail.example.pt")
        _say(client, b"EHLO client.example.org", b"250")
    return client


def _say(client: socket.socket, line: bytes, code: bytes) -> None:
    client.sendall(line + b"\r\n")
    _expect(client.recv(1000), code)


def _expect(answer: bytes, code: bytes) -> None:
    if not answer.startswith(code):
        raise RuntimeError(f"expected {code!r}, got {answer!r}")


if __name__ == "__main__":
    main()
