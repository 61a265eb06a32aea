"""Arrays of images in a file, without their labels: what `predict` answers.

The forms are those in which people have data to learn from: when datasets/ reads these too, this
is the one place that should call its readers.
"""

import re
import zipfile
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.errors import DataError

ENDINGS = (".csv", ".npy", ".npz")
MAX_BYTES = 4 << 30  # of an array in memory
MAX_LINE = 4 << 20  # bytes of the first line
KAGGLE = re.compile(r"pixel\d+")
OTHER_COLUMNS = ("", "label", "class", "target", "y", "id", "imageid", "index", "usage", "split")
# In this order: of a file with training images too, the test images are meant.
NAMES = ("x_test", "test_images", "images_test", "images", "x", "data", "x_train", "train_images")
_DAMAGED = (ValueError, TypeError, OSError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Images:
    """Images of a file, in its order."""

    pixels: NDArray[Any]  # (N, height, width) or (N, height, width, channels)
    is_kaggle: bool = False  # a table whose columns are pixel0, pixel1, ..., and nothing else


def has_arrays(path: Path) -> bool:
    """Return whether a file is named as one of arrays."""
    return path.suffix.lower() in ENDINGS and path.is_file()


def read(path: Path) -> Images:
    """Return the images of a .csv, .npy or .npz file. Raises DataError if it holds none."""
    try:
        return _read_table(path) if path.suffix.lower() == ".csv" else _read_numpy(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except _DAMAGED as error:
        fault = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(f"{path}: cannot be read ({fault})") from None


def _read_table(path: Path) -> Images:
    with path.open("rb") as file:
        line = file.readline(MAX_LINE).decode("utf-8-sig", "replace")
        has_rows = bool(file.read(1))
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    header = not all(map(_is_number, cells))
    if header and not has_rows:
        raise DataError("no rows in it")
    if header:
        columns = [i for i, name in enumerate(cells) if name.lower() not in OTHER_COLUMNS]
    else:  # with a label first, or without
        columns = list(range(len(cells)))[len(cells) - isqrt(len(cells)) ** 2 == 1 :]
    if path.stat().st_size // 2 * 4 > MAX_BYTES:  # at least two bytes a value, four in memory
        raise DataError(f"more than {MAX_BYTES >> 31} GiB; split it")
    values = np.loadtxt(
        path,
        np.float32,
        delimiter=",",
        skiprows=int(header),
        usecols=columns,
        ndmin=2,
        comments=None,
        quotechar='"',
    )
    is_kaggle = header and all(KAGGLE.fullmatch(name) for name in cells)
    return Images(_square(_as_whole(values)), is_kaggle)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _as_whole(values: NDArray[np.float32]) -> NDArray[Any]:
    """Return values as uint8 if all are whole numbers from 0 to 255, and not all are 0 or 1."""
    if not values.size or values.min() < 0 or not 1 < values.max() <= 255:
        return values
    whole = values.astype(np.uint8)
    return whole if (whole == values).all() else values


def _square(values: NDArray[Any]) -> NDArray[Any]:
    """Return rows (N, values) as square images, grey or in colour."""
    count = values.shape[1]
    for channels in (1, 3):
        side = isqrt(count // channels)
        if side * side * channels == count:
            return values.reshape(-1, side, side, channels)
    raise DataError(f"{count} values in a row: these are no square images")


def _read_numpy(path: Path) -> Images:
    with path.open("rb") as file:  # a pickle would run foreign code
        content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return Images(_as_images(content))
        with content:
            return Images(_as_images(content[_chosen(content, path)]))


def _chosen(content: Any, path: Path) -> str:
    """Return the name of the array of images. Raises DataError if none has such a name."""
    names = {name.lower(): str(name) for name in content.files}
    found = [names[name] for name in NAMES if name in names] or list(content.files)[:1]
    if not found:
        raise DataError("no arrays in it")
    with zipfile.ZipFile(path) as archive:
        sizes = {each.filename.removesuffix(".npy"): each.file_size for each in archive.infolist()}
    if sizes.get(found[0], 0) > MAX_BYTES:
        raise DataError(f"{found[0]} has more than {MAX_BYTES >> 30} GiB")
    return found[0]


def _as_images(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3, 4):
        raise DataError(f"an array of {array.dtype} {array.shape}; images are (N, height, width)")
    return _square(array) if array.ndim == 2 else array
