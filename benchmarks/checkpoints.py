"""What share of a training's time do its checkpoints take?

A network is trained for some minutes; each write of a checkpoint, of the best weights and of the
log is timed. Start-up and compilation are left out. The result goes to results/checkpoints.json.

    python benchmarks/checkpoints.py convnet overfeat
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from report import RESULTS, processor

from firstlight.errors import Interrupted
from firstlight.progress import Progress
from firstlight.runs import checkpoint
from firstlight.runs.run import Run, versions
from firstlight.settings import prepare
from firstlight.training import loop
from firstlight.training.log import Log
from firstlight.training.state import TrainState

ENDLESS = 1_000_000  # steps: the time decides


class Clock:
    """Times calls; a call inside another one is part of it."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.is_running = False

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            if self.is_running:
                return function(*arguments, **named)
            self.is_running, began = True, time.monotonic()
            try:
                return function(*arguments, **named)
            finally:
                self.is_running = False
                self.times.append(time.monotonic() - began)

        return timed


def measure(network: str, seconds: float, limit: int, root: Path) -> dict[str, Any]:
    """Train for some seconds; return the seconds of checkpoints and their share."""
    clock = Clock()
    timed = [(TrainState, "save"), (Log, "sync"), (checkpoint, "save")]
    before = [getattr(*each) for each in timed]
    state = TrainState(prepare(network, limit=limit, steps=ENDLESS))
    state.into(Run.create(state.plan, state.total_steps, root / network))
    first_call: list[float] = []

    def is_time() -> bool:
        if not first_call:  # it has compiled
            first_call.append(time.monotonic())
            clock.times.clear()
        return time.monotonic() - first_call[0] > seconds

    for (owner, name), function in zip(timed, before, strict=True):
        setattr(owner, name, clock.around(function))
    try:
        with Progress(state.total_steps, quiet=True) as progress, suppress(Interrupted):
            loop.run_training(state, progress, stop_requested=is_time)
    finally:
        for (owner, name), function in zip(timed, before, strict=True):
            setattr(owner, name, function)
    total, writes = time.monotonic() - first_call[0], sum(clock.times)
    return {
        "network": network,
        "megabytes": round(state.run.last.stat().st_size / 1e6, 1),
        "steps": state.status.step,
        "seconds": round(total, 1),
        "writes": len(clock.times),
        "seconds_of_writes": round(writes, 3),
        "longest_write": round(max(clock.times), 3),
        "share": round(writes / total, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--limit", type=int, default=5000, help="training images")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        measured = [
            measure(network, arguments.seconds, arguments.limit, Path(root))
            for network in arguments.networks
        ]
    record = {
        "command": f"python benchmarks/checkpoints.py {' '.join(sys.argv[1:])}",
        "measured": measured,
        "processor": processor(),
        "versions": versions(),
    }
    (RESULTS / "checkpoints.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
