"""IDX, the file format of MNIST: files of images and of labels, each plain or gzipped.

An IDX file is a magic number (0, 0, the type of its elements, the number of dimensions), the size
of each dimension as a big-endian 32-bit integer, then the elements, big-endian.

The files are found by their names, in any folder in which they are published or unpacked:
train-images-idx3-ubyte, train-images.idx3-ubyte.gz, emnist-letters-test-labels-idx1-ubyte,
MNIST/raw/t10k-images-idx3-ubyte, ...
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets._array_files import (
    ArrayFiles,
    RawSplit,
    opened,
    plain_name,
    refuse_several,
    refuse_two,
    unpack,
)
from firstlight.datasets._examples import Examples, array_examples, hold_out
from firstlight.datasets._names import place_of
from firstlight.errors import DataError

FILES = {  # what is published: training images and test images, each with labels
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
NAMES = FILES["train"] + FILES["test"]
TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}  # magic number → NumPy's
NAME = re.compile(r"idx\d|ubyte", re.IGNORECASE)  # in the name of every published file
DEPTH = 2  # folders below the one that is named: torchvision has MNIST/raw
MAX_SUBFOLDERS = 20  # a folder with more is no folder of IDX files, and takes long to search
QMNIST_COLUMNS = 8  # of a label: class, writer, ...

Split = Mapping[str, Path]  # "images" and "labels" → file


@dataclass(frozen=True, order=True)
class Group:
    """Files that belong together: where they lie, and what their names have in common."""

    folder: Path
    collection: str  # "emnist-letters", "" if the names are MNIST's own

    @property
    def name(self) -> str:
        folder = self.folder.resolve()
        is_raw = folder.name in ("raw", "gzip")  # as torchvision and EMNIST's archive have it
        return self.collection or (folder.parent if is_raw else folder).name or "data"


def find(path: Path) -> ArrayFiles | None:
    """Return the IDX files at a path, None if there are none.

    Raises:
        DataError: they are of several data sets, or images have no labels.
    """
    if path.is_file() and not is_idx(path):
        return None
    groups = _nearest(path.parent if path.is_file() else path)
    if path.is_file():
        only = Group(path.parent, place_of(plain_name(path)).collection)
        groups = {only: groups.get(only, {})}
    if not any(groups.values()):
        return None
    examples = [
        next(iter(splits["train" if "train" in splits else "test"].values()))
        for splits in groups.values()
    ]
    refuse_several(path, [group.name for group in groups], examples[0])
    [(group, splits)] = groups.items()
    for parts in splits.values():
        _refuse_half(parts)
    return ArrayFiles(
        path=path,
        name=group.name,
        splits={split: partial(_read_split, parts) for split, parts in splits.items()},
        files=tuple(file for parts in splits.values() for file in parts.values()),
    )


def _nearest(folder: Path) -> dict[Group, dict[str, dict[str, Path]]]:
    """Return the files of the folder itself, or else of the folders below that are the nearest."""
    level = [folder]
    for _ in range(DEPTH + 1):
        groups: dict[Group, dict[str, dict[str, Path]]] = {}
        for parent in level:
            for file in sorted(path for path in parent.iterdir() if path.is_file()):
                place = place_of(plain_name(file))
                if place.role in ("images", "labels") and (NAME.search(file.name) or is_idx(file)):
                    # Some archives unpack each file into a folder of its own name.
                    home = parent.parent if parent.name == file.name else parent
                    splits = groups.setdefault(Group(home, place.collection), {})
                    split = place.split or "train"
                    first = splits.setdefault(split, {}).setdefault(place.role, file)
                    if first != file:  # torchvision keeps the packed file beside the unpacked
                        refuse_two(first, file, f"{split} {place.role}")
        below = [path for parent in level for path in parent.iterdir() if path.is_dir()]
        if groups or len(below) > MAX_SUBFOLDERS:
            return groups
        level = sorted(below)
    return {}


def is_idx(path: Path) -> bool:
    """Return whether a file begins as IDX does, unpacked if it is gzip."""
    try:
        with opened(path) as file:
            start = file.read(4)
    except DataError:
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in TYPES and 1 <= start[3] <= 4


def _refuse_half(parts: Split) -> None:
    """Raises DataError if there are images without labels, or labels without images."""
    if len(parts) == 2:
        return
    [(role, file)] = parts.items()
    other = "labels" if role == "images" else "images"
    wanted = file.name.replace(role, other).replace(
        *(("idx3", "idx1") if role == "images" else ("idx1", "idx3"))
    )
    names = ", ".join(sorted(path.name for path in file.parent.iterdir())[:6])
    raise DataError(f"{file.parent}: {wanted} is missing; the folder has: {names}")


def _read_split(parts: Split) -> RawSplit:
    images, labels = (parse(unpack(parts[role]), parts[role]) for role in ("images", "labels"))
    if images.ndim < 3:
        raise DataError(
            f"{parts['images']}: not an IDX file of images: its dimensions are {images.ndim}, not 3"
        )
    if labels.ndim > 2:
        raise DataError(
            f"{parts['labels']}: not an IDX file of labels: its dimensions are {labels.ndim}, not 1"
        )
    if labels.ndim == 2 and labels.shape[1] == QMNIST_COLUMNS and labels.dtype == np.dtype(">i4"):
        labels = labels[:, 0]
    if len(images) != len(labels):
        names = [plain_name(parts[role]) for role in ("images", "labels")]
        raise DataError(
            f"{parts['images'].parent}: {names[0]} holds {len(images):,} images but {names[1]} "
            f"holds {len(labels):,} labels; take both from the same source"
        )
    return RawSplit(images, labels)


def load(split: str, directory: Path, sha256: Mapping[str, str] | None = None) -> Examples:
    """Return a split of MNIST's four files; the last twelfth of the training images is "val".

    Args:
        sha256: file name → SHA-256 of the unpacked file, to be checked.

    Raises:
        DataError: a file is missing, damaged or altered.
    """
    names = FILES["test" if split == "test" else "train"]
    images, labels = (read(directory, name, sha256) for name in names)
    if split != "test":
        images, labels = hold_out(images, labels, split)
    return array_examples(images, labels)


def read(directory: Path, name: str, sha256: Mapping[str, str] | None = None) -> NDArray[np.uint8]:
    """Return one of MNIST's four files, plain or gzipped: images (N, 28, 28) or labels (N,)."""
    content, path = published(directory, name, sha256)
    return parse(content, path)


