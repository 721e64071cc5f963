"""A real WHOIS server on a loopback port, with made-up registrations in the shapes of real registries, and faults.

As a program: `python tests/servers/whois.py [--port 4343] [--fault drip]`.
"""

import argparse
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

PT = """\
Domain: example.pt\r
Domain Status: Registered\r
Creation Date: 14/01/1997 00:00:00\r
Expiration Date: 20/07/2027 23:59:42\r
Owner Name: Padaria Exemplo, Lda.\r
Owner Address: Rua das Flores, 1\r
Owner Locality: Évora\r
Owner ZipCode: 7000-000\r
Owner Locality ZipCode: Évora\r
Owner Country Code: PT\r
Owner Email: dominios@example.pt\r
Admin Name: Registos Exemplo S.A.\r
Admin Address: Avenida do Exemplo, 2\r
Admin Locality: Lisboa\r
Admin ZipCode: 1000-000\r
Admin Locality ZipCode: Lisboa\r
Admin Country Code: PT\r
Admin Email: dominios@registos.example\r
Name Server: ns1.example.pt | IPv4: 192.0.2.53 and IPv6: 2001:db8::53\r
Name Server: ns2.example.net | IPv4:  and IPv6: \r
"""
"""As whois.dns.pt answers about an organisation's name."""

PT_PERSON = """\
Domain: maria-exemplo.pt\r
Domain Status: Registered\r
Creation Date: 03/08/2021 12:00:00\r
Expiration Date: 03/08/2027 23:59:59\r
Owner Name: Maria Exemplo da Silva\r
Owner Address: Rua do Teste, 3\r
Owner Locality: Braga\r
Owner ZipCode: 4700-000\r
Owner Locality ZipCode: Braga\r
Owner Country Code: PT\r
Owner Email: maria@example.org\r
Admin Name: Registos Exemplo S.A.\r
Admin Email: dominios@registos.example\r
Name Server: ns1.registos.example | IPv4:  and IPv6: \r
"""
"""As whois.dns.pt answers about the name of a person who agreed to be shown."""

PT_OLD = """\
Nome de domínio / Domain Name: antigo.pt\r
Data de registo / Creation Date (dd/mm/yyyy): 09/01/2003\r
Data de expiração / Expiration Date (dd/mm/yyyy): 31/10/2017\r
Estado / Status: ACTIVE\r
\r
Titular / Registrant\r
   Associação Exemplo\r
   Rua do Teste, 3\r
   1000-000 Lisboa\r
   Email: geral@antigo.pt\r
\r
Entidade Gestora / Billing Contact\r
   Registos Exemplo S.A.\r
   Email: dominios@registos.example\r
\r
Responsável Técnico / Tech Contact\r
   Registos Exemplo S.A.\r
   Email: noc@registos.example\r
\r
Nameserver Information\r
   Nameserver: antigo.pt \tNS \tns1.antigo.pt.\r
   Nameserver: antigo.pt \tNS \tns2.example.net.\r
   Nameserver: ns1.antigo.pt. \tA \t192.0.2.53\r
"""
"""As whois.dns.pt answered until 2018, in ISO-8859-1."""

