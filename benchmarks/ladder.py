"""The ladder: what each network reaches, in what time, over several seeds.

    python benchmarks/ladder.py              train what has not been trained yet, write the table
    python benchmarks/ladder.py --table      only write the table

Each training is a process of its own, `firstlight train ... --json`, alone on the machine; its
line is appended to results/ladder.jsonl when it is done: a stopped benchmark goes on where it was.
The weights measured are those that were best on the validation images.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "ladder.jsonl"
README = HERE.parent / "README.md"
BEGIN, END = "<!-- ladder -->", "<!-- /ladder -->"


class Rung(NamedTuple):
    name: str
    command: tuple[str, ...]
    seeds: int
    published: str  # test error of such a network, and whose


RUNGS = [
    Rung("first graph", ("first-graph",), 5, "12.0 % (LeCun 1998, linear classifier)"),
    Rung("softmax", ("train", "softmax"), 5, "12.0 % (LeCun 1998, linear classifier)"),
    Rung("mlp", ("train", "mlp"), 5, "1.6 % (Simard 2003, 800 hidden units)"),
    Rung("lenet5", ("train", "lenet5"), 5, "0.95 % (LeCun 1998)"),
    Rung("convnet, one epoch", ("train", "convnet", "--epochs", "1"), 5, ""),
    Rung("convnet", ("train", "convnet"), 5, ""),
]


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()


def done() -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    )


def measure(rung: Rung, seed: int) -> None:
    """Train one seed of a rung in an empty folder and append its result."""
    command = ["firstlight", *rung.command, "--seed", str(seed), "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, check=True, capture_output=True, text=True
        )
        result = json.loads(run.stdout)
        settings = json.loads((Path(folder) / result.pop("run") / "run.json").read_text())
    line = {"rung": rung.name, "seed": seed, **result, "command": " ".join(command)}
    line |= {"versions": settings["versions"], "processor": processor()}
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{rung.name}, seed {seed}: {result['test_accuracy']:.2%} in {result['seconds']:.1f} s")


def spread(values: list[float], digits: int) -> str:
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def table(lines: list[dict[str, Any]]) -> str:
    rows = [
        "| network | parameters | seconds | cost, first → last | test error, % | n | published |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    listed = subprocess.run(
        [sys.executable, "-m", "firstlight", "list", "--json"], check=True, capture_output=True
    )
    size = {n["name"]: n["parameters"] for n in json.loads(listed.stdout)["networks"]}
    size["first-graph"] = size["softmax"]
    for rung in RUNGS:
        found = [line for line in lines if line["rung"] == rung.name]
        if not found:
            continue
        error = spread([100 * (1 - line["test_accuracy"]) for line in found], 2)
        seconds = spread([line["seconds"] for line in found], 1)
        cost = " → ".join(
            f"{statistics.mean(line[key] for line in found):.3g}"
            for key in ("first_cost", "final_cost")
        )
        parameters = f"{size[found[0]['network']]:,}"
        cells = (rung.name, parameters, seconds, cost, error, len(found), rung.published)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    last = lines[-1]
    versions = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
    rows += ["", f"Mean ± standard deviation over n seeds; {last['processor']}; {versions}."]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="only write the table")
    if not parser.parse_args().table:
        there = {(line["rung"], line["seed"]) for line in done()}
        for rung in RUNGS:
            for seed in range(rung.seeds):
                if (rung.name, seed) not in there:
                    measure(rung, seed)
    before, rest = README.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table(done())}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
