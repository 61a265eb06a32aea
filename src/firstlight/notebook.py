"""How results show themselves in a notebook: the HTML that Jupyter asks a cell's value for.

Names of classes and files are foreign text and are escaped. Figures are drawn when they are asked
for: matplotlib is imported only then.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.errors import DataError

if TYPE_CHECKING:
    from firstlight.evaluation.comparison import Comparison
    from firstlight.explanation.explanation import Explanation
    from firstlight.graphs.draw import GraphPictures
    from firstlight.reading import Reading
    from firstlight.runs.documents import Evaluation
    from firstlight.runs.run import Run
    from firstlight.training.rate_search import RateSearch

MAX_CLASSES = 20  # rows of the table of classes: those with the worst recall


def training(run: Run) -> str:
    """Return a training's result, and its learning curves, as far as there are any.

    If the run folder is gone or damaged, it says so: a cell's value must not raise.
    """
    try:
        return paragraphs(outcome(run)) + curves(run)
    except DataError as error:
        return paragraphs([str(error)])


def outcome(run: Run) -> list[str]:
    """Return the result; for a training that has not ended, how to continue it."""
    from firstlight import console

    try:
        return console.training(run.result)
    except DataError:
        in_memory = run.record().settings.in_memory
        data = ", data=..." if in_memory else ""
        return [f"not finished yet; continue with fl.train(resume={str(run.folder)!r}{data})"]


def curves(run: Run) -> str:
    """Return the learning curves of the steps so far; "" if none has been logged."""
    metrics = run.metrics()
    if not metrics:
        return ""
    from firstlight.figures.training import learning_curves

    record = run.record()
    figure = learning_curves(metrics, record, Path(record.settings.data).name)
    return image(figure._repr_png_(), "learning curves")


def evaluation(measured: Evaluation) -> str:
    """Return accuracy, precision and recall by class, and the confusion matrix."""
    from firstlight import console

    scores = sorted(measured.by_class, key=lambda score: score.recall)[:MAX_CLASSES]
    rows = [
        (score.name, f"{score.examples:,}", f"{score.recall:.1%}", f"{score.precision:.1%}")
        for score in scores
    ]
    return (
        paragraphs([console.accuracy(measured)])
        + table(("class", "images", "recall", "precision"), rows)
        + image(measured.confusion_matrix()._repr_png_(), "confusion matrix")
    )


def comparison(compared: Comparison) -> str:
    """Return both accuracies and the verdict."""
    from firstlight import console

    return paragraphs(console.comparison(compared))


def reading(read: Reading) -> str:
    """Return the picture with a box around each digit, and what was read."""
    from firstlight.reading.sheet import annotated_picture

    file = BytesIO()
    annotated_picture(read).save(file, "PNG")
    return image(file.getvalue(), "the picture") + paragraphs(
        [part for part in (read.text, read.note) if part]
    )


def explanation(explained: Explanation) -> str:
    """Return the most probable classes, and the pictures that were written."""
    rows = [(label.label, f"{label.probability:.1%}") for label in explained.labels]
    pictures = [image(file.read_bytes(), file.stem) for file in explained.files]
    return table(("class", "probability"), rows) + "".join(pictures)


def graph(pictures: GraphPictures) -> str:
    """Return both pictures of a graph."""
    return "".join(image(file.read_bytes(), file.stem, "svg+xml") for file in pictures.files)


def rate_search(search: RateSearch) -> str:
    """Return the suggested rate, and the loss against the rate."""
    from firstlight import console

    return paragraphs(console.rate_search(search)) + image(search.figure._repr_png_(), "the cost")


def paragraphs(lines: list[str]) -> str:
    """Return lines of foreign text."""
    return "".join(f"<div>{html.escape(line)}</div>" for line in lines)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table of foreign text."""
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{cells}</tr>{body}</table>"


def image(content: bytes, description: str, kind: str = "png") -> str:
    """Return the content of a PNG or SVG file as an image that needs no other file."""
    data = base64.b64encode(content).decode()
    return f'<img src="data:image/{kind};base64,{data}" alt="{html.escape(description)}">'
