"""How figures look: colours and fonts, whatever the user's own matplotlib settings.

The style holds only while a function with the decorator `styled` runs: importing firstlight, and
drawing with it, leaves the user's settings as they are. matplotlib's settings belong to the whole
process, so one thread draws at a time.
"""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.layout_engine import ConstrainedLayoutEngine

from firstlight.figures.text import DOTS_PER_INCH
from firstlight.runs.files import atomic_write

P = ParamSpec("P")
R = TypeVar("R")

INK, PALE, ACCENT, WARNING = "#1f2933", "#9aa5b1", "#2f6fed", "#d1495b"
GREY_TEXT = "#6b7785"
MISTAKES = LinearSegmentedColormap.from_list("mistakes", ["#f5d3d8", WARNING])  # from one to most
FOR_AND_AGAINST = LinearSegmentedColormap.from_list("weights", [WARNING, "#ffffff", ACCENT])
# matplotlib brings the first. The others have Chinese, Japanese and Korean characters.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei")
STYLE: Any = {
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.dpi": DOTS_PER_INCH,
    "legend.frameon": False,
}
# Re-entrant: functions with the style call one another.
_drawing = threading.RLock()


@contextmanager
def _style() -> Iterator[None]:
    """Let STYLE hold in this context. A character that no font has becomes a box, silently."""
    installed = {"font.family": [name for name in FONTS if name in get_font_names()]}
    settings = matplotlib.style.context(["default", STYLE, installed])
    with _drawing, warnings.catch_warnings(), settings:
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that draws or renders a figure: the style holds while it runs."""
    return _style()(draw)


class NotebookFigure(Figure):
    """A figure that a notebook shows. Others are shown only if pyplot has made them."""

    def __repr__(self) -> str:
        width, height = self.bbox.size
        return f"<figure {round(width)}×{round(height)}>"

    def savefig(self, fname: Any, **settings: Any) -> None:
        """Write the figure into a file as a notebook shows it, whatever the user's settings.

        Args:
            fname: a path, whose ending is the format (.png, .svg, .pdf), or an open file.
            settings: those of matplotlib's `savefig`.
        """
        with _style():
            super().savefig(fname, **settings)

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG: Jupyter calls this for the value of a cell."""
        return as_png(self)


def new_panels(
    rows: int, columns: int, size: tuple[float, float], header: float = 0.0
) -> tuple[NotebookFigure, list[Axes]]:
    """Return a figure of that size (width, height) in inches, and its panels row by row.

    Args:
        header: the height, in inches, that stays free above the panels.
    """
    below_header = (0, 0, 1, 1 - header / size[1])
    figure = NotebookFigure(size, layout=ConstrainedLayoutEngine(rect=below_header))
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
