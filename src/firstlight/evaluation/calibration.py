"""How far to trust a network's probabilities: what to divide its logits by, and when to say "?".

A network that is 99 % right is seldom 99 % sure on average: label smoothing makes it too modest,
long training too sure. One number, the temperature, is found on validation images, made as hard
as the training images were, because pictures will be (Guo and others, arXiv 1706.04599, section 4).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.probabilities import softmax
from firstlight.reading.recognizer import NOT_A_DIGIT as NONE

BINS = 15  # of confidence, as in the paper
WRONG = 0.02  # share of the answers told that may be wrong
LEAST = 0.5  # confidence below which no answer is told, however good the network is
TEMPERATURES = np.exp(np.linspace(np.log(0.05), np.log(20), 241))

Floats = NDArray[np.float32]


def calibrate(
    logits: Floats, labels: NDArray[np.int32], classes: tuple[str, ...]
) -> dict[str, Any]:
    """What goes with an exported model, from logits (N, classes) of images it has not learned.

    Returns `temperature`, `threshold`, and the facts that say what they are worth:
    `calibration_error` before and after, the share of digits that is `told` at the threshold, and
    of those the share that is `wrong`.
    """
    temperature = round(best_temperature(logits, labels), 4)
    before, after = softmax(logits), softmax(logits / temperature)
    # Of digits alone: pieces of digits look like others, and it is not by this that they are told.
    digits = labels != (classes.index(NONE) if NONE in classes else -1)
    sure, right = after.max(1)[digits], (after.argmax(1) == labels)[digits]
    threshold = lowest_threshold(sure, right)
    told = sure >= threshold
    return {
        "temperature": temperature,
        "threshold": threshold,
        "calibration_error": [round(calibration_error(p, labels), 5) for p in (before, after)],
        "told": round(float(told.mean()), 5),
        "wrong": round(float(1 - right[told].mean()) if told.any() else 0.0, 5),
    }


def best_temperature(logits: Floats, labels: NDArray[np.int32]) -> float:
    """The one with the least cross entropy."""
    rows = np.arange(len(labels))
    costs = [-np.log(softmax(logits / t)[rows, labels] + 1e-12).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(costs))])


def calibration_error(probabilities: Floats, labels: NDArray[np.int32]) -> float:
    """The mean distance, over all answers, between how sure they are and how many are right."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, sure, BINS) - np.bincount(bins, right, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def lowest_threshold(sure: Floats, right: NDArray[np.bool_]) -> float:
    """The lowest confidence from which on at most WRONG of the answers are wrong."""
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(wrong <= WRONG)
    lowest = float(sure[order][allowed[-1]]) if len(allowed) else 1.0
    return max(LEAST, math.ceil(lowest * 1e4) / 1e4)
