"""The file format of MNIST: a directory with four IDX files, each plain or gzipped.

An IDX file is a magic number (0, 0, 8 for unsigned bytes, the number of dimensions), the size of
each dimension as a big-endian 32-bit integer, then the bytes.
"""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from firstlight.datasets import Examples, hold_out
from firstlight.errors import DataError

FILES = {  # what is published: training images and test images, each with labels
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
NAMES = FILES["train"] + FILES["test"]
_GZIP = b"\x1f\x8b"
_LARGEST = 4 << 30  # bytes unpacked; a few kilobytes of gzip can claim to be more than any memory


def load(split: str, directory: Path, sha256: dict[str, str] | None = None) -> Examples:
    """The images and labels of a split; `sha256` (of the unpacked files) is checked if given.

    Raises:
        DataError: a file is missing, truncated, of another format, altered, or the counts differ.
    """
    images_name, labels_name = FILES["test" if split == "test" else "train"]
    images = read(directory, images_name, sha256)
    labels = read(directory, labels_name, sha256)
    if len(images) != len(labels):
        raise DataError(
            f"{directory}: {images_name} holds {len(images):,} images but {labels_name} "
            f"{len(labels):,} labels; take both from the same source"
        )
    examples = Examples(images[..., np.newaxis], labels.astype(np.int32))
    return examples if split == "test" else hold_out(examples, split)


def read(directory: Path, name: str, sha256: dict[str, str] | None = None) -> np.ndarray:
    """One IDX file as an array: images (N, height, width) or labels (N,), uint8."""
    path = find(directory, name)
    content = unpack(path)
    array = parse(content, dimensions=3 if "idx3" in name else 1, path=path)
    if sha256 and hashlib.sha256(content).hexdigest() != sha256[name]:
        raise DataError(f"{path}: altered: its SHA-256 is not the published {sha256[name][:12]}…")
    return array


def fingerprint(directory: Path) -> dict[str, str]:
    """SHA-256 of each of the four files, unpacked: the same whether gzipped or not."""
    return {n: hashlib.sha256(unpack(find(directory, n))).hexdigest() for n in NAMES}


def classes(directory: Path) -> tuple[str, ...]:
    """The names of the classes: IDX files have none, so the numbers up to the largest label."""
    labels = read(directory, FILES["train"][1])
    return tuple(str(label) for label in range(int(labels.max(initial=0)) + 1))


def find(directory: Path, name: str) -> Path:
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return path
    there = ", ".join(sorted(p.name for p in directory.iterdir())[:6]) or "nothing"
    raise DataError(f"{directory}: {name} (or {name}.gz) is missing; there is: {there}")


def unpack(path: Path) -> bytes:
    """The file's content, gunzipped if it is gzip whatever its name says."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or truncated gzip ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > _LARGEST:
        raise DataError(f"{path}: unpacks to more than {_LARGEST >> 30} GiB")
    return content


def parse(content: bytes, dimensions: int, path: Path) -> np.ndarray:
    """The array that IDX bytes describe; `path` is for the message if they do not."""
    magic = bytes((0, 0, 8, dimensions))
    if content[:4] != magic:
        raise DataError(
            f"{path}: not an IDX file of {'images' if dimensions == 3 else 'labels'}: it starts "
            f"with {content[:4].hex(' ') or 'nothing'}, not {magic.hex(' ')}"
        )
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{path}: truncated: {len(content)} bytes, shorter than its own header")
    shape = [int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4)]
    promised, held = math.prod(shape), len(content) - header
    if promised != held or not promised:
        fault = "empty" if not promised else "truncated" if held < promised else "too long"
        size = "×".join(map(str, shape))
        raise DataError(f"{path}: {fault}: the header says {size} values, the file holds {held:,}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
