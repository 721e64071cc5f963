"""What it says about a question that a service does not answer it: there is no such thing, or it failed, and why."""

from abuse_triage.lookups.transport import ABSENT, TransportError
from abuse_triage.model.lookups import Answer, LookupKind, Result


def refused(error: TransportError, *, kind: LookupKind, subject: str, server: str, refers_to: str = "") -> Answer:
    """Return the answer that stands for an error; a status of 404 means that there is no such thing."""
    return Answer(
        kind=kind,
        subject=subject,
        server=server,
        result=Result.NOT_FOUND if error.status == ABSENT else Result.FAILED,
        reason=str(error),
        temporary=error.temporary,
        retry_after=error.retry_after,
        refers_to=refers_to,
    )


def unknown(*, kind: LookupKind, subject: str) -> Answer:
    """Return the answer where nobody is known who could be asked."""
    return Answer(
        kind=kind, subject=subject, server="", result=Result.FAILED, reason=f"nobody is known to ask about {subject}"
    )
