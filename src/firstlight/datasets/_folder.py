"""A folder of pictures, a folder for each class: DIR/CLASS/*, or DIR/{train,val,test}/CLASS/*.

Splits have many names (valid, testing, Train_Set: see _names), and archives put folders around
them. Pictures may lie deeper than the folder of their class. If a CSV beside the pictures says
their labels, see _label_table.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from firstlight.datasets import _label_table
from firstlight.datasets._dataset import Listing
from firstlight.datasets._examples import SPLITS
from firstlight.datasets._names import is_writable, place_of, split_named
from firstlight.datasets._pictures import File, PictureFiles
from firstlight.datasets._pictures import list_pictures as examine_and_list
from firstlight.errors import DataError
from firstlight.images.files import PICTURE_ENDINGS, natural, refuse_unreadable, walk
from firstlight.images.open import is_picture

# Folders that hold classes and are none: parts of a collection.
PART = re.compile(r"(fold|part|batch|session|chunk|group|set|day|camera)[ _-]*\d+", re.IGNORECASE)
NO_FOLDERS = ("__MACOSX", "@eaDir")  # what a Mac or a Synology puts into folders
BESIDE = (".db", ".ini", ".txt", ".xml", ".json", ".csv", ".md", ".html", ".yaml", ".mat", ".npy")
NO_CLASSES = ("images", "image", "imgs", "img", "pictures", "photos", "jpegimages")
OUTSIDE = "in no class folder"  # the fault of a picture
MAX_WRAPPERS = 3  # folders around the one that holds the classes
MAX_LOOSE = 20  # pictures outside of classes that are named one by one
MAX_NESTED_NAMED = 3

Container = tuple[Path, str]  # a folder that holds class folders, and its split


def find(path: Path) -> PictureFiles | None:
    """Return the pictures at a path, None if there are none with classes.

    A split without class folders may have a table: the folders say the labels of train, and the
    table those of test, for example.

    Raises:
        DataError: the pictures have no classes, in a way that is known.
    """
    if path.is_file():
        return _label_table.find(path)
    containers = _containers(path)
    folders = _find_files(path, containers)
    if not any(map(_is_like_a_picture, (path / file.path for file in folders.files))):
        folders = replace(folders, files=[])  # folders of something else
    present = {file.split for file in folders.files}
    missing = {split for _, split in containers if split} - present
    labels = {file.label for file in folders.files}
    if len(labels) > 1 and not missing:
        return folders
    table = _label_table.find(path)
    if table and len(labels) > 1:
        return _with_table(folders, table, missing)
    if table or folders.files:
        return table or folders
    for place, problem in folders.faults.items():
        if OUTSIDE in problem:
            raise DataError(f"{path}: {_without_classes(path)}")
        raise DataError(f"{path}: {place}: {problem}; {_arrangement(path)}")
    return None


def _without_classes(path: Path) -> str:
    """Return what to do with pictures that lie in no class folder."""
    count = sum(map(_is_like_a_picture, _files_below(path)))
    return (
        f"{count:,} {'picture' if count == 1 else 'pictures'} {OUTSIDE}; make a folder for each "
        f"class, such as {path / 'apple'}/, and move the pictures into them; or write a CSV with "
        "the columns file,label. `firstlight predict` takes pictures without labels"
    )


def _with_table(folders: PictureFiles, table: PictureFiles, missing: set[str]) -> PictureFiles:
    """Return the pictures in class folders, and those of the missing splits as a table says."""
    files = [file for file in table.files if file.split in missing]
    found = {file.path for file in files}
    places = found | {parent.as_posix() for path in found for parent in Path(path).parents}
    return replace(
        folders,
        files=folders.files + files,
        faults={place: fault for place, fault in folders.faults.items() if place not in places},
    )


def holds_classes(directory: Path) -> bool:
    """Return whether a folder has class folders with pictures, of at least two classes."""
    folders, _ = _class_folders(directory, _containers(directory))
    labels = {label for place, (_, label) in folders.items() if _has_pictures(directory / place)}
    return len(labels) > 1


def list_pictures(directory: Path, quiet: bool = True) -> Listing:
    """Decode every file of a folder; return which pictures can be used, and the faults.

    Raises:
        DataError: no class folder holds a file.
    """
    found = find(directory)
    if found is None:
        raise DataError(f"{directory}: no files in class folders; {_arrangement(directory)}")
    return examine_and_list(found, quiet)


def _find_files(directory: Path, containers: list[Container]) -> PictureFiles:
    """Return every file in a class folder, the faults of the others, and the class folders."""
    folders, faults = _class_folders(directory, containers)
    files: list[File] = []
    beside: list[str] = []
    for place, (split, label) in folders.items():
        names: dict[int, list[str]] = {}  # by their depth
        for path in _files_below(directory / place):
            name = path.relative_to(directory).as_posix()
            if _is_beside(path):
                beside.append(name)
            else:
                names.setdefault(name.count("/"), []).append(name)
        direct = names.pop(place.count("/") + 1, None)
        deeper = [name for each in names.values() for name in each]
        files += [File(name, split, label) for name in (direct or deeper)]
        if direct:  # the others are stray: those of the class lie where they belong
            stray = [name for name in deeper if is_picture(directory / name)]
            faults |= dict.fromkeys(stray, f"too deep: expected {place}/FILE")
    return PictureFiles(
        source=directory,
        files=files,
        faults=faults | _stray(directory, containers),
        class_folders=folders,
        remarks=(*_nested(files), *_named_beside(beside), *_beside_wrappers(directory)),
    )


def _class_folders(
    directory: Path, containers: list[Container]
) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Return the split and class of each class folder; and the faults of those that are none."""
    folders: dict[str, tuple[str, str]] = {}
    faults: dict[str, str] = {}
    for container, split in containers:
        for name in _subfolders(container):
            place = (container / name).relative_to(directory).as_posix()
            if not is_writable(name):
                faults[place] = "a class is named in UTF-8, without control characters; rename it"
            elif name.lower() not in NO_CLASSES:
                label = unicodedata.normalize("NFC", name)  # a Mac writes é as e and an accent
                inner = {each: split_named(each) for each in _subfolders(container / name)}
                if inner and all(inner.values()):  # CLASS/train/*
                    folders |= {f"{place}/{each}": (inner[each], label) for each in inner}
                    faults |= _beside_splits(directory, container / name)
                else:
                    folders[place] = (split, label)
    return folders, faults


