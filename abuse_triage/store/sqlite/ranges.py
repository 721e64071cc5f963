"""Networks as rows: 16 bytes for an address, and a size by which the networks around an address are found.

Networks contain each other, so no one index holds all that contain an address side by side. Of one size class, those
from more than 2^(n-1) to 2^n addresses, only those can that begin at most 2^n before it, and these are few.
"""

from ipaddress import ip_address
from typing import NamedTuple

from abuse_triage.model.lookups import Answer, LookupKind

WIDEST_IPV4, WIDEST_IPV6 = 23, 104
"""Sizes, as powers of 2, beyond which an answer holds for the address alone that was asked for.

What is wider (an IPv4 /8, an IPv6 /23) is a registry's own block, which says nothing about the rest of it.
"""
_SIZES = WIDEST_IPV6 + 1
_MAPPED = 0xFFFF << 32


class Range(NamedTuple):
    """The first and the last address as bytes, and the least power of 2 that holds them all."""

    first: bytes
    last: bytes
    bits: int

    def holds(self, first: bytes, last: bytes) -> bool:
        """Whether all of another range is among these addresses."""
        return self.first <= first and last <= self.last


def address_bytes(text: str) -> bytes | None:
    """Return an address as 16 bytes, IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2); None where it is none."""
    number = _number(text)
    return None if number is None else number.to_bytes(16)


def range_of(answer: Answer, subject: str) -> Range | None:
    """Return the addresses that an answer holds for, None where it is no network's.

    A failure, and what cannot be right (ends that do not hold the address, or far too many), is about it alone.
    """
    asked = _number(subject) if answer.kind is LookupKind.NETWORK else None
    if asked is None:
        return None
    first, last = _number(answer.first), _number(answer.last)
    widest = WIDEST_IPV4 if asked >> 32 == _MAPPED >> 32 else WIDEST_IPV6
    if first is None or last is None or not first <= asked <= last or (last - first).bit_length() > widest:
        first = last = asked
    return Range(first.to_bytes(16), last.to_bytes(16), (last - first).bit_length())


def earliest(address: bytes) -> bytes:
    """Return the first address where a network of each size may begin that holds an address, 16 bytes each."""
    number = int.from_bytes(address)
    sizes = WIDEST_IPV4 + 1 if number >> 32 == _MAPPED >> 32 else _SIZES
    return b"".join([max(0, number - (1 << bits) + 1).to_bytes(16) for bits in range(sizes)])


def _number(text: str) -> int | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return int(address) | (_MAPPED if address.version == 4 else 0)
