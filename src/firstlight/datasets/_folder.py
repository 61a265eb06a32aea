"""Pictures of one's own, a folder a class: DIR/{train,val,test}/CLASS/* or DIR/CLASS/*.

    find ── every file, its split and class ── examine ── without_copies ── in_splits ── a listing

Every picture is read once before it is used, so that none stops a training in its middle. What
cannot be used is a fault with a name and a reason, and is left out. A listing is what is left: a
run keeps it (pictures.json), and so keeps to its very pictures whatever is added to the folder.

What the folder does not part is parted here. A picture's place depends on its content alone: on
its SHA-256, as good a lot as any. So every seed's training has the same test pictures.
"""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from firstlight.datasets import SPLITS, Examples
from firstlight.errors import DataError
from firstlight.images.open import is_picture, open_photograph

Listing = dict[str, Any]  # classes, splits (name → file → SHA-256), made (how), faults
SHARE = 10  # one picture in so many of a class goes into a split that is made here
_AT_ONCE = 256  # files that wait for a thread


class File(NamedTuple):
    """A file that should be a picture: its path below the folder, its split ("" if none), class."""

    path: str
    split: str
    label: str


class Pictures:
    """Pictures in files, decoded when they are asked for; a slice of them is Pictures again."""

    def __init__(self, directory: Path, files: list[str]) -> None:
        self.directory, self.files = directory, files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> "Pictures":
        return Pictures(self.directory, self.files[rows])

    def open(self, index: int, shortest: int) -> Image.Image:
        """RGB, upright; its shortest side at least `shortest` pixels if the file's is."""
        return open_photograph(self.directory / self.files[index], shortest)


def load(split: str, directory: Path, listing: Listing) -> Examples:
    """The pictures and labels of a split.

    The first picture of each class comes first, then the second of each: any beginning is fair.

    Raises:
        DataError: there is no such split, or nothing in it.
    """
    number = {label: i for i, label in enumerate(listing["classes"])}
    files = list(listing["splits"].get(split, {}))  # those of a class in their natural order
    if not files:
        there = ", ".join(listing["splits"])
        raise DataError(f"{directory} has no {split} pictures; it has: {there or 'none at all'}")
    labels = np.array([number[class_of(file)] for file in files], np.int32)
    ranks = np.empty_like(labels)
    for label in number.values():
        ranks[labels == label] = np.arange((labels == label).sum())
    order = np.lexsort((labels, ranks))
    return Examples(Pictures(directory, [files[i] for i in order]), labels[order])


def fingerprint(directory: Path, listing: Listing, anew: bool) -> dict[str, str]:
    """A SHA-256 of each split: of the lines `SHA-256 path` of its pictures.

    As they were when they were listed, or, `anew`, as they are now.

    Raises:
        DataError: one of them can no longer be read.
    """
    found = {}
    for split, files in listing["splits"].items():
        whole, names = hashlib.sha256(), sorted(files)
        digests = _each(_digest, directory, names) if anew else map(files.get, names)
        for name, digest in zip(names, digests, strict=True):
            whole.update(f"{digest} {name}\n".encode("utf-8", "surrogateescape"))
        found[f"{split}, {len(files):,} pictures"] = whole.hexdigest()
    return found


def _each(look: Callable[[Path], Any], directory: Path, names: list[str]) -> Iterator[Any]:
    """What is seen of each file, by as many threads as there are cores, and few at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(names), _AT_ONCE):
            yield from threads.map(look, [directory / n for n in names[start : start + _AT_ONCE]])


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def holds(directory: Path) -> bool:
    """Whether the directory is laid out as folders."""
    return any(_folders(directory))


def listing(directory: Path, quiet: bool = True) -> Listing:
    """All that can be used of a folder, and what cannot.

    Raises:
        DataError: there is not one file in a class folder.
    """
    files, faults = find(directory)
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
    faults = _strangers(good, classes) | _empty(directory, good) | faults
    good = [file for file in good if file.label in classes]
    splits, made = in_splits(good, digests)
    listed = [{"file": f, "problem": faults[f]} for f in sorted(faults, key=natural)]
    return {"classes": classes, "made": made, "splits": splits, "faults": listed}


def find(directory: Path) -> tuple[list[File], dict[str, str]]:
    """Every file in a class folder, and the faults of those that lie elsewhere."""
    splits = _splits(directory)
    files: list[File] = []
    faults: dict[str, str] = {}
    for split in splits:
        root = directory / split
        for label in _folders(root):
            place = Path(split, label).as_posix()
            if label != label.encode(errors="ignore").decode():
                faults[place] = "a class is named in UTF-8; rename the folder"
                continue
            files += [
                File(Path(split, label, name).as_posix(), split, label)
                for name in _names(root / label)
                if not (root / label / name).is_dir()
            ]
            for path in _deeper(directory, root / label):
                faults[path] = f"too deep: expected {place}/FILE"
    for folder in {directory, *(directory / split for split in splits)}:
        faults |= dict.fromkeys(_pictures(directory, folder), "in no class folder")
    for name in _folders(directory) if splits != [""] else ():
        if name not in splits and any(_deeper(directory, directory, name)):
            faults[name] = f"no such split, left out: there are {', '.join(SPLITS)}"
    return files, faults


def _splits(directory: Path) -> list[str]:
    """The splits that there are folders of; [""] if the folder has none."""
    return [split for split in SPLITS if (directory / split).is_dir()] or [""]


def examine(
    directory: Path, files: list[File], quiet: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Decode every file: its SHA-256, or what is wrong with it."""
    from firstlight.progress import Progress  # `read` starts sooner without it

    digests: dict[str, str] = {}
    faults: dict[str, str] = {}
    names = [file.path for file in files]
    with Progress(len(names), quiet=quiet, unit="picture") as progress:
        for name, (digest, problem) in zip(names, _each(_look, directory, names), strict=True):
            (faults if problem else digests)[name] = problem or digest
            progress.at(len(digests) + len(faults), f"looked at, {len(faults):,} faults")
    return digests, faults


