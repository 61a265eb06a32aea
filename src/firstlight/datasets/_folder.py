"""A folder of pictures, a folder for each class: DIR/{train,val,test}/CLASS/* or DIR/CLASS/*.

    find_files ── every file, its split and class ── examine ── copies ── make_splits ── a Listing

Every picture is decoded once before it is used, so that none stops a training in its middle. A
picture that cannot be used is a fault, with its name and the reason, and is left out.

Missing splits are made here, by each file's SHA-256. So they depend on neither names nor seeds, and
every seed's training has the same test pictures.
"""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from firstlight.datasets._dataset import Fault, Listing
from firstlight.datasets._examples import SPLITS, Examples
from firstlight.datasets._images import FolderImages
from firstlight.errors import DataError
from firstlight.images.open import is_picture, open_photograph

PICTURES_PER_HELD_OUT = 10  # one in ten pictures of a class goes into each split that is made here
_QUEUED_FILES = 256  # files that wait for a thread at the same time

Result = TypeVar("Result")


@dataclass(frozen=True)
class File:
    """A file that should be a picture: its path below the folder, its split ("" if none), class."""

    path: str
    split: str
    label: str


def load(split: str, directory: Path, listing: Listing) -> Examples:
    """Return the pictures and labels of a split.

    The first picture of each class comes first, then the second of each: any beginning is a fair
    sample of the classes.

    Raises:
        DataError: the split does not exist, or is empty.
    """
    number = {label: i for i, label in enumerate(listing.classes)}
    files = list(listing.splits.get(split, {}))  # those of a class in their natural order
    if not files:
        splits = ", ".join(listing.splits) or "none at all"
        raise DataError(f"{directory} has no {split} pictures; it has: {splits}")
    labels = np.array([number[class_of(file)] for file in files], np.int32)
    ranks = np.empty_like(labels)  # the position of each picture within its class
    for label in number.values():
        ranks[labels == label] = np.arange((labels == label).sum())
    order = np.lexsort((labels, ranks))
    return Examples(FolderImages(directory, [files[i] for i in order]), labels[order])


def fingerprint(directory: Path, listing: Listing, from_files: bool) -> dict[str, str]:
    """Return a SHA-256 for each split: of the lines `SHA-256 path` of its pictures.

    Args:
        from_files: hash the files as they are now, not as they were when they were listed.

    Raises:
        DataError: a picture can no longer be read.
    """
    hashes = {}
    for split, files in listing.splits.items():
        names = sorted(files)
        if from_files:
            digests = _map_files(_sha256, directory, names)
        else:
            digests = iter(files[name] for name in names)
        split_hash = hashlib.sha256()
        for name, digest in zip(names, digests, strict=True):
            split_hash.update(f"{digest} {name}\n".encode("utf-8", "surrogateescape"))
        hashes[f"{split}, {len(files):,} pictures"] = split_hash.hexdigest()
    return hashes


def _map_files(
    function: Callable[[Path], Result], directory: Path, names: list[str]
) -> Iterator[Result]:
    """Yield `function(file)` for each file: a thread for each core, few files queued at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(names), _QUEUED_FILES):
            paths = [directory / name for name in names[start : start + _QUEUED_FILES]]
            yield from threads.map(function, paths)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def has_class_folders(directory: Path) -> bool:
    """Return whether the directory has a subfolder, which may be a class or a split."""
    return any(_subfolders(directory))


def list_pictures(directory: Path, quiet: bool = True) -> Listing:
    """Decode every file of a folder; return which pictures can be used, and the faults.

    Raises:
        DataError: no class folder holds a file.
    """
    files, faults = find_files(directory)
    if not files:
        raise DataError(
            f"{directory}: no files in class folders; expected {directory}/CLASS/* or "
            f"{directory}/train/CLASS/*, val and test beside it"
        )
    digests, unusable = examine(directory, files, quiet)
    faults |= unusable
    good = [file for file in files if file.path in digests]
    faults |= copies(good, digests)
    good = [file for file in good if file.path not in faults]
    classes = sorted({file.label for file in good if file.split in ("", "train")}, key=natural)
    if not classes:  # a folder to measure on, without train
        classes = sorted({file.label for file in good}, key=natural)
    faults = _not_in_train(good, classes) | _empty_classes(directory, good) | faults
    good = [file for file in good if file.label in classes]
    splits, made = make_splits(good, digests)
    return Listing(
        classes=tuple(classes),
        splits=splits,
        made=made,
        faults=tuple(Fault(file, faults[file]) for file in sorted(faults, key=natural)),
    )


def find_files(directory: Path) -> tuple[list[File], dict[str, str]]:
    """Return every file in a class folder, and the faults of those that lie elsewhere."""
    splits = _split_folders(directory)
    files: list[File] = []
    faults: dict[str, str] = {}
    for split in splits:
        root = directory / split
        for label in _subfolders(root):
            place = Path(split, label).as_posix()
            if label != label.encode(errors="ignore").decode():
                faults[place] = "a class is named in UTF-8; rename the folder"
                continue
            files += [
                File(Path(split, label, name).as_posix(), split, label)
                for name in _names(root / label)
                if not (root / label / name).is_dir()
            ]
            for path in _pictures_below(directory, root / label, _subfolders(root / label)):
                faults[path] = f"too deep: expected {place}/FILE"
    for folder in {directory, *(directory / split for split in splits)}:
        faults |= dict.fromkeys(_pictures_in(directory, folder), "in no class folder")
    if splits != [""]:
        faults |= _unknown_splits(directory, splits)
    return files, faults


def _split_folders(directory: Path) -> list[str]:
    """Return the splits that have a folder; [""] if none has."""
    return [split for split in SPLITS if (directory / split).is_dir()] or [""]


def _unknown_splits(directory: Path, splits: list[str]) -> dict[str, str]:
    """Return the faults of folders beside the splits that hold pictures but are not a split."""
    return {
        name: f"not the name of a split, so it is left out; the splits are: {', '.join(SPLITS)}"
        for name in _subfolders(directory)
        if name not in splits and any(_pictures_below(directory, directory, [name]))
    }


def examine(
    directory: Path, files: list[File], quiet: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Decode every file; return the SHA-256 of each good one, and what is wrong with the others."""
    from firstlight.progress import Progress  # `read` starts sooner without it

    digests: dict[str, str] = {}
    faults: dict[str, str] = {}
    names = [file.path for file in files]
    examined = _map_files(_examine_file, directory, names)
    with Progress(len(names), quiet=quiet, unit="picture") as progress:
        for name, (digest, problem) in zip(names, examined, strict=True):
            if problem:
                faults[name] = problem
            else:
                digests[name] = digest
            progress.at(len(digests) + len(faults), f"examined, {len(faults):,} faults")
    return digests, faults


