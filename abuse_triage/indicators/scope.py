"""Whose an indicator is: the constituency's, or not, and the reason in one line."""

from functools import lru_cache
from ipaddress import ip_address

from abuse_triage.indicators.names import canonical, readable, registrable
from abuse_triage.indicators.ranges import Address, RangeTable
from abuse_triage.indicators.special import special, unwrap
from abuse_triage.model.identity import AutonomousSystem, ScopeSettings
from abuse_triage.model.report import Indicator, Scope

_REMEMBERED = 4096
_SHOWN_DOMAINS = 3  # of those that a name is not below


class Constituency:
    """What the settings call yours, ready to be asked about many indicators.

    Registered blocks count, because what is announced changes; of name servers only the exact addresses, because their
    networks are shared with others; of names those at and below the configured domains. No network is used.
    """

    def __init__(self, settings: ScopeSettings) -> None:
        """Build the tables; names are brought to their canonical form, leading dots and case do not matter."""
        self._systems = RangeTable((net, system) for system in settings.autonomous_system for net in system.networks)
        self._servers = {address: _zone(server.name) for server in settings.name_server for address in server.addresses}
        self._server_names = frozenset(_zone(server.name) for server in settings.name_server)
        self._domains = frozenset(_zone(domain) for domain in settings.domains)
        self._zones = frozenset(_zone(zone) for zone in settings.second_level) | self._domains
        self._of = lru_cache(_REMEMBERED)(self._of_host)  # a message is asked about several times, hosts often recur
        shown = ", ".join(f".{_zone(domain)}" for domain in settings.domains[:_SHOWN_DOMAINS])
        more = len(settings.domains) - _SHOWN_DOMAINS
        self._not_below = (f"not below {shown}" + (f" and {more} more" if more > 0 else "")) if shown else "not ours"

    def of(self, indicator: Indicator) -> Scope:
        """Return the scope of an indicator: of a URL or e-mail address, that of its host.

        `registry` is the configured domain without a leading dot. A special-purpose range is named even where it is
        configured as yours. The address inside an IPv4-mapped, NAT64 or 6to4 address decides where the outer one is
        not yours.
        """
        return self._of(indicator.host or indicator.value)

    def _of_host(self, host: str) -> Scope:
        if ":" in host or host[-1:].isdigit():
            try:
                address = ip_address(host)
            except ValueError:
                return self._of_name(host)
            return self._of_address(host, address)
        return self._of_name(host)

    def _of_address(self, host: str, address: Address) -> Scope:
        inner = unwrap(address)
        system, server = self._owner(address)
        if inner is not address and system is None and not server:
            system, server = self._owner(inner)
            if system is not None or server:
                host = f"{host} (inside it {inner})"
        kind = special(address)
        facts = [server] if server else []
        if system is not None:
            facts.append(f"AS{system.asn}")
        if kind:
            facts.append(kind)
        if system is None and not server:
            facts.append("not in scope" if kind else "outside our networks")
        return Scope(
            ours=system is not None or bool(server),
            reason=f"{host}: {', '.join(facts)}",
            asn=system.asn if system is not None else 0,
            name_server=server,
            special=kind,
        )

    def _owner(self, address: Address) -> tuple[AutonomousSystem | None, str]:
        return self._systems.get(address), self._servers.get(address, "")

    def _of_name(self, name: str) -> Scope:
        registry = self._registry(name)
        server = name if name in self._server_names else ""
        facts = ["name server"] if server else []
        if registry:
            facts.append(self._place(name, registry))
        elif not server:
            facts.append(self._not_below)
        shown = readable(name)
        return Scope(
            ours=bool(registry or server),
            reason=f"{name}{f' ({shown})' if shown != name else ''}: {', '.join(facts)}",
            name_server=server,
            registry=registry,
        )

    def _registry(self, name: str) -> str:
        """Return the longest configured domain that a name is or is below, "" where there is none."""
        while name not in self._domains:
            _, dot, name = name.partition(".")
            if not dot:
                return ""
        return name

    def _place(self, name: str, registry: str) -> str:
        if name == registry:
            return f"the domain .{registry} itself"
        if name in self._zones:
            return f"registration zone below .{registry}"
        below = self.registrable(name)
        return f"below .{registry} (registrable {below})" if below else f"below .{registry}"

    def registrable(self, name: str) -> str:
        """Return the name one label below the longest configured zone, but never above what the suffix list says.

        "" for a zone itself and where there is no such name.
        """
        if name in self._zones:
            return ""
        listed = registrable(name)
        child = name
        while (parent := child.partition(".")[2]) and parent not in self._zones:
            child = parent
        configured = child if parent else ""
        return max(listed, configured, key=lambda candidate: candidate.count("."))


def _zone(name: str) -> str:
    bare = name.strip(".").lower()
    return canonical(bare) or bare
