"""A Postfix of our own to measure against: the private one of the tests, which holds everything it accepts.

Messages end in the hold queue (postfix-hold, access(5)): accepted, on the disk, and never delivered. The settings are
those that Postfix comes with; only what keeps it private and local is changed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from servers.postfix import Postfix, why_not

__all__ = ["held", "holding", "why_not"]

# It logs to syslog as it does by default: a log file of its own would cost it more.
_MAIN = """\
maillog_file =
mydestination = example.pt
local_recipient_maps =
message_size_limit = 36000000
smtpd_client_restrictions = check_client_access static:hold
"""


def holding(parent: Path) -> Postfix:
    """Return a Postfix that keeps its queue below a folder; a context manager."""
    return Postfix(main=_MAIN, parent=parent)


def held(peer: Postfix) -> int:
    """Count the messages in the hold queue, which ends with the peer."""
    return sum(1 for _ in (peer.folder / "queue" / "hold").iterdir())
