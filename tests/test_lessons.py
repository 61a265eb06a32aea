"""Every code block of the lessons runs, in order, and prints what the lesson says it prints."""

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Answer

from firstlight import catalog
from firstlight.graphs.draw import draw_graph

LESSONS = Path(__file__).parent.parent / "lessons"
CHAPTERS = sorted(LESSONS.glob("[0-9]*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n```text\n(.*?)^```$)?", re.M | re.S)


def blocks(chapter: Path) -> list[tuple[str, str, str]]:
    """The chapter's code: (language, code, what the lesson says that it prints)."""
    return [match.groups("") for match in BLOCK.finditer(chapter.read_text("utf-8"))]  # type: ignore[misc]


def without_decimals(text: str) -> str:
    """Costs differ from one processor to another in their last places: their layout does not."""
    return re.sub(r"\d+\.\d+", "#.#", text)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_code_and_the_commands_do_what_the_lesson_says(
    chapter: Path, firstlight: Callable[..., Answer]
) -> None:
    names: dict[str, object] = {"__name__": chapter.stem}
    for language, code, said in blocks(chapter):
        if language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, chapter.name, "exec"), names)
            if said:
                assert without_decimals(printed.getvalue()) == without_decimals(said)
        for line in code.splitlines() if language == "console" else ():
            program, *arguments = shlex.split(line.removeprefix("$ "))
            assert program == "firstlight"
            assert firstlight(*arguments).code == 0, line


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_pictures_and_pages_it_points_to_are_there(chapter: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", chapter.read_text("utf-8")):
        assert (LESSONS / target).is_file(), target


def test_the_first_lesson_ends_with_the_complete_source() -> None:
    *_, (_, last, _) = blocks(LESSONS / "1-a-first-graph.md")
    assert last == (catalog.PACKAGE / "first_graph.py").read_text("utf-8")


def test_the_first_lessons_graphs_are_drawn_as_the_program_draws_them(here: Path) -> None:
    for path in draw_graph("first-graph", here).files:
        assert (LESSONS / "pictures" / path.name).read_text("utf-8") == path.read_text("utf-8")
