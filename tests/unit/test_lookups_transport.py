"""The guarded way to RDAP services, against a real server that behaves well, or does not."""

import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.error import URLError
from urllib.request import Request

import pytest
from daemon import free_port
from servers import registries
from servers.rdap import (
    Conversation,
    Fault,
    RdapServer,
    body,
    cut,
    drip,
    json_body,
    large,
    redirect,
    reset,
    silence,
    status,
    too_many,
)

from abuse_triage import __version__
from abuse_triage.lookups.exchange import Reach
from abuse_triage.lookups.resolver import UnansweredError
from abuse_triage.lookups.transport import GuardedOpener, Transport, TransportError, host_of

LIMIT = 10_000
DOMAIN = "https://rdap.example.org/org/domain/example.org"


@pytest.fixture
def server() -> Iterator[RdapServer]:
    """Run a server that knows one network."""
    with RdapServer() as running:
        running.networks["ripe"] = [registries.ripe()]
        yield running


def transport(server: RdapServer) -> Transport:
    """Return one that may ask the service "ripe"."""
    return Transport(server.reach(), limit=LIMIT, configured=[server.base("ripe")])


def refusal(
    server: RdapServer, path: str = "/ripe/ip/192.0.2.1", seconds: float = 5, limit: int = LIMIT
) -> TransportError:
    """Ask what fails, and return the error."""
    with pytest.raises(TransportError) as caught:
        transport(server).ask(f"http://127.0.0.1:{server.port}{path}", seconds)
    return caught.value


def test_an_answer(server: RdapServer) -> None:
    """It comes as JSON says; the request names us and the server, and nothing else."""
    document = transport(server).ask(f"{server.base('ripe')}/ip/192.0.2.1", 5)
    assert "EXAMPLE-NET" == document["name"]
    (asked,) = server.asked
    assert {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"abuse-triage/{__version__}",
        "accept": "application/rdap+json, application/json",
        "accept-encoding": "identity",
        "connection": "close",
    } == asked.fields


@pytest.mark.parametrize(
    "path",
    [
        "/arin/ip/192.0.2.1",
        "/ripe",
        "/ripeX/ip/1",
        "/",
        "/ripe/ip/1 2",
        "/ripe/\r\nX: y",
        "/ripe/ã",
        "/ripe/" + "x" * 3000,
    ],
)
def test_other_services_of_a_host_are_not_asked(server: RdapServer, path: str) -> None:
    """The base counts with its path, and what follows has to be a path."""
    assert "127.0.0.1 is no service that may be asked" == str(refusal(server, path))
    assert 0 == server.connections


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1/ripe/ip/192.0.2.1",
        "https://127.0.0.1:{port}/ripe/ip/192.0.2.1",
        "http://user@127.0.0.1:{port}/ripe/ip/192.0.2.1",
        "file:///etc/passwd",
        "http://[::1",
        "",
    ],
)
def test_other_hosts_are_not_asked(server: RdapServer, url: str) -> None:
    """Neither another port, scheme or user of a host that may be asked."""
    with pytest.raises(TransportError, match="is no service that may be asked"):
        transport(server).ask(url.format(port=server.port), 5)
    assert 0 == server.connections


def test_bases_that_make_no_sense_allow_nothing() -> None:
    """A published service without HTTPS, with a user or with an odd port is none."""
    odd = ["http://rdap.example.org/", "https://user@rdap.example.org/", "https://rdap.example.org:99999/", "", "x"]
    with RdapServer() as server:
        guarded = Transport(server.reach("rdap.example.org"), limit=LIMIT, published=odd)
        for base in odd:
            with pytest.raises(TransportError, match="no service"):
                guarded.ask(f"{base}/ip/192.0.2.1", 5)
        assert 0 == server.connections


