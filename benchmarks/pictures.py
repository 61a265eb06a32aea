"""Networks for photographs, of 2013 and of today, beside what is simpler than a network.

    python benchmarks/pictures.py DIR            train what is not yet trained, write the table
    python benchmarks/pictures.py DIR --table    only write the table

DIR is laid out as `firstlight data check` wants it. Each training is a process of its own; its line
is appended to results/pictures.jsonl when it is done and measured, and its run is kept in
runs/pictures/: a stopped benchmark goes on where it was, within a training too. Two may run at a
time, each bound to a core (`taskset -c 0 python ... --only ROW`): a line says on how many it ran.

The seeds of one network are also measured together, by the mean of their probabilities. That needs
all of their runs; results/pictures_together.json keeps it.

Measured is what evaluation measures: test, or val where there is none; the networks' weights are
those of the last step, so nothing is chosen by those pictures. The row of the support vector
machine needs scikit-learn, a dependency of the benchmarks alone. (Softmax keeps its best epoch by
val, which flatters it a little where there is no test.)
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from report import HERE, RESULTS, circumstances, into_page, processor, spread

from firstlight import catalog
from firstlight.datasets import Examples

FILE = RESULTS / "pictures.jsonl"
TOGETHER = RESULTS / "pictures_together.json"
VIEWS = ("middle", "ten-crops")
RUNS = HERE.parent / "runs" / "pictures"
SIDE = 96  # of the pictures that colours are counted in


class Row(NamedTuple):
    name: str
    command: tuple[str, ...]
    seeds: int


ROWS = [
    Row("softmax", ("softmax", "--recipe", "long", "--epochs", "60"), 3),
    Row("zfnet", ("zfnet",), 3),
    Row("nin-imagenet", ("nin-imagenet",), 3),
    Row("convnet-photos", ("convnet-photos",), 5),
]


def firstlight(*arguments: str) -> Any:
    command = [sys.executable, "-m", "firstlight", *arguments, "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def done() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []


def measure(row: Row, seed: int, data: str) -> None:
    """Train one seed, or go on with what is there of it; measure it; append its result."""
    folder = RUNS / f"{row.name}-{seed}"
    begin = ("train", *row.command, "--data", data, "--seed", str(seed), "--out", str(folder))
    there = (folder / "run.json").exists()
    result = firstlight(*(("train", "--resume", str(folder)) if there else begin))
    record = json.loads((folder / "run.json").read_text())
    curve = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    line = {
        "row": row.name,
        "seed": seed,
        **{key: result[key] for key in ("steps", "first_cost", "final_cost", "seconds")},
        **{f"{views}_accuracy": None for views in VIEWS},
        "curve": [(m["epoch"], m["accuracy"]) for m in curve if m["split"] == "val"],
        "recipe": record["recipe"],
        "cores": len(os.sched_getaffinity(0)),
        "command": "firstlight " + " ".join(begin[:-2]).replace(data, "DIR"),
        "versions": record["versions"],
        "processor": processor(),
    }
    for views in VIEWS:
        facts = firstlight("evaluate", str(folder), "--views", views)
        line[f"{views}_accuracy"] = facts["accuracy"]
        line |= {"examples": facts["examples"], "split": facts["split"]}
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{row.name}, seed {seed}: {line['middle_accuracy']:.2%} in {line['seconds']:.0f} s")


def measure_together() -> None:
    """Measure the seeds of each deep network together, where all runs are there."""
    kept = teams()
    for row in ROWS[1:]:
        runs = [RUNS / f"{row.name}-{seed}" for seed in range(row.seeds)]
        measured = kept.get(row.name, {}).get("seeds") == row.seeds
        if not measured and all((run / "model").exists() for run in runs):
            kept[row.name] = {"seeds": row.seeds} | together(runs)
    TOGETHER.write_text(json.dumps(kept, indent=1) + "\n")


def together(runs: list[Path]) -> dict[str, float]:
    """Return the accuracy of the mean of several runs' probabilities, for each choice of crops."""
    return {
        f"{views}_accuracy": firstlight("evaluate", *map(str, runs), "--views", views)["accuracy"]
        for views in VIEWS
    }


def colours(examples: Examples) -> np.ndarray:
    """Each picture's share of 16×4×4 hues, saturations and values (N, 256)."""
    found = []
    for image in examples.images.resized((SIDE, SIDE, 3))[:]:
        hsv = np.asarray(Image.fromarray(image).convert("HSV")).reshape(-1, 3)
        counts, _ = np.histogramdd(hsv, (16, 4, 4), [(0, 256)] * 3)
        found.append(counts.ravel() / len(hsv))
    return np.array(found)


def simple(data: str) -> dict[str, float]:
    """Accuracies without a network: the commonest class, and two that only count colours."""
    dataset = catalog.dataset(data)
    train, seen = dataset.load("train"), dataset.load(dataset.evaluation_split)
    known, asked = colours(train), colours(seen)
    # How much two histograms overlap, at most 1: Bhattacharyya's coefficient.
    overlaps = [np.sqrt(known * histogram).sum(1) for histogram in asked]
    nearest = train.labels[np.argmax(overlaps, axis=1)]
    return {
        "the commonest class": float(np.bincount(seen.labels).max() / len(seen.labels)),
        "nearest colour histogram": float((nearest == seen.labels).mean()),
        "colour histogram, SVM with the χ² kernel": svm(known, train.labels, asked, seen.labels),
    }


