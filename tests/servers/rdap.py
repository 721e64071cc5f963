"""A real RDAP server on a loopback port: five registries of addresses, registries of names, and what can go wrong.

    with RdapServer() as server:
        server.networks["ripe"] = [registries.ripe("192.0.2.0/24")]
        server.domains["org"] = {"example.org": registries.domain("example.org")}
        server.abuse["192.0.2.7"] = ["abuse@example.org"]
        server.faults["/ripe/ip/192.0.2.9"] = too_many("120")
        … ask server.base("ripe") + "/ip/192.0.2.7", server.base("org") + "/domain/example.org" or
          server.base("rest") + "/abuse-contact/192.0.2.7.json" …
        assert ["/ripe/ip/192.0.2.7"] == server.paths

The first part of a path is the service, so that one server plays all of them. An address gets the smallest network of
the service that holds it. A fault counts for the paths that begin with its key, the longest key first, "/" for all;
`latency` is waited before each answer. `servers/registries.py` has documents in the shape of each registry.
"""

import contextlib
import http.server
import itertools
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from servers.https import certificate

from abuse_triage.lookups.exchange import Reach

Fault = Callable[["Conversation"], None]
"""Answers a request in its own way; a connection ends behind it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came: its path, and the fields of its header by name in small letters."""

    path: str
    fields: dict[str, str]

    @property
    def host(self) -> str:
        """Return what the client calls us, with the port."""
        return self.fields.get("host", "")


class RdapServer:
    """Serves in a thread for each connection; a context manager. `names` make it HTTPS, with a certificate of them."""

    def __init__(self, *names: str) -> None:
        """Bind; `asked` is the log of all requests, `connections` counts what was accepted."""
        self.networks: dict[str, list[dict[str, Any]]] = {}
        self.domains: dict[str, dict[str, dict[str, Any]]] = {}
        self.abuse: dict[str, list[str]] = {}
        self.faults: dict[str, Fault] = {}
        self.latency = 0.0
        self.asked: list[Asked] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._accepting = threading.Event()
        self._accepting.set()
        self._pem = certificate(*names) if names else b""
        self._server = _Listener(self, _server_tls(self._pem) if names else None)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._accepting.set()
        self._server.shutdown()
        self._server.server_close()  # waits for the conversations
        self._thread.join(10)

    @property
    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [asked.path for asked in self.asked]

    def base(self, service: str) -> str:
        """Return the base URL of a service, as the configuration takes it."""
        return f"http://127.0.0.1:{self.port}/{service}"

    def reach(self, *hosts: str) -> Reach:
        """Return how a client reaches it by HTTPS: these hosts exist, and are here, whatever port is theirs."""
        context = ssl.create_default_context()
        if self._pem:
            context.load_verify_locations(cadata=self._pem[self._pem.index(b"-----BEGIN CERTIFICATE") :].decode())
        return Reach(
            resolve=lambda host, _deadline: ("127.0.0.1",) if host in hosts else (),
            refuse=lambda address: "" if address == "127.0.0.1" else "not loopback",
            tls=context,
            port=self.port,
        )

    def accept_nobody(self) -> None:
        """Let connections wait in the queue of the system, until `accept_again`."""
        self._accepting.clear()

    def accept_again(self) -> None:
        """Take those that wait."""
        self._accepting.set()

    def wait_to_accept(self) -> None:
        """Wait as long as nobody is to be accepted."""
        self._accepting.wait(60)

    def document(self, path: str) -> dict[str, Any] | None:
        """Return what stands at a path."""
        match path.removeprefix("/").split("/"):
            case [service, "ip", address]:
                return self._network(service, address)
            case [service, "domain", name]:
                return self.domains.get(service, {}).get(name)
            case ["rest", "abuse-contact", file] if file.removesuffix(".json") in self.abuse:
                return abuse_contacts(file.removesuffix(".json"), self.abuse[file.removesuffix(".json")])
        return None

    def fault(self, path: str) -> Fault | None:
        """Return what is to go wrong there."""
        prefix = max((prefix for prefix in self.faults if path.startswith(prefix)), key=len, default=None)
        return None if prefix is None else self.faults[prefix]

    def _network(self, service: str, text: str) -> dict[str, Any] | None:
        address = ip_address(text)
        around = []
        for network in self.networks.get(service, []):
            first, last = _ends(network)
            if first.version == address.version and int(first) <= int(address) <= int(last):
                around.append((int(last) - int(first), network))
        return min(around, key=lambda pair: pair[0])[1] if around else None


def too_many(retry_after: str = "") -> Fault:
    """Refuse for now (status 429), with Retry-After if given."""
    return status(429, *((("Retry-After", retry_after),) if retry_after else ()))


def status(code: int, *fields: tuple[str, str]) -> Fault:
    """Answer with an error in the form of RDAP (RFC 9083 section 6), and these fields in the header."""
    document = {"errorCode": code, "title": "Something is wrong", "description": ["for the test"]}
    return lambda talk: talk.reply(document, *fields, code=code)


