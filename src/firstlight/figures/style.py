"""How figures look: colours and fonts.

STYLE holds only while a function with the decorator `styled` runs: importing firstlight, and
drawing with it, leaves the user's own matplotlib settings as they are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
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
    """Decorate a function that makes and saves figures: STYLE holds while it runs."""
    return matplotlib.rc_context(STYLE)(draw)


def new_panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of that size (width, height) in inches, and its panels row by row."""
    figure = Figure(size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG file, whole or not at all."""
    with atomic_write(path) as file:
        figure.savefig(file, format="png")
