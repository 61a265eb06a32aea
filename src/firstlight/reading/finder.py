"""The line finder: a network that says where lines of digits are on a page, dark or light.

    grey (h, w)  →  pages of four sizes  →  answers for cells of 4×4 pixels  →  lines

The cells that the network takes for the middle of a line touch each other. So a line is a connected
component of such cells.
"""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.onnx_model import open_session
from firstlight.reading import components
from firstlight.reading.strip import Area

FINDER_MODEL = Path(__file__).parent / "finder.onnx"
# The sizes of the page: its longer side, and the least and the largest height of digits that are
# taken from it, all in pixels of that size.
PAGE_SIDES = ((1024, 0, 80), (512, 0, 300), (176, 28, 110), (64, 18, 64))
MIN_LARGEST_SIDE, MAX_ENLARGED = 512, 1.3  # a small picture is not looked at on a large page
MULTIPLE = 32  # pixels: the network halves a page five times
CELL = 4  # pixels for each answer
MIN_LOGIT = 0.0  # of a cell in the middle of a line
MIN_CELLS = 2  # of a line
MIN_SCORE = 0.5  # the mean of the logits of a line's cells; of scraps it is lower
MAX_LINES = 60
SAME_LINE = 0.7  # heights: two lines whose middles are nearer to each other than this are the same
MAX_SHARED = 0.5  # of the smaller of two lines that are not the same
MIN_SLOPE = 0.01  # rows per column: less is not worth a correction

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FoundLine:
    """A line of digits, in pixels of the page; its middle is at y + slope · (column - x)."""

    left: float
    right: float
    x: float  # the middle
    y: float
    slope: float  # rows per column
    height: float  # of the digits
    dark: float  # the logit of dark ink on light paper
    score: float  # the mean logit of its cells

    @property
    def is_dark(self) -> bool:
        """Whether it is dark ink on light paper."""
        return self.dark > 0

    def narrowed(self, first: float, last: float) -> "FoundLine":
        """Return the line without what is beside its digits.

        Args:
            first, last: the columns of the middles of its first and its last digit.
        """
        left = max(self.left, first - self.height / 2)
        right = min(self.right, last + self.height / 2)
        x = (left + right) / 2
        return replace(self, left=left, right=right, x=x, y=self.y + self.slope * (x - self.x))

    def overlaps(self, other: "FoundLine") -> bool:
        """Return whether two lines are the same, or share more than half of the smaller one."""
        one, two = self.area(2 * SAME_LINE), other.area(2 * SAME_LINE)
        if one.contains(other.x, other.y) or two.contains(self.x, self.y):
            return True
        smaller = min(self.size, other.size)
        return self.shared(other) > MAX_SHARED * smaller

    @property
    def size(self) -> float:
        """Its area in pixels."""
        return (self.right - self.left) * self.height

    def shared(self, other: "FoundLine") -> float:
        """Return the area that two lines share."""
        left, right = max(self.left, other.left), min(self.right, other.right)
        if right <= left:
            return 0.0
        return (right - left) * self.shared_height(other, (left + right) / 2)

    def beside(self, other: "FoundLine") -> float:
        """Return how many rows this line and one on its right share, over the smaller height."""
        shared = self.shared_height(other, (self.right + other.left) / 2)
        return shared / min(self.height, other.height)

    def shared_height(self, other: "FoundLine", x: float) -> float:
        """Return how many rows two lines share in a column."""
        one, two = (line.y + line.slope * (x - line.x) for line in (self, other))
        lower = min(self.height, other.height)
        return min(max(0.0, (self.height + other.height) / 2 - abs(one - two)), lower)

    def area(self, relative_height: float = 1.0) -> Area:
        """Return the line with half a height beside it.

        Args:
            relative_height: above 1, also a margin above and below, since digits are not all
                equally high.
        """
        height = relative_height * self.height
        return Area(
            left=self.left - self.height / 2,
            right=self.right + self.height / 2,
            middle=self.x,
            top=self.y - height / 2,
            height=height,
            slope=self.slope if abs(self.slope) > MIN_SLOPE else 0.0,
        )


class LineFinder:
    """The network in memory."""

    def __init__(self, path: Path) -> None:
        """Open the network. Raises DataError: the file does not exist, or is not an ONNX model."""
        self._session = open_session(path)

    def answers(self, page: NDArray[np.uint8]) -> Floats:
        """Return the answers (rows / 4, columns / 4, 3) for a page (rows, columns)."""
        (answers,) = self._session.run(["logits"], {"image": page[None, ..., None]})
        return np.asarray(answers[0])

    def find(self, grey: NDArray[np.uint8]) -> list[FoundLine]:
        """Return what may be lines of a picture (h, w); they may overlap."""
        largest = max(MIN_LARGEST_SIDE, MAX_ENLARGED * max(grey.shape))
        sizes = [each for each in PAGE_SIDES if each[0] <= largest]
        return [line for each in sizes for line in self.find_at(grey, *each)]

    def find_at(self, grey: NDArray[np.uint8], side: int, least: int, most: int) -> list[FoundLine]:
        """Return the lines between two heights, of a picture reduced to `side` pixels."""
        page, scale = reduce(grey, side)
        answers = self.answers(page)
        labels, _ = components.label(answers[..., 0] > MIN_LOGIT)
        sizes = np.bincount(labels.ravel())[1:]
        largest = np.argsort(-sizes)[:MAX_LINES]
        lines = [
            line_of_cells(answers, labels == number + 1, scale)
            for number in largest
            if sizes[number] >= MIN_CELLS
        ]
        clear = [line for line in lines if line.score > MIN_SCORE]
        return [line for line in clear if least * scale <= line.height <= most * scale]


@functools.cache
def line_finder() -> LineFinder:
    """Return the bundled network."""
    return LineFinder(FINDER_MODEL)


def reduce(grey: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """Return a picture whose longer side has `side` pixels, and its reduction.

    It is continued to multiples of 32 pixels.
    """
    scale = max(grey.shape) / side
    height, width = (max(1, round(length / scale)) for length in grey.shape)
    how = Image.Resampling.BOX if scale > 1 else Image.Resampling.BILINEAR
    small = np.asarray(Image.fromarray(grey).resize((width, height), how))
    return np.pad(small, ((0, -height % MULTIPLE), (0, -width % MULTIPLE)), "edge"), scale


def line_of_cells(answers: Floats, cells: NDArray[np.bool_], scale: float) -> FoundLine:
    """Return the line that some cells (rows, columns) are the middle of."""
    rows, columns = np.nonzero(cells)
    logits, heights, dark = answers[rows, columns].T
    y, x = (CELL * (rows + 0.5), CELL * (columns + 0.5))
    height = 2 ** float(np.median(heights))
    middle_x, middle_y = float(x.mean()), float(y.mean())
    slope = 0.0
    if np.ptp(x) > 2 * height:
        slope = float(np.clip(np.polyfit(x, y, 1)[0], -0.4, 0.4))
    return FoundLine(
        left=scale * float(x.min() - CELL / 2),
        right=scale * float(x.max() + CELL / 2),
        x=scale * middle_x,
        y=scale * middle_y,
        slope=slope,
        height=scale * height,
        dark=float(dark.mean()),
        score=float(logits.mean()),
    )
