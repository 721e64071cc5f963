"""The daemon with its own check of senders: a real name server, a real signature, real processes."""

import json
import smtplib
import time
from pathlib import Path

from daemon import Daemon
from proving import key_records, letter, rsa, signed
from servers.nsd import NameServer

from abuse_triage.store.interface import MessageFilter

CHECK = """
[authentication]
check = true
resolver = ["{address}"]

[log]
level = "debug"
"""


def deliver(daemon: Daemon, raw: bytes) -> None:
    """Send a report."""
    with smtplib.SMTP("127.0.0.1", daemon.port, timeout=10) as client:
        client.sendmail("rita@example.pt", ["abuse@example.pt"], raw)


def events(daemon: Daemon, name: str) -> list[dict[str, object]]:
    """Return what the daemon logged under a name."""
    lines = (json.loads(line) for line in daemon.log().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("event") == name]


def test_a_signed_report_is_proven_and_a_changed_one_is_not(tmp_path: Path) -> None:
    """One checker stands beside the worker, and the facts of each message have its results."""
    (tmp_path / "nsd").mkdir()
    zone = '_dmarc IN TXT "v=DMARC1; p=reject"\n' + key_records(s1=rsa(2048))
    with (
        NameServer(tmp_path / "nsd", {"example.pt": zone}) as server,
        Daemon(tmp_path, extra=CHECK.format(address=server.address)) as daemon,
    ):
        daemon.start()
        raw = signed(letter(), rsa(2048))
        deliver(daemon, raw)
        deliver(daemon, raw.replace(b"203.0.113.7", b"203.0.113.8"))
        daemon.drain()
        assert 1 == list(daemon.processes().values()).count("checker")
        found = {line["id"]: (line["spf"], line["dkim"], line["dmarc"]) for line in events(daemon, "sender-checked")}
        assert [("none", "fail", "none"), ("none", "pass", "pass")] == sorted(found.values(), key=str)
        assert set(found) == {one.id for one in daemon.store().messages(MessageFilter())}


def test_a_name_server_that_is_gone_holds_up_nothing(tmp_path: Path) -> None:
    """Reports become tickets all the same, soon, and the log says who does not answer."""
    with Daemon(tmp_path, extra=CHECK.format(address="127.0.0.1:9")) as daemon:
        daemon.start()
        for number in range(12):
            deliver(daemon, letter(f"rita@d{number}.example.pt"))
        daemon.drain(60)
        give_up = time.monotonic() + 20
        while not events(daemon, "resolver-unreachable") and time.monotonic() < give_up:
            deliver(daemon, letter(f"rita@d{time.monotonic_ns()}.example.pt"))
            daemon.drain(60)
        assert events(daemon, "resolver-unreachable")
        assert {"temperror"} == {line["dmarc"] for line in events(daemon, "sender-checked")}
        assert not events(daemon, "checker-failed")
