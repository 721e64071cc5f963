"""The LMTP conversation (RFC 2033): a text gets one reply for each recipient that was accepted.

A message that is too large is not refused, for the MTA would return it to a sender that may be forged: its beginning is
stored, and marked.
"""

from collections.abc import Callable

from abuse_triage.model.message import Channel
from abuse_triage.service.connection import Connection, connections
from abuse_triage.service.conversation import COMMON, Conversation
from abuse_triage.service.door import Door
from abuse_triage.service.transparency import MessageText


def lmtp_sessions(door: Door) -> Callable[[], Connection]:
    """Return what makes the session of each new connection; no SIZE is refused at MAIL."""
    return connections(LmtpSession, door, None)


class LmtpSession(Conversation):
    """One LMTP connection."""

    channel = Channel.LMTP
    protocol = "LMTP"

    async def smtp_LHLO(self, host: str | None) -> None:  # noqa: N802 - named like aiosmtpd's methods
        """Greet and list the extensions; SIZE without a value tells of no limit (RFC 1870 section 4)."""
        await self._greet(
            "LHLO", host, self.hostname, "PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"
        )

    def _replies_to_a_text(self) -> int:
        return len(self.envelope.destinations)

    def _new_text(self) -> MessageText:
        return MessageText(self._limits.max_message, self._door.keep)

    def _judge(self, _text: MessageText) -> str:
        return ""


LmtpSession.commands = COMMON | {"LHLO": LmtpSession.smtp_LHLO}
