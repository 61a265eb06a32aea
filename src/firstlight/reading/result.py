"""What was read in a picture: its lines and their digits, and what was not read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.images.open import Picture

UNSURE = "?"


@dataclass(frozen=True)
class Digit:
    """A digit that was read, and where it is in the picture."""

    digit: str  # "?" if its confidence is below the threshold: see `read`
    confidence: float  # 0..1, the probability of the most probable class
    box: tuple[int, int, int, int]  # x, y, width, height in pixels of the original picture
    candidates: tuple[tuple[str, float], ...]  # the three most probable classes, probabilities
    image: NDArray[np.uint8] = field(repr=False)  # (28, 28, 1), 0..255: its ink, like MNIST's
    probabilities: tuple[float, ...] = field(repr=False)  # of all classes: the digits, and none
    column: float | None = None  # of its line's strip, where the line reader sees it

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "digit": self.digit,
            "confidence": round(self.confidence, 4),
            "box": self.box,
        }
        if self.digit == UNSURE:
            document["candidates"] = [
                {"digit": name, "confidence": round(probability, 4)}
                for name, probability in self.candidates
            ]
        return document


@dataclass(frozen=True)
class Line:
    """A line of digits, from left to right."""

    digits: tuple[Digit, ...]
    # (32, width), 0..255: the line reader's input; None if the picture is one digit.
    strip: NDArray[np.uint8] | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """The digits of the line."""
        return "".join(digit.digit for digit in self.digits)

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "digits": [digit.to_json() for digit in self.digits]}


@dataclass(frozen=True)
class Reading:
    """What is written in a picture: its `text`, and its `lines` with their `digits`."""

    lines: tuple[Line, ...]
    picture: Picture = field(repr=False)
    contrast: NDArray[np.float32] = field(repr=False)  # (h, w), 0..1: the ink that was found
    # Boxes as those of digits: of ink that may be a digit and was not read.
    unread: tuple[tuple[int, int, int, int], ...] = ()
    page: int | None = None  # of the file, from 1, if it was asked for

    @property
    def text(self) -> str:
        """What is written, with a line break between lines; "?" for a digit that is unsure."""
        return "\n".join(line.text for line in self.lines)

    @property
    def note(self) -> str | None:
        """Why there is no text, or what is not in it; None if that is all."""
        pages = self.picture.pages if self.page is None else 1
        return note(len(self.lines), len(self.unread), pages)

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.reading(self)

    def to_json(self) -> dict[str, Any]:
        return document(self.lines, self.unread, self.note)


def note(lines: int, unread: int, pages: int = 1) -> str | None:
    """Return why there is no text, or what is not in it; None if that is all.

    Args:
        pages: how many the file has; only the first was read.
    """
    notes = []
    if not lines:
        notes.append("no digits found")
    if unread:
        notes.append("1 mark was not read" if unread == 1 else f"{unread} marks were not read")
    if pages > 1:
        notes.append(f"the first of {pages} pages")
    return "; ".join(notes) or None


@dataclass(frozen=True)
class FileReading:
    """What is written on a page of a file; or why it cannot be read, as its `problem`."""

    file: Path
    page: int | None = None  # from 1, if the file has several
    lines: tuple[Line, ...] = ()
    unread: tuple[tuple[int, int, int, int], ...] = ()  # as of a Reading
    note: str | None = None  # as of a Reading, or the problem
    problem: str | None = None
    reading: Reading | None = field(default=None, repr=False)  # with the picture, if it is kept

    @property
    def text(self) -> str:
        """What is written, with a line break between lines; "?" for a digit that is unsure."""
        return "\n".join(line.text for line in self.lines)

    @property
    def name(self) -> str:
        """The file and, if it has several, the page."""
        return f"{self.file} page {self.page}" if self.page else str(self.file)

    def to_json(self) -> dict[str, Any]:
        place: dict[str, Any] = {"file": str(self.file)}
        if self.page:
            place["page"] = self.page
        return place | document(self.lines, self.unread, self.note)


def document(
    lines: Sequence[Line], unread: Sequence[tuple[int, int, int, int]], note: str | None
) -> dict[str, Any]:
    """Return what was read, for JSON. The key `unread` is there only if something was not."""
    found: dict[str, Any] = {
        "text": "\n".join(line.text for line in lines),
        "lines": [line.to_json() for line in lines],
        "note": note,
    }
    return found | {"unread": list(unread)} if unread else found
