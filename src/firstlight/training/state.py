"""The state of a training: the network, its optimizer, its data, and its progress."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from firstlight import model
from firstlight.datasets import Images
from firstlight.errors import DataError, UsageError
from firstlight.networks._weight_names import weight_names
from firstlight.recipe import Recipe
from firstlight.runs import checkpoint
from firstlight.runs.documents import TrainingStatus
from firstlight.runs.files import refuse_no_file
from firstlight.runs.lock import Lock
from firstlight.runs.run import Run
from firstlight.settings import BALANCED, Plan, Settings
from firstlight.training.events import event_writer
from firstlight.training.optimizer import build_optimizer, ema_variables, init_kernels
from firstlight.training.workers import Workers

EVAL_ROWS = 1000  # images that a process loads at once to validate its part


class TrainState:
    """A training's network, optimizer, data and status.

    `network` learns; `eval_model` is validated and kept. Its weights are those of the network, or
    their moving averages if the recipe has an `ema_decay`.

    Raises:
        DataError, UsageError: the data is damaged, or does not fit the network.
    """

    run: Run

    def __init__(self, plan: Plan, workers: Workers | None = None) -> None:
        self.workers = workers or Workers()
        self.dataset = dataset = plan.dataset
        chosen = plan.network
        given = [dataset.load(split).first(plan.settings.limit) for split in ("train", "val")]
        self.given_size = given[0].images.size  # before they were resized
        self.train, self.val = (examples.resized(chosen.input) for examples in given)
        settings = with_fitting_batch(plan.settings, len(self.train))
        self.plan = replace(plan, settings=settings)
        self.recipe = recipe = settings.recipe
        self.label_weights, self.val_weights = (
            label_weights(examples.labels, len(dataset.classes), settings.class_weights)
            for examples in (self.train, self.val)
        )
        self.epoch_ends = recipe.epoch_ends(len(self.train))
        self.augment_until = self._last_augmented_step()
        self.parts = self.workers.parts(recipe.batch_size)
        keras.utils.set_random_seed(settings.seed)
        with computing_in(recipe.precision):
            with self.workers.making_variables():
                self.network = chosen.build(len(dataset.classes))
            self.eval_model = chosen.build(len(dataset.classes))
        with self.workers.making_variables():
            variables = self.network.trainable_variables
            refuse_unequal(self.network, self.eval_model)
            refuse_unknown_endings(recipe, variables)
            if not chosen.has_weights:
                init_kernels(variables, recipe.init_stddev, settings.seed)
            self.optimizer = build_optimizer(recipe, self.total_steps)
            self.optimizer.build(variables)
            self.averages = ema_variables(variables, recipe.ema_decay)
        self.predict = model.predictor(self.eval_model)
        self.status = TrainingStatus()
        self.lock: Lock | None = None

    @property
    def settings(self) -> Settings:
        return self.plan.settings

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

    def start_from(self, run: Run) -> None:
        """Begin with the weights of a run, wherever name and shape match; note what was copied.

        Raises:
            DataError: the run has no weights, or is damaged.
            UsageError: no weight matches.
        """
        notice = model.copy_weights(self.network, run)
        self._begin_averages()
        notices = (*self.settings.notices, notice)
        settings = replace(self.settings, started_from=str(run.folder), notices=notices)
        self.plan = replace(self.plan, settings=settings)

    def into(self, run: Run, lock: Lock | None = None) -> "TrainState":
        """Choose the run folder that the training writes to; return the same state.

        Args:
            lock: the folder's, which this process holds.
        """
        self.run, self.lock = run, lock
        run.plan = self.plan
        self.events = event_writer(run) if self.workers.is_chief else None
        return self

    def eval_logits(self, images: Images | np.ndarray) -> np.ndarray:
        """Return logits (N, classes) by the weights that would be kept.

        They are computed in the training's precision: in float32, validation took a sixth of
        NIN's time on pictures. Each process computes a part of them.
        """
        self._update_eval_model()
        if self.workers.processes == 1:
            return self.predict(images)
        logits = np.zeros((len(images), len(self.dataset.classes)), np.float32)
        own = np.arange(self.workers.index, len(images), self.workers.processes)
        for rows in np.array_split(own, math.ceil(len(own) / EVAL_ROWS)):
            logits[rows] = self.predict(images[rows])
        return self.workers.total(logits)

    def _update_eval_model(self) -> None:
        for kept, weight in zip(self.eval_model.weights, self.network.weights, strict=True):
            kept.assign(weight)
        if self.averages:
            for kept, mean in zip(self.eval_model.trainable_weights, self.averages, strict=True):
                kept.assign(mean)

    def variables(self) -> dict[str, keras.Variable]:
        """Return all variables that training changes, by name."""
        weights = weight_names(self.network)
        weight_ids = {id(weight) for weight in weights.values()}
        # Keras numbers the random states of dropout across all networks: their names change.
        random = [v for v in self.network.variables if id(v) not in weight_ids]
        numbered = {f"random/{i}": v for i, v in enumerate(random)}
        numbered |= {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}
        numbered |= {f"average/{i}": v for i, v in enumerate(self.averages)}
        return weights | numbered

    def writing(self) -> AbstractContextManager[None]:
        """Give a place to write into the run folder. Raises DataError if the folder has moved."""
        return self.lock.writing() if self.lock else nullcontext()

    def save(self) -> None:
        """Let the chief write a checkpoint: all that resuming needs. The one before it is kept.

        Raises:
            DataError: the run folder was renamed or removed.
        """
        if not self.workers.is_chief:
            return
        arrays = {name: variable.numpy() for name, variable in self.variables().items()}
        with self.writing():
            checkpoint.save(self.run.last, arrays, self.status.to_json(), keep=self.run.previous)

    def restore(self) -> str:
        """Go on from the newest whole checkpoint; from the first step if there is none yet.

        Returns what a user must know: that a damaged checkpoint was passed over; or "".

        Raises:
            DataError: every checkpoint is damaged; the run that it began with has changed; or the
                processes see different checkpoints.
        """
        found = self.run.checkpoints()
        faults: list[DataError] = []
        for path in found:
            try:
                self._restore_from(path)
            except DataError as fault:
                faults.append(fault)
                continue
            self._refuse_different_steps()
            if not faults:
                return ""
            if self.run.last.is_dir():
                raise DataError(f"{faults[0]}; remove it, and resume again")
            if self.workers.is_chief:
                path.replace(self.run.last)  # or the next one would replace the whole one
            return f"{faults[0]}; going on from the one before it, of step {self.status.step:,}"
        if faults:
            raise DataError(
                f"{faults[0]}; no other checkpoint is whole: delete {self.run.last.parent} to "
                "begin again at the first step"
            )
        return self._restart()

    def _restore_from(self, path: Path) -> None:
        """Raises DataError if the checkpoint, or the best weights that it relies on, is damaged."""
        status = TrainingStatus.from_json(checkpoint.load_into(self.variables(), path), path)
        refuse_no_file(self.run.best)
        if status.best_step:
            checkpoint.check(self.run.best)
        self.status = status

    def _restart(self) -> str:
        """Begin at the first step, as a training that was killed before its first checkpoint."""
        if self.run.record().result or self.run.model_file.exists():
            raise DataError(f"{self.run.last} is missing: the run has no such checkpoint")
        start = self.run.starting_run()
        if start and model.copy_weights(self.network, start) not in self.settings.notices:
            raise DataError(
                f"{start.folder} has changed since {self.run.folder} took its first weights; "
                "train again"
            )
        self._begin_averages()
        self._refuse_different_steps()
        return ""

    def _refuse_different_steps(self) -> None:
        """Raises DataError if the processes do not go on from the same step."""
        step, processes = self.status.step, self.workers.processes
        if self.workers.total(np.array([step]))[0] != step * processes:
            raise DataError(
                f"{self.run.folder}: the workers see different checkpoints; all of them must have "
                "the same folder"
            )

    def _begin_averages(self) -> None:
        """Let the moving averages begin at the weights."""
        if self.averages:
            for mean, weight in zip(self.averages, self.network.trainable_weights, strict=True):
                mean.assign(weight)


def refuse_unequal(network: keras.Model, other: keras.Model) -> None:
    """Raises UsageError if `build` has made two models of different shapes."""
    shapes, other_shapes = ([w.shape for w in each.weights] for each in (network, other))
    if shapes != other_shapes:
        raise UsageError(
            f"build of {network.name} makes another model each time; it must depend on the number "
            "of classes alone"
        )


def refuse_unknown_endings(recipe: Recipe, variables: list[keras.Variable]) -> None:
    """Raises UsageError if a learning rate is meant for weights that do not exist."""
    for ending in recipe.lr_multipliers:
        if not any(variable.path.endswith(ending) for variable in variables):
            paths = ", ".join(variable.path for variable in variables[:12])
            raise UsageError(f"lr_multipliers: no weight ends in {ending!r}; weights: {paths}")


def with_fitting_batch(settings: Settings, examples: int) -> Settings:
    """Return the settings with a batch that is not larger than the training split."""
    size = settings.recipe.batch_size
    if size <= examples:
        return settings
    notice = f"a batch has {examples:,} images, not {size:,}: there are no more to train on"
    return replace(
        settings,
        recipe=replace(settings.recipe, batch_size=examples),
        notices=(*settings.notices, notice),
    )


def label_weights(labels: np.ndarray, classes: int, class_weights: str | None) -> np.ndarray | None:
    """Return what an example's loss is multiplied by, for each label (classes,) float32.

    Balanced weights are N / (classes · examples of the class): each class counts alike, and the
    mean over these examples is 1. None: every example counts alike.
    """
    if class_weights != BALANCED:
        return None
    counts = np.bincount(labels, minlength=classes)
    weights: np.ndarray = len(labels) / ((counts > 0).sum() * np.maximum(counts, 1))
    return weights.astype(np.float32)


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
