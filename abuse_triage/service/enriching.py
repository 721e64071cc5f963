"""What is known about a message's subjects without asking anybody: the cache, local files and the contact directory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from abuse_triage.enrichment.questions import Question, further
from abuse_triage.judgement import asked_of
from abuse_triage.model.decision import Tlp
from abuse_triage.model.lookups import NOTHING_KNOWN, DirectoryEntry, Enrichment, Known, Offline
from abuse_triage.model.message import Arrival
from abuse_triage.model.openpgp import Encrypted
from abuse_triage.model.report import Opened, Reading
from abuse_triage.outcomes import Knowledge, mailbox_of
from abuse_triage.store.lookups import LookupCache


class Directory(Protocol):
    """As much of a contact directory as is asked for each message."""

    def contact_at(self, address: str) -> DirectoryEntry | None:
        """Return the entry with an address, None where there is none."""


class Local(Protocol):
    """What the operator's own files say."""

    @property
    def present(self) -> bool:
        """Whether there are any."""

    def offline(self, subject: str) -> Offline | None:
        """Return what they say about an address or name, None where they say nothing."""


class Enricher:
    """Collects what is known; quick, and never asks anybody outside."""

    def __init__(self, knowledge: Knowledge, cache: LookupCache, directory: Directory, files: Local) -> None:
        """Take the sources."""
        self._knowledge = knowledge
        self._cache = cache
        self._directory = directory
        self._files = files

    def of(self, reading: Reading, opened: Opened, arrival: Arrival, now: datetime) -> Enrichment:
        """Return what is known about what a message points at, and who wrote; raises what the store raises.

        Answers are seen at the TLP that the message has at least: rules may still raise it, and may see less then.
        """
        inside = opened.reading or reading
        reporter = self._directory.contact_at(inside.sender.email) if inside.sender.email else None
        if not self._knowledge.settings.lookups.enabled and not self._files.present:
            return Enrichment(reporter=reporter, at=now) if reporter else NOTHING_KNOWN
        found, asked = asked_of(inside, arrival, self._knowledge)
        if not found and reporter is None:
            return NOTHING_KNOWN
        floor = self._floor(inside, opened, arrival)
        known = self._known(asked, floor, now)
        if more := further(asked, known, self._knowledge.settings.lookups):
            asked = (*asked, *more)
            known |= self._known(more, floor, now)
        files = found if self._files.present else ()
        return Enrichment(
            known=known,
            offline={subject: said for subject in files if (said := self._files.offline(subject)) is not None},
            reporter=reporter,
            subjects=found,
            asked=asked,
            at=now,
        )

    def _known(self, asked: Sequence[Question], floor: Tlp, now: datetime) -> dict[Question, Known]:
        answers = self._cache.known(asked, floor, now) if asked else ()
        return {(one.answer.kind, one.answer.subject): one for one in answers}

    def _floor(self, inside: Reading, opened: Opened, arrival: Arrival) -> Tlp:
        """Return the TLP that a message has at least, whatever the rules say."""
        default = mailbox_of(self._knowledge.settings, arrival).default_tlp
        sealed = opened.protection.encrypted is not Encrypted.NO
        marked = max((marking.tlp for marking in inside.markings), default=default)
        return max(marked, Tlp.AMBER) if sealed and not inside.markings else marked
