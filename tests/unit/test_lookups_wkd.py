"""One question to a Web Key Directory, against a real HTTPS server that behaves well, or does not."""

import contextlib
import ssl
import time
from dataclasses import replace

import pytest
from daemon import free_port
from servers.https import HttpsServer, answer

from abuse_triage import __version__
from abuse_triage.errors import InputError, NotFoundError
from abuse_triage.lookups.wkd import FetchError, fetch

ADVANCED = ("openpgpkey.example.pt", "/.well-known/openpgpkey/example.pt/hu/abc?l=rita")
DIRECT = ("example.pt", "/.well-known/openpgpkey/hu/abc?l=rita")
BOTH = {"openpgpkey_example_pt": "127.0.0.1", "example_pt": "127.0.0.1"}
LIMIT = 1000


def got(server: HttpsServer, seconds: float = 10, **hosts: str) -> bytes:
    """Return what is fetched where these hosts exist."""
    return fetch((ADVANCED, DIRECT), server.reach(**(hosts or BOTH)), limit=LIMIT, seconds=seconds)


def test_the_advanced_method_comes_first() -> None:
    """Where its host exists, nothing else is asked; the request says who asks, and nothing of the person."""
    with HttpsServer(answer(b"key")) as server:
        assert b"key" == got(server)
    assert [ADVANCED] == server.asked
    (request,) = server.requests
    names = [line.partition(":")[0] for line in request.split("\r\n")[1:] if line]
    assert ["Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"] == names
    assert f"\r\nUser-Agent: abuse-triage/{__version__}\r\n" in request


def test_the_direct_method_only_where_the_other_host_is_absent() -> None:
    """It counts where openpgpkey.DOMAIN does not exist, not where it has no key."""
    with HttpsServer(answer(b"key")) as server:
        assert b"key" == got(server, example_pt="127.0.0.1")
        assert [DIRECT] == server.asked
    with HttpsServer(answer(status="404 Not Found")) as server:
        with pytest.raises(NotFoundError, match=r"openpgpkey\.example\.pt publishes no key"):
            got(server)
        assert [ADVANCED] == server.asked


def test_no_host_at_all() -> None:
    """Nothing is asked, and both names are told."""
    with HttpsServer(answer()) as server, pytest.raises(NotFoundError, match=r"neither openpgpkey\.example\.pt nor ex"):
        got(server, example_org="127.0.0.1")
    assert [] == server.asked


def test_an_address_inside_is_not_connected_to() -> None:
    """One such address among others is enough."""
    with HttpsServer(answer(b"key")) as server:
        reach = replace(server.reach(), resolve=lambda _host, _deadline: ("127.0.0.1", "10.0.0.1"))
        with pytest.raises(InputError, match=r"openpgpkey\.example\.pt is at 10\.0\.0\.1 \(not loopback\)"):
            fetch((ADVANCED, DIRECT), reach, limit=LIMIT, seconds=5)
    assert [] == server.asked


@pytest.mark.parametrize(
    "location",
    [
        "/elsewhere?l=rita",
        "https://openpgpkey.example.pt/elsewhere?l=rita",
        "https://OPENPGPKEY.example.pt/elsewhere?l=rita#part",
    ],
)
def test_one_redirect_on_the_same_host_is_followed(location: str) -> None:
    """The second answer counts."""

    def reply(_host: str, path: str, stream: ssl.SSLSocket) -> None:
        there = path.startswith("/elsewhere")
        stream.sendall(answer(b"key") if there else answer(b"", "301 Moved", f"Location: {location}"))

    with HttpsServer(reply) as server:
        assert b"key" == got(server)
    assert [ADVANCED, (ADVANCED[0], "/elsewhere?l=rita")] == server.asked


