"""Connected components: which pixels of a mask belong together, touching corners included.

A mask is first cut into segments, the unbroken stretches of pixels in its rows. There are far fewer
segments than pixels, and everything that follows is arithmetic on their starts and ends.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Segments(NamedTuple):
    """Row by row, from left to right; a segment covers the columns [start, end) of its row."""

    row: Ints
    start: Ints
    end: Ints

    @property
    def length(self) -> Ints:
        return self.end - self.start


def segments(mask: Mask) -> Segments:
    """Return the unbroken stretches of True in the rows of a mask (h, w)."""
    height, width = mask.shape
    padded_width = width + 2  # a False on either side keeps the rows apart when flattened
    padded = np.zeros((height, padded_width), bool)
    padded[:, 1:-1] = mask
    pixels = padded.ravel()
    edges = np.flatnonzero(pixels[1:] != pixels[:-1])  # from False to True and back, in turn
    starts, ends = edges[::2], edges[1::2]
    row = starts // padded_width
    return Segments(row, starts - row * padded_width, ends - row * padded_width)


def label(mask: Mask) -> tuple[NDArray[np.int32], Ints]:
    """Return the component of each pixel of a mask (h, w), and the components' boxes.

    Pixels belong together if they share a side or a corner (8-connectivity).

    Returns:
        labels (h, w): 0 outside the mask, 1..n in it;
        boxes (n, 4): left, top, right, bottom. Right and bottom are one past the last pixel.
    """
    parts = segments(mask)
    roots = _roots(parts, mask.shape[1])
    root_of_component, component = np.unique(roots, return_inverse=True)
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = np.repeat(component + 1, parts.length)  # segments are in the pixels' order
    return labels, _boxes(parts, component, len(root_of_component))


def _boxes(parts: Segments, component: Ints, count: int) -> Ints:
    """Return left, top, right, bottom of each component, (count, 4)."""
    largest = np.iinfo(np.int64).max
    boxes = np.tile(np.array([largest, largest, 0, 0]), (count, 1))
    np.minimum.at(boxes[:, 0], component, parts.start)
    np.minimum.at(boxes[:, 1], component, parts.row)
    np.maximum.at(boxes[:, 2], component, parts.end)
    np.maximum.at(boxes[:, 3], component, parts.row + 1)
    return boxes


def _roots(parts: Segments, width: int) -> Ints:
    """Return for each segment the number of the first segment of its component.

    Each segment points to a segment of its component that has the same number or a lower one, at
    first to itself. In each round, two segments that touch are pointed to the lower of the two that
    they point to, and so are those two. Then every segment is pointed to where its target points.
    """
    upper, lower = _touching_pairs(parts, width)
    root = np.arange(len(parts.row))
    while True:
        before = root.copy()
        lowest = np.minimum(root[upper], root[lower])
        for side in (upper, lower):
            np.minimum.at(root, before[side], lowest)
        root = root[root]
        if (root == before).all():
            return root


def _touching_pairs(parts: Segments, width: int) -> tuple[Ints, Ints]:
    """Return all pairs of segments in neighbouring rows that share a column or a corner.

    Returns:
        two arrays of the same length: numbers of the upper and of the lower segment.
    """
    row_length = width + 2  # rows laid end to end, with space so that they do not touch sideways
    start = parts.row * row_length + parts.start
    end = parts.row * row_length + parts.end
    # The segments below number i that touch it are first[i], first[i] + 1, ..., last[i] - 1.
    first = np.searchsorted(end, start + row_length, "left")
    last = np.searchsorted(start, end + row_length, "right")
    count = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(start)), count)
    pairs_before = np.cumsum(count) - count
    position = np.arange(len(upper)) - np.repeat(pairs_before, count)
    return upper, np.repeat(first, count) + position
