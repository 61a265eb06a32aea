"""The pictures of a run, drawn from its files; with explain_figures.py all that uses matplotlib."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from firstlight import catalog
from firstlight.datasets import Examples
from firstlight.datasets._images import Fitted, fitted
from firstlight.runs import checkpoint
from firstlight.runs.files import whole
from firstlight.runs.run import Run
from firstlight.training import augment

INK, PALE, ACCENT, WARNING = "#1f2933", "#9aa5b1", "#2f6fed", "#d1495b"
SHADES = LinearSegmentedColormap.from_list("mistakes", ["#ffffff", "#f3c9cf", WARNING])
FOR_AND_AGAINST = LinearSegmentedColormap.from_list("weights", [WARNING, "#ffffff", ACCENT])
MISTAKES, PREDICTIONS = 25, 40  # pictures at most in a grid
A_CLASS, MOST_CLASSES = 12, 20  # samples of a class, and of how many
STYLE: Any = {
    "font.size": 9,
    "font.family": ["DejaVu Sans", "sans-serif"],
    "text.color": INK,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.dpi": 120,
    "legend.frameon": False,
}
matplotlib.rcParams.update(STYLE)


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


def learning_curves(
    metrics: list[dict[str, Any]], path: Path, kept_step: int | None, title: str
) -> None:
    """Cost and error against steps, of the lines of metrics.jsonl; the kept point is marked."""
    train = [line for line in metrics if line["split"] == "train"]
    held_out = [line for line in metrics if line["split"] == "val"]
    with_accuracy = any(line["accuracy"] is not None for line in metrics)
    figure, panels = _panels(1, 2 if with_accuracy else 1, (9, 3.6) if with_accuracy else (7, 3.8))
    _curve(panels[0], train, held_out, kept_step, "cost", lambda line: line["loss"])
    panels[0].set_ylabel("cost (cross entropy, nats)")
    if with_accuracy:
        _curve(panels[1], train, held_out, kept_step, "error", lambda m: 100 * (1 - m["accuracy"]))
        panels[1].set_ylabel("error (% of images wrong)")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    _save(figure, path)


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


def confusion_matrix(counts: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Counts (classes, classes), a row a label: mistakes are shaded, right answers are not."""
    size, few = len(classes), len(classes) <= 20
    side = min(12, max(4.5, 0.5 * size + 1.5)) if few else 9
    figure, (panel,) = _panels(1, 1, (side + 0.6, side))
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
    _save(figure, path)


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
    figure, panels = _grid(len(chosen), 5 if len(chosen) <= MISTAKES else 8, 2 if long else 1)
    for panel, index in zip(panels, chosen, strict=False):
        _image(panel, seen.images[index])
        label, answer = classes[seen.labels[index]], classes[predicted[index]]
        right = label == answer
        names, mark = (label, "✓") if right else (f"{label} → {answer}", "✗")
        text = f"{names}{chr(10) if long else ' '}{mark}  {confidence[index]:.0%}"
        colour = ACCENT if right else WARNING
        panel.set_title(text, loc="center", color=colour, fontsize=7 if long else 8)
    if not len(chosen):
        panels[0].text(0.5, 0.5, "no mistakes", ha="center", va="center", fontsize=12)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    _save(figure, path)


def samples(examples: Examples, classes: Sequence[str], path: Path, title: str) -> None:
    """A row a class: its name and its first twelve images; twenty classes at most."""
    classes = classes[:MOST_CLASSES]
    figure, panels = _grid(A_CLASS * len(classes), A_CLASS, captions=0)
    for label, name in enumerate(classes):
        row = panels[label * A_CLASS : (label + 1) * A_CLASS]
        row[0].text(-0.35, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
        found = np.flatnonzero(examples.labels == label)[:A_CLASS]
        for panel, index in zip(row, found, strict=False):
            _image(panel, examples.images[index])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    _save(figure, path)


def augmented(images: Any, strengths: dict[str, float], path: Path) -> None:
    """A row of images as they are, then one for each augmentation alone, then all together."""
    shown = np.arange(min(A_CLASS, len(images)))
    alone = {f"{name} {value:g}": {name: value} for name, value in strengths.items()}
    rows = {"as it is": {}, **alone, "together": strengths}
    figure, panels = _grid(len(rows) * len(shown), len(shown), captions=0)
    for number, (name, chosen) in enumerate(rows.items()):
        row = panels[number * len(shown) : (number + 1) * len(shown)]
        row[0].text(-0.2, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
        cut = images.varied(shown, chosen, 0, 0) if isinstance(images, Fitted) else images[shown]
        for panel, image in zip(row, augment.example(cut, chosen), strict=True):
            _image(panel, image)
    figure.suptitle("What augmentation does", x=0.01, ha="left", fontsize=11)
    _save(figure, path)


def class_weights(weights: np.ndarray, classes: Sequence[str], path: Path) -> None:
    """Weights (classes, height, width): where ink speaks for a class, and where against it."""
    figure, panels = _grid(len(classes), 5)
    largest = np.abs(weights).max()
    for panel, image, name in zip(panels, weights, classes, strict=False):
        drawn = panel.imshow(image, cmap=FOR_AND_AGAINST, vmin=-largest, vmax=largest)
        panel.set_title(name, loc="center", fontsize=9)
    bar = figure.colorbar(drawn, ax=panels, shrink=0.7, aspect=30)
    bar.set_label("ink here speaks: against  ·  for", fontsize=8)
    bar.outline.set_visible(False)
    figure.suptitle("The weights of each class", x=0.01, ha="left", fontsize=11)
    _save(figure, path)


def rows_as_images(run: Run, size: tuple[int, ...]) -> np.ndarray | None:
    """The weights (classes, height, width) of a network of one layer; None for any other."""
    arrays, _ = checkpoint.load(run.weights)
    kernel = arrays.get("layer1/kernel")
    one_layer = len(arrays) == 2 and kernel is not None and kernel.shape[1] == np.prod(size)
    return kernel.reshape(-1, *size) if kernel is not None and one_layer else None


def _panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _grid(count: int, columns: int, captions: int = 1) -> tuple[Figure, list[Axes]]:
    """Empty panels for so many images, with lines of text above; surplus ones stay invisible."""
    rows = max(1, -(-count // columns))
    height = (0.78, 1.15, 1.35)[captions] * rows + 0.5
    width = (1.05, 1.05, 1.3)[captions] * columns
    figure, panels = _panels(rows, columns, (max(5.5, width), height))
    for panel in panels:
        panel.axis("off")
    return figure, panels


def _image(panel: Axes, image: np.ndarray) -> None:
    """An image (height, width, 1 or 3) uint8; a grey one is shown as dark ink on white paper."""
    grey = image.shape[-1] == 1
    panel.imshow(255 - image[..., 0] if grey else image, cmap="gray", vmin=0, vmax=255)


def _save(figure: Figure, path: Path) -> None:
    with whole(path) as file:
        figure.savefig(file, format="png")
