"""What is in a picture: the most probable classes, by a network of ours or an exported file.

Nothing here needs TensorFlow: an ONNX file of ours is run by ONNX Runtime, a run's network by
whoever opened it (see `evaluate.classifier`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight import inputs
from firstlight.errors import DataError
from firstlight.read.recognize import Recognizer

_BATCH = 32  # pictures opened before they are answered, all at once


class Classifier(NamedTuple):
    """A trained network, wherever it comes from."""

    input: tuple[int, ...]  # height, width, channels
    classes: tuple[str, ...]
    learned: str  # from what: see inputs.py
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # (N, *input) → (N, classes)


def of_onnx(path: Path) -> Classifier:
    """A file that `firstlight export --format onnx` wrote.

    Raises:
        DataError: no such file, or no ONNX model.
        UsageError: a model that is not ours.
    """
    network = Recognizer(path)
    return Classifier(network.input, tuple(network.classes), network.learned, network.probabilities)


def classify(
    classifier: Classifier, pictures: list[Path], top: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """What `firstlight classify --json` says of each picture, and what is wrong with some of them.

    A picture that cannot be opened has no labels; the others are answered all the same.
    """
    facts, problems = [], []
    for start in range(0, len(pictures), _BATCH):
        images = {}
        for path in pictures[start : start + _BATCH]:
            try:
                images[path] = inputs.image_for(path, classifier.input, classifier.learned)
            except DataError as error:
                problems.append(str(error))
        given = np.array(list(images.values()))
        told = dict(zip(images, classifier.probabilities(given), strict=True)) if images else {}
        for path in pictures[start : start + _BATCH]:
            labels = best(told[path], classifier.classes, top) if path in told else []
            facts.append({"file": str(path), "labels": labels})
    return facts, problems


def best(
    probabilities: NDArray[np.float32], classes: tuple[str, ...], top: int
) -> list[dict[str, Any]]:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [
        {"label": classes[number], "probability": round(float(probabilities[number]), 6)}
        for number in order
    ]
