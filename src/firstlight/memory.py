"""How much memory a process may take, and has taken."""

import os
import sys
from contextlib import suppress

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
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
