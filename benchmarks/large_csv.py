"""How fast a CSV as large as Kaggle's Digit Recognizer is read, and in how much memory.

    python benchmarks/large_csv.py [--rows N]

The file has 42,000 of MNIST's training images, a row each, with Kaggle's header. Each measurement
is a process of its own: seconds from before the file is opened until its images and labels are
arrays, without the start of Python; and the peak of the process's resident memory, with Python and
its modules. pandas is measured beside it if it is installed: `read_csv`, and the array of its
values.

The results go to results/large_csv.json, and a table into benchmarks/README.md.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from report import RESULTS, circumstances, in_a_process, into_page, processor, spread

import firstlight as fl
from firstlight.datasets import mnist
from firstlight.runs.run import versions

REPETITIONS = 5
PIXELS = 784


def write_csv(path: Path, rows: int) -> None:
    train = mnist.load("train")
    values = np.column_stack([train.labels[:rows], train.images[:rows].reshape(-1, PIXELS)])
    header = ",".join(["label", *(f"pixel{number}" for number in range(PIXELS))])
    np.savetxt(path, values, fmt="%d", delimiter=",", header=header, comments="")


def read_once(reader: str, path: Path) -> dict[str, float]:
    """Read the file in this process: seconds, and megabytes at most."""
    if reader == "pandas":
        import pandas

        began = time.perf_counter()
        pandas.read_csv(path).to_numpy()
    else:
        began = time.perf_counter()
        fl.dataset(path).load("train").images  # noqa: B018 - reading begins here at the latest
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "megabytes": peak_megabytes()}


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rows: int) -> dict[str, Any]:
    readers = ["firstlight", *(["pandas"] if find_spec("pandas") else [])]
    result: dict[str, Any] = {"rows": rows, "readers": {name: [] for name in readers}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        write_csv(path, rows)
        for _ in range(REPETITIONS):
            for name in readers:  # in turn: a slow moment of the machine concerns all
                once = in_a_process(__file__, "--reader", name, "--file", str(path))
                result["readers"][name].append(once)
                print(name, once, file=sys.stderr)
    return result


def table(result: dict[str, Any]) -> str:
    """What benchmarks/README.md shows of it."""
    rows = [f"| a CSV of {result['rows']:,} rows | seconds | MB at most |", "|---|--:|--:|"]
    for name, all_times in result["readers"].items():
        seconds = spread([each["seconds"] for each in all_times], 2)
        rows.append(f"| {name} | {seconds} | {max(each['megabytes'] for each in all_times):.0f} |")
    where = circumstances(result["processor"], result["versions"])
    return "\n".join([*rows, "", f"Mean ± standard deviation, n = {REPETITIONS}; {where}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=42_000)
    parser.add_argument("--reader", choices=["firstlight", "pandas"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reader:
        print(json.dumps(read_once(arguments.reader, arguments.file)))
        return
    result = measure(arguments.rows)
    used = {"pandas": metadata.version("pandas")} if "pandas" in result["readers"] else {}
    result |= {"processor": processor(), "versions": versions() | used}
    (RESULTS / "large_csv.json").write_text(json.dumps(result, indent=1) + "\n")
    into_page("large-csv", table(result))


if __name__ == "__main__":
    main()
