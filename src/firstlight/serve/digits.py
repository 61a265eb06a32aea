"""Reads the digits of a picture that the page sent, and returns each digit's network input too."""

import base64
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.errors import DataError, FirstlightError
from firstlight.explanation.occlusion import PAPER, occlude
from firstlight.images.open import open_content, open_picture, pages_in, problem_of
from firstlight.reading import ink, reader
from firstlight.reading.recognizer import DIGITS_MODEL, NOT_A_DIGIT, Recognizer
from firstlight.reading.result import Digit, Line, Reading, note

Pixels = NDArray[np.uint8]
PredictProbabilities = Callable[[Pixels], np.ndarray]  # (N, 28, 28, 1) → (N, classes)

PGM_HEADER = re.compile(rb"P5 (\d{1,4}) (\d{1,4}) 255\n")  # width, height; the pixels follow
MAX_DRAWING_PIXELS = 1_000_000
MAX_HEADER_BYTES = 17  # what PGM_HEADER can match
GZIP = 16 + zlib.MAX_WBITS  # zlib's number for a file of gzip
SIDE = 28
INPUT_SHAPE = (SIDE, SIDE, 1)  # of the networks whose layers the page shows
MIN_INK = 64  # 0 to 255: a sheet whose strongest ink is fainter counts as empty


class DigitJson(TypedDict):
    digit: str  # "?" if the network is not sure enough
    confidence: float
    box: tuple[int, int, int, int]  # x, y, width, height in pixels of the picture
    probabilities: list[float]  # one per class of ReadingJson
    image: str  # the network's input, 28×28 pixels in base64


class StripJson(TypedDict):
    pixels: str  # the line reader's input, 32 pixels high, in base64
    width: int
    digits: list[str]
    columns: list[float]  # where it sees each digit


class ReadingJson(TypedDict):
    text: str  # a line of text per line of digits
    note: str | None
    size: tuple[int, int]  # width, height of the picture
    classes: list[str]
    digits: list[DigitJson]
    strips: list[StripJson]  # for each line; none, if the picture is one digit
    unread: list[tuple[int, int, int, int]]  # boxes of ink that may be a digit and was not read


def read_picture(body: bytes, network: Recognizer, model: Path) -> ReadingJson:
    """Read a drawing or a photograph.

    Raises:
        DataError: the body is not a picture, is damaged, or is too large.
    """
    own_model = None if model == DIGITS_MODEL else model
    drawing = decode_drawing(body)
    if drawing is not None:
        return reading_json(reader.read_drawing(drawing, own_model), network)
    with decode_errors(body):
        photograph = decode_photograph(body)
        return reading_json(reader.read(photograph, own_model), network, pages_in(photograph))


def reading_json(reading: Reading, network: Recognizer, pages: int = 1) -> ReadingJson:
    """Return the answer for a reading of the first of some pages."""
    answer = to_json(reading.lines, reading.picture.size, network, reading.unread)
    answer["note"] = note(len(reading.lines), len(reading.unread), pages)
    return answer


def read_squashed(body: bytes, network: Recognizer) -> ReadingJson:
    """Read the whole picture as one digit, resized to 28×28 pixels without normalisation.

    Raises what `read_picture` does.
    """
    drawing = decode_drawing(body)
    with decode_errors(body):
        picture = open_picture(decode_photograph(body) if drawing is None else drawing)
    dark_on_light = ink.polarities(picture.grey)[0]
    light_ink = 255 - picture.grey if dark_on_light else picture.grey
    if light_ink.max() <= MIN_INK:
        return to_json([], picture.size, network)
    resized = Image.fromarray(light_ink).resize((SIDE, SIDE), Image.Resampling.BOX)
    image = np.asarray(resized)[..., None]
    (probabilities,) = network.probabilities(image[None])
    best = max(digit_classes(network), key=lambda index: float(probabilities[index]))
    digit = Digit(
        digit=network.classes[best],
        confidence=float(probabilities[best]),
        box=(0, 0, *picture.size),
        candidates=(),
        image=image,
        probabilities=tuple(probabilities.tolist()),
    )
    return to_json([Line((digit,))], picture.size, network)