def published(
    directory: Path, name: str, sha256: Mapping[str, str] | None = None
) -> tuple[bytearray, Path]:
    """Return the content of a file, plain or gzipped, and its path.

    Raises:
        DataError: it is missing or damaged, or its SHA-256 is another one.
    """
    path = next(
        (each for each in (directory / name, directory / f"{name}.gz") if each.is_file()), None
    )
    if path is None:
        raise DataError(f"{directory}: {name} (or {name}.gz) is missing")
    content = unpack(path)
    if sha256 and hashlib.sha256(content).hexdigest() != sha256[name]:
        raise DataError(f"{path}: altered: its SHA-256 is not the published {sha256[name][:12]}…")
    return content, path


def parse(content: bytes | bytearray, path: Path) -> NDArray[Any]:
    """Return the array that IDX bytes describe; `path` is for the message if they do not."""
    start = content[:4]
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 1 <= start[3] <= 4:
        raise DataError(
            f"{path}: not an IDX file: it starts with {start.hex(' ') or 'nothing'}, not 00 00, "
            "the type of its elements (08 for bytes), and the number of dimensions"
        )
    dtype, dimensions = np.dtype(TYPES[start[2]]), start[3]
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{path}: truncated: {len(content)} bytes, shorter than its own header")
    shape = [int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4)]
    promised, held = math.prod(shape) * dtype.itemsize, len(content) - header
    if promised and promised == held:
        return np.frombuffer(content, dtype, offset=header).reshape(shape)
    if not promised:
        fault = "empty"
    elif held < promised:
        fault = "truncated"
    else:
        fault = "too long"
    size = "×".join(map(str, shape))
    kind = "" if dtype.itemsize == 1 else f" of {dtype.itemsize} bytes"
    raise DataError(
        f"{path}: {fault}: the header says {size} values{kind}, the file holds {held:,} bytes"
    )
