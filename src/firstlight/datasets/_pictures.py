"""Pictures as a dataset: what the kinds _folder and _parquet have in common.

    PictureFiles ── examine ── copies ── make_splits ── a Listing

Every picture is decoded once before it is used, so that none stops a training in its middle. A
picture that cannot be used is a fault, with its name and the reason, and is left out.

Missing splits are made here, by each file's SHA-256. So they depend on neither names nor seeds, and
every seed's training has the same test pictures.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from firstlight.datasets._dataset import EMPTY_CLASS, Dataset, Fault, Listing
from firstlight.datasets._examples import ALL, SPLITS, Examples
from firstlight.datasets._images import ArrayImages, FolderImages, Source, content_of
from firstlight.datasets._names import is_writable
from firstlight.errors import DataError
from firstlight.images.crops import Size
from firstlight.images.files import natural
from firstlight.images.open import open_photograph
from firstlight.images.values import BYTES

PICTURES_PER_HELD_OUT = 10  # one in ten pictures of a class goes into each split that is made here
# Equal square pictures that are not larger are used whole, in memory, as arrays are: digits, CIFAR.
MAX_SMALL_SIDE = 32  # pixels
_QUEUED_FILES = 256  # files that wait for a thread at the same time

Result = TypeVar("Result")


@dataclass(frozen=True)
class File:
    """A file that should be a picture: its path in the source, its split ("" if none), class."""

    path: str
    split: str
    label: str


@dataclass(frozen=True)
class Examined:
    """What a file is: its SHA-256, or what is wrong with it."""

    sha256: str = ""
    problem: str = ""
    size: Size | None = None  # of a small square picture


@dataclass(frozen=True, kw_only=True)
class PictureFiles:
    """What a kind has found at a path."""

    source: Source
    files: list[File]
    faults: dict[str, str] = field(default_factory=dict)  # file → what is wrong with it
    classes: tuple[str, ...] | None = None  # in their own order, if the data has one
    class_folders: dict[str, tuple[str, str]] = field(default_factory=dict)  # → split and class
    remarks: tuple[str, ...] = ()


def dataset_of_pictures(
    found: PictureFiles, path: Path, kept: Listing | None, quiet: bool
) -> Dataset:
    """Return the dataset of pictures; `kept` is the listing of a run, if any.

    Raises:
        DataError: nothing was found.
    """
    listing = kept or list_pictures(found, quiet)
    return Dataset(
        name=path.resolve().name or "data",
        classes=listing.classes,
        load=partial(load, source=found.source, listing=listing, name=str(path)),
        fingerprint=partial(fingerprint, found.source, listing, from_files=kept is not None),
        splits=tuple(listing.splits),
        listing=listing,
        made=listing.made,
        is_unsplit=kept is None and not any(file.split for file in found.files),
        location=str(path.resolve()),
        values=BYTES,
        remarks=(*found.remarks, *_small_note(listing)) if kept is None else (),
    )


def _small_note(listing: Listing) -> tuple[str, ...]:
    if listing.size is None:
        return ()
    height, width, channels = listing.size
    colour = "grey" if channels == 1 else "colour"
    return (f"all pictures are small, {width}×{height} in {colour}: each is used whole",)


def load(split: str, source: Source, listing: Listing, name: str) -> Examples:
    """Return the pictures and labels of a split, or of ALL.

    The first picture of each class comes first, then the second of each: any beginning is a fair
    sample of the classes.

    Raises:
        DataError: the split does not exist, or is empty.
    """
    number = {label: i for i, label in enumerate(listing.classes)}
    files = list(listing.splits.get(split, {}))  # those of a class in their natural order
    if split == ALL:
        files = sorted((file for each in listing.splits.values() for file in each), key=natural)
    if not files:
        splits = ", ".join(listing.splits) or "none at all"
        raise DataError(f"{name} has no {split} pictures; it has: {splits}")
    labels = np.array([number[listing.class_of(file)] for file in files], np.int32)
    ranks = np.empty_like(labels)  # the position of each picture within its class
    for label in number.values():
        ranks[labels == label] = np.arange((labels == label).sum())
    order = np.lexsort((labels, ranks))
    images = FolderImages(source, [files[i] for i in order])
    if listing.size is None:
        return Examples(images, labels[order])
    whole = ArrayImages(images.whole(listing.size), files=images.files)
    return Examples(whole, labels[order])


def fingerprint(source: Source, listing: Listing, from_files: bool) -> dict[str, str]:
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
            digests = _map_files(_sha256, source, names)
        else:
            digests = iter(files[name] for name in names)
        split_hash = hashlib.sha256()
        for name, digest in zip(names, digests, strict=True):
            split_hash.update(f"{digest} {name}\n".encode("utf-8", "surrogateescape"))
        hashes[f"{split}, {len(files):,} pictures"] = split_hash.hexdigest()
    return hashes


def _map_files(
    function: Callable[[Source, str], Result], source: Source, names: list[str]
) -> Iterator[Result]:
    """Yield `function(source, name)` for each: a thread for each core, few files at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(names), _QUEUED_FILES):
            yield from threads.map(partial(function, source), names[start : start + _QUEUED_FILES])


