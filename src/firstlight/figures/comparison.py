"""Several trainings in one picture: their costs and errors against steps."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from firstlight.errors import DataError, UsageError
from firstlight.figures.page import PAGE_MARGIN, TITLE_LINE_HEIGHT
from firstlight.figures.style import (
    ACCENT,
    GREY_TEXT,
    INK,
    PALE,
    WARNING,
    NotebookFigure,
    new_panels,
    styled,
)
from firstlight.figures.text import DOTS_PER_INCH, fitted, widest, wrapped
from firstlight.figures.training import (
    BALANCED_ERROR,
    COST,
    ERROR,
    LEGEND_HEIGHT,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    Quantity,
    of_split,
    running_mean,
    scale_steps,
    scale_values,
    write_header,
)
from firstlight.recipe import check_choice
from firstlight.runs.documents import LoggedStep
from firstlight.runs.run import Run
from firstlight.settings import Settings

COLORS = (
    ACCENT, WARNING, "#2a9d5c", "#e08e0b", "#7b4fc9", "#0f9fb5",
    "#8a5a33", "#e064b0", INK, "#7f8c1f", PALE, "#7ec4f4",
)  # fmt: skip
MAX_RUNS = len(COLORS)
SPLITS = {"val": ("val",), "train": ("train",), "both": ("train", "val")}
NAMES = {"train": "training", "val": "validation"}
THIN, THICK = 0.9, 2.0  # points: lines of training and of validation, if both are drawn
MAX_MARKED_POINTS = 30  # a line through more has no dots on it
LEGEND_LINE_WIDTH, MAX_LABEL_WIDTH = 72, 400  # pixels: beside a label in the legend; of the label


@styled
def compare_curves(runs: Sequence[Run], labels: Sequence[str] | None, split: str) -> NotebookFigure:
    """Draw the cost, and the error if any run has measured it, of each run as a line.

    Args:
        labels: a name for each run; None for what differs between their settings.
        split: "val", "train" (the running mean of the steps) or "both".

    Raises:
        UsageError: more than MAX_RUNS runs, not a label for each, or no such split.
        DataError: a run has logged nothing on the split, or is damaged.
    """
    check_choice("split", split, tuple(SPLITS))
    if not 1 <= len(runs) <= MAX_RUNS:
        raise UsageError(f"{len(runs)} runs; a picture shows 1 to {MAX_RUNS}")
    settings = [run.record().settings for run in runs]
    named = check_labels(labels, runs) if labels is not None else default_labels(runs)
    metrics = [logged_on(run, SPLITS[split]) for run in runs]
    logged = [each for steps in metrics for each in steps]
    balanced = split != "train" and any(each.class_weights for each in settings)
    quantities = [COST]
    if any(each.accuracy is not None for each in logged):
        quantities.append(BALANCED_ERROR if balanced else ERROR)
    lines = legend_lines([fitted(label, MAX_LABEL_WIDTH, 8) for label in named], split)
    figure, panels = panels_below_header(len(quantities), title(settings, split), lines)
    for panel, quantity in zip(panels, quantities, strict=True):
        draw_lines(panel, metrics, quantity, split)
    figure.draw_without_rendering()  # lays the panels out
    figure.set_layout_engine("none")  # so that the figure looks the same each time it is shown
    return figure


def check_labels(labels: Sequence[str], runs: Sequence[Run]) -> list[str]:
    """Raises UsageError if there is not a text for each run."""
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise UsageError(f"labels is {labels!r}; it must be a list with a text for each run")
    if len(labels) != len(runs):
        raise UsageError(f"{len(labels)} labels for {len(runs)} runs; give one for each")
    return list(labels)


def logged_on(run: Run, splits: Sequence[str]) -> list[LoggedStep]:
    """Return a run's steps on these splits. Raises DataError if it has none on one of them."""
    metrics = [logged for logged in run.metrics() if math.isfinite(logged.loss)]
    there = {logged.split for logged in metrics}
    for split in splits:
        if split not in there:
            others = " or ".join(f'split="{each}"' for each in NAMES if each in there)
            remedy = f"; draw it with {others}" if others else ""
            raise DataError(f"{run.folder} has logged nothing on {split}{remedy}")
    return [logged for logged in metrics if logged.split in splits]


