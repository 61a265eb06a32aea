"""How figures look: colours and fonts, whatever the user's own matplotlib settings.

STYLE holds only while a function with the decorator `styled` runs: importing firstlight, and
drawing with it, leaves the user's settings as they are.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from firstlight.runs.files import atomic_write

P = ParamSpec("P")
R = TypeVar("R")

INK, PALE, ACCENT, WARNING = "#1f2933", "#9aa5b1", "#2f6fed", "#d1495b"
GREY_TEXT = "#6b7785"
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


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that draws or renders a figure: STYLE holds while it runs."""
    return matplotlib.style.context(["default", STYLE])(draw)


class NotebookFigure(Figure):
    """A figure that a notebook shows. Others are shown only if pyplot has made them."""

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG: Jupyter calls this for the value of a cell."""
        return as_png(self)


def new_panels(
    rows: int, columns: int, size: tuple[float, float]
) -> tuple[NotebookFigure, list[Axes]]:
    """Return a figure of that size (width, height) in inches, and its panels row by row."""
    figure = NotebookFigure(size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


@styled
def as_png(figure: Figure) -> bytes:
    """Return the figure as the content of a PNG file."""
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG file, whole or not at all."""
    with atomic_write(path) as file:
        file.write(as_png(figure))
