"""The pictures of an evaluation: confusion, mistakes, predictions, weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.console import MAX_MISTAKES_DRAWN
from firstlight.datasets import Examples
from firstlight.figures.page import (
    CAPTION,
    IMAGE_GAP,
    LINE_HEIGHT,
    PAGE_HEADER,
    PAGE_MARGIN,
    TITLE_HEIGHT,
    Grid,
    Page,
    Rgb,
    Square,
    as_heat,
    as_rgb,
    columns_for,
)
from firstlight.figures.style import (
    ACCENT,
    MISTAKES,
    WARNING,
    NotebookFigure,
    save_figure,
    styled,
)
from firstlight.figures.text import fitted, text_width, widest
from firstlight.images.crops import Size
from firstlight.runs import checkpoint
from firstlight.runs.documents import Evaluation
from firstlight.runs.run import Run

MAX_MISTAKES, MAX_PREDICTIONS = MAX_MISTAKES_DRAWN, 40  # images in a figure
MAX_COUNTED_CLASSES = 20  # a confusion matrix with more has no numbers in it
MAX_ROWS = 100  # of a confusion matrix
MIN_MATRIX_SIDE, MAX_MATRIX_SIDE, CELL_SIDE = 240, 840, 34  # pixels
MAX_NAME_WIDTH, NAME_HEIGHT = 280, 16  # pixels: of a class's name beside the matrix
SHARE_WIDTH, SCALE_HEIGHT = 60, 28  # pixels: of the shares of right answers, and of the colour bar
DIGIT_SIDE, PICTURE_SIDE, WEIGHT_SIDE = 104, 152, 132  # pixels
CAPTION_SIZE = 7  # points
MAX_SHORT_NAME = 16  # pixels: a caption with longer names has three lines


def draw_evaluation(
    run: Run, evaluation: Evaluation, examples: Examples, probabilities: np.ndarray, folder: Path
) -> None:
    """Draw confusion, mistakes, predictions, and the weights if they can be seen as images.

    Args:
        probabilities: the run's answers to the examples, (N, classes).
        folder: where the PNG files go.
    """
    classes = run.model_info().classes
    title = evaluation_title(evaluation)
    answered = Answers(examples, classes, probabilities, run.network().input)
    first = np.arange(min(MAX_PREDICTIONS, len(examples)))
    figures = {
        "confusion_matrix.png": confusion_matrix(np.array(evaluation.confusion), classes, title),
        "mistakes.png": surest_mistakes(evaluation, answered),
        "predictions.png": answers(answered, first, title),
    }
    weights = weights_as_images(run, examples.images.size[:2])
    if weights is not None:
        figures["weights.png"] = class_weights(weights, classes)
    for name, figure in figures.items():
        save_figure(figure, folder / name)


def evaluation_title(evaluation: Evaluation) -> str:
    return (
        f"{evaluation.network} on {evaluation.data} ({evaluation.measured_on}), "
        f"{evaluation.accuracy:.2%} right"
    )


@styled
def confusion_matrix(counts: np.ndarray, classes: Sequence[str], title: str) -> NotebookFigure:
    """Draw counts (classes, classes), a row for each label: mistakes shaded, right answers not.

    With more than MAX_ROWS classes, a row stands for several: one pixel would be too small to see.
    """
    matrix = _matrix(classes, largest=int(counts.max()))
    mistakes = _in_blocks(counts * (1 - np.eye(len(classes), dtype=int)), matrix.classes_per_row)
    lines = ["A row for each label, a column for each prediction. The darker, the more mistakes."]
    if matrix.classes_per_row > 1:
        lines.append(
            f"Each row and each column stands for {matrix.classes_per_row} classes. "
            "A name is that of the first one."
        )
    page = Page(
        width=matrix.square.x + matrix.square.side + SHARE_WIDTH + PAGE_MARGIN,
        height=matrix.names_bottom + 2 * CAPTION + SCALE_HEIGHT + PAGE_MARGIN,
        title=title,
        lines=lines,
    )
    most = max(2, int(mistakes.max()))  # a scale from 1 to 1 would have no two ends
    page.image(matrix.square, _mistake_colors(mistakes, most))
    _write_names(page, matrix)
    if len(classes) <= MAX_COUNTED_CLASSES:
        _write_counts(page, matrix.grid, counts)
    if mistakes.any():
        corner = matrix.square.x, matrix.names_bottom + 2 * CAPTION
        page.color_bar(corner, MIN_MATRIX_SIDE, MISTAKES, ("1 mistake", f"{most:,} mistakes"))
    return page.figure


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Where a confusion matrix and its names are on the page, in pixels."""

    grid: Grid  # a place for each cell
    square: Square  # of all cells
    classes_per_row: int
    names: dict[int, str]  # row, counting from 0 → the name beside it and below its column
    name_width: int

    @property
    def names_are_upright(self) -> bool:
        """Whether the names below the matrix have room beside each other."""
        distance = self.square.side / len(self.names)
        return self.name_width + IMAGE_GAP <= distance

    @property
    def names_bottom(self) -> float:
        height = CAPTION if self.names_are_upright else self.name_width
        return self.square.bottom + height + 2 * IMAGE_GAP


