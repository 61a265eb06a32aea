"""Tries damaged and hostile inputs of all kinds: does each end with one line, soon, and in little?

    python benchmarks/hostile.py [INPUTS]     some minutes; writes results/hostile.json

From a small valid file of each kind, copies are made with bytes changed, cut out, added, or set to
extreme numbers; some kinds add hostile files that are made by hand. Each is given to the function
behind the command line, in a process that is replaced when it fails. An input counts as

    traceback    something that is neither a value nor a FirstlightError, or the end of the process
    hang         more than 10 s of a processor, or 40 s in all: other programs may run beside it
    memory       the process has had more than 1 GB at once
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from hostile_files import hostile_files, valid_files
from report import RESULTS, circumstances, processor

FILE = RESULTS / "hostile.json"
INPUTS = 4000
MAX_SECONDS = 10.0  # of a processor
MAX_WAIT = 40.0  # seconds
MAX_MEMORY = 10**9
PROCESSES = 2
EXTREMES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")
TOKENS = (b"null", b"-1", b"1e999", b"[]", b"{}", b'""', b"true", b"NaN", b"99999999999999999999")


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a copy of a file's content, damaged in one to four places."""
    result = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(result) + 1)
        if chance.random() < 0.5:  # headers decide most
            place = min(place, chance.randrange(64))
        end = min(len(result), place + chance.choice((1, 1, 2, 4, 16, 200)))
        new = chance.choice((*EXTREMES, *TOKENS, chance.randbytes(end - place), b"", b"\x1b[2J"))
        match chance.randrange(4):
            case 0:
                result[place : place + len(new)] = new
            case 1:
                result[place:end] = b""
            case 2:
                result[place:place] = bytes(result[place:end]) or new
            case 3:
                result[place:end] = new
    return bytes(result[: chance.randrange(len(result) + 1)] if chance.random() < 0.1 else result)


# In the process


def attempts() -> dict[str, Callable[[Path], Any]]:
    """Return what is done with a file of each kind: its name begins with the kind."""
    from firstlight import catalog, classification
    from firstlight.datasets import _unlabelled
    from firstlight.onnx_model import OnnxModel
    from firstlight.reading.pages import read_files
    from firstlight.reading.recognizer import DIGITS_MODEL
    from firstlight.runs.run import Run

    digits = OnnxModel(DIGITS_MODEL, is_ours=True)

    def picture(file: Path) -> None:
        for reading in read_files([file]):
            assert "\n" not in reading.note if reading.note else True
        classification.classify(digits, [file], top=1)

    def arrays(file: Path) -> None:
        try:
            _unlabelled.read(file)
        finally:
            data = catalog.dataset(file)
            for split in data.splits:
                data.load(split)

    def run(file: Path) -> None:
        opened = Run.open(file.parent)
        opened.model_info()
        opened.metrics()
        opened.dataset()

    def model(file: Path) -> None:
        network = OnnxModel(file)
        network.logits(np.zeros((2, *network.input), np.uint8))

    return {"picture": picture, "arrays": arrays, "run": run, "model": model}


def work() -> None:
    """Answer each file on stdin: its problem, "" if there is none, the peak, and the seconds."""
    from firstlight.errors import FirstlightError
    from firstlight.memory import peak_memory

    warnings.simplefilter("ignore")
    kinds = attempts()
    print(json.dumps(["", 0]), flush=True)
    for line in sys.stdin:
        file = Path(line.rstrip("\n"))
        problem = ""
        start = time.process_time()
        try:
            kinds[file.parts[-2].partition("-")[0]](file)
        except FirstlightError as error:
            problem = "two lines" if len(str(error).splitlines()) > 1 else ""
        except BaseException as error:
            problem = f"{type(error).__name__}: {error}"[:200]
        children = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        seconds = time.process_time() - start
        print(json.dumps([problem, max(peak_memory(), children), seconds]), flush=True)


# Outside of it


class Process:
    """A process that runs `work`."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        command = [sys.executable, __file__, "--work"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.line()

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def attempt(self, file: Path) -> tuple[str, str]:
        """Return how a file has failed, "" if it has not, and the details."""
        assert self.process.stdin
        timer = threading.Timer(MAX_WAIT, self.process.kill)
        start = time.monotonic()
        timer.start()
        self.process.stdin.write(f"{file}\n")
        self.process.stdin.flush()
        line = self.line()
        timer.cancel()
        problem, peak, seconds = json.loads(line) if line else ("the process has ended", 0, 0)
        is_late = seconds > MAX_SECONDS or time.monotonic() - start >= MAX_WAIT
        if not line or problem or peak > MAX_MEMORY:
            self.end()
            self.start()
        if is_late:
            return "hang", f"{max(seconds, MAX_WAIT * (not line)):.0f} s"
        if problem:
            return "traceback", problem
        return ("memory", f"{peak / 1e9:.1f} GB") if peak > MAX_MEMORY else ("", "")


def inputs(folder: Path, count: int, chance: random.Random) -> list[Path]:
    """Write the inputs, each into a folder of its own that is named by its kind."""
    valid, made = valid_files(), list(hostile_files())
    files = [(kind, name, content, {}) for kind, name, content in made]
    while len(files) < count:
        kind, name, content, beside = chance.choice(valid)
        files.append((kind, name, damaged(content, chance), beside))
    paths = []
    for number, (kind, name, content, beside) in enumerate(files):
        place = folder / f"{kind}-{number}"
        for each, its_content in {**beside, name: content}.items():
            (place / each).parent.mkdir(parents=True, exist_ok=True)
            (place / each).write_bytes(its_content)
        paths.append(place / name if kind != "run" else place / "run.json")
    return paths


def measure(count: int, keep: Path) -> dict[str, Any]:
    """Try so many inputs; those that fail are copied to a folder."""
    failed: list[dict[str, str]] = []
    tried: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        paths = inputs(Path(folder), count, random.Random(0))
        parts = [paths[first::PROCESSES] for first in range(PROCESSES)]

        def attempt_all(part: list[Path]) -> None:
            process = Process()
            for file in part:
                tried[file.parts[-2].partition("-")[0]] += 1
                failure, details = process.attempt(file)
                if failure:
                    name = f"{file.parts[-2]}-{file.name}"
                    failed.append({"input": name, "failure": failure, "details": details})
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / name).write_bytes(file.read_bytes())
                    print(failure, name, details, file=sys.stderr)
            process.end()

        with ThreadPoolExecutor(PROCESSES) as threads:
            list(threads.map(attempt_all, parts))
    counts = Counter(each["failure"] for each in failed)
    return {
        "circumstances": circumstances(processor(), {"numpy": np.__version__}),
        "tried": sum(tried.values()),
        "kinds": dict(sorted(tried.items())),
        **{failure: counts[failure] for failure in ("traceback", "hang", "memory")},
        "failed": failed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("inputs", nargs="?", type=int, default=INPUTS)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir(), "hostile-failed"))
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        return work()
    result = measure(given.inputs, given.keep)
    FILE.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "failed"}))


if __name__ == "__main__":
    main()
