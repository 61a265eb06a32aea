"""The ladder: what each network reaches, in what time, over several seeds.

    python benchmarks/ladder.py              train what has not been trained yet, write the table
    python benchmarks/ladder.py --table      only write the table

Each training is a process of its own, `firstlight train ... --json`, alone on the machine; its
line is appended to results/ladder.jsonl when it is done, and its run is kept in runs/ladder/: a
stopped benchmark goes on where it was, within a training too. So a run may also be trained by hand
into that folder, as those of `nin` and `record` were: bound to a core each, two at a time.
The weights measured are those that the recipe keeps.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from report import HERE, RESULTS, circumstances, into_page, processor, short_name, spread

FILE = RESULTS / "ladder.jsonl"
RUNS = HERE.parent / "runs" / "ladder"
IN_SHORT = (  # the rungs that README shows; benchmarks/README.md shows all
    "first graph",
    "mlp",
    "lenet5",
    "convnet, quick",
    "convnet, short",
    "convnet, record",
)


class Rung(NamedTuple):
    name: str
    command: tuple[str, ...]
    seeds: int
    published: str  # test error of such a network, and whose


LINEAR = "12.0 % (LeCun 1998, linear classifier)"
RUNGS = [
    Rung("first graph", ("first-graph",), 5, LINEAR),
    Rung("softmax", ("train", "softmax"), 5, LINEAR),
    Rung("softmax, long", ("train", "softmax", "--recipe", "long"), 5, LINEAR),
    Rung("mlp", ("train", "mlp"), 5, "1.6 % (Simard 2003, 800 hidden units)"),
    Rung("lenet5", ("train", "lenet5"), 5, "0.95 % (LeCun 1998)"),
    Rung("nin", ("train", "nin"), 3, "0.47 % (Lin 2013)"),
    Rung("convnet, quick", ("train", "convnet", "--recipe", "quick"), 10, ""),
    Rung("convnet, short", ("train", "convnet", "--recipe", "short"), 5, ""),
    Rung(
        "convnet, record",
        ("train", "convnet", "--recipe", "record", "--data", "mnist-all"),
        5,
        "0.359 ± 0.047 % (Deotte 2018, mean of 1,500 networks)",
    ),
    Rung("convnet, robust", ("train", "convnet", "--recipe", "robust"), 1, ""),
]


def done() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []


def measure(rung: Rung, seed: int) -> None:
    """Train one seed of a rung, or go on with what is there of it, and append its result."""
    folder = RUNS / f"{'-'.join(rung.name.replace(',', '').split())}-{seed}"
    command = ["firstlight", *rung.command, "--seed", str(seed)]
    started = (folder / "run.json").exists()
    begin = ["firstlight", "train", "--resume", str(folder)] if started else command
    out = ["--out", str(folder)] if rung.command[0] == "train" and not started else []
    run = subprocess.run(
        [sys.executable, "-m", *begin, *out, "--json", "--quiet"], check=True, capture_output=True
    )
    result = json.loads(run.stdout)
    record = json.loads((Path(result.pop("run")) / "run.json").read_text())
    line = {"rung": rung.name, "seed": seed, **result, "command": " ".join(command)}
    line |= {"versions": record["versions"], "processor": processor()}
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{rung.name}, seed {seed}: {result['test_accuracy']:.2%} in {result['seconds']:.1f} s")


def table(lines: list[dict[str, Any]]) -> str:
    rows = [
        "| network | parameters | seconds | processor | cost, first → last | test error, % | n "
        "| published error |",
        "|---|--:|--:|---|--:|--:|--:|---|",
    ]
    listed = subprocess.run(
        [sys.executable, "-m", "firstlight", "list", "--json"], check=True, capture_output=True
    )
    size = {n["name"]: n["parameters"] for n in json.loads(listed.stdout)["networks"]}
    size["first-graph"] = size["softmax"]
    kinds = sorted({line["processor"] for line in lines})
    for rung, kind in itertools.product(RUNGS, kinds):
        found = [line for line in lines if (line["rung"], line["processor"]) == (rung.name, kind)]
        if not found:
            continue
        error = spread([100 * (1 - line["test_accuracy"]) for line in found], 2)
        seconds = spread([line["seconds"] for line in found], 1)
        cost = " → ".join(
            f"{statistics.mean(line[key] for line in found):.3g}"
            for key in ("first_cost", "final_cost")
        )
        parameters = f"{size[found[0]['network']]:,}"
        cells = (
            rung.name, parameters, seconds, short_name(kind), cost, error, len(found),
            rung.published,
        )  # fmt: skip
        rows.append(f"| {' | '.join(map(str, cells))} |")
    where = circumstances(" or ".join(kinds), lines[-1]["versions"])
    return "\n".join([*rows, "", f"Mean ± standard deviation over n seeds; {where}"])


def in_short(lines: list[dict[str, Any]]) -> str:
    """Return the table of README: a row for each of the rungs IN_SHORT."""
    rows = ["| network | seconds | test error, % | n | published error |", "|---|--:|--:|--:|---|"]
    for rung in (rung for rung in RUNGS if rung.name in IN_SHORT):
        found = [line for line in lines if line["rung"] == rung.name]
        seconds = spread([line["seconds"] for line in found], 1)
        seconds += f" ({short_name(found[0]['processor'])})"
        error = spread([100 * (1 - line["test_accuracy"]) for line in found], 2)
        rows.append(f"| {rung.name} | {seconds} | {error} | {len(found)} | {rung.published} |")
    processors = " or ".join(sorted({line["processor"] for line in lines}))
    return "\n".join([*rows, "", circumstances(processors, lines[-1]["versions"])])


def picture(lines: list[dict[str, Any]]) -> None:
    """Test error against training seconds, both logarithmic; a point a seed, a name a rung."""
    figure = Figure((7.5, 4.2), layout="constrained", dpi=120)
    panel = figure.subplots()
    for number, rung in enumerate(RUNGS):
        found = [line for line in lines if line["rung"] == rung.name]
        if not found:
            continue
        seconds = [line["seconds"] for line in found]
        errors = [100 * (1 - line["test_accuracy"]) for line in found]
        panel.plot(seconds, errors, "o", ms=5, alpha=0.5, mec="none")
        place = (statistics.mean(seconds), statistics.mean(errors))
        beside = (8, 6 if number else -14)  # the first two names would run into each other
        panel.annotate(rung.name, place, beside, textcoords="offset points", fontsize=9)
    panel.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="test error, %")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter("{x:g}")
    panel.grid(which="both", color="#9aa5b1", alpha=0.25, lw=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "ladder.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="only write the table")
    parser.add_argument("--only", default="", metavar="RUNG", help="train no other rung")
    given = parser.parse_args()
    if not given.table:
        there = {(line["rung"], line["seed"]) for line in done()}
        for rung in RUNGS:
            for seed in range(rung.seeds) if given.only in ("", rung.name) else ():
                if (rung.name, seed) not in there:
                    measure(rung, seed)
    into_page("ladder", table(done()))
    into_page("ladder in short", in_short(done()))
    picture(done())


if __name__ == "__main__":
    main()
