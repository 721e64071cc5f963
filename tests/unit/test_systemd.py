"""The systemd unit: systemd understands it, and it is hardened."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "abuse-triage.service"
TEXT = UNIT.read_text("utf-8")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    """`systemd-analyze verify` is silent, with programs that exist here."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"/usr/bin/abuse-triage", "/bin/true", TEXT), "utf-8")

    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_hardened(tmp_path: Path) -> None:
    """`systemd-analyze security` rates the exposure below 2.0 (OK)."""
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=False
    )

    exposure = re.search(r"exposure level for \S+ (\d+\.\d)", done.stdout)
    assert exposure
    assert float(exposure[1]) < 2.0


def test_broken_configuration_is_not_retried() -> None:
    """Exit codes 2 and 78 do not start the service again, and nothing runs before whose code would not count."""
    assert "RestartPreventExitStatus=2 78\n" in TEXT
    assert not re.search(r"^ExecStartPre=", TEXT, re.MULTILINE)


def test_what_does_not_exist_yet_is_not_claimed() -> None:
    """Readiness and watchdog need messages that the daemon does not send yet."""
    assert "Type=notify" not in TEXT
    assert "WatchdogSec" not in TEXT