def test_published_services_prove_who_they_are() -> None:
    """They are asked by HTTPS with their name, and with a certificate that is believed."""
    with RdapServer("rdap.example.org") as server:
        server.domains["org"] = {"example.org": registries.domain("example.org")}
        reach = server.reach("rdap.example.org")
        published = ["https://rdap.example.org/org/"]
        assert "EXAMPLE.ORG" == Transport(reach, limit=LIMIT, published=published).ask(DOMAIN, 5)["ldhName"]
        assert "rdap.example.org" == server.asked[0].host
        strict = replace(reach, tls=ssl.create_default_context())
        with pytest.raises(TransportError, match=r"does not prove that it is this host: self.signed"):
            Transport(strict, limit=LIMIT, published=published).ask(DOMAIN, 5)
        assert 1 == len(server.asked)


def _endless_by_one(talk: Conversation) -> None:
    """Answer with one octet more than is allowed, and tell no length."""
    talk.start(200, ("Content-Type", "application/rdap+json"))
    talk.send(b" " * (LIMIT + 1))


def _chunks(size: bytes) -> Fault:
    """Answer with a chunk of a pretended size."""

    def reply(talk: Conversation) -> None:
        talk.start(200, ("Content-Type", "application/rdap+json"), ("Transfer-Encoding", "chunked"))
        talk.send(size + b"\r\n{}")

    return reply


def _published(server: RdapServer, **changes: object) -> Transport:
    reach = replace(server.reach("rdap.example.org"), **changes)  # type: ignore[arg-type] # by name
    return Transport(reach, limit=LIMIT, published=["https://rdap.example.org/org"])


def test_published_services_are_never_inside() -> None:
    """One special address among others is enough, and nothing is connected to."""
    with RdapServer("rdap.example.org") as server:
        guarded = _published(server, resolve=lambda _host, _deadline: ("127.0.0.1", "169.254.169.254"))
        with pytest.raises(
            TransportError, match=r"at 169\.254\.169\.254 \(not loopback\), which is not asked"
        ) as caught:
            guarded.ask(DOMAIN, 5)
        assert not caught.value.temporary
        assert 0 == server.connections
    literal = Transport(server.reach(), limit=LIMIT, published=["https://10.0.0.1/"])
    with pytest.raises(TransportError, match=r"10\.0\.0\.1 is at 10\.0\.0\.1 \(not loopback\)"):
        literal.ask("https://10.0.0.1/ip/192.0.2.1", 5)


def test_configured_services_may_be_inside(server: RdapServer) -> None:
    """Whoever writes the configuration knows; their hosts are looked up all the same."""

    def nowhere(address: str) -> str:
        return f"{address} is special"

    base = f"http://rdap.internal:{server.port}/ripe"
    asked: list[str] = []

    def resolve(host: str, _deadline: float) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    reach = Reach(resolve=resolve, refuse=nowhere, tls=ssl.create_default_context())
    assert "EXAMPLE-NET" == Transport(reach, limit=LIMIT, configured=[base]).ask(f"{base}/ip/192.0.2.1", 5)["name"]
    assert ["rdap.internal"] == asked


def test_hosts_without_an_address() -> None:
    """A host that does not exist is told apart from one that nobody can tell about at the moment."""
    with RdapServer("rdap.example.org") as server:
        with pytest.raises(TransportError, match=r"rdap\.example\.org has no address") as caught:
            _published(server, resolve=lambda _host, _deadline: ()).ask(DOMAIN, 5)
        assert not caught.value.temporary

        def fail(host: str, _deadline: float) -> tuple[str, ...]:
            raise UnansweredError(f"{host} cannot be looked up")

        with pytest.raises(TransportError, match="cannot be looked up") as caught:
            _published(server, resolve=fail).ask(DOMAIN, 5)
        assert caught.value.temporary


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest",
        "http://127.0.0.1:{port}/ripe/ip/192.0.2.2",
        "/ripe/ip/192.0.2.2",
        "https://rdap.apnic.net/ip/1",
    ],
)
def test_no_redirect_is_followed(server: RdapServer, location: str) -> None:
    """Wherever it leads; the error says where."""
    server.faults["/"] = redirect(location.format(port=server.port))
    error = refusal(server)
    assert ["/ripe/ip/192.0.2.1"] == server.paths
    assert 1 == server.connections
    expected = host_of(location.format(port=server.port)) or "127.0.0.1"
    assert (302, expected, f"127.0.0.1 refers to {expected}") == (error.status, error.location, str(error))


