"""The reader: from a picture to its digits, by way of ink, blobs, lines and normalised images.

picture → ink.find → locate.lines → split → normalize → recognize → Reading
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.errors import DataError
from firstlight.images.open import Picture, Source, open_picture
from firstlight.onnx_model import DIGITS, NONE, Recognizer, recognizer
from firstlight.reading import ink, locate, split
from firstlight.reading.blobs import Blob
from firstlight.reading.normalize import normalize

UNSURE = "?"


@dataclass(frozen=True)
class Digit:
    digit: str  # "?" where it cannot be told
    confidence: float  # 0..1, of the likeliest candidate
    box: tuple[int, int, int, int]  # x, y, width, height in pixels of the picture
    candidates: tuple[tuple[str, float], ...]  # the three likeliest, and their probabilities
    image: NDArray[np.uint8] = field(repr=False)  # (28, 28, 1): what the network was shown

    def facts(self) -> dict[str, Any]:
        told = {"digit": self.digit, "confidence": round(self.confidence, 4), "box": self.box}
        if self.digit != UNSURE:
            return told
        likely = [{"digit": name, "confidence": round(p, 4)} for name, p in self.candidates]
        return told | {"candidates": likely}


@dataclass(frozen=True)
class Line:
    digits: tuple[Digit, ...]

    @property
    def text(self) -> str:
        return "".join(digit.digit for digit in self.digits)


@dataclass(frozen=True)
class Reading:
    """What is written in a picture: `text`, or `lines` and their `digits` one by one."""

    lines: tuple[Line, ...]
    picture: Picture = field(repr=False)
    contrast: NDArray[np.float32] = field(repr=False)  # the ink that was found, (h, w), 0..1

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def note(self) -> str | None:
        return None if self.lines else "no digits found"


def read(source: Source, model: Path | None = None, single: bool = False) -> Reading:
    """Read the digits in a picture: a file, a Pillow image, or an array.

    Args:
        single: the whole picture is one digit.

    Raises:
        DataError: no picture, or no model.
        UsageError: an array that is no picture, or a model that is not of digits.
    """
    network = recognizer(model or DIGITS)
    picture = open_picture(source)
    ways = [read_ink(picture, way, network, single) for way in ink.ways(picture.grey)]
    return max(ways, key=surely_told)  # of equals the first, which is the likelier


def read_ink(picture: Picture, dark_on_light: bool, network: Recognizer, single: bool) -> Reading:
    contrast = ink.find(picture.grey, dark_on_light)
    if single:
        found = locate.single(contrast)
        chains = [read_single(found, network)] if found else []
    else:
        chains = read_lines(locate.lines(contrast), network)
    lines = (Line(tuple(digits(chain, network, picture.scale))) for chain in chains)
    return Reading(tuple(line for line in lines if line.digits), picture, contrast)


def surely_told(reading: Reading) -> float:
    """How many digits it holds, each as far as it is likelier than not."""
    return sum(
        2 * digit.confidence - 1 if digit.digit != UNSURE else 0.0
        for line in reading.lines
        for digit in line.digits
    )


Recognized = tuple[Blob, NDArray[np.uint8], NDArray[np.float32]]


def one_by_one(blobs: list[Blob], network: Recognizer) -> list[Recognized]:
    """Each blob with its normalised image and the probabilities of the classes."""
    images = np.array([normalize(blob) for blob in blobs], np.uint8).reshape(-1, 28, 28, 1)
    return list(zip(blobs, images, network.probabilities(images), strict=True))


def read_lines(lines: list[list[Blob]], network: Recognizer) -> list[list[Recognized]]:
    """The likeliest chain of digits of each line; all the picture's candidates in one batch."""
    possible = [split.candidates(split.pieces(line), split.line_height(line)) for line in lines]
    seen = iter(one_by_one([candidate.blob for line in possible for candidate in line], network))
    chains = []
    for line in possible:
        own = [next(seen) for _ in line]
        chain = split.likeliest_chain(line, doubts(line, own, network))
        chains.append([own[index] for index in chain])
    return chains


def read_single(blobs: list[Blob], network: Recognizer) -> list[Recognized]:
    possible = split.stretches(split.pieces(blobs))
    seen = one_by_one([candidate.blob for candidate in possible], network)
    return [seen[int(doubts(possible, seen, network).argmin())]]


def doubts(
    possible: list[split.Candidate], seen: list[Recognized], network: Recognizer
) -> NDArray[np.float32]:
    probabilities = np.array([probabilities for _, _, probabilities in seen])
    return split.doubts(possible, network.sureness(probabilities))


def digits(chain: list[Recognized], network: Recognizer, scale: float) -> list[Digit]:
    found = []
    for blob, image, probabilities in chain:
        order = np.argsort(-probabilities)[:3]
        best = [(network.classes[i], float(probabilities[i])) for i in order]
        if best[0][0] == NONE:
            continue
        told = best[0][0] if best[0][1] >= network.threshold else UNSURE
        x, y, w, h = (round(side * scale) for side in (blob.x, blob.y, blob.width, blob.height))
        found.append(Digit(told, best[0][1], (x, y, w, h), tuple(best), image))
    return found


def read_all(
    paths: list[Path], model: Path | None = None, single: bool = False
) -> tuple[dict[Path, Reading], dict[Path, str]]:
    """The readings of the pictures, and of those that cannot be read, why not.

    Raises:
        DataError, UsageError: of the model.
    """
    recognizer(model or DIGITS)  # its faults are not the pictures'
    readings: dict[Path, Reading] = {}
    problems: dict[Path, str] = {}
    for path in paths:
        try:
            readings[path] = read(path, model, single)
        except DataError as error:
            problems[path] = str(error)
    return readings, problems


def facts(path: Path, reading: Reading | None, problem: str | None) -> dict[str, Any]:
    """What `firstlight read --json` says of a picture, read or not."""
    if reading is None:
        return {"file": str(path), "text": "", "lines": [], "note": problem}
    lines = [
        {"text": line.text, "digits": [digit.facts() for digit in line.digits]}
        for line in reading.lines
    ]
    return {"file": str(path), "text": reading.text, "lines": lines, "note": reading.note}
