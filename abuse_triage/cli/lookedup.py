"""What look-ups brought, what is withheld, and whom to write to, printed by `ticket show` and `triage`."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

import click

from abuse_triage.cli.output import moment, say, show
from abuse_triage.enrichment.proposals import Proposal, proposals
from abuse_triage.errors import ConfigError
from abuse_triage.indicators.refang import defang
from abuse_triage.model.lookup_settings import LookupSettings
from abuse_triage.model.lookups import (
    Answer,
    ContactKind,
    DirectoryEntry,
    LookupKind,
    LookupState,
    Offline,
    Permission,
    Registrar,
    Result,
)
from abuse_triage.model.report import Kind
from abuse_triage.service.localfiles import LocalFiles
from abuse_triage.store.interface import Store
from abuse_triage.store.lookups import TicketLookup

_WIDTH = 14
"""Columns of the name of a kind."""
_FINDS = {
    LookupKind.NETWORK: "no such network",
    LookupKind.ABUSE_CONTACT: "no abuse contact",
    LookupKind.DOMAIN: "not registered",
    LookupKind.OWN_DOMAIN: "not registered",
    LookupKind.DELEGATION: "not delegated",
    LookupKind.HOSTS: "no addresses",
    LookupKind.POINTER: "no name",
}
"""What it means that there is no such thing."""


_STANDS = {
    LookupState.WAITING: "not asked yet",
    LookupState.ASKING: "being asked",
    LookupState.ANSWERED: "it was answered; the answer is not kept any more (lookups.retention)",
    LookupState.SKIPPED: "not asked",
}


def _nothing(_subject: str) -> Offline | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is known besides the answers: local files, the registrar table, and national CSIRTs by country."""

    offline: Callable[[str], Offline | None] = _nothing
    registrars: Sequence[Registrar] = ()
    nationals: Mapping[str, DirectoryEntry] = field(default_factory=dict)


def sources_of(store: Store, settings: LookupSettings) -> Sources:
    """Return what is known besides the answers; files that cannot be read are told of, and say nothing."""
    entries = store.contacts((ContactKind.NATIONAL_CSIRT,))
    nationals = {entry.country: entry for entry in reversed(entries) if entry.country}
    try:
        files = LocalFiles(settings)
    except ConfigError as error:
        for problem in error.problems:
            say(f"warning: {problem}")
        return Sources(nationals=nationals)
    return Sources(offline=files.offline, registrars=files.registrars, nationals=nationals)


def progress(over: int, of: int) -> None:
    """Tell somebody who waits how far it is: on one line of a terminal, elsewhere at the end only."""
    if sys.stderr.isatty():
        click.echo(f"\r{over} of {of} look-ups done{'' if over < of else chr(10)}", err=True, nl=False)
    elif over == of:
        say(f"{of} look-ups done")


def show_lookups(
    lookups: Sequence[TicketLookup], sources: Sources, zone: str, *, hosts: Sequence[str] = (), number: str = ""
) -> None:
    """Print the section "Look-ups", subject by subject; nothing where there is none.

    Args:
        lookups: of a ticket or message.
        sources: what is known besides.
        zone: in which times are written.
        hosts: addresses and names of which only local files may know something.
        number: the ticket's, for the command that releases what is withheld; "" where that cannot be done.
    """
    asked = dict.fromkeys(one.subject for one in lookups)
    local = [host for host in dict.fromkeys(hosts) if not _is_among(host, asked) and sources.offline(host)]
    if not asked and not local:
        return
    show()
    show("Look-ups")
    answers = {(one.kind, one.subject): _unnamed(one.known.answer) for one in lookups if one.known}
    for subject in (*asked, *local):
        show(f"  {defang(subject)}")
        offline = sources.offline(subject)
        if offline is not None:
            _line("local files", _local(offline))
        about = [one for one in lookups if one.subject == subject]
        for one in about:
            if one.state is not LookupState.WITHHELD or one.known is not None:
                _show_one(one, zone)
        for reason in dict.fromkeys(one.reason for one in about if _is_withheld(one)):
            kinds = ", ".join(_name(one) for one in about if _is_withheld(one) and one.reason == reason)
            _line("not asked", f"{kinds}: {reason}")
        found = proposals(subject, answers, offline=offline, registrars=sources.registrars, nationals=sources.nationals)
        for index, proposal in enumerate(found):
            _line("or to" if index else "write to", _proposal(proposal))
    if number and any(_is_withheld(one) and one.permission is Permission.ASK for one in lookups):
        show(f"  To let one of them be asked: abuse-triage ticket lookup {number} --allow SUBJECT")


