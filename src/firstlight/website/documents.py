"""The documents of the site: chapters and guides, and where their links and pictures are there."""

import posixpath
import re
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path

from firstlight.chapters.chapter import Chapter, Live, chapters, root
from firstlight.chapters.html import Heading, blocks, chapter_html

# The guides: the file in the repository, the name of its page, and what it is about.
GUIDES = (
    ("README.md", "readme", "How to install firstlight; how good and how fast its networks are."),
    ("docs/use.md", "use", "What each verb does, and its files and exit codes."),
    ("docs/pictures.md", "pictures", "Train networks on pictures and arrays of your own."),
    ("docs/reading.md", "reading", "What the reader reads, and how it was trained."),
    ("docs/page.md", "page", "The page that firstlight serves, for yourself and for others."),
    ("docs/workers.md", "workers", "Train on several GPUs, processes or machines."),
    ("docs/deploy.md", "deploy", "Serve for other programs, in a container or as a service."),
    ("docs/api.md", "api", "Every name, with examples that the tests run."),
    ("docs/compared.md", "compared", "What the same work needs in Keras and in Ultralytics."),
    ("benchmarks/README.md", "benchmarks", "All tables, and the programs that measure them again."),
    ("src/firstlight/reading/digits.md", "digits", "The recogniser of digits: its model card."),
    ("src/firstlight/reading/lines.md", "lines", "The networks that find and read whole lines."),
    ("CHANGELOG.md", "changelog", "What is new in firstlight."),
)
PICTURES = (".gif", ".png", ".svg")
TARGET = re.compile(r"\]\(([^)\s]+)\)")  # of a link or a picture
ELSEWHERE = re.compile(r"[a-z]+:|#")  # the start of a target that is no file
MARK = re.compile(r"^<!-- /?[\w-]+ -->\n", re.MULTILINE)  # around a table that a benchmark writes
LINK_TAG = re.compile(r"</?a[^>]*>")
LIVE_LEVEL = 3  # of a part to try out, in the outline: below its section
LOWER = 0  # the levels of the headings are those of the Markdown: a page has no other title


@dataclass(frozen=True)
class Document:
    """A Markdown file that is a page of the site."""

    source: str  # its path in the repository: docs/use.md
    address: str  # of its page: use.html
    text: Chapter  # a guide has the form of a chapter too
    about: str  # one sentence
    outline_levels: tuple[int, ...]  # of the headings that its outline has

    @property
    def title(self) -> str:
        return self.text.title

    def html(self) -> str:
        return chapter_html(self.text, self.link, LOWER)

    def outline(self) -> list[Heading]:
        """Return the headings and parts to try that the outline has; their text has no links."""
        shown: list[Heading] = []
        for block in blocks(self.text, self.link, LOWER):
            if isinstance(block, Live):
                title = f"Try it: {escape(block.title)}"
                shown.append(Heading(LIVE_LEVEL, "h3", title, block.slug))
            elif isinstance(block, Heading) and block.level in self.outline_levels:
                shown.append(replace(block, html=LINK_TAG.sub("", block.html)))
        return shown

    def link(self, target: str) -> str:
        """Return where a link or a picture is on the site; "" if it is not there."""
        if ELSEWHERE.match(target):
            return target
        path, mark, section = target.partition("#")
        file = self.file(path)
        if file.endswith(PICTURES):
            return picture_address(file)
        return addresses()[file] + mark + section if file in addresses() else ""

    def file(self, target: str) -> str:
        """Return the path in the repository of a file that the document names."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.source), target))

    def pictures(self) -> dict[str, Path]:
        """Return the files of all pictures that the document shows or links to, by address."""
        targets = [each for each in TARGET.findall(self.text.text) if not ELSEWHERE.match(each)]
        files = [self.file(target) for target in targets if target.endswith(PICTURES)]
        return {picture_address(file): root() / file for file in files}


def picture_address(file: str) -> str:
    """Return a picture's address; those of chapters have the same one on the page."""
    return file.removeprefix("lessons/")


def series() -> list[Document]:
    """Return the chapters, in order."""
    return [
        Document(
            source=f"lessons/{chapter.path.name}",
            address=f"{chapter.name}.html",
            text=chapter,
            about=chapter.subject[:1].upper() + chapter.subject[1:],
            outline_levels=(2,),
        )
        for chapter in chapters()
    ]


def guides() -> list[Document]:
    """Return the guides, in order."""
    return [
        Document(
            source=source,
            address=f"{name}.html",
            text=Chapter(root() / source, MARK.sub("", (root() / source).read_text("utf-8"))),
            about=about,
            outline_levels=(2, 3),
        )
        for source, name, about in GUIDES
    ]


@cache
def addresses() -> dict[str, str]:
    """Return the page of each document, by its path in the repository."""
    of_guides = {source: f"{name}.html" for source, name, _ in GUIDES}
    of_chapters = {f"lessons/{each.path.name}": f"{each.name}.html" for each in chapters()}
    return of_guides | of_chapters
