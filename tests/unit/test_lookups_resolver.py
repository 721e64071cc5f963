"""Questions to resolvers: real ones, slow ones, dead ones and liars."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from daemon import free_port
from servers.nsd import NameServer, text
from servers.resolvers import FakeResolver, Reply, refusing, texts, truncated

from abuse_triage.indicators.names import organisation
from abuse_triage.lookups import resolver as module
from abuse_triage.lookups.breaker import FAILURES, PAUSE_SECONDS
from abuse_triage.lookups.resolver import (
    LONGEST_TEXT,
    MOST_QUESTIONS,
    MOST_RECORDS,
    Kind,
    Questions,
    Resolver,
    UnansweredError,
)

ZONE = (
    """
a IN A 192.0.2.1
a IN A 192.0.2.2
a IN AAAA 2001:db8::1
m IN MX 10 a
m IN MX 5 b.example.org.
p IN PTR a
t IN TXT "one" "two"
alias IN CNAME t
circle IN CNAME circle
"""
    f"long IN TXT {text('x' * LONGEST_TEXT)}\nlong IN TXT {text('y' * (LONGEST_TEXT + 1))}\n"
    + "\n".join(f"many IN TXT {text(f'record {n}')}" for n in range(MOST_RECORDS + 50))
    + "\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    """A real name server."""
    with NameServer(tmp_path_factory.mktemp("nsd"), {"example.net": ZONE}) as started:
        yield started


def soon(seconds: float = 5.0) -> float:
    """Return a deadline."""
    return time.monotonic() + seconds


@pytest.mark.parametrize(
    ("name", "kind", "records"),
    [
        ("a.example.net", Kind.A, {"192.0.2.1", "192.0.2.2"}),
        ("A.EXAMPLE.net.", Kind.AAAA, {"2001:db8::1"}),
        ("m.example.net", Kind.MX, {(10, "a.example.net"), (5, "b.example.org")}),
        ("p.example.net", Kind.PTR, {"a.example.net"}),
        ("t.example.net", Kind.TXT, {b"onetwo"}),
        ("alias.example.net", Kind.TXT, {b"onetwo"}),
        ("long.example.net", Kind.TXT, {b"x" * LONGEST_TEXT}),
        ("absent.example.net", Kind.TXT, set()),
        ("a.example.net", Kind.MX, set()),
        ("a..example.net", Kind.A, set()),
        ("a" * 64 + ".example.net", Kind.A, set()),
        ("a." * 140 + "example.net", Kind.A, set()),
        ("ç.example.net", Kind.A, set()),
        (r"\300.example.net", Kind.A, set()),
    ],
)
def test_records_come_as_values(server: NameServer, name: str, kind: Kind, records: set[object]) -> None:
    """Every type that is asked for has its form; what is absent, impossible or too long is left out."""
    assert records == set(Resolver([server.address], 5).ask(name, kind, soon()))


def test_long_answers_come_over_tcp_and_are_bounded(server: NameServer) -> None:
    """What does not fit into a datagram is fetched, up to a number of records."""
    assert MOST_RECORDS == len(Resolver([server.address], 5).ask("many.example.net", Kind.TXT, soon()))


@pytest.mark.parametrize("name", ["circle.example.net", "a.example.com"])
def test_a_name_whose_servers_fail_has_no_answer(server: NameServer, name: str) -> None:
    """A circle and a refusal are no "no", and are not asked for again at once."""
    resolver = Resolver([server.address], 5)
    for _ in range(2):
        with pytest.raises(UnansweredError, match="the servers of that name fail"):
            resolver.ask(name, Kind.A, soon())
    assert not resolver.unreachable


def test_an_answer_is_remembered_no_longer_than_it_says() -> None:
    """Within the time to live nothing is asked again, and not at all for the same question in other letters."""
    with FakeResolver(texts("a", ttl=1)) as fake:
        resolver = Resolver([fake.address], 5)
        for name in ("t.example.net", "T.example.NET.", "t.example.net"):
            assert (b"a",) == resolver.ask(name, Kind.TXT, soon())
        assert 1 == len(fake.questions)
        time.sleep(1.1)
        resolver.ask("t.example.net", Kind.TXT, soon())
        assert 2 == len(fake.questions)


def test_an_answer_is_believed_for_an_hour_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time to live of years does not bind us."""
    with FakeResolver(texts("a", ttl=2**31 - 1)) as fake:
        resolver = Resolver([fake.address], 5)
        resolver.ask("t.example.net", Kind.TXT, soon())
        later = time.monotonic() + module.LONGEST_MEMORY + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        resolver.ask("t.example.net", Kind.TXT, later + 5)
        assert 2 == len(fake.questions)


