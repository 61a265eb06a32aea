"""A digit as those of MNIST were made: what a network has learned on is what it must be shown.

MNIST's digits were fitted into 20×20 pixels with their aspect kept, which left grey edges, and laid
into 28×28 so that the centre of their mass is in the middle; light strokes, 2 to 3 pixels wide, on
a paper that is exactly 0.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.reading.blobs import Blob, stroke
from firstlight.reading.ink import slide

SIDE, BOX = 28, 20
FINE = 4  # work at four times the size: edges get their grey from the average of 4×4
THINNEST = 2.0  # pixels of the 28: nine in ten of MNIST's digits have broader strokes

Floats = NDArray[np.float32]


def normalize(blob: Blob) -> NDArray[np.uint8]:
    """Ink (h, w), 0..1 → image (28, 28, 1), 0..255."""
    ink = thickened(fitted(without_hairlines(blob.ink, blob.pen)))
    fine = centered(ink)
    coarse = fine.reshape(SIDE, FINE, SIDE, FINE).mean((1, 3))
    return np.asarray((coarse * 255).round().clip(0, 255), np.uint8)[..., None]


def without_hairlines(ink: Floats, pen: float) -> Floats:
    """Strokes that averaging would leave grey are first made as broad as two fine pixels."""
    shrinking = max(ink.shape) / (BOX * FINE)
    return slide(ink, int(2 * shrinking) | 1, np.maximum) if pen < 2 * shrinking else ink


def fitted(ink: Floats) -> Floats:
    """The longer side made 80 fine pixels, by averaging areas."""
    height, width = ink.shape
    by = BOX * FINE / max(height, width)
    size = max(1, round(width * by)), max(1, round(height * by))
    picture = Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32).clip(0, 1)


def thickened(ink: Floats) -> Floats:
    """A thin pen's strokes broadened to what MNIST has at least, and fitted again."""
    radius = round((THINNEST * FINE - stroke(ink)) / 2)
    if radius < 1:
        return ink
    padded = np.pad(ink, 2 * radius)
    broad = np.zeros_like(padded[radius:-radius, radius:-radius])
    for dy in range(-radius, radius + 1):
        reach = round((radius**2 - dy**2) ** 0.5)  # a disc, as a pen's tip is
        for dx in range(-reach, reach + 1):
            rows, columns = radius + dy, radius + dx
            shifted = padded[rows : rows + broad.shape[0], columns : columns + broad.shape[1]]
            np.maximum(broad, shifted, out=broad)
    return fitted(broad)


def centered(ink: Floats) -> Floats:
    """Into 112×112 with the centre of mass in the middle, as far as the frame allows."""
    frame = np.zeros((SIDE * FINE, SIDE * FINE), np.float32)
    height, width = ink.shape
    mass = float(ink.sum()) or 1.0
    x = float(ink.sum(0) @ np.arange(0.5, width)) / mass
    y = float(ink.sum(1) @ np.arange(0.5, height)) / mass
    left = min(max(round(SIDE * FINE / 2 - x), 0), SIDE * FINE - width)
    top = min(max(round(SIDE * FINE / 2 - y), 0), SIDE * FINE - height)
    frame[top : top + height, left : left + width] = ink
    return frame