def _examine_file(path: Path) -> tuple[str, str]:
    """Return a file's SHA-256, or "" and what is wrong with it."""
    try:
        if not path.is_file():
            return "", "not a file"
        digest = _sha256(path)
        open_photograph(path, shortest=1)  # all bytes are decoded, at an eighth of the size
        return digest, ""
    except DataError as error:
        return "", str(error).removeprefix(f"{path}: ")
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"


def copies(files: list[File], digests: dict[str, str]) -> dict[str, str]:
    """Return the faults of copies: the same bytes again in another class or split."""
    originals: dict[str, File] = {}
    faults = {}
    for file in files:
        original = originals.setdefault(digests[file.path], file)
        if original.label != file.label:
            faults[file.path] = f"same picture as {original.path}, in another class"
        elif original.split != file.split:
            faults[file.path] = f"same picture as {original.path}, in another split"
    return faults


def make_splits(
    files: list[File], digests: dict[str, str]
) -> tuple[dict[str, dict[str, str]], str]:
    """Return the files of each split, and how missing splits were made ("" if none was)."""
    missing = _missing_splits({file.split for file in files})
    splits: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
    by_class: dict[str, dict[str, str]] = defaultdict(dict)
    for file in files:
        if missing and file.split in ("", "train"):
            by_class[file.label][file.path] = digests[file.path]
        else:
            splits[file.split][file.path] = digests[file.path]
    for class_files in by_class.values():
        for path, split in _assign_splits(class_files, missing):
            splits[split][path] = class_files[path]
    splits = {split: split_files for split, split_files in splits.items() if split_files}
    if not by_class:
        return splits, ""
    names = " and ".join(reversed(missing))
    return splits, f"{names} made here: one picture in {PICTURES_PER_HELD_OUT} of each class"


def _missing_splits(splits: set[str]) -> tuple[str, ...]:
    if splits == {""}:
        return ("test", "val")
    if "val" in splits:
        return ()
    return ("val",)


def _assign_splits(files: dict[str, str], missing: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each file of a class and its split; copies of a picture go into the same split."""
    digests = sorted(set(files.values()))
    per_split = 0
    if len(digests) > len(missing):
        per_split = max(1, round(len(digests) / PICTURES_PER_HELD_OUT))
    split_of = {}
    for number, split in enumerate(missing):
        for digest in digests[number * per_split : (number + 1) * per_split]:
            split_of[digest] = split
    for path, digest in files.items():
        yield path, split_of.get(digest, "train")


def _not_in_train(files: list[File], classes: list[str]) -> dict[str, str]:
    """Return the faults of pictures whose class has no training picture."""
    return {
        file.path: f"class {file.label} is in {file.split} and not in train"
        for file in files
        if file.label not in classes
    }


def _empty_classes(directory: Path, good: list[File]) -> dict[str, str]:
    """Return the faults of class folders in which no picture can be used."""
    used = {Path(file.path).parent.as_posix() for file in good}
    faults = {}
    for split in _split_folders(directory):
        for name in _subfolders(directory / split):
            place = Path(split, name).as_posix()
            if place not in used:
                faults[place] = "empty class: no picture in it can be used"
    return faults


def natural(text: str) -> tuple[list[Any], str]:
    """Return a key to sort by: 10 follows 9, capitals stand beside small letters."""
    parts = re.split(r"(\d+)", text.casefold())  # every other part is a number, in every text
    return [int(part) if part.isdecimal() else part for part in parts], text


def class_of(path: str) -> str:
    """Return a picture's class: the name of the folder that it lies in."""
    return path.split("/")[-2]


def _pictures_in(directory: Path, folder: Path) -> list[str]:
    """Return the pictures that lie in a folder itself, as paths below the directory."""
    paths = [folder / name for name in _names(folder)]
    return [
        path.relative_to(directory).as_posix()
        for path in paths
        if path.is_file() and is_picture(path)
    ]


def _pictures_below(directory: Path, root: Path, folders: list[str]) -> Iterator[str]:
    """Yield the pictures at any depth in these folders of `root`, as paths below the directory."""
    for name in folders:
        for folder, subfolders, files in os.walk(root / name):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for file in sorted(files):
                path = Path(folder, file)
                if not file.startswith(".") and path.is_file() and is_picture(path):
                    yield path.relative_to(directory).as_posix()


def _names(directory: Path) -> list[str]:
    """Return the names in a directory in natural order, without hidden ones."""
    return sorted((name for name in os.listdir(directory) if name[0] != "."), key=natural)


def _subfolders(directory: Path) -> list[str]:
    return [name for name in _names(directory) if (directory / name).is_dir()]
