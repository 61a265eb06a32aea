"""The pictures of a training: learning curves, samples, and what augmentation does."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from firstlight.datasets import Examples, Images
from firstlight.errors import UsageError
from firstlight.figures.page import (
    IMAGE_GAP,
    PAGE_MARGIN,
    TITLE_HEIGHT,
    TITLE_LINE_HEIGHT,
    Grid,
    Page,
    as_rgb,
)
from firstlight.figures.style import (
    ACCENT,
    GREY_TEXT,
    INK,
    PALE,
    WARNING,
    NotebookFigure,
    new_panels,
    save_figure,
    styled,
)
from firstlight.figures.text import DOTS_PER_INCH, fitted, widest, wrapped
from firstlight.images.augmentations import AUGMENTATIONS
from firstlight.runs.documents import LoggedStep, RunRecord
from firstlight.runs.run import Run
from firstlight.training.augment import augmented

MAX_SAMPLED_CLASSES = 20
MAX_LABEL_WIDTH = 200  # pixels: of the text beside a row of images
TOGETHER = ("all together", "again", "and again")  # random draws of one recipe
GREY_NOTE = " (light, contrast)"  # in grey, what is left of the augmentation `colour`
SMOOTHED_FRACTION = 20  # the running mean averages a twentieth of the steps
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_HEIGHT = 540, 400, 20  # pixels: of the learning curves


def draw_training(run: Run, examples: Examples, data: str, classes: Sequence[str]) -> None:
    """Draw the curves of a training, samples of its images, and their augmentation.

    Args:
        examples: the training examples, at the network's size.
        data: the dataset's name.
    """
    record = run.record()
    figures = {
        "learning_curves.png": learning_curves(run.metrics(), record, data),
        "samples.png": samples(examples, classes, title=f"{data}, training images"),
    }
    strengths = effective(record.settings.recipe.augment, examples.images)
    if strengths:
        figures["augmentation.png"] = augmentations(examples.images, strengths)
    for name, figure in figures.items():
        save_figure(figure, run.figures / name)


class Quantity(NamedTuple):
    """What a panel shows of each logged step."""

    label: str
    value: Callable[[LoggedStep], float | None]  # None: it was not measured at this step


def cost(logged: LoggedStep) -> float:
    return logged.loss


def error_percent(logged: LoggedStep) -> float | None:
    return None if logged.accuracy is None else 100 * (1 - logged.accuracy)


COST = Quantity("cost (cross entropy, nats)", cost)
ERROR = Quantity("error (% of images wrong)", error_percent)
# With class weights, what `validate` in training/loop.py measures is the mean of all recalls.
BALANCED_ERROR = Quantity("error (%; validation: mean of classes)", error_percent)


@styled
def learning_curves(metrics: Sequence[LoggedStep], record: RunRecord, data: str) -> NotebookFigure:
    """Draw cost and error against steps; the point of the kept weights is marked.

    Args:
        data: the dataset's name.
    """
    kept_step = record.status.best_step if record.status else None
    has_accuracy = not metrics or any(logged.accuracy is not None for logged in metrics)
    error = BALANCED_ERROR if record.settings.class_weights else ERROR
    quantities = [COST, error] if has_accuracy else [COST]
    width = PANEL_WIDTH * len(quantities)
    titles = wrapped(_curves_title(record, data), width - 2 * PAGE_MARGIN, 11)
    header = PAGE_MARGIN + TITLE_LINE_HEIGHT * len(titles) + LEGEND_HEIGHT
    figure, panels = new_panels(
        rows=1,
        columns=len(quantities),
        size=(width / DOTS_PER_INCH, (header + PANEL_HEIGHT) / DOTS_PER_INCH),
        header=header / DOTS_PER_INCH,
    )
    for panel, quantity in zip(panels, quantities, strict=True):
        _draw_curve(panel, metrics, kept_step, quantity)
    write_header(figure, titles, panels[0].get_legend_handles_labels()[0], columns=4)
    figure.draw_without_rendering()  # lays the panels out
    figure.set_layout_engine("none")  # so that the figure looks the same each time it is shown
    return figure


def write_header(
    figure: Figure, titles: Sequence[str], lines: Sequence[Artist], columns: int
) -> None:
    """Write the title and the legend above the panels, where they cover no curve."""
    width, height = figure.bbox.size
    left, top = PAGE_MARGIN / width, 1 - PAGE_MARGIN / height
    for number, line in enumerate(titles):
        y = top - TITLE_LINE_HEIGHT * number / height
        figure.text(left, y, line, size=11, va="top", parse_math=False)
    labels = [str(line.get_label()) for line in lines]
    legend = figure.legend(
        lines,
        [" "] * len(lines),  # as it takes none that begins with an underscore
        loc="upper left",
        bbox_to_anchor=(left, top - TITLE_LINE_HEIGHT * len(titles) / height),
        borderpad=0,
        borderaxespad=0,
        ncols=columns,
        fontsize=8,
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set(text=label, parse_math=False)


def _curves_title(record: RunRecord, data: str) -> str:
    title = f"{record.settings.network} on {data}"
    smoothing = record.settings.recipe.label_smoothing
    if smoothing:
        title += f", trained with {smoothing:.0%} of each label spread over all classes"
    return title


def _draw_curve(
    panel: Axes, metrics: Sequence[LoggedStep], kept_step: int | None, quantity: Quantity
) -> None:
    """Draw each training step as a dot, their running mean, and the validation points."""
    steps, values = of_split(metrics, "train", quantity)
    mean = running_mean(values)
    point = "o" if len(steps) == 1 else ""  # a line through one point is not visible
    panel.plot(steps, values, ".", color=PALE, ms=2, alpha=0.6)
    panel.plot([], [], ".", color=PALE, ms=6, label="training steps")
    panel.plot(steps, mean, point + "-", color=INK, ms=4, lw=1.5, label="their running mean")
    val_steps, val_values = of_split(metrics, "val", quantity)
    if len(val_steps):
        panel.plot(val_steps, val_values, "o-", color=ACCENT, ms=4, lw=1.5, label="validation")
    ring: dict[str, Any] = {"mfc": "none", "mec": WARNING, "mew": 1.6, "ls": "none"}
    kept = val_steps == kept_step
    if kept.any():
        panel.plot(val_steps[kept], val_values[kept], "o", ms=11, clip_on=False, **ring)
        panel.plot([], [], "o", ms=8, label="kept weights", **ring)
    panel.set_xlabel("step")
    panel.set_ylabel(quantity.label)
    panel.grid(axis="y", color=PALE, alpha=0.3, lw=0.6)
    scale_steps(panel, last=max([1, *steps, *val_steps]))
    scale_values(panel, np.concatenate([mean, val_values]), highest=values.max(initial=0.0))


def of_split(
    metrics: Sequence[LoggedStep], split: str, quantity: Quantity
) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps of a split at which the quantity was measured, and its values, both (N,)."""
    values = {logged.step: quantity.value(logged) for logged in metrics if logged.split == split}
    measured = {step: value for step, value in values.items() if value is not None}
    return np.array([*measured], int), np.array([*measured.values()], float)


