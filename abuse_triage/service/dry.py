"""A decision that is only explained, with what the daemon would know, and look-ups for whoever wants to wait."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from abuse_triage import config
from abuse_triage.model.lookups import Enrichment, Wanted
from abuse_triage.model.message import Arrival
from abuse_triage.model.report import Opened, Reading
from abuse_triage.model.settings import Settings
from abuse_triage.outcomes import Knowledge
from abuse_triage.service.enriching import Enricher
from abuse_triage.service.localfiles import LocalFiles
from abuse_triage.store import open_store
from abuse_triage.store.lookups import TicketLookup


class Dry:
    """What a dry run knows; a context manager. Where there is no store yet, an empty one stands for it."""

    def __init__(self, settings: Settings, knowledge: Knowledge, *, ask: bool) -> None:
        """With `ask` look-ups are planned, and made by `looked_up`, even where the daemon makes none."""
        self._settings = settings
        self._ask = ask
        self._closing = ExitStack()
        enabled = settings.lookups.model_copy(update={"enabled": settings.lookups.enabled or ask})
        self.knowledge = replace(knowledge, settings=settings.model_copy(update={"lookups": enabled}))

    def __enter__(self) -> Self:
        """Open the store and the local files; raises `ConfigError` and `TemporaryError`."""
        path = self._settings.store.path
        with ExitStack() as opened:  # lets go of the store where the files are wrong
            if not path.exists():
                path = Path(opened.enter_context(tempfile.TemporaryDirectory())) / "empty.sqlite"
            self.store = open_store(path, number_format=config.number_format(self._settings))
            opened.callback(self.store.close)
            self.files = LocalFiles(self._settings.lookups)
            self._closing = opened.pop_all()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Let go of both."""
        self._closing.close()

    def known(self, reading: Reading, opened: Opened, arrival: Arrival) -> Enrichment:
        """Return what is known without asking anybody."""
        return Enricher(self.knowledge, self.store, self.store, self.files).of(
            reading, opened, arrival, datetime.now(UTC)
        )

    def looked_up(self, wanted: Sequence[Wanted], progress: Callable[[int, int], None]) -> list[TicketLookup]:
        """Return the look-ups of a decision: with their answers where they may be asked, else as they would be."""
        from abuse_triage.service.inquiry import inquire, planned  # noqa: PLC0415 -- only who asks pays for it

        if not self._ask:
            return planned(self.store, wanted)
        return inquire(self._settings, self.store, wanted, progress)


def enriched(known: Enrichment, found: Sequence[TicketLookup]) -> Enrichment:
    """Return what is known with what was found besides."""
    answers = {(one.kind, one.subject): one.known for one in found if one.known is not None}
    return replace(known, known={**known.known, **answers})
