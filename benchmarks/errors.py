"""Where the errors on MNIST's test images are: by who wrote them, and beside labels in doubt.

    python benchmarks/errors.py RUN|MODEL.onnx...      of each, and of several together

Runs whose folders differ only in a number at the end (convnet-record-0, convnet-record-1) are one
network with several seeds. An ensemble is the mean of probabilities; in one of several networks,
each network counts alike, however many seeds it has. A model's eleventh class, "none", is left out.

The 23 disputed images are those whose published label fewer than four of five people chose:
Northcutt, Athalye and Mueller, "Pervasive label errors in test sets", 2021 (cleanlab/label-errors,
mnist_mturk.json). They are for reporting alone. Who wrote an image is known from QMNIST. The
results go to results/errors.json, and a table into benchmarks/README.md.
"""

import argparse
import json
import re
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


def seeds(runs: list[Path]) -> dict[str, list[Path]]:
    """Return the runs of each network: those whose names differ in the number at their end."""
    networks: dict[str, list[Path]] = {}
    for run in runs:
        networks.setdefault(re.sub(r"-\d+$", "", run.stem), []).append(run)
    return networks


def table(result: dict[str, Any]) -> str:
    rows = [f"| errors | n | {' | '.join(COLUMNS)} |", "|---|--:|--:|--:|--:|--:|"]
    for name, each in result["alone"].items():
        cells = [spread(list(column), 1) for column in zip(*each.values(), strict=True)]
        rows.append(f"| `{name}` | {len(each)} | {' | '.join(cells)} |")
    for name, together in result["together"].items():
        rows.append(f"| {name} | 1 | {' | '.join(map(str, together))} |")
    where = circumstances(result["processor"], result["versions"])
    return "\n".join([*rows, "", f"Mean ± standard deviation; {where}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN|MODEL.onnx")
    given = parser.parse_args()
    images = mnist.load("test").images[:]
    probabilities = {run: fl.load(run).predict(images)[:, :10] for run in given.runs}
    networks = seeds(given.runs)
    means = {
        name: np.mean([probabilities[run] for run in runs], 0) for name, runs in networks.items()
    }
    together = {
        f"{len(networks[name])} × `{name}` together": errors(mean)
        for name, mean in means.items()
        if len(networks[name]) > 1
    }
    if len(networks) > 1:
        all_networks = " and ".join(f"`{name}`" for name in networks)
        together[f"{all_networks} together"] = errors(np.mean(list(means.values()), axis=0))
    result = {
        "columns": COLUMNS,
        "alone": {
            name: {run.name: errors(probabilities[run]) for run in runs}
            for name, runs in networks.items()
        },
        "together": together,
        "processor": processor(),
        "versions": versions(),
    }
    FILE.write_text(json.dumps(result, indent=1) + "\n")
    into_page("errors", table(result))


if __name__ == "__main__":
    main()
