"""A strip: a line of writing in the form that the line reader takes.

    contrast to the paper (32, width), as measured  →  pixels uint8, in units of the strip's own ink
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

STRIP_HEIGHT = 32  # pixels
LOWEST, HIGHEST = -0.25, 1.25  # contrasts, in units of the ink's; grain is lighter than the paper too
MIN_INK = 0.04  # contrast; a strip without ink must not be enhanced without limit
INK_PERCENTILE = 99.0
PAPER_PIXEL = round(255 * LOWEST / (LOWEST - HIGHEST))  # what paper without grain becomes


def strip_pixels(contrast: NDArray[Any]) -> NDArray[np.uint8]:
    """Return contrasts (..., 32, width) as pixels: paper about PAPER_PIXEL, ink about 212."""
    ink = np.percentile(contrast, INK_PERCENTILE, axis=(-2, -1), keepdims=True)
    relative = np.clip(contrast / np.maximum(ink, MIN_INK), LOWEST, HIGHEST)
    return np.asarray((relative - LOWEST) * (255 / (HIGHEST - LOWEST)) + 0.5, np.uint8)
