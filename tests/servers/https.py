"""A real HTTPS server on a loopback port, whose answers a test writes octet by octet."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from abuse_triage.lookups.exchange import Reach

Reply = Callable[[str, str, ssl.SSLSocket], None]
"""Answers a request for host and path on a connection."""


@cache
def certificate(*names: str) -> bytes:
    """Make a certificate of these names with its key, in PEM, once for all tests of a process."""
    with TemporaryDirectory() as folder:
        key, chain = Path(folder) / "key", Path(folder) / "chain"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
        extensions = (f"subjectAltName={','.join(f'DNS:{name}' for name in names)}", "keyUsage=digitalSignature")
        more = (word for extension in extensions for word in ("-addext", extension))
        files = ("-keyout", key, "-out", chain)
        subprocess.run((*command.split(), *more, *files), check=True, capture_output=True)
        return key.read_bytes() + chain.read_bytes()


def answer(body: bytes = b"", status: str = "200 OK", *fields: str) -> bytes:
    """Return a whole answer with its length."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class HttpsServer:
    """Serves in a thread for each connection; `asked` are the requests, as host and path.

    A reply is either the octets to send, or a function that does what it likes.
    """

    def __init__(self, reply: bytes | Reply, *names: str) -> None:
        """Bind; `names` are those of the certificate."""
        self.reply = reply
        self.asked: list[tuple[str, str]] = []
        self.requests: list[str] = []
        self._pem = certificate(*(names or ("example.pt", "openpgpkey.example.pt")))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            file = Path(folder) / "pem"
            file.write_bytes(self._pem)
            self._context.load_cert_chain(file)
        self._threads = [threading.Thread(target=self._serve)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def trusted(self) -> ssl.SSLContext:
        """Return what a client needs that trusts this server's certificate, and verifies names as always."""
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self._pem[self._pem.index(b"-----BEGIN CERTIFICATE") :].decode())
        return context

    def reach(self, **hosts: str) -> Reach:
        """Return how a test reaches it: the hosts exist that are named (with "_" for "."), and loopback is allowed."""
        known = {name.replace("_", "."): address for name, address in hosts.items()}
        return Reach(
            resolve=lambda host, _deadline: (known[host],) if host in known else (),
            refuse=lambda address: "" if address == "127.0.0.1" else "not loopback",
            tls=self.trusted(),
            port=self.port,
        )

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._talk, args=(plain,))
            self._threads.append(thread)
            thread.start()

    def _talk(self, plain: socket.socket) -> None:
        # A client that distrusts the certificate, or has heard enough, goes without a word.
        with contextlib.suppress(OSError), plain, self._context.wrap_socket(plain, server_side=True) as stream:
            stream.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                piece = stream.recv(4096)
                if not piece:
                    return
                request += piece
            text = request.decode("ascii")
            host = text.split("\r\nHost: ")[1].split("\r\n")[0]
            path = text.split(" ")[1]
            self.requests.append(text)
            self.asked.append((host, path))
            if isinstance(self.reply, bytes):
                stream.sendall(self.reply)
            else:
                self.reply(host, path, stream)
