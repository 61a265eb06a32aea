"""One training step, compiled: forward, loss, gradients, update.

images ── augment ── network ── softmax cross entropy ── mean ── loss
                        │                                           │
                     weights ←────────── optimizer ←────────── gradients
                        └── moving average, if the recipe keeps one
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from firstlight.training.augment import augmenter
from firstlight.training.optimizer import adjust_gradients, clip_filter_norm, update_ema
from firstlight.training.state import TrainState

MIN_COMPILED_WEIGHTS = 10_000_000  # from here on, compiling the update saves more than it costs


@dataclass(frozen=True)
class History:
    """The measurements of some steps: each is an array (count,) float32."""

    losses: np.ndarray
    accuracies: np.ndarray
    learning_rates: np.ndarray


RunSteps = Callable[[tf.Tensor, tf.Tensor, int, int], History]
Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def compile_steps(state: TrainState) -> RunSteps:
    """Return a function that runs several training steps as one graph.

    It takes images (steps_per_call, batch, height, width, channels) uint8, labels
    (steps_per_call, batch), the number of steps before them, and how many steps to run. Each
    replica of the strategy gets its part of a batch; losses and gradients are added up.
    """
    strategy, recipe = state.strategy, state.recipe
    step, augment, augment_until = build_step(state), augmenter(recipe.augment), state.augment_until
    seed = tf.constant(state.settings.seed, tf.int64)

    @tf.function(jit_compile=recipe.xla)
    def run_steps(
        images: tf.Tensor, labels: tf.Tensor, start: tf.Tensor, count: tf.Tensor
    ) -> tf.Tensor:
        history = tf.TensorArray(tf.float32, recipe.steps_per_call, element_shape=(3,))
        i = tf.constant(0, tf.int64)
        while i < count:  # `for i in tf.range(count)` would make XLA compile each count again
            batch = images[i]
            if start + i < augment_until:
                batch = augment(batch, tf.stack([seed, start + i]))
            learning_rate = tf.cast(state.optimizer.learning_rate, tf.float32)
            replicas = strategy.run(step, (batch, labels[i]))
            loss, accuracy = (strategy.reduce("SUM", value, axis=None) for value in replicas)
            measured = tf.stack([loss, accuracy, learning_rate])
            history = history.write(tf.cast(i, tf.int32), measured)
            i += 1
        return history.stack()  # (steps_per_call, 3)

    def call(images: tf.Tensor, labels: tf.Tensor, start: int, count: int) -> History:
        numbers = (tf.constant(number, tf.int64) for number in (start, count))
        losses, accuracies, rates = run_steps(images, labels, *numbers).numpy()[:count].T
        return History(losses, accuracies, rates)

    return call


def build_step(state: TrainState) -> Step:
    """Return a function that trains on a replica's part of a batch.

    It takes images and labels, and returns the part's share in the batch's loss and accuracy.
    """
    network, recipe = state.network, state.recipe
    variables, update = network.trainable_variables, updater(state)
    weights = None if state.label_weights is None else tf.constant(state.label_weights)

    def step(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = tf.cast(network(images, training=True), tf.float32)
            losses = cross_entropy(labels, logits, recipe.label_smoothing)
            if weights is not None:
                losses *= tf.gather(weights, labels)
            loss = tf.reduce_sum(losses) / recipe.batch_size
        update(tape.gradient(loss, variables))
        is_right = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
        return loss, tf.reduce_sum(tf.cast(is_right, tf.float32)) / recipe.batch_size

    return step


def updater(state: TrainState) -> Callable[[list[tf.Tensor]], None]:
    """Return a function that updates the weights by their gradients, and the moving averages."""
    network, optimizer, recipe = state.network, state.optimizer, state.recipe
    variables = network.trainable_variables

    def update(gradients: list[tf.Tensor]) -> None:
        optimizer.apply(adjust_gradients(gradients, variables, recipe), variables)
        clip_filter_norm(variables, recipe.max_filter_rms)
        update_ema(state.averages, variables, recipe.ema_decay, optimizer.iterations)

    # A compiled update reads and writes each weight once. Several replicas must exchange gradients
    # within the update, so theirs is not compiled.
    is_alone = state.strategy.num_replicas_in_sync == 1
    if is_alone and network.count_params() > MIN_COMPILED_WEIGHTS:
        return tf.function(update, jit_compile=True)
    return update


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Return the softmax cross entropy (N,) in nats; `smoothing` is spread over all classes."""
    classes = logits.shape[-1]
    targets = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)
