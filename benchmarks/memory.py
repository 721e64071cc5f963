"""Peak resident memory of every process with messages of 25 MB, against a daemon that has seen small ones only."""

import base64
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from client import send_all
from daemon import Daemon
from samples import report

_SIZE = 25_000_000


def big(number: int) -> tuple[str, bytes]:
    """Return a report with an attachment of random bytes, 25 MB as a mail."""
    sender, text = report(number)
    head, _, body = text.partition(b"\r\n\r\n")
    lines = base64.encodebytes(os.urandom(_SIZE * 57 // 78)).replace(b"\n", b"\r\n")
    kind = b'Content-Type: multipart/mixed; boundary="part"'
    head = head.replace(b"Content-Type: text/plain; charset=utf-8", kind).replace(
        b"\r\nContent-Transfer-Encoding: 8bit", b""
    )
    attachment = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines
    return sender, b"\r\n".join((head, b"", b"--part\r\n", body, b"--part\r\n" + attachment, b"--part--"))


def main() -> None:
    """Send small messages, then one big one, then three more, and print the peaks."""
    with tempfile.TemporaryDirectory(prefix="memory-") as folder, Daemon(Path(folder)) as daemon:
        daemon.start()
        send_all(daemon.port, [report(number) for number in range(50)], 5)
        daemon.drain()
        base = daemon.peaks()
        rows = [("small messages", base)]
        for label, numbers in (("one of 25 MB", range(100, 101)), ("three more", range(101, 104))):
            for number in numbers:
                send_all(daemon.port, [big(number)], 1)
            daemon.drain()
            rows.append((label, daemon.peaks()))
    names = list(base)
    print("peak MB".ljust(16) + "".join(name.rjust(12) for name in names))
    for label, peaks in rows:
        print(label.ljust(16) + "".join(f"{peaks[name] / 1000:12.0f}" for name in names))
    last = rows[-1][1]
    times = {name: round((last[name] - base[name]) * 1000 / _SIZE, 1) for name in names}
    print(f"growth in multiples of the message: {times}")


if __name__ == "__main__":
    main()