def test_the_memory_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answer makes room for the newest."""
    monkeypatch.setattr(module, "MOST_REMEMBERED", 20)
    with FakeResolver(texts("a")) as fake:
        resolver = Resolver([fake.address], 5)
        for number in range(23):
            resolver.ask(f"t{number}.example.net", Kind.TXT, soon())
        assert 20 == len(resolver._remembered)
        asked = len(fake.questions)
        resolver.ask("t3.example.net", Kind.TXT, soon())
        assert asked == len(fake.questions)
        resolver.ask("t0.example.net", Kind.TXT, soon())
        assert asked + 1 == len(fake.questions)


def test_many_threads_ask_the_same_question_once() -> None:
    """A batch of reports from one domain costs one question, whether the answer is yes or no."""
    both = threading.Barrier(2)

    def reply(query: dns.message.Message) -> bytes:
        both.wait(10)
        time.sleep(0.2)  # in which all the others come, and wait
        return (texts("a") if str(query.question[0]).startswith("t.") else refusing(dns.rcode.SERVFAIL))(query) or b""

    with FakeResolver(reply) as fake, ThreadPoolExecutor(30) as pool:
        resolver = Resolver([fake.address], 5)
        for name in ("t.example.net", "f.example.net"):
            answers = [pool.submit(resolver.ask, name, Kind.TXT, soon()) for _ in range(30)]
            both.wait(10)
            expected = type(None) if name.startswith("t.") else UnansweredError
            assert {expected} == {type(answer.exception(10)) for answer in answers}
        assert 2 == len(fake.questions)
        assert {} == resolver._asked


def test_who_waits_for_anothers_question_keeps_its_own_deadline() -> None:
    """A short deadline is not stretched by somebody with a long one."""
    with FakeResolver() as fake, ThreadPoolExecutor(1) as pool:
        resolver = Resolver([fake.address], 4)
        asking = pool.submit(resolver.ask, "t.example.net", Kind.TXT, soon(1))
        while not fake.questions:
            time.sleep(0.01)
        with pytest.raises(UnansweredError, match="the deadline passed"):
            resolver.ask("t.example.net", Kind.TXT, soon(0))
        assert isinstance(asking.exception(10), UnansweredError)
        assert 1 == len(fake.questions)


def test_the_second_resolver_answers_where_the_first_is_dead_and_is_then_asked_first() -> None:
    """One dead resolver costs its patience once."""
    with FakeResolver() as dead, FakeResolver(texts("a")) as alive:
        resolver = Resolver([dead.address, alive.address], 0.6)
        for number in range(5):
            assert (b"a",) == resolver.ask(f"t{number}.example.net", Kind.TXT, soon())
        assert (1, 5) == (len(dead.questions), len(alive.questions))


def test_the_second_resolver_is_asked_where_the_first_fails() -> None:
    """A resolver that has trouble is not the last word."""
    with FakeResolver(refusing(dns.rcode.SERVFAIL)) as broken, FakeResolver(texts("a")) as alive:
        resolver = Resolver([broken.address, alive.address], 5)
        assert (b"a",) == resolver.ask("t.example.net", Kind.TXT, soon())
        assert 1 == len(broken.questions)


@pytest.mark.parametrize(
    "reply",
    [
        lambda _query: b"garbage",
        lambda query: texts("x")(dns.message.make_query("other.example.net", "TXT", id=query.id)),
        lambda query: texts("x")(dns.message.make_query("t.example.net", "TXT", id=query.id ^ 1)),
        truncated,
    ],
    ids=["garbage", "another question", "another id", "truncated and no TCP"],
)
def test_what_is_no_answer_to_our_question_is_none(reply: object) -> None:
    """Wrong ids, wrong names and noise are not believed, and the deadline holds."""
    with FakeResolver(reply) as fake:  # type: ignore[arg-type]  # the lambdas are what it takes
        began = time.monotonic()
        with pytest.raises(UnansweredError):
            Resolver([fake.address], 0.5).ask("t.example.net", Kind.TXT, soon(0.5))
        assert time.monotonic() - began < 2


def test_a_failure_that_comes_at_once_is_not_repeated_all_the_time() -> None:
    """A name whose answer is too long for UDP, where TCP is refused, costs a few questions and leaves the others be."""

    def reply(query: dns.message.Message) -> bytes:
        return refusing(dns.rcode.NOERROR)(query) if query.question[0].name == dns.name.root else truncated(query)

    with FakeResolver(reply) as fake:
        resolver = Resolver([fake.address], 2.0)
        with pytest.raises(UnansweredError):
            resolver.ask("t.example.net", Kind.TXT, soon(2.0))
        assert 20 > len(fake.questions)
        assert not resolver.unreachable


def test_tcp_that_ends_in_the_middle_is_no_answer() -> None:
    """A server that closes the connection does not bring us down."""
    with FakeResolver(truncated) as fake, socket.create_server(("127.0.0.1", fake.port)) as listening:

        def close() -> None:
            with contextlib.suppress(OSError):  # the end of the test
                while True:
                    listening.accept()[0].close()

        closing = threading.Thread(target=close)
        closing.start()
        with pytest.raises(UnansweredError):
            Resolver([fake.address], 0.4).ask("t.example.net", Kind.TXT, soon(0.4))
        listening.shutdown(socket.SHUT_RDWR)
        closing.join()


def test_records_of_another_type_are_none() -> None:
    """A resolver that answers with what was not asked for has no answer."""

    def reply(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 300, "IN", "A", "192.0.2.1"))
        return response.to_wire()

    with FakeResolver(reply) as fake:
        assert () == Resolver([fake.address], 5).ask("t.example.net", Kind.TXT, soon())


def test_a_dead_resolver_is_soon_asked_no_more() -> None:
    """After failures in a row and a probe, everybody hears "no" at once, without a question."""
    with FakeResolver() as fake:
        resolver = Resolver([fake.address], 0.1)
        for number in range(FAILURES + 3):
            with pytest.raises(UnansweredError):
                resolver.ask(f"t{number}.example.net", Kind.TXT, soon(0.3))
        assert resolver.unreachable
        assert FAILURES + 1 == len(fake.questions)
        assert ". IN NS" == fake.questions[-1]
        with pytest.raises(UnansweredError, match="no resolver answers"):
            resolver.ask("another.example.net", Kind.TXT, soon())
        assert FAILURES + 1 == len(fake.questions)


def test_a_resolver_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the pause one probe closes the breaker."""
    with FakeResolver() as fake:
        resolver = Resolver([fake.address], 0.1)
        with pytest.raises(UnansweredError, match="no resolver answers"):
            resolver.ask("t.example.net", Kind.TXT, soon())
        assert resolver.unreachable
        fake.reply = texts("a")
        monkeypatch.setattr(resolver._breaker, "_again", time.monotonic() - PAUSE_SECONDS)
        assert (b"a",) == resolver.ask("t.example.net", Kind.TXT, soon())
        assert not resolver.unreachable


