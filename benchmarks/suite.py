"""Every benchmark, one after the other, alone on the machine: `make benchmarks`.

    python benchmarks/suite.py [--pictures DIR] [--real DIR] [--foreign DIR]
    python benchmarks/suite.py --list       what has been done, and in what time

`--pictures` holds a folder of photographs for each class, `--real` and `--foreign` are those of
reading.py. A benchmark whose data is not given is left out, and named.

What a benchmark prints goes to runs/benchmarks/NAME.log.part; the file becomes NAME.log when the
benchmark has ended well, and then it is not run again: delete it to measure anew. So a suite that
was stopped goes on with the benchmark at which it was stopped, and some of these go on within their
own work. One that fails does not stop the others.

Not here: fuzz.py, which looks for faults and measures nothing. For comparison, these need programs
that firstlight does not: PyTorch, Tesseract, RapidOCR, Chromium with Playwright, npm.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from report import HERE

ROOT = HERE.parent
LOGS = ROOT / "runs" / "benchmarks"
CORRUPTED = [f"runs/ladder/{run}-0" for run in ("convnet-robust", "convnet-record", "nin")]


class Benchmark(NamedTuple):
    name: str
    command: str  # after `python benchmarks/`; {pictures}, {real} and {foreign} are given

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name.replace(' ', '-')}.log"


BENCHMARKS = (
    Benchmark("loop", "loop.py"),
    Benchmark("large csv", "large_csv.py"),
    Benchmark("classifier", "classifier.py"),
    Benchmark("speed", "speed.py --until-99"),
    Benchmark("networks", "networks.py"),
    Benchmark("pipeline", "pipeline.py {pictures}"),
    Benchmark("serving", "serving.py"),
    Benchmark("serving in a browser", "serving.py --browser"),
    Benchmark("memory of the server", "serving.py --memory 100000"),
    Benchmark("classroom", "classroom.py"),
    Benchmark("reading", "reading.py --real {real} --foreign {foreign}"),
    Benchmark("batch", "batch.py"),
    Benchmark("workers", "workers.py"),
    Benchmark("checkpoints", "checkpoints.py convnet overfeat"),
    Benchmark("kills", "kills.py"),
    Benchmark("damage", "damage.py"),
    Benchmark("hostile", "hostile.py"),
    Benchmark("changes", "changes.py"),
    Benchmark("ladder", "ladder.py"),
    Benchmark(
        "errors", "errors.py runs/ladder/convnet-record-* src/firstlight/reading/digits.onnx"
    ),
    Benchmark("corruptions", f"corruptions.py {' '.join(CORRUPTED)}"),
    Benchmark("calibration", "calibration.py {pictures}"),
    Benchmark("pictures", "pictures.py {pictures}"),
    Benchmark("accessibility", "accessibility.py runs/accessibility --pictures {pictures}"),
    Benchmark("lessons", "lessons.py"),
)


def arguments(benchmark: Benchmark, folders: Mapping[str, str]) -> list[str] | None:
    """Return the words of a benchmark's command, or None if a folder that it needs is not given."""
    try:
        words = shlex.split(benchmark.command.format_map(folders))
    except KeyError:
        return None
    return [file for word in words for file in found(word)]


def found(word: str) -> Iterator[str]:
    """Yield the files that a pattern with "*" finds here, or the word itself."""
    if "*" not in word:
        yield word
        return
    yield from sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(word))


def run(benchmark: Benchmark, words: list[str]) -> bool:
    """Run a benchmark, and return whether it ended well."""
    part = benchmark.log.with_suffix(".log.part")
    began = time.monotonic()
    with part.open("w") as log:
        script, *rest = words
        done = subprocess.run(
            [sys.executable, str(HERE / script), *rest],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
        print(f"{time.monotonic() - began:.0f} seconds", file=log)
    if done.returncode == 0:
        part.replace(benchmark.log)
    return done.returncode == 0


def state(benchmark: Benchmark, words: list[str] | None) -> str:
    if benchmark.log.exists():
        *_, seconds = benchmark.log.read_text("utf-8", "replace").splitlines()
        return f"done in {seconds}"
    return "to do" if words else "left out: the folder of its data is not given"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("pictures", "real", "foreign"):
        parser.add_argument(f"--{name}", metavar="DIR", type=Path, default=None)
    parser.add_argument("--list", action="store_true", help="run nothing")
    given = vars(parser.parse_args())
    only_list = given.pop("list")
    folders = {name: str(path.resolve()) for name, path in given.items() if path is not None}
    LOGS.mkdir(parents=True, exist_ok=True)
    failed = []
    for benchmark in BENCHMARKS:
        words = arguments(benchmark, folders)
        if words and not only_list and not benchmark.log.exists():
            print(f"{benchmark.name}: running", flush=True)
            if not run(benchmark, words):
                failed.append(benchmark.name)
                print(f"{benchmark.name}: failed; see {benchmark.log}.part", flush=True)
                continue
        print(f"{benchmark.name}: {state(benchmark, words)}", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
