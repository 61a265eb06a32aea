"""Finds which kind of data lies at a path.

A kind is a module with `find(path)`, which returns what it has found, or None. A kind finds either
arrays, which are read into memory, or pictures, which are examined and listed. Arrays of two kinds
are refused; class folders are taken before arrays beside them.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from firstlight import file_types
from firstlight.datasets import _csv, _folder, _idx, _npz, _parquet
from firstlight.datasets._array_files import ArrayFiles, dataset_of_files, is_all_there_is
from firstlight.datasets._dataset import Dataset, Listing
from firstlight.datasets._pictures import PictureFiles, dataset_of_pictures
from firstlight.errors import DataError
from firstlight.images.files import refuse_unreadable, walk

ARRAY_KINDS: dict[str, Callable[[Path], ArrayFiles | None]] = {
    "IDX files, as MNIST is published": _idx.find,
    "NumPy's .npz or .npy": _npz.find,
    "CSV with a row for each image": _csv.find,
}
PICTURE_KINDS: dict[str, Callable[[Path], PictureFiles | None]] = {
    "Parquet, as Hugging Face keeps pictures": _parquet.find,
    "pictures in class folders, or with a CSV of file,label": _folder.find,
}
MAX_LOOKED_AT = 100  # files of a folder that is no data
MAX_NAMES = 6  # of a folder's files in a message


def dataset_at(path: Path, kept: Listing | None, quiet: bool) -> Dataset:
    """Return the dataset at a path that exists; `kept` is the listing of a run's pictures, if any.

    Raises:
        DataError: there is none, or it is damaged, or a folder in it may not be read.
    """
    if special := file_types.special_file(path):
        raise DataError(f"{path}: {special}")
    try:
        return _found_at(path, kept, quiet)
    except PermissionError as error:
        refuse_unreadable(error)


def _found_at(path: Path, kept: Listing | None, quiet: bool) -> Dataset:
    if kept is not None:
        return dataset_of_pictures(_kept_pictures(path), path, kept, quiet)
    arrays = _arrays(path)
    beside = arrays is not None and not is_all_there_is(path) and _folder.holds_classes(path)
    if arrays and not beside:
        return dataset_of_files(arrays, path)
    for find_pictures in PICTURE_KINDS.values():
        if pictures := find_pictures(path):
            remarks = (*pictures.remarks, *(_left_out(arrays) if arrays else ()))
            return dataset_of_pictures(replace(pictures, remarks=remarks), path, None, quiet)
    raise DataError(f"{path}: {_what_it_is(path)}")


def _arrays(path: Path) -> ArrayFiles | None:
    """Return the files of arrays at a path, None if there are none.

    Raises:
        DataError: there are files of several kinds; or what a kind raises.
    """
    found: list[ArrayFiles] = []
    for find_arrays in ARRAY_KINDS.values():
        # What lies beside the data need not be in order.
        with suppress(DataError) if found else nullcontext():
            found += [arrays] if (arrays := find_arrays(path)) else []
    if len(found) > 1:
        first, second = (arrays.files[0].relative_to(path) for arrays in found[:2])
        raise DataError(
            f"{path} holds images in {first} and in {second}; name the one to take, such as "
            f"{path / first}"
        )
    return found[0] if found else None


def _left_out(arrays: ArrayFiles) -> tuple[str, ...]:
    """Return what is said of arrays beside folders of pictures."""
    names = ", ".join(file.name for file in arrays.files[:MAX_NAMES])
    return (
        f"the class folders are taken, and {names} beside them left out; name the file to take it",
    )


def _kept_pictures(path: Path) -> PictureFiles:
    """Return where the pictures lie that a run has listed: a folder is not searched again."""
    folder = path.parent if path.is_file() else path
    return _parquet.find(path) or PictureFiles(source=folder, files=[])


def _what_it_is(path: Path) -> str:
    """Return which files lie at a path without data, and what to do."""
    kinds = "; ".join([*ARRAY_KINDS, *PICTURE_KINDS])
    expected = f"{kinds}; save other arrays: np.savez(FILE, images=images, labels=labels)"
    if path.is_file():
        return file_types.describe_file(path) or f"not a dataset; data can be {expected}"
    files = list(islice(_shown_below(path), MAX_LOOKED_AT))
    for file in files:
        if file.is_file() and (known := file_types.describe_file(file)):
            return f"{file.relative_to(path)} is {known}"
    if not files:
        return "the folder is empty" if not any(path.iterdir()) else "no file is in its folders"
    names = ", ".join(
        f"{file.relative_to(path)}{' (text)' if file_types.is_text(file) else ''}"
        for file in files[:MAX_NAMES]
    )
    return f"no picture and no other data that is known; it has: {names}; data can be {expected}"


def _shown_below(path: Path) -> Iterator[Path]:
    """Yield the files in a folder and in its folders, without hidden ones."""
    for parent, folders, names in walk(path):
        folders.sort()
        yield from (parent / name for name in sorted(names) if not name.startswith("."))
