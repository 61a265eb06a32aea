"""A CSV that says the label of each picture: file,label, with the pictures beside it.

The table may name files without a folder or an ending, or by a path of another computer; each is
looked for below the folder, and nowhere else. Its labels are names or numbers, or one-hot columns.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from firstlight.datasets._csv_columns import SPLIT_COLUMNS
from firstlight.datasets._examples import SPLITS
from firstlight.datasets._names import decoded, place_of, split_named
from firstlight.datasets._pictures import File, PictureFiles
from firstlight.errors import DataError
from firstlight.images.files import walk

ENDINGS = (".csv", ".tsv", ".txt")
DELIMITERS = ",;\t| "  # a space only if there is no other
# What else a column of labels is called; see also ROLE_WORDS of _names.
LABEL_COLUMNS = ("breed", "diagnosis", "dx", "type", "tag", "category_id", "class_id", "classid")
SAMPLE = 200  # rows that tell which column names the files
MIN_FOUND = 0.5  # of these rows' files: otherwise the table is about something else
MAX_BYTES = 256 << 20  # of a table: a line for each of some million pictures
MAX_FIRST_LINE = 1 << 20  # characters: more are no names of columns
MAX_FAULTS = 100  # of a table; the others are counted


@dataclass(frozen=True)
class Pictures:
    """The files below a folder, by what a table may call them."""

    by_path: dict[str, str]
    by_name: dict[str, str]  # "" if several have the name
    by_stem: dict[str, str]

    @classmethod
    def below(cls, folder: Path) -> "Pictures":
        by_path, by_name, by_stem = {}, {}, {}
        for parent, folders, names in walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if name.startswith(".") or name.lower().endswith(ENDINGS):
                    continue
                path = (parent / name).relative_to(folder).as_posix()
                by_path[path] = path
                by_name[name] = "" if name in by_name else path
                stem = PurePosixPath(name).stem
                by_stem[stem] = "" if stem in by_stem else path
        return cls(by_path, by_name, by_stem)

    def find(self, cell: str, folder: str = "") -> str:
        """Return the path of the file that a cell of a table names, "" if there is none.

        Args:
            folder: of the table, in which its paths begin.
        """
        path = cell.strip().replace("\\", "/").removeprefix("./")
        name = path.rpartition("/")[2]
        if f"{folder}{path}" in self.by_path:
            return f"{folder}{path}"
        return self.by_path.get(path) or self.by_name.get(name) or self.by_stem.get(name) or ""


@dataclass(frozen=True)
class Table:
    """A table of files: its rows, and which of its columns is what."""

    path: Path
    rows: list[list[str]]
    file: int
    labels: tuple[int, ...]  # one column; or several of 0 and 1
    split: int | None
    names: list[str]
    damaged: int  # rows that have another number of cells

    def split_of(self, row: Sequence[str]) -> str:
        """Return the split that a row names, "" if it names none."""
        return "" if self.split is None else split_named(row[self.split])

    def label(self, row: Sequence[str]) -> str:
        """Return the label of a row, "" if it has none or several."""
        if len(self.labels) == 1:
            return row[self.labels[0]].strip()
        ones = [self.names[column] for column in self.labels if _number(row[column]) == 1]
        return ones[0] if len(ones) == 1 else ""


def find(path: Path) -> PictureFiles | None:
    """Return the pictures that the tables at a path name, None if there is no such table.

    Raises:
        DataError: a table names pictures that are there, but no label.
    """
    folder = path.parent if path.is_file() else path
    files = [path] if path.is_file() else _tables_in(folder)
    if not files:
        return None
    pictures = Pictures.below(folder)
    tables = [table for file in files if (table := _read(file, folder, pictures))]
    labelled = [table for table in tables if table.labels]
    if not labelled:
        if tables:
            raise DataError(
                f"{tables[0].path}: has no column of labels; it has: "
                f"{', '.join(tables[0].names[:8])}; call one `label`"
            )
        return None
    found, faults = _named_by_all(labelled, folder, pictures)
    left = len(pictures.by_path) - len({*found, *faults} & pictures.by_path.keys())
    remarks = [f"{t.path.name} has no labels, so it is left out" for t in tables if not t.labels]
    if left:
        remarks.append(
            f"{left:,} files are not named in {', '.join(t.path.name for t in labelled)}, so they "
            "are left out"
        )
    return PictureFiles(
        source=folder,
        files=[found[name] for name in sorted(found)],
        faults=_some(faults),
        remarks=tuple(remarks),
    )


def _tables_in(folder: Path) -> list[Path]:
    """Return the tables in a folder and in the folders of its splits."""
    folders = [
        folder,
        *(sub for sub in sorted(folder.iterdir()) if sub.is_dir() and split_named(sub.name)),
    ]
    return [
        file
        for each in folders
        for file in sorted(each.iterdir())
        if file.suffix.lower() in ENDINGS
        and file.is_file()
        and "submission" not in file.name.lower()
    ]


def _read(path: Path, folder: Path, pictures: Pictures) -> Table | None:
    """Return a table whose rows name pictures, None if it is about something else."""
    rows, damaged = _rows(path)
    if not rows or len(rows[0]) < 2:
        return None
    place = _place(path, folder)
    sample = rows[1 : SAMPLE + 1] or rows
    named = [
        sum(bool(pictures.find(row[column], place)) for row in sample)
        for column in range(len(rows[0]))
    ]
    if max(named) < MIN_FOUND * len(sample):
        return None
    file = named.index(max(named))
    if pictures.find(rows[0][file], place):  # no header
        names, body = [str(column) for column in range(len(rows[0]))], rows
    else:
        names, body = [name.strip() for name in rows[0]], rows[1:]
    split = next((i for i, name in enumerate(names) if name.lower() in SPLIT_COLUMNS), None)
    labels = _label_columns(names, body, {file, split})
    return Table(path, body, file, labels, split, names, damaged)


def _rows(path: Path) -> tuple[list[list[str]], int]:
    """Return the rows of a table that have as many cells as the first, and how many have not."""
    text = _text(path)
    first_line = text.partition("\n")[0]
    if len(first_line) > MAX_FIRST_LINE:
        return [], 0
    delimiter = max(DELIMITERS[:-1], key=first_line.count)
    if delimiter not in first_line:
        delimiter = DELIMITERS[-1]
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(row)]
    except csv.Error:
        return [], 0
    complete = [row for row in rows if len(row) == len(rows[0])]
    return complete, len(rows) - len(complete)


def _text(path: Path) -> str:
    """Return the text of a file, in UTF-8 or as Excel writes it; "" if it is no table's."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return ""
        content = path.read_bytes()
    except OSError:
        return ""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    return decoded(content.removeprefix(b"\xef\xbb\xbf"))


