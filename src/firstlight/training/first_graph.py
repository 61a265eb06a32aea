"""The verb `first-graph`: trains the first graph on MNIST, and leaves a run folder.

The run's model is saved as the network `softmax`, which is the same computation. So `evaluate` and
every later verb can use the run.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TextIO

import numpy as np

from firstlight import catalog, first_graph, model
from firstlight.datasets import Examples, mnist
from firstlight.recipe import Recipe
from firstlight.runs import card
from firstlight.runs.documents import LoggedStep, ModelInfo, TrainingResult
from firstlight.runs.run import Run
from firstlight.settings import Plan, Settings


@dataclass(frozen=True)
class FirstRun:
    """The run of the first graph, and its predictions for the test images."""

    run: Run
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
        command: the command that the user gave, for run.json; "" from Python.
        on_cost: is called after each step with its number, counting from 1, and its cost.

    Raises:
        DataError: the images are damaged.
        FirstlightError: the cost is not a number.
    """
    recipe = Recipe(steps=steps, batch_size=batch_size, learning_rate=learning_rate)
    settings = Settings(
        network="first-graph",
        data="mnist",
        recipe=recipe,
        seed=seed,
        sha256=mnist.SHA256,
        command=command,
    )
    examples, test = mnist.load("train"), mnist.load("test")
    plan = Plan(settings, catalog.network("softmax"), catalog.dataset("mnist"))
    run = Run.create(plan, total_steps=steps)
    with run.metrics_file.open("w", encoding="utf-8") as file:
        log = CostLog(file, recipe, len(examples), on_cost)
        weights, biases, logits = first_graph.train(
            examples,
            test.images[:],
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            on_cost=log.step,
        )
    # The network `softmax` keeps its weights transposed: a row for each digit.
    arrays = {"layer1/kernel": weights.T, "layer1/bias": biases}
    model.save(run, ModelInfo("softmax", mnist.CLASSES, "digits"), arrays)
    predicted = logits.argmax(1)
    result = TrainingResult(
        network="first-graph",
        data="mnist",
        steps=steps,
        first_cost=log.first_cost,
        final_cost=log.last_cost,
        test_accuracy=float(np.mean(predicted == test.labels)),
        seconds=log.seconds(),
        run=str(run.folder),
    )
    write_results(run, result, examples)
    return FirstRun(run, predicted, test.labels)


class CostLog:
    """Writes each step's cost into metrics.jsonl."""

    def __init__(
        self,
        file: TextIO,
        recipe: Recipe,
        examples: int,
        on_cost: Callable[[int, float], None],
    ) -> None:
        self.file, self.recipe, self.examples, self.on_cost = file, recipe, examples, on_cost
        self.began = time.monotonic()
        self.first_cost = self.last_cost = math.nan

    def seconds(self) -> float:
        return round(time.monotonic() - self.began, 3)

    def step(self, step: int, cost: float) -> None:
        if step == 1:
            self.first_cost = cost
        self.last_cost = cost
        logged = LoggedStep(
            step=step,
            epoch=round(step * self.recipe.batch_size / self.examples, 4),
            split="train",
            loss=cost,
            accuracy=None,
            lr=self.recipe.learning_rate,
            seconds=self.seconds(),
        )
        self.file.write(json.dumps(logged.to_json()) + "\n")
        self.on_cost(step, cost)


def write_results(run: Run, result: TrainingResult, examples: Examples) -> None:
    """Write the result, the model card and the figures into the run folder."""
    from firstlight.figures.training import draw_training  # matplotlib takes 0.3 s to import

    run.write_record(replace(run.record(), result=result))
    card.write(run, (28, 28, 1), result)
    draw_training(run, examples, "mnist", mnist.CLASSES)
