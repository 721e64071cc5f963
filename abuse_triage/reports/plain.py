"""Free text: what a person wrote, and whatever no other reader knows."""

from abuse_triage.model.message import Mail
from abuse_triage.model.report import Report
from abuse_triage.model.settings import LimitSettings
from abuse_triage.reports.language import language
from abuse_triage.reports.reading import all_text, new_text


def read(mail: Mail, limits: LimitSettings) -> Report:
    """Read any mail as free text."""
    text = all_text(mail, limits)
    new = new_text(mail, limits)
    return Report(
        format="plain",
        reason="no known format: read as free text" if text else "no text was found in it",
        text=text,
        new_text=new,
        language=language(new, mail) or language(text, mail),
    )
