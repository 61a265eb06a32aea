"""A strip: a line of writing in the form that the line reader takes, and where it was cut out.

contrast to the paper (32, width)  →  pixels (32, width) uint8, in units of the strip's own ink
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.reading.blobs import Blob

Floats = NDArray[np.float32]

STRIP_HEIGHT = 32  # pixels
COLUMNS_PER_STEP = 4  # of the strip, for each of the line reader's outputs
LOWEST, HIGHEST = -0.25, 1.25  # contrasts over the ink's, as pixels 0 and 255; grain may be light
MIN_INK = 0.04  # the least contrast that counts as ink's: grain alone must not become black
INK_PERCENTILE = 99.0
PAPER_PIXEL = int(255 * LOWEST / (LOWEST - HIGHEST) + 0.5)  # what paper without grain becomes
MARGIN, MARGIN_BESIDE = 0.08, 0.6  # above and below a digit's ink, and beside it, over its height
MAX_ASPECT = 40  # width over height
MIN_WIDTH = 16  # columns of a strip


@dataclass(frozen=True, eq=False)
class Strip:
    """A line's pixels, and how its columns and rows lie in the picture."""

    pixels: NDArray[np.uint8]  # (32, width)
    x: float = 0.0  # the picture's column at the strip's left side,
    y: float = 0.0  # and its row at the top
    scale: float = 1.0  # pixels of the picture per pixel of the strip
    slope: float = 0.0  # rows of the picture per column


def strip_pixels(contrast: NDArray[Any]) -> NDArray[np.uint8]:
    """Return contrasts (..., 32, width) as pixels: paper about PAPER_PIXEL, ink about 212."""
    ink = np.percentile(contrast, INK_PERCENTILE, axis=(-2, -1), keepdims=True)
    relative = np.clip(contrast / np.maximum(ink, MIN_INK), LOWEST, HIGHEST)
    return np.asarray((relative - LOWEST) * (255 / (HIGHEST - LOWEST)) + 0.5, np.uint8)


@dataclass(frozen=True)
class Area:
    """The part of a picture that becomes a strip, in the picture's pixels; it may be slanted."""

    left: float
    right: float
    middle: float  # a column, and the area's top in this column
    top: float
    height: float
    slope: float = 0.0  # rows per column

    def contains(self, x: float, y: float) -> bool:
        """Return whether a point of the picture is in it."""
        below_top = y - self.top - self.slope * (x - self.middle)
        return self.left <= x <= self.right and 0 <= below_top <= self.height


def cut_area(contrast: Floats, area: Area) -> Strip:
    """Cut an area out of a picture's measured contrast (h, w), and make it level."""
    rows, columns = contrast.shape
    left, right = max(0.0, area.left), min(float(columns), area.right)
    top, bottom = area.top, area.top + area.height
    if not area.slope:
        top, bottom = max(0.0, top), min(float(rows), bottom)
    height = max(2.0, bottom - top)
    width = max(1.0, min(right - left, MAX_ASPECT * height))
    steps = round(max(MIN_WIDTH, width * STRIP_HEIGHT / height) / COLUMNS_PER_STEP)
    across = COLUMNS_PER_STEP * steps
    first = top + area.slope * (left - area.middle)
    level = level_area(contrast, (left, first), area.slope, (round(width), round(height)))
    reduced = level.resize((across, STRIP_HEIGHT), Image.Resampling.BILINEAR)
    return Strip(strip_pixels(np.asarray(reduced)), left, first, width / across, area.slope)


def cut_digit(contrast: Floats, parts: Sequence[Blob]) -> Strip:
    """Cut one digit out of a picture's measured contrast (h, w).

    What is around its parts is in the strip too: the line reader judges it, not a rule.
    """
    left, right = min(part.x for part in parts), max(part.right for part in parts)
    top, bottom = min(part.y for part in parts), max(part.bottom for part in parts)
    height = bottom - top
    area = Area(
        left=left - MARGIN_BESIDE * height,
        right=right + MARGIN_BESIDE * height,
        middle=(left + right) / 2,
        top=top - MARGIN * height,
        height=(1 + 2 * MARGIN) * height,
    )
    return cut_area(contrast, area)


def level_area(
    contrast: Floats, corner: tuple[float, float], slope: float, size: tuple[int, int]
) -> Image.Image:
    """Return an area whose rows go down by `slope` per column, outside the picture as its border.

    Args:
        corner: its left upper corner; size: its width and height; all in pixels of the picture.
    """
    columns = (round(corner[0]) + np.arange(size[0])).clip(0, contrast.shape[1] - 1)
    if not slope:
        rows = (round(corner[1]) + np.arange(size[1])).clip(0, contrast.shape[0] - 1)
        return Image.fromarray(contrast[rows][:, columns])
    start = corner[1] + slope * np.arange(size[0])
    rows = (start.round().astype(np.int64) + np.arange(size[1])[:, None]).clip(
        0, contrast.shape[0] - 1
    )
    return Image.fromarray(contrast[rows, columns])
