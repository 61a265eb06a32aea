"""CSV: a row for each image, as Kaggle's Digit Recognizer has it: its label and its values.

    label,pixel0,pixel1,...       with a header or without, the label first or last
    emotion,pixels,Usage          all values in one cell, and a column that names the split

Images are square, grey or colour. A table is read in blocks, so a large file needs little more
memory than its values do. Tables that name files of pictures are in _label_table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets._array_files import (
    MAX_BYTES,
    ArrayFiles,
    RawSplit,
    is_all_there_is,
    opened,
    plain_name,
    refuse_several,
    refuse_two,
)
from firstlight.datasets._csv_columns import MAX_LINE, Columns, clean, columns_of, cut, plain
from firstlight.datasets._examples import SPLITS
from firstlight.datasets._names import decoded, place_of, split_named
from firstlight.errors import DataError

ENDINGS = (".csv", ".tsv", ".txt", ".data", ".tra", ".tes")
BLOCK = 1 << 20  # bytes that are parsed at a time
EXPECTED = (
    "a row for each image: its label, then the values of a square image (label,pixel0,pixel1,...)"
)
RARE = 20  # times less often than the mean: such a number is hardly a class


@dataclass(frozen=True)
class Table:
    """What a file holds."""

    images: NDArray[Any]  # (N, values)
    labels: NDArray[Any] | None  # (N,): whole numbers or names
    splits: NDArray[Any] | None  # (N,): what names the split of each row


def find(path: Path) -> ArrayFiles | None:
    """Return the tables of images at a path, None if there are none.

    Raises:
        DataError: they are of several data sets, or have no labels.
    """
    found = {file: columns for file in _files(path) if (columns := columns_of(file))}
    if path.is_file():
        for file, columns in found.items():
            _refuse_other_sizes(file, columns)
    # A table of something else may lie beside pictures.
    tables = {file: columns for file, columns in found.items() if columns.are_images}
    labelled = [file for file, columns in tables.items() if columns.has_labels]
    if not labelled:
        _refuse_without_labels(path, list(tables))
        return None
    collections = {place_of(plain_name(file)).collection for file in labelled}
    refuse_several(path, collections, labelled[0])
    read_once = cache(read)
    file_of: dict[str, Path] = {}  # split → file
    for file in labelled:
        for split in _splits_of(file, tables[file], read_once):
            first = file_of.setdefault(split, file)
            if first != file:
                refuse_two(first, file, f"{split} images")
    return ArrayFiles(
        path=path,
        name=_name(path, collections.pop()),
        splits={
            split: partial(_rows_of, file, split, read_once) for split, file in file_of.items()
        },
        files=tuple(dict.fromkeys(file_of.values())),
        remarks=tuple(_left_out(file, found[file]) for file in found if file not in labelled),
    )


def _left_out(file: Path, columns: Columns) -> str:
    """Return why a table is not used beside others."""
    if columns.are_images:
        return f"{file.name} has no labels, so it is left out; {_answered_by(file)}"
    return (
        f"{file.name} has rows of {columns.values:,} values, which are no square image, so it is "
        "left out"
    )


def _refuse_without_labels(path: Path, files: list[Path]) -> None:
    """Raises DataError if images have no labels and nothing else can be meant."""
    if files and is_all_there_is(path):
        raise DataError(
            f"{path}: images without labels ({files[0].name}): nothing to learn from; "
            f"{_answered_by(files[0])}"
        )


def _answered_by(file: Path) -> str:
    return f"`firstlight predict RUN {file} --out answers.csv` answers it"


def is_from_kaggle(file: Path) -> bool:
    """Return whether a table holds images alone, as Kaggle's test.csv: pixel0, pixel1, ..."""
    with opened(file) as content:
        start = content.read(64).removeprefix(b"\xef\xbb\xbf").replace(b'"', b"")
    return start.startswith(b"pixel0,pixel1,")


def _name(path: Path, collection: str) -> str:
    """Return what the data is called: its file, if that says more than "train.csv"; its folder."""
    if path.is_file() and collection:
        return plain_name(path.resolve())
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    return folder.name or "data"


def _files(path: Path) -> list[Path]:
    """Return the file, or the files of a folder that are named as tables."""
    if path.is_file():
        return [path]
    names = [file for file in path.iterdir() if file.is_file()]
    return sorted(file for file in names if Path(plain_name(file)).suffix.lower() in ENDINGS)