def panels_below_header(
    count: int, text: str, lines: Sequence[Line2D]
) -> tuple[NotebookFigure, list[Axes]]:
    """Return a figure with a title, a legend of these lines, and panels beside each other."""
    width = PANEL_WIDTH * count
    titles = wrapped(text, width - 2 * PAGE_MARGIN, 11)
    entry = widest([str(line.get_label()) for line in lines], 8) + LEGEND_LINE_WIDTH
    columns = max(1, min(4 * count, int((width - 2 * PAGE_MARGIN) // entry)))
    rows = math.ceil(len(lines) / columns)
    header = PAGE_MARGIN + TITLE_LINE_HEIGHT * len(titles) + LEGEND_HEIGHT * rows
    figure, panels = new_panels(
        rows=1,
        columns=count,
        size=(width / DOTS_PER_INCH, (header + PANEL_HEIGHT) / DOTS_PER_INCH),
        header=header / DOTS_PER_INCH,
    )
    write_header(figure, titles, lines, columns)
    return figure, panels


def legend_lines(labels: Sequence[str], split: str) -> list[Line2D]:
    """Return what the legend shows: a line for each run, and what thin and thick lines are."""
    lines = [
        Line2D([], [], color=color, lw=THICK, label=label)
        for color, label in zip(COLORS, labels, strict=False)
    ]
    if split == "both":
        lines.append(Line2D([], [], color=GREY_TEXT, lw=THIN, label="training"))
        lines.append(Line2D([], [], color=GREY_TEXT, lw=THICK, label="validation"))
    return lines


def draw_lines(
    panel: Axes, metrics: Sequence[Sequence[LoggedStep]], quantity: Quantity, split: str
) -> None:
    """Draw a quantity of each run; of training steps, their running mean."""
    last, drawn = 1, [np.array([])]
    for color, logged in zip(COLORS, metrics, strict=False):
        for name in SPLITS[split]:
            steps, values = of_split(logged, name, quantity)
            if not len(steps):
                continue  # a first graph has no accuracy of its training steps
            values = running_mean(values) if name == "train" else values
            marked = len(steps) <= (MAX_MARKED_POINTS if name == "val" else 1)
            width = THIN if split == "both" and name == "train" else THICK
            panel.plot(steps, values, "o-" if marked else "-", color=color, ms=4, lw=width)
            last = max(last, int(steps.max()))
            drawn.append(values)
    panel.set_xlabel("step")
    panel.set_ylabel(quantity.label)
    panel.grid(axis="y", color=PALE, alpha=0.3, lw=0.6)
    scale_steps(panel, last)
    scale_values(panel, np.concatenate(drawn), highest=0.0)


def title(settings: Sequence[Settings], split: str) -> str:
    """Return what the runs have in common, and what was measured."""
    networks = {each.network for each in settings}
    datasets = {Path(each.data).name for each in settings}
    text = networks.pop() if len(networks) == 1 else f"{len(networks)} networks"
    text += f" on {datasets.pop()}" if len(datasets) == 1 else f" on {len(datasets)} datasets"
    return text if split == "both" else f"{text}, {NAMES[split]}"


def default_labels(runs: Sequence[Run]) -> list[str]:
    """Return what differs between the runs' settings, such as "lr 0.01"; or else folder names."""
    labels = differences([run.record().settings for run in runs])
    shown = []
    for run, label in zip(runs, labels, strict=True):
        folder = run.folder.name
        if label and labels.count(label) > 1:
            label = f"{label} ({folder})"
        shown.append(label or folder)
    return shown


def differences(settings: Sequence[Settings]) -> list[str]:
    """Return for each training what its settings are, of those that differ; "" if none does.

    A recipe's numbers count only between trainings of the same network with the same recipe.
    """
    facts = [described(each) for each in settings]
    differing = [name for name in facts[0] if len({each[name] for each in facts}) > 1]
    by_recipe: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for each in facts:
        by_recipe.setdefault((each["network"], each["recipe"]), []).append(each)
    numbers = {*numbers_of(settings[0])}
    named = [
        name
        for name in differing
        if name not in numbers
        or any(len({each[name] for each in alike}) > 1 for alike in by_recipe.values())
    ]
    return [", ".join(filter(None, (each[name] for name in named))) for each in facts]


def described(settings: Settings) -> dict[str, str]:
    """Return each setting as a label says it."""
    return {
        "network": settings.network,
        "data": Path(settings.data).name,
        "recipe": f"recipe {settings.recipe_name}" if settings.recipe_name else "own recipe",
        **numbers_of(settings),
        "limit": setting("limit", settings.limit),
        "class weights": setting("class weights", settings.class_weights),
        "from": f"from {settings.started_from}" if settings.started_from else "from scratch",
        "patience": setting("patience", settings.patience),
        "seed": setting("seed", settings.seed),
    }


def numbers_of(settings: Settings) -> dict[str, str]:
    """Return a recipe's fields as a label says them; of `epochs` and `steps`, the given one."""
    fields = settings.recipe.to_json()
    fields = {"lr": fields.pop("learning_rate"), **fields}
    return {
        name: "" if name in ("epochs", "steps") and value is None else setting(name, value)
        for name, value in fields.items()
    }


def setting(name: str, value: Any) -> str:
    """Return "lr 0.01", "no limit" or "augment rotate 10, shift 2"."""
    name = name.replace("_", " ")
    if value is None or value == {} or value == []:
        return f"no {name}"
    if isinstance(value, dict):
        value = ", ".join(f"{key} {number:g}" for key, number in value.items())
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
