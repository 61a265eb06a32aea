"""How far to trust a network's probabilities: the temperature, and the threshold of a "?".

A network that is 99 % right is seldom 99 % confident on average: label smoothing lowers its
confidence, long training raises it. One number, the temperature, corrects this: the logits are
divided by it. It is found on validation images that are augmented as the training images were,
because pictures are as hard (Guo and others, arXiv 1706.04599, section 4).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.probabilities import softmax
from firstlight.reading.recognizer import NOT_A_DIGIT

BINS = 15  # intervals of confidence, as in the paper
MAX_ERROR_RATE = 0.02  # among the answers above the threshold
MIN_THRESHOLD = 0.5  # however good the network is
TEMPERATURES = np.exp(np.linspace(np.log(0.05), np.log(20), 241))

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The calibration of an exported model, measured on images that it has not learned."""

    temperature: float  # the logits are divided by it
    threshold: float  # an answer with less confidence is not given
    calibration_error: tuple[float, float]  # before and after dividing, 0 to 1
    coverage: float  # the share of digits with an answer at the threshold
    error_rate: float  # the share of these answers that is wrong

    def to_json(self) -> dict[str, Any]:
        return {
            "temperature": self.temperature,
            "threshold": self.threshold,
            "calibration_error": list(self.calibration_error),
            "coverage": self.coverage,
            "error_rate": self.error_rate,
        }


def calibrate(logits: Floats, labels: NDArray[np.int32], classes: tuple[str, ...]) -> Calibration:
    """Return the calibration for logits (N, classes) of images that the network has not learned."""
    temperature = round(best_temperature(logits, labels), 4)
    before, after = softmax(logits), softmax(logits / temperature)
    # The threshold is measured on digits only: fragments are rejected as "none", not by it.
    is_digit = np.ones(len(labels), bool)
    if NOT_A_DIGIT in classes:
        is_digit = labels != classes.index(NOT_A_DIGIT)
    confidence = after.max(1)[is_digit]
    right = (after.argmax(1) == labels)[is_digit]
    threshold = lowest_threshold(confidence, right)
    is_answered = confidence >= threshold
    error_rate = float(1 - right[is_answered].mean()) if is_answered.any() else 0.0
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        calibration_error=(
            round(calibration_error(before, labels), 5),
            round(calibration_error(after, labels), 5),
        ),
        coverage=round(float(is_answered.mean()), 5),
        error_rate=round(error_rate, 5),
    )


def best_temperature(logits: Floats, labels: NDArray[np.int32]) -> float:
    """Return the temperature with the lowest cross entropy."""
    rows = np.arange(len(labels))
    costs = [
        -np.log(softmax(logits / temperature)[rows, labels] + 1e-12).mean()
        for temperature in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(costs))])


def calibration_error(probabilities: Floats, labels: NDArray[np.int32]) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidence, BINS) - np.bincount(bins, right, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def lowest_threshold(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the lowest confidence above which at most MAX_ERROR_RATE of the answers are wrong."""
    order = np.argsort(-confidence, kind="stable")
    error_rates = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(error_rates <= MAX_ERROR_RATE)
    if not len(allowed):
        return 1.0
    lowest = float(confidence[order][allowed[-1]])
    return max(MIN_THRESHOLD, math.ceil(lowest * 1e4) / 1e4)
