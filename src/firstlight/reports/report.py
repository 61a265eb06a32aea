"""The verb `report`: writes runs as one HTML file."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from firstlight.errors import UsageError
from firstlight.evaluation.accuracy import open_dataset
from firstlight.evaluation.comparison import Comparison, compare_answers
from firstlight.reports.contents import RunContents, gather
from firstlight.runs.files import check_suffix, write_text
from firstlight.runs.run import Run
from firstlight.settings import DataChoice

MAX_RUNS = 12  # each adds about half a megabyte to the file


@dataclass(frozen=True)
class Report:
    """A report that was written."""

    runs: tuple[str, ...]
    path: Path
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return what `firstlight report --json` prints."""
        return {"runs": list(self.runs), "file": str(self.path), "bytes": self.bytes}

    def _repr_html_(self) -> str:
        """Return the report in a frame: Jupyter shows it below the cell."""
        content = base64.b64encode(self.path.read_bytes()).decode()
        source = f"data:text/html;base64,{content}"
        return f'<iframe src="{source}" width="100%" height="700" frameborder="0"></iframe>'


def report(
    runs: Sequence[Run],
    data: DataChoice = "",
    split: str = "",
    out: Path | None = None,
    quiet: bool = True,
) -> Report:
    """Measure runs, and write a report about them; with several, they are compared.

    Args:
        data: data to measure on; "" for the data that each run was trained on.
        split: test, val or train, or "": see `open_dataset`.
        out: the HTML file; by default report.html in the folder of the first run.

    Raises:
        UsageError: more than MAX_RUNS runs, no such split, `out` is no name of an HTML file, or the
            data's classes are not a network's.
        DataError: a run or the data is missing or damaged.
    """
    if not 1 <= len(runs) <= MAX_RUNS:
        raise UsageError(f"{len(runs)} runs; a report is about 1 to {MAX_RUNS}")
    path = out or runs[0].folder / "report.html"
    check_suffix(path, ".html")
    contents = []
    for run in runs:
        dataset, measured = open_dataset(run, data, split, quiet)
        contents.append(gather(run, dataset, measured, quiet))
    text = render(contents, compared_with_best(contents))
    write_text(path, text)
    return Report(tuple(str(run.folder) for run in runs), path, path.stat().st_size)


def compared_with_best(contents: Sequence[RunContents]) -> list[Comparison]:
    """Return the comparison of the most accurate run with each other run on the same images."""
    best = max(contents, key=lambda each: each.evaluation.accuracy)
    return [
        compare_answers(
            (best.folder, other.folder),
            (best.right, other.right),
            data=best.evaluation.data,
            split=best.evaluation.split,
        )
        for other in contents
        if other is not best and other.measured_on == best.measured_on
    ]


def render(contents: Sequence[RunContents], comparisons: Sequence[Comparison]) -> str:
    """Return the report as an HTML document."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["data_url"] = data_url
    environment.filters["percent"] = lambda share, digits=2: f"{share:.{digits}%}"
    template = files("firstlight.reports").joinpath("report.html").read_text("utf-8")
    return environment.from_string(template).render(runs=contents, comparisons=comparisons)


def data_url(png: bytes) -> str:
    """Return a PNG file as a URL that contains it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
