"""What a process that meets hostile bytes gives up before it reads the first of them."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4
"""prctl(2)."""


def leave_no_core() -> None:
    """See to it that no core dump of this process or its children is ever written: it may hold plaintext and keys.

    The limit alone does not stop a system that pipes dumps to a program (core(5)); a process that is not dumpable is
    not dumped at all, and nobody but root may look into its memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine(memory: int, descriptors: int) -> None:
    """Limit this process for good: bytes of memory, open files and sockets; it writes no file and leaves no core."""
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, descriptors),
    ):
        resource.setrlimit(name, (value, value))


def allow_cpu(seconds: int) -> None:
    """End this process (SIGXCPU) once it has used so many more seconds of CPU, so that no loop is endless."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