def scale_steps(panel: Axes, last: int) -> None:
    panel.set_xlim(0, 1.03 * last)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    panel.xaxis.set_major_formatter("{x:,.0f}")


def scale_values(panel: Axes, values: np.ndarray, highest: float) -> None:
    """Choose a scale on which all values of the lines are seen, and the highest dot.

    It is logarithmic if the highest of them is more than ten times the smallest value above 0. A
    value of 0 is then drawn below the smallest power of ten.
    """
    highest = max(highest, values.max(initial=0.0)) or 1.0
    above_zero = values[values > 0]
    lowest = above_zero.min(initial=highest)
    if highest <= 10 * lowest:
        panel.set_ylim(-0.03 * highest, 1.06 * highest)
    elif len(above_zero) == len(values):
        panel.set_yscale("log")
        panel.set_ylim(lowest / 1.5, highest * 1.3)
        panel.yaxis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if highest < 100 * lowest else (1,))
        )
        panel.yaxis.set_minor_formatter(NullFormatter())
    else:
        first, last = math.floor(math.log10(lowest)), math.floor(math.log10(highest))
        panel.set_yscale("symlog", linthresh=10.0**first, linscale=0.5)
        panel.set_ylim(-0.3 * 10.0**first, highest * 1.3)
        panel.set_yticks([0, *(10.0**power for power in range(first, last + 1))])
    panel.yaxis.set_major_formatter("{x:g}")


