"""The chapters do what they say: in a notebook, in Python's shell, and as a file.

The tests marked `lessons` run whole chapters; the others look at their text, and run the quickest
chapters in a notebook.
"""

import codeop
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Answer
from lessons import LESSONS, SECONDS, build, drawn, existing_program, looks_the_same, made_picture
from PIL import Image, ImageChops

import firstlight as fl
from firstlight.chapters.agreement import Tolerance, disagreement
from firstlight.chapters.chapter import ANSWERS, EXERCISES, PROGRAM, Chapter, Code, chapters
from firstlight.chapters.program import complete_program
from firstlight.graphs.draw import draw_graph

CHAPTERS = chapters()
MARK = "--- end of block ---"
QUICK = 2  # seconds: chapters that run in this time are run by `make test` too
MEASURED = json.loads(SECONDS.read_text("utf-8"))
by_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)


def test_the_series_has_nine_chapters() -> None:
    assert [chapter.title[:3] for chapter in CHAPTERS] == [f"{n}. " for n in range(1, 10)]


@by_chapter
def test_a_chapter_has_its_parts(chapter: Chapter) -> None:
    headings = re.findall(r"^## (.+)$", chapter.text, re.M)
    assert headings[-5:] == ["Break it", "The next question", EXERCISES, ANSWERS, PROGRAM]
    for label in ("**You learn:**", "**The number:**", "**Time:**"):
        assert f"- {label}" in chapter.text.partition("## ")[0], label
    exercises = chapter.text.partition(f"## {EXERCISES}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d)\. ", exercises, re.M) == ["1", "2", "3"]
    answers = chapter.text.partition(f"## {ANSWERS}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### Exercise (\d)$", answers, re.M) == ["1", "2", "3"]


@by_chapter
def test_the_seconds_were_measured(chapter: Chapter) -> None:
    measured = MEASURED[chapter.name]["seconds"]
    (said,) = re.findall(r"The code runs for (\d+) seconds on two cores", chapter.text)
    assert 0.5 * measured <= int(said) <= 120


@by_chapter
def test_the_complete_program_is_the_chapters_code(chapter: Chapter) -> None:
    assert existing_program(chapter.text) == complete_program(chapter)


@by_chapter
def test_python_s_shell_takes_every_block(chapter: Chapter) -> None:
    for cell in chapter.cells:
        assert complete_statements(cell.source), cell.source


def complete_statements(source: str) -> bool:
    """Return whether Python's shell can be given this text line by line.

    The shell ends an indented block at the first empty line, and needs one there.
    """
    compiler, lines = codeop.CommandCompiler(), []
    for line in [*source.splitlines(), ""]:
        lines.append(line)
        try:
            if compiler("\n".join(lines), symbol="single"):
                lines = []
        except SyntaxError:
            return False
    return not "".join(lines)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("for i in range(3):\n    print(i)\n\nprint(4)\n", True),
        ("for i in range(3):\n    print(i)\nprint(4)\n", False),
        ("def f():\n    x = 1\n\n    return x\n", False),
        ("print(\n    1\n)\n", True),
        ("print(\n", False),
    ],
)
def test_what_python_s_shell_takes_is_known(source: str, expected: bool) -> None:
    assert complete_statements(source) == expected


@by_chapter
def test_links_and_pictures_are_there(chapter: Chapter) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", chapter.text):
        assert (LESSONS / target).is_file(), target
        assert target.startswith("pictures/") or target.endswith(".md"), target


def test_no_picture_is_left_over() -> None:
    text = "".join(chapter.text for chapter in CHAPTERS)
    for path in (LESSONS / "pictures").rglob("*.*"):
        assert path.relative_to(LESSONS).as_posix() in text, path


@pytest.mark.parametrize(
    "chapter",
    [
        pytest.param(
            chapter,
            id=chapter.name,
            marks=[pytest.mark.lessons] if MEASURED[chapter.name]["seconds"] > QUICK else [],
        )
        for chapter in CHAPTERS
    ],
)
def test_it_runs_in_a_notebook(chapter: Chapter, here: Path) -> None:
    assert build(chapter, here).differences == []


@pytest.mark.lessons
@by_chapter
def test_it_runs_in_python_s_shell_and_its_commands_in_a_shell(
    chapter: Chapter, here: Path, firstlight: Callable[..., Answer]
) -> None:
    # A value that the shell shows is no printed text.
    blocks = ["import sys\nsys.displayhook = lambda value: None\n"]
    blocks += [f"{cell.source}\nprint({MARK!r})\n" for cell in chapter.cells]
    shell = [sys.executable, "-i", "-q"]
    done = subprocess.run(shell, input="\n".join(blocks), capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "Error" not in done.stderr, done.stderr
    *outputs, _ = done.stdout.split(f"{MARK}\n")
    for cell, output in zip(chapter.cells, outputs, strict=True):
        assert disagreement(cell.printed, output, cell.tolerance) == ""
    for part in chapter.parts:
        if isinstance(part, Code) and part.language == "console":
            answers = [command(line, firstlight) for line in part.source.splitlines()]
            if part.printed:
                assert disagreement(part.printed, "".join(answers), part.tolerance) == ""


def command(line: str, firstlight: Callable[..., Answer]) -> str:
    """Run a line of a console block, and return what it printed."""
    program, *arguments = shlex.split(line.removeprefix("$ "))
    assert program == "firstlight", line
    answer = firstlight(*arguments)
    assert answer.code == 0, line
    return answer.out


@pytest.mark.lessons
@by_chapter
def test_the_complete_program_prints_what_the_chapter_shows(chapter: Chapter, here: Path) -> None:
    (here / "program.py").write_text(existing_program(chapter.text), "utf-8")
    command = [sys.executable, "program.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = done.stdout.splitlines()
    for cell in chapter.cells:
        if cell.section != ANSWERS:
            count = len(cell.printed.splitlines())
            lines, printed = printed[:count], printed[count:]
            assert disagreement(cell.printed, "\n".join(lines), cell.tolerance) == ""
    assert printed == []
    for path, tolerance in drawn(chapter).items():
        assert looks_the_same(LESSONS / path, made_picture(path, here), tolerance), path


def test_the_first_graphs_pictures_are_drawn_as_the_program_draws_them(here: Path) -> None:
    for path in draw_graph("first-graph", here).files:
        assert (LESSONS / "pictures" / "1" / path.name).read_text("utf-8") == path.read_text(
            "utf-8"
        )


def test_the_package_has_the_first_chapters_program(here: Path) -> None:
    costs: list[float] = []
    fl.train_first_graph(on_cost=lambda step, cost: costs.append(cost))
    (session,) = [cell for cell in CHAPTERS[0].cells if cell.section == "The session"][:1]
    shown = [*costs[::200], costs[-1]]
    printed = "\n".join(f"Cost: {cost:.6f}" for cost in shown)
    assert disagreement(session.printed, printed) == ""


def test_pictures_that_look_the_same_are_told_from_others(tmp_path: Path) -> None:
    curves = LESSONS / "pictures" / "3" / "rates.png"
    image = Image.open(curves).convert("RGB")
    ImageChops.offset(image, 2, 1).save(tmp_path / "moved.png")
    Image.new("RGB", image.size, "white").save(tmp_path / "empty.png")
    assert looks_the_same(curves, tmp_path / "moved.png", Tolerance())
    other = LESSONS / "pictures" / "3" / "broken.png"
    for tolerance in (Tolerance(), Tolerance(share=0.5)):
        assert not looks_the_same(curves, tmp_path / "empty.png", tolerance)
        assert not looks_the_same(curves, other, tolerance)
