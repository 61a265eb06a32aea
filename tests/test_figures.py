"""The figures of a run: whole files of a size to look at, whatever the data."""

from pathlib import Path

import numpy as np
import pytest

from firstlight.datasets import ArrayImages, array_examples
from firstlight.figures.evaluation import (
    Answers,
    class_weights,
    confusion_matrix,
    draw_answers,
)
from firstlight.figures.training import augmentations, learning_curves, running_mean, samples
from firstlight.runs.documents import LoggedStep
from firstlight.runs.run import Run


def size(path: Path) -> tuple[int, int]:
    """Width and height from a PNG's header."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing left half written
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def line(step: int, split: str = "train", accuracy: float | None = 0.5) -> LoggedStep:
    return LoggedStep(
        step=step,
        epoch=step / 100,
        split=split,
        loss=2.0 / step,
        accuracy=accuracy,
        lr=0.1,
        seconds=1.0,
    )


@pytest.mark.parametrize(
    "metrics",
    [
        [line(1)],
        [line(n, accuracy=None) for n in range(1, 1001)],
        [line(n) for n in range(1, 100)] + [line(50, "val", 0.9), line(99, "val", 1.0)],
    ],
    ids=["one line", "no accuracy", "with validation"],
)
def test_learning_curves(metrics: list[LoggedStep], run: Run, tmp_path: Path) -> None:
    learning_curves(metrics, tmp_path / "curves.png", run.record(), "a <title> $x$")
    assert size(tmp_path / "curves.png") > (600, 300)


def test_running_mean_keeps_length_and_level() -> None:
    assert running_mean(np.full(100, 3.0)).tolist() == [3.0] * 100
    assert running_mean(np.array([5.0])).tolist() == [5.0]


@pytest.mark.parametrize("classes", [1, 2, 10, 40])
def test_confusion_matrix(classes: int, tmp_path: Path) -> None:
    names = [f"Ångström {i}" for i in range(classes)]
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes))
    confusion_matrix(counts, names, tmp_path / "confusion.png", "title")
    assert size(tmp_path / "confusion.png") > (400, 400)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 25])
def test_answers(channels: int, count: int, tmp_path: Path) -> None:
    images = np.zeros((30, 9, 8, channels), np.uint8)
    probabilities = np.random.default_rng(0).random((30, 3))
    answers = Answers(array_examples(images, np.arange(30) % 3), "abc", probabilities)
    draw_answers(answers, np.arange(count), tmp_path / "mistakes.png", "title")
    assert size(tmp_path / "mistakes.png") > (90, 90)


def test_samples_of_few_images_and_an_empty_class(tmp_path: Path) -> None:
    examples = array_examples(np.zeros((5, 9, 9, 1), np.uint8), np.array([0, 0, 0, 2, 2]))
    samples(examples, ["a", "b", "c"], tmp_path / "samples.png", "title")
    assert size(tmp_path / "samples.png") > (400, 100)


def test_augmentations(tmp_path: Path) -> None:
    images = ArrayImages(np.zeros((4, 28, 28, 1), np.uint8))
    augmentations(images, {"rotate": 9, "noise": 5}, tmp_path / "augmentation.png")
    assert size(tmp_path / "augmentation.png") > (400, 100)


def test_class_weights(tmp_path: Path) -> None:
    class_weights(
        np.random.default_rng(0).normal(size=(10, 28, 28)), "0123456789", tmp_path / "w.png"
    )
    assert size(tmp_path / "w.png") > (400, 100)
