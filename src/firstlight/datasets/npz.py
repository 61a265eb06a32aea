"""Keras's own file of MNIST, `mnist.npz`: arrays x_train, y_train, x_test, y_test."""

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from firstlight.datasets import Examples, hold_out
from firstlight.errors import DataError

NAME = "mnist.npz"


def load(split: str, path: Path) -> Examples:
    """The images and labels of a split.

    Raises:
        DataError: the file is damaged, lacks an array, or an array is not what it should be.
    """
    part = "test" if split == "test" else "train"
    images, labels = _array(path, f"x_{part}"), _array(path, f"y_{part}")
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{path}: x_{part} is {images.dtype} {images.shape}, not uint8 images (N, 28, 28)"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or not len(labels):
        raise DataError(
            f"{path}: y_{part} is {labels.dtype} {labels.shape}, not {len(images):,} whole numbers"
        )
    if labels.min() < 0:
        raise DataError(f"{path}: y_{part} holds the negative label {labels.min()}")
    examples = Examples(images[..., np.newaxis], labels.astype(np.int32))
    return examples if split == "test" else hold_out(examples, split)


def classes(path: Path) -> tuple[str, ...]:
    labels = _array(path, "y_train")
    return tuple(str(label) for label in range(int(labels.max(initial=0)) + 1))


def fingerprint(path: Path) -> dict[str, str]:
    """SHA-256 of the file."""
    with path.open("rb") as file:
        return {path.name: hashlib.file_digest(file, "sha256").hexdigest()}


def _array(path: Path, name: str) -> np.ndarray:
    try:
        # A pickle would run foreign code.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])
    except KeyError:
        raise DataError(f"{path}: has no array {name}, as Keras's mnist.npz has") from None
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        fault = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable .npz file ({fault})") from None
