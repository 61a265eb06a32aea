"""The recogniser: a model of digits that predicts which digit an image shows."""

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firstlight.errors import UsageError
from firstlight.onnx_model import OnnxModel
from firstlight.probabilities import softmax

DIGITS_MODEL = Path(__file__).parent / "digits.onnx"
NOT_A_DIGIT = "none"  # the class of letters, of pieces of digits and of two digits in one
# A fifth of the training images show no digit, but nearly all images that the reader cuts out of a
# picture show one. This is the ratio of the two prior probabilities of "none".
NOT_A_DIGIT_PRIOR_RATIO = 0.05
DIGIT_INPUT = (28, 28, 1)


class Recognizer:
    """A model of digits whose probabilities are calibrated and adjusted to what a reader cuts out.

    The logits are divided by the temperature (see evaluation/calibration.py), because the reader
    compares probabilities with a threshold. The prior probability of "none" is lowered: the
    logarithm of the ratio is added to its logit (Saerens, Latinne and Decaestecker, "Adjusting the
    outputs of a classifier to new a priori probabilities", Neural Computation 14, 2002).
    """

    def __init__(self, model: OnnxModel) -> None:
        self._model = model
        self._is_digit = np.array([name != NOT_A_DIGIT for name in model.classes])
        ratios = np.where(self._is_digit, 1.0, NOT_A_DIGIT_PRIOR_RATIO)
        self._log_ratios = np.log(ratios).astype(np.float32)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._model.classes

    @property
    def threshold(self) -> float:
        """The confidence below which a digit is reported as unsure."""
        return self._model.metadata.threshold

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities (n, classes) of images (n, 28, 28, 1), 0..255, in one batch."""
        calibrated = self._model.logits(images) / np.float32(self._model.metadata.temperature)
        return softmax(calibrated + self._log_ratios)

    def digits_and_none(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of the ten digits and of "none", (11,), in this order."""
        none = probabilities[~self._is_digit].sum(keepdims=True)
        return np.concatenate([probabilities[self._is_digit], none])


@functools.cache
def recognizer(path: Path) -> Recognizer:
    """Open a model of digits; the same path again gives the same model.

    Raises:
        DataError: the file does not exist, or is not an ONNX model.
        UsageError: the model was not written by `firstlight export`, or is not a model of digits.
    """
    model = OnnxModel(path, is_ours=path == DIGITS_MODEL)
    if (model.input, model.image_kind) != (DIGIT_INPUT, "digits"):
        size = "×".join(map(str, model.input))
        raise UsageError(
            f"{path} takes {model.image_kind} {size}: not a model of digits, which are 28×28×1"
        )
    return Recognizer(model)
