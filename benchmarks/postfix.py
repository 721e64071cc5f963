"""A Postfix of our own to measure against: private configuration and queue, a loopback port, everything held.

Messages end in the hold queue (postfix-hold, access(5)): accepted, on the disk, and never delivered. The settings are
those that Postfix comes with; only what keeps it private and local is changed.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.pt
mydestination = example.pt
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
message_size_limit = 36000000
mailbox_size_limit = 0
smtpd_client_restrictions = check_client_access static:hold
syslog_name = benchmark-postfix
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


def why_not() -> str:
    """Say why Postfix cannot be measured here, "" where it can."""
    if not Path("/usr/sbin/postfix").exists():
        return "Postfix is not installed (Debian: apt-get install postfix)"
    return "" if os.geteuid() == 0 else "Postfix starts only as root"


@contextlib.contextmanager
def running(folder: Path, port: int) -> Iterator[None]:
    """Run Postfix with everything below `folder` while the block runs."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    config = folder / "config"
    for name in ("config", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (config / "main.cf").write_text(_MAIN.format(folder=folder), encoding="utf-8")
    (config / "master.cf").write_text(_MASTER.format(port=port), encoding="utf-8")
    postfix = ["/usr/sbin/postfix", "-c", str(config)]
    subprocess.run([*postfix, "start"], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*postfix, "stop"], check=True, capture_output=True)


def held(folder: Path) -> int:
    """Count the messages in the hold queue."""
    return sum(1 for _ in (folder / "queue" / "hold").iterdir())


def discard(folder: Path) -> None:
    """Delete what is held."""
    for path in (folder / "queue" / "hold").iterdir():
        path.unlink()
