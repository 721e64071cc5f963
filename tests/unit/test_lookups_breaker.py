"""The circuit breaker: when it opens, when it does not, and how it closes again."""

import threading
from collections.abc import Callable

import pytest

from abuse_triage.lookups.breaker import FAILURES, PAUSE_SECONDS, Breaker


class Bench:
    """A breaker with a clock that is set by hand, and a probe that counts."""

    def __init__(self) -> None:
        """Begin closed, with everybody dead."""
        self.now = 1000.0
        self.alive = False
        self.probes = 0
        self.during: Callable[[], None] = lambda: None
        self.breaker = Breaker(self._probe, clock=lambda: self.now)

    def _probe(self) -> bool:
        self.probes += 1
        self.during()
        return self.alive

    def fail(self, times: int) -> None:
        """Let so many questions go unanswered."""
        for _ in range(times):
            self.breaker.unanswered()


def test_failures_in_a_row_open_it_where_the_probe_fails_too() -> None:
    """One failure less does nothing, and nor do any number with answers in between."""
    bench = Bench()
    for _ in range(3):
        bench.fail(FAILURES - 1)
        bench.breaker.answered()
    bench.fail(FAILURES - 1)
    assert (0, False, True) == (bench.probes, bench.breaker.is_open, bench.breaker.allows())
    bench.fail(1)
    assert (1, True, False) == (bench.probes, bench.breaker.is_open, bench.breaker.allows())


def test_silent_servers_of_strangers_do_not_open_it() -> None:
    """Whoever sends mail from domains that never answer costs a probe now and then, no more."""
    bench = Bench()
    bench.alive = True
    bench.fail(10 * FAILURES)
    assert (10, False, True) == (bench.probes, bench.breaker.is_open, bench.breaker.allows())


def test_after_the_pause_one_probe_decides() -> None:
    """It stays open for another pause, or closes."""
    bench = Bench()
    bench.fail(FAILURES)
    bench.now += PAUSE_SECONDS - 1
    assert not bench.breaker.allows()
    assert 1 == bench.probes
    bench.now += 1
    assert not bench.breaker.allows()
    assert not bench.breaker.allows()
    assert 2 == bench.probes
    bench.alive = True
    bench.now += PAUSE_SECONDS
    assert bench.breaker.allows()
    assert not bench.breaker.is_open
    assert 3 == bench.probes


def test_nobody_waits_for_a_probe_and_there_is_one_at_a_time() -> None:
    """While one finds out, the others hear what was known before."""
    bench = Bench()
    heard: list[bool] = []

    def ask() -> None:
        asking = threading.Thread(target=lambda: heard.append(bench.breaker.allows()))
        asking.start()
        asking.join(10)
        bench.fail(FAILURES)

    bench.during = ask
    bench.fail(FAILURES)
    assert ([True], 1) == (heard, bench.probes)
    bench.now += PAUSE_SECONDS
    bench.alive = True
    assert bench.breaker.allows()
    assert ([True, False], 2) == (heard, bench.probes)


def test_a_probe_that_raises_counts_as_dead() -> None:
    """An unexpected error leaves nothing half done: the next pause tries again."""
    bench = Bench()

    def fail() -> None:
        raise RuntimeError

    bench.during = fail
    with pytest.raises(RuntimeError):
        bench.fail(FAILURES)
    assert bench.breaker.is_open
    bench.during = lambda: None
    bench.alive = True
    bench.now += PAUSE_SECONDS
    assert bench.breaker.allows()
