"""The reader: from a picture to its digits.

    picture → ink.find_ink → locate.find_lines → split → normalize → recognizer → Reading

The modules of this folder take one step each; here they are put together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.images.open import Picture, Source, open_picture
from firstlight.reading import ink, locate, split, unread
from firstlight.reading.blobs import Blob
from firstlight.reading.normalize import normalize
from firstlight.reading.recognizer import DIGITS_MODEL, NOT_A_DIGIT, Recognizer, recognizer
from firstlight.reading.unread import Box

UNSURE = "?"
CANDIDATES = 3  # classes that are reported for a digit


@dataclass(frozen=True)
class Digit:
    """A digit that was read, and where it is in the picture."""

    digit: str  # "?" if its confidence is below the model's threshold
    confidence: float  # 0..1, the probability of the most probable class
    box: tuple[int, int, int, int]  # x, y, width, height in pixels of the original picture
    candidates: tuple[tuple[str, float], ...]  # the three most probable classes, probabilities
    image: NDArray[np.uint8] = field(repr=False)  # (28, 28, 1), 0..255: the network's input

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
        pages: of the file, of which only the first was read.
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


class Recognition(NamedTuple):
    """A blob, the network's input, and the network's output."""

    blob: Blob
    image: NDArray[np.uint8]  # (28, 28, 1)
    probabilities: NDArray[np.float32]  # (classes,)


def read(
    source: Source,
    model: str | Path | None = None,
    single: bool = False,
    *,
    page: int | None = None,
) -> Reading:
    """Read the digits in a picture, without TensorFlow.

    Args:
        source: a file, a Pillow image, or an array (height, width) or (height, width, 3 or 4) of
            integers, or of floats from 0 to 1.
        model: an ONNX file to read with, instead of the bundled model.
        single: the whole picture shows one digit.
        page: of a TIFF or PDF file, from 1; by default the first. `read_all` reads every page.

    Raises:
        DataError: the source is not a picture, has no such page, or the model is missing or
            damaged.
        UsageError: the array is not a picture, or the model is not a model of digits.

    >>> reading = fl.read("photo.png")
    >>> reading.text
    '7210'
    >>> digit = reading.lines[0].digits[0]
    >>> digit.digit, digit.confidence > 0.9, len(digit.box)
    ('7', True, 4)
    """
    network = recognizer(Path(model or DIGITS_MODEL))
    picture = open_picture(source, page or 1)
    readings = [
        read_polarity(picture, dark_on_light, network, single)
        for dark_on_light in ink.polarities(picture.grey)
    ]
    best = max(readings, key=certainty)  # if two are equal: the first, the more likely polarity
    return replace(best, page=page)


def read_polarity(
    picture: Picture, dark_on_light: bool, network: Recognizer, single: bool
) -> Reading:
    """Read a picture whose ink is known to be dark or light."""
    contrast = ink.find_ink(picture.grey, dark_on_light)
    recognized, missed = recognize_ink(contrast, network, single)
    lines = [Line(tuple(to_digits(line, network, picture.scale))) for line in recognized]
    return Reading(
        lines=tuple(line for line in lines if line.digits),
        picture=picture,
        contrast=contrast,
        unread=tuple(scaled_box(box, picture.scale) for box in missed),
    )


def recognize_ink(
    contrast: NDArray[np.float32], network: Recognizer, single: bool = False
) -> tuple[list[list[Recognition]], list[Box]]:
    """Recognise the digits of each line.

    Returns:
        the lines, what is no digit included;
        the boxes of the ink that may be a digit and was not read. If the picture is a single digit,
        or if no digit was read, there are none.
    """
    marks = locate.find_marks(contrast)
    if single:
        return read_single(locate.find_single(marks, contrast.shape), network), []
    lines = read_lines(locate.find_lines(marks, contrast.shape), network)
    return lines, find_unread(marks, lines, network)


def find_unread(
    marks: locate.Marks, lines: Sequence[list[Recognition]], network: Recognizer
) -> list[Box]:
    """Return the boxes of the ink that may be a digit and was not read."""
    heights = [each.blob.height for line in lines for each in line if is_digit(each, network)]
    if not heights:
        return []
    height = float(np.median(heights))
    in_lines = [
        each.blob
        for line in lines
        if any(is_digit(other, network) for other in line)
        for each in line
        if not is_digit(each, network) and unread.is_as_high(each.blob.height, height)
    ]
    looked_at = [each.blob for line in lines for each in line]
    left_out = [
        each.blob
        for each in recognize(unread.left_out(marks, looked_at, height), network)
        if is_digit(each, network) and each.probabilities.max() >= network.threshold
    ]
    return [*map(Box.of, (*in_lines, *left_out)), *unread.too_many(marks, height)]


def is_digit(recognition: Recognition, network: Recognizer) -> bool:
    """Return whether a digit is more probable than that it is none."""
    return network.classes[int(recognition.probabilities.argmax())] != NOT_A_DIGIT


def certainty(reading: Reading) -> float:
    """Return the sum, over all digits, of how much more probable than not each is."""
    return sum(
        2 * digit.confidence - 1
        for line in reading.lines
        for digit in line.digits
        if digit.digit != UNSURE
    )


def read_lines(lines: Sequence[list[Blob]], network: Recognizer) -> list[list[Recognition]]:
    """Recognise the digits of each line; the network sees all candidates of a picture at once."""
    candidates = [
        split.digit_candidates(split.split_line(line), split.line_height(line)) for line in lines
    ]
    recognized = iter(recognize([each.blob for line in candidates for each in line], network))
    results = []
    for line in candidates:
        recognized_line = [next(recognized) for _ in line]
        path = split.cheapest_path(line, candidate_costs(line, recognized_line, network))
        results.append([recognized_line[index] for index in path])
    return results


def read_single(blobs: list[Blob], network: Recognizer) -> list[list[Recognition]]:
    """Recognise the one digit that some blobs contain: one line of one digit, or no line."""
    if not blobs:
        return []
    candidates = split.single_candidates(split.split_line(blobs))
    recognized = recognize([candidate.blob for candidate in candidates], network)
    best = int(candidate_costs(candidates, recognized, network).argmin())
    return [[recognized[best]]]


def recognize(blobs: Sequence[Blob], network: Recognizer) -> list[Recognition]:
    """Normalise each blob and give all of them to the network in one batch."""
    images = np.array([normalize(blob) for blob in blobs], np.uint8).reshape(-1, 28, 28, 1)
    probabilities = network.probabilities(images)
    return [Recognition(*each) for each in zip(blobs, images, probabilities, strict=True)]


def candidate_costs(
    candidates: Sequence[split.Candidate], recognized: Sequence[Recognition], network: Recognizer
) -> NDArray[np.float32]:
    """Return the cost of taking each candidate for a digit, (n,)."""
    probabilities = np.array([recognition.probabilities for recognition in recognized])
    return split.costs(candidates, network.digit_confidence(probabilities))


def to_digits(recognized: Sequence[Recognition], network: Recognizer, scale: float) -> list[Digit]:
    """Return the digits of a line, without the candidates that are not digits.

    Args:
        scale: pixels of the original picture per pixel of the working picture.
    """
    digits = []
    for blob, image, probabilities in recognized:
        order = np.argsort(-probabilities)[:CANDIDATES]
        candidates = tuple((network.classes[i], float(probabilities[i])) for i in order)
        name, confidence = candidates[0]
        if name == NOT_A_DIGIT:
            continue
        digits.append(
            Digit(
                digit=name if confidence >= network.threshold else UNSURE,
                confidence=confidence,
                box=scaled_box(Box.of(blob), scale),
                candidates=candidates,
                image=image,
            )
        )
    return digits


def scaled_box(box: Box, scale: float) -> tuple[int, int, int, int]:
    """Return x, y, width, height in pixels of the original picture."""
    x, y, width, height = (round(side * scale) for side in box)
    return x, y, width, height
