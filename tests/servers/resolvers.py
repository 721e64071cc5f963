"""Resolvers that behave badly, on loopback ports: each counts the questions that it gets."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Reply = Callable[[dns.message.Message], bytes | None]


class FakeResolver:
    """A UDP socket that answers what `reply` says, or nothing; `address` is what `authentication.resolver` takes."""

    def __init__(self, reply: Reply = lambda _query: None) -> None:
        """Bind; questions are taken from `__enter__` on."""
        self.reply = reply
        self.questions: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            self.questions.append(str(query.question[0]))
            answer = self.reply(query)
            if answer is not None:
                self._socket.sendto(answer, client)


def texts(*records: str, ttl: int = 300) -> Reply:
    """Answer every question with these TXT records."""

    def reply(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, ttl, "IN", "TXT", *records))
        return response.to_wire()

    return reply


def refusing(code: dns.rcode.Rcode) -> Reply:
    """Answer every question with an error."""

    def reply(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.set_rcode(code)
        return response.to_wire()

    return reply


def truncated(query: dns.message.Message) -> bytes:
    """Say that the answer has to be fetched over TCP."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return response.to_wire()
