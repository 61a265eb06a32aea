"""A recipe: how a network is trained. It stands in the network's file."""

import math
from dataclasses import dataclass, field
from typing import Literal

Schedule = Literal["constant", "one-cycle"]
Keep = Literal["best", "last"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. Some network needs each of these fields; flags set the first four.

    In this class an epoch is one pass over the training images, and a step trains on one batch.
    """

    batch_size: int
    learning_rate: float  # the highest of the schedule
    epochs: int | None = None  # either epochs or steps is given
    steps: int | None = None
    momentum: float = 0.0
    nesterov: bool = True  # Nesterov's momentum; False: plain momentum, as in the papers of 2013
    weight_decay: float = 0.0  # decoupled; biases and batch norm do not decay
    l2: float = 0.0  # weight decay as a part of the gradient, as in papers before 2017
    lr_multipliers: dict[str, float] = field(default_factory=dict)  # by the end of a weight's path
    clip_norm: float = 0.0  # largest norm of all gradients together; 0: no limit
    max_filter_rms: float = 0.0  # largest RMS of a convolution's filter; 0: no limit
    label_smoothing: float = 0.0  # fraction of each label that is spread over all classes
    schedule: Schedule = "constant"
    # For the constant schedule: when the learning rate is multiplied by lr_drop_factor.
    lr_drops: tuple[float, ...] = ()  # after these fractions of the training
    plateau_epochs: int = 0  # after so many epochs without a better validation accuracy; 0: never
    lr_drop_factor: float = 0.1
    init_stddev: float = 0.0  # of normal first kernels; 0: as the network's file has them
    steps_per_call: int = 1  # steps in one call of the compiled graph: more suit small networks
    keep: Keep = "best"  # the weights that are best on the validation images, or the last
    ema_decay: float = 0.0  # of an exponential moving average of the weights; 0: none is kept
    augment: dict[str, float] = field(default_factory=dict)  # strengths by images/augmentations.py
    no_augment_epochs: int = 0  # the last epochs, which see the images as they are
    precision: Precision = "float32"  # of the computations; weights are always float32
    xla: bool = False  # compile with XLA: faster for dense layers on a CPU, slower for convolutions

    def epoch_ends(self, examples: int) -> list[int]:
        """Return the last step of each epoch on that many images; training ends with the last."""
        images = (self.steps or 0) * self.batch_size
        epochs = self.epochs or math.ceil(images / examples)
        ends = [math.ceil(epoch * examples / self.batch_size) for epoch in range(1, epochs + 1)]
        if self.steps is None:
            return ends
        return [min(end, self.steps) for end in ends]