@pytest.mark.parametrize(
    ("location", "words", "times"),
    [
        ("https://example.pt/x", "redirects to another host", 1),
        ("https://127.0.0.1/x", "redirects to another host", 1),
        ("http://openpgpkey.example.pt/x", "redirects to another host", 1),
        ("https://openpgpkey.example.pt:8443/x", "redirects to another host", 1),
        ("https://user@openpgpkey.example.pt/x", "redirects to another host", 1),
        ("file:///etc/passwd", "redirects to another host", 1),
        ("https://[::1/x", "redirects to another host", 1),
        ("/with blank", "redirects to another host", 1),
        ("/é", "redirects to another host", 1),
        (f"/{'a' * 3000}", "redirects to another host", 1),
        ("/again", "redirects twice", 2),
        ("", "redirects twice", 2),
    ],
)
def test_other_redirects_are_not_followed(location: str, words: str, times: int) -> None:
    """Nobody leads us to another host, scheme or port, into a line of the request, or in circles."""
    with HttpsServer(answer(b"", "302 Found", f"Location: {location}")) as server:
        with pytest.raises(InputError, match=words):
            got(server)
        assert times == len(server.asked)


@pytest.mark.parametrize(
    "octets",
    [
        answer(b"x" * LIMIT),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * LIMIT,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * LIMIT + b"0\r\n\r\n",
    ],
)
def test_the_largest_answer(octets: bytes) -> None:
    """As much as the limit comes whole, however its length is told."""
    with HttpsServer(octets) as server:
        assert b"x" * LIMIT == got(server)


@pytest.mark.parametrize(
    "octets",
    [
        answer(b"x" * (LIMIT + 1)),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000_000,
    ],
)
def test_too_large_an_answer_is_not_read_to_its_end(octets: bytes) -> None:
    """One octet more is too much, and so is an endless one, in header as in body."""
    with HttpsServer(octets) as server, pytest.raises(InputError, match="larger than 1000 bytes"):
        got(server)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "does not answer: Remote end closed connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "does not speak HTTP: IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Long: y\r\n" * 1_000_000, "does not speak HTTP"),
        (answer(b"", "500 Internal Server Error"), "status 500"),
        (answer(b"", "204 No Content"), "status 204"),
    ],
)
def test_an_answer_that_makes_no_sense(octets: bytes, words: str) -> None:
    """It is told with what is wrong, and may be tried again."""
    with HttpsServer(octets) as server, pytest.raises(FetchError, match=words):
        got(server)


def test_a_compressed_answer_is_not_unpacked() -> None:
    """A bomb has nobody to explode at."""
    octets = answer(b"x", "200 OK", "Content-Encoding: gzip")
    with HttpsServer(octets) as server, pytest.raises(InputError, match="compressed"):
        got(server)


def test_a_slow_answer_ends_at_the_deadline() -> None:
    """An octet now and then does not keep us longer."""

    def reply(_host: str, _path: str, stream: ssl.SSLSocket) -> None:
        with contextlib.suppress(OSError):
            for _ in range(100):
                stream.sendall(b"H")
                time.sleep(0.05)

    began = time.monotonic()
    with HttpsServer(reply) as server, pytest.raises(FetchError, match="does not answer: "):
        got(server, seconds=1)
    assert time.monotonic() - began < 8


def test_a_certificate_of_another_name_is_refused() -> None:
    """And nothing is asked before that is clear."""
    with HttpsServer(answer(b"key"), "www.example.org") as server:
        with pytest.raises(FetchError, match="does not prove that it is this host: "):
            got(server)
        assert [] == server.asked


def test_a_certificate_that_nobody_signed_is_refused() -> None:
    """The system's authorities count, not what the server brings along."""
    with HttpsServer(answer(b"key")) as server:
        reach = replace(server.reach(**BOTH), tls=ssl.create_default_context())
        with pytest.raises(FetchError, match=r"does not prove that it is this host: self.signed"):
            fetch((ADVANCED, DIRECT), reach, limit=LIMIT, seconds=5)
        assert [] == server.asked


def test_each_address_is_tried() -> None:
    """Where one does not answer, the next does; where none does, that is told."""
    with HttpsServer(answer(b"key")) as server:
        reach = replace(server.reach(), resolve=lambda _host, _: ("127.0.0.2", "127.0.0.1"), refuse=lambda _: "")
        assert b"key" == fetch((ADVANCED,), reach, limit=LIMIT, seconds=5)
        with pytest.raises(FetchError, match="does not answer: Connection refused"):
            fetch((ADVANCED,), replace(reach, port=free_port()), limit=LIMIT, seconds=5)
        with pytest.raises(FetchError, match="it takes too long"):
            fetch((ADVANCED,), reach, limit=LIMIT, seconds=0)
