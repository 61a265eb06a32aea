"""Predictions as a file: a row for each image of a split, as CSV or as JSON lines."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.datasets import Examples
from firstlight.errors import UsageError
from firstlight.runs.files import write_text
from firstlight.runs.run import Run

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a cell that begins with these


def check_predictions_file(path: Path, runs: Sequence[Run]) -> None:
    """Raises UsageError unless predictions can be written there: see `write_predictions`."""
    if path.suffix.lower() not in (".csv", ".jsonl") or path.is_dir():
        raise UsageError(
            f"--predictions {path}: give the name of a file that ends in .csv or .jsonl"
        )
    if path.resolve() in {file.resolve() for run in runs for file in run.own_files()}:
        raise UsageError(f"--predictions {path} is the run's own file; give another name")


def write_predictions(
    path: Path, examples: Examples, probabilities: np.ndarray, classes: Sequence[str]
) -> None:
    """Write what was predicted for each example, whole or not at all.

    A row has: index (in the split), file (only of pictures in a folder), label and predicted (names
    of classes), probability (of the predicted class, 0 to 1) and right.

    Args:
        path: a name that ends in .csv or .jsonl.
        probabilities: (N, classes).
    """
    rows = list(predictions(examples, probabilities, classes))
    if path.suffix.lower() == ".csv":
        write_text(path, as_csv(rows))
    else:
        write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def predictions(
    examples: Examples, probabilities: np.ndarray, classes: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each example: column → value."""
    predicted, highest = probabilities.argmax(1), probabilities.max(1)
    for index, label in enumerate(examples.labels):
        row: dict[str, Any] = {"index": index}
        file = examples.images.file(index)
        if file is not None:
            row["file"] = file
        yield row | {
            "label": classes[label],
            "predicted": classes[predicted[index]],
            "probability": round(float(highest[index]), 6),
            "right": bool(predicted[index] == label),
        }


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as CSV with a header; true and false are 1 and 0."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(rows[0])
    table.writerows([cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def cell(value: Any) -> Any:
    """Return a value as a cell that is no formula: an apostrophe says that it is a text."""
    if isinstance(value, bool):
        return int(value)
    is_formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if is_formula else value
