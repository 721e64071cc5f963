"""Every benchmark, one after the other: speed and memory, each against a peer or a limit in the same run."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "accept.py",
    "whole_way.py",
    "checked.py",
    "archive.py",
    "memory.py",
    "idle.py",
    "store.py",
    "extract.py",
    "rules.py",
    "lookups.py",
    "looking.py",
    "openpgp.py",
)


def main() -> int:
    """Run all, or those named on the command line; returns how many failed."""
    folder = Path(__file__).parent
    failed = 0
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run((sys.executable, folder / name), check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
