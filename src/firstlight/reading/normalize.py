"""Normalises a digit as MNIST's were: the network was trained on such images.

MNIST's digits were scaled to fit into 20×20 pixels with their aspect ratio kept, which left grey
edges. Then they were placed into 28×28 so that their centre of mass is in the middle. Strokes are
light, 2 to 3 pixels wide, on paper that is exactly 0. (LeCun and others 1998, section III.A)
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.reading.blobs import Blob, median_stroke_width
from firstlight.reading.ink import odd, sliding_extremum

IMAGE_SIDE, BOX_SIDE = 28, 20  # pixels
OVERSAMPLING = 4  # everything is done on pixels a quarter as wide, and 4×4 are averaged at the end
MIN_STROKE_WIDTH = 2.0  # pixels of the 28×28 image; nine in ten of MNIST's digits have more

Floats = NDArray[np.float32]


def normalize(blob: Blob) -> NDArray[np.uint8]:
    """Return the blob as an image (28, 28, 1), 0..255."""
    ink = fit_to_box(widen_hairlines(blob.ink, blob.stroke_width))
    fine = center_by_mass(thicken(ink))
    coarse = fine.reshape(IMAGE_SIDE, OVERSAMPLING, IMAGE_SIDE, OVERSAMPLING).mean((1, 3))
    return np.asarray((coarse * 255).round().clip(0, 255), np.uint8)[..., None]


def widen_hairlines(ink: Floats, stroke_width: float) -> Floats:
    """Widen strokes that averaging would turn grey, to two pixels of the oversampled image."""
    reduction = max(ink.shape) / (BOX_SIDE * OVERSAMPLING)
    if stroke_width >= 2 * reduction:
        return ink
    return sliding_extremum(ink, odd(int(2 * reduction)), np.maximum)


def fit_to_box(ink: Floats) -> Floats:
    """Scale the longer side to 80 pixels (20 oversampled), by averaging areas."""
    height, width = ink.shape
    factor = BOX_SIDE * OVERSAMPLING / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    picture = Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32).clip(0, 1)


def thicken(ink: Floats) -> Floats:
    """Thicken a thin pen's strokes to MIN_STROKE_WIDTH with a disc, and fit them to the box again.

    This is a greyscale dilation: every pixel gets the maximum of a disc around it.
    """
    radius = round((MIN_STROKE_WIDTH * OVERSAMPLING - median_stroke_width(ink)) / 2)
    if radius < 1:
        return ink
    padded = np.pad(ink, 2 * radius)
    dilated = np.zeros_like(padded[radius:-radius, radius:-radius])
    height, width = dilated.shape
    for dy in range(-radius, radius + 1):
        reach = round((radius**2 - dy**2) ** 0.5)
        for dx in range(-reach, reach + 1):
            top, left = radius + dy, radius + dx
            shifted = padded[top : top + height, left : left + width]
            np.maximum(dilated, shifted, out=dilated)
    return fit_to_box(dilated)


def center_by_mass(ink: Floats) -> Floats:
    """Place ink into 112×112 pixels, with its centre of mass as near to the middle as possible."""
    side = IMAGE_SIDE * OVERSAMPLING
    frame = np.zeros((side, side), np.float32)
    height, width = ink.shape
    mass = float(ink.sum()) or 1.0
    x = float(ink.sum(axis=0) @ np.arange(0.5, width)) / mass
    y = float(ink.sum(axis=1) @ np.arange(0.5, height)) / mass
    left = min(max(round(side / 2 - x), 0), side - width)
    top = min(max(round(side / 2 - y), 0), side - height)
    frame[top : top + height, left : left + width] = ink
    return frame
