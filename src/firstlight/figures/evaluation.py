"""The pictures of an evaluation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
from firstlight.runs.run import Run

MISTAKES, PREDICTIONS = 25, 40  # pictures at most in a grid


def draw_evaluation(
    run: Run, facts: dict[str, Any], seen: Examples, probabilities: np.ndarray
) -> None:
    """Confusion, mistakes, predictions, and the weights if they can be seen as images."""
    classes = tuple(run.trained()["classes"])
    where = f"{facts['network']} on {facts['data']} ({facts['split']})"
    title = f"{where}, {facts['accuracy']:.2%} right"
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    answers = (classes, predicted, confidence, title)
    confusion_matrix(
        np.array(facts["confusion"]), classes, run.figures / "confusion_matrix.png", title
    )
    wrong = np.array([m["index"] for m in facts["mistakes"]], int)
    answered(seen, wrong[:MISTAKES], *answers, run.figures / "mistakes.png")
    first = np.arange(min(PREDICTIONS, len(predicted)))
    answered(seen, first, *answers, run.figures / "predictions.png")
    if (weights := rows_as_images(run, seen.images.shape[1:3])) is not None:
        class_weights(weights, classes, run.figures / "weights.png")


@styled
def confusion_matrix(counts: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Counts (classes, classes), a row a label: mistakes are shaded, right answers are not."""
    size, few = len(classes), len(classes) <= 20
    side = min(12, max(4.5, 0.5 * size + 1.5)) if few else 9
    figure, (panel,) = new_panels(1, 1, (side + 0.6, side))
    mistakes = counts * (1 - np.eye(size, dtype=int))
    panel.imshow(mistakes, cmap=SHADES, vmax=max(1, mistakes.max()))
    for row, column in np.argwhere(counts) if few else ():
        weight = "bold" if row == column else "normal"
        panel.text(column, row, counts[row, column], ha="center", va="center", weight=weight)
    right = counts.diagonal() / np.maximum(counts.sum(1), 1)
    for row in range(size) if few else ():
        panel.text(size - 0.3, row, f"{right[row]:.1%}", va="center", color=ACCENT)
    ticks = range(size) if few else range(0, size, -(-size // 20))
    panel.set_xticks(ticks, [classes[i] for i in ticks], rotation=0 if size <= 10 else 90)
    panel.set_yticks(ticks, [classes[i] for i in ticks])
    panel.set(xlabel="predicted", ylabel="label")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    panel.set_title(title, fontsize=10, pad=10)
    save_figure(figure, path)


@styled
def answered(
    seen: Examples,
    chosen: np.ndarray,
    classes: Sequence[str],
    predicted: np.ndarray,
    confidence: np.ndarray,
    title: str,
    path: Path,
) -> None:
    """The chosen images, each with what it is, what was answered, and how sure that was."""
    long = max(map(len, classes)) > 3  # names, not digits: they need a line of their own
    figure, panels = image_grid(len(chosen), 5 if len(chosen) <= MISTAKES else 8, 2 if long else 1)
    for panel, index in zip(panels, chosen, strict=False):
        show_image(panel, seen.images[index])
        label, answer = classes[seen.labels[index]], classes[predicted[index]]
        right = label == answer
        names, mark = (label, "✓") if right else (f"{label} → {answer}", "✗")
        text = f"{names}{chr(10) if long else ' '}{mark}  {confidence[index]:.0%}"
        colour = ACCENT if right else WARNING
        panel.set_title(text, loc="center", color=colour, fontsize=7 if long else 8)
    if not len(chosen):
        panels[0].text(0.5, 0.5, "no mistakes", ha="center", va="center", fontsize=12)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


@styled
def class_weights(weights: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Weights (classes, height, width): where ink speaks for a class, and where against it."""
    figure, panels = image_grid(len(classes), 5)
    largest = np.abs(weights).max()
    for panel, image, name in zip(panels, weights, classes, strict=False):
        drawn = panel.imshow(image, cmap=FOR_AND_AGAINST, vmin=-largest, vmax=largest)
        panel.set_title(name, loc="center", fontsize=9)
    bar = figure.colorbar(drawn, ax=panels, shrink=0.7, aspect=30)
    bar.set_label("ink here speaks: against  ·  for", fontsize=8)
    bar.outline.set_visible(False)
    figure.suptitle("The weights of each class", x=0.01, ha="left", fontsize=11)
    save_figure(figure, path)


def rows_as_images(run: Run, size: tuple[int, ...]) -> np.ndarray | None:
    """The weights (classes, height, width) of a network of one layer; None for any other."""
    arrays, _ = checkpoint.load(run.weights)
    kernel = arrays.get("layer1/kernel")
    one_layer = len(arrays) == 2 and kernel is not None and kernel.shape[1] == np.prod(size)
    return kernel.reshape(-1, *size) if kernel is not None and one_layer else None
