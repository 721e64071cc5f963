"""Clients for registrable names at WHOIS servers: that of our own registry, and those of other top-level domains."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from abuse_triage.lookups import whoisother, whoispt
from abuse_triage.lookups.hosts import Resolve
from abuse_triage.lookups.whois import WhoisError, absent, ask, host_of
from abuse_triage.model.lookups import Answer, LookupKind, Result

_FORMS = (whoispt.parse, whoisother.parse)


class WhoisDomains:
    """Asks the server that is configured for the longest end of a name ("lookups.whois"), and nobody else.

    A `Client`.
    """

    kind = LookupKind.DOMAIN

    def __init__(self, servers: Mapping[str, str], resolve: Resolve) -> None:
        """Take servers as "host:port" by top-level domain, or by a longer end of names; `resolve` looks up a host."""
        self._servers = servers
        self._resolve = resolve

    def server(self, subject: str) -> str:
        """Return the host that would be asked about a name, "" for none."""
        return host_of(self._server(subject))

    def ask(self, subject: str, seconds: float) -> Answer:
        """Ask once, within so many seconds in all; never raises for anything that the other end does."""
        server = self._server(subject)
        host = host_of(server)
        if not server:
            return self._answer(subject, "", Result.FAILED, "no server is known for this name")
        try:
            text = ask(server, subject, self._resolve, seconds)
            for parse in _FORMS:
                if record := parse(text, kind=self.kind, subject=subject, server=host):
                    return record
            if absent(text, server):
                return self._answer(subject, host, Result.NOT_FOUND)
        except WhoisError as error:
            return replace(self._answer(subject, host, Result.FAILED, str(error), error.retry_after), temporary=True)
        return self._answer(subject, host, Result.FAILED, f"the answer of {host} is not understood")

    def _server(self, subject: str) -> str:
        """Return host and port for a name."""
        labels = subject.split(".")
        ends = (".".join(labels[start:]) for start in range(1, len(labels)))
        return next((self._servers[end] for end in ends if end in self._servers), "")

    def _answer(
        self, subject: str, host: str, result: Result, reason: str = "", retry_after: timedelta | None = None
    ) -> Answer:
        return Answer(
            kind=self.kind, subject=subject, server=host, result=result, reason=reason, retry_after=retry_after
        )


class OwnDomains(WhoisDomains):
    """Asks the WHOIS server of our own registry ("lookups.own_whois") about names below our domains. A `Client`."""

    kind = LookupKind.OWN_DOMAIN

    def __init__(self, server: str, resolve: Resolve) -> None:
        """Take the server as "host:port", "" for none; `resolve` looks up its host."""
        super().__init__({}, resolve)
        self._own = server

    def _server(self, subject: str) -> str:  # noqa: ARG002 -- it is the same for every name
        return self._own
