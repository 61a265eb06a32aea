"""A recipe: how a network is trained. It stands in the network's file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np

from firstlight.errors import DataError, UsageError
from firstlight.images.augmentations import check_strengths

Schedule = Literal["constant", "one-cycle"]
Keep = Literal["best", "last"]
Precision = Literal["float32", "bfloat16"]
MAX_LEARNING_RATE = 100.0  # no recipe comes near it; `find-lr` tries rates up to 10
LIMITS = {  # field → the smallest and the largest whole number that it may be
    "batch_size": (1, 100_000),
    "epochs": (1, 100_000),
    "steps": (1, 100_000_000),
}
FLAGS = {  # field → the flag of the command line that sets it
    "batch_size": "--batch-size",
    "learning_rate": "--lr",
    "epochs": "--epochs",
    "steps": "--steps",
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. Flags of the command line set the first four fields.

    `batch_size`, `learning_rate`, and either `epochs` or `steps` must be given. An epoch is one
    pass over the training images; a step trains on one batch.

    Raises:
        UsageError: a value is not allowed.

    >>> fl.Recipe(epochs=3, batch_size=64, learning_rate=0.1, momentum=0.9)
    Recipe(batch_size=64, learning_rate=0.1, epochs=3, momentum=0.9)
    """

    batch_size: int  # images in a batch
    learning_rate: float  # the highest of the schedule
    epochs: int | None = None  # passes over the training images; either epochs or steps is given
    steps: int | None = None  # batches to train on
    momentum: float = 0.0  # 0 to 1
    nesterov: bool = True  # Nesterov's momentum; False: plain momentum, as in the papers of 2013
    weight_decay: float = 0.0  # decoupled; biases and batch norm do not decay
    l2: float = 0.0  # weight decay as a part of the gradient, as in papers before 2017
    # End of a weight's name → factor: {"output/kernel": 0.1}.
    lr_multipliers: dict[str, float] = field(default_factory=dict)
    clip_norm: float = 0.0  # largest norm of all gradients together; 0: no limit
    max_filter_rms: float = 0.0  # largest RMS of a convolution's filter; 0: no limit
    label_smoothing: float = 0.0  # fraction of each label that is spread over all classes
    schedule: Schedule = "constant"  # of the learning rate; "one-cycle": it rises, then falls to 0
    # For the constant schedule: when the learning rate is multiplied by lr_drop_factor.
    lr_drops: tuple[float, ...] = ()  # after these fractions of the training
    plateau_epochs: int = 0  # after this many epochs without a better accuracy on val; 0: never
    lr_drop_factor: float = 0.1  # what the rate is multiplied by
    init_stddev: float = 0.0  # for normal first kernels; 0: the network's own first kernels
    steps_per_call: int = 1  # steps in one call of the compiled graph: small networks need more
    keep: Keep = "best"  # the weights that are best on the validation images, or the "last"
    ema_decay: float = 0.0  # for an exponential moving average of the weights; 0: no average
    augment: dict[str, float] = field(default_factory=dict)  # augmentation → its strength
    no_augment_epochs: int = 0  # number of last epochs in which images are not augmented
    no_augment_fraction: float = 0.0  # of the images, others in each epoch: pixels as they are
    precision: Precision = "float32"  # or "bfloat16", of computations; weights are always float32
    xla: bool = False  # compile with XLA: faster for dense layers on a CPU, slower for convolutions

    def __post_init__(self) -> None:
        for each in fields(self):  # NumPy's numbers become Python's, which JSON can hold
            value = getattr(self, each.name)
            if isinstance(value, np.generic):
                object.__setattr__(self, each.name, value.item())
        self._check_length()
        self._check_learning_rate()
        check_whole_number("batch_size", self.batch_size, *LIMITS["batch_size"])
        check_whole_number("steps_per_call", self.steps_per_call, minimum=1)
        for name in ("plateau_epochs", "no_augment_epochs"):
            check_whole_number(name, getattr(self, name), minimum=0)
        for name in ("momentum", "label_smoothing", "ema_decay", "no_augment_fraction"):
            _check_number(name, getattr(self, name), below=1)
        for name in ("weight_decay", "l2", "clip_norm", "max_filter_rms", "init_stddev"):
            _check_number(name, getattr(self, name))
        check_choice("schedule", self.schedule, get_args(Schedule))
        check_choice("keep", self.keep, get_args(Keep))
        check_choice("precision", self.precision, get_args(Precision))
        for name in ("nesterov", "xla"):
            check_choice(name, getattr(self, name), (True, False))
        _check_dictionary("augment", self.augment)
        check_strengths(self.augment)

    def _check_length(self) -> None:
        """Check that either epochs or steps is given, and is within its LIMITS."""
        if self.epochs is None and self.steps is None:
            raise UsageError("neither epochs nor steps is given; give one of the two")
        if self.epochs is not None and self.steps is not None:
            raise UsageError(
                f"epochs is {self.epochs!r} and steps is {self.steps!r}; give one of the two"
            )
        if self.epochs is not None:
            check_whole_number("epochs", self.epochs, *LIMITS["epochs"])
        if self.steps is not None:
            check_whole_number("steps", self.steps, *LIMITS["steps"])

    def _check_learning_rate(self) -> None:
        """Check the learning rate and everything that changes it."""
        check_learning_rate(self.learning_rate)
        _check_dictionary("lr_multipliers", self.lr_multipliers)
        for ending, multiplier in self.lr_multipliers.items():
            if not isinstance(ending, str):
                raise UsageError(f"lr_multipliers: {ending!r} is not the end of a weight's name")
            _check_number(f"lr_multipliers[{ending!r}]", multiplier)
        _check_number("lr_drop_factor", self.lr_drop_factor, below=1)
        _check_fractions("lr_drops", self.lr_drops)

    @classmethod
    def from_json(cls, document: Any) -> "Recipe":
        """Return the recipe of a JSON document, such as a run keeps in run.json.

        Raises:
            DataError: the document is not a recipe: a field is unknown, missing or not allowed.
        """
        if not isinstance(document, dict):
            raise DataError(f"a recipe is a JSON object of fields, not {document!r}")
        names = [each.name for each in fields(cls)]
        unknown = [name for name in document if name not in names]
        if unknown:
            raise DataError(f"a recipe has no field {unknown[0]!r}; it has: {', '.join(names)}")
        for name in ("batch_size", "learning_rate"):
            if name not in document:
                raise DataError(f"the recipe has no {name}; each recipe needs it")
        values = dict(document)
        if isinstance(values.get("lr_drops"), list):
            values["lr_drops"] = tuple(values["lr_drops"])
        try:
            return cls(**values)
        except UsageError as error:
            raise DataError(f"the recipe is not valid: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Return all fields as a JSON document, which `from_json` reads."""
        return asdict(self) | {"lr_drops": list(self.lr_drops)}

    def given(self) -> dict[str, Any]:
        """Return the fields that are not at their defaults."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != _default(each)
        }

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"Recipe({shown})"

    def epoch_ends(self, examples: int) -> list[int]:
        """Return the last step of each epoch for `examples` training images."""
        if self.steps is None:
            assert self.epochs is not None  # see _check_length
            return self._full_epoch_ends(examples, self.epochs)
        epochs = math.ceil(self.steps * self.batch_size / examples)
        return [min(end, self.steps) for end in self._full_epoch_ends(examples, epochs)]

    def _full_epoch_ends(self, examples: int, epochs: int) -> list[int]:
        return [math.ceil(epoch * examples / self.batch_size) for epoch in range(1, epochs + 1)]


def _default(field: Field[Any]) -> Any:
    """Return a field's default; MISSING, which equals nothing, if it must be given."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def _label(name: str) -> str:
    """Return the field's name in a message, with the flag that sets it."""
    return f"{name} ({FLAGS[name]})" if name in FLAGS else name


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_whole_number(name: str, value: Any, minimum: int, maximum: int | None = None) -> None:
    """Raises UsageError if a value is not a whole number from `minimum` to `maximum`."""
    is_whole = _is_number(value) and isinstance(value, Integral)
    if not is_whole or value < minimum or (maximum is not None and value > maximum):
        bound = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum:,}"
        raise UsageError(f"{_label(name)} is {value!r}; it must be a whole number {bound}")


