"""What a network is shown of a picture: any picture in, an image of the network's size out.

A network that has learned digits is shown a digit as `read --single` finds it: its ink fitted and
centred as MNIST's was, unless the picture is such an image already; enlarged for a larger network.
One that has learned from other arrays is shown the picture's middle square, as those were.
One that has learned from pictures is shown the middle, as of ZFNet's test images (arXiv 1311.2901,
section 3): of 256 pixels of the shortest side 224, and in proportion for other sizes.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.errors import DataError
from firstlight.images.crops import CUT_OUT, MIDDLE, WHOLE, cut_out
from firstlight.images.open import open_photograph
from firstlight.onnx_model import Recognizer
from firstlight.reading.normalize import SIDE
from firstlight.reading.reader import read


def image_for(path: Path, size: tuple[int, ...], learned: str) -> NDArray[np.uint8]:
    """The picture as the network takes it, `size` being (height, width, channels), 0 to 255.

    `learned` says from what the network has, see `fitted.learned_from`.

    Raises:
        DataError: no such file, no picture, damaged, too large or too small; or no digit in it.
    """
    picture = open_photograph(path, math.ceil(max(size[:2]) / CUT_OUT))
    if learned != "digits":
        return cut_out(picture, WHOLE if learned == "arrays" else MIDDLE, size)
    grey = np.asarray(picture.convert("L"))
    if grey.shape != (SIDE, SIDE) or not is_on_black(grey):
        grey = digit(path)
    return cut_out(Image.fromarray(grey), WHOLE, size)


def is_on_black(grey: NDArray[np.uint8]) -> bool:
    """Light on dark, as MNIST is: most of its frame is dark."""
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(frame) < 128)


def digit(path: Path) -> NDArray[np.uint8]:
    """The one digit of the picture, (28, 28)."""
    reading = read(path, single=True)
    if not reading.lines:
        raise DataError(f"{path}: no digit found, and the network takes digits")
    return reading.lines[0].digits[0].image[..., 0]


_BATCH = 32  # pictures opened before they are answered, all at once


class Classifier(NamedTuple):
    """A trained network, wherever it comes from."""

    input: tuple[int, ...]  # height, width, channels
    classes: tuple[str, ...]
    learned: str  # from what: see classification.py
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
                images[path] = image_for(path, classifier.input, classifier.learned)
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
