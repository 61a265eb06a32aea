"""How figures look: colours, fonts, grids of images.

STYLE holds only while a function with the decorator `styled` runs: importing firstlight, and
drawing with it, leaves the user's own matplotlib settings as they are.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from firstlight.runs.files import atomic_write

P = ParamSpec("P")
R = TypeVar("R")

INK, PALE, ACCENT, WARNING = "#1f2933", "#9aa5b1", "#2f6fed", "#d1495b"
SHADES = LinearSegmentedColormap.from_list("mistakes", ["#ffffff", "#f3c9cf", WARNING])
FOR_AND_AGAINST = LinearSegmentedColormap.from_list("weights", [WARNING, "#ffffff", ACCENT])
STYLE: Any = {
    "font.size": 9,
    "font.family": ["DejaVu Sans", "sans-serif"],
    "text.color": INK,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.dpi": 120,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class CellSize:
    """The size of an image in a grid with its caption, in inches."""

    width: float
    height: float


CELL_SIZES = {  # by the lines of the caption
    0: CellSize(width=1.05, height=0.78),
    1: CellSize(width=1.05, height=1.15),
    2: CellSize(width=1.3, height=1.35),
}
MIN_GRID_WIDTH = 5.5  # inches: room for the title
TITLE_HEIGHT = 0.5  # inches


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that makes and saves figures: STYLE holds while it runs."""
    return matplotlib.rc_context(STYLE)(draw)


def new_panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of that size (width, height) in inches, and its panels row by row."""
    figure = Figure(size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def image_grid(count: int, columns: int, captions: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` empty panels, or a few more to fill the last row.

    Args:
        count: of images.
        columns: images in a row.
        captions: lines of text above each image, 0 to 2.
    """
    rows = max(1, math.ceil(count / columns))
    cell = CELL_SIZES[captions]
    width = max(MIN_GRID_WIDTH, cell.width * columns)
    figure, panels = new_panels(rows, columns, (width, cell.height * rows + TITLE_HEIGHT))
    for panel in panels:
        panel.axis("off")
    return figure, panels


def show_image(panel: Axes, image: np.ndarray) -> None:
    """Draw an image (height, width, 1 or 3) uint8; a grey one as dark ink on white paper."""
    grey = image.shape[-1] == 1
    panel.imshow(255 - image[..., 0] if grey else image, cmap="gray", vmin=0, vmax=255)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG file, whole or not at all."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png")
