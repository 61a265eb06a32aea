"""Seams: paths from the top of a line's ink to its bottom, along which it is cut.

The cheapest path goes through the least ink. It is found by dynamic programming, row by row.
"""

import numpy as np
from numpy.typing import NDArray

from firstlight.reading.blobs import Blob, trim

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PAPER_COST = 0.02  # for each step of a seam, as ink, also on paper: shorter seams are cheaper
STEP_ASIDE_COST = 0.02  # for each step to the side, as ink: straighter seams are cheaper


def straight_seam(ink: Blob, column: float) -> Ints:
    """Return a straight seam, (h,)."""
    return np.full(ink.height, min(max(round(column), 0), ink.width))


def seam_between(ink: Blob, left: float, right: float) -> Ints:
    """Return the columns, (h,), of the path between two columns through the least ink."""
    first = min(max(round(left), 0), ink.width - 1)
    last = min(max(round(right), first + 1), ink.width)
    between = ink.ink[:, first:last]
    empty = np.flatnonzero(~between.any(axis=0))
    if len(empty):  # most digits do not touch
        return straight_seam(ink, first + float(empty[len(empty) // 2]))
    costs, steps = cheapest_paths(between + np.float32(PAPER_COST))
    return first + trace_path(steps, int(costs.argmin()))


def part_between(blob: Blob, left: Ints, right: Ints) -> Blob:
    """Return the ink in the columns from `left` up to, not including, `right`; both (h,)."""
    first, last = int(left.min()), int(right.max())
    columns = np.arange(first, last)
    inside = (columns >= left[:, None]) & (columns < right[:, None])
    return trim(Blob(blob.x + first, blob.y, blob.ink[:, first:last] * inside))


def cheapest_paths(cost: Floats) -> tuple[Floats, Ints]:
    """Find the cheapest path from each column of the first row to the last row of (h, w).

    A path goes down one row a step, and at most one column to the side.

    Returns:
        the costs of the paths, (w,);
        the steps, (h - 1, w): for each pixel the column of the path's pixel in the next row.
    """
    height, width = cost.shape
    total = cost[-1].copy()
    steps = np.empty((height - 1, width), np.int64)
    columns = np.arange(width)
    padded = np.full(width + 2, np.inf, np.float32)  # no path leaves the picture
    for row in range(height - 2, -1, -1):
        padded[1:-1] = total
        straight = padded[1:-1]
        left, right = padded[:-2] + STEP_ASIDE_COST, padded[2:] + STEP_ASIDE_COST
        options = np.stack([straight, left, right])
        best = options.argmin(axis=0)
        steps[row] = columns + np.array([0, -1, 1])[best]
        total = cost[row] + options[best, columns]
    return total, steps


def trace_path(steps: Ints, column: int) -> Ints:
    """Return the columns of the path, (h,), that starts in a column of the first row."""
    path = [column]
    for step in steps:
        path.append(int(step[path[-1]]))
    return np.array(path)
