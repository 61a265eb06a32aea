"""Searches a learning rate: trains with one that rises, and watches the loss.

Smith, "Cyclical learning rates for training neural networks" (arXiv 1506.01186, section 3.3): the
learning rate rises from very low to very high in a short training. The loss falls as soon as the
rate is high enough to learn, and rises again when it is too high.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FirstlightError
from firstlight.progress import Progress
from firstlight.runs.files import check_suffix
from firstlight.settings import Plan
from firstlight.training.loop import batches
from firstlight.training.state import TrainState
from firstlight.training.step import compile_steps

LOWEST_RATE, HIGHEST_RATE, STEPS = 1e-5, 10.0, 120  # a factor of 1.12 from step to step
SMOOTHING = 0.9  # share of the past in the moving average of the losses
RUNAWAY = 3.0  # the search ends at a loss that is this many times the lowest loss
# The suggestion is the rate of the lowest loss, divided by this. In an epoch of one-cycle training
# on 20,000 images of MNIST, the undivided rate was the best for mlp, lenet5, convnet and
# convnet-record (96.7, 96.6, 98.5, 98.7 % of val). Half of it lost 0.3 to 0.5 %, and is safer: the
# rates that two seeds find differ by a factor of up to three.
MARGIN = 2.0


@dataclass(frozen=True)
class RateSearch:
    """The loss of a training whose learning rate rises at each step."""

    network: str
    data: str
    rates: np.ndarray  # (n,)
    losses: np.ndarray  # (n,), nats, smoothed
    suggestion: float
    note: str | None  # what makes the suggestion doubtful
    figure: Any = field(repr=False)  # the loss against the rate, as a matplotlib Figure
    picture: Path  # the figure's PNG file

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.rate_search(self)

    def to_json(self) -> dict[str, Any]:
        """Return what `firstlight find-lr --json` prints."""
        return {
            "network": self.network,
            "data": self.data,
            "suggestion": self.suggestion,
            "note": self.note,
            "rates": [float(f"{rate:.4g}") for rate in self.rates],
            "losses": [round(float(loss), 5) for loss in self.losses],
            "file": str(self.picture),
        }


def search_rate(plan: Plan, out: Path | None = None, quiet: bool = False) -> RateSearch:
    """Train what was planned with a rising learning rate, and suggest one. No run is kept.

    Args:
        out: the PNG file for the figure; by default runs/find-lr-NETWORK-DATA.png.

    Raises:
        FirstlightError: the loss is not a number from the first steps on.
        DataError: the data is damaged.
        UsageError: the data does not fit the network, or `out` is no name of a PNG file.
    """
    from firstlight.figures.rate_search import rate_curve
    from firstlight.figures.style import save_figure

    network, data = plan.settings.network, plan.dataset.name
    picture = out or Path("runs") / f"find-lr-{network}-{data}.png"
    check_suffix(picture, ".png")
    recipe = replace(
        plan.settings.recipe,
        epochs=None,
        steps=STEPS,
        steps_per_call=1,
        learning_rate=LOWEST_RATE,
        schedule="constant",
        lr_drops=(),
        plateau_epochs=0,
    )
    state = TrainState(replace(plan, settings=replace(plan.settings, recipe=recipe)))
    rates = np.geomspace(LOWEST_RATE, HIGHEST_RATE, STEPS)
    losses = smoothed_losses(state, rates, quiet)
    if len(losses) < 2:
        raise FirstlightError(
            f"{plan.settings.network}: the loss is not a number at a learning rate of {rates[0]:g}"
        )
    rates = rates[: len(losses)]
    suggestion = suggest(rates, losses)
    figure = rate_curve(rates, losses, suggestion, title=f"{network} on {data}")
    save_figure(figure, picture)
    return RateSearch(
        network=network,
        data=data,
        rates=rates,
        losses=losses,
        suggestion=suggestion,
        note=doubt(rates, losses),
        figure=figure,
        picture=picture,
    )


def smoothed_losses(state: TrainState, rates: np.ndarray, quiet: bool) -> np.ndarray:
    """Return the loss at each rate, as a moving average; fewer if it runs away."""
    run_steps = compile_steps(state)
    losses: list[float] = []
    mean = 0.0
    with Progress(len(rates), quiet=quiet) as progress:
        for rate, call in zip(rates, batches(state), strict=False):
            state.optimizer.learning_rate = float(rate)
            history, _ = run_steps(call, False)
            mean = SMOOTHING * mean + (1 - SMOOTHING) * float(history.losses[0])
            loss = mean / (1 - SMOOTHING ** (len(losses) + 1))  # the mean began at 0
            if not math.isfinite(loss) or (losses and loss > RUNAWAY * min(losses)):
                break
            losses.append(loss)
            progress.at(call.end, f"learning rate {rate:.2g}  cost {loss:.4f}")
    return np.array(losses)


def doubt(rates: np.ndarray, losses: np.ndarray) -> str | None:
    """Return why the suggestion is doubtful, if it is: the loss never rose, or never fell."""
    lowest = int(np.argmin(losses))
    if lowest == len(rates) - 1:
        return f"the cost fell up to the highest rate, {rates[-1]:g}: higher ones may be better"
    if losses[lowest] > 0.9 * losses[0]:
        return "the cost hardly fell: this network does not learn from this data in so few steps"
    return None


def suggest(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return a learning rate: safely below that of the lowest loss, with one digit.

    The average lags behind the loss, and the lowest loss is where learning is about to stop.
    """
    return float(f"{rates[int(np.argmin(losses))] / MARGIN:.1g}")