def running_mean(values: np.ndarray) -> np.ndarray:
    """Return each value averaged with those around it; the same length."""
    half = max(1, len(values) // SMOOTHED_FRACTION) // 2
    # Differences of a cumulative sum would be faster, but of zeros they are not quite zero.
    around = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return np.array([part.mean() for part in around], float)


@styled
def samples(examples: Examples, classes: Sequence[str], title: str) -> NotebookFigure:
    """Draw a row for each class: its name and its first images.

    Of more than MAX_SAMPLED_CLASSES classes, the first ones that have images are drawn.
    """
    labels = [*range(len(classes))]
    if len(classes) > MAX_SAMPLED_CLASSES:
        labels = np.unique(examples.labels)[:MAX_SAMPLED_CLASSES].tolist()
        title += f": {len(labels)} of {len(classes):,} classes"
    side, columns = _side_and_columns(examples.images)
    rows = [np.flatnonzero(examples.labels == label)[:columns] for label in labels]
    names = [classes[label] for label in labels]
    page, grid = labelled_rows(names, max(map(len, rows)), title, side)
    for row, indices in enumerate(rows):
        if not len(indices):
            x, y, _ = grid.cell(row, 0)
            page.text(x, y + side / 2, "no images", color=GREY_TEXT, va="center")
            continue
        for column, image in enumerate(examples.images[indices]):
            page.image(grid.cell(row, column), as_rgb(image, examples.images))
    return page.figure


@styled
def augmentations(images: Images, strengths: Mapping[str, float]) -> NotebookFigure:
    """Draw images unchanged, changed by each augmentation alone, and by all together.

    All together are drawn three times: each time the images are changed differently.

    Raises:
        UsageError: no augmentation changes these images.
    """
    strengths = effective(strengths, images)
    if not strengths:
        raise UsageError("no augmentation changes these images; there is nothing to draw")
    side, columns = _side_and_columns(images)
    count = min(columns, len(images))
    indices = np.linspace(0, len(images) - 1, count).astype(int)  # not of the first class alone
    is_grey = images.size[2] == 1
    alone = {
        f"{name} {strength:g}{GREY_NOTE if is_grey and name == 'colour' else ''}": {name: strength}
        for name, strength in strengths.items()
    }
    rows = {"unchanged": images[indices]}
    rows |= {label: _augmented(images, indices, chosen) for label, chosen in alone.items()}
    drawn = _augmented(images, np.tile(indices, len(TOGETHER)), strengths)
    together = dict(zip(TOGETHER, np.split(drawn, len(TOGETHER)), strict=True))
    if len(alone) == 1:
        del together[TOGETHER[0]]  # it is the row of this one
    rows |= together
    page, grid = labelled_rows([*rows], count, "What augmentation does", side)
    for row, changed in enumerate(rows.values()):
        for column, image in enumerate(changed):
            page.image(grid.cell(row, column), as_rgb(image, images))
    return page.figure


def effective(strengths: Mapping[str, float], images: Images) -> dict[str, float]:
    """Return the augmentations that change these images: only parts of pictures can be cropped."""
    return {
        name: strength
        for name, strength in strengths.items()
        if strength > 0 and (images.are_crops or AUGMENTATIONS[name].kind == "pixel")
    }


def _augmented(images: Images, indices: np.ndarray, strengths: Mapping[str, float]) -> np.ndarray:
    """Return images of these indices, each with random numbers of its own, even if repeated."""
    cropped = images.augmented(indices, strengths, seed=0, places=np.arange(len(indices)))
    return augmented(cropped, strengths)


def _side_and_columns(images: Images) -> tuple[int, int]:
    """Return how large images are drawn, in pixels, and how many beside each other."""
    return (64, 12) if max(images.size[:2]) <= 64 else (112, 8)


def labelled_rows(labels: Sequence[str], columns: int, title: str, side: int) -> tuple[Page, Grid]:
    """Return a page with a text at the left of each row, and a grid for the images."""
    labels = [fitted(label, MAX_LABEL_WIDTH, 8) for label in labels]
    grid = Grid(
        left=PAGE_MARGIN + math.ceil(widest(labels, 8)) + IMAGE_GAP,
        top=PAGE_MARGIN + TITLE_HEIGHT,
        side=side,
        across=side + IMAGE_GAP,
        down=side + IMAGE_GAP,
    )
    page = Page(
        width=grid.right(columns) + PAGE_MARGIN,
        height=grid.bottom(len(labels)) + PAGE_MARGIN,
        title=title,
    )
    for row, label in enumerate(labels):
        square = grid.cell(row, 0)
        page.text(square.x - IMAGE_GAP, square.y + side / 2, label, ha="right", va="center")
    return page, grid
