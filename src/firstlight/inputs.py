"""What a network is shown of a picture: any picture in, an image of the network's size out.

Digits (28×28, one channel, classes that are digits) are read as `read --single` reads them: their
ink is found, fitted and centred as MNIST's was, unless the picture is such an image already. Of any
other picture the middle is taken, as of ZFNet's test images (arXiv 1311.2901, section 3): of 256
pixels of the shortest side 224, and in proportion for other sizes.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets.fitted import CUT_OUT, MIDDLE, cut_out
from firstlight.errors import DataError
from firstlight.read.normalize import SIDE
from firstlight.read.pictures import open_photograph
from firstlight.read.reading import read

DIGITS = set("0123456789") | {"none"}


def image_for(path: Path, size: tuple[int, ...], classes: Sequence[str]) -> NDArray[np.uint8]:
    """The picture as the network takes it, `size` being (height, width, channels), 0 to 255.

    Raises:
        DataError: no such file, no picture, damaged, too large or too small; or no digit in it.
    """
    picture = open_photograph(path, math.ceil(max(size[:2]) / CUT_OUT))
    if tuple(size) != (SIDE, SIDE, 1) or not DIGITS.issuperset(classes):
        return cut_out(picture, MIDDLE, size)
    grey = np.asarray(picture.convert("L"))
    return grey[..., None] if grey.shape == (SIDE, SIDE) and is_on_black(grey) else digit(path)


def is_on_black(grey: NDArray[np.uint8]) -> bool:
    """Light on dark, as MNIST is: most of its frame is dark."""
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(frame) < 128)


def digit(path: Path) -> NDArray[np.uint8]:
    """The one digit of the picture, (28, 28, 1)."""
    reading = read(path, single=True)
    if not reading.lines:
        raise DataError(f"{path}: no digit found, and the network takes digits")
    return reading.lines[0].digits[0].image
