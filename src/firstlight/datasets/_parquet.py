"""Parquet, as Hugging Face keeps image datasets: a row for each picture, with its label.

    train-00000-of-00001.parquet    image: {bytes, path}, label: 0, 1, ...; class names in metadata

The pictures stay in memory as they are in the file, encoded, and are decoded when they are needed.
The extra `parquet` installs pyarrow, which reads the files.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from firstlight.datasets._array_files import MAX_BYTES, is_all_there_is, refuse_several
from firstlight.datasets._names import place_of, split_named
from firstlight.datasets._pictures import File, PictureFiles
from firstlight.errors import DataError

ENDING = ".parquet"
MAGIC = b"PAR1"
DEPTH = 3  # folders below the one that is named: Hugging Face has data/, or default/train/
MAX_SUBFOLDERS = 20
ROWS = 256  # that are read at a time


@dataclass(frozen=True)
class Columns:
    """Which columns hold pictures and labels, and the names that the labels stand for."""

    image: str
    label: str
    classes: tuple[str, ...]  # () if labels are names themselves

    def name_of(self, label: Any) -> str:
        """Return the class of a label, "" if it is none: Hugging Face has -1 for "not known"."""
        if isinstance(label, int) and self.classes:
            return self.classes[label] if 0 <= label < len(self.classes) else ""
        return "" if label is None or label == -1 else str(label)


def find(path: Path) -> PictureFiles | None:
    """Return the pictures in Parquet files at a path, None if there is no such file.

    Raises:
        DataError: pyarrow is not installed, a file is damaged, or has no pictures with labels.
    """
    folder = path.parent if path.is_file() else path
    files = _nearest(path) if path.is_dir() else [path] * _is_parquet(path)
    if not files or not (_is_installed() or is_all_there_is(files[0].parent)):
        return None
    refuse_several(path, {_home(file, folder) for file in files}, files[0])
    contents: dict[str, bytes] = {}
    found: list[File] = []
    faults: dict[str, str] = {}
    classes: tuple[str, ...] = ()
    size = 0
    for file in files:
        _refuse_large(file, size)
        split = place_of(file.stem).split or split_named(file.parent.name)
        columns, rows = _open(file)
        if columns is None:
            return None
        classes = classes or columns.classes
        for row, (cell, label) in enumerate(rows):
            picture = cell if isinstance(cell, dict) else {"bytes": cell}
            name = f"{file.relative_to(folder).as_posix()}/{row}"
            if problem := _problem(picture, columns.name_of(label)):
                faults[name] = problem
                continue
            contents[name] = picture["bytes"]
            size += len(contents[name])
            found.append(File(name, split, columns.name_of(label)))
    return PictureFiles(source=contents, files=found, faults=faults, classes=classes or None)


def _nearest(folder: Path) -> list[Path]:
    """Return the Parquet files of the folder itself, or of the nearest folders below."""
    level = [folder]
    for _ in range(DEPTH + 1):
        files = [path for parent in level for path in sorted(parent.iterdir())]
        found = [path for path in files if path.suffix == ENDING and path.is_file()]
        level = [path for path in files if path.is_dir()]
        if found or len(level) > MAX_SUBFOLDERS:
            return found
    return []


def _is_installed() -> bool:
    return find_spec("pyarrow") is not None


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(4) == MAGIC or file.suffix == ENDING


def _home(file: Path, folder: Path) -> str:
    """Return the folder of a data set: not that of a split."""
    home = file.parent
    if home != folder and split_named(home.name):
        home = home.parent
    return home.relative_to(folder).as_posix()


def _open(file: Path) -> tuple[Columns | None, Iterator[tuple[Any, Any]]]:
    """Return the columns of a file, and its rows: (picture, label).

    The columns are None if it has no pictures and lies beside folders, which may have some.

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
        columns = _columns(file, table.schema_arrow)
        if columns is None:
            return None, iter(())
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

    return columns, rows()


def _refuse_large(file: Path, size: int) -> None:
    """Raises DataError if pictures need more memory than there may be."""
    if size > MAX_BYTES:
        raise DataError(
            f"{file}: more than {MAX_BYTES >> 30} GiB of pictures; save them as files, in a folder "
            "for each class"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _columns(file: Path, schema: Any) -> Columns | None:
    """Return which columns hold what; see `_open`.

    Raises:
        DataError: there is no picture or no label, and nothing else can be meant.
    """
    images = [
        field.name
        for field in schema
        if str(field.type).startswith("struct<") and field.type.get_field_index("bytes") >= 0
    ]
    images += [field.name for field in schema if str(field.type) in ("binary", "large_binary")]
    labels = [name for name in schema.names if name == "label"]
    labels += [name for name in schema.names if place_of(name).role == "labels"]
    if not (images and labels) and not is_all_there_is(file.parent):
        return None
    if not images or not labels:
        missing = "no column of pictures {bytes, path}" if not images else "no column `label`"
        raise DataError(
            f"{file}: {missing}; it has: {', '.join(schema.names[:8])}; rename a column, or save "
            "the data with Hugging Face's datasets"
        )
    return Columns(images[0], labels[0], _class_names(schema.metadata or {}, labels[0]))


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
