"""Any images as a network takes them: of its size, grey or coloured. The one place that does this.

    an array of that size        as it is
    an array of another          its middle square, enlarged or reduced: digits for a larger network
    pictures in files            the middle, cut out: of 256 pixels of the shortest side 224
    the same, for training       cut out elsewhere, mirrored: what `augment` of a recipe says

256 and 224 are those of ZFNet (arXiv 1311.2901, section 3); other sizes are in proportion.
A picture is decoded in the moment it is asked for, several in threads, and then forgotten.
"""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from firstlight.datasets import Examples
from firstlight.datasets.folder import Pictures

Size = tuple[int, ...]  # height, width, channels
CUT_OUT = 224 / 256  # of the shortest side
DIGITS = {*"0123456789", "none"}


class Place(NamedTuple):
    """What is cut out of a picture."""

    share: float = CUT_OUT  # of the shortest side
    across: float = 0.5  # 0: at the left edge, 1: at the right
    down: float = 0.5
    mirrored: bool = False


MIDDLE, WHOLE = Place(), Place(share=1.0)
# Corners and middle, and mirrored. Of the whole picture, not of its middle square: that is better
# (SPP-net, arXiv 1406.4729, section 3.1, of ZFNet's own test).
CORNERS = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
TEN_CROPS = [Place(CUT_OUT, *corner, mirror) for mirror in (False, True) for corner in CORNERS]


def fitted(examples: Examples, takes: Size) -> Examples:
    """The examples with images (N, *takes) uint8: the array itself, or what is used like one."""
    images = examples.images
    if isinstance(images, Fitted):
        images = images.images
    if isinstance(images, np.ndarray) and images.shape[1:] == tuple(takes):
        return Examples(images, examples.labels)
    return Examples(Fitted(images, takes), examples.labels)


def learned_from(images: Any, classes: Sequence[str]) -> str:
    """What a network knows that was trained on them: `digits`, other `arrays`, or `pictures`.

    IDX files do not name their classes: clothes too are 0 to 9. MNIST's digits have a black margin.
    """
    images = images.images if isinstance(images, Fitted) else images
    if isinstance(images, Pictures):
        return "pictures"
    margin = np.mean(images[:, [0, -1]] == 0) > 0.95
    return "digits" if margin and DIGITS.issuperset(classes) else "arrays"


class Fitted:
    """Images (N, height, width, channels) uint8 that are made when they are asked for."""

    def __init__(self, images: np.ndarray | Pictures, size: Size) -> None:
        self.images, self.size = images, tuple(size)
        self.shape = (len(images), *size)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Rows as of an array: an image, or images, as a network is tested with them."""
        if isinstance(rows, int | np.integer):
            image: np.ndarray = self.cut(np.array([rows]), [MIDDLE])[0]
            return image
        chosen = np.arange(len(self))[rows]
        return self.cut(chosen, [MIDDLE] * len(chosen))

    def cut(self, rows: np.ndarray, places: Sequence[Place]) -> np.ndarray:
        """Those images (n, *size) uint8, each cut out at its place; an array's are taken whole."""
        images = np.empty((len(rows), *self.size), np.uint8)

        def one(number: int) -> None:
            images[number] = self._one(int(rows[number]), places[number])

        list(_threads().map(one, range(len(rows))))  # a list, so that what one raises is raised
        return images

    def varied(
        self, rows: np.ndarray, strengths: Mapping[str, float], seed: int, first: int
    ) -> np.ndarray:
        """Training images (n, *size) uint8: the i-th depends on `seed` and `first` + i alone."""
        places = [place(strengths, seed, first + number) for number in range(len(rows))]
        return self.cut(rows, places)

    def _one(self, row: int, place: Place) -> np.ndarray:
        if isinstance(self.images, Pictures):
            longest = max(self.size[:2])
            return cut_out(
                self.images.open(row, math.ceil(longest / place.share)), place, self.size
            )
        image = self.images[row]
        grey = image.shape[-1] == 1
        return cut_out(Image.fromarray(image[..., 0] if grey else image), WHOLE, self.size)


def place(strengths: Mapping[str, float], seed: int, number: int) -> Place:
    """Where a recipe's `augment` cuts the number-th training picture out.

    anywhere  share of the way from the middle to the edges
    zoom      how much of the shortest side may be missing: 0.5 takes from the half to all of it
    mirror    share of the pictures that are mirrored
    """
    lots = np.random.default_rng([seed, number, 1]).random(4)
    zoom, way = strengths.get("zoom", 0.0), strengths.get("anywhere", 0.0)
    share = 1 - zoom * lots[0] if zoom else CUT_OUT
    across, down = (float(0.5 + way * (lot - 0.5)) for lot in lots[1:3])
    return Place(float(share), across, down, bool(lots[3] < strengths.get("mirror", 0.0)))


def cut_out(picture: Image.Image, place: Place, size: Size) -> np.ndarray:
    """A part of the picture of the network's size, (height, width, channels) uint8."""
    height, width, channels = size
    scale = place.share * min(picture.width / width, picture.height / height)
    across, down = width * scale, height * scale
    left = round((picture.width - across) * place.across)
    top = round((picture.height - down) * place.down)
    box: Any = (left, top, min(left + across, picture.width), min(top + down, picture.height))
    if (across, down) == (width, height):
        image = picture.crop(box)
    else:
        image = picture.resize((width, height), Image.Resampling.BILINEAR, box)
    if place.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mode = "L" if channels == 1 else "RGB"
    return np.asarray(image if image.mode == mode else image.convert(mode)).reshape(size)


@cache
def _threads() -> ThreadPoolExecutor:
    """Pillow lets other threads run while it decodes: a picture a core at a time."""
    return ThreadPoolExecutor(os.cpu_count())
