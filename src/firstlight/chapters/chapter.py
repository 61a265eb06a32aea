"""A chapter's Markdown → its parts: prose, code, what the code prints and draws.

The form of a chapter:

    # 3. Its title
    ## A section
    Prose.

    ```python               code; all code of a chapter runs in order, in one Python session
    print("Cost:", cost)
    ```
    ```text within 5 %      what it prints. Numbers may differ by that much, or "within 3 points";
    Cost: 3.1               by default decimals by 2 %, and whole numbers not at all
    ```

    ![What one sees](pictures/3/costs.png)      a picture that the code has made, if the code or
                                                what it prints names the file
    ```console
    $ firstlight first-graph    the same, or something like it, in a shell
    ```

    <!-- live: convolution, a filter by hand -->
    *Try it in the page: …*     here the page and the site show a part that one can try out: the
                                module serve/page/convolution.js, and its title. Elsewhere, as on
                                GitHub and in a notebook, there is the second line: `Live.note`

The last sections are "Exercises", "Answers" and "The complete program", which program.py writes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from firstlight.catalog import PACKAGE
from firstlight.chapters.agreement import Tolerance

YOU_LEARN = re.compile(r"^- \*\*You learn:\*\* (.+?)\n(?:-|$)", re.MULTILINE | re.DOTALL)
EXERCISES, ANSWERS, PROGRAM = "Exercises", "Answers", "The complete program"
LIVE = re.compile(
    r"^<!-- live: (?P<name>[\w-]+), (?P<title>.+) -->$(?:\n\*Try it in the page: .+\*$)?",
    re.MULTILINE,
)
CODE = re.compile(
    r"^```(?P<language>\w+)\n(?P<source>.*?)^```\n"
    r"(?:```text(?P<tolerance>[^\n]*)\n(?P<printed>.*?)^```\n)?"
    r"(?P<image>\n!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)\n)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Prose:
    """Markdown without code that runs."""

    text: str


@dataclass(frozen=True)
class Live:
    """A part that one can try out, in the browser. Elsewhere the text does without it."""

    name: str  # of its JavaScript module
    title: str  # without "Try it: "

    @property
    def note(self) -> str:
        """Return the line of Markdown that stands for it where it is not shown."""
        where = "(Run `firstlight serve`, and open this chapter in Learn.)"
        return f"*Try it in the page: {self.title}. {where}*"

    @property
    def slug(self) -> str:
        """Return its name in addresses."""
        return f"try-{self.name}"


@dataclass(frozen=True)
class Picture:
    """A picture that code has made."""

    alt: str
    path: str  # relative to the chapter


@dataclass(frozen=True)
class Code:
    """A block of code, and what the chapter says of its output."""

    language: str  # python or console
    source: str
    section: str  # the heading above it
    printed: str
    tolerance: Tolerance
    picture: Picture | None


Part = Prose | Code | Live


@dataclass(frozen=True)
class Chapter:
    """A chapter, as its Markdown file has it."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Return the name of its file, without the ending."""
        return self.path.stem

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0].removeprefix("# ")

    @property
    def subject(self) -> str:
        """Return what the reader learns, in one line; "" if the chapter does not say it."""
        match = YOU_LEARN.search(self.text)
        return " ".join(match[1].split()) if match else ""

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Return the whole text, cut into prose, code and live parts."""
        return tuple(cut(self.text))

    @property
    def live(self) -> list[Live]:
        """Return the parts that one can try out."""
        return [part for part in self.parts if isinstance(part, Live)]

    @property
    def cells(self) -> list[Code]:
        """Return the Python code that runs, in order: all but the complete program."""
        return [
            part
            for part in self.parts
            if isinstance(part, Code) and part.language == "python" and part.section != PROGRAM
        ]


def cut(text: str) -> Iterator[Part]:
    """Yield the parts of a chapter's text."""
    end = 0
    for match in CODE.finditer(text):
        yield from cut_prose(text[end : match.start()])
        picture = made_by(match)
        yield Code(
            language=match["language"],
            source=match["source"],
            section=last_heading(text[: match.start()]),
            printed=match["printed"] or "",
            tolerance=Tolerance.from_text(match["tolerance"] or ""),
            picture=picture,
        )
        end = match.end() if picture or not match["image"] else match.start("image")
    yield from cut_prose(text[end:])


def cut_prose(text: str) -> Iterator[Prose | Live]:
    """Yield the parts of a text without code."""
    end = 0
    for match in LIVE.finditer(text):
        yield from nonempty(text[end : match.start()])
        yield Live(match["name"], match["title"])
        end = match.end()
    yield from nonempty(text[end:])


def nonempty(text: str) -> Iterator[Prose]:
    """Yield a text as prose, unless it has only empty lines."""
    prose = text.strip("\n")
    if prose:
        yield Prose(prose)


def made_by(match: re.Match[str]) -> Picture | None:
    """Return the picture that follows a block of code, if the code or its output names its file."""
    if not match["path"]:
        return None
    named = Path(match["path"]).name in match["source"] + (match["printed"] or "")
    return Picture(match["alt"], match["path"]) if named else None


def last_heading(text: str) -> str:
    """Return the last heading of level 2; "" before the first."""
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    return headings[-1] if headings else ""


def root() -> Path:
    """Return the folder of lessons/ and docs/: in an installed package, or the repository."""
    packaged = PACKAGE / "markdown"
    return packaged if packaged.is_dir() else PACKAGE.parent.parent


def folder() -> Path:
    """Return the folder of the chapters."""
    return root() / "lessons"


def paths() -> list[Path]:
    """Return the files of the chapters, in order."""
    return sorted(folder().glob("[0-9]*.md"))


def chapters() -> tuple[Chapter, ...]:
    """Return the chapters of the series, in order."""
    return tuple(Chapter(path, path.read_text("utf-8")) for path in paths())
