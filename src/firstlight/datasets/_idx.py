"""IDX, the file format of MNIST: a directory with four files, each plain or gzipped.

An IDX file is a magic number (0, 0, 8 for unsigned bytes, the number of dimensions), the size of
each dimension as a big-endian 32-bit integer, then the bytes.
"""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from firstlight.datasets._examples import Examples, array_examples, hold_out
from firstlight.errors import DataError

FILES = {  # what is published: training images and test images, each with labels
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
NAMES = FILES["train"] + FILES["test"]
_GZIP = b"\x1f\x8b"
_MAX_BYTES = 4 << 30  # unpacked: a few kilobytes of gzip may unpack to more than any memory


def load(split: str, directory: Path, sha256: dict[str, str] | None = None) -> Examples:
    """Return the images and labels of a split.

    Args:
        sha256: file name → SHA-256 of the unpacked file, to be checked.

    Raises:
        DataError: a file is missing, truncated, of another format or altered, or the counts differ.
    """
    images_name, labels_name = FILES["test" if split == "test" else "train"]
    images = read(directory, images_name, sha256)
    labels = read(directory, labels_name, sha256)
    if len(images) != len(labels):
        raise DataError(
            f"{directory}: {images_name} holds {len(images):,} images but {labels_name} holds "
            f"{len(labels):,} labels; take both from the same source"
        )
    if split != "test":
        images, labels = hold_out(images, labels, split)
    return array_examples(images, labels)


def read(directory: Path, name: str, sha256: dict[str, str] | None = None) -> np.ndarray:
    """Return one IDX file as an array: images (N, height, width) or labels (N,), uint8."""
    path = find(directory, name)
    content = unpack(path)
    array = parse(content, dimensions=3 if "idx3" in name else 1, path=path)
    if sha256 and hashlib.sha256(content).hexdigest() != sha256[name]:
        raise DataError(f"{path}: altered: its SHA-256 is not the published {sha256[name][:12]}…")
    return array


def fingerprint(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each of the four files, unpacked: the same whether gzipped or not."""
    return {name: hashlib.sha256(unpack(find(directory, name))).hexdigest() for name in NAMES}


def classes(directory: Path) -> tuple[str, ...]:
    """Return the numbers up to the largest label: IDX files do not name their classes."""
    labels = read(directory, FILES["train"][1])
    return tuple(str(label) for label in range(int(labels.max(initial=0)) + 1))


def has_files(directory: Path) -> bool:
    """Return whether one of the four files lies in the directory, plain or gzipped."""
    return any((directory / file).is_file() for name in NAMES for file in (name, f"{name}.gz"))


def find(directory: Path, name: str) -> Path:
    """Return the file of that name, plain or gzipped. Raises DataError if there is none."""
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return path
    names = ", ".join(sorted(path.name for path in directory.iterdir())[:6]) or "nothing"
    raise DataError(f"{directory}: {name} (or {name}.gz) is missing; the folder has: {names}")


def unpack(path: Path) -> bytes:
    """Return the file's content, unpacked if it is gzip, whatever its name is."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or truncated gzip ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > _MAX_BYTES:
        raise DataError(f"{path}: unpacks to more than {_MAX_BYTES >> 30} GiB")
    return content


def parse(content: bytes, dimensions: int, path: Path) -> np.ndarray:
    """Return the array that IDX bytes describe; `path` is for the message if they do not."""
    magic = bytes((0, 0, 8, dimensions))
    if content[:4] != magic:
        kind = "images" if dimensions == 3 else "labels"
        start = content[:4].hex(" ") or "nothing"
        raise DataError(
            f"{path}: not an IDX file of {kind}: it starts with {start}, not {magic.hex(' ')}"
        )
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{path}: truncated: {len(content)} bytes, shorter than its own header")
    shape = [int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4)]
    promised, held = math.prod(shape), len(content) - header
    if promised and promised == held:
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    if not promised:
        fault = "empty"
    elif held < promised:
        fault = "truncated"
    else:
        fault = "too long"
    size = "×".join(map(str, shape))
    raise DataError(f"{path}: {fault}: the header says {size} values, the file holds {held:,}")
