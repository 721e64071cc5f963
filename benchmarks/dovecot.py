"""Dovecot's LMTP server to measure against: private configuration, one Maildir, a port and a socket of loopback.

It delivers finally, a file for each message, where Postfix and we only queue: a peer in protocol and in durability,
not in what is done. The settings are those that Dovecot comes with; only what keeps it private and local is changed.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    port = 0
  }}
  unix_listener {folder}/lmtp {{
    mode = 0600
  }}
}}
"""
_START_SECONDS = 10.0


def why_not() -> str:
    """Say why Dovecot cannot be measured here, "" where it can."""
    if not Path("/usr/lib/dovecot/lmtp").exists():
        return "Dovecot is not installed (Debian: apt-get install dovecot-lmtpd)"
    return "" if os.geteuid() == 0 else "Dovecot delivers as another user only when it starts as root"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Run Dovecot with everything below `folder` while the block runs; gives the path of its LMTP socket."""
    (folder / "mail").mkdir(parents=True)
    folder.chmod(0o755)
    shutil.chown(folder / "mail", "mail", "mail")
    config = folder / "dovecot.conf"
    config.write_text(_CONFIG.format(folder=folder), encoding="utf-8")
    dovecot = ["/usr/sbin/dovecot", "-c", str(config)]
    subprocess.run(dovecot, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # it keeps both open
    try:
        give_up = time.monotonic() + _START_SECONDS
        while not (folder / "lmtp").exists() and time.monotonic() < give_up:
            time.sleep(0.02)
        yield folder / "lmtp"
    finally:
        subprocess.run([*dovecot, "stop"], check=True, capture_output=True)


def delivered(folder: Path) -> int:
    """Count the messages in the Maildir."""
    return sum(1 for _ in (folder / "mail" / "new").iterdir())
