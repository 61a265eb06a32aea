"""Predictions as a file: a row for each image of a split, as CSV or as JSON lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.datasets import Examples
from firstlight.errors import UsageError
from firstlight.runs.files import atomic_write
from firstlight.runs.run import Run
from firstlight.tables import check_table, csv_line, digits_cell, encoded, is_csv


def check_predictions_file(path: Path, runs: Sequence[Run]) -> None:
    """Raises UsageError unless predictions can be written there: see `write_predictions`."""
    check_table(path, "--predictions")
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
    names = [digits_cell(name) for name in classes] if is_csv(path) else classes
    rows = list(predictions(examples, probabilities, names))
    with atomic_write(path) as file:
        if is_csv(path):
            file.write(csv_line(list(rows[0])).encode())
        file.write(encoded(rows, as_csv=is_csv(path)))


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
