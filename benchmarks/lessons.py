"""Runs the chapters, and writes into them what their code prints and draws.

    python benchmarks/lessons.py            all chapters
    python benchmarks/lessons.py 3 4        some of them
    python benchmarks/lessons.py --check    writes nothing; ends with 1 if a chapter is wrong

Each chapter runs in a fresh notebook kernel, in an empty folder. Printed text that still agrees
with the chapter is left as it is, and so is a picture that still looks the same. The seconds go to
results/lessons.json.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image
from report import RESULTS, processor

from firstlight.chapters.agreement import Tolerance, disagreement
from firstlight.chapters.chapter import PROGRAM, Chapter, Code, chapters
from firstlight.chapters.program import complete_program
from firstlight.runs.run import versions

LESSONS = Path(__file__).parent.parent / "lessons"
SECONDS = RESULTS / "lessons.json"
TIMEOUT = 600  # seconds for a cell
ALIKE, ALIKE_TRAININGS = 0.45, 0.7  # the largest `difference` of two pictures that look the same


@dataclass(frozen=True)
class Output:
    """What a notebook shows below a cell."""

    stdout: str
    stderr: str
    pictures: int


def run(cells: list[Code], folder: Path) -> Iterator[Output]:
    """Run cells in a fresh kernel, in a folder; yield what the notebook shows below each.

    Raises:
        CellExecutionError: the code of a cell failed.
    """
    sources = [nbformat.v4.new_code_cell(cell.source) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=sources)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
            yield Output(printed(cell, "stdout"), printed(cell, "stderr"), pictures_of(cell))


def printed(cell: Any, stream: str) -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == stream)


def pictures_of(cell: Any) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def looks_the_same(old: Path, new: Path, tolerance: Tolerance) -> bool:
    """Return whether two pictures look alike from afar; SVG files must have the same text.

    Args:
        tolerance: of what the same code prints. If it is not the default, the code shows a
            training, which processors round differently.
    """
    if old.suffix == ".svg":
        return old.read_bytes() == new.read_bytes()
    limit = ALIKE if tolerance == Tolerance() else ALIKE_TRAININGS
    return difference(old, new) <= limit


def difference(old: Path, new: Path) -> float:
    """Return how much two pictures differ: 0 if not at all, 1 as much as the old one from paper.

    Squares of 8×8 pixels are averaged before, so that a line may move by a few pixels.
    """
    first, second = (Image.open(path).convert("RGB") for path in (old, new))
    if first.size != second.size:
        return 1.0
    one, other = (np.asarray(image.reduce(8), float) for image in (first, second))
    paper = np.median(np.asarray(first, float), axis=(0, 1))
    return float(abs(one - other).mean() / abs(one - paper).mean())


def made_picture(path: str, folder: Path) -> Path:
    """Return the file that the code has made for a picture of the chapter: the newest of its name.

    Raises:
        FileNotFoundError: the code has made no file of that name.
    """
    made = sorted(folder.rglob(Path(path).name), key=lambda file: file.stat().st_mtime)
    if not made:
        raise FileNotFoundError(f"the chapter's code makes no {Path(path).name}")
    return made[-1]


@dataclass
class Built:
    """A chapter after its code has run."""

    text: str
    pictures: dict[Path, Path]  # the chapter's file → the file that the code made, if they differ
    differences: list[str]
    seconds: float


def build(chapter: Chapter, folder: Path) -> Built:
    """Run a chapter, and say what differs from its text."""
    start = time.monotonic()
    text, differences = chapter.text, []
    for cell, output in zip(chapter.cells, run(chapter.cells, folder), strict=True):
        if output.stderr:
            differences.append(f"printed on stderr: {output.stderr.strip()}")
        if cell.picture and cell.picture.path.endswith(".png") and output.pictures != 1:
            name = Path(cell.picture.path).name
            differences.append(f"{name}: a notebook shows {output.pictures} pictures, not one")
        difference = disagreement(cell.printed, output.stdout, cell.tolerance)
        if difference:
            differences.append(difference)
            text = with_output(text, cell, output.stdout)
    seconds = time.monotonic() - start
    program = complete_program(chapter)
    if program != existing_program(text):
        differences.append("the complete program is not the chapter's code")
        text = with_program(text, program)
    pictures = {
        LESSONS / path: made_picture(path, folder)
        for path, tolerance in drawn(chapter).items()
        if not (LESSONS / path).exists()
        or not looks_the_same(LESSONS / path, made_picture(path, folder), tolerance)
    }
    differences += [f"another picture: {path.name}" for path in pictures]
    return Built(text, pictures, differences, seconds)


def drawn(chapter: Chapter) -> dict[str, Tolerance]:
    """Return the pictures that the chapter's code makes, and the tolerance of what it prints."""
    return {cell.picture.path: cell.tolerance for cell in chapter.cells if cell.picture}


def with_output(text: str, cell: Code, printed: str) -> str:
    """Return the chapter's text, in which a block of code is followed by what it printed."""
    block = f"```python\n{cell.source}```\n"
    assert text.count(block) == 1, f"the same block stands twice in the chapter:\n{block}"
    before, after = text.split(block)
    head = re.match(r"```text.*\n", after)
    opening = head[0] if head else "```text\n"
    if head:
        after = after[head.end() :].partition("```\n")[2]
    output = f"{opening}{printed.rstrip()}\n```\n" if printed else ""
    return before + block + output + after


def existing_program(text: str) -> str:
    section = text.partition(f"## {PROGRAM}\n")[2]
    found = re.search(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def with_program(text: str, program: str) -> str:
    before, heading, section = text.partition(f"## {PROGRAM}\n")
    assert heading, f"the chapter has no section {PROGRAM!r}"
    prose = section.partition("```python\n")[0].strip("\n")
    return f"{before}{heading}\n{prose}\n\n```python\n{program}```\n"


def write_seconds(seconds: dict[str, float]) -> None:
    """Write the seconds of chapters into the results, beside those of other chapters."""
    results = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
    for name, value in seconds.items():
        results[name] = {
            "seconds": round(value, 1),
            "processor": processor(),
            "versions": versions(),
        }
    SECONDS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("numbers", nargs="*", help="chapters, by their numbers")
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    chosen = [c for c in chapters() if not arguments.numbers or c.name[0] in arguments.numbers]
    seconds, wrong = {}, 0
    for chapter in chosen:
        with tempfile.TemporaryDirectory() as folder:
            built = build(chapter, Path(folder))
            print(f"{chapter.name}: {built.seconds:.0f} s")
            for difference in built.differences:
                print(f"  {difference}")
            wrong += len(built.differences)
            seconds[chapter.name] = built.seconds
            if not arguments.check:
                chapter.path.write_text(built.text, "utf-8")
                for path, made in built.pictures.items():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(made, path)
    if arguments.check:
        sys.exit(1 if wrong else 0)
    write_seconds(seconds)


if __name__ == "__main__":
    main()
