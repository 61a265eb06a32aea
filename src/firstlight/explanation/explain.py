"""The verb `explain`: compute what a network looks at in a picture, and draw it.

filters.png or weights.png, maps.png, strongest.png, top_nine.png     features.py, deconvnet.py
occlusion.png                                                         occlusion.py
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from firstlight.explanation.explanation import Explanation, compute_explanation
from firstlight.runs.run import Run
from firstlight.settings import DataChoice


def explain(
    run: Run,
    picture: Path,
    *,
    layers: Sequence[str] = (),
    data: DataChoice = "",
    label: str = "",
    out: Path | None = None,
    quiet: bool = False,
) -> Explanation:
    """Explain what a run's network looks at in a picture, and write that as PNG files.

    Args:
        run: a trained run.
        picture: any picture file.
        layers: the layers to project from; by default several of the convolutions.
        data: the dataset whose validation images the top nine are from; by default the run's own.
        label: the class that occlusion is about; by default the one that the network predicts.
        out: the folder for the PNG files; by default figures/explain/STEM of the run.
        quiet: show no progress.

    Raises:
        UsageError: the network has no such layer or class, or a layer that cannot be explained.
        DataError: the run, the picture or the data is missing or damaged.
    """
    from firstlight.figures.explanation import draw_explanation

    explanation = compute_explanation(
        run, picture, layers=layers, data=data, label=label, quiet=quiet
    )
    files = draw_explanation(explanation, out or run.figures / "explain" / picture.stem)
    return replace(explanation, files=tuple(files))
