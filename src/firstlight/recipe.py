"""A recipe: how a network is trained. It stands beside the network, in the network's file."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every field exists because some network's recipe needed it; flags override the first four."""

    batch_size: int
    learning_rate: float  # the highest of the schedule
    epochs: int | None = None  # passes over the training images, or ...
    steps: int | None = None  # ... a number of batches: exactly one of the two is set
    momentum: float = 0.0
    nesterov: bool = True  # momentum as Nesterov has it; False: as papers of 2013 do
    weight_decay: float = 0.0  # decoupled; biases and batch norm are left out
    l2: float = 0.0  # the same as a part of the gradient, as papers before 2017 mean weight decay
    rates: dict[str, float] = field(default_factory=dict)  # ending of a weight's path → times rate
    clip: float = 0.0  # the largest norm that all gradients together may have; 0: any
    filter_rms: float = 0.0  # the largest that a convolution's filter may have; 0: any
    label_smoothing: float = 0.0
    schedule: Literal["constant", "one-cycle"] = "constant"
    lower_at: tuple[float, ...] = ()  # shares of the training, after each of which the rate is ...
    lower_after: int = 0  # ... or epochs without a better accuracy, after which it is ...
    lower_by: float = 0.1  # ... multiplied by this; for the constant schedule
    deviation: float = 0.0  # of a paper's first, normal kernels; 0: as the network's file has them
    steps_per_call: int = 1  # many small steps in one call of the compiled graph
    keep: Literal["best", "last"] = "best"  # weights: best on validation, or of the last step
    average: float = 0.0  # share of the old in a running mean of the weights; 0: none is kept
    augment: dict[str, float] = field(default_factory=dict)  # how strongly: augment.py, fitted.py
    settle: int = 0  # epochs at the end that see the images as they are
    precision: Literal["float32", "bfloat16"] = "float32"  # of what layers compute, not of weights
    xla: bool = False  # faster for dense layers on a CPU, slower for convolutions

    def epoch_ends(self, examples: int) -> list[int]:
        """The step after which each epoch is complete; the last is where training ends."""
        epochs = self.epochs or -(-self.steps * self.batch_size // examples)  # type: ignore[operator]
        ends = [-(-epoch * examples // self.batch_size) for epoch in range(1, epochs + 1)]
        return [min(end, self.steps or end) for end in ends]
