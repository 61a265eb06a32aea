"""Images of a file, without their labels: what `predict` answers.

The files are those of a user's own data, and are read by the same functions.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets import _csv, _emnist, _idx, _npz
from firstlight.datasets._array_files import as_data_error, plain_name, unpack
from firstlight.datasets._arrays import as_batch, as_images, holds_planes, known_scale
from firstlight.images.values import ValueRange

ENDINGS = (*_csv.ENDINGS, *_npz.ENDINGS)


@dataclass(frozen=True)
class Images:
    """Images of a file, in its order."""

    pixels: NDArray[np.uint8]  # (N, height, width, channels)
    is_kaggle: bool = False  # a table whose columns are pixel0, pixel1, ..., and nothing else
    note: str = ""  # what was guessed of the values


def has_arrays(path: Path) -> bool:
    """Return whether a file is one of arrays, by its name; IDX also by its content."""
    if not path.is_file():
        return False
    return Path(plain_name(path)).suffix.lower() in ENDINGS or _idx.is_idx(path)


def read(path: Path, trained: ValueRange | None = None) -> Images:
    """Return the images of a table, of one of NumPy's files or of an IDX file.

    Args:
        trained: the values of the arrays that the network was trained on, if they are known.

    Raises:
        DataError: it holds none, or is damaged.
    """
    with as_data_error(path):
        array = _array(path)
        batch = as_batch(array, "images", planes=holds_planes(array))
        scale = known_scale(batch, "images", trained)
        pixels = as_images(batch, "images", scale)
    if _emnist.is_emnist(path):
        pixels = _emnist.upright(pixels)
    return Images(pixels, _csv.is_from_kaggle(path), scale.note)


def _array(path: Path) -> NDArray[Any]:
    """Return the images as the file has them."""
    if _idx.is_idx(path):
        return _idx.parse(unpack(path), path)
    if path.suffix.lower() in _npz.ENDINGS:
        return _npz.images_of(path)
    return _csv.read(path).images
