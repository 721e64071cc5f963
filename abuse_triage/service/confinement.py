"""What a process that meets hostile bytes gives up before it reads the first of them."""

import resource


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