def check_learning_rate(rate: Any) -> None:
    """Raises UsageError if it is not a number above 0 and at most MAX_LEARNING_RATE."""
    if not _is_number(rate) or not 0 < rate <= MAX_LEARNING_RATE:
        raise UsageError(
            f"{_label('learning_rate')} is {rate!r}; it must be a number above 0 and at most "
            f"{MAX_LEARNING_RATE:g}"
        )


def _check_number(name: str, value: Any, below: float = math.inf) -> None:
    if not _is_number(value) or not 0 <= value < below:
        bound = "at least 0 and finite" if below == math.inf else f"at least 0 and below {below:g}"
        raise UsageError(f"{name} is {value!r}; it must be a number, {bound}")


def _check_fractions(name: str, values: Any) -> None:
    """Check that the values increase, above 0 and below 1."""
    allowed = isinstance(values, tuple | list) and all(map(_is_number, values))
    if allowed:
        bounds = (0, *values, 1)
        allowed = all(first < second for first, second in pairwise(bounds))
    if not allowed:
        raise UsageError(
            f"{name} is {values!r}; it must be fractions of the training in increasing order, each "
            "above 0 and below 1"
        )


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Raises UsageError if a value is not one of the choices."""
    if value not in choices:
        allowed = ", ".join(map(repr, choices))
        raise UsageError(f"{name} is {value!r}; it must be one of: {allowed}")


def _check_dictionary(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} is {value!r}; it must be a dictionary of numbers by name")
