"""EMNIST: its images lie on their side, and its labels stand for letters.

The published files hold each image with rows and columns exchanged; so does the CSV that Kaggle
has. Source: Cohen, Afshar, Tapson, van Schaik 2017, and the mapping files of the data set.
"""

import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTE = "EMNIST's images lie on their side: each is turned upright"
_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # the others look like capitals
CHARACTERS = {
    "balanced": _MERGED,
    "bymerge": _MERGED,
    "byclass": string.digits + string.ascii_uppercase + string.ascii_lowercase,
    "letters": string.ascii_uppercase,  # labels from 1; capitals and small letters are one class
}


def is_emnist(file: Path) -> bool:
    """Return whether a file is EMNIST's: its own name says so, or else that of its folder.

    The nearest name of such data decides: qmnist.npz in a folder called emnist is something else.
    """
    for name in _names(file):
        if "mnist" in name:
            return re.search(r"(?<![a-z])emnist", name) is not None
    return False


def _names(file: Path) -> list[str]:
    """Return the names of a file and its folder, in small letters; EMNIST's archive has gzip/."""
    path = file.absolute()
    folders = path.parents[:2] if path.parent.name in ("raw", "gzip") else path.parents[:1]
    return [name.lower() for name in (path.name, *(folder.name for folder in folders))]


def class_names(file: Path, values: Sequence[Any]) -> tuple[str, ...] | None:
    """Return the characters that the labels stand for, None if they stand for themselves.

    Args:
        file: of the data, such as "emnist-letters.npz".
        values: the labels of its classes.
    """
    if not is_emnist(file) or not all(isinstance(value, int) for value in values):
        return None
    words = [word for name in _names(file) for word in re.findall(r"[a-z]+", name)]
    characters = next((CHARACTERS[word] for word in words if word in CHARACTERS), "")
    first = 1 if "letters" in words else 0
    # Some copies of the file have letters from 0.
    numbers = [value - first if min(values) else value for value in values]
    if not characters or max(numbers) >= len(characters):
        return None
    return tuple(characters[number] for number in numbers)


def upright(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, height, width, channels) with rows and columns exchanged."""
    return np.ascontiguousarray(images.swapaxes(1, 2))
