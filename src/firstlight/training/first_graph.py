"""The verb `first-graph`: trains the first graph on MNIST, and leaves a run folder.

The run's model is saved as the network `softmax`, which is the same computation. So `evaluate` and
every later verb can use the run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

import numpy as np

from firstlight import catalog, first_graph, model
from firstlight.datasets import Examples, flat, mnist
from firstlight.images.values import BYTES
from firstlight.recipe import Recipe
from firstlight.runs import card
from firstlight.runs.documents import (
    Evaluation,
    LoggedStep,
    ModelInfo,
    TrainingResult,
    TrainingStatus,
    metrics_line,
)
from firstlight.runs.files import naming
from firstlight.runs.run import Run
from firstlight.settings import Plan, Settings
from firstlight.training.events import event_writer, write_graph, write_scalars


@dataclass(frozen=True)
class FirstRun:
    """The run of the first graph, and its predictions for all test images.

    >>> first = fl.train_first_graph(steps=300)
    >>> first.accuracy == (first.predicted == first.labels).mean()
    True
    """

    run: Run
    predicted: np.ndarray = field(repr=False)  # the digits that it answers, (10000,)
    labels: np.ndarray = field(repr=False)  # the right digits, (10000,)

    @property
    def accuracy(self) -> float:
        """The share of the test images that are answered rightly, 0 to 1."""
        return float(np.mean(self.predicted == self.labels))

    def evaluate(self, **flags: Any) -> Evaluation:
        """Measure accuracy and mistakes: see `firstlight.evaluate`."""
        return self.run.evaluate(**flags)

    def _repr_html_(self) -> str:
        return self.run._repr_html_()


def train(
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    limit: int | None = None,
    command: str = "",
    on_cost: Callable[[int, float], None] = lambda step, cost: None,
    on_validation: Callable[[int, float, float], None] = lambda step, cost, accuracy: None,
) -> FirstRun:
    """Train and measure the first graph; leave a run folder.

    Args:
        limit: the number of training images, the first ones; None for all.
        command: the command that the user gave, for run.json; "" from Python.
        on_cost: is called after each step with its number, counting from 1, and its cost.
        on_validation: is called before the first step, after every 100 steps, and at the end, with
            the number of steps so far, and the cost and the accuracy on the validation images.

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
        limit=limit,
        sha256=mnist.SHA256,
        command=command,
    )
    examples, test = mnist.load("train").first(limit), mnist.load("test")
    plan = Plan(settings, catalog.network("softmax"), catalog.dataset("mnist"))
    run = Run.create(plan, total_steps=steps)
    with naming(run.metrics_file), run.metrics_file.open("w", encoding="utf-8") as file:
        log = TrainingLog(file, recipe, len(examples), on_cost, on_validation)
        learned = first_graph.train(
            examples,
            test.images[:],
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            on_cost=log.step,
            on_weights=log.validate,
        )
    # The network `softmax` keeps its weights transposed: a row for each digit.
    arrays = {"layer1/kernel": learned.weights.T, "layer1/bias": learned.biases}
    model.save(run, ModelInfo("softmax", mnist.CLASSES, "digits", BYTES), arrays)
    first = FirstRun(run, learned.test_logits.argmax(1), test.labels)
    write_results(first, log.status, examples)
    write_events(run)
    return first


class TrainingLog:
    """Writes metrics.jsonl: each step's cost, and now and then what validation measures."""

    def __init__(
        self,
        file: TextIO,
        recipe: Recipe,
        examples: int,
        on_cost: Callable[[int, float], None],
        on_validation: Callable[[int, float, float], None],
    ) -> None:
        self.file, self.recipe, self.examples = file, recipe, examples
        self.on_cost, self.on_validation = on_cost, on_validation
        validation = mnist.load("val")
        self.val_images, self.val_labels = flat(validation.images), validation.labels
        self.status = TrainingStatus()
        self.began = time.monotonic()
        self.crc = 0

    def step(self, step: int, cost: float) -> None:
        """Log the cost of a step, counting from 1."""
        if step == 1:
            self.status.first_cost = cost
        self.status.step, self.status.final_cost = step, cost
        self.line(step, "train", cost, accuracy=None)
        self.on_cost(step, cost)

    def validate(self, steps: int, weights: np.ndarray, biases: np.ndarray) -> None:
        """Log the cost and the accuracy on the validation images, after this number of steps.

        These are the graph's logits, computed for all images at once: a session would take as many
        runs as there are batches. The last weights are kept, so the last measurement is theirs.
        """
        logits = self.val_images @ weights + biases
        cost, accuracy = measure(logits, self.val_labels)
        status = self.status
        status.best_step, status.best_accuracy, status.best_loss = steps, accuracy, cost
        self.line(steps, "val", cost, accuracy)
        self.on_validation(steps, cost, accuracy)

    def line(self, step: int, split: str, cost: float, accuracy: float | None) -> None:
        self.status.seconds = round(time.monotonic() - self.began, 3)
        logged = LoggedStep(
            step=step,
            epoch=round(step * self.recipe.batch_size / self.examples, 4),
            split=split,
            loss=cost,
            accuracy=accuracy,
            lr=self.recipe.learning_rate,
            seconds=self.status.seconds,
        )
        line, self.crc = metrics_line(logged, self.crc)
        self.file.write(line)
        self.status.logged += 1


def measure(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the mean cross entropy, in nats, and the accuracy, 0 to 1, of logits (N, 10)."""
    below_highest = logits - logits.max(1, keepdims=True)  # so that exp() does not overflow
    costs = np.log(np.exp(below_highest).sum(1)) - below_highest[np.arange(len(labels)), labels]
    return float(costs.mean()), float(np.mean(logits.argmax(1) == labels))


def write_results(first: FirstRun, status: TrainingStatus, examples: Examples) -> None:
    """Write the result, the model card and the figures into the run folder."""
    from firstlight.figures.training import draw_training  # matplotlib takes 0.3 s to import

    run = first.run
    result = TrainingResult(
        network="first-graph",
        data="mnist",
        steps=status.step,
        first_cost=status.first_cost,
        final_cost=status.final_cost,
        test_accuracy=first.accuracy,
        seconds=status.seconds,
        run=str(run.folder),
        test_images=len(first.labels),
    )
    status.stopped = f"all {status.step:,} steps are done"
    run.write_record(replace(run.record(), status=status, result=result))
    card.write(run, (28, 28, 1), result)
    draw_training(run, examples, "mnist", mnist.CLASSES)


def write_events(run: Run) -> None:
    """Write the graph and the costs for TensorBoard, if its extra is installed."""
    events = event_writer(run)
    if not events:
        return
    settings = run.record().settings
    recipe = settings.recipe
    write_graph(
        events, first_graph.build(recipe.batch_size, recipe.learning_rate, settings.seed).graph
    )
    for logged in run.metrics():
        values = {"loss": logged.loss}
        if logged.accuracy is not None:
            values["accuracy"] = logged.accuracy
        write_scalars(events, logged.step, logged.split, **values)
