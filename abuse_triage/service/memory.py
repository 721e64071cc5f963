"""Memory that all sessions share, so that many large messages at once cannot exhaust it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SMALL_BYTES = 262_144
"""So much every message may use without asking; a flood of large messages therefore does not stop small ones."""


class SharedMemory:
    """A number of bytes that messages above `SMALL_BYTES` hold while they come in and wait for the disk."""

    def __init__(self, capacity: int, kept: int = 0) -> None:
        """Keep some of the capacity for those who may have all of it."""
        self.free = capacity
        self._kept = kept

    @contextmanager
    def share(self, *, everything: bool = True) -> Iterator[Callable[[int], bool]]:
        """Give a function that raises this share to so many bytes, False where there are not enough; give back all.

        Not everything means: without what is kept.
        """
        held, kept = 0, 0 if everything else self._kept

        def hold(size: int) -> bool:
            nonlocal held
            more = max(0, size - SMALL_BYTES - held)
            if more > max(0, self.free - kept):
                return False
            self.free -= more
            held += more
            return True

        try:
            yield hold
        finally:
            self.free += held
