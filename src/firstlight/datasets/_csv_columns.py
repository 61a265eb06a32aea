"""Which columns a table of images has: some, then the values of the image, then some.

The header says it, if there is one. Otherwise the number of columns does: they are a square image,
and perhaps a label before or after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firstlight.datasets._array_files import opened
from firstlight.datasets._arrays import is_square
from firstlight.datasets._names import place_of

DELIMITERS = b",;\t| "
MAX_LINE = 4 << 20  # bytes: a colour image of 512×512 has 3 million
MIN_VALUES = 16  # of an image, 4×4: tables of less are no images
MAX_OTHER = 10  # columns
SPLIT_COLUMNS = ("usage", "split")
OTHER = ("", "unnamed: 0", "index", "id", "imageid", "image_id", *SPLIT_COLUMNS)


@dataclass(frozen=True)
class Columns:
    """Which columns a table has: some, then the values of the image, then some."""

    delimiter: bytes
    header: bool  # whether the first line names the columns
    before: tuple[str, ...]  # names, in small letters
    after: tuple[str, ...]
    values: int  # how many columns of values there are; 1 if they are packed
    packed: bool = False  # one cell holds all values, with spaces between them
    trailing: bool = False  # a delimiter also ends each line
    is_guess: bool = False  # the label is the first column or the last one: see `_choose_label`

    @property
    def names(self) -> tuple[str, ...]:
        return self.before + self.after

    def place(self, role: str) -> int | None:
        """Return the place among `names` of the "label" or the "split", None if there is none."""
        for place, name in enumerate(self.names):
            if name in SPLIT_COLUMNS if role == "split" else place_of(name).role == "labels":
                return place
        return None

    @property
    def are_images(self) -> bool:
        """Whether the values can be those of a square image, grey or in colour."""
        return self.packed or self.is_guess or is_image(self.values)

    @property
    def has_labels(self) -> bool:
        return self.is_guess or self.place("label") is not None


def columns_of(file: Path) -> Columns | None:
    """Return which columns a table of images has; None if the file is none."""
    with opened(file) as content:
        start = content.readline(MAX_LINE), content.readline(MAX_LINE)
    if b"\0" in start[0] or not start[0].endswith(b"\n"):
        return None
    first, second = (line.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n") for line in start)
    delimiter = max((bytes([each]) for each in DELIMITERS), key=first.count)
    trailing = first.endswith(delimiter) and second.endswith(delimiter)
    first, second = (clean(line, delimiter, trailing) for line in (first, second))
    cells = [plain(cell) for cell in first.split(delimiter)]
    if _is_header(cells):
        columns = _named_columns(delimiter, cells)
        if columns and second and not _fits(second, columns):
            return None
    else:
        columns = _guessed_columns(delimiter, len(cells), header=_counts_up(cells))
    return replace(columns, trailing=trailing) if columns else None


def clean(line: bytes, delimiter: bytes, trailing: bool) -> bytes:
    """Return a line without quotes, spaces that are repeated, and a delimiter at its end."""
    line = line.replace(b'"', b"")
    if delimiter == b" ":
        return b" ".join(line.split())
    return line.removesuffix(delimiter) if trailing else line


def _fits(line: bytes, columns: Columns) -> bool:
    """Return whether a line has a number where the values are: otherwise it is no image."""
    cells = cut(line, columns)
    values = cells[0].split(b" " if columns.packed else columns.delimiter) if cells else []
    return any(_is_number(plain(value)) for value in values)


def plain(cell: bytes) -> str:
    return cell.strip(b'" ').decode("utf-8", "replace").lower()


def _is_header(cells: Sequence[str]) -> bool:
    """Return whether cells name columns: neither all of them, nor all but a label, are numbers."""
    if _counts_up(cells):  # "class", "0", "1", ...: all but a label are numbers, and names
        return not all(map(_is_number, cells))
    return not (all(map(_is_number, cells[1:])) or all(map(_is_number, cells[:-1])))


def _counts_up(cells: Sequence[str]) -> bool:
    """Return whether cells are 0, 1, 2, ..., as pandas numbers columns, perhaps beside a label."""
    last = [int(cell) for cell in cells if cell.isdecimal()][-9:]
    if len(cells) <= MIN_VALUES or len(last) < 9:
        return False
    return last == [*range(last[0], last[0] + 9)] and len(cells) - 2 <= last[-1] <= len(cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _named_columns(delimiter: bytes, names: list[str]) -> Columns | None:
    """Return the columns of a table with a header."""
    is_other = [name in OTHER or place_of(name).role == "labels" for name in names]
    if "pixels" in names and len(names) <= MAX_OTHER:
        start, stop, packed = names.index("pixels"), names.index("pixels") + 1, True
    elif len(names) - sum(is_other) < MIN_VALUES or sum(is_other) > MAX_OTHER:
        return None
    else:
        start = is_other.index(False)
        stop, packed = len(names) - is_other[::-1].index(False), False
    before, after = tuple(names[:start]), tuple(names[stop:])
    columns = Columns(delimiter, True, before, after, stop - start, packed)
    if columns.has_labels or packed or is_image(columns.values):
        return columns
    return _guessed_columns(delimiter, len(names), header=True)


def _guessed_columns(delimiter: bytes, count: int, header: bool) -> Columns | None:
    """Return the columns of a table that names none: a label and an image, or an image alone."""
    if count <= MIN_VALUES:
        return None
    if is_image(count - 1):
        return Columns(delimiter, header, ("",), ("",), count - 2, is_guess=True)
    return Columns(delimiter, header, (), (), count)


def is_image(values: int) -> bool:
    """Return whether this number of values makes a square image, grey or in colour."""
    return is_square(values) or (values % 3 == 0 and is_square(values // 3))


def cut(line: bytes, columns: Columns) -> list[bytes] | None:
    """Return the part of a line that holds the image, then its other cells; None if some lack."""
    first = line.split(columns.delimiter, len(columns.before))
    last = first[-1].rsplit(columns.delimiter, len(columns.after))
    cells = [last[0], *first[:-1], *last[1:]]
    return cells if len(cells) == 1 + len(columns.names) else None
