"""Memory that all sessions share, so that many large messages at once cannot exhaust it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SMALL_BYTES = 262_144
"""So much every message may use without asking; a flood of large messages therefore does not stop small ones."""


class SharedMemory:
    """A number of bytes that messages above `SMALL_BYTES` hold while they come in and wait for the disk."""

    def __init__(self, capacity: int) -> None:
        self.free = capacity

    @contextmanager
    def share(self) -> Iterator[Callable[[int], bool]]:
        """Give a function that raises this share to so many bytes, False where there are not enough; give back all."""
        held = 0

        def hold(size: int) -> bool:
            nonlocal held
            more = max(0, size - SMALL_BYTES - held)
            if more > self.free:
                return False
            self.free -= more
            held += more
            return True

        try:
            yield hold
        finally:
            self.free += held
