"""What TensorBoard shows of a run, read with TensorBoard's own reader."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from firstlight.runs.run import Run
from firstlight.training import events, first_graph
from firstlight.training.events import event_writer


def shown(run: Run) -> Any:
    """Return what TensorBoard reads from a run folder."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    # All points of a curve; by default it keeps a sample.
    accumulator = EventAccumulator(str(run.folder / "events"), size_guidance={"tensors": 0})
    return accumulator.Reload()


def curve(accumulator: Any, name: str) -> list[tuple[int, float]]:
    """Return the steps and the values of a chart."""
    return [
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in accumulator.Tensors(name)
    ]


def operations(accumulator: Any) -> set[str]:
    """Return the names of the graph's operations and of the scopes they are in."""
    names = [node.name.split("/") for node in accumulator.Graph().node]
    return {"/".join(parts[:depth]) for parts in names for depth in range(1, len(parts) + 1)}


def test_a_training_shows_its_graph_and_its_curves(run: Run) -> None:
    accumulator = shown(run)
    names = operations(accumulator)
    assert {"image", "labels", "cost"} <= names
    assert any("hidden" in name for name in names)
    for split in ("train", "val"):
        logged = [step for step in run.metrics() if step.split == split]
        losses = [(step.step, pytest.approx(step.loss, rel=1e-5)) for step in logged]
        accuracies = [(step.step, pytest.approx(step.accuracy, abs=1e-5)) for step in logged]
        assert curve(accumulator, f"{split}/loss") == losses
        assert curve(accumulator, f"{split}/accuracy") == accuracies


def test_the_first_graph_shows_the_operations_that_the_lesson_names(here: Path) -> None:
    first_graph.train(steps=3, batch_size=100, learning_rate=0.01, seed=0)
    run = Run(here / "runs" / "first-graph-mnist-1")
    accumulator = shown(run)
    assert {"input", "labels", "layer1_weights", "matmul", "cost"} <= operations(accumulator)
    for split, count in (("train", 3), ("val", 2)):
        logged = [step for step in run.metrics() if step.split == split]
        costs = [(step.step, pytest.approx(step.loss, rel=1e-5)) for step in logged]
        assert curve(accumulator, f"{split}/loss") == costs and len(costs) == count
    accuracies = [(step.step, pytest.approx(step.accuracy, abs=1e-5)) for step in logged]
    assert curve(accumulator, "val/accuracy") == accuracies


def test_without_the_extra_nothing_is_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "find_spec", lambda name: None)
    assert event_writer(Run(here)) is None
    first_graph.train(steps=1, batch_size=100, learning_rate=0.01, seed=0)
    assert not (here / "runs" / "first-graph-mnist-1" / "events").exists()
