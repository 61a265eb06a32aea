"""Finds picture files: a path may be a file, a folder with folders in it, or a pattern."""

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from firstlight.errors import DataError
from firstlight.images.open import is_pdf, is_picture

# What ends so is meant to be a picture, and is named if it cannot be read.
PICTURE_ENDINGS = frozenset(
    (".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)
PDF_ENDING = ".pdf"


@dataclass(frozen=True)
class Found:
    """The files that are pictures, in order."""

    files: tuple[Path, ...]
    left_out: int = 0  # files in folders that are no pictures


def find_pictures(paths: Sequence[Path], pdf: bool = False) -> Found:
    """Return the files that paths stand for.

    A folder stands for the pictures in it and in its folders, without hidden ones, in natural
    order: 10 follows 9. A pattern, such as `scans/*.png` or `scans/**/page?.jpg`, stands for what
    it matches. Anything else stands for itself, even if there is no such file.

    Args:
        pdf: PDF files count as pictures.
    """
    files: list[Path] = []
    left_out = 0
    for path in paths:
        for each in matches(path):
            if not each.is_dir():
                files.append(each)
                continue
            below = files_below(each)
            pictures = [file for file in below if is_meant_as_picture(file, pdf)]
            files += pictures or [each]
            left_out += len(below) - len(pictures)
    if paths and all(file.is_dir() and os.access(file, os.R_OK | os.X_OK) for file in files):
        raise DataError(f"no pictures in {', '.join(map(str, paths))}")
    return Found(tuple(files), left_out)


def matches(path: Path) -> list[Path]:
    """Return what a path matches if it is a pattern and no file; otherwise the path itself."""
    if not glob.has_magic(str(path)) or path.exists():
        return [path]
    found = sorted(glob.glob(str(path), recursive=True), key=natural)
    return [Path(each) for each in found] or [path]


def files_below(folder: Path) -> list[Path]:
    """Return the files in a folder and in its folders, without hidden ones, in natural order.

    A folder that cannot be read stands for itself.
    """
    files: list[Path] = []

    def name(error: OSError) -> None:
        files.append(Path(error.filename))

    for place, subfolders, names in walk(folder, name):
        subfolders[:] = sorted((each for each in subfolders if each[0] != "."), key=natural)
        files.extend(place / each for each in sorted(names, key=natural) if each[0] != ".")
    return files


def refuse_unreadable(error: OSError) -> NoReturn:
    """Raises DataError that names a folder or file."""
    raise DataError(
        f"{error.filename}: cannot be read ({error.strerror}); change its permissions, or move it "
        "away"
    ) from None


def walk(
    folder: Path, on_error: Callable[[OSError], Any] = refuse_unreadable
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield what `os.walk` does, and follow links to folders, but into no folder twice.

    Args:
        on_error: is called if a folder cannot be read.
    """
    around = Path(os.path.realpath(Path(os.path.abspath(folder)).parent))
    # A link to one of these leads here again.
    seen = {around, *around.parents, *Path(os.path.realpath(folder)).parents}
    for place, subfolders, names in os.walk(folder, onerror=on_error, followlinks=True):
        real = Path(os.path.realpath(place))
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        yield Path(place), subfolders, names


def is_meant_as_picture(file: Path, pdf: bool) -> bool:
    """Return whether a file is a picture by its name, or else by its first bytes.

    So is a folder that cannot be read: it may hold some.
    """
    ending = file.suffix.lower()
    if ending in PICTURE_ENDINGS or (pdf and ending == PDF_ENDING):
        return True
    if not file.is_file():
        return file.is_dir()
    return is_picture(file) or (pdf and is_pdf(file))


def natural(text: str) -> tuple[list[Any], str]:
    """Return a key to sort by: 10 follows 9, capitals stand beside small letters."""
    parts = re.split(r"(\d+)", text.casefold())  # every other part is a number, in every text
    return [int(part) if part.isdecimal() else part for part in parts], text
