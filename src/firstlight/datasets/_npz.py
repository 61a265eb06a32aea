"""NumPy's files: .npz with several arrays, .npy with one, in a file or side by side in a folder.

What an array is, its name says, and the name of its file: x_train, train_images, X and y in
digits.npz, arr_0 in kmnist-train-imgs.npz, train_labels.npy. Pickled objects are never opened.
"""

import io
import math
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets._array_files import (
    MAX_RATIO,
    ArrayFiles,
    RawSplit,
    is_all_there_is,
    most_unpacked,
    refuse_several,
)
from firstlight.datasets._names import Place, decoded, place_of, words_of
from firstlight.errors import DataError
from firstlight.file_types import special_file

NAME = "mnist.npz"  # as Keras calls it
ENDINGS = (".npz", ".npy")
MAX_HEADER = 12 + 10_000  # bytes: NumPy reads no longer one
EXPECTED = (
    "images and labels: x_train and y_train, train_images and train_labels, images and labels"
)


@dataclass(frozen=True)
class Array:
    """An array in a file that has not been read; its header has."""

    file: Path
    key: str  # "" in an .npy file
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def name(self) -> str:
        return f"{self.file.name}: {self.key}" if self.key else self.file.name

    @property
    def is_plain(self) -> bool:
        """Whether its name says where it belongs and nothing else: "labels", not "fine_labels"."""
        return not place_of(self.key).collection

    @property
    def place(self) -> Place:
        """What its name says; where it says nothing, the name of its file."""
        of_key, of_file = place_of(self.key), place_of(self.file.stem)
        return Place(of_file.collection, of_key.split or of_file.split, of_key.role or of_file.role)

    def refuse_objects(self) -> None:
        """Raises DataError if the array holds Python objects."""
        if self.dtype.hasobject:
            raise DataError(
                f"{self.file}: {self.key or 'the array'} holds Python objects (a pickle), which "
                "could run foreign code; save plain arrays: np.savez(FILE, images=images, "
                "labels=labels)"
            )

    def read(self) -> NDArray[Any]:
        """Return the values. Raises DataError if the file is damaged, or holds Python objects."""
        self.refuse_objects()
        size = math.prod(self.shape) * self.dtype.itemsize
        limit = most_unpacked(self.file.stat().st_size)
        if size > limit:
            raise DataError(
                f"{self.file}: {self.key} {self.shape} {self.dtype}: unpacks to more than "
                f"{limit >> 20:,} MiB; if you know what is in it, save it with np.savez"
            )
        with _members(self.file) as members:
            if size > members[self.key].size:  # NumPy takes the memory before it reads
                raise DataError(
                    f"{self.file}: {self.key or 'the array'} is truncated: its header says "
                    f"{self.shape} {self.dtype}; fetch or save it again"
                )
            with members[self.key].open() as content:
                array: NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)
        if array.dtype.kind == "U" and not _is_text(array):
            raise DataError(f"{self.file}: {self.key or 'the array'} is damaged: not all is text")
        return array


def _is_text(array: NDArray[Any]) -> bool:
    """Return whether an array of names has only numbers that stand for characters.

    NumPy keeps each as four bytes, and Python fails in many ways at one that stands for none.
    """
    if not array.size or not array.dtype.itemsize:
        return True
    numbers = np.ascontiguousarray(array).reshape(-1).view(array.dtype.byteorder + "u4")
    is_surrogate = (numbers >= 0xD800) & (numbers <= 0xDFFF)
    return bool(numbers.max() <= sys.maxunicode and not is_surrogate.any())


def find(path: Path) -> ArrayFiles | None:
    """Return the arrays at a path, None if there are none that are named as images.

    Raises:
        DataError: a file is damaged, or the arrays are of several data sets, or lack labels.
    """
    arrays = _arrays_at(path)
    if path.is_file():
        for array in arrays:
            array.refuse_objects()
    places = _places(arrays)
    if not any(place.role == "images" for place in places):
        if path.is_file() and arrays:
            found = ", ".join(f"{each.key or each.file.name} {each.shape}" for each in arrays[:8])
            raise DataError(f"{path} has {found}; it must have {EXPECTED}")
        return _class_in_each_file(path, arrays)
    has_labels = any(place.role == "labels" for place in places)
    if not has_labels and not is_all_there_is(path):
        return None  # arrays beside folders of pictures
    refuse_several(path, {place.collection for place in places}, next(iter(places.values())).file)
    splits = _splits(path, places)
    files = tuple(dict.fromkeys(a.file for parts in splits.values() for a in parts.values()))
    return ArrayFiles(
        path=path,
        name=_name(path, files),
        splits={split: partial(_read_split, parts) for split, parts in splits.items()},
        files=files,
        classes=_class_names(places),
        remarks=tuple(
            f"{array.name} is left out: {places[array.place].name} is taken"
            for array in arrays
            if array.place in places and array not in places.values()
        ),
    )