def svm(known: np.ndarray, labels: np.ndarray, asked: np.ndarray, expected: np.ndarray) -> float:
    """The accuracy of a support vector machine on histograms; its C is chosen on training folds."""
    from sklearn.metrics.pairwise import chi2_kernel
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import SVC

    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    machine = GridSearchCV(SVC(kernel="precomputed"), {"C": [1, 3, 10, 30]}, cv=folds)
    machine.fit(chi2_kernel(known, known), labels)
    return float(machine.score(chi2_kernel(asked, known), expected))


def table(lines: list[dict[str, Any]], without: dict[str, float], classes: int) -> str:
    rows = [
        "| method | parameters | seconds of training | top-1, % | top-1 with ten crops, % | n "
        "| processor |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    rows += [f"| {name} | | | {100 * value:.1f} | | | |" for name, value in without.items()]
    for row in ROWS:
        found = [line for line in lines if line["row"] == row.name]
        if found:
            parameters = catalog.network(row.command[0]).build(classes).count_params()
            cores = sorted({line["cores"] for line in found})
            times = [[line["seconds"] for line in found if line["cores"] == n] for n in cores]
            seconds = [
                f"{spread(t, 0)} on {n} {'core' if n == 1 else 'cores'}"
                for t, n in zip(times, cores, strict=True)
            ]
            accuracies = [
                spread([100 * line[f"{views}_accuracy"] for line in found], 1) for views in VIEWS
            ]
            where = ", ".join(sorted({line["processor"] for line in found}))
            cells = (
                row.name,
                f"{parameters:,}",
                ", ".join(seconds),
                *accuracies,
                len(found),
                where,
            )
            rows.append(f"| {' | '.join(map(str, cells))} |")
    for name, facts in teams().items():
        accuracies = [f"{100 * facts[f'{views}_accuracy']:.1f}" for views in VIEWS]
        rows.append(f"| {facts['seeds']} × {name} together | | | {' | '.join(accuracies)} | 1 | |")
    last = lines[-1]
    versions = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
    measured = (
        f"Measured on {last['examples']:,} {last['split']} pictures; mean ± standard deviation "
        f"over n seeds; {versions}."
    )
    return "\n".join([*rows, "", measured])


def teams() -> dict[str, dict[str, Any]]:
    """Return what was measured of several seeds together, by network."""
    return json.loads(TOGETHER.read_text()) if TOGETHER.exists() else {}


def in_short(lines: list[dict[str, Any]], without: dict[str, float]) -> str:
    """Return the table of README: the best without a network, and the deep networks."""
    rows = ["| method | top-1, % | n |", "|---|--:|--:|"]
    best = max(without, key=lambda name: without[name])
    rows.append(f"| {best} | {100 * without[best]:.1f} | |")
    for row in ROWS[1:]:
        found = [100 * line["ten-crops_accuracy"] for line in lines if line["row"] == row.name]
        if found:
            rows.append(f"| `{row.name}`, ten crops | {spread(found, 1)} | {len(found)} |")
    for name, facts in teams().items():
        accuracy = 100 * facts["ten-crops_accuracy"]
        rows.append(f"| {facts['seeds']} × `{name}` together, ten crops | {accuracy:.1f} | 1 |")
    processors = ", ".join(sorted({line["processor"] for line in lines}))
    return "\n".join([*rows, "", circumstances(processors, lines[-1]["versions"])])


def picture(lines: list[dict[str, Any]], without: dict[str, float]) -> None:
    """Accuracy after each epoch, a curve a seed, and what is reached without a network."""
    figure = Figure((7.5, 3.6), layout="constrained", dpi=120)
    panel = figure.subplots()
    for number, row in enumerate(ROWS):
        for line in (line for line in lines if line["row"] == row.name):
            epochs, accuracies = np.array(line["curve"]).T
            panel.plot(epochs, 100 * accuracies, color=f"C{number}", lw=1.2, alpha=0.7)
            label = row.name if line["seed"] == 0 else None
            panel.plot(epochs[-1], 100 * accuracies[-1], "o", ms=5, color=f"C{number}", label=label)
    for name, value in without.items():
        panel.axhline(100 * value, color="#7b8794", lw=0.8, ls=":")
        at, edge = (1, 100 * value), panel.get_yaxis_transform()
        panel.annotate(name, at, (0, -11), edge, "offset points", fontsize=9, ha="right")
    panel.set(xlabel="passes over the training pictures", ylabel="top-1, %", ylim=(0, None))
    panel.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.2))
    panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "pictures.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="DIR")
    parser.add_argument("--table", action="store_true", help="only write the table")
    parser.add_argument("--only", default="", metavar="ROW", help="train no other row")
    given = parser.parse_args()
    if not given.table:
        there = {(line["row"], line["seed"]) for line in done()}
        for row in ROWS:
            for seed in range(row.seeds) if given.only in ("", row.name) else ():
                if (row.name, seed) not in there:
                    measure(row, seed, str(Path(given.data).resolve()))
        measure_together()
    without = simple(given.data)
    print(without)
    if lines := done():
        classes = len(catalog.dataset(given.data).classes)
        into_page("pictures", table(lines, without, classes))
        into_page("pictures in short", in_short(lines, without))
        picture(lines, without)


if __name__ == "__main__":
    main()