@pytest.mark.parametrize("location", ["https://[::1/", "https://x\u202ey/", "https://a b/"])
def test_a_redirect_to_no_host(server: RdapServer, location: str) -> None:
    """What no host is called is not told."""
    server.faults["/"] = redirect(location.encode("ascii", "ignore").decode().replace("xy", "x_y"), 308)
    assert "127.0.0.1 refers to nowhere" == str(refusal(server))


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("", None),
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("86400", 3600),
        ("999999999", 3600),
        ("99999999999999999999", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Fri, 99 Dec 9999 23:59:59 GMT", None),
    ],
)
def test_how_long_to_wait(server: RdapServer, retry_after: str, seconds: int | None) -> None:
    """Seconds or a date count, up to an hour; what makes no sense does not."""
    server.faults["/"] = too_many(retry_after)
    error = refusal(server)
    assert (429, True, "127.0.0.1 was asked too often") == (error.status, error.temporary, str(error))
    assert (None if seconds is None else timedelta(seconds=seconds)) == error.retry_after
    assert 1 == len(server.asked)


def test_a_date_to_wait_for(server: RdapServer) -> None:
    """It is reckoned from now, whatever the status."""
    server.faults["/"] = status(503, ("Retry-After", format_datetime(datetime.now(UTC) + timedelta(minutes=5))))
    error = refusal(server)
    assert error.retry_after is not None
    assert timedelta(minutes=4) < error.retry_after <= timedelta(minutes=5)
    assert (503, True, "127.0.0.1 answers with status 503") == (error.status, error.temporary, str(error))


@pytest.mark.parametrize(
    ("fault", "words", "code", "temporary"),
    [
        (body(b"{}", "application/json\r\nContent-Encoding: gzip"), "answers compressed, unasked", 0, False),
        (status(404), "has nothing about it", 404, False),
        (status(400), "answers with status 400", 400, False),
        (status(204), "answers with status 204", 204, False),
        (body(b"<html>", "text/html"), "answers with something else than JSON", 200, False),
        (body(b"{}", "application/json-seq"), "answers with something else than JSON", 200, False),
        (body(b'{"handle": '), "answers with broken JSON", 200, False),
        (body(b"[" * 9000), "answers with broken JSON", 200, False),
        (body(b"1" * 9000), "answers with broken JSON", 200, False),
        (cut, "does not speak HTTP: IncompleteRead", 0, True),
        (reset, "does not answer: Connection reset by peer", 0, True),
        (body(b" " * (LIMIT + 1)), "is larger than 10000 bytes", 0, False),
        (_chunks(b"-5"), "does not speak HTTP: ValueError", 0, True),
        (_chunks(b"-1"), "127.0.0.1 does not speak HTTP", 0, True),
        (_chunks(b"ffffffffffff"), "does not speak HTTP: IncompleteRead", 0, True),
        (_chunks(b"zz"), "does not speak HTTP: IncompleteRead", 0, True),
        (_endless_by_one, "is larger than 10000 bytes", 0, False),
        (large(), "is larger than 10000 bytes", 0, False),
        (large(told=False), "is larger than 10000 bytes", 0, False),
    ],
)
def test_what_is_no_answer(server: RdapServer, fault: Fault, words: str, code: int, *, temporary: bool) -> None:
    """Each is told in our words, at once, with one request."""
    server.faults["/"] = fault
    began = time.monotonic()
    error = refusal(server)
    assert words in str(error)
    assert (code, temporary) == (error.status, error.temporary)
    assert 1 == server.connections
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/rdap+json;charset=UTF-8", "APPLICATION/JSON"]
)
def test_types_of_json(server: RdapServer, content_type: str) -> None:
    """Registries call it by more than one name; characters that are none do not spoil the rest."""
    server.faults["/"] = body(b'\xef\xbb\xbf{"name": "\xe9\xff", "n": NaN}', content_type)
    assert "\ufffd\ufffd" == transport(server).ask(f"{server.base('ripe')}/ip/192.0.2.1", 5)["name"]