def _splits_of(file: Path, columns: Columns, read_once: Callable[[Path], Table]) -> list[str]:
    """Return the splits that a file has rows of: as a column says, or the name of the file."""
    if columns.place("split") is None:
        return [place_of(plain_name(file)).split or "train"]
    named = read_once(file).splits
    return ["train"] if named is None else sorted(set(named.tolist()), key=SPLITS.index)


def _rows_of(file: Path, split: str, read_once: Callable[[Path], Table]) -> RawSplit:
    table = read_once(file)
    if table.labels is None:
        raise DataError(f"{file}: no column of labels; call one `label`")
    if table.splits is None:
        return RawSplit(table.images, table.labels, file)
    rows = table.splits == split
    return RawSplit(table.images[rows], table.labels[rows], file)


def read(file: Path) -> Table:
    """Return the rows of a table of images; a table without labels has `labels` None.

    Raises:
        DataError: the file is no table of images, or a row is damaged, which is named.
    """
    columns = columns_of(file)
    if columns is None:
        raise DataError(f"{file}: not a table of images; expected {EXPECTED}")
    _refuse_other_sizes(file, columns)
    blocks: list[NDArray[Any]] = []
    others: list[list[bytes]] = [[] for _ in columns.names]
    size = 0
    for number, lines in _blocks(file, columns):
        blocks.append(_block(file, columns, lines, number, others))
        size += blocks[-1].nbytes
        if size > MAX_BYTES:
            raise DataError(f"{file}: more than {MAX_BYTES >> 30} GiB of values")
    if not blocks:
        raise DataError(f"{file}: no rows; expected {EXPECTED}")
    if len({block.shape[1] for block in blocks}) > 1:
        raise DataError(f"{file}: images of different sizes")
    images = np.concatenate(blocks)
    if columns.is_guess:
        return _choose_label(images, *(_labels(file, each) for each in others))
    label, split = columns.place("label"), columns.place("split")
    return Table(
        images,
        None if label is None else _labels(file, others[label]),
        None if split is None else _named_splits(file, others[split]),
    )


def _named_splits(file: Path, cells: list[bytes]) -> NDArray[Any] | None:
    """Return the split that each cell names; None if none does: it may count folds.

    Raises:
        DataError: only some do.
    """
    split_of = {cell: split_named(plain(cell)) for cell in set(cells)}
    if not any(split_of.values()):
        return None
    for cell, split in split_of.items():
        if not split:
            raise DataError(
                f"{file}: the split of a row is {plain(cell)!r}; the splits are: "
                f"{', '.join(SPLITS)}"
            )
    return np.array([split_of[cell] for cell in cells])


def _refuse_other_sizes(file: Path, columns: Columns) -> None:
    """Raises DataError if rows are no square images."""
    if not columns.are_images:
        raise DataError(
            f"{file}: rows of {columns.values:,} values, which are no square image, grey or in "
            f"colour; expected {EXPECTED}"
        )


def _blocks(file: Path, columns: Columns) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the number of a block's first line, and its lines, which are not empty."""
    with opened(file) as content:
        number = 1
        if columns.header:
            content.readline(MAX_LINE)
            number = 2
        while lines := _lines(content):
            if number == 1:
                lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            yield number, [line.rstrip(b"\r\n") for line in lines]
            number += len(lines)


def _lines(content: BinaryIO) -> list[bytes]:
    """Return the next lines, about BLOCK bytes; a line that is too long comes in pieces."""
    lines: list[bytes] = []
    size = 0
    while size < BLOCK and (line := content.readline(MAX_LINE)):
        lines.append(line)
        size += len(line)
    return lines


def _block(
    file: Path, columns: Columns, lines: list[bytes], number: int, others: list[list[bytes]]
) -> NDArray[Any]:
    """Return the values of some lines (n, values); append the cells of the other columns."""
    rows = []
    for offset, line in enumerate(lines):
        if not line:
            continue
        cells = cut(clean(line, columns.delimiter, columns.trailing), columns)
        if cells is None:
            raise _bad_line(file, number + offset, columns)
        row, *rest = cells
        rows.append(row)
        for column, cell in zip(others, rest, strict=True):
            column.append(cell.strip())
    delimiter, count = columns.delimiter, columns.values
    if columns.packed and rows:
        delimiter, count = b" ", rows[0].count(b" ") + 1
    values = _parse(rows, count, delimiter)
    if values is None:
        bad = next(i for i, row in enumerate(rows) if _parse([row], count, delimiter) is None)
        full = [offset for offset, line in enumerate(lines) if line]
        raise _bad_line(file, number + full[bad], columns)
    return values


