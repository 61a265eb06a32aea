"""Whether several workers can train together here: two processes try to add up their numbers."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

from firstlight.diagnosis.packages import how_it_ended, is_installed
from firstlight.training.cluster import VARIABLE, local_addresses, tf_config

WORKERS = 2
SECONDS = 45.0  # TensorFlow's import takes most of them on a busy machine


@dataclass(frozen=True)
class WorkersCheck:
    works: bool | None  # None: not known, since TensorFlow is not installed or has not started
    message: str
    seconds: float
    gpus: tuple[str, ...] | None  # as TensorFlow sees them; None: not known
    bfloat16_speedup: float | None  # of the processor; None: not known, or GPUs compute

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check_workers() -> WorkersCheck:
    """Let two processes of this machine exchange an all-reduce, in at most 45 s."""
    if not is_installed("tensorflow"):
        return WorkersCheck(None, "not tried: TensorFlow is not installed", 0, None, None)
    began = monotonic()
    ends = run_workers()
    return judged(ends, monotonic() - began)


def run_workers() -> list[tuple[int | None, list[str]]]:
    """Return each worker's exit code (None: it took too long), and the lines that it printed."""
    addresses = local_addresses(WORKERS)
    with ExitStack() as stack:
        processes = [start(addresses, number) for number in range(WORKERS)]
        for process in processes:
            stack.enter_context(process)
            stack.callback(process.kill)  # also after Ctrl-C
        deadline = monotonic() + SECONDS
        return [result(process, deadline) for process in processes]


def start(addresses: list[str], number: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "firstlight.training.all_reduce"],
        env={**os.environ, VARIABLE: tf_config(addresses, number), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def result(process: "subprocess.Popen[str]", deadline: float) -> tuple[int | None, list[str]]:
    """Wait for a worker; return its exit code, None after the deadline, and its lines."""
    try:
        output, _ = process.communicate(timeout=max(0.0, deadline - monotonic()))
        return process.returncode, output.splitlines()
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[0].splitlines()


def judged(ends: list[tuple[int | None, list[str]]], seconds: float) -> WorkersCheck:
    """Return what came out, in one line."""
    answers = [json.loads(line) for _, lines in ends for line in lines]
    started = [tuple(answer["gpus"]) for answer in answers if "gpus" in answer]
    speedups = [answer["bfloat16_speedup"] for answer in answers if "bfloat16_speedup" in answer]
    sums = [answer["sum"] for answer in answers if "sum" in answer]
    faults = [how_it_ended(code) for code, _ in ends if code]
    works: bool | None = False
    if sums == [sum(range(1, WORKERS + 1))] * WORKERS:
        works = True
        message = f"yes: two of them have exchanged their numbers here in {seconds:.0f} s"
    elif faults:
        message = f"no: a worker {faults[0]}"
    elif len(started) < WORKERS:
        works = None
        message = f"not known: TensorFlow has not started within {SECONDS:.0f} s"
    elif len(sums) < WORKERS:
        message = f"no: they have not reached each other within {SECONDS:.0f} s"
    else:
        message = f"no: one plus two is {sums[0]:g} and {sums[1]:g} for them"
    return WorkersCheck(
        works=works,
        message=message,
        seconds=seconds,
        gpus=started[0] if started else None,
        bfloat16_speedup=min(speedups, default=None),
    )
