"""Calibration: a known temperature is found again, and the threshold keeps its promise."""

import numpy as np
import pytest

from firstlight.evaluation.calibration import (
    MAX_ERROR_RATE,
    MIN_THRESHOLD,
    calibrate,
    calibration_error,
)
from firstlight.probabilities import softmax

CLASSES = ("0", "1", "2", "none")


def draw(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are too confident (above 1) or too modest by that factor, and labels."""
    random = np.random.default_rng(0)
    true = random.normal(0, 8, (count, len(CLASSES))).astype(np.float32)
    labels = (softmax(true).cumsum(1) > random.random((count, 1))).argmax(1).astype(np.int32)
    return true * temperature, labels


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_is_found(temperature: float) -> None:
    calibration = calibrate(*draw(temperature), CLASSES)
    before, after = calibration.calibration_error
    assert calibration.temperature == pytest.approx(temperature, rel=0.05)
    assert after < 0.01
    if temperature != 1:
        assert before > 5 * after


def test_few_of_the_answers_above_the_threshold_are_wrong() -> None:
    logits, labels = draw(1.0)
    calibration = calibrate(logits, labels, CLASSES)
    probabilities = softmax(logits / calibration.temperature)
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    answered = (labels != 3) & (confidence >= calibration.threshold)
    error_rate = float((predicted != labels)[answered].mean())
    assert error_rate == pytest.approx(calibration.error_rate, abs=2e-4)
    assert 0 < error_rate <= MAX_ERROR_RATE < float((predicted != labels).mean())
    assert 0.2 < calibration.coverage < 1


def test_an_answer_is_more_likely_right_than_wrong() -> None:
    logits = np.array([[9.0, 0, 0, 0]] * 10, np.float32)
    calibration = calibrate(logits, np.zeros(10, np.int32), CLASSES)
    assert calibration.threshold >= MIN_THRESHOLD


def test_a_network_that_is_always_wrong_gives_no_answers() -> None:
    logits = np.array([[9.0, 0, 0, 0]] * 10, np.float32)
    calibration = calibrate(logits, np.ones(10, np.int32), CLASSES)
    assert calibration.threshold == 1 or calibration.coverage == 0


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32)
    # Confidence 0.9 and half right: 0.4 off; confidence 0.6 and all right: 0.4 off.
    assert calibration_error(probabilities, np.array([0, 1, 0, 0])) == pytest.approx(0.4)
