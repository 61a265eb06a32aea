"""A page of images: figures that place many images and texts by the pixel.

One set of axes fills the whole figure. A figure with a set of axes for each image takes ten times
as long to draw.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.image import BboxImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox, TransformedBbox

from firstlight.datasets import Images
from firstlight.explanation.occlusion import Region
from firstlight.figures.style import FOR_AND_AGAINST, GREY_TEXT, PALE, NotebookFigure
from firstlight.figures.text import DOTS_PER_INCH, widest, wrapped

PAGE_MARGIN, IMAGE_GAP = 24, 8  # pixels: around a page, and between images
TITLE_HEIGHT, LINE_HEIGHT = 32, 19  # pixels: of the title, and of each line below it
TITLE_LINE_HEIGHT = 26  # pixels: from a line of the title to the next
PAGE_HEADER = PAGE_MARGIN + 84  # pixels: from the top of a page to below a title and two lines
CAPTION = 16  # pixels: a line of text above or below an image
MIN_TITLE_WIDTH = 480  # pixels: a title is not broken into shorter lines

Rgb = np.ndarray  # (height, width, 3) float, 0 to 1
XY = tuple[float, float]  # x, y; or a size: width, height


class Square(NamedTuple):
    """A place for an image on a page, in pixels from the page's upper left corner."""

    x: float
    y: float
    side: float

    @property
    def bottom(self) -> float:
        return self.y + self.side

    def shifted(self, x: float) -> "Square":
        return self._replace(x=self.x + x)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Places for images in rows and columns, in pixels."""

    left: float
    top: float
    side: float  # of an image
    across: float  # from one column to the next
    down: float  # from one row to the next

    def cell(self, row: int, column: int) -> Square:
        return Square(self.left + column * self.across, self.top + row * self.down, self.side)

    def right(self, columns: int) -> float:
        return self.left + columns * self.across

    def bottom(self, rows: int) -> float:
        return self.top + rows * self.down


class Page:
    """A white page, measured in pixels from its upper left corner."""

    def __init__(self, width: float, height: float, title: str, lines: Sequence[str] = ()) -> None:
        """Begin a page.

        Args:
            width: pixels, at least: the page is as wide as its title and lines need.
            height: pixels, with a title of one line. A long title is broken into several lines,
                which make the page higher: they begin above y = 0.
            title: what the page shows.
            lines: below the title: how to read the page.
        """
        style: dict[str, Any] = {"size": 13, "weight": "bold"}
        line_width = max(width - 2 * PAGE_MARGIN, widest(lines, 8), MIN_TITLE_WIDTH)
        titles = wrapped(title, line_width, **style)
        text_width = max(widest(titles, **style), widest(lines, 8))
        width = max(width, math.ceil(text_width) + 2 * PAGE_MARGIN)
        top = -TITLE_LINE_HEIGHT * (len(titles) - 1)
        inches = width / DOTS_PER_INCH, (height - top) / DOTS_PER_INCH
        self.figure = NotebookFigure(inches, dpi=DOTS_PER_INCH)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.axis("off")
        self.axes.set(xlim=(0, width), ylim=(height, top), xticks=[], yticks=[], autoscale_on=False)
        for number, line in enumerate(titles):
            self.text(PAGE_MARGIN, top + PAGE_MARGIN + TITLE_LINE_HEIGHT * number, line, **style)
        for number, line in enumerate(lines):
            y = PAGE_MARGIN + TITLE_HEIGHT + LINE_HEIGHT * number
            self.text(PAGE_MARGIN, y, line, color=GREY_TEXT)

    def text(self, x: float, y: float, text: str, size: float = 8, **style: Any) -> Text:
        """Write text; x and y are its upper left corner, unless `ha` or `va` say otherwise."""
        return self.axes.text(x, y, text, size=size, parse_math=False, **{"va": "top", **style})

    def image(self, square: Square, rgb: Rgb) -> None:
        """Draw an image, framed: its longer side fills the square, and it is centred in it."""
        x, y, side = square
        longest = max(rgb.shape[:2])
        height, width = (side * size / longest for size in rgb.shape[:2])
        x, y = x + (side - width) / 2, y + (side - height) / 2
        interpolation = "nearest" if longest < side else "antialiased"
        self._pixels((x, y), (width, height), rgb, interpolation)
        self.box((x, y), (width, height), PALE, 0.5)

    def _pixels(self, corner: XY, size: XY, rgb: Rgb, interpolation: str) -> None:
        """Draw pixels that fill a box; a page has hundreds, for which `imshow` is slow."""
        (x, y), (width, height) = corner, size
        box = Bbox.from_extents(x, y, x + width, y + height)
        image = BboxImage(
            TransformedBbox(box, self.axes.transData), origin="upper", interpolation=interpolation
        )
        image.set_data(rgb)
        self.axes.add_artist(image)

    def box(self, corner: XY, size: XY, color: str, lw: float) -> None:
        """Outline a box: its upper left corner (x, y) and its size (width, height)."""
        width, height = size
        self.axes.add_artist(Rectangle(corner, width, height, fill=False, ec=color, lw=lw))

    def region(
        self, square: Square, region: Region, image: np.ndarray, color: str, lw: float
    ) -> None:
        """Outline a region of an image that is drawn in the square."""
        scale = square.side / max(image.shape[:2])
        height, width = (scale * size for size in image.shape[:2])
        x, y = square.x + (square.side - width) / 2, square.y + (square.side - height) / 2
        top, left, bottom, right = (scale * edge for edge in region)
        self.box((x + left, y + top), (right - left, bottom - top), color, lw)

    def color_bar(self, corner: XY, width: float, colors: Colormap, ends: tuple[str, str]) -> None:
        """Draw a colour map as a bar, with the values at its left and right end below it."""
        x, y = corner
        rgb = np.asarray(colors(np.linspace(0, 1, 100)))[None, :, :3]
        self._pixels(corner, (width, 8), rgb, "antialiased")
        self.box(corner, (width, 8), PALE, 0.5)
        self.text(x, y + 11, ends[0], color=GREY_TEXT)
        self.text(x + width, y + 11, ends[1], color=GREY_TEXT, ha="right")


def columns_for(count: int, most: int) -> int:
    """Return in how many columns that many images stand: at most `most`, in full rows if possible.

    If there are more than `most` squared, they fill a square.
    """
    most = max(most, math.ceil(math.sqrt(count)))
    rows = max(1, math.ceil(count / most))
    return max(1, math.ceil(count / rows))


def as_rgb(image: np.ndarray, images: Images) -> Rgb:
    """Return one of some images, (height, width, 1 or 3) uint8, in colours.

    The light ink of digits becomes dark on white. Photographs stay as they are, also in grey.
    """
    if image.shape[-1] == 3:
        return image / 255
    light = image / 255 if images.are_crops else 1 - image / 255
    return np.repeat(light, 3, axis=-1)


def as_heat(values: np.ndarray, largest: float) -> Rgb:
    """Return values (height, width) as colours: -largest red, 0 white, largest blue."""
    return np.asarray(FOR_AND_AGAINST(0.5 + values / (2 * largest)))[..., :3]
