"""Which part of a picture an answer hangs on: a square slid over it, the network asked each time.

Zeiler and Fergus (arXiv 1311.2901), 4.2 and figure 7. The paper gives neither the square's size
nor its steps: PART and ACROSS are ours. Its grey is what a photograph is on average. On a digit it
would be a blob of ink: there the square has the colour of the paper, and takes ink away.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.progress import in_batches

PART = 3.5  # the square's side in the picture's: 8 of 28 pixels, 64 of 224
ACROSS = 28  # places of the square in a row: all 28 of 28 pixels, every eighth of 224
GREY, PAPER = 128, 0
_BATCH = 32

Box = tuple[int, int, int, int]  # top, left, bottom, right in pixels; the last two are outside
Image = NDArray[np.uint8]
Says = Callable[[Image], tuple[np.ndarray, np.ndarray]]


class Occlusion(NamedTuple):
    """What the network says with the square at each place: arrays (rows, columns) of places."""

    covered: Image  # (height, width, channels), hidden where it matters most
    square: Box  # where that is
    probability: np.ndarray  # of the label, 0 to 1
    answer: np.ndarray  # the most probable class
    map: str  # the one that is watched; "" if there is none
    activity: np.ndarray  # that map's sum; zeros if there is none
    whole: float  # the same with nothing hidden


def occlude(
    says: Says, watched: str, image: Image, label: int, colour: int, quiet: bool = True
) -> Occlusion:
    """Slide the square over the image; where the answer changes, the network looks.

    Args:
        says: a function of images: probabilities (N, classes), and a map's sums (N,).
        watched: the name of that map.
        image: (height, width, channels), as the network takes it.
        label: the class whose probability is told.
    """
    rows, columns = places(image)
    squares = all_squares(image)
    told = [
        says(np.array([hidden(image, box, colour) for box in squares[batch]]))
        for batch in in_batches(len(squares), _BATCH, "hiding one part after another", quiet)
    ]
    probabilities, activity = (np.concatenate(part) for part in zip(*told, strict=True))
    before, whole = says(image[None])
    changes = np.abs(probabilities[:, label] - before[0, label])
    there, shape = squares[int(changes.argmax())], (len(rows), len(columns))
    return Occlusion(
        hidden(image, there, colour),
        there,
        probabilities[:, label].reshape(shape),
        probabilities.argmax(1).reshape(shape),
        watched,
        activity.reshape(shape),
        float(whole[0]),
    )


def places(image: Image) -> tuple[range, range]:
    """The rows and columns on which the square's middle comes to lie."""
    height, width, _ = image.shape
    step = max(1, max(height, width) // ACROSS)
    return range(step // 2, height, step), range(step // 2, width, step)


def all_squares(image: Image) -> list[Box]:
    side = round(max(image.shape[:2]) / PART)
    rows, columns = places(image)
    return [square(image, y, x, side) for y in rows for x in columns]


def square(image: Image, y: int, x: int, side: int) -> Box:
    """The square around a place, as far as it lies in the image."""
    top, left = y - side // 2, x - side // 2
    height, width = image.shape[:2]
    return max(0, top), max(0, left), min(height, top + side), min(width, left + side)


def hidden(image: Image, box: Box, colour: int) -> Image:
    """A copy of the image with that part of it in one colour."""
    copy = image.copy()
    top, left, bottom, right = box
    copy[top:bottom, left:right] = colour
    return copy
