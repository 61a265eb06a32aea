"""What the page shows of the chapters of the series. They are read anew for each request."""

from typing import TypedDict

from firstlight.chapters.chapter import chapters, folder
from firstlight.chapters.html import chapter_html
from firstlight.chapters.notebooks import MEDIA
from firstlight.errors import NotFound


class ChapterRow(TypedDict):
    name: str
    number: int
    title: str  # without the number
    subject: str  # what the reader learns


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
            }
        )
    return found


def html(name: str) -> str:
    """Return a chapter as HTML. Raises NotFound."""
    found = {chapter.name: chapter for chapter in chapters()}
    if name not in found:
        raise NotFound(f"no chapter {name[:80]!r}; chapters: {', '.join(found)}")
    return chapter_html(found[name])


def picture(path: str) -> tuple[bytes, str]:
    """Return a picture of a chapter, and its media type.

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
    return file.read_bytes(), MEDIA[file.suffix]