def _bad_line(file: Path, number: int, columns: Columns) -> DataError:
    count = len(columns.names) + columns.values
    return DataError(
        f"{file}: line {number:,} is not {count:,} cells, or a pixel in it is no number"
    )


def _parse(rows: list[bytes], count: int, delimiter: bytes) -> NDArray[Any] | None:
    """Return the numbers of some rows (n, count), None if a row has others or something else."""
    if not rows:
        return np.empty((0, count), np.uint8)
    text = b"\n".join(rows) + b"\n"
    values = _whole_numbers(text, (len(rows), count), delimiter)
    if values is not None:
        return values
    if b"" in rows:  # NumPy would leave it out, with a warning
        return None
    try:
        numbers = np.loadtxt(rows, np.float32, comments=None, delimiter=delimiter.decode(), ndmin=2)
    except ValueError:
        return None
    return numbers if numbers.shape == (len(rows), count) else None


def _whole_numbers(
    text: bytes, shape: tuple[int, int], delimiter: bytes
) -> NDArray[np.uint8] | None:
    """Return whole numbers of at most three digits, None if the text holds anything else.

    It is four times as fast as NumPy's own reader: all numbers are made at once, from the places
    where they end.
    """
    characters = np.frombuffer(text, np.uint8)
    digits = characters - np.uint8(ord("0"))  # others become more than 9
    ends = np.flatnonzero(digits > 9)
    if len(ends) != shape[0] * shape[1]:
        return None
    marks = characters[ends].reshape(shape)
    if (marks[:, :-1] != ord(delimiter)).any() or (marks[:, -1] != ord("\n")).any():
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        return None
    values = digits[ends - 1].astype(np.uint16)
    values += np.where(lengths > 1, digits[ends - 2] * np.uint16(10), np.uint16(0))
    values += np.where(lengths > 2, digits[ends - 3] * np.uint16(100), np.uint16(0))
    if values.max() > 255:
        return None
    return values.astype(np.uint8).reshape(shape)


def _labels(file: Path, cells: list[bytes]) -> NDArray[Any]:
    """Return cells as whole numbers if all are, as names otherwise.

    Raises:
        DataError: a label is empty.
    """
    if b"" in cells:
        row = cells.index(b"") + 1
        raise DataError(f"{file}: row {row:,} of the images has no label; remove the row")
    try:
        numbers = np.array(cells, np.float64) if cells else np.empty(0)
    except ValueError:
        return np.array(list(map(decoded, cells)))
    if np.isfinite(numbers).all() and (numbers == np.round(numbers)).all():
        return numbers.astype(np.int64)
    return numbers


def _choose_label(images: NDArray[Any], first: NDArray[Any], last: NDArray[Any]) -> Table:
    """Return the table with its label, the first column or the last: no name says which.

    An image's corner is the same in most images, or has very many values.
    """
    label_is_last = _label_likeness(last) > _label_likeness(first)
    label, corner = (last, first) if label_is_last else (first, last)
    column = corner[:, np.newaxis].astype(images.dtype if corner.dtype.kind == "i" else np.float32)
    parts = [column, images] if label_is_last else [images, column]
    return Table(np.concatenate(parts, axis=1), label, None)


def _label_likeness(column: NDArray[Any]) -> float:
    """Return how much a column is like labels: names, or few whole numbers, each of them often.

    Numbers without a gap from 0 or 1, none of them rare, are classes; a pixel has more of them.
    """
    if column.dtype.kind == "U":
        return 3
    if column.dtype.kind == "f":
        return -1
    values, counts = np.unique(column, return_counts=True)
    has_no_gap = values[0] in (0, 1) and values[-1] - values[0] + 1 == len(values)
    if len(values) > 1 and has_no_gap and counts.min() >= len(column) / (RARE * len(values)):
        return 2 - len(values) / 1000
    return 1 - float(((counts / len(column)) ** 2).sum()) - len(values) / 1000