THICK = """\
Domain Name: EXAMPLE.ORG\r
Registry Domain ID: 1234567-EXAMPLE\r
Registrar WHOIS Server: whois.registrar.example\r
Registrar URL: http://www.registrar.example\r
Updated Date: 2026-08-14T07:01:44Z\r
Creation Date: 1995-08-31T04:00:00Z\r
Registry Expiry Date: 2027-08-30T04:00:00Z\r
Registrar: Example Registrar, Inc.\r
Registrar IANA ID: 9999\r
Registrar Abuse Contact Email: abuse@registrar.example\r
Registrar Abuse Contact Phone: +1.5550100\r
Domain Status: clientTransferProhibited https://icann.org/epp#clientTransferProhibited\r
Domain Status: serverDeleteProhibited https://icann.org/epp#serverDeleteProhibited\r
Registrant Organization: Example Foundation\r
Registrant State/Province: CA\r
Registrant Country: US\r
Registrant Email: REDACTED FOR PRIVACY\r
Name Server: NS1.EXAMPLE.NET\r
Name Server: NS2.EXAMPLE.NET\r
DNSSEC: signedDelegation\r
DNSSEC DS Data: 370 13 2 BE74359954660069D5C63D200C39F5603827D7DD02B56F120EE9F3A86764247C\r
URL of the ICANN Whois Inaccuracy Complaint Form: https://www.icann.org/wicf/\r
>>> Last update of WHOIS database: 2026-11-22T02:00:00Z <<<\r
\r
For more information on Whois status codes, please visit https://icann.org/epp\r
\r
Terms of Use: Access to WHOIS information is provided to assist persons in determining the contents of a domain name\r
registration record. Queries that have exceeded your share are not found here, and access denied may follow.\r
"""
"""As a registry of a generic top-level domain answers that keeps everything itself."""

ANSWERS = {"example.pt": PT, "maria-exemplo.pt": PT_PERSON, "antigo.pt": PT_OLD, "example.org": THICK}
REFUSAL = "%% Query rate limit exceeded. Please try again later.\r\n"
FAULTS = (
    "none",
    "refusal",
    "drip",  # a character each 0.1 s
    "endless",
    "reset",
    "silent",  # never answers
    "open",  # answers and never closes
    "latin-1",
    "empty",
)
"""What may happen to every question."""


class WhoisServer:
    """The server, in a thread for each connection; a context manager.

    `queries` are the octets of each question as they came, `connections` counts what was accepted. `delay` is the
    seconds before each answer.
    """

    def __init__(
        self,
        answers: Mapping[str, str] | None = None,
        *,
        fault: str = "none",
        delay: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Bind; a name without an answer has no match."""
        assert fault in FAULTS
        self.answers = dict(ANSWERS if answers is None else answers)
        self.fault = fault
        self.delay = delay
        self.queries: list[bytes] = []
        self.connections = 0
        self.closing = threading.Event()
        self._server = _Server((host, port), self)
        self.port = int(self._server.server_address[1])
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def names(self) -> list[str]:
        """Return the names that were asked about, in order."""
        return [query.decode("ascii").removesuffix("\r\n") for query in self.queries]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False  # server_close() waits for the answers that are under way
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], owner: WhoisServer) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.owner = owner
        super().__init__(address, _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that had enough go without a word."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Read one line and answer it, in the way that the fault says."""
        owner = self.server.owner
        owner.connections += 1
        self.request.settimeout(10)
        query = b""
        while not query.endswith(b"\n"):
            piece = self.request.recv(1000)
            if not piece:
                return
            query += piece
        owner.queries.append(query)
        owner.closing.wait(owner.delay)
        name = query.decode("latin-1").strip().lower()
        self._answer(owner, owner.answers.get(name, f"{name} - No Match\r\n"))

    def _answer(self, owner: WhoisServer, text: str) -> None:
        match owner.fault:
            case "refusal":
                self.request.sendall(REFUSAL.encode())
            case "drip":
                self._drip(text.encode())
            case "endless":
                while not owner.closing.is_set():
                    self.request.sendall(b"Owner Name: again and again\r\n" * 1000)
            case "reset":
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.request.close()
            case "silent":
                owner.closing.wait(30)
            case "open":
                self.request.sendall(text.encode())
                owner.closing.wait(30)
            case "empty":
                pass
            case fault:
                self.request.sendall(text.encode("latin-1" if fault == "latin-1" else "utf-8"))

    def _drip(self, octets: bytes) -> None:
        for octet in octets:
            if self.server.owner.closing.wait(0.1):
                return
            self.request.sendall(bytes([octet]))


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fault", choices=FAULTS, default="none")
    options = parser.parse_args()
    with WhoisServer(fault=options.fault, delay=options.delay, port=options.port) as server:
        print(server.address, flush=True)  # noqa: T201 -- tells its port
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