def test_silent_domains_do_not_make_the_resolver_look_dead() -> None:
    """A resolver that answers the probe is alive, whatever the mail of the day asks it."""

    def reply(query: dns.message.Message) -> bytes | None:
        return (
            refusing(dns.rcode.REFUSED)(query)
            if query.question[0].name.is_absolute() and not query.question[0].name.labels[0]
            else None
        )

    with FakeResolver(reply) as fake:
        resolver = Resolver([fake.address], 0.1)
        for number in range(3 * FAILURES):
            with pytest.raises(UnansweredError):
                resolver.ask(f"t{number}.silent.example.net", Kind.TXT, soon(0.06))
        assert not resolver.unreachable
        assert fake.questions.count(". IN NS") >= 1


def silent_below(*names: str) -> Reply:
    """Answer everything but what is below these names."""

    def reply(query: dns.message.Message) -> bytes | None:
        name = query.question[0].name
        return None if any(name.is_subdomain(dns.name.from_text(one)) for one in names) else texts("a")(query)

    return reply


def test_a_silent_organisation_cannot_make_everybody_wait() -> None:
    """Its next questions, whatever their names, take half a second each, and its threads are free for others."""
    with FakeResolver(silent_below("example.net")) as fake, ThreadPoolExecutor(8) as pool:
        resolver = Resolver([fake.address], 2, organisation)
        with pytest.raises(UnansweredError):
            resolver.ask("t.example.net", Kind.TXT, soon(2))
        began = time.monotonic()
        waves = [pool.submit(resolver.ask, f"t{number}.example.net", Kind.TXT, soon(20)) for number in range(24)]
        other = pool.submit(resolver.ask, "t.example.org", Kind.TXT, soon(20))
        assert (b"a",) == other.result(20)
        assert time.monotonic() - began < 6  # three waves of half a second, where each would have taken twenty
        assert {UnansweredError} == {type(one.exception(20)) for one in waves}
        assert not resolver.unreachable


