"""Does a training that is killed again and again come to the same weights?

A training runs undisturbed once. Then it begins anew, and is ended by SIGKILL: after a random
time, from its start on, or just when a file is being written (its first checkpoint among them).
After each kill the next process goes on, until the training has had its kills and may end. Its
kept weights, its last checkpoint and its log must be bit-equal to the undisturbed ones. The result
goes to results/kills.json.

    python benchmarks/kills.py --kills 60
"""

import argparse
import json
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from report import RESULTS

from firstlight.runs import checkpoint
from firstlight.runs.run import Run, versions

KILLS_PER_TRAINING = 6
SECONDS_BETWEEN_LOOKS = 0.0005
MAX_WRITES = 12  # a kill at a write waits for the first to the twelfth


@dataclass
class Tally:
    """What became of the killed trainings."""

    tried: int = 0  # kills
    survived: int = 0  # kills of trainings that ended bit-equal
    lost: int = 0  # kills of trainings that did not go on, or ended with other weights
    before_run_json: int = 0  # kills before the run had a run.json
    before_checkpoint: int = 0  # kills between run.json and the end of the first checkpoint
    while_writing: int = 0  # kills that left a half-written file
    faults: list[str] = field(default_factory=list)


def command(network: str, steps: int, folder: Path) -> list[str]:
    """Return what begins the training in a folder, or goes on with it."""
    verb = [sys.executable, "-m", "firstlight", "train", "--quiet"]
    if (folder / "run.json").exists():
        return [*verb, "--resume", str(folder)]
    arguments = ["--limit", "600", "--steps", str(steps), "--seed", "1", "--out", str(folder)]
    return [*verb, network, *arguments]


def finish(network: str, steps: int, folder: Path) -> str:
    """Run a training to its end; return what went wrong, or ""."""
    done = subprocess.run(command(network, steps, folder), capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{folder.name}: {done.stderr.strip()[-300:]}"


def kill_at_random(
    arguments: list[str], folder: Path, seconds: float, chance: random.Random
) -> bool:
    """Kill a process at a random moment of its time, or while it writes; see `kill_once`."""
    if chance.random() < 0.5:
        return kill_once(arguments, folder, 3 * seconds, chance.randint(1, MAX_WRITES))
    return kill_once(arguments, folder, chance.uniform(0, seconds))


def kill_once(arguments: list[str], folder: Path, seconds: float, wanted: int = 0) -> bool:
    """Start a process and kill it; return whether it was still running.

    Args:
        seconds: the time after which it is killed.
        wanted: it is killed before that, when it has begun to write this number of files; 0: not.
    """
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    writes, seen, deadline = 0, set[Path](), time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if wanted and writes >= wanted:
            break
        parts = set(folder.rglob("*.part")) if wanted else set()
        writes += len(parts - seen)
        seen = parts
        time.sleep(SECONDS_BETWEEN_LOOKS)
    is_running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return is_running


def note(tally: Tally, folder: Path) -> None:
    """Count a kill, by what it has left."""
    tally.tried += 1
    run = Run(folder)
    if not run.record_file.exists():
        tally.before_run_json += 1
    elif not run.checkpoints():
        tally.before_checkpoint += 1
    tally.while_writing += any(True for _ in folder.rglob("*.part"))


def difference(one: Run, other: Run) -> str:
    """Return what differs between two finished runs, or ""."""
    for file, others in ((one.weights, other.weights), (one.last, other.last)):
        arrays, document = checkpoint.load(file)
        other_arrays, other_document = checkpoint.load(others)
        names = arrays.keys() ^ other_arrays.keys()
        names |= {n for n in arrays.keys() - names if not equal(arrays[n], other_arrays[n])}
        if names:
            return f"{others}: {sorted(names)}"
        document.pop("seconds", None), other_document.pop("seconds", None)
        if document != other_document:
            return f"{others}: {other_document} is not {document}"
    logs = [
        [(each.step, each.split, each.loss, each.accuracy, each.lr) for each in run.metrics()]
        for run in (one, other)
    ]
    return "" if logs[0] == logs[1] else f"{other.metrics_file} differs"


def equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def measure(network: str, steps: int, kills: int, seed: int, root: Path) -> Tally:
    """Kill trainings until there were `kills` kills."""
    chance, tally, whole = random.Random(seed), Tally(), Run(root / "whole")
    began = time.monotonic()
    if fault := finish(network, steps, whole.folder):
        sys.exit(fault)
    seconds = time.monotonic() - began
    while tally.tried < kills:
        before, folder = tally.tried, root / f"killed-at-{tally.tried}"
        planned = min(KILLS_PER_TRAINING, kills - before)
        if kill_once(command(network, steps, folder), folder, 3 * seconds, chance.randint(1, 3)):
            note(tally, folder)  # in its start: run.json, then the first checkpoint
        for _ in range(planned - 1):
            if kill_at_random(command(network, steps, folder), folder, seconds, chance):
                note(tally, folder)
        fault = finish(network, steps, folder) or difference(whole, Run(folder))
        leftover = [str(part) for part in folder.rglob("*.part")]
        if fault or leftover:
            print(fault, leftover, file=sys.stderr)
            tally.faults.append(fault or f"left behind: {leftover}")
            tally.lost += tally.tried - before
        else:
            tally.survived += tally.tried - before
        print(f"{network}: {tally.tried} kills, {tally.lost} lost", file=sys.stderr, flush=True)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--network", default="convnet")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "kills.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        tally = measure(
            arguments.network, arguments.steps, arguments.kills, arguments.seed, Path(root)
        )
    record = {
        "command": f"python benchmarks/kills.py {' '.join(sys.argv[1:])}".strip(),
        "network": arguments.network,
        "steps": arguments.steps,
        **asdict(tally),
        "machine": platform.machine(),
        "versions": versions(),
    }
    arguments.out.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
