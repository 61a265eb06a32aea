"""What the machine has: processor, memory, disk. What cannot be found out is None."""

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstlight.training.precision import compared, faster_precision

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 2**60  # bytes: cgroups of version 1 write a number near 2**63 for "no limit"


@dataclass(frozen=True)
class Memory:
    """In bytes."""

    total: int | None
    available: int | None
    limit: int | None  # of this container or service (its cgroup); None: it has no limit


@dataclass(frozen=True)
class Machine:
    system: str  # "Linux x86_64"
    processor: str
    cores: int  # that this process may use
    core_limit: float | None  # cores' worth of time that its cgroup gives; None: it has no limit
    threads: int  # that TensorFlow and ONNX Runtime begin with
    precision: str | None  # in which recipes for bfloat16 compute: "bfloat16" or "float32"
    reason: str  # why in this precision
    memory: Memory
    disk_free: int  # bytes, in the current folder

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def this_machine(gpus: Sequence[str] = (), bfloat16_speedup: float | None = None) -> Machine:
    """Return what this machine has for this process.

    Args:
        gpus: those that TensorFlow sees: they compute then, and not the processor.
        bfloat16_speedup: how many times as fast as float32 the processor is; None: not known.
    """
    cores = usable_cores()
    precision, reason = precision_here(gpus, bfloat16_speedup)
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=processor(),
        cores=cores,
        core_limit=core_limit(cgroup()),
        threads=cores,
        precision=precision,
        reason=reason,
        memory=Memory(*physical_memory(), memory_limit(cgroup())),
        disk_free=shutil.disk_usage(Path.cwd()).free,
    )


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Return the processor's model, or its kind if the system does not tell."""
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def precision_here(gpus: Sequence[str], bfloat16_speedup: float | None) -> tuple[str | None, str]:
    """Return in which precision a recipe for bfloat16 computes here, and why."""
    if gpus:
        return None, "measured on the GPU when a training starts"
    if bfloat16_speedup is None:
        return None, "not known: TensorFlow did not measure it"
    return faster_precision(bfloat16_speedup), compared(bfloat16_speedup)


def physical_memory() -> tuple[int | None, int | None]:
    """Return the machine's memory, and how much of it is available."""
    sizes = {}
    for line in read("/proc/meminfo").splitlines():
        name, _, size = line.partition(":")
        sizes[name] = int(size.split()[0]) * 1024
    if sizes:
        return sizes.get("MemTotal"), sizes.get("MemAvailable")
    if sys.platform == "win32" or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None, None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), None


def cgroup() -> list[Path]:
    """Return the folders of this process's cgroup (version 2) and of those that it is in."""
    for line in read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            own = CGROUP / line.removeprefix("0::/")
            return [own, *(parent for parent in own.parents if parent.is_relative_to(CGROUP))]
    return [CGROUP]


def memory_limit(folders: list[Path]) -> int | None:
    """Return the lowest limit of memory, in bytes."""
    files = [*(folder / "memory.max" for folder in folders)]
    files.append(CGROUP / "memory" / "memory.limit_in_bytes")  # version 1
    limits = [int(text) for file in files if (text := read(file).strip()).isdigit()]
    return min((limit for limit in limits if limit < UNLIMITED), default=None)


def core_limit(folders: list[Path]) -> float | None:
    """Return how many cores' worth of time the process gets; cgroups say "quota period"."""
    pairs = [read(folder / "cpu.max").split() for folder in folders]
    limits = [int(pair[0]) / int(pair[1]) for pair in pairs if pair and pair[0].isdigit()]
    return min(limits, default=None)


def read(file: str | Path) -> str:
    """Return a text file of the system, or "" if there is none."""
    try:
        return Path(file).read_text(errors="replace")
    except OSError:
        return ""
