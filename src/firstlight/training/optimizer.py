"""How weights follow gradients: the optimizer, its schedule, and what a recipe does beside it."""

from typing import Any

import keras
import tensorflow as tf

from firstlight.recipe import Recipe

NOT_DECAYED = ("bias", "gamma", "beta")


def build_optimizer(recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
    rate: Any = recipe.learning_rate
    if recipe.schedule == "one-cycle":  # a fifth of the way up, then along a cosine down to zero
        up = total_steps // 5
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total_steps - up, warmup_target=recipe.learning_rate, warmup_steps=up
        )
    elif recipe.lower_at:
        ends = [round(share * total_steps) - 1 for share in recipe.lower_at]  # steps count from 0
        rates = [rate * recipe.lower_by**times for times in range(len(ends) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends, rates)
    decay, clip = recipe.weight_decay or None, recipe.clip or None
    optimizer = keras.optimizers.SGD(
        rate, recipe.momentum, recipe.nesterov, weight_decay=decay, global_clipnorm=clip
    )
    if decay:
        optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    return optimizer


def first_kernels(variables: list[Any], deviation: float, seed: int) -> None:
    """Begin as old papers do: kernels normal, all of one deviation, and biases 0."""
    for number, variable in enumerate(variables if deviation else ()):
        if len(variable.shape) > 1:
            shape, lot = variable.shape, (seed, number)
            variable.assign(tf.random.stateless_normal(shape, lot, stddev=deviation))
        elif variable.path.endswith("bias"):
            variable.assign(tf.zeros(variable.shape))


def adjusted(gradients: list[tf.Tensor], variables: list[Any], recipe: Recipe) -> list[tf.Tensor]:
    """The gradients with the recipe's `l2` added, times its `rates`."""
    if not (recipe.l2 or recipe.rates):
        return gradients
    return [
        (g + recipe.l2 * v if recipe.l2 and not v.path.endswith(NOT_DECAYED) else g)
        * rate_of(v.path, recipe)
        for g, v in zip(gradients, variables, strict=True)
    ]


def rate_of(path: str, recipe: Recipe) -> float:
    """How many times the learning rate a weight has: the longest ending of its path that is named.

    The gradient is made so many times as large, which is the same but for `clip`, which sees it
    so, and for decoupled decay, which keeps the full rate.
    """
    named = [ending for ending in recipe.rates if path.endswith(ending)]
    return recipe.rates[max(named, key=len)] if named else 1.0


def cap_filters(variables: list[Any], largest: float) -> None:
    """Scale each filter of a convolution whose RMS exceeds that back to it (ZFNet, section 3)."""
    for kernel in variables if largest else ():
        if len(kernel.shape) == 4:  # height, width, channels, filters
            rms = tf.sqrt(tf.reduce_mean(tf.square(kernel), (0, 1, 2)))
            kernel.assign(kernel * (largest / tf.maximum(rms, largest)))


def running_means(weights: list[Any], average: float) -> list[tf.Variable]:
    """A variable beside each weight, to follow it slowly; none if the recipe does not average."""
    first = tf.VariableAggregation.ONLY_FIRST_REPLICA  # all replicas hold the same
    return [tf.Variable(w, trainable=False, aggregation=first) for w in weights if average]


def follow(means: list[tf.Variable], weights: list[Any], average: float, step: Any) -> None:
    """Keep that share of each mean; less of the first steps, which are soon worth forgetting."""
    step = tf.cast(step, tf.float32)
    share = tf.minimum(average, (1 + step) / (10 + step))
    for mean, weight in zip(means, weights if means else (), strict=True):
        mean.assign(share * mean + (1 - share) * weight)
