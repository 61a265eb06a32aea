"""The check that every exported file must pass: its logits are the network's."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from firstlight.errors import ExportError
from firstlight.model import predictor

MAX_DIFFERENCE = 1e-4  # between two logits: sums in another order are rounded differently
CHECK_BATCH_SIZE = 50  # 256 is not a multiple: the file must take a shorter last batch too

Tensors = dict[str, tuple[str, tuple[int | None, ...]]]  # inputs or outputs: name → type, shape


@dataclass(frozen=True)
class Opened:
    """An exported file, opened by a program that can run it."""

    inputs: Tensors
    outputs: Tensors
    logits: Callable[[np.ndarray], np.ndarray]  # images (N, *INPUT) uint8 → (N, classes)
    batch_size: int = CHECK_BATCH_SIZE  # images that `logits` is given at once


def largest_difference(opened: Opened, network: keras.Model, images: np.ndarray) -> float:
    """Return the largest difference between the file's logits and the network's.

    Raises:
        ExportError: the difference is too large, an answer changes, or inputs or outputs differ.
    """
    inputs = {"image": ("uint8", network.input_shape)}
    outputs = {"logits": ("float32", network.output_shape)}
    if (opened.inputs, opened.outputs) != (inputs, outputs):
        raise ExportError(f"it takes {opened.inputs} and gives {opened.outputs}")
    size = opened.batch_size
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    expected = predictor(network)(images)
    actual = np.concatenate([opened.logits(batch) for batch in batches])
    difference = float(np.abs(actual - expected).max())
    changed = int((actual.argmax(1) != expected.argmax(1)).sum())
    if changed or not difference <= MAX_DIFFERENCE:  # written so that NaN fails too
        raise ExportError(
            f"its logits differ from the network's by up to {difference:.3g} (at most "
            f"{MAX_DIFFERENCE:g} is allowed), its answers for {changed} of {len(images)} images"
        )
    return difference
