"""How gradients change the weights: the optimizer, its schedule, and what a recipe adds."""

from typing import Any

import keras
import tensorflow as tf

from firstlight.recipe import Recipe

NOT_DECAYED = ("bias", "gamma", "beta")  # endings of the paths of weights


def build_optimizer(recipe: Recipe, total_steps: int) -> keras.optimizers.Optimizer:
    """Return the SGD optimizer of a recipe, with a schedule for `total_steps` steps."""
    optimizer = FusedSGD(
        learning_rate=build_schedule(recipe, total_steps),
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay or None,
        global_clipnorm=recipe.clip_norm or None,
    )
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    return optimizer


class FusedSGD(keras.optimizers.SGD):
    """Keras's SGD, with one operation of TensorFlow for each weight's update where it has one.

    Keras makes ten operations of it. Small networks spend a noticeable part of a step on starting
    them, and a short training part of its seconds on tracing them.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if not self.momentum or tf.distribute.has_strategy():  # copies need Keras's way
            super().update_step(gradient, variable, learning_rate)
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=velocity.value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


def build_schedule(recipe: Recipe, total_steps: int) -> Any:
    """Return the learning rate of a recipe: a number, or one of Keras's schedules."""
    peak = recipe.learning_rate
    if recipe.schedule == "one-cycle":
        # The learning rate rises for a fifth of the steps, then falls along a cosine to zero.
        warmup_steps = total_steps // 5
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=total_steps - warmup_steps,
            warmup_target=peak,
            warmup_steps=warmup_steps,
        )
    if recipe.lr_drops:
        # Keras counts steps from 0, and a boundary is the last step before a drop.
        boundaries = [round(fraction * total_steps) - 1 for fraction in recipe.lr_drops]
        values = [peak * recipe.lr_drop_factor**drops for drops in range(len(boundaries) + 1)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
    return peak


def init_kernels(variables: list[keras.Variable], stddev: float, seed: int) -> None:
    """Initialise as old papers do: kernels normal with this standard deviation, biases 0.

    A standard deviation of 0 keeps the network's own first weights.
    """
    if not stddev:
        return
    for number, variable in enumerate(variables):
        shape = variable.shape
        if len(shape) > 1:
            variable.assign(tf.random.stateless_normal(shape, seed=(seed, number), stddev=stddev))
        elif variable.path.endswith("bias"):
            variable.assign(tf.zeros(shape))


def adjust_gradients(
    gradients: list[tf.Tensor], variables: list[keras.Variable], recipe: Recipe
) -> list[tf.Tensor]:
    """Return the gradients with the recipe's `l2` added, times its `lr_multipliers`."""
    if not recipe.l2 and not recipe.lr_multipliers:
        return gradients

    def adjust(gradient: tf.Tensor, variable: keras.Variable) -> tf.Tensor:
        if recipe.l2 and not variable.path.endswith(NOT_DECAYED):
            gradient = gradient + recipe.l2 * variable
        return gradient * lr_multiplier(variable.path, recipe)

    return [adjust(*pair) for pair in zip(gradients, variables, strict=True)]


def lr_multiplier(path: str, recipe: Recipe) -> float:
    """Return the factor on a weight's learning rate: that of the longest ending of its path.

    It is implemented by scaling the gradient: `clip_norm` sees the scaled gradient, and decoupled
    weight decay uses the full learning rate.
    """
    endings = [ending for ending in recipe.lr_multipliers if path.endswith(ending)]
    if not endings:
        return 1.0
    return recipe.lr_multipliers[max(endings, key=len)]


def clip_filter_norm(variables: list[keras.Variable], max_rms: float) -> None:
    """Scale each convolution filter whose RMS exceeds `max_rms` back to it (ZFNet, section 3.1).

    A limit of 0 leaves all filters alone. keras.constraints.MaxNorm is not the same: it adds an
    epsilon to the norm, and so it shrinks the filters within the limit too.
    """
    if not max_rms:
        return
    for variable in variables:
        if len(variable.shape) == 4:  # a kernel: height, width, channels, filters
            rms = tf.sqrt(tf.reduce_mean(tf.square(variable), (0, 1, 2)))
            variable.assign(variable * (max_rms / tf.maximum(rms, max_rms)))


def ema_variables(weights: list[keras.Variable], decay: float) -> list[tf.Variable]:
    """Return a variable for the exponential moving average of each weight; none for decay 0."""
    if not decay:
        return []
    return [tf.Variable(weight, trainable=False) for weight in weights]


def update_ema(
    averages: list[tf.Variable], weights: list[keras.Variable], decay: float, step: tf.Tensor
) -> None:
    """Update the moving averages; their decay warms up as (1 + t) / (10 + t), up to `decay`."""
    if not averages:
        return
    step = tf.cast(step, tf.float32)
    warm_decay = tf.minimum(decay, (1 + step) / (10 + step))
    for average, weight in zip(averages, weights, strict=True):
        average.assign(warm_decay * average + (1 - warm_decay) * weight)
