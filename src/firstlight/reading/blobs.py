"""A blob: a piece of ink cut out of the picture, that may be a digit, a part of one, or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from firstlight.reading import components

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Blob:
    """Ink (h, w), 0..1, with grey edges; its left top corner lies at (x, y) of the picture."""

    x: int
    y: int
    ink: Floats

    @property
    def height(self) -> int:
        return int(self.ink.shape[0])

    @property
    def width(self) -> int:
        return int(self.ink.shape[1])

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def amount(self) -> float:
        """How much ink, in pixels."""
        return float(self.ink.sum())

    @cached_property
    def pen(self) -> float:
        """The width of the strokes, in pixels."""
        return stroke(self.ink)

    @cached_property
    def flat(self) -> bool:
        """A dash, level or rising: wide, and with nothing above anything."""
        columns = (self.ink >= 0.5).T
        extent = [np.ptp(np.flatnonzero(column)) + 1 for column in columns if column.any()]
        thin = bool(np.percentile(extent, 75) < 2 * self.pen)
        return thin and self.width > 1.5 * self.height


def joined(blobs: Sequence[Blob]) -> Blob:
    if len(blobs) == 1:
        return blobs[0]
    x, y = min(blob.x for blob in blobs), min(blob.y for blob in blobs)
    right, bottom = max(blob.right for blob in blobs), max(blob.bottom for blob in blobs)
    ink = np.zeros((bottom - y, right - x), np.float32)
    for blob in blobs:
        part = ink[blob.y - y : blob.bottom - y, blob.x - x : blob.right - x]
        np.maximum(part, blob.ink, out=part)
    return Blob(x, y, ink)


def trimmed(blob: Blob) -> Blob:
    """Without the empty rows and columns around it."""
    rows, columns = (np.flatnonzero((blob.ink >= 0.5).any(axis)) for axis in (1, 0))
    if not len(rows):
        return Blob(blob.x, blob.y, blob.ink[:0, :0])
    ink = blob.ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Blob(blob.x + int(columns[0]), blob.y + int(rows[0]), ink)


def stroke(ink: Floats) -> float:
    """The width of the pen, in pixels: the median, over the ink, of the shorter run through it."""
    mask = ink >= 0.5
    if not mask.any():
        return 0.0
    shorter = np.minimum(run_lengths(mask), run_lengths(mask.T).T)
    return float(np.median(shorter[mask]))


def run_lengths(mask: Mask) -> NDArray[np.int64]:
    """For each pixel of the mask the length of the run along its row that it is in: (h, w)."""
    found = components.runs(mask)
    length = found.end - found.start
    lengths = np.zeros(mask.shape, np.int64)
    lengths[mask] = np.repeat(length, length)
    return lengths
