"""How accurate is it, and what did it get wrong?"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight import catalog, model
from firstlight.catalog import Dataset
from firstlight.classification import Classifier
from firstlight.datasets import Examples, ahead
from firstlight.datasets._folder import Pictures
from firstlight.datasets._images import fitted
from firstlight.errors import UsageError
from firstlight.images.kinds import ImageKind
from firstlight.probabilities import softmax
from firstlight.progress import Progress
from firstlight.runs.run import Run

# Of a network and images (N, *INPUT) uint8 to probabilities (N, classes); true: say nothing.
Views = Callable[[keras.Model, Any, bool], np.ndarray]


def middle(network: keras.Model, images: Any, quiet: bool = True) -> np.ndarray:
    """The network's probabilities (N, classes) of each image; of a picture, of its middle."""
    return softmax(predictor(network, quiet)(images))


def evaluate(
    runs: list[Run], data: str, split: str, views: Views = middle, quiet: bool = True
) -> tuple[dict[str, Any], Examples, np.ndarray]:
    """The facts of evaluation.json, the images they are about, and the probabilities.

    Several runs are an ensemble: their probabilities are averaged. Without `data`, the data that
    the first run was trained on. Where there is no test split, val is measured. `views` is how an
    image is shown to the network: see views.py.

    Raises:
        UsageError: the data's classes are not the network's, or the views are not for such images.
        DataError: a run or the data is missing or damaged.
    """
    names = " + ".join(run.settings()["network"] for run in runs)
    dataset = catalog.dataset(data, quiet=quiet) if data else catalog.trained_on(runs[0])
    for notice in dataset.notices() if data and not quiet else ():
        print(notice, file=sys.stderr)
    split = dataset.measured(split)
    examples = dataset.load(split)
    each = []
    for run in runs:
        network = _of_run(run, dataset)
        seen = fitted(examples, network.input_shape[1:])
        each.append(views(network, seen.images, quiet))
    if len({probabilities.shape for probabilities in each}) > 1:
        raise UsageError("runs that know different classes cannot answer together")
    mean = np.mean(each, axis=0)
    facts: dict[str, Any] = {"network": names, "data": dataset.name, "split": split}
    facts |= {} if views is middle else {"views": views.__name__.replace("_", "-")}
    facts |= summary(mean, examples.labels)
    if isinstance(examples.images, Pictures):
        for mistake in facts["mistakes"]:
            mistake["file"] = examples.images.files[mistake["index"]]
    return facts, seen, mean


def summary(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy and what it is made of, from probabilities (N, classes) and labels (N,)."""
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != labels)
    correct, classes = len(labels) - len(wrong), probabilities.shape[1]
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels, predicted), 1)
    surest_first = wrong[np.argsort(-confidence[wrong], kind="stable")]
    top5 = np.argsort(-probabilities, axis=1)[:, :5] == labels[:, np.newaxis]
    return {
        "examples": len(labels),
        "correct": correct,
        "accuracy": correct / len(labels),
        "interval95": interval95(correct, len(labels)),
        **({"top5": float(top5.any(1).mean())} if classes > 10 else {}),
        "confusion": confusion.tolist(),  # a row a label, a column a prediction
        "mistakes": [
            {
                "index": int(index),
                "label": int(labels[index]),
                "predicted": int(predicted[index]),
                "confidence": round(float(confidence[index]), 6),
            }
            for index in surest_first
        ],
    }


def interval95(correct: int, examples: int) -> list[float]:
    """Where the accuracy on endless such images would lie, 95 times of 100 (Wilson, 1927)."""
    z, p = 1.959964, correct / examples
    centre = p + z * z / (2 * examples)
    half = z * math.sqrt(p * (1 - p) / examples + (z / (2 * examples)) ** 2)
    low, high = ((centre + sign * half) / (1 + z * z / examples) for sign in (-1, 1))
    return [max(0.0, low), min(1.0, high)]  # rounding can lead just outside


def predictor(network: keras.Model, quiet: bool = True) -> Callable[[Any], np.ndarray]:
    """A function from images (N, *INPUT) uint8 to the network's logits (N, classes), compiled."""
    # A tensor of any length as input: the last, shorter batch needs no second graph.
    signature = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)
    answer = tf.function(lambda x: network(x, training=False), input_signature=[signature])
    # Images at a time: few enough for any memory, enough to keep the cores busy.
    size = max(16, min(500, 5_000_000 // math.prod(network.input_shape[1:])))

    def logits(images: Any) -> np.ndarray:
        starts = [(start,) for start in range(0, len(images), size)]
        found = []
        with Progress(len(images), quiet=quiet, unit="image") as progress:
            for batch in ahead(lambda start: images[start : start + size], starts):
                found.append(answer(batch).numpy())
                progress.at(min(len(found) * size, len(images)), "answered")
        return np.concatenate(found)

    return logits


def listed(classes: tuple[str, ...]) -> str:
    return ", ".join(classes[:12]) + (f" and {len(classes) - 12} more" if len(classes) > 12 else "")


@dataclass(frozen=True)
class RunClassifier:
    """A run's network, as a `classification.Classifier`."""

    input: tuple[int, int, int]  # height, width, channels
    classes: tuple[str, ...]
    image_kind: ImageKind
    logits: Callable[[np.ndarray], np.ndarray]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities (N, classes) of images (N, *input) uint8."""
        return softmax(self.logits(images))


def classifier(run: Run) -> Classifier:
    """Return a run's network for `classify`."""
    network, classes = model.load(run)
    return RunClassifier(
        input=network.input_shape[1:],
        classes=classes,
        image_kind=run.trained()["learned"],
        logits=predictor(network),
    )


def _of_run(run: Run, dataset: Dataset) -> keras.Model:
    network, classes = model.load(run)
    if classes[: len(dataset.classes)] != dataset.classes:  # it may know more, as "none"
        raise UsageError(
            f"{run.folder} knows the classes {listed(classes)}; "
            f"{dataset.name} has {listed(dataset.classes)}"
        )
    return network
