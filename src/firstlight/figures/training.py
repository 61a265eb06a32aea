"""The pictures of a training: learning curves, samples, and what augmentation does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from firstlight.datasets import Examples, Images
from firstlight.figures.page import (
    CHARACTER,
    IMAGE_GAP,
    PAGE_MARGIN,
    TITLE_HEIGHT,
    Grid,
    Page,
    as_paper,
)
from firstlight.figures.style import (
    ACCENT,
    INK,
    PALE,
    WARNING,
    new_panels,
    save_figure,
    styled,
)
from firstlight.runs.documents import LoggedStep, RunRecord
from firstlight.runs.run import Run
from firstlight.training.augment import augmented

SAMPLES_PER_CLASS, MAX_SAMPLED_CLASSES = 12, 20
SAMPLE_SIDE = 64  # pixels
SMOOTHED_FRACTION = 20  # the running mean averages a twentieth of the steps


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
    if record.settings.recipe.augment:
        figures["augmentation.png"] = augmentations(examples.images, record.settings.recipe.augment)
    for name, figure in figures.items():
        save_figure(figure, run.figures / name)


@styled
def learning_curves(metrics: Sequence[LoggedStep], record: RunRecord, data: str) -> Figure:
    """Draw cost and error against steps; the point of the kept weights is marked.

    Args:
        data: the dataset's name.
    """
    kept_step = record.status.best_step if record.status else None
    has_accuracy = any(logged.accuracy is not None for logged in metrics)
    if has_accuracy:
        figure, panels = new_panels(rows=1, columns=2, size=(9, 3.6))
        _draw_curve(panels[1], metrics, kept_step, error_percent)
        panels[1].set_ylabel("error (% of images wrong)")
        _use_log_scale(panels[1], metrics, error_percent)
    else:
        figure, panels = new_panels(rows=1, columns=1, size=(7, 3.8))
    _draw_curve(panels[0], metrics, kept_step, cost)
    panels[0].set_ylabel("cost (cross entropy, nats)")
    smoothed = _shown_values(metrics, cost)
    if smoothed.max() > 10 * max(smoothed.min(), 1e-9):
        _use_log_scale(panels[0], metrics, cost)
    figure.suptitle(_curves_title(record, data), x=0.01, ha="left", fontsize=11)
    return figure


def cost(logged: LoggedStep) -> float:
    return logged.loss


def error_percent(logged: LoggedStep) -> float:
    assert logged.accuracy is not None
    return 100 * (1 - logged.accuracy)


def _curves_title(record: RunRecord, data: str) -> str:
    title = f"{record.settings.network} on {data}"
    smoothing = record.settings.recipe.label_smoothing
    if smoothing:
        title += f", trained with {smoothing:.0%} of each label spread over all classes"
    return title


def _draw_curve(
    panel: Axes,
    metrics: Sequence[LoggedStep],
    kept_step: int | None,
    value: Callable[[LoggedStep], float],
) -> None:
    """Draw each training step as a dot, their running mean, and the validation points."""
    train, val = _of_split(metrics, "train"), _of_split(metrics, "val")
    steps = np.array([logged.step for logged in train])
    values = np.array([value(logged) for logged in train])
    panel.plot(steps, values, ".", color=PALE, ms=2, alpha=0.6)
    panel.plot(steps, running_mean(values), color=INK, lw=1.5, label="training (running mean)")
    if val:
        val_steps = [logged.step for logged in val]
        val_values = [value(logged) for logged in val]
        panel.plot(val_steps, val_values, "o-", color=ACCENT, ms=4, lw=1.5, label="validation")
    for logged in val:
        if logged.step == kept_step:
            ring: dict[str, Any] = {"mfc": "none", "mec": WARNING}
            panel.plot(logged.step, value(logged), "o", ms=11, mew=1.6, **ring)
            panel.plot([], [], "o", ms=8, label="kept weights", **ring)
    panel.set_xlabel("step")
    panel.grid(axis="y", color=PALE, alpha=0.3, lw=0.6)
    panel.legend(loc="upper right", fontsize=8)


def _of_split(metrics: Sequence[LoggedStep], split: str) -> list[LoggedStep]:
    return [logged for logged in metrics if logged.split == split]


def _shown_values(
    metrics: Sequence[LoggedStep], value: Callable[[LoggedStep], float]
) -> np.ndarray:
    """Return the values that the lines of a panel go through."""
    train = np.array([value(logged) for logged in _of_split(metrics, "train")])
    val = [value(logged) for logged in _of_split(metrics, "val")]
    return np.concatenate([running_mean(train), val])


def _use_log_scale(
    panel: Axes, metrics: Sequence[LoggedStep], value: Callable[[LoggedStep], float]
) -> None:
    """Show values on a logarithmic scale, from half of the smallest one above 0."""
    values = _shown_values(metrics, value)
    lowest = values[values > 0].min(initial=1.0)
    panel.set_yscale("log")
    panel.set_ylim(bottom=lowest / 2)
    panel.yaxis.set_major_formatter("{x:g}")


def running_mean(values: np.ndarray) -> np.ndarray:
    """Return each value averaged with those around it; the same length."""
    count = len(values)
    width = max(1, count // SMOOTHED_FRACTION)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    ends = np.clip(np.arange(count) + width // 2 + 1, 1, count)
    starts = np.clip(np.arange(count) - width // 2, 0, count - 1)
    mean: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return mean


@styled
def samples(examples: Examples, classes: Sequence[str], title: str) -> Figure:
    """Draw a row for each class: its name and its first images; at most twenty classes."""
    classes = classes[:MAX_SAMPLED_CLASSES]
    page, grid = labelled_rows(classes, SAMPLES_PER_CLASS, title)
    for label in range(len(classes)):
        indices = np.flatnonzero(examples.labels == label)[:SAMPLES_PER_CLASS]
        for column, image in enumerate(examples.images[indices]):
            page.image(grid.cell(label, column), as_paper(image))
    return page.figure


@styled
def augmentations(images: Images, strengths: Mapping[str, float]) -> Figure:
    """Draw a row of unchanged images, one for each augmentation alone, then all together."""
    indices = np.arange(min(SAMPLES_PER_CLASS, len(images)))
    rows: dict[str, Mapping[str, float]] = {"unchanged": {}}
    for name, strength in strengths.items():
        rows[f"{name} {strength:g}"] = {name: strength}
    rows["all together"] = strengths
    page, grid = labelled_rows(list(rows), len(indices), "What augmentation does")
    for row, chosen in enumerate(rows.values()):
        cropped = images.augmented(indices, chosen, seed=0, first=0)
        for column, image in enumerate(augmented(cropped, chosen)):
            page.image(grid.cell(row, column), as_paper(image))
    return page.figure


def labelled_rows(labels: Sequence[str], columns: int, title: str) -> tuple[Page, Grid]:
    """Return a page with a text at the left of each row, and a grid for the images."""
    step = SAMPLE_SIDE + IMAGE_GAP
    label_width = CHARACTER * max(map(len, labels), default=0) + IMAGE_GAP
    grid = Grid(
        left=PAGE_MARGIN + label_width,
        top=PAGE_MARGIN + TITLE_HEIGHT,
        side=SAMPLE_SIDE,
        across=step,
        down=step,
    )
    page = Page(
        width=grid.right(columns) + PAGE_MARGIN,
        height=grid.bottom(len(labels)) + PAGE_MARGIN,
        title=title,
    )
    for row, label in enumerate(labels):
        square = grid.cell(row, 0)
        page.text(square.x - IMAGE_GAP, square.y + SAMPLE_SIDE / 2, label, ha="right", va="center")
    return page, grid
