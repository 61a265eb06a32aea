"""Finds the ink that may be a digit and was not read, so that nothing is lost without a word.

Ink is not read where no line was found, and where the networks see no digit in a line. Most of it
is no digit. What is as high as the digits that were read may be one.
"""

from collections.abc import Sequence

import numpy as np

from firstlight.reading import locate
from firstlight.reading.blobs import Blob, Box
from firstlight.reading.recognition import Recognition, is_digit, recognize
from firstlight.reading.recognizer import Recognizer

MIN_RELATIVE_HEIGHT, MAX_RELATIVE_HEIGHT = 0.5, 2.0  # of what may be a digit, to those read
MIN_SMALL_HEIGHT = 0.15  # the same, for what the recogniser has to take for a digit too
MIN_WIDTH = 0.1  # over the height of the digits that were read: the edge of a shadow has less
MIN_OVERLAP = 0.5  # of the smaller of two boxes: their ink has been looked at together


def find_unread(
    marks: locate.Marks, lines: Sequence[list[Recognition]], network: Recognizer
) -> list[Box]:
    """Return the boxes of the ink that may be a digit and was not read."""
    heights = [each.blob.height for line in lines for each in line if is_digit(each, network)]
    if not heights:
        return []
    height = float(np.median(heights))
    in_lines = [
        each.blob
        for line in lines
        for each in line
        if not is_digit(each, network) and is_as_high(each.blob.height, height)
    ]
    looked_at = [each.blob for line in lines for each in line]
    elsewhere = [
        each.blob
        for each in recognize(left_out(marks, looked_at, height), network)
        if is_digit(each, network) and each.probabilities.max() >= network.threshold
    ]
    return [*map(Box.of, (*in_lines, *elsewhere)), *too_many(marks, height)]


def left_out(marks: locate.Marks, looked_at: Sequence[Blob], height: float) -> list[Blob]:
    """Return the marks outside the lines that the recogniser decides about.

    Args:
        looked_at: what was looked at in the lines.
        height: of the digits that were read.
    """
    # A shadow in a line must not hide the digits that lie in its box.
    seen = [Box.of(blob) for blob in looked_at if blob.height <= MAX_RELATIVE_HEIGHT * height]
    return [
        blob
        for blob, _ in marks.blobs
        if is_as_high(blob.height, height, MIN_SMALL_HEIGHT)
        and blob.width >= MIN_WIDTH * height
        and not blob.is_dash
        and not any(overlap(Box.of(blob), other) > MIN_OVERLAP for other in seen)
        and locate.without_frame(blob) == [blob]  # a box or a line with nothing in it is no digit
    ]


def too_many(marks: locate.Marks, height: float) -> list[Box]:
    """Return the marks of about a digit's height that were too many to be looked at."""
    boxes = [Box(x, y, right - x, bottom - y) for x, y, right, bottom in marks.others.tolist()]
    return [box for box in boxes if is_as_high(box.height, height)]


def is_as_high(height: int, digit_height: float, least: float = MIN_RELATIVE_HEIGHT) -> bool:
    return least <= height / digit_height <= MAX_RELATIVE_HEIGHT


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share, as a fraction of the smaller one's."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    smaller = min(one.width * one.height, other.width * other.height)
    return max(0, width) * max(0, height) / smaller
