"""The picture of a search for a learning rate."""

import numpy as np
from matplotlib.figure import Figure

from firstlight.figures.style import INK, PALE, WARNING, NotebookFigure, styled


@styled
def rate_curve(rates: np.ndarray, losses: np.ndarray, suggestion: float, title: str) -> Figure:
    """Draw losses (n,) against learning rates (n,), and the suggested rate."""
    figure = NotebookFigure((6.5, 3.8), layout="constrained")
    panel = figure.subplots()
    panel.plot(rates, losses, color=INK, lw=1.5)
    panel.axvline(suggestion, color=WARNING, lw=1.5)
    panel.annotate(
        f"suggested: {suggestion:g}",
        (suggestion, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(-5, 0),
        textcoords="offset points",
        color=WARNING,
        ha="right",
    )
    panel.set_xscale("log")
    panel.set(xlabel="learning rate", ylabel="cost (cross entropy, nats)")
    panel.grid(axis="y", color=PALE, alpha=0.3, lw=0.6)
    panel.set_title(f"{title}: the cost as the learning rate rises")
    return figure
