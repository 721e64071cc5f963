"""A process for the supervisor that behaves as a file in its folder says, and writes down what happens to it.

The first argument is the folder, the second the role. The file ROLE.plan has one word for each life; the last one holds
for all that follow: "work" until stopped, "die" at once, "die-on" a message, "die-idle", "misconfigured", "late" (wrong
configuration after being ready), "no-address", "lost-address" (the same after being ready), "long" (a status line
without end, then work), "deaf" (does not stop), "memory" (says how memory is allocated, then work).
"""

import os
import sys
import time
from pathlib import Path

from abuse_triage.service import lifeline


def main() -> None:  # noqa: C901, PLR0912 -- a list of lives
    """Live one life."""
    folder, role, *given = sys.argv[1:]
    diary = Path(folder, "diary")
    plan = Path(folder, f"{role}.plan")
    words = plan.read_text().split() if plan.exists() else ["work"]
    life = Path(folder, "diary").read_text().count(f"{role} begins") if diary.exists() else 0
    word = words[min(life, len(words) - 1)]

    def write(line: str) -> None:
        with diary.open("a") as file:
            file.write(f"{role} {line}\n")

    settings = lifeline.settings_from_supervisor()
    write(" ".join(("begins", *given)))
    match word:
        case "die":
            os._exit(9)
        case "misconfigured":
            os._exit(78)
        case "late":
            lifeline.tell("ready")
            time.sleep(0.3)
            os._exit(78)
        case "no-address" | "lost-address":
            if word == "lost-address":
                lifeline.tell("ready")
            lifeline.tell("no-address")
            os._exit(75)
        case "die-on":
            for line in ("claim L1", "on M1", "on M2"):
                lifeline.tell(line)
            os._exit(9)
        case "die-idle":
            for line in ("claim L2", "on M3", "idle"):
                lifeline.tell(line)
            os._exit(9)
        case "long":
            for _ in range(300):
                os.write(1, b"x" * 1000)
            os.write(1, b"\n")
        case "memory":
            write(f"allocates from {os.environ['MALLOC_MMAP_THRESHOLD_']}")
        case "deaf":
            lifeline.tell("ready")
            time.sleep(600)
    stopped: list[None] = []
    lifeline.on_stop(lambda: stopped.append(None))
    lifeline.tell("ready")
    while not stopped:
        time.sleep(0.01)
    write(f"stops {settings.team.name}")


if __name__ == "__main__":
    main()
