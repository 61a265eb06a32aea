"""The verb `first-graph`: MNIST into the first graph, a run folder out.

The run's model is saved as the network `softmax`, which is the same computation, so that
`evaluate` and every later verb take it.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from firstlight import first_graph, model
from firstlight.datasets import mnist
from firstlight.runs import card
from firstlight.runs.files import write_json
from firstlight.runs.run import create

_BEFORE_FIRST = {"network": "first-graph", "data": "mnist", "limit": None}


def train(
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    on_cost: Callable[[int, float], None],
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Train and measure the first graph.

    Returns what the command line prints as JSON, what was predicted for the test images (10000,),
    and their labels (10000,).

    Raises:
        DataError: the images are damaged.
        FirstlightError: the cost is no longer a number.
    """
    examples, test = mnist.load("train"), mnist.load("test")
    recipe = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate}
    run = create({**_BEFORE_FIRST, "seed": seed, "recipe": recipe, "sha256": mnist.SHA256})
    costs: list[float] = []
    began = time.monotonic()
    with run.metrics_file.open("w", encoding="utf-8") as log:

        def log_cost(step: int, cost: float) -> None:
            costs.append(cost)
            line = {
                "step": step,
                "epoch": round(step * batch_size / len(examples.labels), 4),
                "split": "train",
                "loss": cost,
                "accuracy": None,
                "lr": learning_rate,
                "seconds": round(time.monotonic() - began, 3),
            }
            log.write(json.dumps(line) + "\n")
            on_cost(step, cost)

        weights, biases, logits = first_graph.train(
            examples, test.images, steps, batch_size, learning_rate, seed, log_cost
        )
    arrays = {"layer1/kernel": weights.T, "layer1/bias": biases}  # softmax keeps a row a digit
    model.save(run, "softmax", mnist.CLASSES, "digits", arrays)
    predicted = logits.argmax(1)
    result: dict[str, Any] = {
        "network": "first-graph",
        "data": "mnist",
        "steps": steps,
        "first_cost": costs[0],
        "final_cost": costs[-1],
        "test_accuracy": float(np.mean(predicted == test.labels)),
        "seconds": round(time.monotonic() - began, 3),
        "run": str(run.folder),
    }
    write_json(run.settings_file, run.settings() | {"result": result})
    card.write(run, mnist.CLASSES, (28, 28, 1), result)
    return result, predicted, test.labels