def redirect(location: str, code: int = 302) -> Fault:
    """Lead somewhere else."""
    return lambda talk: talk.reply({}, ("Location", location), code=code)


def body(octets: bytes, content_type: str = "application/rdap+json") -> Fault:
    """Answer with these octets as they are: broken or cut JSON, another type."""
    return lambda talk: talk.octets(octets, ("Content-Type", content_type))


def json_body(document: object) -> Fault:
    """Answer with any JSON."""
    return body(json.dumps(document).encode())


def large(octets: int = 200_000_000, *, told: bool = True) -> Fault:
    """Answer with a text that is too long; `told` says so in Content-Length."""

    def reply(talk: "Conversation") -> None:
        length = (("Content-Length", str(octets)),) if told else ()
        talk.start(200, ("Content-Type", "application/rdap+json"), *length)
        talk.send(b'{"name": "')
        for _ in range(octets // 1_000_000):
            talk.send(b"x" * 1_000_000)

    return reply


def drip(seconds_between: float = 0.05, content: bytes = b"") -> Fault:
    """Answer octet by octet: these octets, or blanks without an end."""

    def reply(talk: "Conversation") -> None:
        talk.start(200, ("Content-Type", "application/rdap+json"))
        octets = (content[i : i + 1] for i in range(len(content))) if content else itertools.repeat(b" ")
        for octet in octets:
            talk.send(octet)
            if talk.wait(seconds_between):
                return

    return reply


def silence(talk: "Conversation") -> None:
    """Never answer, and keep the connection."""
    talk.wait(60)


def cut(talk: "Conversation") -> None:
    """Tell a length, and close in the middle."""
    talk.start(200, ("Content-Type", "application/rdap+json"), ("Content-Length", "1000"))
    talk.send(b'{"handle": ')


def reset(talk: "Conversation") -> None:
    """Reset the connection without an answer."""
    talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.connection.close()


def abuse_contacts(resource: str, mailboxes: list[str]) -> dict[str, Any]:
    """Return an answer of RIPE's service for abuse contacts."""
    return {
        "service": "abuse-contact",
        "link": {"type": "locator", "href": f"https://rest.example.org/abuse-contact/{resource}"},
        "parameters": {"primary-key": {"value": resource}},
        "abuse-contacts": {
            "key": "AR1-EXAMPLE" if mailboxes else "",
            "email": mailboxes[0] if mailboxes else "",
            "suspect": False,
            "org-id": "ORG-EX1-EXAMPLE" if mailboxes else "",
        },
    }


class Conversation(http.server.BaseHTTPRequestHandler):
    """One request and its answer."""

    server: "_Listener"

    def setup(self) -> None:
        """Give up on a client that says nothing."""
        self.timeout = 30
        super().setup()

    def do_GET(self) -> None:
        """Log the request, and answer, or do what is wrong."""
        rdap = self.server.rdap
        rdap.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}))
        if self.wait(rdap.latency):
            return
        self.close_connection = True
        with contextlib.suppress(OSError):  # a client that has heard enough
            if fault := rdap.fault(self.path):
                fault(self)
            elif (document := rdap.document(self.path)) is not None:
                self.reply(document)
            else:
                status(404)(self)

    def reply(self, document: object, *fields: tuple[str, str], code: int = 200) -> None:
        """Answer with JSON."""
        self.octets(json.dumps(document).encode(), ("Content-Type", "application/rdap+json"), *fields, code=code)

    def octets(self, content: bytes, *fields: tuple[str, str], code: int = 200) -> None:
        """Answer with a body of known length."""
        self.start(code, ("Content-Length", str(len(content))), *fields)
        self.send(content)

    def start(self, code: int, *fields: tuple[str, str]) -> None:
        """Send the header."""
        self.send_response(code)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def send(self, content: bytes) -> None:
        """Send so much of a body."""
        self.wfile.write(content)
        self.wfile.flush()

    def wait(self, seconds: float) -> bool:
        """Wait, and return whether the server stops."""
        return self.server.rdap.stopping.wait(seconds)

    def log_message(self, *_: object) -> None:
        """Say nothing: `asked` is the log."""


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, rdap: RdapServer, tls: ssl.SSLContext | None) -> None:
        self.rdap = rdap
        self._tls = tls
        super().__init__(("127.0.0.1", 0), Conversation)

    def get_request(self) -> tuple[socket.socket, Any]:
        self.rdap.wait_to_accept()
        connection, peer = super().get_request()
        self.rdap.connections += 1
        if self._tls is not None:  # the handshake comes with the first octet that the thread reads
            connection.settimeout(30)
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let clients go without a word."""


def _server_tls(pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pem"
        file.write_bytes(pem)
        context.load_cert_chain(file)
    return context


def _ends(network: dict[str, Any]) -> tuple[Any, Any]:
    """Return the ends of a network; LACNIC's and others' padding with noughts is understood."""
    return ip_address(_unpadded(network["startAddress"])), ip_address(_unpadded(network["endAddress"]))


def _unpadded(text: str) -> str:
    return text if ":" in text else ".".join(str(int(part)) for part in text.split("."))
