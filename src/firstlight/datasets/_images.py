"""Images, in memory or in files: two classes that are used alike, as an array is.

    ArrayImages     images in memory, resized to another size when they are needed
    FolderImages    pictures in files, decoded and cropped when they are needed

This is the only place that makes images of the size that a network takes. Pictures are decoded by
several threads when they are needed, and are not kept in memory.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.images.crops import (
    CENTER_CROP,
    WHOLE_PICTURE,
    Crop,
    Size,
    crop_and_resize,
    random_crop,
    shortest_side,
)
from firstlight.images.kinds import ImageKind
from firstlight.images.open import open_photograph

Array = NDArray[np.uint8]
PICTURE_SIZE = (224, 224, 3)  # what pictures become unless a network asks for another size
DIGIT_CLASSES = {*"0123456789", "none"}
Source = Path | Mapping[str, bytes]  # a directory; or the contents of pictures by their names


class Images(Protocol):
    """N images of one size. `images[rows]` is an array (n, height, width, channels), 0 to 255."""

    size: Size
    are_crops: bool  # whether each is a part of a larger picture, which `picture` opens

    @property
    def shape(self) -> tuple[int, ...]:
        """N, height, width, channels."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> Array:
        """Return the images of these rows as a network is tested with them; rows as of an array."""

    def augmented(
        self,
        rows: NDArray[np.int64],
        strengths: Mapping[str, float],
        seed: int,
        places: NDArray[np.int64],
    ) -> Array:
        """Return training images (n, *size): the i-th depends on `seed` and its place alone.

        The places (n,) are those in the stream of all training images, see `shuffled`. Only
        augmentations of kind "crop" are done here, and only where `are_crops`.
        """

    def first(self, count: int | None) -> Self:
        """Return the first `count` images; all of them for None."""

    def resized(self, size: Size) -> "Images":
        """Return the same images at another size."""

    def picture(self, row: int, shortest: int) -> Image.Image:
        """Return the uncropped picture; it may be reduced: its short side to `shortest` pixels."""

    def file(self, row: int) -> str | None:
        """Return the path of the image's own file in the dataset's folder; None if it has none."""

    def kind(self, classes: Sequence[str]) -> ImageKind:
        """Return what kind of images a network learns from these."""


class ArrayImages:
    """Images (N, height, width, channels) uint8 in memory; `files` are those that they are from."""

    are_crops = False

    def __init__(
        self, array: Array, size: Size | None = None, files: list[str] | None = None
    ) -> None:
        self.array, self.files = array, files
        self.size: Size = size or array.shape[1:]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.array), *self.size)

    def __len__(self) -> int:
        return len(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __getitem__(self, rows: Any) -> Array:
        chosen: Array = self.array[rows]
        if self.size == self.array.shape[1:]:
            return chosen
        if chosen.ndim == 3:  # a single image
            return self._resize(chosen)
        return _in_threads(lambda number: self._resize(chosen[number]), len(chosen), self.size)

    def augmented(
        self,
        rows: NDArray[np.int64],
        strengths: Mapping[str, float],
        seed: int,
        places: NDArray[np.int64],
    ) -> Array:
        return self[rows]

    def first(self, count: int | None) -> "ArrayImages":
        return ArrayImages(self.array[:count], self.size, self.files and self.files[:count])

    def resized(self, size: Size) -> "ArrayImages":
        return ArrayImages(self.array, size, self.files)

    def picture(self, row: int, shortest: int) -> Image.Image:
        return _as_picture(self.array[row])

    def file(self, row: int) -> str | None:
        return self.files[row] if self.files else None

    def kind(self, classes: Sequence[str]) -> ImageKind:
        # IDX files do not name their classes: clothes too are 0 to 9. MNIST has a black margin.
        margin_is_black = np.mean(self.array[:, [0, -1]] == 0) > 0.95
        if margin_is_black and DIGIT_CLASSES.issuperset(classes):
            return "digits"
        return "arrays"

    def _resize(self, image: Array) -> Array:
        return crop_and_resize(_as_picture(image), WHOLE_PICTURE, self.size)


class FolderImages:
    """Pictures in files below a directory, or in memory as they were in their files."""

    are_crops = True

    def __init__(self, source: Source, files: list[str], size: Size = PICTURE_SIZE) -> None:
        self.source, self.files, self.size = source, files, size

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.files), *self.size)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: Any) -> Array:
        if isinstance(rows, int | np.integer):
            return self._crop(int(rows), CENTER_CROP)
        chosen = np.arange(len(self))[rows]
        return self._crops(chosen, [CENTER_CROP] * len(chosen))

    def augmented(
        self,
        rows: NDArray[np.int64],
        strengths: Mapping[str, float],
        seed: int,
        places: NDArray[np.int64],
    ) -> Array:
        crops = [random_crop(strengths, seed, int(place)) for place in places]
        return self._crops(rows, crops)

    def first(self, count: int | None) -> "FolderImages":
        return FolderImages(self.source, self.files[:count], self.size)

    def resized(self, size: Size) -> "FolderImages":
        return FolderImages(self.source, self.files, size)

    def picture(self, row: int, shortest: int) -> Image.Image:
        path, content = content_of(self.source, self.files[row])
        return open_photograph(path, shortest, content)

    def whole(self, size: Size) -> Array:
        """Return all pictures, uncropped, as an array (N, *size)."""
        return _in_threads(
            lambda row: crop_and_resize(self.picture(row, max(size[:2])), WHOLE_PICTURE, size),
            len(self),
            size,
        )

    def file(self, row: int) -> str:
        return self.files[row]

    def kind(self, classes: Sequence[str]) -> ImageKind:
        return "pictures"

    def _crops(self, rows: NDArray[np.int64], crops: Sequence[Crop]) -> Array:
        return _in_threads(
            lambda number: self._crop(int(rows[number]), crops[number]), len(rows), self.size
        )

    def _crop(self, row: int, crop: Crop) -> Array:
        shortest = shortest_side(self.size, crop.fraction)
        return crop_and_resize(self.picture(row, shortest), crop, self.size)


def content_of(source: Source, name: str) -> tuple[Path, bytes | None]:
    """Return the path of a picture, for messages too, and its content if it is in memory."""
    if isinstance(source, Path):
        return source / name, None
    return Path(name), source[name]


def _as_picture(image: Array) -> Image.Image:
    is_grey = image.shape[-1] == 1
    return Image.fromarray(image[..., 0] if is_grey else image)


def _in_threads(make: Callable[[int], Array], count: int, size: Size) -> Array:
    """Return images 0 to `count` - 1 in one array, made by several threads."""
    images = np.empty((count, *size), np.uint8)

    def fill(number: int) -> None:
        images[number] = make(number)

    list(_threads().map(fill, range(count)))  # a list, so that an exception is raised here
    return images


@cache
def _threads() -> ThreadPoolExecutor:
    """Return a thread for each core: Pillow lets other threads run while it decodes."""
    return ThreadPoolExecutor(os.cpu_count())
