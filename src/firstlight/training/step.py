"""One training step, compiled: forward, cost, gradients, update.

images ── augment ── network ── softmax cross entropy ── mean ── cost
                        │                                          │
                     weights ←────────── optimizer ←────────── gradients
                        └── running mean, if the recipe keeps one
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from firstlight.training.augment import augmenter
from firstlight.training.optimizer import adjust_gradients, clip_filter_norm, update_ema
from firstlight.training.state import Training

MANY = 10_000_000  # weights, of which the update takes longer than compiling it is worth


def compile_steps(training: Training) -> Callable[..., tuple[np.ndarray, ...]]:
    """The training step, as a graph that takes several of them: (images, labels, start, count).

    Returns cost, accuracy and learning rate of each step, (count,) float32 each. Each replica of
    the strategy sees its part of a batch; costs and gradients are added up.
    """
    network, strategy, recipe = training.network, training.strategy, training.recipe
    variables, update = network.trainable_variables, updater(training)
    augment, varied_until = augmenter(recipe.augment), training.varied_until
    seed = tf.constant(training.settings["seed"], tf.int64)

    def step(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = tf.cast(network(images, training=True), tf.float32)
            losses = cross_entropy(labels, logits, recipe.label_smoothing)
            cost = tf.reduce_sum(losses) / recipe.batch_size
        update(tape.gradient(cost, variables))
        right = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
        return cost, tf.reduce_sum(tf.cast(right, tf.float32)) / recipe.batch_size

    @tf.function(jit_compile=recipe.xla)
    def take(
        images: tf.Tensor, labels: tf.Tensor, start: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        found = [tf.TensorArray(tf.float32, recipe.steps_per_call) for _ in range(3)]
        i = tf.constant(0, tf.int64)
        while i < count:  # not `for i in tf.range(count)`: XLA would compile each count anew
            seen = images[i]
            if start + i < varied_until:
                seen = augment(seen, tf.stack([seed, start + i]))
            rate = training.optimizer.learning_rate
            each = strategy.run(step, (seen, labels[i]))
            cost, accuracy = (strategy.reduce("SUM", value, axis=None) for value in each)
            place, values = tf.cast(i, tf.int32), (cost, accuracy, rate)
            found = [of.write(place, value) for of, value in zip(found, values, strict=True)]
            i += 1
        return tuple(of.stack() for of in found)

    def call(images: Any, labels: Any, start: int, count: int) -> tuple[np.ndarray, ...]:
        numbers = (tf.constant(number, tf.int64) for number in (start, count))
        return tuple(values.numpy()[:count] for values in take(images, labels, *numbers))

    return call


def updater(training: Training) -> Callable[[list[tf.Tensor]], None]:
    """Lets the weights follow their gradients, and their running means follow the weights."""
    network, optimizer, recipe = training.network, training.optimizer, training.recipe
    variables = network.trainable_variables

    def update(gradients: list[tf.Tensor]) -> None:
        optimizer.apply(adjust_gradients(gradients, variables, recipe), variables)
        clip_filter_norm(variables, recipe.max_filter_rms)
        update_ema(training.averages, variables, recipe.ema_decay, optimizer.iterations)

    # So each weight is read and written once. Several replicas have to talk in between.
    alone = training.strategy.num_replicas_in_sync == 1
    compiled = alone and network.count_params() > MANY
    return tf.function(update, jit_compile=True) if compiled else update


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Softmax cross entropy (N,), in nats; `smoothing` spreads that share over all classes."""
    classes = logits.shape[-1]
    target = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.nn.softmax_cross_entropy_with_logits(target, logits)
