"""The reader: from a picture to its digits.

    picture → finder, ink → strip → line_reader → recognizer → Reading

The modules of this folder take one step each; here they are put together. A model of digits that
the user gives says at the end which digits those are; the bundled networks find them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.images.open import Picture, Source, open_picture
from firstlight.reading import ink, locate
from firstlight.reading.alignment import AlignedDigit, align
from firstlight.reading.blobs import Blob, merge
from firstlight.reading.finder import FoundLine, line_finder
from firstlight.reading.line_reader import column_of, ink_of_digits, line_reader
from firstlight.reading.recognition import (
    Answer,
    Recognition,
    is_digit,
    recognize,
    scaled_box,
    to_digits,
)
from firstlight.reading.recognizer import DIGITS_MODEL, NOT_A_DIGIT, Recognizer, recognizer
from firstlight.reading.result import UNSURE, Digit, Line, Reading
from firstlight.reading.strip import Area, Strip, cut_area, cut_digit
from firstlight.reading.unread import find_unread

# The recogniser gets the digits of which the line reader is at most this sure, about one in ten. On
# 500 composed pages and 20 real numbers, as many lines were right as if it got all digits.
RECOGNIZER_BELOW = 0.99
# Exponent and least value of the recogniser's probabilities, where both networks are asked.
RECOGNIZER_EXPONENT, MIN_RECOGNIZER_PROBABILITY = 0.3, 0.001
MIN_CONFIDENCE = 0.55  # of a digit; below it, the digit is "?"
# Of a line: the share of its marks that is in it, times the mean probability that they are digits.
MIN_WHOLE = 0.5
# The mean confidence of a line. A single digit needs more: round things are in many photographs.
MIN_LINE_CONFIDENCE, MIN_LONE_CONFIDENCE = 0.7, 0.88
MIN_PROBABILITY = 1e-9  # of a digit, so that the sum of all is never 0
CUT_SIDES = 3  # with ink on so many sides of the frame, the one digit of a picture may be cut off
MIN_CUT_CONFIDENCE = 0.9  # of such a digit
MIN_BESIDE = 0.4  # two lines are one row if they share more than this part of the lower one's rows
# Over the digits' height. A line is cut out with the first margin. If a digit of it is no surer
# than SECOND_MARGIN_BELOW, or none is found, it is cut out with the second margin too.
STRIP_HEIGHTS = (1.3, 1.6)
SECOND_MARGIN_BELOW = 0.95


class FoundInk(NamedTuple):
    """The dark ink of a picture, or its light ink, and the connected marks in it."""

    of_pixels: ink.Ink
    marks: locate.Marks
    blobs: list[Blob]  # the marks that may be digits

    @classmethod
    def of(cls, found: ink.Ink) -> "FoundInk":
        marks = locate.find_marks(found.contrast)
        return cls(found, marks, locate.digit_blobs(marks, found.contrast.shape))


class ReadLine(NamedTuple):
    """A line that was found, and what was read in it."""

    place: FoundLine
    recognized: list[Recognition]
    digits: list[Recognition]  # those of them that are digits
    answers: list[Answer]  # which these are
    strip: NDArray[np.uint8]  # (32, width), the line reader's input
    whole: float  # 0..1: see `inner_fraction`


def read(
    source: Source,
    model: str | Path | None = None,
    single: bool = False,
    *,
    page: int | None = None,
) -> Reading:
    """Read the digits in a picture, without TensorFlow.

    Lines of digits are found and read as a whole. A digit is "?" if its confidence is below a
    threshold; with `model` or `single`, it is the threshold of the model of digits.

    Args:
        source: a file, a Pillow image, or an array (height, width) or (height, width, 3 or 4) of
            integers, or of floats from 0 to 1.
        model: an ONNX file of a model of digits that says which digits they are. The bundled
            networks find them, and the model sees one at a time.
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
    own_model = recognizer(Path(model)) if model else None
    network = recognizer(DIGITS_MODEL)
    picture = open_picture(source, page or 1)
    if single:
        readings = [
            read_single(picture, ink.find_ink(picture.grey, dark_on_light), network)
            for dark_on_light in ink.polarities(picture.grey)
        ]
        reading = max(readings, key=certainty)  # of two equal ones the more likely polarity
    else:
        reading = read_page(picture, network)
    if own_model:
        reading = read_again(reading, own_model)
    return replace(reading, page=page)