def _stray(directory: Path, containers: list[Container]) -> dict[str, str]:
    """Return the faults of pictures that lie in no class folder, or in no split."""
    places = [container for container, _ in containers]
    faults: dict[str, str] = {}
    for folder in dict.fromkeys([directory, *places]):
        faults |= _loose_pictures(directory, folder) | _broken_links(directory, folder)
        for name in _subfolders(folder):
            if name.lower() in NO_CLASSES:
                holds_classes = any(place.is_relative_to(folder / name) for place in places)
                find_faults = _loose_pictures if holds_classes else _in_no_class
                faults |= find_faults(directory, folder / name)
    if any(split for _, split in containers):
        faults |= _unknown_splits(directory, places)
    return faults


def _is_beside(path: Path) -> bool:
    """Return whether a file only lies beside pictures: what a system or an annotator leaves."""
    return path.suffix.lower() in BESIDE and path.is_file() and not is_picture(path)


def _is_like_a_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_ENDINGS or (path.is_file() and is_picture(path))


def _named_beside(files: list[str]) -> tuple[str, ...]:
    if not files:
        return ()
    return (f"{len(files):,} files beside the pictures are no pictures, such as {files[0]}",)


def _containers(directory: Path) -> list[Container]:
    """Return the folders that hold class folders: the splits, the parts, or the one itself."""
    root = _unwrapped(directory)
    names = _subfolders(root)
    splits = _splits_among(root, names)
    if splits:
        return [(_unwrapped(root / name), split) for name, split in splits.items()]
    if names and all(PART.fullmatch(name) and _subfolders(root / name) for name in names):
        return [(root / name, "") for name in names]
    return [(root, "")]


def _unwrapped(folder: Path) -> Path:
    """Return the folder inside of folders that hold nothing else, as archives unpack."""
    for _ in range(MAX_WRAPPERS):
        with_pictures = (name for name in _subfolders(folder) if _has_pictures(folder / name))
        names = list(islice(with_pictures, 2))
        if len(names) != 1 or not _subfolders(folder / names[0]):
            break
        if split_named(names[0]) and not split_named(folder.name):
            break
        if any(is_picture(folder / name) for name in _names(folder) if name not in names):
            break
        folder = folder / names[0]
    return folder


def _has_pictures(folder: Path) -> bool:
    """Return whether a folder has pictures at any depth, perhaps all of them damaged."""
    return any(map(_is_like_a_picture, _files_below(folder)))


