"""Keras's own file of MNIST, `mnist.npz`: arrays x_train, y_train, x_test, y_test."""

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from firstlight.datasets._examples import Examples, array_examples, hold_out
from firstlight.errors import DataError

NAME = "mnist.npz"
# What NumPy raises for a file that is damaged or of another kind; a lone array is a TypeError.
_UNREADABLE = (
    ValueError, TypeError, OSError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip
MAX_LABEL = 9_999  # each number up to the largest label is a class


def load(split: str, path: Path) -> Examples:
    """Return the images and labels of a split.

    Raises:
        DataError: the file is damaged, lacks an array, or an array is not what it should be.
    """
    part = "test" if split == "test" else "train"
    images, labels = _array(path, f"x_{part}"), _labels(path, f"y_{part}")
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{path}: x_{part} is {images.dtype} {images.shape}, not uint8 images (N, 28, 28)"
        )
    if labels.shape != images.shape[:1]:
        raise DataError(
            f"{path}: y_{part} is {labels.dtype} {labels.shape}, not {len(images):,} labels"
        )
    if split != "test":
        images, labels = hold_out(images, labels, split)
    return array_examples(images, labels)


def classes(path: Path) -> tuple[str, ...]:
    """Return the numbers up to the largest label: the file does not name its classes."""
    return tuple(str(label) for label in range(int(_labels(path, "y_train").max()) + 1))


def fingerprint(path: Path) -> dict[str, str]:
    """Return the SHA-256 of the file."""
    with path.open("rb") as file:
        return {path.name: hashlib.file_digest(file, "sha256").hexdigest()}


def _labels(path: Path, name: str) -> np.ndarray:
    """Return an array of labels. Raises DataError if they are not whole numbers in the range."""
    labels = _array(path, name)
    if labels.dtype.kind not in "iu" or not labels.size:
        raise DataError(f"{path}: {name} is {labels.dtype} {labels.shape}, not whole numbers")
    if labels.min() < 0 or labels.max() > MAX_LABEL:
        raise DataError(
            f"{path}: {name} holds labels from {labels.min()} to {labels.max()}; labels are 0 to "
            f"{MAX_LABEL:,}"
        )
    return labels


def _array(path: Path, name: str) -> np.ndarray:
    """Return an array of the file. Raises DataError if it is missing or the file is damaged."""
    try:
        # A pickle would run foreign code.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])
    except KeyError:
        raise DataError(f"{path}: has no array {name}, as Keras's mnist.npz has") from None
    except _UNREADABLE as error:
        fault = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "pickle" in fault:  # NumPy recommends to load it unsafely
            fault = "it is no archive of numbers"
        raise DataError(f"{path}: not a readable .npz file ({fault})") from None
