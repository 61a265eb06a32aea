"""The pictures of a training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from firstlight import catalog
from firstlight.datasets import Examples
from firstlight.datasets._images import Fitted, fitted
from firstlight.figures.style import (
    ACCENT,
    INK,
    PALE,
    WARNING,
    image_grid,
    new_panels,
    save_figure,
    show_image,
    styled,
)
from firstlight.runs.run import Run
from firstlight.training import augment

A_CLASS, MOST_CLASSES = 12, 20  # samples of a class, and of how many


def draw_training(run: Run) -> None:
    """The curves and samples of the training images, of a run that has been trained."""
    settings = run.settings()
    dataset = catalog.trained_on(run)
    kept = settings.get("result", {}).get("best_step")
    title = f"{settings['network']} on {dataset.name}"
    if smoothed := settings["recipe"].get("label_smoothing"):
        title += f", trained with {smoothed:.0%} of each label spread over all classes"
    learning_curves(run.metrics(), run.figures / "learning_curves.png", kept, title)
    network = catalog.network(run.trained()["network"])
    shown = fitted(dataset.load("train").first(settings["limit"]), network.input)
    samples(shown, dataset.classes, run.figures / "samples.png", f"{dataset.name}, training images")
    if strengths := settings["recipe"].get("augment"):
        augmented(shown.images, strengths, run.figures / "augmentation.png")


@styled
def learning_curves(
    metrics: list[dict[str, Any]], path: Path, kept_step: int | None, title: str
) -> None:
    """Cost and error against steps, of the lines of metrics.jsonl; the kept point is marked."""
    train = [line for line in metrics if line["split"] == "train"]
    held_out = [line for line in metrics if line["split"] == "val"]
    with_accuracy = any(line["accuracy"] is not None for line in metrics)
    figure, panels = new_panels(
        1, 2 if with_accuracy else 1, (9, 3.6) if with_accuracy else (7, 3.8)
    )
    _curve(panels[0], train, held_out, kept_step, "cost", lambda line: line["loss"])
    panels[0].set_ylabel("cost (cross entropy, nats)")
    if with_accuracy:
        _curve(panels[1], train, held_out, kept_step, "error", lambda m: 100 * (1 - m["accuracy"]))
        panels[1].set_ylabel("error (% of images wrong)")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


def _curve(
    panel: Axes,
    train: list[dict[str, Any]],
    held_out: list[dict[str, Any]],
    kept_step: int | None,
    what: str,
    value: Callable[[dict[str, Any]], float],
) -> None:
    """One panel: each step's value a dot, their running mean on top, and the validation points."""
    steps, values = np.array([m["step"] for m in train]), np.array([value(m) for m in train])
    panel.plot(steps, values, ".", color=PALE, ms=2, alpha=0.6)
    panel.plot(steps, running_mean(values), color=INK, lw=1.5, label="training (running mean)")
    if held_out:
        points = np.array([(m["step"], value(m)) for m in held_out])
        panel.plot(*points.T, "o-", color=ACCENT, ms=4, lw=1.5, label="validation")
    for line in held_out:
        if line["step"] == kept_step:
            panel.plot(line["step"], value(line), "o", ms=11, mfc="none", mec=WARNING, mew=1.6)
            panel.plot([], [], "o", ms=8, mfc="none", mec=WARNING, label="kept weights")
    panel.set_xlabel("step")
    shown = np.concatenate([running_mean(values), [value(m) for m in held_out]])
    if what == "error" or shown.max() > 10 * max(shown.min(), 1e-9):
        lowest = shown[shown > 0].min(initial=1.0)
        panel.set_yscale("log")
        panel.set_ylim(bottom=lowest / 2)
        panel.yaxis.set_major_formatter("{x:g}")
    panel.grid(axis="y", color=PALE, alpha=0.3, lw=0.6)
    panel.legend(loc="upper right", fontsize=8)


def running_mean(values: np.ndarray) -> np.ndarray:
    """Each value averaged with those around it, a twentieth of them all; same length."""
    width = max(1, len(values) // 20)
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
    ends = np.clip(np.arange(len(values)) + width // 2 + 1, 1, len(values))
    starts = np.clip(np.arange(len(values)) - width // 2, 0, len(values) - 1)
    mean: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return mean


@styled
def samples(examples: Examples, classes: Sequence[str], path: Path, title: str) -> None:
    """A row a class: its name and its first twelve images; twenty classes at most."""
    classes = classes[:MOST_CLASSES]
    figure, panels = image_grid(A_CLASS * len(classes), A_CLASS, captions=0)
    for label, name in enumerate(classes):
        row = panels[label * A_CLASS : (label + 1) * A_CLASS]
        row[0].text(-0.35, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
        found = np.flatnonzero(examples.labels == label)[:A_CLASS]
        for panel, index in zip(row, found, strict=False):
            show_image(panel, examples.images[index])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


@styled
def augmented(images: Any, strengths: dict[str, float], path: Path) -> None:
    """A row of images as they are, then one for each augmentation alone, then all together."""
    shown = np.arange(min(A_CLASS, len(images)))
    alone = {f"{name} {value:g}": {name: value} for name, value in strengths.items()}
    rows = {"as it is": {}, **alone, "together": strengths}
    figure, panels = image_grid(len(rows) * len(shown), len(shown), captions=0)
    for number, (name, chosen) in enumerate(rows.items()):
        row = panels[number * len(shown) : (number + 1) * len(shown)]
        row[0].text(-0.2, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
        cut = images.varied(shown, chosen, 0, 0) if isinstance(images, Fitted) else images[shown]
        for panel, image in zip(row, augment.example(cut, chosen), strict=True):
            show_image(panel, image)
    figure.suptitle("What augmentation does", x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)
