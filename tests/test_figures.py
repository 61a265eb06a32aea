"""The figures of a run: objects that a notebook shows, whatever the data."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from firstlight.datasets import ArrayImages, array_examples
from firstlight.figures.evaluation import Answers, answers, class_weights, confusion_matrix
from firstlight.figures.style import save_figure
from firstlight.figures.training import augmentations, learning_curves, running_mean, samples
from firstlight.recipe import Recipe
from firstlight.runs.documents import LoggedStep, RunRecord
from firstlight.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n"


def size(figure: Figure) -> tuple[int, int]:
    """Width and height of what a notebook shows, from the PNG's header."""
    png = figure._repr_png_()  # type: ignore[attr-defined]
    assert png[:8] == PNG
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


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


def record() -> RunRecord:
    recipe = Recipe(steps=100, batch_size=10, learning_rate=0.1)
    settings = Settings(network="net", data="mnist", recipe=recipe, seed=0, sha256={}, command="")
    return RunRecord(settings=settings, total_steps=100, versions={}, machine="")


def random_answers(count: int, channels: int = 1) -> Answers:
    images = np.zeros((count, 9, 8, channels), np.uint8)
    probabilities = np.random.default_rng(0).random((count, 3))
    return Answers(array_examples(images, np.arange(count) % 3), "abc", probabilities)


FIGURES: dict[str, Callable[[], Figure]] = {
    "learning_curves": lambda: learning_curves([line(n) for n in range(1, 99)], record(), "mnist"),
    "samples": lambda: samples(random_answers(9).examples, "abc", "title"),
    "augmentations": lambda: augmentations(random_answers(9).examples.images, {"rotate": 9}),
    "confusion_matrix": lambda: confusion_matrix(np.eye(3, dtype=int), "abc", "title"),
    "answers": lambda: answers(random_answers(9), np.arange(9), "title"),
    "class_weights": lambda: class_weights(np.ones((3, 9, 9)), "abc"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_notebook_shows_what_is_saved_and_the_users_settings_change_nothing(
    name: str, tmp_path: Path
) -> None:
    save_figure(FIGURES[name](), tmp_path / "figure.png")
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    plain = (tmp_path / "figure.png").read_bytes()
    assert plain[:8] == PNG
    own = {"font.size": 20, "text.color": "red", "axes.grid": True, "savefig.dpi": 30}
    drawn_before = FIGURES[name]()
    with matplotlib.rc_context(own):
        assert drawn_before._repr_png_() == plain  # type: ignore[attr-defined]
        assert FIGURES[name]()._repr_png_() == plain  # type: ignore[attr-defined]
        assert {key: matplotlib.rcParams[key] for key in own} == own


@pytest.mark.parametrize(
    "metrics",
    [
        [line(1)],
        [line(n, accuracy=None) for n in range(1, 1001)],
        [line(n) for n in range(1, 100)] + [line(50, "val", 0.9), line(99, "val", 1.0)],
    ],
    ids=["one line", "no accuracy", "with validation"],
)
def test_learning_curves(metrics: list[LoggedStep]) -> None:
    assert size(learning_curves(metrics, record(), "a <title> $x$")) > (600, 300)


def test_running_mean_keeps_length_and_level() -> None:
    assert running_mean(np.full(100, 3.0)).tolist() == [3.0] * 100
    assert running_mean(np.array([5.0])).tolist() == [5.0]


@pytest.mark.parametrize("classes", [1, 2, 10, 40])
def test_confusion_matrix(classes: int) -> None:
    names = [f"Ångström {i}" for i in range(classes)]
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes))
    assert size(confusion_matrix(counts, names, "title")) > (400, 400)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 25])
def test_answers(channels: int, count: int) -> None:
    assert size(answers(random_answers(30, channels), np.arange(count), "title")) > (90, 90)


def test_samples_of_few_images_and_an_empty_class() -> None:
    examples = array_examples(np.zeros((5, 9, 9, 1), np.uint8), np.array([0, 0, 0, 2, 2]))
    assert size(samples(examples, ["a", "b", "c"], "title")) > (400, 100)


def test_augmentations() -> None:
    images = ArrayImages(np.zeros((4, 28, 28, 1), np.uint8))
    assert size(augmentations(images, {"rotate": 9, "noise": 5})) > (400, 100)


def test_class_weights() -> None:
    weights = np.random.default_rng(0).normal(size=(10, 28, 28))
    assert size(class_weights(weights, "0123456789")) > (400, 100)
