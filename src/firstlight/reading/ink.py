"""Finds the ink: removes paper, uneven light and shadows; ink may be dark or light.

    grey (h, w) uint8  →  contrast (h, w) float32: about 0 on paper, 1 for black on white. The line
                          reader takes it as it is; for blobs, what may be the paper's grain is 0

The paper is what remains when dark strokes are filled in. A morphological closing does this: its
window is wider than any stroke, and what is wider than the window keeps its shape. Shadows and the
table beside the sheet are wider than the window; pen strokes are not.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]

POLARITY_SIDE, PAPER_SIDE = 256, 600  # pixels to which a picture is reduced for each estimate
MIN_CLEAR_SKEWNESS = 1.5  # sum over four scales; below it, both polarities are tried
MIN_CONTRAST = 0.07  # to the paper; ink has more, a hard pencil 0.15
GRAIN_SAMPLES = 64  # along each side of a tile in which the grain is measured
GRAIN_DEVIATIONS = 4  # ink differs from the paper by more than this times the grain's deviation


class Ink(NamedTuple):
    """The ink of a picture."""

    measured: Floats  # (h, w): contrast to the paper under it, with the paper's grain around 0
    contrast: Floats  # (h, w), 0..1: the same, and 0 where it is no more than grain


def find_ink(grey: Grey, dark_on_light: bool) -> Ink:
    """Return the contrast of each pixel to the paper under it."""
    dark_ink = grey if dark_on_light else 255 - grey
    return contrast_to_paper(dark_ink, estimate_paper(dark_ink))


def polarities(grey: Grey) -> list[bool]:
    """Return whether ink is dark on light (True) or light on dark (False).

    If that is unclear, both are returned, the more likely one first.

    Ink is rarer than the paper around it, so the distribution of grey values has its long tail on
    the ink's side, at some scale. Scales from a pen stroke to the whole picture are added up: at
    large scales, the table around the sheet and shadows count too, and can outweigh a pencil. First
    the picture is continued beyond its frame. In a tight crop there can be more ink than paper, but
    the frame mostly touches paper.
    """
    small = _shrink(grey, POLARITY_SIDE)
    side = min(small.shape)
    padded = Image.fromarray(np.pad(small, side // 3, "edge"))
    skewness = sum(local_skewness(padded, side / divisor) for divisor in (16, 8, 4, 1))
    likely = skewness <= 0
    return [likely] if abs(skewness) > MIN_CLEAR_SKEWNESS else [likely, not likely]


def local_skewness(picture: Image.Image, window: float) -> float:
    """Return the skewness of the differences to the mean of a window; negative if dark is rare."""
    mean = picture.filter(ImageFilter.BoxBlur(window / 2))
    difference = np.asarray(picture, np.float32) - np.asarray(mean)
    return float((difference**3).mean() / ((difference**2).mean() ** 1.5 + 1e-6))


def estimate_paper(grey: Grey) -> Grey:
    """Return the paper under the dark strokes, (h, w): grey, closed with a window wider than they.

    It is computed on a reduced picture.
    """
    small = _shrink(grey, PAPER_SIDE)
    window = closing_window(grey.shape, small.shape)
    margin = window // 2
    # Without a margin, a dark edge of the picture would be taken for ink.
    padded = np.pad(small, margin, "edge")
    dilated = sliding_extremum(padded, window, np.maximum)
    closed = sliding_extremum(dilated, window, np.minimum)[margin:-margin, margin:-margin]
    if small.shape != grey.shape:
        # A pixel here covers several pixels of the picture. At the edge of a shadow, paper that is
        # too dark is better than false ink.
        closed = sliding_extremum(closed, 3, np.minimum)
    height, width = grey.shape
    return np.asarray(Image.fromarray(closed).resize((width, height), Image.Resampling.BILINEAR))


def closing_window(shape: tuple[int, ...], small_shape: tuple[int, ...]) -> int:
    """Return the side of the closing's window in pixels of the reduced picture: odd, at least 3.

    It is a third of the picture's shorter side, because some people write with a broad felt pen.
    In a picture as small as one digit it is the whole side, because there a stroke can be half as
    broad as the picture.
    """
    side = max(min(shape) / 3, min(*shape, 128))
    return max(3, odd(round(side * small_shape[0] / shape[0])))


def odd(number: int) -> int:
    """Return the number if it is odd, else the next larger one."""
    return number // 2 * 2 + 1


def contrast_to_paper(grey: Grey, paper: Grey) -> Ink:
    """Return how much darker than the paper each pixel is, as a fraction of the paper's brightness.

    The second result is 0 where the difference is no larger than the paper's own grain.
    """
    brightness = np.maximum(paper, 32).astype(np.float32)
    measured = (brightness - grey) / brightness
    mean, deviation = estimate_grain(measured)
    measured -= mean
    is_ink = measured >= np.maximum(MIN_CONTRAST, GRAIN_DEVIATIONS * deviation)
    return Ink(measured, np.where(is_ink, measured, np.float32(0)))


def estimate_grain(contrast: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the paper's texture and the camera's noise.

    Both are (h, w). They are measured tile by tile on the lighter half of the pixels, which is
    paper in any case. Dark parts of a photograph are noisier than light ones.
    """
    height, width = contrast.shape
    side = closing_window(contrast.shape, contrast.shape)
    rows, columns = max(1, height // side), max(1, width // side)
    percentiles = np.empty((2, rows, columns), np.float32)
    some = max(1, side // GRAIN_SAMPLES)
    for row, band in enumerate(np.array_split(contrast[::some, ::some], rows)):
        for column, tile in enumerate(np.array_split(band, columns, axis=1)):
            percentiles[:, row, column] = np.percentile(tile, (5, 25))
    low, middle = (interpolated(tiles, height, width) for tiles in percentiles)
    # In a normal distribution, the 5th and 25th percentiles are 1.64 and 0.67 deviations below the
    # mean, so they are about one deviation apart.
    deviation = middle - low
    return middle + 0.67 * deviation, deviation


def interpolated(tiles: Floats, height: int, width: int) -> Floats:
    """Return the values of tiles for each pixel (h, w), linear between the tiles' middles."""
    picture = Image.fromarray(tiles)  # a matrix product would be split among threads, which wait
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def sliding_extremum(array: NDArray[Any], window: int, extremum: np.ufunc) -> NDArray[Any]:
    """Return np.maximum or np.minimum over a window×window square around every pixel.

    The extremum over two pixels gives that over four, and so on: each is the extremum of two that
    lie beside each other. So a window of n pixels takes about log2(n) passes over the array.
    """
    before, behind = window // 2, window - 1 - window // 2
    array = np.pad(array, (before, behind), "edge")
    for axis in (0, 1):
        length = array.shape[axis] - window + 1  # of the result
        width = 1  # pixels that each value of the array now stands for
        while 2 * width <= window:
            array = _extremum_of_two(array, width, array.shape[axis] - width, axis, extremum)
            width *= 2
        array = _extremum_of_two(array, window - width, length, axis, extremum)
    return array


def _extremum_of_two(
    array: NDArray[Any], distance: int, length: int, axis: int, extremum: np.ufunc
) -> NDArray[Any]:
    """Return the extremum of each of the first `length` values and that at a distance behind it."""
    first, second = slice(length), slice(distance, distance + length)
    if axis == 0:
        return np.asarray(extremum(array[first], array[second]))
    return np.asarray(extremum(array[:, first], array[:, second]))


def _shrink(grey: Grey, longest_side: int) -> Grey:
    """Reduce a picture by averaging areas: its longer side gets at most `longest_side` pixels."""
    factor = longest_side / max(grey.shape)
    if factor >= 1:
        return grey
    height, width = grey.shape
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
