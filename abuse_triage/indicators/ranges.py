"""A table from networks to values, asked with addresses."""

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Generic, TypeVar

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
T = TypeVar("T")


class RangeTable(Generic[T]):
    """Which value belongs to the longest network around an address.

    Networks may lie inside each other; of one that is given twice the later value counts. They are flattened once into
    disjoint ranges, so that a look-up is one bisection.
    """

    def __init__(self, entries: Iterable[tuple[Network, T]]) -> None:
        """Flatten the networks; cost grows with their number times the logarithm of it."""
        merged = dict(entries)
        self._ranges = {
            version: _flatten([(net, value) for net, value in merged.items() if net.version == version])
            for version in (4, 6)
        }

    def get(self, address: Address) -> T | None:
        """Return the value of the longest network that holds the address, None where no network does."""
        starts, values = self._ranges[address.version]
        index = bisect_right(starts, int(address)) - 1
        return values[index] if index >= 0 else None


def _flatten(entries: list[tuple[Network, T]]) -> tuple[list[int], list[T | None]]:
    """Return where each range starts, in order, and which value holds from there on."""
    starts: list[int] = []
    values: list[T | None] = []
    around: list[tuple[int, T]] = []  # the networks that the present place lies in: their last address and value

    def begin(start: int, value: T | None) -> None:
        if starts and starts[-1] == start:
            values[-1] = value
        else:
            starts.append(start)
            values.append(value)

    def leave(before: int | None) -> None:
        while around and (before is None or around[-1][0] < before):
            last, _ = around.pop()
            begin(last + 1, around[-1][1] if around else None)

    for network, value in sorted(entries, key=lambda entry: (int(entry[0].network_address), entry[0].prefixlen)):
        first = int(network.network_address)
        leave(first)
        begin(first, value)
        around.append((int(network.broadcast_address), value))
    leave(None)
    return starts, values
