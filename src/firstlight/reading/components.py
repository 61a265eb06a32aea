"""Connected components: which pixels of a mask hang together, corners included.

A mask is first cut into runs, the unbroken stretches of its rows. Runs are far fewer than pixels,
and all that follows is arithmetic on their starts and ends.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Runs(NamedTuple):
    """Row by row, left to right; a run is [start, end) in its row."""

    row: Ints
    start: Ints
    end: Ints


def runs(mask: Mask) -> Runs:
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    change = np.diff(padded.ravel())
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    row = starts // (width + 2)
    return Runs(row, starts - row * (width + 2), ends - row * (width + 2))


def label(mask: Mask) -> tuple[NDArray[np.int32], Ints]:
    """The component of each pixel, and where each component lies.

    Returns:
        (h, w): 0 outside the mask, 1..n in it; (n, 4): left, top, right, bottom, the latter two
        one past the last pixel.
    """
    found = runs(mask)
    of_run = _connected(found, mask.shape[1])
    names, of_run = np.unique(of_run, return_inverse=True)
    boxes = np.empty((len(names), 4), np.int64)
    boxes[:, :2], boxes[:, 2:] = max(mask.shape), 0
    for column, limit, best in (
        (0, found.start, np.minimum),
        (1, found.row, np.minimum),
        (2, found.end, np.maximum),
        (3, found.row + 1, np.maximum),
    ):
        best.at(boxes[:, column], of_run, limit)
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = np.repeat(of_run + 1, found.end - found.start)  # runs come in the pixels' order
    return labels, boxes


def _connected(found: Runs, width: int) -> Ints:
    """For each run the first run of its component."""
    above, below = _touching(found, width)
    root = np.arange(len(found.row))
    while True:
        before = root.copy()
        least = np.minimum(root[above], root[below])
        for side in (above, below):  # hook both runs, and the roots they had, to the lesser root
            np.minimum.at(root, before[side], least)
        root = root[root]
        if (root == before).all():
            return root


def _touching(found: Runs, width: int) -> tuple[Ints, Ints]:
    """All pairs of runs in neighbouring rows that share a column or a corner."""
    row = width + 2  # so far apart in the flat picture that rows cannot touch sideways
    start, end = found.row * row + found.start, found.row * row + found.end
    first = np.searchsorted(end, start + row, "left")
    last = np.searchsorted(start, end + row, "right")
    count = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(start)), count)
    place = np.arange(len(above)) - np.repeat(np.cumsum(count) - count, count)
    return above, np.repeat(first, count) + place
