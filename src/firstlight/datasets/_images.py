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
from typing import Any

import numpy as np
from PIL import Image

from firstlight.datasets import Examples
from firstlight.datasets._folder import Pictures
from firstlight.images.crops import MIDDLE, WHOLE, Place, Size, cut_out, place

DIGITS = {*"0123456789", "none"}


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


@cache
def _threads() -> ThreadPoolExecutor:
    """Pillow lets other threads run while it decodes: a picture a core at a time."""
    return ThreadPoolExecutor(os.cpu_count())
