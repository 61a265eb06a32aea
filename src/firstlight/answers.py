"""A network's answers for many pictures and arrays, as a table: CSV or JSON lines.

A row has the file, the row in it (from 0; only of arrays), the label, its probability, and a note
if the picture cannot be read. For a table of pixels from Kaggle it is what Kaggle asks for: ImageId
(from 1) and Label.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.classification import (
    PICTURES_PER_BATCH,
    Classification,
    Classifier,
    classify_batch,
    resized,
)
from firstlight.datasets import _unlabelled
from firstlight.errors import UsageError
from firstlight.images.files import Found, find_pictures
from firstlight.probabilities import Label, top_labels
from firstlight.progress import Progress
from firstlight.runs.files import atomic_write
from firstlight.tables import Row, check_table, csv_line, digits_cell, encoded, is_csv

PAIR = ("label", "probability")


@dataclass(frozen=True)
class Answers:
    """A file with the answers of a network."""

    out: Path
    rows: int
    problems: tuple[str, ...]  # why pictures could not be read
    left_out: int  # files in folders that are no pictures

    def to_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "rows": self.rows,
            "unreadable": len(self.problems),
            "left_out": self.left_out,
        }


@dataclass(frozen=True)
class Form:
    """How a table of answers looks."""

    top: int  # labels in a row
    several: bool  # a row has several labels, even if `top` is 1
    with_rows: bool  # there are arrays
    as_csv: bool
    kaggle: bool = False

    @property
    def columns(self) -> list[str]:
        """The names of the columns in CSV."""
        if self.kaggle:
            return ["ImageId", "Label"]
        places = ["file", "row"] if self.with_rows else ["file"]
        ranks = ["", *(f"_{rank}" for rank in range(2, self.top + 1))]
        return [*places, *(f"{name}{rank}" for rank in ranks for name in PAIR), "note"]

    def row(self, file: Path, row: int | None, labels: Sequence[Label], note: str | None) -> Row:
        """Return a row, for CSV or for JSON."""
        if self.kaggle:
            return {"ImageId": (row or 0) + 1, "Label": labels[0].label}
        place = {"file": str(file)} | ({"row": row} if self.with_rows else {})
        first: Row = labels[0].to_json() if labels else dict.fromkeys(PAIR)
        if not self.as_csv:
            every = {"labels": [label.to_json() for label in labels]} if self.several else {}
            return place | first | every | {"note": note}
        cells: list[Any] = []
        for each in labels:
            cells += [digits_cell(each.label), each.to_json()["probability"]]
        cells += [None] * (2 * self.top - len(cells))
        return dict(zip(self.columns, [*place.values(), *cells, note], strict=True))


def write_answers(
    classifier: Classifier,
    what: Sequence[Path],
    out: Path,
    top: int | None = None,
    quiet: bool = False,
) -> Answers:
    """Write the most probable labels of every picture and image, whole or not at all.

    Args:
        what: pictures, folders, patterns, and .csv, .npy or .npz files of images.
        top: labels in a row; None: one.

    Raises:
        DataError: there is nothing to answer, or a file of arrays is damaged.
        UsageError: `out` has another ending, or is one of the files.
    """
    check_table(out, "--out")
    tables = [path for path in what if _unlabelled.has_arrays(path)]
    others = [path for path in what if path not in tables]
    found = find_pictures(others) if others else Found(())
    if out.resolve() in {table.resolve() for table in tables}:
        raise UsageError(f"--out {out} is what is to be answered; give another name")
    arrays = {table: _unlabelled.read(table, classifier.values) for table in tables}
    form = Form(
        top=min(top or 1, len(classifier.classes)),
        several=top is not None,
        with_rows=bool(tables),
        as_csv=is_csv(out),
        kaggle=top is None and is_csv(out) and not found.files and is_from_kaggle(arrays),
    )
    rows, problems = 0, []
    total = len(found.files) + sum(len(each.pixels) for each in arrays.values())
    with atomic_write(out) as file, Progress(total, quiet=quiet, unit="image") as progress:
        if form.as_csv:
            file.write(csv_line(form.columns).encode())
        for table, images in arrays.items():
            if images.note:
                progress.say(f"{table}: {images.note}")
        for batch in answered(classifier, arrays, found.files, form.top):
            file.write(encoded([form.row(*answer) for answer in batch], form.as_csv))
            rows += len(batch)
            problems += [f"{path}: {note}" for path, _, _, note in batch if note]
            progress.at(rows, "")
    return Answers(out, rows, tuple(problems), found.left_out)


def is_from_kaggle(arrays: dict[Path, _unlabelled.Images]) -> bool:
    return len(arrays) == 1 and next(iter(arrays.values())).is_kaggle


Answer = tuple[Path, int | None, Sequence[Label], str | None]  # file, row, labels, note


def answered(
    classifier: Classifier,
    arrays: dict[Path, _unlabelled.Images],
    pictures: Sequence[Path],
    top: int,
) -> Iterator[list[Answer]]:
    """Yield the answers in batches: first the arrays' images, then the pictures."""
    for file, images in arrays.items():
        row = 0
        for batch in resized(classifier, images.pixels):
            probabilities = classifier.probabilities(batch)
            yield [
                (file, row + number, top_labels(each, classifier.classes, top), None)
                for number, each in enumerate(probabilities)
            ]
            row += len(batch)
    for start in range(0, len(pictures), PICTURES_PER_BATCH):
        files = pictures[start : start + PICTURES_PER_BATCH]
        yield [of_picture(each) for each in classify_batch(classifier, files, top=top)]


def of_picture(classified: Classification) -> Answer:
    problem = classified.problem
    note = problem.removeprefix(f"{classified.file}: ") if problem else None
    return classified.file, None, classified.labels, note
