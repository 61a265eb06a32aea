"""The line reader: a network that reads a whole line of digits, without cutting it (see alignment).

It says which digits are in a strip, and where. The ink between two digits is divided along the
cheapest path. Its parts show where each digit is, and the recogniser or a model of the user's is
asked about them.
"""

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firstlight.onnx_model import open_session
from firstlight.reading import alignment
from firstlight.reading.alignment import AlignedDigit
from firstlight.reading.blobs import Blob, merge
from firstlight.reading.seams import part_between, seam_between, straight_seam
from firstlight.reading.strip import COLUMNS_PER_STEP, STRIP_HEIGHT, Strip

LINES_MODEL = Path(__file__).parent / "lines.onnx"
FIRST_STEP_MIDDLE = 3.5  # the strip's column in the middle of what the first output sees
HALF_DIGIT = 28.0  # columns of the strip: the first and the last digit reach no farther


class LineReader:
    """The network in memory."""

    def __init__(self, path: Path) -> None:
        """Open the network. Raises DataError: the file does not exist, or is not an ONNX model."""
        self._session = open_session(path)

    def logits(self, strip: Strip) -> NDArray[np.float32]:
        """Return the outputs (steps, 11) for a strip: a step for every four columns."""
        (outputs,) = self._session.run(["logits"], {"image": strip.pixels[None, ..., None]})
        return np.asarray(outputs[0])

    def read_single(self, strips: Sequence[Strip]) -> NDArray[np.float64]:
        """Return the probabilities (11,) of the ten digits and of none.

        They are those of the strip that most probably shows one digit.
        """
        digits = [alignment.single_digit(self.logits(strip)) for strip in strips]
        return max(digits, key=lambda digit: digit.evidence).probabilities


@functools.cache
def line_reader() -> LineReader:
    """Return the bundled network."""
    return LineReader(LINES_MODEL)


def column_of(digit: AlignedDigit) -> float:
    """Return the column of the strip that is the middle of a digit."""
    return COLUMNS_PER_STEP * digit.step + FIRST_STEP_MIDDLE


def ink_of_digits(line: Sequence[Blob], strip: Strip, digits: Sequence[AlignedDigit]) -> list[Blob]:
    """Return the ink of each digit: the line's ink, cut between the middles of neighbours.

    Where a digit has no ink in the line's blobs, the place without ink is returned.
    """
    columns = [column_of(digit) for digit in digits]
    places = [place_without_ink(strip, column) for column in columns]
    if not line or not digits:
        return places
    ink = merge(line)
    middles = [strip.x + strip.scale * column - ink.x for column in columns]
    reach = HALF_DIGIT * strip.scale
    seams = [straight_seam(ink, middles[0] - reach)]
    seams += [seam_between(ink, *pair) for pair in itertools.pairwise(middles)]
    seams.append(straight_seam(ink, middles[-1] + reach))
    parts = [part_between(ink, *pair) for pair in itertools.pairwise(seams)]
    return [part if part.mass else place for part, place in zip(parts, places, strict=True)]


def place_without_ink(strip: Strip, column: float) -> Blob:
    """Return a blob without ink, at the place of a digit whose middle is in a column."""
    width, height = (max(1, round(side * strip.scale)) for side in (HALF_DIGIT / 2, STRIP_HEIGHT))
    x = strip.x + strip.scale * column
    y = strip.y + strip.slope * (x - strip.x)
    return Blob(
        max(0, round(x - width / 2)), max(0, round(y)), np.zeros((height, width), np.float32)
    )
