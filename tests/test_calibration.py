"""Calibration: a known temperature is found again, and the threshold keeps its promise."""

import numpy as np
import pytest

from firstlight.evaluation.calibration import (
    MAX_ERROR_RATE,
    MIN_EXAMPLES,
    MIN_THRESHOLD,
    calibrate,
    calibration_error,
    cross_entropy,
    fit_temperature,
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


def same(count: int, label: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits that are sure of class 0, and labels that are all the same."""
    return np.array([[9.0, 0, 0, 0]] * count, np.float32), np.full(count, label, np.int32)


def test_an_answer_is_more_likely_right_than_wrong() -> None:
    calibration = calibrate(*same(100, label=0), CLASSES)
    assert calibration.threshold >= MIN_THRESHOLD


def test_a_network_that_is_always_wrong_gives_no_answers() -> None:
    calibration = calibrate(*same(100, label=1), CLASSES)
    assert calibration.threshold == 1 and calibration.coverage == 0
    assert calibration.error_rate == 0 and calibration.error_interval95 == (0, 1)


@pytest.mark.parametrize("count", [1, 100])
def test_images_of_no_digit_alone_have_no_coverage(count: int) -> None:
    calibration = calibrate(*same(count, label=CLASSES.index("none")), CLASSES)
    assert (calibration.images, calibration.answers, calibration.wrong) == (0, 0, 0)
    written = calibration.to_json()
    assert (written["coverage"], written["error_rate"]) == (0, 0)
    assert written["error_interval95"] == [0, 1]


@pytest.mark.parametrize("count", [1, 3, MIN_EXAMPLES - 1])
def test_too_few_images_do_not_calibrate(count: int) -> None:
    calibration = calibrate(*draw(3.0, count), CLASSES)
    assert (calibration.temperature, calibration.threshold) == (1, MIN_THRESHOLD)
    assert calibration.problem is not None and str(MIN_EXAMPLES) in calibration.problem
    assert calibration.calibration_error[0] == calibration.calibration_error[1]
    assert calibrate(*draw(3.0, MIN_EXAMPLES), CLASSES).temperature > 1.5  # and enough images do


@pytest.mark.parametrize("label", [0, 1])
def test_a_temperature_at_the_edge_of_its_range_is_not_one(label: int) -> None:
    """The lower edge if every answer is right, the upper edge if every answer is wrong."""
    calibration = calibrate(*same(1000, label), CLASSES)
    assert calibration.temperature == 1
    assert calibration.to_json()["calibrated"] is False
    assert calibration.problem == "the best temperature is outside of 0.05 to 20"


@pytest.mark.parametrize("temperature", [1.0, 1.2, 3.0])
def test_a_temperature_seldom_harms_images_that_it_was_not_fitted_on(temperature: float) -> None:
    logits, labels = draw(temperature)
    before = cross_entropy(logits, labels)
    harmful = used = 0
    for part in np.split(np.arange(len(labels)), 200):
        fitted, _ = fit_temperature(logits[part], labels[part])
        used += fitted != 1
        harmful += cross_entropy(logits / fitted, labels) > 1.01 * before
    assert harmful <= 0.05 * 200
    if temperature == 3:
        assert used > 0.8 * 200


def test_no_mistake_among_a_few_answers_is_no_promise_of_none() -> None:
    logits, _ = draw(1.0, 60)
    calibration = calibrate(logits, softmax(logits).argmax(1).astype(np.int32), CLASSES)
    assert calibration.wrong == calibration.error_rate == 0 and calibration.answers > 30
    low, high = calibration.error_interval95
    assert low == 0 and 0.05 < high < 0.15


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], np.float32)
    # Confidence 0.9 and half right: 0.4 off; confidence 0.6 and all right: 0.4 off.
    assert calibration_error(probabilities, np.array([0, 1, 0, 0])) == pytest.approx(0.4)
