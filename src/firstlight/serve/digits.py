"""A picture that the page sent, and what it is told: the digits, and what the network saw."""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.errors import DataError
from firstlight.explanation.occlusion import PAPER, cover, occluders
from firstlight.images.open import PICTURE_FORMATS, open_picture
from firstlight.reading import ink, locate, reader
from firstlight.reading.reader import Digit, Line
from firstlight.reading.recognizer import NOT_A_DIGIT, Recognizer

Images = NDArray[np.uint8]
DRAWING = re.compile(rb"P5 (\d{1,4}) (\d{1,4}) 255\n")  # a PGM file: width, height, then the pixels
SIDE = 28


def read(body: bytes, network: Recognizer, model: Path) -> dict[str, Any]:
    """Read a drawing or a photograph: its text, and each digit with all that is known of it.

    Raises:
        DataError: no picture, damaged, or too large.
    """
    drawing = drawn(body)
    if drawing is not None:
        # Ink on a clean canvas is known exactly: paper and shadows need not be taken away.
        found = locate.find_lines(np.asarray((255 - drawing) / 255, np.float32))
        chains = reader.read_lines(found, network)
        lines = [line for chain in chains if (line := reader.to_digits(chain, network, 1.0))]
        return told(lines, (drawing.shape[1], drawing.shape[0]), network)
    with decoding():
        result = reader.read(photograph(body), model)
    return told([list(line.digits) for line in result.lines], result.picture.size, network)


def read_squashed(body: bytes, network: Recognizer) -> dict[str, Any]:
    """What happens without normalisation: the whole picture squashed into 28×28, one digit."""
    drawing = drawn(body)
    with decoding():
        picture = open_picture(photograph(body) if drawing is None else drawing)
    grey = picture.grey
    light = 255 - grey if ink.polarities(grey)[0] else grey
    if not (light > 64).any():
        return told([], picture.size, network)
    small = np.asarray(Image.fromarray(light).resize((SIDE, SIDE), Image.Resampling.BOX))
    image = small[..., None]
    (probabilities,) = network.probabilities(image[None])
    best = max(digit_classes(network), key=lambda number: float(probabilities[number]))
    box = (0, 0, *picture.size)
    digit = Digit(network.classes[best], float(probabilities[best]), box, (), image)
    return told([[digit]], picture.size, network)


def told(lines: list[list[Digit]], size: tuple[int, int], network: Recognizer) -> dict[str, Any]:
    digits = [digit for line in lines for digit in line]
    images = np.array([digit.image for digit in digits], np.uint8).reshape(-1, SIDE, SIDE, 1)
    shown = digit_classes(network)
    probabilities = network.probabilities(images)[:, shown].round(4).tolist()
    facts = [
        {
            "digit": digit.digit,
            "confidence": round(digit.confidence, 4),
            "box": digit.box,
            "probabilities": row,
            "image": text(digit.image),
        }
        for digit, row in zip(digits, probabilities, strict=True)
    ]
    return {
        "text": "\n".join(Line(tuple(line)).text for line in lines),
        "note": None if digits else "no digits found",
        "size": size,
        "classes": [network.classes[i] for i in shown],
        "digits": facts,
    }


def digit_classes(network: Recognizer) -> list[int]:
    """The classes that get a bar each: the digits, not "none"."""
    return [number for number, name in enumerate(network.classes) if name != NOT_A_DIGIT]


def drawn(body: bytes) -> Images | None:
    """The pixels of a drawing (h, w), black on white; None if it is another kind of picture."""
    header = DRAWING.match(body)
    if not header:
        return None
    width, height = int(header[1]), int(header[2])
    pixels = body[header.end() :]
    if not width or not height or len(pixels) != width * height or width * height > 1_000_000:
        raise DataError(f"a drawing of {width}×{height} pixels came with {len(pixels):,}")
    return np.frombuffer(pixels, np.uint8).reshape(height, width)


def photograph(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body), formats=PICTURE_FORMATS)


@contextmanager
def decoding() -> Iterator[None]:
    """What Pillow raises over foreign bytes, as one line."""
    try:
        yield
    except (
        *(OSError, ValueError, SyntaxError, MemoryError),
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
    ) as error:
        known = ", ".join(PICTURE_FORMATS)
        raise DataError(f"not a picture that can be read ({known}), or damaged") from error


def occlusion(image: Images, network: Any, best: int) -> list[list[float]]:
    """How probable `best` stays where a square of paper hides a part: (28, 28).

    `network` gives probabilities (n, classes) of images (n, 28, 28, 1).
    """
    covered = [cover(image, region, PAPER) for region in occluders(image)]
    shown = network(np.array(covered))[:, best].reshape(SIDE, SIDE)
    return [[round(float(value), 3) for value in row] for row in shown]


def text(array: NDArray[Any]) -> str:
    """Bytes of an array, for JSON."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def pixels(encoded: Any) -> Images:
    """28×28 pixels that the page sent back.

    Raises:
        DataError: they are not.
    """
    try:
        body = base64.b64decode(encoded, validate=True)
        return np.frombuffer(body, np.uint8).reshape(SIDE, SIDE, 1)
    except (ValueError, TypeError):
        raise DataError("an image to look at is 28×28 pixels, in base64") from None
