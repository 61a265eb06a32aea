"""Parquet, as Hugging Face keeps image datasets: a row for each picture, with its label.

    train-00000-of-00001.parquet    image: {bytes, path}, label: 0, 1, ...; class names in metadata

The pictures stay in memory as they are in the file, encoded, and are decoded when they are needed.
The extra `parquet` installs pyarrow, which reads the files.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from firstlight.datasets._array_files import MAX_BYTES, is_all_there_is, refuse_several
from firstlight.datasets._examples import SPLITS
from firstlight.datasets._names import decoded, place_of, split_named
from firstlight.datasets._pictures import File, PictureFiles
from firstlight.errors import DataError

ENDING = ".parquet"
MAGIC = b"PAR1"
DEPTH = 3  # folders below the one that is named: Hugging Face has data/, or default/train/
MAX_SUBFOLDERS = 20
PART = re.compile(r"[-_.]?(part|shard)?[-_.]?\d+([-_.]?of[-_.]?\d+)?$", re.IGNORECASE)
NO_SPLIT = f"not the name of a split, so it is left out; the splits are: {', '.join(SPLITS)}"
ROWS = 256  # that are read at a time


@dataclass(frozen=True)
class Columns:
    """Which columns hold pictures and labels, and the names that the labels stand for."""

    image: str
    label: str
    classes: tuple[str, ...]  # () if labels are names themselves
    left_out: tuple[str, ...] = ()  # columns that could be the same: CIFAR-100 has coarse labels

    def name_of(self, label: int | str | None) -> str:
        """Return the class of a label, "" if it is none: Hugging Face has -1 for "not known"."""
        if isinstance(label, int) and self.classes:
            return self.classes[label] if 0 <= label < len(self.classes) else ""
        return "" if label is None or label == -1 else str(label)


@dataclass(frozen=True)
class Table:
    """A file of pictures, whose rows have not been read."""

    file: Path
    folder: Path  # that was named
    columns: Columns
    rows: Callable[[], Iterator[tuple[Any, Any]]]  # picture, label

    @property
    def place(self) -> str:
        return self.file.relative_to(self.folder).as_posix()

    @property
    def split(self) -> str:
        """The split that the file or its folder is named after, "" if it is none."""
        return place_of(self.file.stem).split or split_named(self.file.parent.name)

    @property
    def collection(self) -> str:
        """What the file's folder and its name say of the data set, without split and part."""
        home = self.file.parent
        if home != self.folder and split_named(home.name):
            home = home.parent
        words = place_of(PART.sub("", self.file.stem)).collection
        return (home.relative_to(self.folder.parent) / words).as_posix()

    def pictures(self) -> Iterator[tuple[File, bytes, str]]:
        """Yield each picture, its content, and what is wrong with it, "" if nothing is."""
        for row, (cell, label) in enumerate(self.rows()):
            picture = cell if isinstance(cell, dict) else {"bytes": cell}
            name = self.columns.name_of(_plain(label, self.file, row))
            content = picture.get("bytes") or b""
            yield File(f"{self.place}/{row}", self.split, name), content, _problem(picture, name)


def find(path: Path) -> PictureFiles | None:
    """Return the pictures in Parquet files at a path, None if there is no such file.

    Raises:
        DataError: pyarrow is not installed, a file is damaged, or has no pictures with labels.
    """
    folder = path.parent if path.is_file() else path
    files = _files_below(path) if path.is_dir() else [path] * _is_parquet(path)
    if not files or not (_is_installed() or is_all_there_is(files[0].parent)):
        return None
    tables = [table for file in files if (table := _open(file, folder))]
    if not tables and not is_all_there_is(files[0].parent):
        return None
    if not tables:
        raise _without_pictures(files[0])
    with_split = [table for table in tables if table.split] or tables
    refuse_several(path, {table.collection for table in with_split}, with_split[0].file)
    faults = {table.place: NO_SPLIT for table in tables if table not in with_split}
    contents: dict[str, bytes] = {}
    found: list[File] = []
    size = 0
    for table in with_split:
        _refuse_large(table.file, size)
        for picture, content, problem in table.pictures():
            if problem:
                faults[picture.path] = problem
                continue
            contents[picture.path] = content
            size += len(content)
            found.append(picture)
    return PictureFiles(
        source=contents,
        files=found,
        faults=faults,
        classes=next((table.columns.classes for table in tables if table.columns.classes), None),
        remarks=_left_out(files, tables),
    )


