"""Where the ink is: paper, lamps and shadows taken away, dark on light or light on dark.

    grey (h, w) uint8  →  contrast (h, w) float32, 0 paper, 1 black on white, to be thresholded

The paper is what remains when strokes are filled in: a morphological closing, with a window wider
than any stroke, leaves whatever is wider than the window as it is, up to its very edge. Shadows and
the table beside the sheet are wider; pens are not.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

UNCLEAR = 1.5  # lean of grey values, below which it may be to the side of the paper
FAINTEST = 0.07  # contrast to the paper, below which nothing is ink: a hard pencil has 0.15


def find(grey: Grey, dark_on_light: bool) -> Floats:
    """Contrast of every pixel to the paper under it: (h, w), 0..1, the paper's texture about 0."""
    dark_ink = grey if dark_on_light else 255 - grey
    return contrast(dark_ink, paper(dark_ink))


def ways(grey: Grey) -> list[bool]:
    """Whether ink is dark on light, or light on dark; both, the likelier first, if it is unclear.

    Ink is rarer than the paper around it, so grey values lean to its side, at some scale. The
    scales go from a pen stroke's to the whole picture's; the sheet on its table and shadows count
    at the large ones, and can outweigh a pencil. The picture is first continued beyond its frame:
    in a tight crop the ink can outweigh the paper, but most of the frame is paper.
    """
    small = _shrunk(grey, 256)
    side = min(small.shape)
    framed = Image.fromarray(np.pad(small, side // 3, "edge"))
    lean = sum(skewness(framed, side / part) for part in (16, 8, 4, 1))
    return [lean <= 0] if abs(lean) > UNCLEAR else [lean <= 0, lean > 0]


def skewness(picture: Image.Image, window: float) -> float:
    """Of the differences to the mean in a window: negative where dark is rarer than light."""
    mean = picture.filter(ImageFilter.BoxBlur(window / 2))
    difference = np.asarray(picture, np.float32) - np.asarray(mean)
    return float((difference**3).mean() / ((difference**2).mean() ** 1.5 + 1e-6))


def paper(grey: Grey) -> Grey:
    """What is under the dark strokes: grey closed with a window wider than they are."""
    small = _shrunk(grey, 600)
    size = window(grey.shape, small.shape)
    half = size // 2
    framed = np.pad(small, half, "edge")  # else a dark edge would be ink, having no other side
    filled = slide(slide(framed, size, np.maximum), size, np.minimum)[half:-half, half:-half]
    # A pixel here is several there: at a shadow's edge, rather the darker paper than false ink.
    filled = slide(filled, 3, np.minimum) if small.shape != grey.shape else filled
    height, width = grey.shape
    return np.asarray(Image.fromarray(filled).resize((width, height), Image.Resampling.BILINEAR))


def window(shape: tuple[int, ...], small: tuple[int, ...]) -> int:
    """The side of the closing's window in pixels of the shrunk picture: odd.

    A third of the picture's shorter side, for somebody writes with a broad felt pen; all of it
    if it is as small as one digit, for then strokes can be half as broad as the picture.
    """
    side = max(min(shape) / 3, min(*shape, 128))
    return max(3, round(side * small[0] / shape[0]) // 2 * 2 + 1)


def contrast(grey: Grey, paper: Grey) -> Floats:
    """How much darker than the paper, as a part of the paper's brightness; 0 where it is grain."""
    bright = np.maximum(paper, 32).astype(np.float32)
    darker = (bright - grey) / bright
    middle, spread = grain(darker)
    darker -= middle
    darker[darker < np.maximum(FAINTEST, 4 * spread)] = 0
    return darker


def grain(darker: Floats) -> tuple[Floats, Floats]:
    """The paper's texture and the camera's noise around every pixel: mean and deviation, (h, w).

    Measured tile by tile on the lighter half of the pixels, which is paper in any case. The dark
    parts of a photograph are the noisier ones.
    """
    height, width = darker.shape
    side = window(darker.shape, darker.shape)
    rows, columns = max(1, height // side), max(1, width // side)
    tiles = np.empty((2, rows, columns), np.float32)
    for row, band in enumerate(np.array_split(darker[::2], rows)):
        for column, tile in enumerate(np.array_split(band[:, ::2], columns, axis=1)):
            tiles[:, row, column] = np.percentile(tile, (5, 25))
    low, middle = (
        np.asarray(Image.fromarray(tile).resize((width, height), Image.Resampling.BILINEAR))
        for tile in tiles
    )
    spread = middle - low  # about one standard deviation; and the mean is two thirds of it away
    return middle + 0.67 * spread, spread


def slide(array: NDArray[Any], size: int, best: np.ufunc) -> NDArray[Any]:
    """np.maximum or np.minimum over a size×size window around every pixel, at any size as fast.

    Van Herk's way: cut each row into blocks of `size`, run along every block once from the left
    and once from the right; a window lies across two blocks, and its best is the better of two.
    """
    for _ in range(2):
        array = _slide_columns(array, size, best).T
    return np.ascontiguousarray(array)


def _slide_columns(array: NDArray[Any], size: int, best: np.ufunc) -> NDArray[Any]:
    height, width = array.shape
    more = -(height + size - 1) % size
    padded = np.pad(array, ((size // 2, size // 2 + more), (0, 0)), "edge")
    blocks = padded.reshape(-1, size, width)
    down = best.accumulate(blocks, axis=1).reshape(padded.shape)
    up = best.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].reshape(padded.shape)
    return np.asarray(best(up[:height], down[size - 1 : size - 1 + height]))


def _shrunk(grey: Grey, side: int) -> Grey:
    """At most so long and wide, by area averaging."""
    by = min(1.0, side / max(grey.shape))
    if by == 1:
        return grey
    size = max(1, round(grey.shape[1] * by)), max(1, round(grey.shape[0] * by))
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