def images_of(file: Path) -> NDArray[Any]:
    """Return the images of a file, of its test split if it has several.

    Raises:
        DataError: it holds none, or is damaged.
    """
    arrays = _headers(file)
    places = _places([array for array in arrays if array.place.role != "labels"])
    images = {place.split: each for place, each in places.items() if place.role == "images"}
    if not images and len(arrays) == 1 and arrays[0].place.role != "labels":
        return arrays[0].read()
    for split in ("test", "", "val", "train"):
        if split in images:
            return images[split].read()
    found = ", ".join(f"{each.key or each.file.name} {each.shape}" for each in arrays[:8])
    raise DataError(f"{file} has {found or 'no arrays'}; name one of images: x_test, images")


def _splits(path: Path, places: dict[Place, Array]) -> dict[str, dict[str, Array]]:
    """Return images and labels of each split.

    Raises:
        DataError: images have no labels, or two arrays are for the training split.
    """
    splits: dict[str, dict[str, Array]] = {}
    for place, array in places.items():
        if place.role in ("images", "labels"):
            parts = splits.setdefault(place.split or "train", {})
            parts[place.role] = _only([parts.get(place.role, array), array], place.role)
    usable = {split: parts for split, parts in splits.items() if "images" in parts}
    for split, parts in usable.items():
        if "labels" not in parts:
            have = ", ".join(array.key or array.file.name for array in places.values())
            raise DataError(
                f"{path}: no labels beside {parts['images'].name} ({split}); it has: {have}; it "
                f"must have {EXPECTED}"
            )
    return usable


def _class_in_each_file(path: Path, arrays: list[Array]) -> ArrayFiles | None:
    """Return .npy files of images, one for each class, as Quick, Draw! has them: cat.npy, ..."""
    if len(arrays) < 2 or any(array.key or array.dtype != np.uint8 for array in arrays):
        return None
    if len({array.shape[1:] for array in arrays}) > 1 or len(arrays[0].shape) < 2:
        return None
    words = [words_of(array.file.stem) for array in arrays]
    common = set.intersection(*map(set, words))
    classes = tuple(
        " ".join(w for w in each if w not in common) or "-".join(each) for each in words
    )

    def read() -> RawSplit:
        parts = [array.read() for array in arrays]
        labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return RawSplit(np.concatenate(parts), labels)

    return ArrayFiles(
        path=path,
        name=_name(path, ()),
        splits={"train": read},
        files=tuple(array.file for array in arrays),
        classes=classes,
        remarks=(f"each .npy file is taken as a class: {', '.join(classes[:6])}",),
    )


def _name(path: Path, files: tuple[Path, ...]) -> str:
    """Return what the data is called: every mnist.npz has the same name, its folder tells more."""
    resolved = path.resolve()
    if path.is_dir():
        return resolved.name or "data"
    if resolved.name == NAME or resolved.suffix == ".npy":
        return resolved.parent.name or "data"
    return resolved.name


def _arrays_at(path: Path) -> list[Array]:
    """Return the arrays in a file, or in the NumPy files of a folder.

    A file that holds only images, or only labels, belongs to the files beside it.
    """
    if path.is_dir():
        return [array for file in _files(path) for array in _headers(file)]
    if not _is_numpy(path):
        return []
    arrays = _headers(path)
    if len({array.place.role for array in arrays} & {"images", "labels"}) == 2 or len(arrays) > 1:
        return arrays
    collection = place_of(path.stem).collection
    siblings = [
        file for file in _files(path.parent) if place_of(file.stem).collection == collection
    ]
    return [array for file in siblings for array in _headers(file)]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in ENDINGS and path.is_file())


def _is_numpy(path: Path) -> bool:
    """Return whether a file is one of NumPy's, by its name or its content."""
    if special_file(path):
        return False
    if path.suffix in ENDINGS:
        return True
    with path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        return True
    return start[:4] == b"PK\3\4" and _has_only_arrays(path)


def _has_only_arrays(path: Path) -> bool:
    """Return whether a zip archive holds nothing but arrays; a damaged one does not."""
    try:
        with zipfile.ZipFile(path) as archive:
            return all(name.endswith(".npy") for name in archive.namelist())
    except Exception:  # zipfile raises many kinds
        return False


