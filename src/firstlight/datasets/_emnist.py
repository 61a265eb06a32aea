"""EMNIST: its images lie on their side, and its labels stand for letters.

The published files hold each image with rows and columns exchanged; so does the CSV that Kaggle
has. Source: Cohen, Afshar, Tapson, van Schaik 2017, and the mapping files of the data set.
"""

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from firstlight.datasets._examples import Examples, array_examples

NOTE = "EMNIST's images lie on their side: each is turned upright"
_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # the others look like capitals
CHARACTERS = {
    "balanced": _MERGED,
    "bymerge": _MERGED,
    "byclass": string.digits + string.ascii_uppercase + string.ascii_lowercase,
    "letters": string.ascii_uppercase,  # labels from 1; capitals and small letters are one class
}


def is_emnist(name: str) -> bool:
    return "emnist" in name.lower().split("-")


def class_names(name: str, values: Sequence[Any]) -> tuple[str, ...] | None:
    """Return the characters that the labels stand for, None if they stand for themselves.

    Args:
        name: of the data, such as "emnist-letters".
        values: the labels of its classes.
    """
    words = name.lower().split("-")
    if not is_emnist(name) or not all(isinstance(value, int) for value in values):
        return None
    characters = next((CHARACTERS[word] for word in words if word in CHARACTERS), "")
    first = 1 if "letters" in words else 0
    # Some copies of the file have letters from 0.
    numbers = [value - first if min(values) else value for value in values]
    if not characters or max(numbers) >= len(characters):
        return None
    return tuple(characters[number] for number in numbers)


def upright(examples: Examples) -> Examples:
    """Return the examples with rows and columns exchanged."""
    return array_examples(np.ascontiguousarray(examples.images[:].swapaxes(1, 2)), examples.labels)
