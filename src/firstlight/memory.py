"""How much memory a process may take, and has taken."""

import os
from contextlib import suppress
from pathlib import Path

BYTES_FOR_EACH_CORE = 16 * 2**20  # the stacks of its threads


def bound_memory(size: int) -> None:
    """Bound what this process and its children may allocate, in bytes, where a system can do that.

    An allocation beyond that fails: it is a MemoryError, or the end of the process.
    """
    with suppress(ImportError):  # Windows
        import resource

        _, highest = resource.getrlimit(resource.RLIMIT_DATA)
        limit = size + BYTES_FOR_EACH_CORE * (os.cpu_count() or 1)
        if highest != resource.RLIM_INFINITY:
            limit = min(limit, highest)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, highest))


def peak_memory() -> int:
    """Return the most memory that this process has had at once, in bytes; 0 if not known."""
    status = Path("/proc/self/status")  # Linux's getrusage counts what started this process too
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024 * int(lines["VmHWM"].split()[0])
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes
