"""As a user goes: first graph, training, evaluation, pictures.

A training is a process of its own, so that only its run folder is left of it.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Answer
from PIL import Image


def in_a_process(here: Path, *arguments: object) -> Any:
    command = [sys.executable, "-m", "firstlight", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "oneDNN" not in done.stderr
    return json.loads(done.stdout)


def test_the_flow(here: Path, firstlight: Callable[..., Answer]) -> None:
    first = in_a_process(here, "first-graph")
    assert list(first) == [
        "network", "data", "steps", "first_cost", "final_cost", "test_accuracy", "seconds", "run",
        "test_images",
    ]  # fmt: skip
    assert 9 < first["first_cost"] < 17 and 2 < first["final_cost"] < 5
    assert first["run"] == "runs/first-graph-mnist-1"

    # A better network on a tenth of the images: two epochs are enough for 95 %.
    better = in_a_process(here, "train", "convnet", "--limit", 6000, "--epochs", 2, "--seed", 1)
    assert list(better) == list(first) and better["run"] == "runs/convnet-mnist-1"
    assert better["test_accuracy"] > 0.95

    # With a gate that is missed: exit code 3, and the answer all the same.
    evaluated = firstlight("evaluate", better["run"], "--min-accuracy", 0.999999, "--json")
    facts = json.loads(evaluated.out)
    assert evaluated.code == 3
    assert list(facts) == [
        "network", "data", "split", "examples", "correct", "accuracy", "interval95",
        "confusion", "mistakes",
    ]  # fmt: skip
    assert facts["accuracy"] == better["test_accuracy"] and facts["examples"] == 10_000
    assert facts["interval95"][0] < facts["accuracy"] < facts["interval95"][1]
    assert len(facts["mistakes"]) == 10_000 - facts["correct"]

    for file in json.loads(firstlight("graph", "first-graph", "--json").out)["files"]:
        assert (here / file).read_text("utf-8").startswith("<svg")

    run = here / better["run"]
    there = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert there >= {
        "run.json", "metrics.jsonl", "evaluation.json", "MODEL_CARD.md",
        "checkpoints/last.npz", "checkpoints/best.npz", "model/model.json", "model/weights.npz",
        "figures/learning_curves.png", "figures/samples.png", "figures/confusion_matrix.png",
        "figures/mistakes.png", "figures/predictions.png",
    }  # fmt: skip


def pictures(here: Path) -> Path:
    """DIR/{train,val}/CLASS/*: stripes of three widths, four and two pictures of each."""
    columns = np.arange(256)
    for width in (4, 16, 64):
        for number in range(6):
            grey = np.where((columns + 7 * number) // width % 2, 200, 40).astype(np.uint8)
            noise = np.random.default_rng(number).integers(0, 50, (256, 256, 3), np.uint8)
            split = "train" if number < 4 else "val"
            path = here / "stripes" / split / f"{width} wide" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(grey[:, np.newaxis] + noise).save(path)
    return here / "stripes"


@pytest.mark.large  # test_folder_flow.py does the same with a small network, in one process
@pytest.mark.parametrize("network", ["nin-imagenet", "zfnet", "overfeat"])
def test_the_flow_of_pictures(here: Path, network: str) -> None:
    data = pictures(here)
    facts = in_a_process(here, "train", network, "--data", data, "--steps", 2)
    run, one = facts["run"], data / "val/16 wide/4.png"
    assert in_a_process(here, "evaluate", run, "--views", "ten-crops")["examples"] == 6
    (told,) = in_a_process(here, "classify", run, one)
    assert {each["label"] for each in told["labels"]} == {"4 wide", "16 wide", "64 wide"}

    exported = in_a_process(here, "export", run, "--format", "onnx", "--out", here / "model.onnx")
    assert exported["largest_difference"] <= 1e-4
    (again,) = in_a_process(here, "classify", here / "model.onnx", one)
    assert [each["label"] for each in again["labels"]] == [each["label"] for each in told["labels"]]

    for verb in (["explain", run, one, "--out", here / "seen"], ["graph", run]):
        files = in_a_process(here, *verb)["files"]
        assert files and all((here / file).stat().st_size > 1000 for file in files)


@pytest.mark.large
def test_digits_for_a_network_of_photographs(here: Path, digits: Path) -> None:
    facts = in_a_process(here, "train", "zfnet", "--data", digits, "--limit", 64, "--steps", 2)
    assert facts["data"] == digits.name and 0 <= facts["test_accuracy"] <= 1
