"""What the page shows of the chapters of the series, as their files are at the moment."""

import json
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from firstlight.chapters.chapter import Chapter, chapters, folder, paths
from firstlight.chapters.html import chapter_html
from firstlight.chapters.notebooks import MEDIA
from firstlight.errors import NotFound
from firstlight.serve.content import Content

MAX_KEPT = 256  # chapters, and pictures, that are kept in memory


class LiveRow(TypedDict):
    title: str  # without "Try it: "
    section: str  # its name in addresses


class ChapterRow(TypedDict):
    name: str
    number: int
    title: str  # without the number
    subject: str  # what the reader learns
    live: list[LiveRow]  # the parts that one can try out


def rows() -> list[ChapterRow]:
    """Return a row for each chapter, in order."""
    found: list[ChapterRow] = []
    for chapter in chapters():
        number, _, title = chapter.title.partition(". ")
        found.append(
            {
                "name": chapter.name,
                "number": int(number),
                "title": title,
                "subject": chapter.subject,
                "live": [{"title": part.title, "section": part.slug} for part in chapter.live],
            }
        )
    return found


def chapter(name: str) -> Content:
    """Return a chapter as the page gets it: JSON with its HTML. Raises NotFound."""
    found = {path.stem: path for path in paths()}
    if name not in found:
        raise NotFound(f"no chapter {name[:80]!r}; chapters: {', '.join(found)}")
    return rendered(found[name], found[name].stat().st_mtime_ns)


@lru_cache(maxsize=MAX_KEPT)
def rendered(path: Path, modified: int) -> Content:
    """Return a chapter; it is rendered again when its file has been modified."""
    html = chapter_html(Chapter(path, path.read_text("utf-8")))
    return Content.of(json.dumps({"html": html}).encode(), "application/json")


def picture(path: str) -> Content:
    """Return a picture of a chapter.

    The path comes from a request. So it is only compared with the paths of the pictures that there
    are, and never opened.

    Args:
        path: as the chapters have it: `pictures/1/costs.png`.

    Raises:
        NotFound: no chapter has such a picture.
    """
    here = folder()
    found = {file.relative_to(here).as_posix(): file for file in here.glob("pictures/*/*.*")}
    file = found.get(path)
    if file is None or file.suffix not in MEDIA:
        raise NotFound(f"no picture {path[:80]!r} in the chapters")
    return picture_file(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=MAX_KEPT)
def picture_file(path: Path, modified: int) -> Content:
    """Return a picture; it is read again when its file has been modified."""
    return Content.of(path.read_bytes(), MEDIA[path.suffix])
