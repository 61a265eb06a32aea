"""The first lesson: the graph is as it says, its cost falls, a wrong feed is explained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import firstlight as fl
from firstlight import first_graph
from firstlight.datasets import mnist
from firstlight.errors import FirstlightError, UsageError


def test_the_graph_has_the_lessons_names_and_shapes() -> None:
    graph = first_graph.build().graph
    for name, shape in {
        "input": (100, 784),
        "labels": (100, 10),
        "layer1_weights": (784, 10),
        "layer1_biases": (10,),
        "logits": (100, 10),
        "cost": (),
    }.items():
        tensor = graph.get_tensor_by_name(f"{name}:0")
        assert tuple(tensor.shape) == shape or tensor.dtype == tf.resource
    types = {op.type for op in graph.get_operations()}
    assert {"Placeholder", "MatMul", "AddV2", "SoftmaxCrossEntropyWithLogits", "Mean"} <= types
    assert "optimizer" in {op.name for op in graph.get_operations()}


def test_its_cost_falls_as_the_lesson_says() -> None:
    costs: list[float] = []
    test = mnist.load("test")
    learned = first_graph.train(
        mnist.load("train"), test.images[:], on_cost=lambda step, cost: costs.append(cost)
    )
    logits = learned.test_logits
    assert len(costs) == 1000
    assert 9 < costs[0] < 17 and 2 < costs[-1] < 5
    assert logits.shape == (10_000, 10)
    assert np.mean(logits.argmax(1) == test.labels) > 0.35  # a tenth by chance


def test_predictions_do_not_depend_on_the_batch_size() -> None:
    examples, images = mnist.load("val"), mnist.load("test").images[:250]
    by_7, by_100 = (
        first_graph.train(
            examples, images, steps=1, batch_size=size, learning_rate=1e-9
        ).test_logits
        for size in (7, 100)
    )
    assert by_7.shape == (250, 10)
    np.testing.assert_allclose(by_7, by_100, rtol=1e-3, atol=1e-3)


IMAGES, LABELS = np.zeros((100, 784)), np.zeros((100, 10))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input": IMAGES}, r"misses a placeholder: placeholder 'labels', .* float32 \(100, 10\)"),
        ({"image": IMAGES, "labels": LABELS}, r"no placeholder 'image' .* 'input', which expects"),
        (
            {"input": IMAGES[:50], "labels": LABELS},
            r"'input', .* \(100, 784\) was fed .* \(50, 784",
        ),
        (
            {"input": IMAGES, "labels": LABELS[0]},
            r"'labels', which expects float32 \(100, 10\) was",
        ),
        ({"input": np.full((100, 784), "1"), "labels": LABELS}, "'input'.* was fed <U1"),
    ],
)
def test_a_wrong_feed_names_the_placeholder_and_what_it_expects(
    values: dict[str, np.ndarray], message: str
) -> None:
    graph = first_graph.build().graph
    with pytest.raises(UsageError, match=message) as error:
        first_graph.feed(graph, **values)
    assert "\n" not in str(error.value)


def test_a_cost_that_is_no_number_stops_it() -> None:
    with pytest.raises(FirstlightError, match="lower the learning rate"):
        first_graph.train(mnist.load("val"), IMAGES[:1], steps=20, learning_rate=1e38)


def test_a_look_at_the_weights_before_the_first_step_and_after_each_hundred() -> None:
    looks: dict[int, np.ndarray] = {}
    learned = first_graph.train(
        mnist.load("val"),
        IMAGES[:1],
        steps=250,
        on_weights=lambda step, weights, biases: looks.update({step: weights}),
    )
    assert [*looks] == [0, 100, 200, 250]
    assert np.array_equal(looks[250], learned.weights)
    assert not np.array_equal(looks[0], looks[100])


def test_validation_is_logged_as_the_session_would_measure_it(here: Path) -> None:
    seen: list[tuple[int, float, float]] = []
    first = fl.train_first_graph(
        steps=120, lr=0.1, on_validation=lambda *measured: seen.append(measured)
    )
    logged = [each for each in first.run.metrics() if each.split == "val"]
    assert [(each.step, each.loss, each.accuracy) for each in logged] == seen
    assert [step for step, *_ in seen] == [0, 100, 120]
    evaluation = first.evaluate(split="val", quiet=True)
    assert first.run.validation_accuracy == pytest.approx(evaluation.accuracy, abs=1e-3)
    assert first.run.history["split"].count("train") == 120
    val = mnist.load("val")
    probabilities = first.run.predict(val.images[:])[np.arange(len(val)), val.labels]
    assert logged[-1].loss == pytest.approx(-np.log(probabilities).mean(), rel=1e-3)


def test_a_huge_cost_on_validation_is_still_a_number() -> None:
    from firstlight.training.first_graph import measure

    cost, accuracy = measure(np.array([[1e6, 0.0], [0.0, 1e6]], np.float32), np.array([1, 1]))
    assert (cost, accuracy) == (5e5, 0.5)


def test_the_accuracy_is_on_all_test_images(here: Path) -> None:
    first = fl.train_first_graph(steps=20)
    assert first.accuracy == first.run.result.test_accuracy == first.evaluate(quiet=True).accuracy
    assert first._repr_html_() == first.run._repr_html_()
    assert "predicted" not in repr(first)


def test_it_trains_on_the_first_images_alone(here: Path) -> None:
    first = fl.train_first_graph(steps=200, lr=0.5, limit=50)
    record = json.loads((first.run.folder / "run.json").read_text("utf-8"))
    assert record["limit"] == 50
    assert first.run.history["epoch"][-1] == 200 * 100 / 50
    few = mnist.load("train").first(50)
    assert (first.run.predict(few.images[:]).argmax(1) == few.labels).all()  # learned by heart
    assert first.accuracy < 0.8


@pytest.mark.parametrize("limit", [0, -3, 2.5, "many"])
def test_a_wrong_limit_is_refused_before_anything_is_made(limit: Any, here: Path) -> None:
    with pytest.raises(UsageError, match="limit is"):
        fl.train_first_graph(limit=limit)
    assert not list(here.iterdir())


def test_its_result_is_taken_wherever_a_run_is(here: Path) -> None:
    first = [fl.train_first_graph(steps=2, lr=lr) for lr in (0.01, 1)]
    figure = fl.learning_curves(first)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"lr 0.01", "lr 1"}
    assert fl.learning_curves(first[0], split="both").axes
    assert fl.compare(*first, quiet=True).runs == tuple(str(each.run.folder) for each in first)
    with pytest.raises(UsageError, match=r"runs is \[\]; it must be a run"):
        fl.learning_curves([])
