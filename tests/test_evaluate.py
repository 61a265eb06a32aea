"""Accuracy and what it is made of."""

from pathlib import Path

import numpy as np
import pytest

from firstlight import catalog, model
from firstlight.datasets import mnist
from firstlight.errors import DataError, UsageError
from firstlight.evaluation.accuracy import evaluate, interval95, summary
from firstlight.probabilities import softmax
from firstlight.runs.run import Run, existing
from firstlight.settings import prepare
from firstlight.training import loop


@pytest.fixture
def run(digits: Path, here: Path) -> Run:
    loop.train(prepare("mlp", str(digits), "", 0, 0, None, epochs=2), here / "run", quiet=True)
    return existing(here / "run")


def test_a_summary_adds_up() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.99, 0.01]])
    facts = summary(probabilities, np.array([0, 1, 0, 1]))
    assert facts["examples"] == 4 and facts["correct"] == 2 and facts["accuracy"] == 0.5
    assert facts["confusion"] == [[1, 1], [1, 1]]
    assert [m["index"] for m in facts["mistakes"]] == [3, 2]  # the surest first
    assert facts["mistakes"][0] == {"index": 3, "label": 1, "predicted": 0, "confidence": 0.99}
    assert "top5" not in facts


def test_many_classes_have_a_top5() -> None:
    probabilities = np.tile(np.linspace(0, 1, 12), (2, 1))
    assert summary(probabilities, np.array([7, 6]))["top5"] == 0.5


@pytest.mark.parametrize(("correct", "examples"), [(9, 10), (0, 10), (10, 10), (9912, 10_000)])
def test_the_interval_holds_what_is_within_two_deviations(correct: int, examples: int) -> None:
    for bound in interval95(correct, examples):  # Wilson's definition of a bound
        deviation = (bound * (1 - bound) / examples) ** 0.5
        assert abs(correct / examples - bound) == pytest.approx(1.959964 * deviation, abs=1e-7)


def test_evaluation_of_a_run_is_what_its_network_answers(run: Run, digits: Path) -> None:
    facts, examples, probabilities = evaluate([run], "", "test")
    network, _ = model.load(run)
    logits = network(examples.images).numpy()
    np.testing.assert_allclose(probabilities, softmax(logits), atol=1e-6)
    assert facts["correct"] == np.sum(logits.argmax(1) == examples.labels)
    assert sum(map(sum, facts["confusion"])) == facts["examples"] == 100
    assert facts["accuracy"] > 0.4


def test_an_ensemble_averages_probabilities(run: Run, digits: Path, here: Path) -> None:
    settings = prepare("softmax", str(digits), "", 0, 0, None, steps=20)
    loop.train(settings, here / "other", quiet=True)
    other = existing(here / "other")
    both = evaluate([run, other], "", "test")[2]
    alone = [evaluate([one], "", "test")[2] for one in (run, other)]
    np.testing.assert_allclose(both, np.mean(alone, axis=0), atol=1e-6)


def test_softmax_survives_huge_logits() -> None:
    answers = softmax(np.array([[1e4, 0.0], [-1e4, -1e4]]))
    np.testing.assert_allclose(answers, [[1, 0], [0.5, 0.5]])


def test_a_run_of_other_classes_is_refused(run: Run, here: Path) -> None:
    arrays = model.arrays(catalog.network("mlp").build(3))
    model.save(run, "mlp", mnist.CLASSES[:3], "digits", arrays)
    with pytest.raises(UsageError, match=r"knows the classes 0, 1, 2; mnist has 0, 1, .*, 9"):
        evaluate([run], "mnist", "test")


def test_a_run_may_know_more_classes_than_the_data_has(run: Run, here: Path) -> None:
    classes = (*mnist.CLASSES, "none")
    model.save(run, "mlp", classes, "digits", model.arrays(catalog.network("mlp").build(11)))
    facts, examples, probabilities = evaluate([run], "mnist", "val")
    assert probabilities.shape == (5000, 11)
    right = (probabilities.argmax(1) == examples.labels).sum()  # "none" is wrong for a digit
    assert facts["correct"] == right


def test_weights_of_another_network_are_refused(run: Run) -> None:
    arrays = model.arrays(catalog.network("softmax").build(10))
    model.save(run, "mlp", mnist.CLASSES, "digits", arrays)
    with pytest.raises(DataError, match="does not fit the network: the file lacks hidden/bias"):
        model.load(run)


def test_a_missing_run_names_those_there_are(run: Run, here: Path) -> None:
    with pytest.raises(DataError, match=r"no run at .*rnu; runs in .*: run"):
        existing(here / "rnu")
