"""The reader: from a picture to its digits.

    picture → finder → ink.find_ink → strip → line_reader, recognizer → Reading
    picture → ink.find_ink → locate.find_lines → split → normalize → recognizer → Reading

The modules of this folder take one step each; here they are put together. The second way is that of
a model of digits that the user gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.errors import DataError
from firstlight.images.open import Picture, Source, open_picture
from firstlight.reading import ink, locate, split
from firstlight.reading.blobs import Blob
from firstlight.reading.finder import FoundLine, line_finder
from firstlight.reading.line_reader import LineReader, digit_blobs, line_reader
from firstlight.reading.normalize import normalize
from firstlight.reading.recognizer import DIGITS_MODEL, NOT_A_DIGIT, Recognizer, recognizer
from firstlight.reading.strip import Strip, cut_area, cut_strip

UNSURE = "?"
SAY, MIN_SAY = 0.3, 0.003  # the recogniser's weight beside the line reader, its lowest word
MIN_CONFIDENCE = 0.5  # of a digit that both have read: more probable than not
STRIP_HEIGHTS = (1.2, 1.5)  # over the digits' height: each line is read with these margins
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

    @property
    def text(self) -> str:
        """What is written, with a line break between lines; "?" for a digit that is unsure."""
        return "\n".join(line.text for line in self.lines)

    @property
    def note(self) -> str | None:
        """Why there is no text; None if there is."""
        return None if self.lines else "no digits found"

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.reading(self)

    def to_json(self) -> dict[str, Any]:
        lines = [line.to_json() for line in self.lines]
        return {"text": self.text, "lines": lines, "note": self.note}


@dataclass(frozen=True)
class FileReading:
    """The reading of a file, or why the file cannot be read."""

    file: Path
    reading: Reading | None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        if self.reading is None:
            return {"file": str(self.file), "text": "", "lines": [], "note": self.problem}
        return {"file": str(self.file)} | self.reading.to_json()


class Recognition(NamedTuple):
    """A blob, the network's input, and the network's output."""

    blob: Blob
    image: NDArray[np.uint8]  # (28, 28, 1)
    probabilities: NDArray[np.float32]  # (classes,)


class Networks(NamedTuple):
    """What reads: the bundled networks, or a model of digits that the user gives, alone."""

    digits: Recognizer
    lines: LineReader | None


def read(source: Source, model: str | Path | None = None, single: bool = False) -> Reading:
    """Read the digits in a picture, without TensorFlow.

    Args:
        source: a file, a Pillow image, or an array (height, width) or (height, width, 3 or 4) of
            integers, or of floats from 0 to 1.
        model: an ONNX file to read with, instead of the bundled model.
        single: the whole picture shows one digit.

    Raises:
        DataError: the source is not a picture, or the model is missing or damaged.
        UsageError: the array is not a picture, or the model is not a model of digits.

    >>> reading = fl.read("photo.png")
    >>> reading.text
    '7210'
    >>> digit = reading.lines[0].digits[0]
    >>> digit.digit, digit.confidence > 0.9, len(digit.box)
    ('7', True, 4)
    """
    networks = Networks(
        digits=recognizer(Path(model or DIGITS_MODEL)), lines=None if model else line_reader()
    )
    picture = open_picture(source)
    if networks.lines and not single:
        return read_page(picture, networks.digits, networks.lines)
    readings = [
        read_polarity(picture, dark_on_light, networks, single)
        for dark_on_light in ink.polarities(picture.grey)
    ]
    return max(readings, key=certainty)  # if two are equal: the first, the more likely polarity


def read_files(
    paths: Sequence[Path], model: Path | None = None, single: bool = False
) -> list[FileReading]:
    """Read the digits in each file; a file that cannot be read does not stop the others.

    Raises:
        DataError, UsageError: the model is missing, damaged, or not a model of digits.
    """
    recognizer(model or DIGITS_MODEL)  # raises here, since below it would be a picture's problem
    results = []
    for path in paths:
        try:
            results.append(FileReading(path, read(path, model, single)))
        except DataError as error:
            results.append(FileReading(path, None, problem=str(error)))
    return results


def read_polarity(
    picture: Picture, dark_on_light: bool, networks: Networks, single: bool
) -> Reading:
    """Read a picture whose ink is known to be dark or light."""
    found = ink.find_ink(picture.grey, dark_on_light)
    recognized = find_digits(found, networks, single)
    lines = [Line(tuple(to_digits(line, networks.digits, picture.scale))) for line in recognized]
    return Reading(tuple(line for line in lines if line.digits), picture, found.contrast)


def read_page(picture: Picture, network: Recognizer, lines: LineReader) -> Reading:
    """Read the lines of a picture, as the line finder finds them."""
    found_lines = line_finder().find(picture.grey)
    polarities = {line.dark > 0 for line in found_lines} or {True}
    inks = {is_dark: ink.find_ink(picture.grey, is_dark) for is_dark in polarities}
    blobs = {is_dark: locate.find_blobs(inks[is_dark].contrast) for is_dark in polarities}
    read_lines = []
    for place in found_lines:
        is_dark = place.dark > 0
        recognized = read_place(place, inks[is_dark], blobs[is_dark], (network, lines))
        digits = to_digits(recognized, network, picture.scale, MIN_CONFIDENCE)
        if digits:
            read_lines.append((place, Line(tuple(digits))))
    kept = surest(read_lines)
    most = sum(1 if place.dark > 0 else -1 for place, _ in kept) >= 0
    contrast = inks.get(most, next(iter(inks.values()))).contrast
    return Reading(tuple(line for _, line in kept), picture, contrast)


def read_place(
    place: FoundLine,
    found: ink.Ink,
    blobs: Sequence[Blob],
    networks: tuple[Recognizer, LineReader],
) -> list[Recognition]:
    """Recognise the digits of a line that was found, in strips with different margins."""
    strips = [cut_area(found.measured, place.area(height)) for height in STRIP_HEIGHTS]
    inside = [blob for blob in blobs if place.area().contains(*blob.center)]
    return read_strips(strips, inside, *networks)


def surest(lines: Sequence[tuple[FoundLine, Line]]) -> list[tuple[FoundLine, Line]]:
    """Return the lines from top to bottom; of those that overlap, the one read most surely."""
    kept: list[tuple[FoundLine, Line]] = []
    for place, line in sorted(lines, key=lambda each: -line_certainty(each[1])):
        if not any(place.overlaps(other) for other, _ in kept):
            kept.append((place, line))
    return sorted(kept, key=lambda each: each[0].y)


def find_digits(found: ink.Ink, networks: Networks, single: bool) -> list[list[Recognition]]:
    """Recognise the digits of each line of a picture, or the one digit of a picture."""
    network, lines = networks
    if not single:
        return read_lines(locate.find_lines(found.contrast), network)
    blobs = locate.find_single(found.contrast)
    if lines is None or not found.contrast.any():
        return read_single(blobs, network)
    return [[read_single_strip(blobs, found, network, lines)]]


def read_single_strip(
    blobs: list[Blob], found: ink.Ink, network: Recognizer, lines: LineReader
) -> Recognition:
    """Recognise the one digit of a picture, in its blobs or in all of it: a digit is returned.

    A digit that the frame cuts off lies along the border, where blobs are left out.
    """
    whole = Blob(0, 0, found.contrast)
    strips = [cut_strip(found.measured, part) for part in (blobs, [whole]) if part]
    *digits, none = lines.read_single(strips)
    recognition = read_single(blobs or [whole], network)[0][0]
    combined = combine(recognition, np.array([*digits, 0.0]) / sum(digits), network)
    return combined._replace(probabilities=combined.probabilities * np.float32(1 - none))


def read_strips(
    strips: Sequence[Strip], blobs: Sequence[Blob], network: Recognizer, lines: LineReader
) -> list[Recognition]:
    """Recognise the digits of a line: how many and where says the line reader alone.

    Args:
        strips: of one line, with different margins.
        blobs: the line's ink, as far as it was found.
    """
    digits = lines.read(strips)
    recognized = recognize(digit_blobs(blobs, strips[0], digits), network)
    return [
        combine(recognition, digit.probabilities, network)
        for recognition, digit in zip(recognized, digits, strict=True)
    ]


def combine(
    recognition: Recognition, line_probabilities: NDArray[np.float64], network: Recognizer
) -> Recognition:
    """Return what both networks say of a digit: the product of their probabilities.

    Args:
        line_probabilities: (11,) of the digits and of none, which the recogniser has no say in: it
            sees only what was cut out.
    """
    digits = network.digit_probabilities(recognition.probabilities)
    say = SAY if recognition.blob.mass else 0.0
    product = line_probabilities[:10] * np.maximum(digits, MIN_SAY) ** say
    total = 1 - line_probabilities[10]
    probabilities = np.append(product / product.sum() * total, line_probabilities[10])
    return recognition._replace(probabilities=probabilities.astype(np.float32))


def certainty(reading: Reading) -> float:
    """Return the sum, over all digits, of how much more probable than not each is."""
    return sum(line_certainty(line) for line in reading.lines)


def line_certainty(line: Line) -> float:
    """Return the same for one line."""
    return sum(2 * digit.confidence - 1 for digit in line.digits if digit.digit != UNSURE)


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


def to_digits(
    recognized: Sequence[Recognition],
    network: Recognizer,
    scale: float,
    threshold: float | None = None,
) -> list[Digit]:
    """Return the digits of a line, without the candidates that are not digits.

    Args:
        scale: pixels of the original picture per pixel of the working picture.
        threshold: the least confidence of an answer; that of the network for None.
    """
    least = network.threshold if threshold is None else threshold
    digits = []
    for blob, image, probabilities in recognized:
        order = np.argsort(-probabilities)[:CANDIDATES]
        candidates = tuple((network.classes[i], float(probabilities[i])) for i in order)
        name, confidence = candidates[0]
        if name == NOT_A_DIGIT:
            continue
        digits.append(
            Digit(
                digit=name if confidence >= least else UNSURE,
                confidence=confidence,
                box=scaled_box(blob, scale),
                candidates=candidates,
                image=image,
            )
        )
    return digits


def scaled_box(blob: Blob, scale: float) -> tuple[int, int, int, int]:
    """Return x, y, width, height in pixels of the original picture."""
    x, y, width, height = (
        round(side * scale) for side in (blob.x, blob.y, blob.width, blob.height)
    )
    return x, y, width, height