def _matrix(classes: Sequence[str], largest: int) -> Matrix:
    """Return where the matrix is drawn; a cell has room for the largest count."""
    classes_per_row = math.ceil(len(classes) / MAX_ROWS)
    rows = math.ceil(len(classes) / classes_per_row)
    side = max(MIN_MATRIX_SIDE // rows, min(MAX_MATRIX_SIDE // rows, CELL_SIDE))
    if len(classes) <= MAX_COUNTED_CLASSES:
        side = max(side, CELL_SIDE, math.ceil(text_width(str(largest), 9, "bold")) + IMAGE_GAP)
    named = range(0, rows, math.ceil(NAME_HEIGHT / side))
    names = {row: fitted(classes[row * classes_per_row], MAX_NAME_WIDTH, 8) for row in named}
    name_width = math.ceil(widest([*names.values()], 8))
    left, top = PAGE_MARGIN + CAPTION + name_width + 2 * IMAGE_GAP, PAGE_HEADER
    return Matrix(
        grid=Grid(left=left, top=top, side=side, across=side, down=side),
        square=Square(left, top, side * rows),
        classes_per_row=classes_per_row,
        names=names,
        name_width=name_width,
    )


def _in_blocks(counts: np.ndarray, side: int) -> np.ndarray:
    """Return the sums of square blocks of counts; the last ones may be cut off by the edge."""
    starts = np.arange(0, len(counts), side)
    return np.add.reduceat(np.add.reduceat(counts, starts, axis=0), starts, axis=1)


def _mistake_colors(mistakes: np.ndarray, most: int) -> Rgb:
    """Return counts (rows, columns) as colours: none is white, and one can be told from none."""
    colors = np.asarray(MISTAKES((mistakes - 1) / (most - 1)))[..., :3]
    return np.where(mistakes[..., np.newaxis] > 0, colors, 1.0)


def _write_names(page: Page, matrix: Matrix) -> None:
    """Write the names of classes at the left of the matrix and below it, and what they are."""
    square, grid = matrix.square, matrix.grid
    below: dict[str, Any] = {"ha": "center", "rotation": 0 if matrix.names_are_upright else 90}
    for row, name in matrix.names.items():
        middle = (row + 0.5) * grid.side
        page.text(square.x - IMAGE_GAP, square.y + middle, name, ha="right", va="center")
        page.text(square.x + middle, square.bottom + IMAGE_GAP, name, **below)
    middle = square.side / 2
    page.text(PAGE_MARGIN, square.y + middle, "label", 9, rotation=90, va="center")
    page.text(square.x + middle, matrix.names_bottom, "predicted", 9, ha="center")


def _write_counts(page: Page, grid: Grid, counts: np.ndarray) -> None:
    """Write each count into its cell, and beside each row the share of right answers."""
    middle: dict[str, Any] = {"ha": "center", "va": "center"}
    for row, column in np.argwhere(counts):
        x, y, side = grid.cell(row, column)
        weight = "bold" if row == column else "normal"
        page.text(x + side / 2, y + side / 2, str(counts[row, column]), 9, weight=weight, **middle)
    x = grid.right(len(counts)) + IMAGE_GAP
    page.text(x, grid.top - 3, "right", color=ACCENT, va="bottom")
    for row, total in enumerate(counts.sum(1)):
        share = f"{counts[row, row] / total:.1%}" if total else "–"
        page.text(x, grid.cell(row, 0).y + grid.side / 2, share, 9, va="center", color=ACCENT)


@dataclass(frozen=True)
class Answers:
    """A network's probabilities for some images."""

    examples: Examples
    classes: Sequence[str]
    probabilities: np.ndarray  # (N, classes)
    input: Size | None = None  # of the network, which sees pictures at this size

    @property
    def seen(self) -> list[str]:
        """What must be said of pictures that are shown otherwise than the network sees them."""
        images = self.examples.images
        if self.input is None or not images.are_crops or images.size == self.input:
            return []
        height, width, channels = self.input
        colour = "grey" if channels == 1 else "colour"
        return [f"The network sees each picture at {height}×{width} pixels in {colour}."]

    @cached_property
    def have_long_names(self) -> bool:
        """Whether a class has a name that is longer than two digits."""
        return widest(self.classes, CAPTION_SIZE) > MAX_SHORT_NAME

    def is_right(self, index: int) -> bool:
        return bool(self.probabilities[index].argmax() == self.examples.labels[index])

    def caption(self, index: int, width: float) -> str:
        """Return what the image is, what was answered, and how confident that was.

        Args:
            width: pixels; long names that need more are cut off.
        """
        label = self.classes[int(self.examples.labels[index])]
        answer = self.classes[int(self.probabilities[index].argmax())]
        confidence = f"{self.probabilities[index].max():.0%}"
        is_right = self.is_right(index)
        parts = [label] if is_right else [label, f"→ {answer}"]
        parts.append(f"✓  {confidence}" if is_right else f"✗  {confidence}")
        if self.have_long_names:
            return "\n".join(fitted(part, width, CAPTION_SIZE) for part in parts)
        return " ".join(parts)


@styled
def answers(answered: Answers, indices: np.ndarray, title: str) -> NotebookFigure:
    """Draw these images, each with its label and its answer above it."""
    if not len(indices):
        return _empty_page(title, "no mistakes")
    side, caption = DIGIT_SIDE, CAPTION
    if answered.have_long_names:  # they need more room, and lines of their own
        side, caption = PICTURE_SIDE, 3 * CAPTION
    lines = answered.seen
    columns = columns_for(len(indices), most=5 if len(indices) <= MAX_MISTAKES else 8)
    grid = Grid(
        left=PAGE_MARGIN,
        top=PAGE_MARGIN + TITLE_HEIGHT + LINE_HEIGHT * len(lines) + caption,
        side=side,
        across=side + IMAGE_GAP,
        down=side + IMAGE_GAP + caption,
    )
    page = Page(
        width=grid.right(columns) + PAGE_MARGIN,
        height=grid.bottom(math.ceil(len(indices) / columns)) - caption + PAGE_MARGIN,
        title=title,
        lines=lines,
    )
    images = answered.examples.images
    for number, index in enumerate(indices):
        square = grid.cell(*divmod(number, columns))
        page.image(square, as_rgb(images[int(index)], images))
        color = ACCENT if answered.is_right(index) else WARNING
        caption_text = answered.caption(int(index), side)
        page.text(square.x, square.y - 3, caption_text, CAPTION_SIZE, color=color, va="bottom")
    return page.figure


def surest_mistakes(evaluation: Evaluation, answered: Answers) -> NotebookFigure:
    """Draw the mistakes with the highest confidence, MAX_MISTAKES at most."""
    wrong = np.array([mistake.index for mistake in evaluation.mistakes[:MAX_MISTAKES]], int)
    return answers(answered, wrong, evaluation_title(evaluation))


def _empty_page(title: str, reason: str) -> NotebookFigure:
    """Return a small page that says why it has no images."""
    top = PAGE_MARGIN + TITLE_HEIGHT
    page = Page(
        width=math.ceil(text_width(reason, 10)) + 2 * PAGE_MARGIN,
        height=top + LINE_HEIGHT + PAGE_MARGIN,
        title=title,
    )
    page.text(PAGE_MARGIN, top, reason, 10)
    return page.figure


@styled
def class_weights(weights: np.ndarray, classes: Sequence[str]) -> NotebookFigure:
    """Draw weights (classes, height, width): where ink counts for a class, and where against it."""
    columns = columns_for(len(classes), most=5)
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
        page.text(square.x, square.y - 3, fitted(name, WEIGHT_SIDE, 9), size=9, va="bottom")
    return page.figure


def weights_as_images(run: Run, size: tuple[int, int]) -> np.ndarray | None:
    """Return the weights (classes, height, width) of a network of one layer; None for others."""
    if run.unfinished():  # a checkpoint has more in it than weights
        return None
    arrays, _ = checkpoint.load(run.weights)
    kernel = arrays.get("layer1/kernel")  # softmax keeps a row for each class
    if kernel is None or len(arrays) != 2 or kernel.shape[1] != math.prod(size):
        return None
    images: np.ndarray = kernel.reshape(-1, *size)
    return images
