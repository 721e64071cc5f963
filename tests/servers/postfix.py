"""A private Postfix: its own configuration, queue and loopback port, and nothing of the machine's.

It starts as root only. What a test adds to main.cf and master.cf stands behind the settings that keep it private.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon import free_port

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.pt
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
mailbox_size_limit = 0
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
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
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def why_not() -> str:
    """Say why Postfix cannot be run here, "" where it can."""
    if not Path("/usr/sbin/postfix").exists():
        return "Postfix is not installed (Debian: apt-get install postfix)"
    return "" if os.geteuid() == 0 else "Postfix starts only as root"


class Postfix:
    """Postfix with everything below a temporary folder of its own, `folder`; a context manager.

    Its processes run as another user, who may not enter the folders of pytest. `parent` is where that folder is made,
    by default where temporary files are. `tables` are files of the configuration folder by name, each made a hash table
    as well; "{config}" in `main`, and in the tables, is that folder. Later lines of `main` win.
    """

    def __init__(
        self, *, main: str = "", master: str = "", tables: dict[str, str] | None = None, parent: Path | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-", dir=parent))
        self.port = free_port()
        self.config = self.folder / "config"
        self._main, self._master, self._tables = main, master, tables or {}

    def __enter__(self) -> Self:
        self.folder.chmod(0o755)
        for name in ("config", "queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        main = _MAIN.format(folder=self.folder) + self._main.replace("{config}", str(self.config))
        (self.config / "main.cf").write_text(main, encoding="utf-8")
        (self.config / "master.cf").write_text(_MASTER.format(port=self.port) + self._master, encoding="utf-8")
        for name, text in self._tables.items():
            (self.config / name).write_text(text.replace("{config}", str(self.config)), encoding="utf-8")
            self._run("/usr/sbin/postmap", "-c", str(self.config), f"hash:{self.config / name}")
        self._run("/usr/sbin/postfix", "-c", str(self.config), "start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run("/usr/sbin/postfix", "-c", str(self.config), "stop")
        shutil.rmtree(self.folder)

    def log(self) -> str:
        """Return what it has logged."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def drain(self, seconds: float = 60) -> None:
        """Wait until it has delivered everything."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            queues = (self.folder / "queue" / name for name in ("maildrop", "incoming", "active", "deferred"))
            if not any(path.is_file() for queue in queues for path in queue.rglob("*")):
                return
            time.sleep(0.1)
        raise AssertionError(f"Postfix still holds mail; its log ends with:\n{self.log()[-3000:]}")

    def flush(self) -> None:
        """Try at once what was put off."""
        self._run("/usr/sbin/postqueue", "-c", str(self.config), "-f")

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}{self.log()[-2000:]}"
