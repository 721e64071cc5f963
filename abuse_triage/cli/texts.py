"""What messages say, printed for a handler; what was encrypted is decrypted for it, in memory, and journaled."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from abuse_triage.cli.context import operator
from abuse_triage.cli.output import fields, show
from abuse_triage.model.openpgp import ADVICE

if TYPE_CHECKING:
    from abuse_triage.model.settings import Settings
    from abuse_triage.service.disclosure import Disclosed
    from abuse_triage.store.interface import Store


def show_texts(settings: "Settings", store: "Store", message_ids: Sequence[str]) -> None:
    """Print the text of each message, each line made safe for a terminal."""
    from abuse_triage.service.disclosure import disclosing  # noqa: PLC0415 -- late: few commands read messages again

    with disclosing(settings, store, operator()) as disclosure:
        for message_id in message_ids:
            _show(message_id, disclosure.read(message_id))


def _show(message_id: str, found: "Disclosed") -> None:
    reading, protection = found.reading, found.protection
    show()
    show(f"Text of message {message_id}")
    fields(
        [
            ("OpenPGP", protection.words),
            ("to do", ADVICE[protection.reason] if protection.reason else ""),
            ("care", "it came encrypted: answer encrypted, and quote nothing in clear" if protection.sealed else ""),
            ("From", f"{reading.sender.name} <{reading.sender.email}>".strip()),
            ("subject", reading.subject),
            ("files", ", ".join(f"{one.name or 'no name'} ({one.content_type})" for one in reading.attachments)),
            ("odd", "; ".join(reading.defects)),
            ("cut off", "; ".join(reading.limits)),
        ],
        indent=2,
    )
    show()
    for line in reading.report.text.splitlines():
        show(f"  | {line}")
