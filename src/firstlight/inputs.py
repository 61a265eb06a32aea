"""What a network is shown of a picture: any picture in, an image of the network's size out.

Digits (one channel, classes that are digits) are read as `read --single` reads them: their ink is
found, fitted and centred as MNIST's was, unless the picture is such an image already. All other
pictures are shrunk and their middle is taken, as ZFNet's and OverFeat's test images were (arXiv
1311.2901, 3): shortest side 256 for 224 pixels, and in proportion for other sizes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.errors import DataError
from firstlight.read.pictures import open_upright
from firstlight.read.reading import read

DIGITS = set("0123456789") | {"none"}
SHORTEST, CROP = 256, 224


def image_for(path: Path, size: tuple[int, ...], classes: Sequence[str]) -> NDArray[np.uint8]:
    """The picture as the network takes it, `size` being (height, width, channels), 0 to 255.

    Raises:
        DataError: no such file, no picture, damaged, too large; or no digit in it.
    """
    picture, original = open_upright(path)
    grey = np.asarray(picture.convert("L"))
    if tuple(size) == (28, 28, 1) and DIGITS.issuperset(classes):
        return grey[..., None] if original == (28, 28) and is_on_black(grey) else digit(path)
    return cropped(picture if size[2] == 3 else picture.convert("L"), size)


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


def cropped(picture: Image.Image, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The middle of the picture, its shortest side a little longer than the network's."""
    height, width, channels = size
    by = max(height, width) * SHORTEST / CROP / min(picture.size)
    scaled = max(width, round(picture.width * by)), max(height, round(picture.height * by))
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    # In one step, and only of what is kept: a panorama's ends are never enlarged.
    across, down = picture.width / scaled[0], picture.height / scaled[1]
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    image = picture.resize((width, height), Image.Resampling.BILINEAR, box)
    return np.asarray(image, np.uint8).reshape(height, width, channels)
