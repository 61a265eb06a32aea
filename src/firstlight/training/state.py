"""What is being trained: a network, its optimizer, its data, and how far it is."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight import catalog, model
from firstlight.datasets._images import fitted
from firstlight.evaluation.accuracy import predictor
from firstlight.recipe import Recipe
from firstlight.runs import checkpoint
from firstlight.runs.run import Run
from firstlight.training.optimizer import build_optimizer, ema_variables, init_kernels


@dataclass
class State:
    """Where a training is: what a checkpoint holds beside the arrays."""

    step: int = 0
    seconds: float = 0.0  # of training so far, validation included
    first_cost: float = math.nan
    final_cost: float = math.nan
    best_step: int = 0
    best_accuracy: float = -1.0
    best_loss: float = math.inf
    epochs_without_better: int = 0
    stopped: str = ""  # why, once it has


class Training:
    """What is being trained: its network, optimizer, data and state.

    `network` is the one that learns; `twin` is what is validated and kept of it.
    """

    run: Run

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.recipe = Recipe.from_json(self.settings["recipe"])
        self.dataset = catalog.dataset(self.settings["data"], self.settings.get("pictures"))
        chosen = catalog.network(self.settings["network"])
        self.examples, self.held_out = (
            fitted(self.dataset.load(split).first(self.settings["limit"]), chosen.input)
            for split in ("train", "val")
        )
        self.epoch_ends = self.recipe.epoch_ends(len(self.examples.labels))
        # The step from which on images are no longer augmented. What a network expects of an image,
        # its batch statistics too, comes to be what the images to read are like.
        varied = self.epoch_ends[: max(0, len(self.epoch_ends) - self.recipe.no_augment_epochs)]
        self.varied_until = varied[-1] if varied else 0
        self.strategy = tf.distribute.get_strategy()  # the one whose scope we are in
        keras.utils.set_random_seed(self.settings["seed"])
        with self.strategy.scope():
            with computing_in(self.recipe.precision):
                self.network = chosen.build(len(self.dataset.classes))
                self.twin = chosen.build(len(self.dataset.classes))
            init_kernels(
                self.network.trainable_variables, self.recipe.init_stddev, settings["seed"]
            )
            self.optimizer = build_optimizer(self.recipe, self.epoch_ends[-1])
            self.optimizer.build(self.network.trainable_variables)
            self.averages = ema_variables(self.network.trainable_variables, self.recipe.ema_decay)
        self.predict = predictor(self.twin)
        self.state = State()

    def into(self, run: Run) -> "Training":
        """Take the run folder that it writes to."""
        self.run = run
        # TensorBoard's files beside metrics.jsonl, where the extra that reads them is installed.
        wanted = find_spec("tensorboard") is not None
        self.events = tf.summary.create_file_writer(str(run.folder / "events")) if wanted else None
        return self

    def measure(self, images: np.ndarray) -> np.ndarray:
        """Logits (N, classes) of the weights as they would be kept: averaged.

        In the precision of training: in float32, validation took a sixth of NIN's time on pictures.
        """
        for kept, weight in zip(self.twin.weights, self.network.weights, strict=True):
            kept.assign(weight)
        if self.averages:
            for kept, mean in zip(self.twin.trainable_weights, self.averages, strict=True):
                kept.assign(mean)
        return self.predict(images)

    def variables(self) -> dict[str, Any]:
        """All that changes while training: weights, random states, the optimizer's memory."""
        weights = model.variables(self.network)
        known = {id(weight) for weight in weights.values()}
        # Keras numbers the states of dropout by how many were made before: no name to rely on.
        random = [v for v in self.network.variables if id(v) not in known]
        numbered = {f"random/{i}": v for i, v in enumerate(random)}
        numbered |= {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}
        numbered |= {f"average/{i}": v for i, v in enumerate(self.averages)}
        return weights | numbered

    def save(self) -> None:
        arrays = {name: variable.numpy() for name, variable in self.variables().items()}
        checkpoint.save(self.run.last, arrays, asdict(self.state))

    def restore(self) -> None:
        self.state = State(**checkpoint.load_into(self.variables(), self.run.last))


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers built in here compute in that precision; their weights are float32 all the same."""
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
