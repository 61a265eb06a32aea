"""The check that every exported file must pass."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from firstlight.errors import ExportError
from firstlight.evaluation.accuracy import predictor

LARGEST_DIFFERENCE = 1e-4  # of a logit: rounding, in another order of the sums
_BATCH = 50  # EXAMPLES is no multiple of it: the last batch is shorter, and must be taken too

Ends = dict[str, tuple[str, tuple[int | None, ...]]]  # inputs or outputs: name → type, shape


class Opened(NamedTuple):
    """An exported file, as the program that opened it sees it."""

    inputs: Ends
    outputs: Ends
    logits: Callable[[np.ndarray], np.ndarray]  # images (N, *INPUT) uint8 → (N, classes)


def compared(opened: Opened, network: keras.Model, images: np.ndarray) -> float:
    """The largest difference between the file's logits and the network's.

    Raises ExportError if it is too large, an answer is another, or the ends are not as promised.
    """
    image, logits = ("uint8", network.input_shape), ("float32", network.output_shape)
    if (opened.inputs, opened.outputs) != ({"image": image}, {"logits": logits}):
        raise ExportError(f"it takes {opened.inputs} and gives {opened.outputs}")
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    given, wanted = (
        np.concatenate([answer(batch) for batch in batches])
        for answer in (opened.logits, predictor(network))
    )
    difference = float(np.abs(given - wanted).max())
    changed = int((given.argmax(1) != wanted.argmax(1)).sum())
    if changed or not difference <= LARGEST_DIFFERENCE:  # a NaN is not
        raise ExportError(
            f"its logits differ from the network's by up to {difference:.3g} (allowed are "
            f"{LARGEST_DIFFERENCE:g}), its answers to {changed} of {len(images)} images"
        )
    return difference
