"""How figures look: colours, type, grids of images."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from firstlight.runs.files import whole

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
matplotlib.rcParams.update(STYLE)


def new_panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def image_grid(count: int, columns: int, captions: int = 1) -> tuple[Figure, list[Axes]]:
    """Empty panels for so many images, with lines of text above; surplus ones stay invisible."""
    rows = max(1, -(-count // columns))
    height = (0.78, 1.15, 1.35)[captions] * rows + 0.5
    width = (1.05, 1.05, 1.3)[captions] * columns
    figure, panels = new_panels(rows, columns, (max(5.5, width), height))
    for panel in panels:
        panel.axis("off")
    return figure, panels


def show_image(panel: Axes, image: np.ndarray) -> None:
    """An image (height, width, 1 or 3) uint8; a grey one is shown as dark ink on white paper."""
    grey = image.shape[-1] == 1
    panel.imshow(255 - image[..., 0] if grey else image, cmap="gray", vmin=0, vmax=255)


def save_figure(figure: Figure, path: Path) -> None:
    with whole(path) as file:
        figure.savefig(file, format="png")
