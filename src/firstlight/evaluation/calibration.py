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

from firstlight.evaluation.accuracy import interval95
from firstlight.probabilities import softmax
from firstlight.reading.recognizer import NOT_A_DIGIT

BINS = 15  # intervals of confidence, as in the paper
MAX_ERROR_RATE = 0.02  # among the answers above the threshold
MIN_THRESHOLD = 0.5  # however good the network is
TEMPERATURES = np.exp(np.linspace(np.log(0.05), np.log(20), 241))

# With fewer images, MAX_ERROR_RATE allows no mistake at all: one in fifty cannot be measured. For
# two networks (84 and 89 % right on MNIST), 2.0 to 2.7 % of the answers above the threshold of 50
# or more images were wrong on other images; above that of 10 images, 3.9 to 4.6 % (medians of 1,000
# draws, benchmarks/calibration.py).
MIN_EXAMPLES = 50
# The 99.9 % quantile of chi-squared with one degree of freedom: if the right temperature is 1, a
# ratio as large as this is found once in a thousand times (Wilks, 1938). See `fit_temperature`.
MIN_LIKELIHOOD_RATIO = 10.83

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The calibration of an exported model, measured on images that it has not learned."""

    problem: str | None = None  # why the temperature is 1; None if one was found
    temperature: float  # the logits are divided by it
    threshold: float  # an answer with less confidence is not given
    calibration_error: tuple[float, float]  # before and after dividing, 0 to 1
    images: int  # number of images that ought to get an answer: not those of no digit
    answers: int  # number of these with an answer at the threshold
    wrong: int  # number of wrong answers

    @property
    def coverage(self) -> float:
        """The share of images with an answer; 0 if none ought to get one."""
        return self.answers / self.images if self.images else 0.0

    @property
    def error_rate(self) -> float:
        """The share of the answers that is wrong; 0 if there is no answer."""
        return self.wrong / self.answers if self.answers else 0.0

    @property
    def error_interval95(self) -> tuple[float, float]:
        """The 95 % confidence interval of the error rate."""
        return interval95(self.wrong, self.answers) if self.answers else (0.0, 1.0)

    def to_json(self) -> dict[str, Any]:
        return {
            "calibrated": self.problem is None,
            "calibration_problem": self.problem,
            "temperature": self.temperature,
            "threshold": self.threshold,
            "calibration_error": list(self.calibration_error),
            "coverage": round(self.coverage, 5),
            "error_rate": round(self.error_rate, 5),
            "error_interval95": [round(bound, 5) for bound in self.error_interval95],
        }


def calibrate(logits: Floats, labels: NDArray[np.int32], classes: tuple[str, ...]) -> Calibration:
    """Return the calibration for logits (N, classes) of images that the network has not learned.

    With fewer than MIN_EXAMPLES images it has the temperature 1 and the threshold MIN_THRESHOLD.
    """
    temperature, problem = fit_temperature(logits, labels)
    before, after = softmax(logits), softmax(logits / temperature)
    # The threshold is measured on digits only: fragments are rejected as "none", not by it.
    is_digit = np.ones(len(labels), bool)
    if NOT_A_DIGIT in classes:
        is_digit = labels != classes.index(NOT_A_DIGIT)
    confidence = after.max(1)[is_digit]
    right = (after.argmax(1) == labels)[is_digit]
    few = len(labels) < MIN_EXAMPLES
    threshold = MIN_THRESHOLD if few else lowest_threshold(confidence, right)
    is_answered = confidence >= threshold
    return Calibration(
        problem=problem,
        temperature=temperature,
        threshold=threshold,
        calibration_error=(
            round(calibration_error(before, labels), 5),
            round(calibration_error(after, labels), 5),
        ),
        images=len(right),
        answers=int(is_answered.sum()),
        wrong=int((~right[is_answered]).sum()),
    )


def fit_temperature(logits: Floats, labels: NDArray[np.int32]) -> tuple[float, str | None]:
    """Return the temperature with the lowest cross entropy; or 1, and why it is not used.

    It is used only if the likelihood ratio test says that it differs from 1. The test needs no
    second set of images, and no certain number of them: mistakes tell the temperature, and a good
    network makes few. Measured with nine networks for MNIST and photographs (trained well, barely,
    or until they memorised the images), on n = 50 to 2,000 of their validation images drawn 1,000
    times: with the test, the cross entropy of the other images rises by more than 1 % in at most
    5.2 % of the draws, for every network and n. Without it, that is up to 95 %; if the
    temperature of each half of the images must be good for the other half, up to 25 %.
    (`python benchmarks/calibration.py DIR` measures it.)
    """
    count = len(labels)
    if count < MIN_EXAMPLES:
        return 1.0, f"{count} validation images are too few; {MIN_EXAMPLES} are needed"
    costs = [cross_entropy(logits / temperature, labels) for temperature in TEMPERATURES]
    best = int(np.argmin(costs))
    if best in (0, len(TEMPERATURES) - 1):
        return (
            1.0,
            f"the best temperature is outside of {TEMPERATURES[0]:g} to {TEMPERATURES[-1]:g}",
        )
    if 2 * count * (cross_entropy(logits, labels) - costs[best]) < MIN_LIKELIHOOD_RATIO:
        return 1.0, f"on {count:,} validation images no temperature is clearly better than 1"
    return round(float(TEMPERATURES[best]), 4), None


def cross_entropy(logits: Floats, labels: NDArray[np.int32]) -> float:
    """Return the mean cross entropy of logits (N, classes), in nats."""
    probabilities = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(probabilities + 1e-12).mean())


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
