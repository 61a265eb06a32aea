"""Writes what was read into a file, page by page; what was stopped is continued.

The rows go into `OUT.HASH.part`, which is renamed to OUT when it is complete. HASH stands for what
decides the rows: the model and the flags. The rows of a page are written at once, in the order of
the pages. So if a part is there, all its pages are complete except perhaps the last, which is cut
off and read again.
"""

import csv
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from firstlight import __version__
from firstlight.errors import DataError, Interrupted, UsageError
from firstlight.images.files import find_pictures
from firstlight.progress import Progress
from firstlight.reading import batch
from firstlight.reading.finder import FINDER_MODEL
from firstlight.reading.line_reader import LINES_MODEL
from firstlight.reading.pages import STANDARD_INPUT, Page
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.reading.result import UNSURE, Digit, FileReading, Line
from firstlight.runs.files import naming
from firstlight.tables import Row, check_table, csv_line, digits_cell, encoded, is_csv, text_of

LINE_COLUMNS = ("file", "page", "line", "text", "confidence", "unsure", "note")
DIGIT_COLUMNS = (
    *("file", "page", "line", "position", "digit", "confidence"),
    *("x", "y", "width", "height", "candidates", "note"),
)
UNREADABLE = "not read: "  # before the note of a page that cannot be read
MARKS = re.compile(r"\d+ marks? (was|were) not read")  # the note of a page that may lack some
PACKAGE = re.compile(r"pip install ([\w-]+)")  # in the note of a page that needs one

Key = tuple[str, str]  # file and page of a row, as they are written


@dataclass
class ReadSummary:
    """How many pages were read into a file, and how many of them somebody should look at."""

    out: Path
    files: int = 0
    pages: int = 0  # with those that cannot be read
    unsure: int = 0  # digits that are "?"
    empty: int = 0  # pages without a digit
    incomplete: int = 0  # pages with digits, and with marks that may be digits and were not read
    unreadable: int = 0  # pages, or files that cannot be opened
    left_out: int = 0  # files in folders that are no pictures
    continued: int = 0  # pages that were there already
    problems: list[str] = field(default_factory=list)  # why pages of this call cannot be read

    def to_json(self) -> dict[str, Any]:
        document = vars(self) | {"out": str(self.out)}
        del document["problems"]  # they are in the table
        return document


def read_to_file(
    what: str | Path | Sequence[str | Path],
    out: str | Path,
    model: str | Path | None = None,
    single: bool = False,
    *,
    digits: bool = False,
    jobs: int | None = None,
    quiet: bool = False,
) -> ReadSummary:
    """Read every page of many pictures and PDF files into a CSV file, or into JSON lines.

    It is written as it goes, beside `out`, and gets this name at the end. If it is stopped, even by
    a power cut, the same call continues: no row is lost, and none is there twice.

    A row is a line of digits: file, page, line, text, confidence (the probability that all its
    digits are right, 0 to 1), unsure (how many are "?") and note. A page without digits, or one
    that cannot be read, is a row with a note. In CSV, an apostrophe stands before a text that a
    spreadsheet would change: 0042, more than 15 digits, or a name that begins with = + - or @.

    Args:
        what, model, single, jobs: as for `read_all`.
        out: a name that ends in .csv or .jsonl.
        digits: let a row be a digit instead: file, page, line, position, digit, confidence, its box
            (x, y, width, height), its candidates if it is "?", and note. A mark that may be a digit
            and was not read is a row without a digit.
        quiet: show no progress.

    Raises:
        DataError: there is no picture, or the model is missing or damaged.
        UsageError: `out` has another ending, or another process writes it, or it was begun with
            other settings.
        Interrupted: Ctrl-C; the same call continues.

    >>> fl.read_to_file(["photo.png", "seven.png"], "digits.csv", jobs=1, quiet=True).pages
    2
    >>> from pathlib import Path
    >>> Path("digits.csv").read_text().split()[1][:15]
    'photo.png,1,1,7'
    """
    paths = [what] if isinstance(what, str | Path) else what
    found = find_pictures([Path(path) for path in paths], pdf=True)
    files = list(dict.fromkeys(found.files))
    if STANDARD_INPUT in files:
        raise UsageError("standard input cannot be read again to continue; save it as a file")
    summary = ReadSummary(Path(out), left_out=found.left_out)
    columns = DIGIT_COLUMNS if digits else LINE_COLUMNS
    network = Path(model) if model else None
    networks = [network] if network else [FINDER_MODEL, LINES_MODEL, DIGITS_MODEL]
    settings = [__version__, *map(sha256, networks), single]
    with growing_table(summary.out, columns, settings) as table:
        keys, asked = set(), written_names(files)
        for rows in table.complete_pages(until=can_be_read_now):
            file = key(rows[0])[0]
            if file not in asked:
                raise UsageError(
                    f"{table.part} has pages of {file}, which was not given now: give the same "
                    "pictures to continue it, or delete it"
                )
            keys.add(key(rows[0]))
            count(summary, rows)
        summary.continued = summary.pages
        read = batch.read_pages(
            files, network, single, jobs=jobs, is_done=lambda page: page_key(page) in keys
        )
        with Progress(len(files), quiet=quiet, unit="file") as progress:
            if keys and not quiet:
                progress.say(f"continuing: {len(keys):,} pages are in {table.part}")
            write_pages(table, read, summary, progress)
    return summary


