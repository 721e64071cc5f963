"""One module for each form of report, tried in order; the last takes whatever is left."""

from collections.abc import Callable

from abuse_triage.model.message import Mail, Place
from abuse_triage.model.report import Attachment, Report
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports import arf, plain

FORMATS: tuple[Callable[[Mail, LimitSettings], Report | None], ...] = (arf.read, plain.read)
"""The readers in the order in which they are asked; each takes a mail or leaves it to the next."""


def read(mail: Mail, limits: LimitSettings) -> Report:
    """Read a mail as the first format that fits; its `reason` says why it did."""
    return next(report for reader in FORMATS if (report := reader(mail, limits)) is not None)


def attachments(mail: Mail) -> tuple[Attachment, ...]:
    """Return the parts that are not text of the message or of one embedded in it, in order."""
    return tuple(
        Attachment(
            name=part.filename,
            content_type=part.content_type,
            detected_type=part.detected_type,
            size=part.size,
            sha256=part.sha256,
        )
        for part in mail.parts
        if part.text is None or part.place is Place.ATTACHMENT or part.filename
    )
