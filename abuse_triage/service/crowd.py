"""Who is inside: so many connections in all, so many from one network, and places that strangers cannot fill."""

import ipaddress
from collections import Counter

from abuse_triage.model.settings import SmtpSettings

_RESERVED = 10
"""One place in so many, at least one, is kept for relays and unix sockets; a house of one place has none to keep."""
_IPV4_BYTES, _IPV6_BYTES = 3, 8
"""What belongs together: an IPv4 /24, an IPv6 /64."""


class Crowd:
    """The connections of one process; a network is remembered only while one of its connections lasts."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._most = settings.max_connections
        self._strangers_most = self._most - min(-(-self._most // _RESERVED), self._most - 1)
        self._network_most = settings.max_connections_per_network
        self._relays = settings.relays
        self._inside: dict[object, bytes] = {}
        self._networks: Counter[bytes] = Counter()
        self._strangers = 0

    def enter(self, guest: object, address: str) -> tuple[str, str]:
        """Let a guest in, or not; return its address as it is shown, and the limit that it is beyond, "" for none.

        `address` is an IP address, "" for a unix socket. IPv4 in IPv6 (::ffff:192.0.2.1) is IPv4. The limits are named
        like their settings. Who is not let in is not counted.
        """
        peer, network = self._place(address)
        if len(self._inside) >= self._most or (network and self._strangers >= self._strangers_most):
            return peer, "max_connections"
        if network and self._networks[network] >= self._network_most:
            return peer, "max_connections_per_network"
        self._inside[guest] = network
        if network:
            self._networks[network] += 1
            self._strangers += 1
        return peer, ""

    def leave(self, guest: object) -> None:
        """Count a guest no more; one that was not let in may leave as well."""
        network = self._inside.pop(guest, b"")
        if network:
            self._strangers -= 1
            self._networks[network] -= 1
            if not self._networks[network]:
                del self._networks[network]

    def is_stranger(self, guest: object) -> bool:
        """Tell whether a guest that was let in is neither a relay nor at a unix socket."""
        return bool(self._inside.get(guest))

    def _place(self, address: str) -> tuple[str, bytes]:
        """Return an address as it is shown, and the network that it is counted in, b"" for relays."""
        if not address:
            return "", b""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        if any(ip in network for network in self._relays):
            return str(ip), b""
        return str(ip), ip.packed[: _IPV4_BYTES if ip.version == 4 else _IPV6_BYTES]
