"""Turns what networks say of blobs into digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.reading.blobs import Blob, Box
from firstlight.reading.normalize import normalize
from firstlight.reading.recognizer import NOT_A_DIGIT, Recognizer
from firstlight.reading.result import UNSURE, Digit

CANDIDATES = 3  # classes that are reported for a digit


@dataclass(frozen=True, eq=False)
class Recognition:
    """A blob, and which digit it is."""

    blob: Blob
    probabilities: NDArray[np.float32]  # (classes,)
    column: float | None = None  # of its line's strip

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """The ink of the blob as an image like MNIST's, (28, 28, 1)."""
        return normalize(self.blob)


class Answer(NamedTuple):
    """Which digit it is."""

    digit: str  # "?" if its confidence is below the threshold
    confidence: float  # 0..1, the probability of the most probable class
    candidates: tuple[tuple[str, float], ...]  # the most probable classes and their probabilities

    @classmethod
    def of(
        cls, probabilities: NDArray[np.float32], network: Recognizer, threshold: float
    ) -> "Answer":
        """Return what probabilities (classes,) say."""
        order = np.argsort(-probabilities)[:CANDIDATES]
        candidates = tuple((network.classes[i], float(probabilities[i])) for i in order)
        name, confidence = candidates[0]
        return cls(name if confidence >= threshold else UNSURE, confidence, candidates)


def recognize(blobs: Sequence[Blob], network: Recognizer) -> list[Recognition]:
    """Normalise each blob and give all of them to the network in one batch."""
    images = np.array([normalize(blob) for blob in blobs], np.uint8).reshape(-1, 28, 28, 1)
    probabilities = network.probabilities(images)
    return [Recognition(*each) for each in zip(blobs, probabilities, strict=True)]


def is_digit(recognition: Recognition, network: Recognizer) -> bool:
    """Return whether the most probable class is a digit, and not "none"."""
    return network.classes[int(recognition.probabilities.argmax())] != NOT_A_DIGIT


def to_digits(
    recognized: Sequence[Recognition],
    network: Recognizer,
    scale: float,
    threshold: float | None = None,
) -> list[Digit]:
    """Return the digits of a line, without the candidates that are not digits.

    Args:
        scale: pixels of the original picture per pixel of the working picture.
        threshold: below this confidence a digit is "?"; None stands for the network's own.
    """
    least = network.threshold if threshold is None else threshold
    return [
        Digit(
            **Answer.of(each.probabilities, network, least)._asdict(),
            box=scaled_box(Box.of(each.blob), scale),
            image=each.image,
            probabilities=tuple(each.probabilities.tolist()),
            column=each.column,
        )
        for each in recognized
        if is_digit(each, network)
    ]


def scaled_box(box: Box, scale: float) -> tuple[int, int, int, int]:
    """Return x, y, width, height in pixels of the original picture."""
    x, y, width, height = (round(side * scale) for side in box)
    return x, y, width, height