def read_drawing(drawing: NDArray[np.uint8], model: Path | None = None) -> Reading:
    """Read a drawing (h, w), dark on white: its ink is known, so no paper is removed.

    Args:
        model: as for `read`.
    """
    network = recognizer(DIGITS_MODEL)
    picture = open_picture(drawing)
    contrast = ((255 - picture.grey) / 255).astype(np.float32)
    found = ink.Ink(measured=contrast, contrast=contrast)
    inks = {True: FoundInk.of(found)}
    places = [place for place in line_finder().find(picture.grey) if place.is_dark]
    reading = read_lines(picture, places, inks, network)
    # A lone stroke is no line, but in a drawing all ink is meant.
    if not reading.lines and is_one_digit(inks[True], network):
        reading = read_single(picture, found, network)
    return read_again(reading, recognizer(model)) if model else reading


# A page


def read_page(picture: Picture, network: Recognizer) -> Reading:
    """Read the lines of a picture, as the line finder finds them."""
    places = line_finder().find(picture.grey)
    polarities = {place.is_dark for place in places} or {True}
    inks = {is_dark: FoundInk.of(ink.find_ink(picture.grey, is_dark)) for is_dark in polarities}
    return read_lines(picture, places, inks, network)


def read_lines(
    picture: Picture,
    places: Sequence[FoundLine],
    inks: Mapping[bool, FoundInk],
    network: Recognizer,
) -> Reading:
    """Read the lines that were found.

    Args:
        inks: the dark ink and the light ink, as far as there are lines of them.
    """
    lines = read_places(places, inks, network)
    dark_lines = sum(line.place.is_dark for line in lines)
    # The ink that most lines are written with is shown, and searched for what was not read.
    most = inks.get(2 * dark_lines >= len(lines), next(iter(inks.values())))
    missed = find_unread(most.marks, [line.recognized for line in lines], network)
    return Reading(
        lines=tuple(joined(row, network, picture.scale) for row in rows_of(lines)),
        picture=picture,
        contrast=most.of_pixels.contrast,
        unread=tuple(scaled_box(box, picture.scale) for box in missed),
    )


def read_places(
    places: Sequence[FoundLine],
    inks: Mapping[bool, FoundInk],
    network: Recognizer,
) -> list[ReadLine]:
    """Return the lines in which digits were read, from top to bottom.

    Of lines that overlap, the surest is returned.
    """
    lines = [read_line(place, inks[place.is_dark], network) for place in places]
    return surest([line for line in lines if line])


def read_line(place: FoundLine, found: FoundInk, network: Recognizer) -> ReadLine | None:
    """Return what is read at a place, or None if no digit is there."""
    strip, aligned = align_line(place, found)
    recognized = recognize_unsure(aligned, strip, place, found.blobs, network)
    digits = [each for each in recognized if is_digit(each, network)]
    if not digits:
        return None
    first, last = (strip.x + strip.scale * column for column in ends(digits))
    return ReadLine(
        place=place.narrowed(first, last),
        recognized=recognized,
        digits=digits,
        answers=[Answer.of(each.probabilities, network, MIN_CONFIDENCE) for each in digits],
        strip=strip.pixels,
        whole=inner_fraction(place, found.blobs),
    )


def ends(digits: Sequence[Recognition]) -> tuple[float, float]:
    """Return the columns of the first and of the last digit in their strip."""
    return digits[0].column or 0.0, digits[-1].column or 0.0


def align_line(place: FoundLine, found: FoundInk) -> tuple[Strip, list[AlignedDigit]]:
    """Return a line's strip with the first margin, and the digits that the line reader sees."""
    first, second = (place.area(height) for height in STRIP_HEIGHTS)
    strip = cut_area(found.of_pixels.measured, first)
    logits = line_reader().logits(strip)
    digits = align([logits])
    if digits and min(digit.probabilities.max() for digit in digits) > SECOND_MARGIN_BELOW:
        return strip, digits
    wider = cut_area(found.of_pixels.measured, second)
    return strip, align([logits, line_reader().logits(wider)])


