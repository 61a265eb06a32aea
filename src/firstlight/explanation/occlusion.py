"""Occlusion: which part of a picture the network's output depends on.

A square, the occluder, covers one part of the picture after another, and each time the network
classifies the picture. Where the output changes, the network looks: Zeiler and Fergus
(arXiv 1311.2901), section 4.2 and figure 7.

The paper gives neither the occluder's size nor its stride: SIDE_RATIO and POSITIONS_PER_SIDE are
ours. The paper's occluder is grey, the mean colour of photographs. On a digit, grey would look like
ink. So for digits the occluder is black, as MNIST's paper is, and removes ink.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.progress import in_batches

SIDE_RATIO = 3.5  # the image's side ÷ the occluder's: 8 of 28 pixels, 64 of 224
POSITIONS_PER_SIDE = 28  # each of 28 pixels, every eighth of 224
MIN_POSITIONS_PER_SIDE = 7  # for a slow network
MAX_SECONDS = 60.0  # for all positions
GREY, PAPER = 128, 0
OCCLUSION_BATCH_SIZE = 32  # positions of the occluder that the network classifies at a time

Region = tuple[int, int, int, int]  # top, left, bottom, right in pixels; the last two are exclusive
ImageArray = NDArray[np.uint8]  # (height, width, channels), or (N, height, width, channels)
# Images (N, height, width, channels) → probabilities (N, classes), and activity (N,): the sum of
# the watched feature map, or 0 if there is none.
PredictAndWatch = Callable[[ImageArray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """The network's outputs for each position of the occluder: arrays (rows, columns)."""

    covered: ImageArray  # the picture with the occluder where the label's probability changes most
    occluder: Region  # that position
    probability: np.ndarray  # the label's, 0 to 1
    predicted: np.ndarray  # the most probable class
    feature_map: str  # the watched one; "" if there is none
    activity: np.ndarray  # the feature map's sum; zeros if there is none
    baseline: float  # the activity for the uncovered picture


def occlude(
    predict: PredictAndWatch,
    feature_map: str,
    image: ImageArray,
    label: int,
    color: int,
    *,
    quiet: bool = True,
) -> Occlusion:
    """Cover one part of the image after another, and record what the network predicts.

    Args:
        predict: returns the network's outputs, see `PredictAndWatch`.
        feature_map: the name of the map that `predict` watches; "" if it watches none.
        image: (height, width, channels), as the network takes it.
        label: the class whose probability is recorded.
        color: the occluder's, 0 to 255.
        quiet: show no progress.
    """
    uncovered, baseline = predict(image[None])  # the first time, it is compiled too
    per_side = affordable_positions(predict, image)
    if per_side < POSITIONS_PER_SIDE and not quiet:
        notice = "this network is slow, so the picture is covered in larger steps"
        print(f"{notice}: {per_side} per side, not {POSITIONS_PER_SIDE}", file=sys.stderr)
    regions = occluders(image, per_side)
    outputs = []
    text = "covering one part after another"
    for batch in in_batches(len(regions), OCCLUSION_BATCH_SIZE, text, quiet):
        covered = np.array([cover(image, region, color) for region in regions[batch]])
        outputs.append(predict(covered))
    probabilities = np.concatenate([part for part, _ in outputs])
    activity = np.concatenate([part for _, part in outputs])
    change = np.abs(probabilities[:, label] - uncovered[0, label])
    strongest = regions[int(change.argmax())]
    rows, columns = positions(image, per_side)
    shape = len(rows), len(columns)
    return Occlusion(
        covered=cover(image, strongest, color),
        occluder=strongest,
        probability=probabilities[:, label].reshape(shape),
        predicted=probabilities.argmax(1).reshape(shape),
        feature_map=feature_map,
        activity=activity.reshape(shape),
        baseline=float(baseline[0]),
    )


def affordable_positions(predict: PredictAndWatch, image: ImageArray) -> int:
    """Return how many positions per side can be tried in MAX_SECONDS; one batch is timed."""
    began = time.monotonic()
    predict(np.repeat(image[None], OCCLUSION_BATCH_SIZE, axis=0))
    seconds = (time.monotonic() - began) / OCCLUSION_BATCH_SIZE  # for a position
    affordable = math.isqrt(int(MAX_SECONDS / max(seconds, 1e-9)))
    return max(MIN_POSITIONS_PER_SIDE, min(POSITIONS_PER_SIDE, affordable))


def positions(image: ImageArray, per_side: int) -> tuple[range, range]:
    """Return the rows and the columns at which the occluder is centred."""
    height, width, _ = image.shape
    step = max(1, math.ceil(max(height, width) / per_side))
    return range(step // 2, height, step), range(step // 2, width, step)


def occluders(image: ImageArray, per_side: int) -> list[Region]:
    """Return the occluder's region at each position, row by row."""
    side = round(max(image.shape[:2]) / SIDE_RATIO)
    rows, columns = positions(image, per_side)
    return [square(image, row, column, side) for row in rows for column in columns]


def square(image: ImageArray, row: int, column: int, side: int) -> Region:
    """Return the square centred at a pixel, cut off at the image's edges."""
    top, left = row - side // 2, column - side // 2
    height, width = image.shape[:2]
    return max(0, top), max(0, left), min(height, top + side), min(width, left + side)


def cover(image: ImageArray, region: Region, color: int) -> ImageArray:
    """Return a copy of the image in which the region has one colour, 0 to 255."""
    copy = image.copy()
    top, left, bottom, right = region
    copy[top:bottom, left:right] = color
    return copy
