"""IP addresses in running text, and what only looks like them."""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

from abuse_triage.indicators.grammar import IPV4, IPV6_BODY, IPV6_HEAD_REVERSED, IPV6_SIGN
from abuse_triage.indicators.special import plain

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VERSION = ("version", "versão", "versao", "release", "build", "firmware", " v", "\nv", "(v")
_LONGEST_IPV6 = 45  # eight groups of four with an IPv4 tail
_LONGEST_PRODUCT = 32


class Found(NamedTuple):
    """An address at `start` to `end` of a text, in the canonical form."""

    start: int
    end: int
    value: str


def ipv4_in(text: str, start: int, end: int) -> Iterator[Found]:
    """Yield the IPv4 addresses in a run of labels that begins with one.

    It may be alone, a range ("192.0.2.1-192.0.2.20"), or followed by a port as tcpdump writes it ("192.0.2.1.443 > ").
    Four numbers that are a version or a netmask are none, and neither are numbers with leading zeros.
    """
    run = text[start:end]
    if IPV4.fullmatch(run):
        if not _is_number(text, start):
            yield Found(start, end, run)
        return
    address, _, port = run.rpartition(".")
    if IPV4.fullmatch(address) and port.isdigit():
        if text.startswith((" > ", ": "), end) or text[max(0, start - 3) : start].endswith(("> ", "IP ")):
            yield Found(start, start + len(address), address)
        return
    if any(char.isalpha() for char in run):
        return
    for piece in run.split("-"):
        if IPV4.fullmatch(piece):
            yield Found(start, start + len(piece), piece)
        start += len(piece) + 1


def _is_number(text: str, start: int) -> bool:
    if text[start - 1 : start] == "/":
        if text[start - 2 : start - 1].isdigit():
            return text.startswith("255.", start)  # "192.0.2.0/255.255.255.0"
        before = text[max(0, start - 1 - _LONGEST_PRODUCT) : start - 1]
        product = before[len(before.rstrip(_LETTERS)) :]
        return product[:1].isupper()  # "Chrome/120.0.0.0" (RFC 9110 section 10.1.5), but not "tcp/192.0.2.1"
    return text[max(0, start - 16) : start].rstrip(' .:="').lower().endswith(_VERSION)


def ipv6_in(text: str) -> Iterator[Found]:
    """Yield the IPv6 addresses of a text; an IPv4-mapped one as the IPv4 address that it is.

    Times, hardware addresses, fingerprints and "A::B" are none: an address has "::" or eight groups, a digit, and a
    group of three or more. Prefix lengths, zones and ports are left out.
    """
    done = 0
    for sign in IPV6_SIGN.finditer(text):
        if sign.start() < done:
            continue
        head = IPV6_HEAD_REVERSED.match(text[max(done, sign.start() - _LONGEST_IPV6) : sign.start()][::-1])
        start = sign.start() - (head.end() if head else 0)
        body = IPV6_BODY.match(text, start)
        if body is None:
            continue
        done = body.end()
        found = _ipv6(text, start, body[0])
        if found:
            yield found


def _ipv6(text: str, start: int, seen: str) -> Found | None:
    behind = text[start + len(seen) : start + len(seen) + 1]
    if behind.isalnum() or behind == "_" or (behind == ":" and "." not in seen):
        return None
    before = text[start - 1 : start]
    if before.isalnum() or before == "_":  # the end of a key: "IPv6:2001:db8::1", "interface:2001:db8::1"
        key, _, seen = seen.partition(":")
        if len(key) > 1 and not key.isalpha():
            return None
        start += len(key) + 1
    if seen.startswith(":") and not seen.startswith("::"):
        start, seen = start + 1, seen[1:]
    if seen.endswith(":") and not seen.endswith("::"):
        seen = seen[:-1]
    for candidate in (seen, seen.rpartition(".")[0]):  # the second without a port of tcpdump
        value = canonical(candidate) if _is_meant(candidate) else ""
        if value:
            return Found(start, start + len(candidate), value)
    return None


def _is_meant(seen: str) -> bool:
    if not any(char.isdigit() for char in seen):
        return False
    return seen.startswith("::") or max(map(len, seen.partition(".")[0].split(":"))) > 2


@lru_cache(1024)
def canonical(seen: str) -> str:
    """Return an IPv6 address compressed (RFC 5952), an IPv4-mapped one as IPv4 address, "" for anything else."""
    try:
        return plain(IPv6Address(seen)).compressed
    except ValueError:
        return ""
