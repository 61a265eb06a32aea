"""Crops: which part of a picture becomes a network's input, and how it gets the input's size.

    center_crop      the middle: 224 of 256 pixels of the shortest side, and in proportion
    ten crops        corners and middle, each also mirrored: averaged in tests
    random_crop      anywhere, of any size, mirrored: the augmentations of kind "crop"

256 and 224 are ZFNet's (arXiv 1311.2901, section 3).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Size = tuple[int, int, int]  # height, width, channels
CROP_FRACTION = 224 / 256  # the crop's side divided by the picture's shortest side


@dataclass(frozen=True)
class Crop:
    """A part of a picture, of the shape that the network takes."""

    fraction: float = CROP_FRACTION  # its size, as a fraction of the largest that fits
    across: float = 0.5  # its place: 0 at the left edge, 1 at the right
    down: float = 0.5  # 0 at the top, 1 at the bottom
    mirrored: bool = False


CENTER_CROP = Crop()
WHOLE_PICTURE = Crop(fraction=1.0)
# The corners are those of the whole picture, not of its middle square: that is more accurate
# (SPP-net, arXiv 1406.4729, section 3.1, about ZFNet's own test).
_PLACES = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
TEN_CROPS = [
    Crop(CROP_FRACTION, across, down, mirrored)
    for mirrored in (False, True)
    for across, down in _PLACES
]


def random_crop(strengths: Mapping[str, float], seed: int, number: int) -> Crop:
    """Return the crop of the number-th training picture: a function of `seed` and `number` alone.

    Args:
        strengths: the augmentations `anywhere`, `zoom` and `mirror`, see images/augmentations.py.
    """
    random = np.random.default_rng([seed, number, 1]).random(4)
    anywhere, zoom = strengths.get("anywhere", 0.0), strengths.get("zoom", 0.0)
    fraction = 1 - zoom * float(random[0]) if zoom else CROP_FRACTION
    return Crop(
        fraction=fraction,
        across=float(0.5 + anywhere * (random[1] - 0.5)),
        down=float(0.5 + anywhere * (random[2] - 0.5)),
        mirrored=bool(random[3] < strengths.get("mirror", 0.0)),
    )


def shortest_side(size: Size, fraction: float = CROP_FRACTION) -> int:
    """Return the pixels that the shortest side of a picture needs for a crop of the size."""
    return math.ceil(max(size[:2]) / fraction)


def crop_and_resize(picture: Image.Image, crop: Crop, size: Size) -> NDArray[np.uint8]:
    """Return the crop of the picture as an image (height, width, channels) uint8, 0 to 255."""
    height, width, channels = size
    scale = crop.fraction * min(picture.width / width, picture.height / height)
    cropped_width, cropped_height = width * scale, height * scale
    left = round((picture.width - cropped_width) * crop.across)
    top = round((picture.height - cropped_height) * crop.down)
    right = min(left + cropped_width, picture.width)
    bottom = min(top + cropped_height, picture.height)
    box = (left, top, right, bottom)
    if (cropped_width, cropped_height) == (width, height):
        image = picture.crop(box)
    else:
        image = picture.resize((width, height), Image.Resampling.BILINEAR, box)
    if crop.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    return np.asarray(image).reshape(size)
