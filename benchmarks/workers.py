"""Several workers that train one network: how fast, how equal, and what a lost one does.

    python benchmarks/workers.py [--only speed difference kills] [--kills N]

speed       steps a second of one worker on one core, and of two on one core each; the bytes that
            are exchanged in a step; and on paper, what more workers would take.
difference  the largest difference of the weights after 100 steps between 1, 2 and 4 workers.
kills       N times, one of two workers is killed at a random moment: how long until the other has
            ended, and whether the run goes on to the same weights, bit by bit.

The results go to results/workers.json. With --only, the other parts stay as they are in the file.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from report import RESULTS, processor

from firstlight.runs.run import versions

FILE = RESULTS / "workers.json"
PARTS = ("speed", "difference", "kills")
SPEED = {  # network: recipe, data, steps to measure
    "convnet": ("quick", "mnist", 400),
    "nin-imagenet": ("modern", "noise", 12),
    "zfnet": ("modern", "noise", 8),
}
NOISE_PICTURES = 128
DIFFERENCE = {"softmax": "default", "convnet": "short", "nin": "default"}
DIFFERENCE_STEPS = 100
GIGABITS = (1, 10, 100)  # a second: the networks of clusters


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "firstlight", "train", *map(str, arguments)]


def weights(run: Path) -> dict[str, np.ndarray]:
    with np.load(run / "model" / "weights.npz") as arrays:
        return {name: arrays[name] for name in arrays if not name.endswith(".json")}


# How fast


def speed(folder: Path) -> dict[str, Any]:
    noise = noise_pictures(folder / "noise")
    return {
        network: speed_of(network, recipe, noise if data == "noise" else data, steps)
        for network, (recipe, data, steps) in SPEED.items()
    }


def noise_pictures(path: Path) -> Path:
    """Write pictures of noise: what the network learns does not matter here."""
    noise = np.random.default_rng(0)
    shape = (NOISE_PICTURES, 224, 224, 3)
    labels = np.arange(NOISE_PICTURES) % 2
    file = path.with_suffix(".npz")
    np.savez(file, images=noise.integers(0, 256, shape, np.uint8), labels=labels)
    return file


def speed_of(network: str, recipe: str, data: str | Path, steps: int) -> dict[str, Any]:
    train = (network, "--data", data, "--recipe", recipe, "--steps", steps, "-q")
    one = steps_a_second(command(*train), steps, cores={min(os.sched_getaffinity(0))})
    two = steps_a_second(command(*train, "--local-workers", 2), steps)
    parameters = json.loads(
        subprocess.run(
            [sys.executable, "-m", "firstlight", "list", "--json"], capture_output=True, check=True
        ).stdout
    )["networks"]
    values = next(each["parameters"] for each in parameters if each["name"] == network)
    result = {
        "steps_a_second_one_core": round(one, 3),
        "steps_a_second_two_workers": round(two, 3),
        "ratio": round(two / one, 2),
        "megabytes_of_gradients": round(4 * values / 1e6, 2),
        "on_paper": on_paper(seconds=1 / one, gradient_bytes=4 * values),
    }
    print(network, result, file=sys.stderr)
    return result


def steps_a_second(program: list[str], steps: int, cores: set[int] | None = None) -> float:
    """Train once; return the speed after the first third of the steps, which compile the graph."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        before = os.sched_getaffinity(0)
        if cores:
            os.sched_setaffinity(0, cores)
        try:
            subprocess.run([*program, "--out", str(out)], check=True, capture_output=True)
        finally:
            os.sched_setaffinity(0, before)
        lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
        logged = [line for line in lines if line["split"] == "train"]
        first = next(line for line in logged if line["step"] > steps / 3)
        last = logged[-1]
        return float((last["step"] - first["step"]) / (last["seconds"] - first["seconds"]))


def on_paper(seconds: float, gradient_bytes: int) -> dict[str, dict[str, float]]:
    """Return how many times as fast N workers would be, each with the work of one worker here.

    In a ring, each worker sends and receives 2 · (N - 1) / N times the gradients in a step. The
    exchange is counted in full, as if nothing were computed meanwhile.
    """
    return {
        f"{gigabits} Gbit/s": {
            str(workers): round(
                workers
                * seconds
                / (seconds + 2 * (workers - 1) / workers * gradient_bytes / (gigabits * 1e9 / 8)),
                1,
            )
            for workers in (8, 64, 1000)
        }
        for gigabits in GIGABITS
    }