def to_json(
    lines: Sequence[Line],
    size: tuple[int, int],
    network: Recognizer,
    unread: Sequence[tuple[int, int, int, int]] = (),
) -> ReadingJson:
    """Return the answer for lines of digits in a picture of a size (width, height)."""
    indexes = digit_classes(network)
    return {
        "text": "\n".join(line.text for line in lines),
        "note": note(len(lines), len(unread)),
        "size": size,
        "classes": [network.classes[index] for index in indexes],
        "digits": [digit_json(digit, indexes) for line in lines for digit in line.digits],
        "strips": [strip_json(line, line.strip) for line in lines if line.strip is not None],
        "unread": list(unread),
    }


def digit_json(digit: Digit, indexes: Sequence[int]) -> DigitJson:
    return {
        "digit": digit.digit,
        "confidence": round(digit.confidence, 4),
        "box": digit.box,
        "probabilities": [round(digit.probabilities[index], 4) for index in indexes],
        "image": encode(digit.image),
    }


def strip_json(line: Line, strip: Pixels) -> StripJson:
    return {
        "pixels": encode(strip),
        "width": strip.shape[1],
        "digits": [digit.digit for digit in line.digits],
        "columns": [round(digit.column or 0.0, 1) for digit in line.digits],
    }


def digit_classes(network: Recognizer) -> list[int]:
    """Return the indexes of the classes that the page shows: the digits, without "none"."""
    return [index for index, name in enumerate(network.classes) if name != NOT_A_DIGIT]


def decode_drawing(body: bytes) -> Pixels | None:
    """Return a drawing (height, width), black on white; None if the body is not a PGM file.

    Raises:
        DataError: the header and the number of pixels do not agree, or there are too many pixels.
    """
    header = PGM_HEADER.match(body)
    if not header:
        return None
    width, height = int(header[1]), int(header[2])
    pixels = body[header.end() :]
    expected = width * height
    if not 0 < expected <= MAX_DRAWING_PIXELS or len(pixels) != expected:
        raise DataError(f"a drawing of {width}×{height} pixels came with {len(pixels):,} pixels")
    return np.frombuffer(pixels, np.uint8).reshape(height, width)


def decompress_drawing(body: bytes) -> bytes:
    """Return a PGM file that was sent compressed by gzip.

    Raises:
        DataError: it is damaged, or larger than a drawing may be.
    """
    unzip = zlib.decompressobj(wbits=GZIP)
    try:
        drawing = unzip.decompress(body, MAX_HEADER_BYTES + MAX_DRAWING_PIXELS)
    except zlib.error:
        raise DataError("a compressed drawing is damaged") from None
    if not unzip.eof:
        raise DataError("a compressed drawing is incomplete, or too large")
    return drawing


def decode_photograph(body: bytes) -> Image.Image:
    return open_content(body)


@contextmanager
def decode_errors(body: bytes) -> Iterator[None]:
    """Turn what Pillow raises for a foreign file into a DataError of one line."""
    try:
        yield
    except FirstlightError:
        raise
    except Exception as error:  # Pillow's decoders raise anything
        raise DataError(f"this file cannot be read: {problem_of(body, error)}") from error


def occlusion_map(image: Pixels, predict: PredictProbabilities, label: int) -> list[list[float]]:
    """Return the label's probability while a square covers a part of the image (28, 28, 1).

    The result has 28 rows of 28 probabilities, one for each position of the square's centre.
    """

    def predict_without_maps(images: Pixels) -> tuple[np.ndarray, np.ndarray]:
        return predict(images), np.zeros(len(images))

    occlusion = occlude(predict_without_maps, "", image, label, PAPER)
    rows: list[list[float]] = occlusion.probability.astype(float).round(3).tolist()
    return rows


def encode(array: NDArray[Any]) -> str:
    """Return an array's bytes in base64, for JSON."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def decode_image(encoded: Any) -> Pixels:
    """Return the image (28, 28, 1) uint8 that the page sent back.

    Raises:
        DataError: it is not the base64 of 28×28 pixels.
    """
    try:
        body = base64.b64decode(encoded, validate=True)
        return np.frombuffer(body, np.uint8).reshape(SIDE, SIDE, 1)
    except (ValueError, TypeError):
        raise DataError("the image must be 28×28 pixels, in base64") from None