def recognize_unsure(
    digits: Sequence[AlignedDigit],
    strip: Strip,
    place: FoundLine,
    blobs: Sequence[Blob],
    network: Recognizer,
) -> list[Recognition]:
    """Return the digits of a line; the recogniser is asked where the line reader is not sure.

    The line reader alone says how many they are, and where.

    Args:
        blobs: all ink that may be digits.
    """
    inside = [blob for blob in blobs if place.area().contains(*blob.center)]
    parts = ink_of_digits(inside, strip, digits)
    # Where ink is too pale to be cut out, the recogniser would see nothing.
    asked = [
        number
        for number, (part, digit) in enumerate(zip(parts, digits, strict=True))
        if part.mass and digit.probabilities.max() <= RECOGNIZER_BELOW
    ]
    probabilities = [digit.probabilities.astype(np.float32) for digit in digits]
    for number, second in zip(asked, recognize([parts[i] for i in asked], network), strict=True):
        probabilities[number] = combine(probabilities[number], second.probabilities, network)
    return [
        Recognition(part, each, column_of(digit))
        for part, each, digit in zip(parts, probabilities, digits, strict=True)
    ]


def surest(lines: Sequence[ReadLine]) -> list[ReadLine]:
    """Return the lines from top to bottom; of those that overlap, the one read most surely.

    What is rather a part of something, or no digit, is left out.
    """
    kept: list[ReadLine] = []
    for line in sorted(lines, key=lambda each: -line_certainty(each.answers) * each.whole):
        overlaps = any(line.place.overlaps(other.place) for other in kept)
        if not overlaps and is_writing(line):
            kept.append(line)
    return sorted(kept, key=lambda each: each.place.y)


def is_writing(read_line: ReadLine) -> bool:
    """Return whether what was read is whole, and sure enough to be digits at all."""
    are_digits = float(np.mean([1 - digit.probabilities[-1] for digit in read_line.digits]))
    confidence = float(np.mean([answer.confidence for answer in read_line.answers]))
    least = MIN_LINE_CONFIDENCE if len(read_line.digits) > 1 else MIN_LONE_CONFIDENCE
    return read_line.whole * are_digits > MIN_WHOLE and confidence > least


def rows_of(lines: Sequence[ReadLine]) -> list[list[ReadLine]]:
    """Group lines that are beside each other, from top to bottom, each row from left to right."""
    rows: list[list[ReadLine]] = []
    for line in sorted(lines, key=lambda each: each.place.left):
        beside = [row[-1].place.beside(line.place) for row in rows]
        if beside and max(beside) > MIN_BESIDE:
            rows[int(np.argmax(beside))].append(line)
        else:
            rows.append([line])
    return sorted(rows, key=lambda row: float(np.mean([each.place.y for each in row])))


def joined(row: Sequence[ReadLine], network: Recognizer, scale: float) -> Line:
    """Return lines that are beside each other as one; its strip is theirs, one after the other.

    Args:
        scale: pixels of the original picture per pixel of the working picture.
    """
    digits: list[Digit] = []
    width = 0
    for line in row:
        own = to_digits(line.digits, network, scale, MIN_CONFIDENCE)
        digits += [replace(digit, column=width + (digit.column or 0.0)) for digit in own]
        width += line.strip.shape[1]
    return Line(tuple(digits), np.hstack([line.strip for line in row]))


def inner_fraction(place: FoundLine, blobs: Sequence[Blob]) -> float:
    """Return how much of the marks that a line consists of lies in it, 0..1.

    It is little if the line is only a part of a digit. It is the mean over the line's ink; without
    marks it is 1, because ink that is too pale to be a mark is read too.
    """
    area = place.area(STRIP_HEIGHTS[-1])
    mass = np.array([blob.mass for blob in blobs])
    inside = np.array([mass_in(area, blob) for blob in blobs])
    return float((inside**2 / mass).sum() / inside.sum()) if inside.any() else 1.0


def mass_in(area: Area, blob: Blob) -> float:
    """Return the ink of a blob that is in an area, which is taken to be level there."""
    top = area.top + area.slope * (blob.center[0] - area.middle)
    rows = slice(max(0, round(top) - blob.y), max(0, round(top + area.height) - blob.y))
    columns = slice(max(0, round(area.left) - blob.x), max(0, round(area.right) - blob.x))
    return float(blob.ink[rows, columns].sum())


