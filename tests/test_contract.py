"""The contract: the JSON keys that a verb answers with are those that programs rely on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, Make
from PIL import Image

from firstlight.datasets import mnist

Firstlight = Callable[..., Answer]

TRAINING = [
    "network", "data", "steps", "first_cost", "final_cost", "test_accuracy", "seconds", "run",
    "test_images",
]  # fmt: skip
EVALUATION = [
    "network", "data", "split", "examples", "correct", "accuracy", "interval95", "confusion",
    "mistakes",
]  # fmt: skip
MISTAKE = ["index", "label", "predicted", "confidence"]
COMPARISON = [
    "runs", "data", "split", "examples", "accuracy", "both_right", "both_wrong", "only_first",
    "only_second", "p", "verdict",
]  # fmt: skip
EXPORT = [
    "run", "format", "file", "largest_difference", "examples", "calibrated", "calibration_problem",
    "temperature", "threshold", "calibration_error", "coverage", "error_rate", "error_interval95",
    "bytes",
]  # fmt: skip
READING = ["file", "text", "lines", "note"]
READ_SUMMARY = [
    "out", "files", "pages", "unsure", "empty", "incomplete", "unreadable", "left_out", "continued",
]  # fmt: skip
ANSWERS = ["out", "rows", "unreadable", "left_out"]
CHECK = [
    "data", "classes", "examples", "faults", "splits", "counts", "image_size", "near_copies",
    "remarks",
]  # fmt: skip
RECORD = [
    "format", "network", "data", "recipe", "recipe_name", "seed", "patience", "limit",
    "class_weights", "started_from", "sha256", "source", "in_memory", "notices", "command",
    "total_steps", "versions", "machine", "status", "result", "checksum",
]  # fmt: skip


@pytest.fixture
def picture(here: Path) -> Path:
    """A file with a handwritten 7."""
    Image.fromarray(255 - mnist.load("test").images[0][..., 0]).save(here / "7.png")
    return here / "7.png"


@pytest.fixture
def answer(firstlight: Firstlight) -> Callable[..., Any]:
    """The JSON document that a verb prints."""

    def call(*arguments: object) -> Any:
        return json.loads(firstlight(*arguments, "--json").out)

    return call


def test_training(answer: Callable[..., Any], digits: Path, here: Path) -> None:
    result = answer("train", "softmax", "--data", digits, "--steps", 2)
    assert list(result) == TRAINING
    assert list(answer("first-graph", "--steps", 2)) == TRAINING
    record = json.loads((here / result["run"] / "run.json").read_text())
    assert list(record) == RECORD and record["result"] == result


def test_evaluation(answer: Callable[..., Any], trained: Make) -> None:
    run = trained("softmax")
    evaluation = answer("evaluate", run)
    assert list(evaluation) == EVALUATION
    assert list(evaluation["mistakes"][0]) == MISTAKE
    assert list(answer("compare", run, trained("mlp"))) == COMPARISON


def test_export(answer: Callable[..., Any], trained: Make, here: Path) -> None:
    exported = answer("export", trained("softmax"), "--format", "onnx", "--out", here / "a.onnx")
    assert list(exported) == EXPORT


def test_explanation_and_graph(answer: Callable[..., Any], trained: Make, picture: Path) -> None:
    explained = answer("explain", trained("softmax"), picture, "--out", picture.parent / "why")
    assert list(explained) == ["run", "file", "labels", "files"]
    assert list(explained["labels"][0]) == ["label", "probability"]
    drawn = answer("graph", "softmax", "--out", picture.parent / "graph")
    assert list(drawn) == ["target", "files"]


def test_reading_and_classification(
    answer: Callable[..., Any], trained: Make, picture: Path
) -> None:
    (reading,) = answer("read", picture)
    assert list(reading) == READING
    (line,) = reading["lines"]
    assert list(line) == ["text", "digits"]
    assert list(line["digits"][0])[:3] == ["digit", "confidence", "box"]
    (classified,) = answer("classify", trained("softmax"), picture)
    assert list(classified) == ["file", "labels"]
    assert list(classified["labels"][0]) == ["label", "probability"]
    out = picture.parent / "out.csv"
    assert list(answer("read", picture, "--out", out, "--jobs", 1)) == READ_SUMMARY
    assert list(answer("predict", trained("softmax"), picture, "--out", out)) == ANSWERS


def test_data_check_and_list(answer: Callable[..., Any], digits: Path) -> None:
    assert list(answer("data", "check", digits)) == CHECK
    listed = answer("list")
    assert list(listed) == ["networks", "datasets"]
    for entry in listed["networks"]:
        assert list(entry) == ["name", "input", "parameters", "recipes", "paper", "reaches"]
        for recipe, reach in entry["reaches"].items():
            assert recipe in entry["recipes"]
            assert list(reach) == ["data", "accuracy", "seconds"]
    for entry in listed["datasets"]:
        assert list(entry) == ["name", "classes"]
