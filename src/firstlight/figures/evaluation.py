"""The pictures of an evaluation: confusion, mistakes, predictions, weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.datasets import Examples
from firstlight.figures.style import (
    ACCENT,
    FOR_AND_AGAINST,
    SHADES,
    WARNING,
    image_grid,
    new_panels,
    save_figure,
    show_image,
    styled,
)
from firstlight.runs import checkpoint
from firstlight.runs.documents import Evaluation
from firstlight.runs.run import Run

MAX_MISTAKES, MAX_PREDICTIONS = 25, 40  # images in a figure
MAX_LABELLED_CLASSES = 20  # a confusion matrix with more has no numbers, and fewer ticks
MAX_UPRIGHT_CLASSES = 10  # with more, their names below the matrix are turned


def draw_evaluation(
    run: Run, evaluation: Evaluation, examples: Examples, probabilities: np.ndarray, folder: Path
) -> None:
    """Draw confusion, mistakes, predictions, and the weights if they can be seen as images.

    Args:
        probabilities: the run's answers to the examples, (N, classes).
        folder: where the PNG files go.
    """
    classes = run.model_info().classes
    title = (
        f"{evaluation.network} on {evaluation.data} ({evaluation.split}), "
        f"{evaluation.accuracy:.2%} right"
    )
    confusion_matrix(
        np.array(evaluation.confusion), classes, folder / "confusion_matrix.png", title
    )
    answers = Answers(examples, classes, probabilities)
    wrong = np.array([mistake.index for mistake in evaluation.mistakes], int)
    draw_answers(answers, wrong[:MAX_MISTAKES], folder / "mistakes.png", title)
    first = np.arange(min(MAX_PREDICTIONS, len(examples)))
    draw_answers(answers, first, folder / "predictions.png", title)
    weights = weights_as_images(run, examples.images.size[:2])
    if weights is not None:
        class_weights(weights, classes, folder / "weights.png")


@styled
def confusion_matrix(counts: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Draw counts (classes, classes), a row for each label: mistakes shaded, right answers not."""
    size = len(classes)
    is_labelled = size <= MAX_LABELLED_CLASSES
    side = min(12, max(4.5, 0.5 * size + 1.5)) if is_labelled else 9
    figure, (panel,) = new_panels(rows=1, columns=1, size=(side + 0.6, side))
    mistakes = counts * (1 - np.eye(size, dtype=int))
    panel.imshow(mistakes, cmap=SHADES, vmax=max(1, mistakes.max()))
    ticks = range(size)
    if is_labelled:
        for row, column in np.argwhere(counts):
            weight = "bold" if row == column else "normal"
            panel.text(column, row, counts[row, column], ha="center", va="center", weight=weight)
        right = counts.diagonal() / np.maximum(counts.sum(1), 1)
        for row in range(size):
            panel.text(size - 0.3, row, f"{right[row]:.1%}", va="center", color=ACCENT)
    else:
        ticks = range(0, size, math.ceil(size / MAX_LABELLED_CLASSES))
    rotation = 0 if size <= MAX_UPRIGHT_CLASSES else 90
    panel.set_xticks(ticks, [classes[i] for i in ticks], rotation=rotation)
    panel.set_yticks(ticks, [classes[i] for i in ticks])
    panel.set(xlabel="predicted", ylabel="label")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    panel.set_title(title, fontsize=10, pad=10)
    save_figure(figure, path)


@dataclass(frozen=True)
class Answers:
    """A network's answers to images."""

    examples: Examples
    classes: Sequence[str]
    probabilities: np.ndarray  # (N, classes)

    def caption(self, index: int, separator: str) -> str:
        """Return what the image is, what was answered, and how confident that was."""
        label, answer = self.label(index), self.answer(index)
        confidence = f"{self.probabilities[index].max():.0%}"
        if label == answer:
            return f"{label}{separator}✓  {confidence}"
        return f"{label} → {answer}{separator}✗  {confidence}"

    def label(self, index: int) -> str:
        return self.classes[int(self.examples.labels[index])]

    def answer(self, index: int) -> str:
        return self.classes[int(self.probabilities[index].argmax())]


@styled
def draw_answers(answers: Answers, indices: np.ndarray, path: Path, title: str) -> None:
    """Draw these images, each with its label and its answer."""
    has_names = max(map(len, answers.classes)) > 3  # digits need no line of their own
    columns = 5 if len(indices) <= MAX_MISTAKES else 8
    figure, panels = image_grid(len(indices), columns, captions=2 if has_names else 1)
    for panel, index in zip(panels, indices, strict=False):
        show_image(panel, answers.examples.images[int(index)])
        is_right = answers.label(index) == answers.answer(index)
        panel.set_title(
            answers.caption(index, separator="\n" if has_names else " "),
            loc="center",
            color=ACCENT if is_right else WARNING,
            fontsize=7 if has_names else 8,
        )
    if not len(indices):
        panels[0].text(0.5, 0.5, "no mistakes", ha="center", va="center", fontsize=12)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


@styled
def class_weights(weights: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Draw weights (classes, height, width): where ink speaks for a class, and where against it."""
    figure, panels = image_grid(len(classes), columns=5)
    largest = np.abs(weights).max()
    for panel, image, name in zip(panels, weights, classes, strict=False):
        drawn = panel.imshow(image, cmap=FOR_AND_AGAINST, vmin=-largest, vmax=largest)
        panel.set_title(name, loc="center", fontsize=9)
    bar = figure.colorbar(drawn, ax=panels, shrink=0.7, aspect=30)
    bar.set_label("ink here speaks: against  ·  for", fontsize=8)
    bar.outline.set_visible(False)
    figure.suptitle("The weights of each class", x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


def weights_as_images(run: Run, size: tuple[int, int]) -> np.ndarray | None:
    """Return the weights (classes, height, width) of a network of one layer; None for others."""
    arrays, _ = checkpoint.load(run.weights)
    kernel = arrays.get("layer1/kernel")  # softmax keeps a row for each class
    if kernel is None or len(arrays) != 2 or kernel.shape[1] != math.prod(size):
        return None
    images: np.ndarray = kernel.reshape(-1, *size)
    return images
