"""Arrays in files as a dataset: what the kinds _idx, _npz and _csv have in common.

A kind finds its files and says how each split is read; everything else is done here. A split is
read when it is needed, the training split at once: it says what the values and labels mean.
"""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from firstlight import file_types
from firstlight.datasets import _emnist
from firstlight.datasets._arrays import HELD_OUT, Form, held_out
from firstlight.datasets._dataset import Dataset
from firstlight.datasets._examples import (
    HOLD_OUT_EVERY,
    SPLITS,
    Examples,
    array_examples,
    hold_out,
)
from firstlight.errors import DataError, UsageError

BLOCK = 1 << 16  # bytes that are unpacked at a time
GZIP = b"\x1f\x8b"
MAX_BYTES = 4 << 30  # of an array
# A few kilobytes of gzip may unpack to more than any memory. Images shrink to a tenth at best, and
# only small files, such as those of sorted labels, to less than a thirtieth.
MAX_RATIO = 30
MIN_UNPACKED = 256 << 20  # bytes that any file may unpack to


@dataclass(frozen=True)
class RawSplit:
    """Images and labels of a split as its files hold them, in any form that `Form` understands."""

    images: NDArray[Any]
    labels: NDArray[Any]
    file: Path | None = None  # if both are in one


@dataclass(frozen=True, kw_only=True)
class ArrayFiles:
    """What a kind has found at a path."""

    path: Path  # the file or folder, for messages
    name: str  # what the data is called
    splits: dict[str, Callable[[], RawSplit]]  # split → read it
    files: tuple[Path, ...]  # all that is read
    classes: tuple[str, ...] | None = None  # if the files name them
    remarks: tuple[str, ...] = ()  # what a user must know


def dataset_of_files(found: ArrayFiles, location: Path) -> Dataset:
    """Return the dataset in files of arrays; `location` is what the user named.

    Raises:
        DataError: the files of the first split are damaged, or their arrays are no images.
    """
    first = next(split for split in SPLITS if split in found.splits)
    raw = found.splits[first]()
    with as_data_error(raw.file or found.path):
        form = _form(found, raw)
        ready = {first: _examples(found, form, raw, first)}
        made = ""
        if first == "train" and "val" not in found.splits:
            ready["train"], ready["val"], made = hold_out_validation(ready["train"])
    splits = tuple(split for split in SPLITS if split in ready or split in found.splits)

    def load(split: str) -> Examples:
        if split not in splits:
            raise DataError(f"{found.path} has no {split} split; it has: {', '.join(splits)}")
        if split not in ready:
            raw = found.splits[split]()
            with as_data_error(raw.file or found.path):
                ready[split] = _examples(found, form, raw, split)
        return ready[split]

    return Dataset(
        name=found.name,
        classes=form.names,
        load=load,
        fingerprint=lambda: {plain_name(path): sha256(path) for path in found.files},
        splits=splits,
        made=made,
        location=str(location.resolve()),
        values=form.scale.values,
        remarks=(*found.remarks, *form.notes),
    )


def _form(found: ArrayFiles, raw: RawSplit) -> Form:
    """Return how the arrays are understood, with the names of the classes if they are known."""
    form = Form.of(raw.images, raw.labels, found.classes)
    if not _emnist.is_emnist(found.files[0]):
        return form
    names = _emnist.class_names(found.files[0], form.values) or form.names
    return replace(form, names=names, notes=(*form.notes, _emnist.NOTE))


def _examples(found: ArrayFiles, form: Form, raw: RawSplit, split: str) -> Examples:
    examples = form.examples(raw.images, raw.labels, split)
    if not _emnist.is_emnist(found.files[0]):
        return examples
    return array_examples(_emnist.upright(examples.images[:]), examples.labels)


def hold_out_validation(train: Examples) -> tuple[Examples, Examples, str]:
    """Return training and validation examples, and how they were made.

    Published training images are in a random order: the last twelfth is held out, if it has every
    class. A user's own are often sorted by class, and are drawn at random.
    """
    images, labels = train.images[:], train.labels
    count = len(labels) // HOLD_OUT_EVERY
    if count and len(np.unique(labels[-count:])) == len(np.unique(labels)):
        parts = (hold_out(images, labels, split) for split in ("train", "val"))
        first, last = (array_examples(*part) for part in parts)
        return first, last, ""
    return *held_out(train), HELD_OUT


@contextmanager
def as_data_error(path: Path) -> Iterator[None]:
    """Turn what is said of arrays from Python into what is said of a file."""
    try:
        yield
    except UsageError as error:
        raise DataError(f"{path}: {error}") from None


def unpack(path: Path) -> bytearray:
    """Return the file's content, unpacked if it is gzip, whatever its name is."""
    content = bytearray()
    with opened(path) as file:
        while block := file.read(BLOCK):  # Python takes the memory for what it is to read at once
            content += block
            if len(content) > MAX_BYTES:
                raise DataError(f"{path}: more than {MAX_BYTES >> 30} GiB")
    return content


def most_unpacked(packed: int) -> int:
    """Return the most bytes that a packed file, or a member of one, may unpack to."""
    return max(MIN_UNPACKED, MAX_RATIO * packed)


class _Bounded(io.RawIOBase):
    """An unpacked file that ends with a DataError if it is larger than its packed size explains."""

    def __init__(self, content: gzip.GzipFile, path: Path) -> None:
        self._content = content
        self._path = path
        self._left = most_unpacked(path.stat().st_size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._content.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        part = self._content.read1(len(buffer))
        self._left -= len(part)
        if self._left < 0:
            raise DataError(
                f"{self._path}: unpacks to more than {MAX_RATIO} times its size, as no images do"
            )
        buffer[: len(part)] = part
        return len(part)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, unpacked if it is gzip, up to `most_unpacked`.

    Raises:
        DataError: it cannot be read, or the gzip is damaged; also while it is read.
    """
    if special := file_types.special_file(path):
        raise DataError(f"{path}: {special}")
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        if not packed:
            with path.open("rb") as content:
                yield content
            return
        with (
            gzip.open(path) as unpacked,
            io.BufferedReader(_Bounded(unpacked, path), BLOCK) as content,
        ):
            yield cast("BinaryIO", content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or truncated gzip ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def plain_name(path: Path) -> str:
    """Return a file's name without .gz."""
    return path.name.removesuffix(".gz")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, unpacked: the same whether it is gzipped or not."""
    digest = hashlib.sha256()
    with opened(path) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def is_all_there_is(path: Path) -> bool:
    """Return whether only files at a path can be meant: it is a file, or has no subfolder."""
    return path.is_file() or not any(each.is_dir() for each in path.iterdir())


def refuse_two(first: Path, second: Path, what: str) -> None:
    """Raises DataError if two files are for the same part of the data, and are not equal."""
    if sha256(first) != sha256(second):
        raise DataError(
            f"{first} and {second} are both for the {what}, and differ; keep one of them there"
        )


def refuse_several(path: Path, names: Iterable[str], example: Path) -> None:
    """Raises DataError if a folder holds several collections of data."""
    found = sorted(set(names))
    if len(found) > 1:
        raise DataError(
            f"{path} holds several data sets: {', '.join(found)}; name a file of one of them, "
            f"such as {example}"
        )
