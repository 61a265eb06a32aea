"""The state of a training: the network, its optimizer, its data, and its progress."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from firstlight import catalog, model
from firstlight.datasets import Dataset, Images
from firstlight.runs import checkpoint
from firstlight.runs.documents import TrainingStatus
from firstlight.runs.run import Run
from firstlight.settings import Settings
from firstlight.training.events import event_writer
from firstlight.training.optimizer import build_optimizer, ema_variables, init_kernels


class TrainState:
    """A training's network, optimizer, data and status.

    `network` learns; `eval_model` is validated and kept. Its weights are those of the network, or
    their moving averages if the recipe has an `ema_decay`.

    Raises:
        DataError, UsageError: the data is damaged, or does not fit the network.
    """

    run: Run

    def __init__(self, settings: Settings, dataset: Dataset) -> None:
        self.settings, self.dataset = settings, dataset
        self.recipe = recipe = settings.recipe
        chosen = catalog.network(settings.network)
        self.train, self.val = (
            dataset.load(split).first(settings.limit).resized(chosen.input)
            for split in ("train", "val")
        )
        self.epoch_ends = recipe.epoch_ends(len(self.train))
        self.augment_until = self._last_augmented_step()
        self.strategy = tf.distribute.get_strategy()  # the one in whose scope we are
        keras.utils.set_random_seed(settings.seed)
        with self.strategy.scope():
            with computing_in(recipe.precision):
                self.network = chosen.build(len(dataset.classes))
                self.eval_model = chosen.build(len(dataset.classes))
            variables = self.network.trainable_variables
            init_kernels(variables, recipe.init_stddev, settings.seed)
            self.optimizer = build_optimizer(recipe, self.total_steps)
            self.optimizer.build(variables)
            self.averages = ema_variables(variables, recipe.ema_decay)
        self.predict = model.predictor(self.eval_model)
        self.status = TrainingStatus()

    @property
    def total_steps(self) -> int:
        return self.epoch_ends[-1]

    def _last_augmented_step(self) -> int:
        """Return the last step with augmented images.

        In the last epochs the network and its batch statistics adapt to images without
        augmentation.
        """
        augmented = len(self.epoch_ends) - self.recipe.no_augment_epochs
        return self.epoch_ends[augmented - 1] if augmented > 0 else 0

    def into(self, run: Run) -> "TrainState":
        """Choose the run folder that the training writes to; return the same state."""
        self.run = run
        self.events = event_writer(run)
        return self

    def eval_logits(self, images: Images | np.ndarray) -> np.ndarray:
        """Return logits (N, classes) by the weights that would be kept.

        They are computed in the training's precision: in float32, validation took a sixth of
        NIN's time on pictures.
        """
        self._update_eval_model()
        return self.predict(images)

    def _update_eval_model(self) -> None:
        for kept, weight in zip(self.eval_model.weights, self.network.weights, strict=True):
            kept.assign(weight)
        if self.averages:
            for kept, mean in zip(self.eval_model.trainable_weights, self.averages, strict=True):
                kept.assign(mean)

    def variables(self) -> dict[str, keras.Variable]:
        """Return all variables that training changes, by name."""
        weights = model.variables(self.network)
        weight_ids = {id(weight) for weight in weights.values()}
        # Keras numbers the random states of dropout across all networks: their names change.
        random = [v for v in self.network.variables if id(v) not in weight_ids]
        numbered = {f"random/{i}": v for i, v in enumerate(random)}
        numbered |= {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}
        numbered |= {f"average/{i}": v for i, v in enumerate(self.averages)}
        return weights | numbered

    def save(self) -> None:
        """Write a checkpoint: all that resuming needs."""
        arrays = {name: variable.numpy() for name, variable in self.variables().items()}
        checkpoint.save(self.run.last, arrays, self.status.to_json())

    def restore(self) -> None:
        """Read the checkpoint. Raises DataError if it is missing or damaged."""
        self.status = TrainingStatus(**checkpoint.load_into(self.variables(), self.run.last))


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Make layers that are built in this context compute in a precision; weights stay float32."""
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
