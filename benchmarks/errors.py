"""Where the errors on MNIST's test images are: by who wrote them, and beside labels in doubt.

    python benchmarks/errors.py RUN...      of each run, and of all of them together

The 23 disputed images are those whose published label fewer than four of five people chose:
Northcutt, Athalye and Mueller, "Pervasive label errors in test sets", 2021 (cleanlab/label-errors,
mnist_mturk.json). They are for reporting alone. Who wrote an image is known from QMNIST. The
results go to results/errors.json, and a table into benchmarks/README.md.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from report import RESULTS, circumstances, into_page, processor, spread

import firstlight as fl
from firstlight.datasets import mnist, mnist_writers
from firstlight.runs.run import versions

FILE = RESULTS / "errors.json"
NO_MAJORITY = (
    947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729,
)  # fmt: skip
THREE_OF_FIVE = (1232, 1393, 2035, 3422, 4201, 4823, 4956, 9664)
COLUMNS = ("all 10,000", "undisputed 9,977", "by staff, 4,999", "by pupils, 5,001")


def errors(probabilities: np.ndarray) -> list[int]:
    """Return the number of errors in each of the COLUMNS."""
    labels = mnist.load("test").labels
    series = mnist_writers.read_writers("test").series
    is_wrong = probabilities.argmax(axis=1) != labels
    is_disputed = np.isin(np.arange(len(labels)), NO_MAJORITY + THREE_OF_FIVE)
    groups = (
        np.ones_like(is_wrong),
        ~is_disputed,
        series == mnist_writers.STAFF,
        series == mnist_writers.PUPILS,
    )
    return [int((is_wrong & group).sum()) for group in groups]


def table(result: dict[str, Any]) -> str:
    rows = [f"| errors | n | {' | '.join(COLUMNS)} |", "|---|--:|--:|--:|--:|--:|"]
    alone = np.array([run["errors"] for run in result["runs"]])
    cells = [spread(column.tolist(), 1) for column in alone.T]
    rows.append(f"| one network | {len(alone)} | {' | '.join(cells)} |")
    if len(alone) > 1:
        together = " | ".join(map(str, result["together"]))
        rows.append(f"| all of them together | 1 | {together} |")
    names = ", ".join(f"`{run['name']}`" for run in result["runs"])
    where = circumstances(result["processor"], result["versions"])
    return "\n".join([*rows, "", f"Runs: {names}; mean ± standard deviation; {where}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    given = parser.parse_args()
    images = mnist.load("test").images[:]
    probabilities = [fl.Run(run).predict(images) for run in given.runs]
    result = {
        "runs": [
            {"name": run.name, "errors": errors(found)}
            for run, found in zip(given.runs, probabilities, strict=True)
        ],
        "together": errors(np.mean(probabilities, axis=0)),
        "columns": COLUMNS,
        "processor": processor(),
        "versions": versions(),
    }
    FILE.write_text(json.dumps(result, indent=1) + "\n")
    into_page("errors", table(result))


if __name__ == "__main__":
    main()