def test_the_largest_answer(server: RdapServer) -> None:
    """So much and no more."""
    server.faults["/"] = json_body("x" * (LIMIT - 2))
    assert LIMIT - 2 == len(transport(server).ask(f"{server.base('ripe')}/x", 5))


@pytest.mark.parametrize("fault", [drip(0.05), silence])
def test_the_deadline_is_for_everything_together(server: RdapServer, fault: Fault) -> None:
    """Neither an octet now and then nor none at all keeps us longer."""
    server.faults["/"] = fault
    began = time.monotonic()
    error = refusal(server, seconds=0.5)
    assert 0.4 < time.monotonic() - began < 3
    assert error.temporary
    assert "127.0.0.1 does not answer: " in str(error)


def test_a_connection_that_nobody_takes(server: RdapServer) -> None:
    """It waits in a queue until the deadline."""
    server.accept_nobody()
    began = time.monotonic()
    assert "does not answer" in str(refusal(server, seconds=0.5))
    assert time.monotonic() - began < 3
    server.accept_again()


def test_tls_that_nobody_answers() -> None:
    """The handshake has no time of its own."""
    with RdapServer("rdap.example.org") as server:
        server.accept_nobody()
        began = time.monotonic()
        with pytest.raises(TransportError, match="does not answer"):
            _published(server).ask(DOMAIN, 0.5)
        assert time.monotonic() - began < 3


def test_a_slow_look_up_leaves_no_time(server: RdapServer) -> None:
    """Nothing is connected to once the time is over."""

    def resolve(_host: str, _deadline: float) -> tuple[str, ...]:
        time.sleep(0.2)
        return ("127.0.0.1",)

    base = f"http://rdap.internal:{server.port}/ripe"
    guarded = Transport(replace(server.reach(), resolve=resolve), limit=LIMIT, configured=[base])
    with pytest.raises(TransportError, match="does not answer: it takes too long"):
        guarded.ask(f"{base}/ip/192.0.2.1", 0.1)
    assert 0 == server.connections


def test_a_port_where_nobody_listens() -> None:
    """It is told as what it is."""
    base = f"http://127.0.0.1:{free_port()}"
    with RdapServer() as server, pytest.raises(TransportError, match="does not answer: Connection refused"):
        Transport(server.reach(), limit=LIMIT, configured=[base]).ask(f"{base}/x", 5)


def test_the_opener_asks_once(server: RdapServer) -> None:
    """In place of the service that ipwhois knows it asks ours, and after that nobody."""
    known = "https://rdap.db.ripe.net/"
    opener = GuardedOpener(transport(server), known=known, base=server.base("ripe"))
    stream = opener.open(Request(f"{known}ip/192.0.2.1"), timeout=5)
    assert b"EXAMPLE-NET" in stream.read()
    assert opener.body is not None
    assert opener.failure is None
    with pytest.raises(URLError, match=r"rdap\.db\.ripe\.net is not asked a further question"):
        opener.open(f"{known}entity/X", timeout=5)
    assert ["/ripe/ip/192.0.2.1"] == server.paths


@pytest.mark.parametrize("url", ["https://rdap.example.org/ip/192.0.2.1", "file:///etc/passwd", "http://127.0.0.1:1/"])
def test_the_opener_goes_nowhere_else(server: RdapServer, url: str) -> None:
    """Whatever URL a library makes up of an answer."""
    opener = GuardedOpener(transport(server), known="https://rdap.db.ripe.net", base=server.base("ripe"))
    with pytest.raises(URLError, match="is not asked a further question"):
        opener.open(url)
    assert opener.failure is not None
    assert 0 == server.connections
