"""Peak resident memory of every process with messages of 25 MB, in multiples of such a message, by SMTP and by LMTP.

What counts is the growth over a daemon that has seen small messages only; for the intake the aim is 1.5.
"""

import base64
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from client import LMTP, SMTP, RefusedError, send_all
from daemon import Daemon, free_port
from samples import report

AIM = 1.5
_SIZE = 25_000_000
_CROWD = 8


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
    """Measure both ways in, each with a daemon of its own, and end with one line of JSON."""
    growth = {name: _measure(name, greeting) for name, greeting in (("SMTP", SMTP), ("LMTP", LMTP))}
    for name, rows in growth.items():
        print(f"{name}: one message costs the intake {rows['one of 25 MB']['intake']} times its size, aim {AIM}")
    print(json.dumps({"benchmark": "memory", "growth": growth}))


def _measure(name: str, greeting: bytes) -> dict[str, dict[str, float]]:
    """Send small messages, one big one, three more, and a crowd; return the growth of each process by row."""
    lmtp = free_port()
    extra = f'\n[lmtp]\nlisten = ["127.0.0.1:{lmtp}"]\n'
    with tempfile.TemporaryDirectory(prefix="memory-") as folder, Daemon(Path(folder), extra=extra) as daemon:
        daemon.start()
        port = lmtp if greeting == LMTP else daemon.port
        send_all(port, [report(number) for number in range(50)], 5, greeting)
        _triaged(daemon)
        base = daemon.peaks()
        print(f"{name}, peak MB".ljust(24) + "".join(process.rjust(12) for process in base))
        _print("small messages", base)
        growth = {}
        for label, count, sessions in (
            ("one of 25 MB", 1, 1),
            ("three more", 3, 1),
            (f"{_CROWD} at once", _CROWD, _CROWD),
        ):
            with ThreadPoolExecutor(sessions) as pool:
                taken = sum(pool.map(lambda number: _is_taken(port, number, greeting), range(count)))
            _triaged(daemon)
            peaks = daemon.peaks()
            _print(label if taken == count else f"{label}, {taken} taken", peaks)
            growth[label] = {process: round((peaks[process] - base[process]) * 1024 / _SIZE, 2) for process in base}
    return growth


def _is_taken(port: int, number: int, greeting: bytes) -> bool:
    """Send one message of 25 MB; where too many are in memory it is put off, which an MTA would try again."""
    try:
        return bool(send_all(port, [big(number)], 1, greeting))
    except RefusedError:
        return False


def _triaged(daemon: Daemon) -> None:
    while daemon.store().waiting():
        time.sleep(0.05)


def _print(label: str, peaks: dict[str, int]) -> None:
    print(label.ljust(24) + "".join(f"{peak / 1000:12.0f}" for peak in peaks.values()))


if __name__ == "__main__":
    main()
