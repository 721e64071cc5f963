"""Who asks which question: the clients for registries and name servers, as the configuration and IANA's lists say."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from abuse_triage.indicators import names
from abuse_triage.lookups import bootstrap
from abuse_triage.lookups.abusecontact import AbuseContactClient
from abuse_triage.lookups.client import Client
from abuse_triage.lookups.delegation import Delegation
from abuse_triage.lookups.domains import Domains
from abuse_triage.lookups.exchange import Reach
from abuse_triage.lookups.hosts import by_resolver, by_system
from abuse_triage.lookups.network import NetworkClient
from abuse_triage.lookups.records import Hosts, Pointer
from abuse_triage.lookups.registries import Registries
from abuse_triage.lookups.resolver import Resolver
from abuse_triage.lookups.transport import Transport
from abuse_triage.lookups.whoisdomains import OwnDomains, WhoisDomains
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import LookupKind
from abuse_triage.model.settings import Settings
from abuse_triage.service.discovery import special_range

_LOOK_SECONDS = 60.0
"""How often the folder with IANA's lists is looked at for new ones."""
_DEFAULT = LookupSettings()
_REASONS = {
    LookupKind.ABUSE_CONTACT: "lookups.abuse_contacts is empty",
    LookupKind.OWN_DOMAIN: "lookups.own_whois is empty",
    LookupKind.DELEGATION: "lookups.resolver is empty",
    LookupKind.HOSTS: "lookups.resolver is empty",
    LookupKind.POINTER: "lookups.resolver is empty",
}


class Clients:
    """Knows who can be asked what; used by one thread, while its clients are used by many.

    What the configuration names may be inside and without TLS; everybody else is asked by HTTPS, at global addresses.
    """

    def __init__(
        self, settings: Settings, reach: Reach | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read IANA's lists. `reach` is how the network is reached, where not as configured; `clock` is monotonic."""
        self._lookups = settings.lookups
        self._clock = clock
        seconds = self._lookups.timeout.total_seconds()
        servers = self._lookups.resolver
        self._reach = reach or outside(self._lookups)
        resolver = Resolver(servers, seconds, names.organisation) if servers else None
        self._steady: dict[LookupKind, Client] = {
            LookupKind.OWN_DOMAIN: OwnDomains(self._lookups.own_whois, self._reach.resolve),
            LookupKind.DELEGATION: Delegation(resolver, self._reach.refuse),
            LookupKind.HOSTS: Hosts(resolver),
            LookupKind.POINTER: Pointer(resolver),
        }
        self._next_look = 0.0
        self._state: tuple[tuple[int, int], ...] = ()
        self._read_lists()

    def client(self, kind: LookupKind, subject: str) -> Client | None:
        """Return who asks such a question, None where nobody can be asked."""
        self._look_for_lists()
        client = self._clients[kind]
        return client if client.server(subject) else None

    def why_not(self, kind: LookupKind, subject: str) -> str:
        """Say why nobody can be asked, in words for a person."""
        match kind:
            case LookupKind.NETWORK:
                return "no registry is known for this address"
            case LookupKind.DOMAIN:
                return f"no RDAP service is known for .{subject.rpartition('.')[2]}, and lookups.whois names no server"
        return _REASONS[kind]

    def registry_of(self, address: str) -> str:
        """Return the regional Internet registry that an address belongs to, "" where none is known."""
        registry = self._registries.of(address)
        return registry.region if registry else ""

    def at_registry(self, registry: str) -> Client | None:
        """Return who asks a certain registry about addresses, None for what is no registry that we know."""
        if self._registries.named(registry) is None:
            return None
        return NetworkClient(self._transport, self._registries, only=registry)

    def _look_for_lists(self) -> None:
        """Read the lists again where they are new."""
        if self._clock() < self._next_look:
            return
        self._next_look = self._clock() + _LOOK_SECONDS
        if _state(self._lookups.bootstrap) != self._state:
            self._read_lists()

    def _read_lists(self) -> None:
        lookups = self._lookups
        self._next_look = self._clock() + _LOOK_SECONDS
        self._state = _state(lookups.bootstrap)
        lists = bootstrap.load(lookups.bootstrap)
        self._registries = Registries(lookups.rdap, lists.address)
        contacts = lookups.abuse_contacts
        ours = contacts != _DEFAULT.abuse_contacts
        self._transport = Transport(
            self._reach,
            limit=lookups.max_answer,
            configured=[*lookups.rdap.values(), *([contacts] if ours else [])],
            published=[*lists.bases(), *self._registries.bases, *([] if ours else [contacts])],
        )
        self._clients: dict[LookupKind, Client] = {
            **self._steady,
            LookupKind.NETWORK: NetworkClient(self._transport, self._registries),
            LookupKind.ABUSE_CONTACT: AbuseContactClient(self._transport, contacts),
            LookupKind.DOMAIN: Domains(
                lookups.rdap, lists, self._transport, WhoisDomains(lookups.whois, self._reach.resolve)
            ),
        }


def outside(lookups: LookupSettings) -> Reach:
    """Return how the Internet is reached: by the operator's resolvers where they are configured, else the system's."""
    seconds = lookups.timeout.total_seconds()
    resolve = by_resolver(lookups.resolver, seconds) if lookups.resolver else by_system
    return Reach(resolve=resolve, refuse=special_range, tls=ssl.create_default_context())


def _state(folder: Path) -> tuple[tuple[int, int], ...]:
    """Return what changes when a list does: the time and number of each file, in order of their names."""
    found = []
    for name in bootstrap.FILES:
        try:
            file = (folder / name).stat()
        except OSError:
            found.append((0, 0))
        else:
            found.append((file.st_mtime_ns, file.st_ino))
    return tuple(found)