def _left_out(files: list[Path], tables: list[Table]) -> tuple[str, ...]:
    """Return what is said of files without pictures, and of columns that are not used."""
    others = sorted(set(files) - {table.file for table in tables})
    columns = tables[0].columns
    said = [f"{file.name} has no pictures with labels, so it is left out" for file in others]
    if columns.left_out:
        names = ", ".join(columns.left_out)
        said.append(f"{columns.image} and {columns.label} are taken; left out: {names}")
    return tuple(said)


def _files_below(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder and of the folders below."""
    level, found = [folder], []
    for _ in range(DEPTH + 1):
        paths = [path for parent in level for path in sorted(parent.iterdir())]
        found += [path for path in paths if path.suffix == ENDING and path.is_file()]
        level = [path for path in paths if path.is_dir()]
        if len(level) > MAX_SUBFOLDERS:
            break
    return found


def _plain(label: Any, file: Path, row: int) -> int | str | None:
    """Return a label as a whole number or a name, None if there is none.

    Raises:
        DataError: it is neither, or several labels.
    """
    if isinstance(label, list) and len(label) == 1:
        [label] = label
    if isinstance(label, bytes):
        label = decoded(label)
    if isinstance(label, float) and (math.isnan(label) or label.is_integer()):
        label = None if math.isnan(label) else int(label)
    if label is None or isinstance(label, int | str):
        return label
    raise DataError(
        f"{file}: the label of row {row:,} is {label!r:.60}; each picture needs one label: a "
        "whole number or a name"
    )


def _is_installed() -> bool:
    return find_spec("pyarrow") is not None


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(4) == MAGIC or file.suffix == ENDING


def _open(file: Path, folder: Path) -> Table | None:
    """Return a file of pictures; None if it has none and lies beside others, which may have some.

    Raises:
        DataError: see `find`; also while the rows are read.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(
            f"{file}: a Parquet file: install the extra `parquet` (pip install pyarrow), or save "
            "its pictures as files, in a folder for each class"
        ) from None
    try:
        table = ParquetFile(file)
        columns = _columns(table.schema_arrow)
        if columns is None:
            return None
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"{file}: a damaged Parquet file ({_first_line(error)})") from None
    groups = [table.metadata.row_group(i) for i in range(table.num_row_groups)]
    _refuse_large(file, sum(group.total_byte_size for group in groups))

    def rows() -> Iterator[tuple[Any, Any]]:
        try:
            for batch in table.iter_batches(ROWS, columns=[columns.image, columns.label]):
                pictures, labels = batch.column(columns.image), batch.column(columns.label)
                yield from zip(pictures.to_pylist(), labels.to_pylist(), strict=True)
        except (ArrowException, OSError, ValueError) as error:
            raise DataError(f"{file}: a damaged Parquet file ({_first_line(error)})") from None

    return Table(file, folder, columns, rows)


def _without_pictures(file: Path) -> DataError:
    """Return what is said of a file that has no column of pictures, or none of labels."""
    from pyarrow.parquet import read_schema

    names = read_schema(file).names
    return DataError(
        f"{file}: no column of pictures {{bytes, path}} with a column `label`; it has: "
        f"{', '.join(names[:8])}; rename a column, or save the data with Hugging Face's datasets"
    )


def _refuse_large(file: Path, size: int) -> None:
    """Raises DataError if pictures need more memory than there may be."""
    if size > MAX_BYTES:
        raise DataError(
            f"{file}: more than {MAX_BYTES >> 30} GiB of pictures; save them as files, in a folder "
            "for each class"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _columns(schema: Any) -> Columns | None:
    """Return which columns hold what, None if there is no picture or no label."""
    images = [
        field.name
        for field in schema
        if str(field.type).startswith("struct<") and field.type.get_field_index("bytes") >= 0
    ]
    binary = [field.name for field in schema if str(field.type) in ("binary", "large_binary")]
    images += [name for name in binary if place_of(name).role != "labels"]
    labels = [name for name in schema.names if name == "label"]
    others = [name for name in schema.names if place_of(name).role == "labels"]
    labels += [name for name in others if name not in labels]
    if not images or not labels:
        return None
    left_out = (*images[1:], *labels[1:])
    return Columns(images[0], labels[0], _class_names(schema.metadata or {}, labels[0]), left_out)


def _class_names(metadata: dict[bytes, bytes], label: str) -> tuple[str, ...]:
    """Return the names of the classes that Hugging Face has written into the file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return tuple(map(str, features[label]["names"]))
    except (KeyError, ValueError, TypeError):
        return ()


def _problem(picture: dict[str, Any], label: str) -> str:
    """Return what is wrong with a row, "" if nothing is."""
    if not picture.get("bytes"):
        path = picture.get("path")
        return f"the file has only the path of the picture, {path}" if path else "no picture"
    return "" if label else "no label"
