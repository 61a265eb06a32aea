"""What a training tells the person who waits for it: what is trained, how long, and what to do."""

import math

from firstlight.console import counted
from firstlight.training.state import TrainState


def description(state: TrainState) -> list[str]:
    """Return what is trained on which data, how many steps that takes, and what images become."""
    settings, recipe = state.settings, state.recipe
    named = f", recipe {settings.recipe_name}" if settings.recipe_name else ""
    passes = f"{state.total_steps * recipe.batch_size / len(state.train):.3g}"
    lines = [
        f"{settings.network} on {state.dataset.name}{named}: {len(state.train):,} training and "
        f"{len(state.val):,} validation images in {len(state.dataset.classes):,} classes; "
        f"{counted(state.total_steps, 'step')} of {recipe.batch_size:,} images "
        f"({passes} {'pass' if passes == '1' else 'passes'} over them), seed {settings.seed}"
    ]
    images = state.train.images
    if images.are_crops or images.size != state.given_size:
        height, width, channels = images.size
        colour = "grey" if channels == 1 else "colour"
        lines.append(f"each image becomes {height}×{width} pixels in {colour}")
    return lines


def worse_than_guessing(state: TrainState, loss: float) -> str | None:
    """Return a warning with a remedy if equal probabilities would be better predictions.

    A cost that falls is only spoken of at the end; one that does not, after a third of the steps.

    Args:
        loss: on the validation images, in nats.
    """
    classes = len(state.dataset.classes)
    shown, guess = f"{loss:.3g}", f"{math.log(classes):.3g}"
    if float(shown) <= float(guess):
        return None
    falls, step = loss < state.status.first_cost, state.status.step
    if step < (state.total_steps if falls else state.total_steps / 3):
        return None
    remedy = lower_rate(state)
    if falls:
        remedy = "it has fallen, so train longer (--epochs or --steps)"
    return (
        f"the validation cost {shown} is worse than guessing, which costs {guess} with "
        f"{classes:,} classes: {remedy}"
    )


def lower_rate(state: TrainState) -> str:
    """Return what to do if a training runs away. It names the highest rate: --lr sets that one."""
    settings, rate = state.settings, state.recipe.learning_rate
    if settings.in_memory or (settings.source and settings.source.path is None):
        return f"lower lr (now {rate:.3g}); firstlight.find_lr suggests one"
    network = settings.source.path if settings.source else settings.network
    data = "" if settings.data == "mnist" else f" --data {settings.data}"
    return f"lower --lr (now {rate:.3g}); `firstlight find-lr {network}{data}` suggests one"


def rough_duration(seconds: float) -> str:
    """Return a time as a person says it: 40 seconds, 12 minutes, 3 hours."""
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{max(1, round(seconds))} second{'s' if round(seconds) > 1 else ''}"
