"""As a user goes: first graph, training, evaluation, pictures, each a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def firstlight(here: Path, *arguments: object, code: int = 0) -> Any:
    command = [sys.executable, "-m", "firstlight", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "oneDNN" not in done.stderr
    return json.loads(done.stdout)


def test_the_flow(here: Path) -> None:
    first = firstlight(here, "first-graph")
    assert list(first) == [
        "network", "data", "steps", "first_cost", "final_cost", "test_accuracy", "seconds", "run",
    ]  # fmt: skip
    assert 9 < first["first_cost"] < 17 and 2 < first["final_cost"] < 5
    assert first["run"] == "runs/first-graph-mnist-1"

    # A better network on a tenth of the images: two epochs are enough for 95 %.
    better = firstlight(here, "train", "convnet", "--limit", 6000, "--epochs", 2, "--seed", 1)
    assert list(better) == list(first) and better["run"] == "runs/convnet-mnist-1"
    assert better["test_accuracy"] > 0.95

    facts = firstlight(here, "evaluate", better["run"])
    assert list(facts) == [
        "network", "data", "split", "examples", "correct", "accuracy", "interval95",
        "confusion", "mistakes",
    ]  # fmt: skip
    assert facts["accuracy"] == better["test_accuracy"] and facts["examples"] == 10_000
    assert facts["interval95"][0] < facts["accuracy"] < facts["interval95"][1]
    assert len(facts["mistakes"]) == 10_000 - facts["correct"]
    again = firstlight(here, "evaluate", first["run"])
    assert again["accuracy"] == first["test_accuracy"]

    gate = ["evaluate", better["run"], "--min-accuracy", "0.999999"]
    assert firstlight(here, *gate, code=3)["correct"] == facts["correct"]

    for target in (better["run"], "first-graph"):
        for file in firstlight(here, "graph", target)["files"]:
            assert (here / file).read_text("utf-8").startswith("<svg")

    run = here / better["run"]
    there = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert there >= {
        "run.json", "metrics.jsonl", "evaluation.json", "MODEL_CARD.md",
        "checkpoints/last.npz", "checkpoints/best.npz", "model/model.json", "model/weights.npz",
        "figures/learning_curves.png", "figures/samples.png", "figures/confusion_matrix.png",
        "figures/mistakes.png", "figures/predictions.png",
    }  # fmt: skip
    assert (here / first["run"] / "figures/weights.png").is_file()
