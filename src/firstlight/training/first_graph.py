"""The verb `first-graph`: MNIST into the first graph, a run folder out.

The run's model is saved as the network `softmax`, which is the same computation. So `evaluate` and
every later verb take the run.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from firstlight import first_graph, model
from firstlight.datasets import mnist
from firstlight.recipe import Recipe
from firstlight.runs import card
from firstlight.runs.documents import LoggedStep, ModelInfo, TrainingResult
from firstlight.runs.run import Run
from firstlight.settings import Settings


@dataclass(frozen=True)
class FirstRun:
    """What the first graph learned, and what it answers to the test images."""

    result: TrainingResult
    predicted: np.ndarray  # (10000,)
    labels: np.ndarray  # (10000,)


def train(
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    command: str = "",
    on_cost: Callable[[int, float], None] = lambda step, cost: None,
) -> FirstRun:
    """Train and measure the first graph; leave a run folder.

    Args:
        on_cost: is called with each step, counting from 1, and its cost.

    Raises:
        DataError: the images are damaged.
        FirstlightError: the cost is not a number.
    """
    from firstlight.figures.training import draw_training  # matplotlib takes 0.3 s to import

    examples, test = mnist.load("train"), mnist.load("test")
    settings = Settings(
        network="first-graph",
        data="mnist",
        recipe=Recipe(steps=steps, batch_size=batch_size, learning_rate=learning_rate),
        seed=seed,
        sha256=mnist.SHA256,
        command=command,
    )
    run = Run.create(settings, total_steps=steps)
    costs: list[float] = []
    began = time.monotonic()
    with run.metrics_file.open("w", encoding="utf-8") as log:

        def log_cost(step: int, cost: float) -> None:
            costs.append(cost)
            logged = LoggedStep(
                step=step,
                epoch=round(step * batch_size / len(examples), 4),
                split="train",
                loss=cost,
                accuracy=None,
                lr=learning_rate,
                seconds=round(time.monotonic() - began, 3),
            )
            log.write(json.dumps(logged.to_json()) + "\n")
            on_cost(step, cost)

        weights, biases, logits = first_graph.train(
            examples,
            test.images[:],
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            on_cost=log_cost,
        )
    # The network `softmax` keeps its weights transposed: a row for each digit.
    arrays = {"layer1/kernel": weights.T, "layer1/bias": biases}
    model.save(run, ModelInfo("softmax", mnist.CLASSES, "digits"), arrays)
    predicted = logits.argmax(1)
    result = TrainingResult(
        network="first-graph",
        data="mnist",
        steps=steps,
        first_cost=costs[0],
        final_cost=costs[-1],
        test_accuracy=float(np.mean(predicted == test.labels)),
        seconds=round(time.monotonic() - began, 3),
        run=str(run.folder),
    )
    run.write_record(replace(run.record(), result=result))
    card.write(run, (28, 28, 1), result)
    draw_training(run, examples, "mnist", mnist.CLASSES)
    return FirstRun(result, predicted, test.labels)
