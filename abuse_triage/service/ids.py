"""Ids of messages: they sort by the time of arrival, and each is given once.

The form is that of a ULID (github.com/ulid/spec): 48 bits of milliseconds since 1970 and 80 random bits, written as 26
characters of Crockford's base 32, here in lower case.
"""

import threading

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_RANDOM_BITS = 80
_LARGEST = (1 << 48 + _RANDOM_BITS) - 1


class _Ids:
    """The ids of one process."""

    def __init__(self) -> None:
        self._last = -1
        self._lock = threading.Lock()

    def __call__(self, now_ms: int, random: int) -> str:
        """Return the next id, greater than every one this process gave before, even where the clock went back.

        `now_ms` is in milliseconds since 1970, `random` any number of which the lowest 80 bits count. Within one
        millisecond the ids count upwards.
        """
        number = (now_ms << _RANDOM_BITS) | (random & ((1 << _RANDOM_BITS) - 1))
        with self._lock:
            if number >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:
                number = self._last + 1
            self._last = number
        if number > _LARGEST:
            raise ValueError("the time does not fit into 48 bits")
        return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


new_id = _Ids()
"""Make the id of a message: `new_id(now_ms, random)`."""