def test_a_silent_part_of_an_organisation_does_not_silence_the_rest() -> None:
    """Whoever finds a dead name below somebody's domain cannot make that domain unproven."""
    with FakeResolver(silent_below("dead.example.net")) as fake:
        resolver = Resolver([fake.address], 2, organisation)
        with pytest.raises(UnansweredError):
            resolver.ask("t.dead.example.net", Kind.TXT, soon(2))
        assert (b"a",) == resolver.ask("_dmarc.example.net", Kind.TXT, soon(2))


def test_silence_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while there is all the time again, for servers that are back but slow."""
    with FakeResolver() as fake:
        resolver = Resolver([fake.address], 4, organisation)
        with pytest.raises(UnansweredError):
            resolver.ask("t.example.net", Kind.TXT, soon(1))
        monkeypatch.setattr(fake, "reply", slowly(texts("a"), 1.0))
        with pytest.raises(UnansweredError, match="the deadline passed"):
            resolver.ask("u.example.net", Kind.TXT, soon(4))
        later = time.monotonic() + module._SILENCE_MEMORY
        monkeypatch.setattr(resolver, "_silent", {name: until - later for name, until in resolver._silent.items()})
        assert (b"a",) == resolver.ask("v.example.net", Kind.TXT, soon(4))


def slowly(reply: Reply, seconds: float) -> Reply:
    """Answer only after some time."""

    def later(query: dns.message.Message) -> bytes | None:
        time.sleep(seconds)
        return reply(query)

    return later


def test_a_resolver_that_fails_silences_nobody() -> None:
    """Where nobody answers, it is not the servers of a domain that are to blame."""
    with FakeResolver() as fake:
        resolver = Resolver([fake.address], 0.1, organisation)
        for number in range(3 * FAILURES):
            with pytest.raises(UnansweredError):
                resolver.ask(f"t.d{number}.example", Kind.TXT, soon(0.3))
        assert resolver.unreachable
        assert len(resolver._silent) < FAILURES


def test_an_address_without_route_is_no_reason_to_wait() -> None:
    """An error of the network counts like silence, and takes no time."""
    resolver = Resolver([f"[100::1]:{free_port()}"], 5)
    began = time.monotonic()
    with pytest.raises(UnansweredError):
        resolver.ask("t.example.net", Kind.TXT, soon(0.5))
    assert time.monotonic() - began < 3


def test_one_message_has_so_many_questions_and_no_more() -> None:
    """Whatever a policy wants to know, there is an end."""
    with FakeResolver(texts("a")) as fake:
        questions = Questions(Resolver([fake.address], 5), soon())
        for number in range(MOST_QUESTIONS):
            assert (b"a",) == questions.texts(f"t{number}.example.net")
        with pytest.raises(UnansweredError, match="more than"):
            questions.texts("t.example.net")
        assert MOST_QUESTIONS == len(fake.questions)