def written_names(files: Sequence[Path]) -> set[str]:
    """Return the names of files as a table has them.

    Raises:
        UsageError: two would have the same name.
    """
    names: dict[str, Path] = {}
    for file in files:
        other = names.setdefault(page_key(Page(file))[0], file)
        if other != file:
            raise UsageError(
                f"{str(other)!a} and {str(file)!a} would have the same name in a table; rename one"
            )
    return set(names)


def write_pages(
    table: "GrowingTable", read: Iterator[FileReading], summary: ReadSummary, progress: Progress
) -> None:
    """Write each page as it is read. Raises Interrupted after Ctrl-C."""
    to_rows = digit_rows if table.columns is DIGIT_COLUMNS else line_rows
    try:
        for reading in read:
            rows = to_rows(reading, table.as_csv)
            table.write(rows)
            count(summary, rows)
            if reading.problem:
                summary.problems.append(reading.problem)
            progress.at(summary.files, f"{summary.pages:,} pages")
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; {summary.pages:,} pages are in {table.part}; the same command continues"
        ) from None


# Readings → rows


def line_rows(reading: FileReading, as_csv: bool) -> list[Row]:
    """Return a row for each line of a page; the first has the page's note."""
    rows = []
    for number, line in enumerate(reading.lines or [Line(())], start=1):
        confidence = math.prod(digit.confidence for digit in line.digits)
        row = {
            "line": number if line.digits else None,
            "text": digits_cell(line.text) if as_csv else line.text,
            "confidence": round(confidence, 4) if line.digits else None,
            "unsure": sum(digit.digit == UNSURE for digit in line.digits),
        }
        rows.append(row)
    return placed(reading, rows)


def digit_rows(reading: FileReading, as_csv: bool) -> list[Row]:
    """Return a row for each digit of a page, and for each mark that may be one."""
    rows = [
        digit_row(digit, line_number, position, as_csv)
        for line_number, line in enumerate(reading.lines, start=1)
        for position, digit in enumerate(line.digits, start=1)
    ]
    nothing: Row = dict.fromkeys(DIGIT_COLUMNS[2:-1])
    rows += [nothing | box_row(box) | {"digit": ""} for box in reading.unread]
    return placed(reading, rows or [nothing])


def digit_row(digit: Digit, line: int, position: int, as_csv: bool) -> Row:
    candidates: Any = digit.to_json().get("candidates", [])
    if as_csv:
        candidates = " ".join(f"{each['digit']}:{each['confidence']}" for each in candidates)
    return {
        "line": line,
        "position": position,
        "digit": digit.digit,
        "confidence": round(digit.confidence, 4),
        **box_row(digit.box),
        "candidates": candidates,
    }


def box_row(box: tuple[int, int, int, int]) -> Row:
    return dict(zip(("x", "y", "width", "height"), box, strict=True))


def placed(reading: FileReading, rows: list[Row]) -> list[Row]:
    """Return rows with the file, the page and, in the first one, the note."""
    note = reading.note
    if reading.problem:
        note = UNREADABLE + reading.problem.removeprefix(f"{reading.file}: ")
    place = {"file": str(reading.file), "page": reading.page or 1}
    return [place | row | {"note": None if number else note} for number, row in enumerate(rows)]


def count(summary: ReadSummary, rows: Sequence[Row]) -> None:
    """Add the rows of a page, just made or read from the file, to what was counted."""
    note = str(rows[0]["note"] or "")
    summary.pages += 1
    summary.files += str(rows[0]["page"]) == "1"
    summary.unreadable += note.startswith(UNREADABLE)
    summary.empty += note.startswith("no digits")
    summary.incomplete += MARKS.match(note) is not None
    written = [str(row.get("text") or row.get("digit") or "") for row in rows]
    summary.unsure += sum(text.count(UNSURE) for text in written)