def _look(path: Path) -> tuple[str, str]:
    try:
        if not path.is_file():
            return "", "not a file"
        digest = _digest(path)
        open_photograph(path, shortest=1)  # all of its bytes are decoded, at an eighth of the size
        return digest, ""
    except DataError as error:
        return "", str(error).removeprefix(f"{path}: ")
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"


def copies(files: list[File], digests: dict[str, str]) -> dict[str, str]:
    """The same bytes again, under another label or in another split: a fault of the later one."""
    first: dict[str, File] = {}
    faults = {}
    for file in files:
        other = first.setdefault(digests[file.path], file)
        where = "class" if other.label != file.label else "split"
        if (other.split, other.label) != (file.split, file.label):
            faults[file.path] = f"same picture as {other.path}, in another {where}"
    return faults


def in_splits(files: list[File], digests: dict[str, str]) -> tuple[dict[str, dict[str, str]], str]:
    """The files of each split, and how those splits were made that were not there."""
    there = {file.split for file in files}
    parts = ("test", "val") if there == {""} else () if "val" in there else ("val",)
    splits: dict[str, dict[str, str]] = {split: {} for split in SPLITS}
    of_class: dict[str, dict[str, str]] = defaultdict(dict)
    for file in files:
        if parts and file.split in ("", "train"):
            of_class[file.label][file.path] = digests[file.path]
        else:
            splits[file.split][file.path] = digests[file.path]
    for found in of_class.values():
        for path, split in _parted(found, parts):
            splits[split][path] = found[path]
    made = f"{' and '.join(reversed(parts))} made here: one picture in {SHARE} of each class"
    return {s: files for s, files in splits.items() if files}, made if of_class else ""


def _parted(files: dict[str, str], parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each file of a class and the split that it goes into; copies of a picture go together."""
    lots = sorted(set(files.values()))
    share = max(1, round(len(lots) / SHARE)) if len(lots) > len(parts) else 0
    goes = {lot: split for i, split in enumerate(parts) for lot in lots[i * share :][:share]}
    for path, digest in files.items():
        yield path, goes.get(digest, "train")


def _strangers(files: list[File], classes: list[str]) -> dict[str, str]:
    """Pictures of classes that there is no training picture of."""
    return {
        file.path: f"class {file.label} is in {file.split} and not in train"
        for file in files
        if file.label not in classes
    }


def _empty(directory: Path, good: list[File]) -> dict[str, str]:
    """Class folders of which nothing can be used."""
    used = {Path(file.path).parent.as_posix() for file in good}
    splits = _splits(directory)
    places = [Path(split, name) for split in splits for name in _folders(directory / split)]
    return {
        place.as_posix(): "empty class: no picture in it can be used"
        for place in places
        if place.as_posix() not in used
    }


def natural(text: str) -> tuple[list[Any], str]:
    """A key to sort by: 10 follows 9, capitals stand beside small letters."""
    parts = re.split(r"(\d+)", text.casefold())  # every other one is a number, in every text
    return [int(part) if part.isdecimal() else part for part in parts], text


def class_of(path: str) -> str:
    return path.split("/")[-2]


def _pictures(directory: Path, folder: Path) -> list[str]:
    """What lies in a folder and is a picture, named from the directory on."""
    paths = [folder / name for name in _names(folder)]
    return [p.relative_to(directory).as_posix() for p in paths if p.is_file() and is_picture(p)]


def _names(directory: Path) -> list[str]:
    """What is in a directory, hidden things left alone."""
    return sorted((n for n in os.listdir(directory) if not n.startswith(".")), key=natural)


def _folders(directory: Path) -> list[str]:
    return [name for name in _names(directory) if (directory / name).is_dir()]


def _deeper(directory: Path, root: Path, only: str = "") -> Iterator[str]:
    """Pictures in folders of `root`, at any depth: their paths below the directory."""
    for name in [only] if only else _folders(root):
        for folder, inner, files in os.walk(root / name):
            inner[:] = sorted(n for n in inner if not n.startswith("."))
            for file in sorted(files):
                path = Path(folder, file)
                if not file.startswith(".") and path.is_file() and is_picture(path):
                    yield path.relative_to(directory).as_posix()
