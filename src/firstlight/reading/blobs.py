"""A blob: a piece of ink cut out of the picture. It may be a digit, part of one, or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.reading import components

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Blob:
    """Ink (h, w), 0..1, with grey edges; its top left corner lies at (x, y) of the picture."""

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
    def longest_side(self) -> int:
        return max(self.height, self.width)

    @property
    def center(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def mass(self) -> float:
        """The sum of its ink: its area in pixels, with grey pixels counted in part."""
        return float(self.ink.sum())

    @cached_property
    def stroke_width(self) -> float:
        """The width of the pen's strokes, in pixels."""
        return median_stroke_width(self.ink)

    @cached_property
    def is_dash(self) -> bool:
        """Whether it is a dash, level or slanted: wide, and one stroke thick in most columns."""
        if self.width <= 1.5 * self.height:
            return False
        mask = self.ink >= 0.5
        mask = mask[:, mask.any(axis=0)]
        extents = self.height - mask.argmax(axis=0) - mask[::-1].argmax(axis=0)
        return bool(np.percentile(extents, 75) < 2 * self.stroke_width)


class Box(NamedTuple):
    """A rectangle in pixels of the working picture."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, blob: Blob) -> "Box":
        return cls(blob.x, blob.y, blob.width, blob.height)


def merge(blobs: Sequence[Blob]) -> Blob:
    """Return one blob that holds the ink of all."""
    if len(blobs) == 1:
        return blobs[0]
    x, y = min(blob.x for blob in blobs), min(blob.y for blob in blobs)
    right, bottom = max(blob.right for blob in blobs), max(blob.bottom for blob in blobs)
    ink = np.zeros((bottom - y, right - x), np.float32)
    for blob in blobs:
        part = ink[blob.y - y : blob.bottom - y, blob.x - x : blob.right - x]
        np.maximum(part, blob.ink, out=part)
    return Blob(x, y, ink)


def trim(blob: Blob) -> Blob:
    """Return the blob without the empty rows and columns around it."""
    mask = blob.ink >= 0.5
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Blob(blob.x, blob.y, blob.ink[:0, :0])
    ink = blob.ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Blob(blob.x + int(columns[0]), blob.y + int(rows[0]), ink)


def median_stroke_width(ink: Floats) -> float:
    """Return the width of the pen in pixels; 0 if there is no ink.

    Through each pixel of ink runs a stretch of ink along its row and one along its column. The
    shorter of the two is about as long as the stroke is wide; the result is the median.
    """
    mask = ink >= 0.5
    if not mask.any():
        return 0.0
    shorter = np.minimum(run_lengths(mask), run_lengths(mask.T).T)
    return float(np.median(shorter[mask]))


def run_lengths(mask: Mask) -> NDArray[np.int64]:
    """Return for each pixel of the mask (h, w) how long its run of True in its row is, else 0."""
    lengths = np.zeros(mask.shape, np.int64)
    run_length = components.segments(mask).length
    lengths[mask] = np.repeat(run_length, run_length)
    return lengths
