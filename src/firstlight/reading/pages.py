"""Reads files page by page: most have one; TIFF and PDF files may have several."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from firstlight.errors import DataError
from firstlight.images.open import TIFF_BEGINS, count_pages
from firstlight.reading.reader import read
from firstlight.reading.recognizer import DIGITS_MODEL, recognizer
from firstlight.reading.result import FileReading

STANDARD_INPUT = Path("-")  # one picture or PDF file
MAX_INPUT_BYTES = 256 * 2**20
BEGINS_OF_PAGES = (b"%PDF", *TIFF_BEGINS)


@dataclass(frozen=True)
class Page:
    """A page of a file."""

    file: Path
    page: int | None = None  # from 1, if the file has several


def read_files(
    files: Sequence[Path],
    model: Path | None = None,
    single: bool = False,
    keep_pictures: bool = False,
) -> Iterator[FileReading]:
    """Yield what is written on each page of each file, read one after the other in this process.

    A file that cannot be read does not stop the others.

    Args:
        keep_pictures: let each have its `reading`, with the picture.

    Raises:
        DataError, UsageError: the model is missing, damaged, or not a model of digits.
    """
    recognizer(model or DIGITS_MODEL)  # raises here, since below it would be a picture's problem
    return _read_files(files, model, single, keep_pictures)


def _read_files(
    files: Sequence[Path], model: Path | None, single: bool, keep_pictures: bool
) -> Iterator[FileReading]:
    for file in files:
        with input_as_file(file) as opened:
            for page in pages_of([opened], count_pages):
                reading = read_page(page, model, single, keep_pictures)
                yield reading if opened == file else renamed(reading, file)


@contextmanager
def input_as_file(file: Path) -> Iterator[Path]:
    """Save standard input as a file, if the path is "-"; otherwise return the path.

    Raises:
        DataError: there is more than MAX_INPUT_BYTES.
    """
    if file != STANDARD_INPUT:
        yield file
        return
    content = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    if len(content) > MAX_INPUT_BYTES:
        raise DataError(
            f"standard input has more than {MAX_INPUT_BYTES:,} bytes; save it as a file"
        )
    with TemporaryDirectory(prefix="firstlight-") as folder:
        saved = Path(folder, "input")
        saved.write_bytes(content)
        yield saved


def renamed(reading: FileReading, file: Path) -> FileReading:
    """Return the reading of a file that has another name for the user."""
    problem = reading.problem and reading.problem.replace(str(reading.file), str(file))
    note = problem if reading.problem else reading.note
    return replace(reading, file=file, note=note, problem=problem)


def pages_of(files: Sequence[Path], count: Callable[[Path], int]) -> Iterator[Page]:
    """Yield the pages of all files, in order.

    Args:
        count: returns how many pages a file has, or raises DataError.
    """
    for file in files:
        try:
            pages = count(file) if may_have_pages(file) else 1
        except DataError:  # whoever reads it says why
            pages = 1
        if pages == 1:
            yield Page(file)
        else:
            yield from (Page(file, number) for number in range(1, pages + 1))


def may_have_pages(file: Path) -> bool:
    """Return whether a file is of a format that has pages, by its first bytes."""
    if not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            return opened.read(4) in BEGINS_OF_PAGES
    except OSError:
        return False


def read_page(
    page: Page, model: Path | None, single: bool, keep_picture: bool = False
) -> FileReading:
    """Return what is written on a page, or why it cannot be read."""
    try:
        reading = read(page.file, model, single, page=page.page)
    except DataError as error:
        return unreadable(page, str(error))
    return FileReading(
        file=page.file,
        page=page.page,
        lines=reading.lines,
        unread=reading.unread,
        note=reading.note,
        reading=reading if keep_picture else None,
    )


def unreadable(page: Page, problem: str) -> FileReading:
    return FileReading(page.file, page.page, note=problem, problem=problem)
