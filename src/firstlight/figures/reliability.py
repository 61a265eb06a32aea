"""The reliability diagram: how often answers of each confidence are right."""

import numpy as np

from firstlight.evaluation.calibration import calibration_error
from firstlight.figures.style import ACCENT, INK, PALE, NotebookFigure, styled

BINS = 10


@styled
def reliability_diagram(probabilities: np.ndarray, labels: np.ndarray) -> NotebookFigure:
    """Draw accuracy against confidence, and how many answers have each confidence.

    Guo and others, "On calibration of modern neural networks" (arXiv 1706.04599), figure 1.

    Args:
        probabilities: (N, classes).
        labels: (N,).
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    is_used = counts > 0
    divisor = np.maximum(counts, 1)
    accuracy = np.bincount(bins, right, BINS) / divisor
    mean_confidence = np.bincount(bins, confidence, BINS) / divisor
    figure = NotebookFigure((5.2, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=PALE, lw=1, ls="--", label="confidence = accuracy")
    upper.plot(mean_confidence[is_used], accuracy[is_used], "o-", color=ACCENT, label="the network")
    upper.set(ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1.03))
    upper.legend(loc="upper left", fontsize=8)
    upper.set_title(f"expected calibration error {calibration_error(probabilities, labels):.2%}")
    lower.bar((np.arange(BINS) + 0.5) / BINS, counts, 0.8 / BINS, color=INK)
    lower.set(xlabel="confidence", ylabel="answers")
    return figure