# How equal


def difference(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for network, recipe in DIFFERENCE.items():
        runs = {}
        for workers in (1, 2, 4):
            out = folder / f"{network}-{workers}"
            flags = ("--recipe", recipe, "--steps", DIFFERENCE_STEPS, "--limit", 2000, "-q")
            program = command(network, *flags, "--local-workers", workers, "--out", out)
            subprocess.run(program, check=True, capture_output=True)
            runs[workers] = weights(out)
        result[network] = {
            f"{workers} workers": largest_difference(runs[1], runs[workers]) for workers in (2, 4)
        }
        print(network, result[network], file=sys.stderr)
    return result


def largest_difference(
    one: dict[str, np.ndarray], other: dict[str, np.ndarray]
) -> dict[str, float]:
    """Return the largest difference, and the same relative to the largest weight of its array."""
    apart = {name: float(np.abs(one[name] - other[name]).max()) for name in one}
    relative = {name: apart[name] / float(np.abs(one[name]).max()) for name in one}
    return {"absolute": max(apart.values()), "relative": max(relative.values())}


# What a lost worker does


def kills(folder: Path, count: int) -> dict[str, Any]:
    flags = ("convnet", "--steps", 300, "--limit", 2000, "--batch-size", 32, "--local-workers", 2)
    whole = folder / "whole"
    began = time.monotonic()
    subprocess.run(command(*flags, "--out", whole, "-q"), check=True, capture_output=True)
    lasted = time.monotonic() - began
    tried: list[dict[str, Any]] = []
    for number in range(count):
        out = folder / f"killed-{number}"
        tried.append(kill_once(flags, out, number % 2, random.uniform(1, lasted)))
        kept = resumed(flags, out)
        tried[-1]["bit_equal"] = all(
            np.array_equal(array, kept[name]) for name, array in weights(whole).items()
        )
        print(tried[-1], file=sys.stderr)
    return {
        "tried": count,
        "bit_equal": sum(each["bit_equal"] for each in tried),
        "slowest_end_seconds": max(each["seconds"] for each in tried),
        "each": tried,
    }


def kill_once(flags: Sequence[object], out: Path, victim: int, after: float) -> dict[str, Any]:
    """Train, kill a worker after some seconds; return how long the other one took to end."""
    process = subprocess.Popen(
        command(*flags, "--out", out, "-q"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(after)
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True)
    workers = sorted(int(pid) for pid in listed.stdout.split())
    if len(workers) > victim:  # otherwise it has ended, or not begun
        os.kill(workers[victim], signal.SIGKILL)
    began = time.monotonic()
    _, said = process.communicate(timeout=120)
    return {
        "victim": ("chief", "other")[victim],
        "after_seconds": round(after, 1),
        "seconds": round(time.monotonic() - began, 1),
        "exit_code": process.returncode,
        "said": said.decode().replace(str(out), "RUN").strip().splitlines()[-1:],
    }


def resumed(flags: Sequence[object], out: Path) -> dict[str, np.ndarray]:
    """Go on with a run that was stopped, or begin it if it had none; return its weights."""
    has_run = (out / "run.json").exists()
    go_on = ("--resume", out, "--local-workers", 2) if has_run else (*flags, "--out", out)
    subprocess.run(command(*go_on, "-q"), check=True, capture_output=True)
    return weights(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--kills", type=int, default=10)
    arguments = parser.parse_args()
    result = json.loads(FILE.read_text()) if FILE.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = {
            "speed": lambda: speed(folder),
            "difference": lambda: difference(folder),
            "kills": lambda: kills(folder, arguments.kills),
        }
        for part in arguments.only:
            result[part] = parts[part]()
            result |= {"processor": processor(), "versions": versions()}
            FILE.write_text(json.dumps(result, indent=1) + "\n")  # what is measured is not lost
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