def _places(arrays: list[Array]) -> dict[Place, Array]:
    """Return the place of each array: its split and its role. Without names, the shapes decide.

    Raises:
        DataError: two arrays are for the same place, and differ.
    """
    named: dict[Place, list[Array]] = {}
    for array in arrays:
        if array.place.role:
            named.setdefault(array.place, []).append(array)
    places = {place: _only(each, place.role) for place, each in named.items()}
    if places or len({array.file for array in arrays}) != 1:
        return places
    images = [array for array in arrays if len(array.shape) > 1 and array.shape[1] > 1]
    labels = [array for array in arrays if array not in images]
    if len(images) == len(labels) <= 2:
        for split, image, label in zip(("train", "test"), images, labels, strict=False):
            places[Place("", split, "images")] = image
            places[Place("", split, "labels")] = label
    return places


def _only(arrays: list[Array], role: str) -> Array:
    """Return the array for a place: the one with a plain name, if only one has that.

    Raises:
        DataError: several can be meant, and differ.
    """
    fitting = [array for array in arrays if _can_be(array, role)] or arrays
    first, *others = [array for array in fitting if array.is_plain] or fitting
    for other in others:
        if other != first and not _is_same(first, other):
            raise DataError(
                f"{first.file.parent}: {first.name} and {other.name} can both be the {role}, and "
                "differ; keep one of them, or give the other a name of its own"
            )
    return first


def _can_be(array: Array, role: str) -> bool:
    """Return whether an array's shape or type fits what its name says."""
    if role == "images":
        return len(array.shape) > 1
    return role != "classes" or array.dtype.kind in "US"


def _is_same(first: Array, second: Array) -> bool:
    """Return whether two arrays have the same values: scikit-learn has `data` and `images`."""
    if math.prod(first.shape) != math.prod(second.shape):
        return False
    return np.array_equal(first.read().ravel(), second.read().ravel())


def _class_names(places: dict[Place, Array]) -> tuple[str, ...] | None:
    """Return the names of the classes, if an array holds them."""
    for place, array in places.items():
        if place.role == "classes" and array.dtype.kind in "US" and len(array.shape) == 1:
            names = array.read().tolist()
            return tuple(decoded(n) if isinstance(n, bytes) else n for n in names)
    return None


def _read_split(parts: dict[str, Array]) -> RawSplit:
    images, labels = parts["images"], parts["labels"]
    file = images.file if images.file == labels.file else None
    return RawSplit(images.read(), labels.read(), file)


class Member(NamedTuple):
    """An array in a file, with its header."""

    open: Callable[[], IO[bytes]]
    size: int  # bytes, unpacked


def _headers(file: Path) -> list[Array]:
    """Return the arrays of a file. Raises DataError if it is damaged."""
    arrays = []
    with _members(file) as members:
        for key, member in members.items():
            with member.open() as content:  # NumPy would read as much as the file says
                start = io.BytesIO(content.read(MAX_HEADER))
            major, _ = np.lib.format.read_magic(start)
            read = np.lib.format.read_array_header_1_0
            if major > 1:
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(start)
            arrays.append(Array(file, key, shape, dtype))
    return arrays


def _refuse_bomb(file: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises DataError if a member unpacks to more than its packed size explains."""
    for each in members:
        if each.file_size > most_unpacked(each.compress_size):
            raise DataError(
                f"{file}: {each.filename} unpacks to {each.file_size:,} bytes, more than "
                f"{MAX_RATIO} times its size, as no images do"
            )


@contextmanager
def _members(file: Path) -> Iterator[dict[str, Member]]:
    """Give each array of a file by its name; "" is the only one of an .npy.

    Raises:
        DataError: the file is damaged, or of another kind; also while it is read.
    """
    if special := special_file(file):
        raise DataError(f"{file}: {special}")
    try:
        with file.open("rb") as start:
            is_array = start.read(6) == b"\x93NUMPY"
        if is_array:
            yield {"": Member(lambda: file.open("rb"), file.stat().st_size)}
        else:
            with zipfile.ZipFile(file) as archive:
                members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
                _refuse_bomb(file, members)
                yield {
                    each.filename.removesuffix(".npy"): Member(
                        partial(archive.open, each), each.file_size
                    )
                    for each in members
                }
    except DataError:
        raise
    except Exception as error:  # readers of NumPy and zip raise anything, even TokenError
        fault = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, SyntaxError | TokenError):  # of Python's parser, which NumPy uses
            fault = "its header is damaged"
        kind = file.suffix if file.suffix in ENDINGS else ".npz"
        raise DataError(
            f"{file}: not a readable {kind} file ({fault}); save it with NumPy again: "
            "np.savez(FILE, images=images, labels=labels)"
        ) from None