def combine(
    line_probabilities: NDArray[Any], recognized: NDArray[np.float32], network: Recognizer
) -> NDArray[np.float32]:
    """Return what both networks say of a digit: the product of their probabilities, scaled to 1.

    The recogniser's are raised to the power RECOGNIZER_EXPONENT, so they count for less.

    Args:
        line_probabilities: (11,), what the line reader says of the ten digits and of none.
        recognized: (classes,), what the recogniser says.
    """
    lifted = np.maximum(network.digits_and_none(recognized), MIN_RECOGNIZER_PROBABILITY)
    product = line_probabilities * lifted**RECOGNIZER_EXPONENT
    return np.asarray(product / product.sum(), np.float32)


# A picture of one digit


def read_single(picture: Picture, found: ink.Ink, network: Recognizer) -> Reading:
    """Read the one digit of a picture, if there is ink."""
    if not found.contrast.any():
        return Reading((), picture, found.contrast)
    marks = locate.find_marks(found.contrast)
    blobs = locate.find_single(marks, found.contrast.shape)
    least = MIN_CUT_CONFIDENCE if touched_sides(found.contrast) >= CUT_SIDES else None
    digit = to_digits([recognize_single(blobs, found, network)], network, picture.scale, least)
    return Reading((Line(tuple(digit)),) if digit else (), picture, found.contrast)


def touched_sides(contrast: NDArray[np.float32]) -> int:
    """Return how many of the four sides of a picture's frame ink touches."""
    sides = (contrast[0], contrast[-1], contrast[:, 0], contrast[:, -1])
    return sum(bool(side.any()) for side in sides)


def is_one_digit(found: FoundInk, network: Recognizer) -> bool:
    """Return whether the recogniser takes all ink of a picture for one digit."""
    blobs = locate.find_single(found.marks, found.of_pixels.contrast.shape)
    return bool(blobs) and is_digit(recognize([merge(blobs)], network)[0], network)


def recognize_single(blobs: list[Blob], found: ink.Ink, network: Recognizer) -> Recognition:
    """Recognise the one digit of a picture, in its blobs or in the whole picture.

    The whole is tried too, because a digit that the frame cuts off lies along the border, where
    blobs are left out. The line reader's "none" decides how sure the digit is, not which it is.
    """
    whole = Blob(0, 0, found.contrast)
    strips = [cut_digit(found.measured, part) for part in (blobs, [whole]) if part]
    *digits, none = line_reader().read_single(strips)
    [recognition] = recognize([merge(blobs or [whole])], network)
    which = np.array([*np.maximum(digits, MIN_PROBABILITY), 0.0])
    combined = combine(which / which.sum(), recognition.probabilities, network)
    return Recognition(recognition.blob, combined * np.float32(1 - none))


# A model of the user's


def read_again(reading: Reading, network: Recognizer) -> Reading:
    """Return a reading whose digits another model has read.

    What is no digit to the model is left out, and is in `unread`.
    """
    lines, unread = [], list(reading.unread)
    for line in reading.lines:
        digits = [read_digit(digit, network) for digit in line.digits]
        unread += [digit.box for digit in digits if digit.candidates[0][0] == NOT_A_DIGIT]
        kept = tuple(digit for digit in digits if digit.candidates[0][0] != NOT_A_DIGIT)
        if kept:
            lines.append(replace(line, digits=kept))
    return replace(reading, lines=tuple(lines), unread=tuple(unread))


def read_digit(digit: Digit, network: Recognizer) -> Digit:
    """Return a digit as another model reads it."""
    if digit.image.any():
        probabilities = network.probabilities(digit.image[None])[0]
    else:  # ink too pale to be cut out: the model has nothing to see
        probabilities = np.full(len(network.classes), 1 / len(network.classes), np.float32)
    answer = Answer.of(probabilities, network, network.threshold)
    return replace(digit, **answer._asdict(), probabilities=tuple(probabilities.tolist()))


# How sure


def certainty(reading: Reading) -> float:
    """Return the sum, over all digits, of how much more probable than not each is."""
    return sum(line_certainty(line.digits) for line in reading.lines)


def line_certainty(digits: Sequence[Answer | Digit]) -> float:
    """Return the same for the digits of one line."""
    return sum(2 * digit.confidence - 1 for digit in digits if digit.digit != UNSURE)