def _sha256(source: Source, name: str) -> str:
    if not isinstance(source, Path):
        return hashlib.sha256(source[name]).hexdigest()
    try:
        with (source / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{source / name}: cannot be read ({error.strerror})") from None


def list_pictures(found: PictureFiles, quiet: bool = True) -> Listing:
    """Decode every picture that was found; return which can be used, and the faults.

    Raises:
        DataError: the label of a picture is no name.
    """
    for file in found.files:
        if not is_writable(file.label):
            raise DataError(
                f"{file.path!a}: its label {file.label!a} has characters that are no text; give "
                "the class another name"
            )
    examined = examine(found.source, found.files, quiet)
    digests = {name: each.sha256 for name, each in examined.items() if not each.problem}
    faults = found.faults | {name: each.problem for name, each in examined.items() if each.problem}
    good = [file for file in found.files if file.path in digests]
    faults |= copies(good, digests)
    good = [file for file in good if file.path not in faults]
    classes = _classes(found, good)
    faults = _not_in_train(good, classes) | _empty_classes(found, good) | faults
    good = [file for file in good if file.label in classes]
    splits, made = make_splits(good, digests)
    return Listing(
        classes=classes,
        splits=splits,
        made=made,
        faults=tuple(Fault(file, faults[file]) for file in sorted(faults, key=natural)),
        labels={file.path: file.label for file in good if folder_of(file.path) != file.label},
        size=_common_size({examined[file.path].size for file in good}),
    )


def _common_size(sizes: set[Size | None]) -> Size | None:
    """Return the size of all pictures if they are small and equal, with colour if one has it."""
    small = {size for size in sizes if size}
    if len(small) < len(sizes) or len({size[:2] for size in small}) != 1:
        return None
    return max(small)


def _classes(found: PictureFiles, good: list[File]) -> tuple[str, ...]:
    """Return the classes of the training pictures; of all in a folder to measure on."""
    used = {file.label for file in good if file.split in ("", "train")}
    used = used or {file.label for file in good}
    if found.classes:
        return tuple(name for name in found.classes if name in used)
    return tuple(sorted(used, key=natural))


def examine(source: Source, files: list[File], quiet: bool) -> dict[str, Examined]:
    """Decode every file; return what was found of each."""
    from firstlight.progress import Progress  # `read` starts sooner without it

    examined: dict[str, Examined] = {}
    faults = 0
    names = [file.path for file in files]
    with Progress(len(names), quiet=quiet, unit="picture") as progress:
        for name, each in zip(names, _map_files(_examine_file, source, names), strict=True):
            examined[name] = each
            faults += bool(each.problem)
            progress.at(len(examined), f"examined, {faults:,} faults")
    return examined


def _examine_file(source: Source, name: str) -> Examined:
    try:
        if isinstance(source, Path) and not (source / name).is_file():
            return Examined(problem="not a file")
        digest = _sha256(source, name)
        path, content = content_of(source, name)
        # All bytes are decoded, a JPEG at an eighth of its size.
        picture = open_photograph(path, shortest=MAX_SMALL_SIDE + 1, content=content)
        return Examined(digest, size=_small_size(picture))
    except DataError as error:
        return Examined(problem=str(error).removeprefix(f"{content_of(source, name)[0]}: "))
    except OSError as error:
        return Examined(problem=f"cannot be read ({error.strerror})")


def _small_size(picture: Image.Image) -> Size | None:
    """Return a small square picture's size (height, width, 1 or 3), None for others."""
    if picture.width != picture.height or picture.width > MAX_SMALL_SIDE:
        return None
    pixels = np.asarray(picture)
    is_grey = bool((pixels == pixels[..., :1]).all())
    return picture.height, picture.width, 1 if is_grey else 3


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
        split = file.split or "train"  # where only some files have a split
        if missing and split == "train":
            by_class[file.label][file.path] = digests[file.path]
        else:
            splits[split][file.path] = digests[file.path]
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


def _not_in_train(files: list[File], classes: tuple[str, ...]) -> dict[str, str]:
    """Return the faults of pictures whose class has no training picture."""
    return {
        file.path: f"class {file.label} is in {file.split} and not in train"
        for file in files
        if file.label not in classes
    }


def _empty_classes(found: PictureFiles, good: list[File]) -> dict[str, str]:
    """Return the faults of class folders in which no picture can be used."""
    used = {(file.split, file.label) for file in good}
    return {
        place: f"{EMPTY_CLASS}: no picture in it can be used"
        for place, split_and_label in found.class_folders.items()
        if split_and_label not in used
    }


def folder_of(path: str) -> str:
    """Return the name of the folder that a picture lies in, "" if it lies in none."""
    return path.rpartition("/")[0].rpartition("/")[2]
