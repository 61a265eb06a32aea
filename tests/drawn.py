"""What is drawn in a figure: its texts and its images, and whether the texts are legible."""

from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from matplotlib.text import Text
from matplotlib.transforms import Bbox

PNG = b"\x89PNG\r\n\x1a\n"


def size(figure: Figure) -> tuple[int, int]:
    """Width and height of what a notebook shows, from the PNG's header."""
    png = figure._repr_png_()  # type: ignore[attr-defined]
    assert png[:8] == PNG
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def page_size(figure: Figure) -> tuple[int, int]:
    """Width and height without drawing; `check_texts` checks that the PNG has them."""
    width, height = figure.bbox.size
    if matplotlib.__version_info__ < (3, 11):
        return int(width), int(height)  # it drops the part of a pixel
    return round(width), round(height)


class Drawn(NamedTuple):
    """A text as it is drawn, with its box in pixels."""

    text: str
    box: Bbox


def drawn_texts(figure: Figure) -> list[Drawn]:
    """Return the texts that are drawn: not the labels of ticks that lie beyond an axis."""
    drawn, draw = {}, Text.draw

    def record_and_draw(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():  # matplotlib may draw it twice
            drawn[text] = Drawn(text.get_text(), text.get_window_extent(renderer))
        draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record_and_draw)
        assert size(figure) == page_size(figure)
    return [*drawn.values()]


def check_texts(figure: Figure) -> list[Drawn]:
    """Check that no text is cut off or covers another one; return the texts."""
    drawn = drawn_texts(figure)
    width, height = figure.bbox.size
    for text, box in drawn:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
    touching = np.array([1, 1, -1, -1])  # pixels: boxes may touch
    edges = np.array([box.extents for _, box in drawn]) + touching
    for number, (x0, y0, x1, y1) in enumerate(edges):
        others = edges[number + 1 :]
        apart = (others[:, 0] >= x1) | (others[:, 2] <= x0)
        apart |= (others[:, 1] >= y1) | (others[:, 3] <= y0)
        covered = [drawn[number + 1 + i].text for i in np.flatnonzero(~apart)]
        assert not covered, (drawn[number].text, covered)
    return drawn


def joined(drawn: list[Drawn]) -> str:
    return " ".join(text for text, _ in drawn)


def images_of(figure: Figure) -> list[np.ndarray]:
    """Return the images on a page, in the order in which they were drawn."""
    return [np.asarray(image.get_array()) for image in figure.findobj(BboxImage)]
