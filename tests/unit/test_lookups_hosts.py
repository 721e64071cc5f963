"""The addresses of a host: from a real name server, and from the system, which is asked within a deadline."""

import socket
import threading
import time
from pathlib import Path

import pytest
from servers.nsd import NameServer

from abuse_triage.lookups.hosts import by_resolver, by_system
from abuse_triage.lookups.resolver import UnansweredError


def soon() -> float:
    """Return a deadline."""
    return time.monotonic() + 5


def test_resolvers_give_addresses_of_both_kinds(tmp_path: Path) -> None:
    """IPv4 first; a host that is absent has none, and a server that fails is no "none"."""
    zone = "a IN A 192.0.2.1\na IN AAAA 2001:db8::1\nb IN CNAME a\nc IN TXT x\n"
    with NameServer(tmp_path, {"example.net": zone}) as server:
        resolve = by_resolver([server.address], 5)
        assert ("192.0.2.1", "2001:db8::1") == resolve("b.example.net", soon())
        assert () == resolve("c.example.net", soon())
        assert () == resolve("absent.example.net", soon())
        with pytest.raises(UnansweredError):
            resolve("a.example.com", soon())


def test_the_system_is_asked_without_its_search_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name goes with its last dot; each address comes once."""
    asked = []

    def found(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", (address, 0)) for address in ("192.0.2.1", "192.0.2.1", "2001:db8::1")]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert ("192.0.2.1", "2001:db8::1") == by_system("a.example.net", soon())
    assert ["a.example.net."] == asked


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_the_system_says_that_there_is_none(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """No such name, and no address of it, are both none."""

    def absent(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "no")

    monkeypatch.setattr(socket, "getaddrinfo", absent)
    assert () == by_system("a.example.net", soon())


def test_the_system_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is no answer."""

    def failing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", failing)
    with pytest.raises(UnansweredError, match=r"a\.example\.net cannot be looked up: Temporary failure"):
        by_system("a.example.net", soon())


def test_the_system_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own patience is not ours."""
    end = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: end.wait(20) and [])
    began = time.monotonic()
    with pytest.raises(UnansweredError, match="it takes too long"):
        by_system("a.example.net", began + 0.2)
    assert time.monotonic() - began < 5
    end.set()