def can_be_read_now(rows: list[Row]) -> bool:
    """Return whether a page was not read for want of a package that is installed now."""
    note = str(rows[0]["note"] or "")
    missing = PACKAGE.findall(note) if note.startswith(UNREADABLE) else []
    return any(find_spec(package.replace("-", "_")) for package in missing)


def page_key(page: Page) -> Key:
    return key({"file": str(page.file), "page": page.page or 1})


def key(row: Row) -> Key:
    """Return the file and the page of a row, before it is written or after."""
    file = str(row["file"]).encode("utf-8", "backslashreplace").decode()
    return file, str(row["page"])


# The file


class GrowingTable:
    """A file of rows that is appended to; see the module."""

    def __init__(self, file: BinaryIO, part: Path, columns: Sequence[str], as_csv: bool) -> None:
        self.part, self.columns, self.as_csv = part, columns, as_csv
        self._file = file

    def write(self, rows: Sequence[Row]) -> None:
        """Append the rows of a page."""
        self._file.write(encoded(rows, self.as_csv))
        self._file.flush()

    def complete_pages(
        self, until: Callable[[list[Row]], bool] = lambda rows: False
    ) -> Iterator[list[Row]]:
        """Yield the rows of each page that is there, and cut off what follows the last of them.

        The last page may lack rows: it is cut off too.

        Args:
            until: whether to stop before a page, whose rows are given.
        """
        self._file.seek(0)
        complete = before = self._header()  # where complete pages end, and where a row begins
        rows: list[Row] = []
        for row, end in self._rows(before):
            if rows and key(row) != key(rows[0]):
                if until(rows):
                    break
                yield rows
                complete, rows = before, []
            rows.append(row)
            before = end
        self._file.seek(complete)
        self._file.truncate()

    def _header(self) -> int:
        """Read the header, or write it if the file has none; return where it ends."""
        header = csv_line(self.columns).encode() if self.as_csv else b""
        if self._file.read(len(header)) != header:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(header)
        return len(header)

    def _rows(self, start: int) -> Iterator[tuple[Row, int]]:
        """Yield each whole row, and where in the file it ends."""
        end = start

        def lines() -> Iterator[str]:
            nonlocal end
            for line in self._file:
                if not line.endswith(b"\n"):  # it was being written
                    return
                end += len(line)
                yield line.decode()

        with suppress(ValueError, csv.Error):  # of the same
            if self.as_csv:
                for cells in csv.reader(lines(), strict=True):
                    row = dict(zip(self.columns, cells, strict=True))
                    yield row | {"file": text_of(row["file"])}, end
            else:
                for line in lines():
                    yield json.loads(line), end


@contextmanager
def growing_table(
    out: Path, columns: Sequence[str], settings: Sequence[object]
) -> Iterator[GrowingTable]:
    """Open the part of a file, or begin it; rename it to `out` if no error ends the context.

    Args:
        settings: what decides the rows, beside the columns.

    Raises:
        UsageError: `out` is no table, a part of other settings is there, or another process writes.
    """
    check_table(out, "--out")
    text = json.dumps([list(columns), *settings])
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    part = out.with_name(f"{out.name}.{digest}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    refuse_others(out, part)
    with naming(out), part.open("a+b") as file:
        lock(file, part)
        if not part.exists() or not os.path.samestat(os.fstat(file.fileno()), part.stat()):
            raise UsageError(f"{out} has just been finished by another process")
        yield GrowingTable(file, part, columns, is_csv(out))
        file.flush()
        os.fsync(file.fileno())
        if os.name != "nt":
            part.replace(out)  # still locked: no other process continues what is finished
    if os.name == "nt":  # an open file cannot be renamed there
        part.replace(out)


def refuse_others(out: Path, part: Path) -> None:
    """Raises UsageError if `out` was begun with other settings."""
    for other in sorted(out.parent.iterdir()):
        is_part = other.name.startswith(f"{out.name}.") and other.suffix == ".part"
        if is_part and other != part:
            raise UsageError(
                f"{other} was begun with another model or other flags: give the same ones to "
                "continue it, or delete it"
            )


def lock(file: BinaryIO, part: Path) -> None:
    """Raises UsageError if another process writes the file."""
    with suppress(ModuleNotFoundError):  # Windows has no such locks
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{part} is being written by another process") from None


def sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"no model at {file} ({error.strerror})") from None
