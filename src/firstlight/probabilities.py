"""From a network's logits to probabilities, and to the most probable labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Label:
    """One class that a network gives a picture."""

    label: str
    probability: float  # 0..1

    def to_json(self) -> dict[str, Any]:
        return {"label": self.label, "probability": round(self.probability, 6)}


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities (N, classes) of logits (N, classes); each row adds up to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))  # the largest is 1: no overflow
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def top_labels(
    probabilities: NDArray[np.float32], classes: Sequence[str], count: int
) -> tuple[Label, ...]:
    """Return the `count` most probable classes, the most probable first, of one picture.

    Args:
        probabilities: of the classes, (classes,).
    """
    order = np.argsort(-probabilities, kind="stable")[:count]
    return tuple(Label(classes[index], float(probabilities[index])) for index in order)