def _splits_among(root: Path, names: list[str]) -> dict[str, str]:
    """Return the folders that are splits: train, Validation, or seg_train beside seg_test.

    A class may be called "train" too: a split holds folders, or all of its neighbours are splits.
    """
    places = {name: place for name in names if (place := place_of(name)).split}
    relatives: dict[str, set[str]] = {}
    for place in places.values():
        relatives.setdefault(place.collection, set()).add(place.split)
    splits = {
        name: place.split
        for name, place in places.items()
        if not place.collection or len(relatives[place.collection]) > 1
    }
    if len(splits) < len(names) and not any(_subfolders(root / name) for name in splits):
        return {}
    return {name: splits[name] for name in sorted(splits, key=lambda n: SPLITS.index(splits[n]))}


def _unknown_splits(directory: Path, containers: list[Path]) -> dict[str, str]:
    """Return the faults of folders beside the splits that hold pictures but are not a split."""
    root = _unwrapped(directory)
    return {
        (root / name).relative_to(directory).as_posix(): (
            f"not the name of a split, so it is left out; the splits are: {', '.join(SPLITS)}"
        )
        for name in _subfolders(root)
        if not any(container.is_relative_to(root / name) for container in containers)
        and _has_pictures(root / name)
    }


def _beside_splits(directory: Path, folder: Path) -> dict[str, str]:
    """Return the faults of a class's pictures that lie beside its folders of splits."""
    loose = _loose_pictures(directory, folder)
    return dict.fromkeys(loose, "beside folders of splits; move it into one of them")


def _in_no_class(directory: Path, folder: Path) -> dict[str, str]:
    """Return the faults of pictures in a folder whose name is that of no class, at any depth."""
    deeper = {
        (folder / name).relative_to(directory).as_posix(): (
            f"the pictures in it are {OUTSIDE}: {folder.name} is not taken for a class; "
            "rename or move it"
        )
        for name in _subfolders(folder)
        if _has_pictures(folder / name)
    }
    return _loose_pictures(directory, folder) | deeper


def _loose_pictures(directory: Path, folder: Path) -> dict[str, str]:
    """Return the faults of pictures that lie in a folder that holds classes."""
    paths = [folder / name for name in _names(folder)]
    loose = [path for path in paths if path.is_file() and is_picture(path)]
    if len(loose) > MAX_LOOSE:
        place = folder.relative_to(directory).as_posix()
        return {place: f"{len(loose):,} pictures {OUTSIDE}; `firstlight predict` takes them"}
    return {path.relative_to(directory).as_posix(): OUTSIDE for path in loose}


def _broken_links(directory: Path, folder: Path) -> dict[str, str]:
    """Return the faults of links in a folder that lead nowhere: each may have been a class."""
    paths = [folder / name for name in _names(folder)]
    return {
        path.relative_to(directory).as_posix(): f"a link to {os.readlink(path)}, which is not there"
        for path in paths
        if path.is_symlink() and not path.exists()
    }


def _beside_wrappers(directory: Path) -> tuple[str, ...]:
    """Return what is said of folders without pictures, beside the one that holds the classes."""
    said = []
    folder = directory
    for name in _unwrapped(directory).relative_to(directory).parts:
        if others := [each for each in _subfolders(folder) if each != name]:
            said.append(f"no pictures in {', '.join(others[:MAX_NESTED_NAMED])}: {name} is taken")
        folder /= name
    return tuple(said)


def _arrangement(directory: Path) -> str:
    return (
        f"expected {directory}/CLASS/* or {directory}/train/CLASS/*, val and test beside it; or a "
        "CSV with the columns file,label"
    )


def _nested(files: list[File]) -> tuple[str, ...]:
    """Return what must be said of pictures that lie deeper than their class folder."""
    below: dict[str, set[str]] = {}
    for file in files:
        parts = [unicodedata.normalize("NFC", part) for part in file.path.split("/")[:-1]]
        if parts[-1] != file.label and not split_named(parts[-1]):
            below.setdefault(file.label, set()).add(parts[-1])
    if not below:
        return ()
    label, folders = min(below.items())
    named = ", ".join(sorted(folders, key=natural)[:MAX_NESTED_NAMED])
    return (f"pictures in folders below a class belong to the class: {label} has those in {named}",)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files at any depth in a folder, without hidden ones, in natural order."""
    for parent, folders, names in walk(folder):
        folders[:] = sorted((name for name in folders if _is_shown(name)), key=natural)
        for name in sorted(names, key=natural):
            if _is_shown(name):
                yield parent / name


def _names(directory: Path) -> list[str]:
    """Return the names in a directory in natural order, without hidden ones.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sorted(filter(_is_shown, os.listdir(directory)), key=natural)
    except OSError as error:
        refuse_unreadable(error)


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name not in NO_FOLDERS


def _subfolders(directory: Path) -> list[str]:
    return [name for name in _names(directory) if (directory / name).is_dir()]
