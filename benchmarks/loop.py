"""How fast is the training loop on a network so small that the loop itself is what costs?

The first graph's session and `train softmax` take the same steps (batch 100, rate 0.01) in turn,
several times in one process; the median of each and of their ratio is reported. Start-up,
compilation and validation are left out on both sides; the logging of costs is in. The result goes
to results/loop.json.

    python benchmarks/loop.py
"""

import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import tensorflow as tf
from report import RESULTS

from firstlight import first_graph
from firstlight.datasets import mnist
from firstlight.progress import Progress
from firstlight.runs.run import Run
from firstlight.settings import prepare
from firstlight.training import loop
from firstlight.training.log import Log
from firstlight.training.state import TrainState
from firstlight.training.step import compile_steps

ROUNDS, STEPS = 7, 5_000


def session_rate() -> float:
    """Steps per second of the session, from the first step's cost to the last's."""
    times: list[float] = []
    first_graph.train(
        mnist.load("train"),
        mnist.load("test").images[:100],
        steps=STEPS + 1,
        on_cost=lambda step, cost: times.append(time.perf_counter()),
    )
    return STEPS / (times[-1] - times[0])


def loop_rate(folder: Path) -> float:
    """Steps per second of the compiled loop: its batches, its steps, its log."""
    state = TrainState(prepare("softmax", steps=STEPS))
    state.into(Run.create(state.plan, STEPS, folder))
    run_steps = compile_steps(state)
    with (
        state.run.metrics_file.open("w", encoding="utf-8") as file,
        Progress(STEPS, quiet=True) as progress,
    ):
        log = Log(state, file, progress)
        began, skipped = 0.0, 0  # the first call compiles
        for call in loop.batches(state):
            if call.end in state.epoch_ends:
                continue  # the session does not validate either
            loop.run_call(state, run_steps, call, log, loop.Asks.NOTHING)
            if not skipped:
                began, skipped = time.perf_counter(), call.end
        return (STEPS - skipped) / (time.perf_counter() - began)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rounds = [(session_rate(), loop_rate(Path(folder) / str(i))) for i in range(ROUNDS)]
    result = {
        "session_steps_per_second": round(statistics.median(s for s, _ in rounds)),
        "loop_steps_per_second": round(statistics.median(ours for _, ours in rounds)),
        "ratio": round(statistics.median(ours / s for s, ours in rounds), 2),
        "ratios": [round(ours / s, 2) for s, ours in rounds],
        "rounds": ROUNDS,
        "steps": STEPS,
        "versions": f"Python {platform.python_version()}, TensorFlow {tf.__version__}",
        "machine": f"{platform.machine()}, {len(tf.config.list_physical_devices('CPU'))} device",
    }
    text = json.dumps(result, indent=2) + "\n"
    RESULTS.joinpath("loop.json").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
