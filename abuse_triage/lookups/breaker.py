"""A circuit breaker: where nobody answers any more, everybody hears so at once, and one looks whether that is over."""

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 5
"""Questions in a row that get no answer before the probe decides."""
PAUSE_SECONDS = 30.0
"""How long nothing is asked; then one probe looks again."""


class Breaker:
    """Knows whether it makes sense to ask; used by many threads.

    A single domain whose servers are silent looks the same as a dead resolver, and whoever sends mail can have such a
    domain. So it is not the failures that open the breaker, but a probe that they bring about, whose answer depends on
    nobody outside.
    """

    def __init__(self, probe: Callable[[], bool], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`probe` tells whether anybody answers, and takes no longer than one question; `clock` is monotonic."""
        self._probe = probe
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._probing = False
        self._open = False
        self._again = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nobody answers, as far as is known."""
        return self._open

    def allows(self) -> bool:
        """Tell whether to ask; after a pause the first caller finds out, and the others do not wait for it."""
        with self._lock:
            if not self._open:
                return True
            if self._probing or self._clock() < self._again:
                return False
            self._probing = True
        return self._find_out()

    def answered(self) -> None:
        """Take note that somebody answered, whatever the answer was."""
        self._failures = 0

    def unanswered(self) -> None:
        """Take note that a question was not answered in time."""
        with self._lock:
            self._failures += 1
            if self._failures < FAILURES or self._open or self._probing:
                return
            self._probing = True
        self._find_out()

    def _find_out(self) -> bool:
        alive = False
        try:
            alive = self._probe()
        finally:
            with self._lock:
                self._probing = False
                self._failures = 0
                self._open = not alive
                self._again = self._clock() + PAUSE_SECONDS
        return alive
