"""Probabilities that are true: the temperature that was put in is found, the threshold holds."""

import numpy as np
import pytest

from firstlight.evaluation.calibration import LEAST, WRONG, calibrate, calibration_error
from firstlight.probabilities import softmax

CLASSES = ("0", "1", "2", "none")


def drawn(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure (above 1) or too modest by that factor, and labels drawn by them."""
    random = np.random.default_rng(0)
    true = random.normal(0, 8, (count, len(CLASSES))).astype(np.float32)
    labels = (softmax(true).cumsum(1) > random.random((count, 1))).argmax(1).astype(np.int32)
    return true * temperature, labels


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_is_found(temperature: float) -> None:
    logits, labels = drawn(temperature)
    facts = calibrate(logits, labels, CLASSES)
    assert facts["temperature"] == pytest.approx(temperature, rel=0.05)
    assert facts["calibration_error"][1] < 0.01
    if temperature != 1:
        assert facts["calibration_error"][0] > 5 * facts["calibration_error"][1]


def test_few_of_the_answers_told_are_wrong() -> None:
    logits, labels = drawn(1.0)
    facts = calibrate(logits, labels, CLASSES)
    probabilities = softmax(logits / facts["temperature"])
    predicted, sure = probabilities.argmax(1), probabilities.max(1)
    told = (labels != 3) & (sure >= facts["threshold"])
    wrong = float((predicted != labels)[told].mean())
    assert wrong == pytest.approx(facts["wrong"], abs=2e-4)
    assert 0 < facts["wrong"] <= WRONG < float((predicted != labels).mean())
    assert 0.2 < facts["told"] < 1


def test_an_answer_is_at_least_likelier_than_not() -> None:
    sure = np.array([[9.0, 0, 0, 0]] * 10, np.float32)
    assert calibrate(sure, np.zeros(10, np.int32), CLASSES)["threshold"] >= LEAST


def test_nothing_is_told_by_a_network_that_is_always_wrong() -> None:
    logits = np.array([[9.0, 0, 0, 0]] * 10, np.float32)
    facts = calibrate(logits, np.ones(10, np.int32), CLASSES)
    assert facts["threshold"] == 1 or facts["told"] == 0


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32)
    # 0.9 sure and half right: 0.4 off; 0.6 sure and all right: 0.4 off.
    assert calibration_error(probabilities, np.array([0, 1, 0, 0])) == pytest.approx(0.4)