def hosts_of(indicators: Iterable[tuple[str, str]]) -> list[str]:
    """Return the addresses and names in indicators, given by kind and value; those of e-mail addresses are left out."""
    return [
        (urlsplit(value).hostname or "") if kind == Kind.URL else value
        for kind, value in indicators
        if kind != Kind.EMAIL
    ]


def _is_among(host: str, subjects: Iterable[str]) -> bool:
    return any(host == subject or host.endswith(f".{subject}") for subject in subjects)


def _is_withheld(one: TicketLookup) -> bool:
    return one.state is LookupState.WITHHELD and one.known is None


def _name(one: TicketLookup) -> str:
    return f"{one.kind}{'' if one.permission is Permission.ASK else ' (never)'}"


def _line(name: str, text: str) -> None:
    show(f"    {name.ljust(_WIDTH)}{text}")


def _show_one(one: TicketLookup, zone: str) -> None:
    if one.known is None:
        _line(one.kind, one.reason or _STANDS[one.state])
        return
    answer = _unnamed(one.known.answer)
    again = "; asked again" if one.state in {LookupState.WAITING, LookupState.ASKING} else ""
    first, *more = _said(answer, zone)
    _line(one.kind, f"{first}  [{answer.server or 'nobody'}, {moment(one.known.asked_at, zone)}{again}]")
    for line in more:
        _line("", line)
    for contact in answer.contacts:
        if contact.role != "abuse" and contact.email:
            _line("", f"{contact.role}: {contact.email}{f' ({contact.name})' if contact.name else ''}")


def _unnamed(answer: Answer) -> Answer:
    """Return an answer without the names of persons: an address is enough to write to."""
    contacts = tuple(replace(contact, name="") if contact.personal else contact for contact in answer.contacts)
    return replace(answer, contacts=contacts)


def _said(answer: Answer, zone: str) -> list[str]:
    """Say what an answer says in lines of what belongs together."""
    if answer.result is Result.FAILED:
        return [f"failed: {answer.reason}"]
    if answer.result is Result.NOT_FOUND:
        return [f"{_FINDS[answer.kind]}{f' ({answer.reason})' if answer.reason else ''}"]
    lines = (
        _listed(
            answer.network,
            f"{answer.first} to {answer.last}" if answer.first else "",
            answer.holder,
            answer.country,
            answer.registry,
            f"registrar {answer.registrar}" if answer.registrar else "",
            f"managed by {answer.managed_by}" if answer.managed_by else "",
        ),
        _listed(
            f"registered {_day(answer.created, zone)}" if answer.created else "",
            f"expires {_day(answer.expires, zone)}" if answer.expires else "",
            *answer.statuses,
        ),
        f"name servers {' '.join(answer.name_servers)}" if answer.name_servers else "",
        {True: "signed (DNSSEC)", False: "not signed (DNSSEC)", None: ""}[answer.signed],
        *(f"DS {record}" for record in answer.ds),
        " ".join(answer.addresses),
        f"mail to {' '.join(answer.mail_hosts)}" if answer.mail_hosts else "",
        *(f"text {text}" for text in answer.texts),
        " ".join(answer.names),
        answer.reason,
    )
    return [line for line in lines if line] or [_found(answer)]


def _found(answer: Answer) -> str:
    """Say that there is an answer, whose content stands elsewhere."""
    return "see below" if answer.contacts else "found"


def _listed(*texts: str) -> str:
    return ", ".join(text for text in texts if text)


def _day(at: datetime, zone: str) -> str:
    return moment(at, zone)[:10]


def _local(offline: Offline) -> str:
    system = f"AS{offline.asn}" if offline.asn else ""
    owner = f"{offline.owner} ({offline.owner_key})" if offline.owner else ""
    return _listed(" ".join(filter(None, (system, offline.as_name))), offline.country, owner, offline.owner_note)


def _proposal(proposal: Proposal) -> str:
    return f"{proposal.email} ({f'{proposal.name}; ' if proposal.name else ''}{proposal.source})"
