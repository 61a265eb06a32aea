"""The pictures of an evaluation: confusion, mistakes, predictions, weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from firstlight.datasets import Examples
from firstlight.figures.page import (
    CAPTION,
    IMAGE_GAP,
    PAGE_HEADER,
    PAGE_MARGIN,
    TITLE_HEIGHT,
    Grid,
    Page,
    as_heat,
    as_paper,
    shortened,
)
from firstlight.figures.style import (
    ACCENT,
    SHADES,
    WARNING,
    new_panels,
    save_figure,
    styled,
)
from firstlight.runs import checkpoint
from firstlight.runs.documents import Evaluation
from firstlight.runs.run import Run

MAX_MISTAKES, MAX_PREDICTIONS = 25, 40  # images in a figure
MAX_LABELLED_CLASSES = 20  # a confusion matrix with more has no numbers, and fewer ticks
DIGIT_SIDE, PICTURE_SIDE, WEIGHT_SIDE = 104, 152, 132  # pixels
MAX_NAME_LENGTH = 12  # characters of a class in a caption
MAX_UPRIGHT_CLASSES = 10  # with more, the names below the matrix are rotated by 90 degrees


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
    answered = Answers(examples, classes, probabilities)
    wrong = np.array([mistake.index for mistake in evaluation.mistakes], int)
    first = np.arange(min(MAX_PREDICTIONS, len(examples)))
    figures = {
        "confusion_matrix.png": confusion_matrix(np.array(evaluation.confusion), classes, title),
        "mistakes.png": answers(answered, wrong[:MAX_MISTAKES], title),
        "predictions.png": answers(answered, first, title),
    }
    weights = weights_as_images(run, examples.images.size[:2])
    if weights is not None:
        figures["weights.png"] = class_weights(weights, classes)
    for name, figure in figures.items():
        save_figure(figure, folder / name)


@styled
def confusion_matrix(counts: np.ndarray, classes: Sequence[str], title: str) -> Figure:
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
    return figure


@dataclass(frozen=True)
class Answers:
    """A network's probabilities for some images."""

    examples: Examples
    classes: Sequence[str]
    probabilities: np.ndarray  # (N, classes)

    @property
    def have_names(self) -> bool:
        """Whether the classes have names, which are longer than digits."""
        return max(map(len, self.classes)) > 3

    def is_right(self, index: int) -> bool:
        return bool(self.probabilities[index].argmax() == self.examples.labels[index])

    def caption(self, index: int) -> str:
        """Return what the image is, what was answered, and how confident that was."""
        label = self._class_name(int(self.examples.labels[index]))
        answer = self._class_name(int(self.probabilities[index].argmax()))
        confidence = f"{self.probabilities[index].max():.0%}"
        separator = "\n" if self.have_names else " "
        if self.is_right(index):
            return f"{label}{separator}✓  {confidence}"
        return f"{label} → {answer}{separator}✗  {confidence}"

    def _class_name(self, number: int) -> str:
        return shortened(self.classes[number], MAX_NAME_LENGTH)


@styled
def answers(answered: Answers, indices: np.ndarray, title: str) -> Figure:
    """Draw these images, each with its label and its answer above it."""
    side, caption = DIGIT_SIDE, CAPTION
    if answered.have_names:  # they need more room, and a line of their own
        side, caption = PICTURE_SIDE, 2 * CAPTION
    columns = 5 if len(indices) <= MAX_MISTAKES else 8
    rows = max(1, math.ceil(len(indices) / columns))
    grid = Grid(
        left=PAGE_MARGIN,
        top=PAGE_MARGIN + TITLE_HEIGHT + caption,
        side=side,
        across=side + IMAGE_GAP,
        down=side + IMAGE_GAP + caption,
    )
    page = Page(
        width=grid.right(min(columns, len(indices))) + PAGE_MARGIN,
        height=grid.bottom(rows) - caption + PAGE_MARGIN,
        title=title,
    )
    for number, index in enumerate(indices):
        square = grid.cell(*divmod(number, columns))
        page.image(square, as_paper(answered.examples.images[int(index)]))
        color = ACCENT if answered.is_right(index) else WARNING
        page.text(square.x, square.y - 3, answered.caption(index), size=7, color=color, va="bottom")
    if not len(indices):
        page.text(grid.left, grid.top, "no mistakes", size=10)
    return page.figure


@styled
def class_weights(weights: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw weights (classes, height, width): where ink counts for a class, and where against it."""
    columns = min(5, len(classes))
    rows = math.ceil(len(classes) / columns)
    grid = Grid(
        left=PAGE_MARGIN,
        top=PAGE_HEADER,
        side=WEIGHT_SIDE,
        across=WEIGHT_SIDE + IMAGE_GAP,
        down=WEIGHT_SIDE + IMAGE_GAP + CAPTION,
    )
    page = Page(
        width=grid.right(columns) + PAGE_MARGIN,
        height=grid.bottom(rows) + PAGE_MARGIN,
        title="The weights of each class",
        lines=["Blue: ink here counts for the class. Red: ink here counts against it."],
    )
    largest = float(np.abs(weights).max()) or 1.0
    for number, (image, name) in enumerate(zip(weights, classes, strict=True)):
        square = grid.cell(*divmod(number, columns))
        page.image(square, as_heat(image, largest))
        page.text(square.x, square.y - 3, name, size=9, va="bottom")
    return page.figure


def weights_as_images(run: Run, size: tuple[int, int]) -> np.ndarray | None:
    """Return the weights (classes, height, width) of a network of one layer; None for others."""
    arrays, _ = checkpoint.load(run.weights)
    kernel = arrays.get("layer1/kernel")  # softmax keeps a row for each class
    if kernel is None or len(arrays) != 2 or kernel.shape[1] != math.prod(size):
        return None
    images: np.ndarray = kernel.reshape(-1, *size)
    return images
