"""Feedback reports of mail providers (ARF, RFC 5965, with the types of RFC 6430 and RFC 6591)."""

from collections.abc import Iterator

from abuse_triage.mail.headers import decoded
from abuse_triage.model.message import Mail, Place
from abuse_triage.model.report import Report
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.language import language
from abuse_triage.reports.reading import all_text, new_text

MOST_FIELDS = 500
"""Fields read of one feedback report."""
LONGEST_VALUE = 2000
"""Characters kept of one field."""

_REPORT = "message/feedback-report"


def read(mail: Mail, limits: LimitSettings) -> Report | None:
    """Read a feedback report, None where it is none; one inside an embedded message is somebody else's.

    `type` is Feedback-Type in lower case. Fields keep their order; those that may occur several times, such as
    Reported-Domain and Reported-URI, are repeated (RFC 5965 section 3.2).
    """
    part = next(
        (part for part in mail.parts if part.content_type == _REPORT and part.place is not Place.FORWARDED), None
    )
    declared = mail.content_type == "multipart/report" and (
        dict(mail.params).get("report-type", "").lower() == "feedback-report"
    )
    if part is None and not declared:
        return None
    fields = tuple(_fields(part.text or "")) if part else ()
    text = all_text(mail, limits)
    new = new_text(mail, limits)
    return Report(
        format="arf",
        reason=_reason(declared=declared, present=part is not None),
        text=text,
        new_text=new,
        language=language(new, mail),
        type=next((value.lower() for name, value in fields if name == "feedback-type"), ""),
        fields=fields,
    )


def _reason(*, declared: bool, present: bool) -> str:
    if not present:
        return "multipart/report with report-type=feedback-report, but without its message/feedback-report"
    return "multipart/report with report-type=feedback-report" if declared else "it has a message/feedback-report"


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields in order, names in lower case, values unfolded; stops at the first empty line behind a field."""
    name = ""
    value = ""
    count = 0
    for line in (*text.split("\n"), ""):
        if name and line[:1] in {" ", "\t"}:
            value = f"{value} {line.strip()}" if len(value) < LONGEST_VALUE else value
            continue
        if name:
            yield name, decoded(value)[:LONGEST_VALUE]
            count += 1
            if not line.strip() or count >= MOST_FIELDS:
                return
        before, colon, after = line.partition(":")
        name = before.strip().lower()[:100] if colon else ""
        value = after.strip()[:LONGEST_VALUE]