def _place(table: Path, folder: Path) -> str:
    """Return the folder of a table below the one that is named: "", or "train/"."""
    place = table.parent.relative_to(folder).as_posix()
    return "" if place == "." else f"{place}/"


def _label_columns(
    names: list[str], rows: list[list[str]], taken: set[int | None]
) -> tuple[int, ...]:
    """Return the column of labels: by its name, or the only one that is left; or one-hot ones."""
    others = [i for i in range(len(names)) if i not in taken]
    named = [i for i in others if place_of(names[i]).role == "labels"]
    named += [i for i in others if names[i].lower() in LABEL_COLUMNS]
    if named:
        return (named[0],)
    # Where no name says it, names are labels, and numbers something else.
    of_words = [i for i in others if all(math.isnan(_number(row[i])) for row in rows)]
    for left in (others, of_words):
        if len(left) == 1:
            return (left[0],)
    columns = tuple(i for i in others if all(_number(row[i]) in (0, 1) for row in rows))
    if len(columns) > 1 and all(sum(_number(row[i]) for i in columns) <= 1 for row in rows):
        return columns
    return ()


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _named_by_all(
    tables: list[Table], folder: Path, pictures: Pictures
) -> tuple[dict[str, File], dict[str, str]]:
    """Return the pictures that tables name, and what is wrong with their rows."""
    found: dict[str, File] = {}
    faults: dict[str, str] = {}
    named_in: dict[str, Path] = {}  # picture → table
    for table in tables:
        files, problems = _named_by(table, folder, pictures)
        faults |= problems
        for name, file in files.items():
            first, path = found.setdefault(name, file), named_in.setdefault(name, table.path)
            if problem := _contradiction(first, file, path, table.path):
                faults[name] = problem
            if file.split and not first.split:
                found[name], named_in[name] = file, table.path
    for name in faults:
        found.pop(name, None)
    return found, faults


def _contradiction(first: File, second: File, first_table: Path, second_table: Path) -> str:
    """Return what is wrong with a picture that two tables name, "" if nothing is.

    Raises:
        DataError: they name different labels.
    """
    if first.label != second.label:
        raise DataError(
            f"{first_table} and {second_table} name different labels of {first.path}: "
            f"{first.label} and {second.label}; keep one of the tables there"
        )
    if first.split and second.split and first.split != second.split:
        return (
            f"in {first.split} by {first_table.name} and in {second.split} by "
            f"{second_table.name}; a picture belongs to one split"
        )
    return ""


def _named_by(
    table: Table, folder: Path, pictures: Pictures
) -> tuple[dict[str, File], dict[str, str]]:
    """Return the pictures that a table names, and what is wrong with its rows."""
    found: dict[str, File] = {}
    faults: dict[str, str] = {}
    place = _place(table.path, folder)
    if table.damaged:
        faults[f"{place}{table.path.name}"] = (
            f"{table.damaged:,} lines have not {len(table.names)} cells; quote a cell that holds a "
            "delimiter"
        )
    of_table = place_of(table.path.stem).split or split_named(place)
    names_splits = any(table.split_of(row) for row in table.rows)
    for row in table.rows:
        name, label = pictures.find(row[table.file], place), table.label(row)
        file = File(name, table.split_of(row) or of_table, label)
        if not name:
            faults[row[table.file]] = f"named in {table.path.name}, but not there"
        elif not label:
            faults[name] = f"has no label, or several, in {table.path.name}"
        elif name in found and found[name].label != label:
            faults[name] = f"has two labels in {table.path.name}: {found[name].label} and {label}"
        elif names_splits and not table.split_of(row):
            faults[name] = f"its split in {table.path.name} is none of: {', '.join(SPLITS)}"
        elif found.get(name, file) != file:
            faults[name] = (
                f"is in two splits in {table.path.name}: {found[name].split} and {file.split}"
            )
        else:
            found[name] = file
    return found, faults


def _some(faults: dict[str, str]) -> dict[str, str]:
    """Return the first faults, and how many there are."""
    if len(faults) <= MAX_FAULTS:
        return faults
    first = dict(list(faults.items())[:MAX_FAULTS])
    return first | {
        "(others)": f"{len(faults) - MAX_FAULTS:,} more rows of the table are like these"
    }
