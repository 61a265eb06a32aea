"""DIAGNOSIS: what firstlight finds here, and what is missing for which verb.

machine.py   processor, memory, disk       packages.py  versions; imports.py tries them
workers.py   can several train together? Each is a process of training/all_reduce.py
"""

import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from firstlight import __version__
from firstlight.diagnosis.machine import Machine, this_machine
from firstlight.diagnosis.packages import Extra, extras
from firstlight.diagnosis.workers import WorkersCheck, check_workers

OLDEST, NEWEST = (3, 11), (3, 13)  # the Pythons of pyproject.toml


@dataclass(frozen=True)
class Diagnosis:
    """What `doctor` has found."""

    firstlight: str
    python: str
    machine: Machine
    extras: tuple[Extra, ...]  # the first is what is always needed; the others say what for
    workers: WorkersCheck
    problems: tuple[str, ...]  # what is installed and broken

    def to_json(self) -> dict[str, Any]:
        return {
            "firstlight": self.firstlight,
            "python": self.python,
            "machine": self.machine.to_json(),
            "extras": [extra.to_json() for extra in self.extras],
            "workers": self.workers.to_json(),
            "problems": list(self.problems),
        }


def doctor() -> Diagnosis:
    """Return versions, devices, memory, what is missing for which verb, and what is broken.

    It takes some seconds: every package is imported in a process of its own, and two processes try
    to train together. Nothing of the environment but what is named here is looked at.

    >>> found = fl.doctor()
    >>> found.problems
    ()
    >>> found.machine.cores > 0
    True
    """
    with ThreadPoolExecutor() as threads:
        tried = threads.submit(extras)
        workers = check_workers()
        found = tried.result()
    return Diagnosis(
        firstlight=__version__,
        python=platform.python_version(),
        machine=this_machine(workers.gpus or (), workers.bfloat16_speedup),
        extras=found,
        workers=workers,
        problems=(*python_problems(), *package_problems(found), *worker_problems(workers)),
    )


def python_problems() -> list[str]:
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return []
    return [f"Python {platform.python_version()}: firstlight is made for Python 3.11 to 3.13"]


def package_problems(found: tuple[Extra, ...]) -> list[str]:
    """Return what cannot be imported, and what firstlight always needs and is not installed."""
    base = found[0]
    missing = [f"{name} is not installed; {base.command} installs it" for name in base.missing]
    broken = [
        f"{package.name} cannot be imported: {package.problem}"
        for extra in found
        for package in extra.packages
        if package.problem
    ]
    return [*missing, *broken]


def worker_problems(workers: WorkersCheck) -> list[str]:
    return [f"several workers: {workers.message}"] if workers.works is False else []
