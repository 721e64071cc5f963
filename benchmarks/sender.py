"""How fast the sender empties the outbox, with budgets that last: into a folder, and to an SMTP server on loopback."""

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from daemon import write_config
from servers.smtp_sink import SmtpSink

from abuse_triage import config, logs
from abuse_triage.mail.compose import compose
from abuse_triage.mail.thread import own_id
from abuse_triage.model.settings import Settings
from abuse_triage.model.ticket import MailKind, MailState, Outgoing
from abuse_triage.service.sender import run_sender
from abuse_triage.store import open_store
from abuse_triage.store.interface import Store

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
QUIET = '[log]\nlevel = "warning"\n'
SECRET = b"a secret of thirty-two bytes, or"


class UntilEmpty:
    """Asks the sender to stop when nothing is queued."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left = 0

    def is_set(self) -> bool:
        """Look at the store now and then only, so that looking costs nothing."""
        self._left -= 1
        if self._left < 0:
            self._left = 100
            return not self._store.mails((MailState.QUEUED,), 1)
        return False

    def wait(self, _timeout: float) -> bool:
        """Nothing is waited for."""
        return self.is_set()


def fill(store: Store, first: int, count: int) -> None:
    """Queue acknowledgements to as many people."""
    for number in range(first, first + count):
        recipient = f"reporter{number}@example{number % 500}.org"
        message_id = own_id("ack", str(number), SECRET, "example.pt")
        content = compose(
            kind=MailKind.ACKNOWLEDGEMENT,
            message_id=message_id,
            sender_name="Test CSIRT",
            sender="abuse@example.pt",
            recipient=recipient,
            subject=f"[TEST#2026-{number:06}] Auto: Report received",
            body="We received your report, and a person will read it within 24 hours.\n" * 40,
            date=NOW,
        )
        mail = Outgoing(
            kind=MailKind.ACKNOWLEDGEMENT, message_id=message_id, recipient=recipient, content=content, proven=True
        )
        store.queue(mail, NOW)


def rate(settings: Settings, store: Store, first: int, count: int) -> tuple[float, float]:
    """Return mails/s and the sender's CPU milliseconds for each."""
    fill(store, first, count)
    started, used = time.perf_counter(), time.thread_time()
    run_sender(settings, store, UntilEmpty(store), now=lambda: NOW)
    left = store.mails((MailState.QUEUED,), 1)
    if left:
        raise RuntimeError(f"not everything was sent: {left[0]}")
    return count / (time.perf_counter() - started), (time.thread_time() - used) * 1000 / count


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mails", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sender-") as name:
        folder = Path(name)
        for way in ("folder", "smarthost"):
            place = folder / way
            place.mkdir()
            with SmtpSink(place / "sink") as sink:
                path = write_config(place, smarthost=sink.address if way == "smarthost" else "", extra=QUIET)
                settings = config.load(path)
                logs.setup(settings.log)
                with closing(open_store(settings.store.path, number_format=config.number_format(settings))) as store:
                    found = [rate(settings, store, n * given.mails, given.mails) for n in range(given.rounds)]
            rates = [round(value[0]) for value in found]
            print(f"{way}: {rates} mails/s, {statistics.median(value[1] for value in found):.2f} ms CPU each")


if __name__ == "__main__":
    main()
