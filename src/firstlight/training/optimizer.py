"""How weights follow gradients: the optimizer and its schedule, and the running mean of weights."""

from typing import Any

import keras
import tensorflow as tf

from firstlight.recipe import Recipe


def build_optimizer(recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
    rate: Any = recipe.learning_rate
    if recipe.schedule == "one-cycle":  # a fifth of the way up, then along a cosine down to zero
        up = total_steps // 5
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total_steps - up, warmup_target=recipe.learning_rate, warmup_steps=up
        )
    decay = recipe.weight_decay or None
    if recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay)
    else:
        nesterov = recipe.momentum > 0
        optimizer = keras.optimizers.SGD(rate, recipe.momentum, nesterov, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


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
