"""One training step, compiled: forward, loss, gradients, update.

images ── augment ── network ── softmax cross entropy ── mean ── loss
                        │                                           │
                     weights ←────────── optimizer ←────────── gradients
                        └── moving average, if the recipe keeps one

Several replicas (see workers.py) take a part of the batch each, up to the gradients. These are
added up, and each replica makes the whole update.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from firstlight.networks._replicas import Rows, seeing
from firstlight.training.augment import Seed, augmenter
from firstlight.training.optimizer import adjust_gradients, clip_filter_norm, update_ema
from firstlight.training.state import TrainState

# Weights × steps from which on compiling the update saves more than the half second that it costs.
MIN_COMPILED_UPDATES = 1_000_000_000


@dataclass(frozen=True)
class History:
    """The measurements of some steps: each is an array (count,) float32."""

    losses: np.ndarray
    accuracies: np.ndarray
    learning_rates: np.ndarray


@dataclass(frozen=True)
class Call:
    """What one call of the compiled graph takes."""

    start: int  # the number of steps before the call
    end: int  # the number of steps after the call
    images: tf.Tensor  # (steps_per_call, batch, height, width, channels) uint8
    labels: tf.Tensor  # (steps_per_call, batch) int32
    # Of several local replicas, images and labels have a tensor for each one's part of the batch.


# It takes a call and a number, and returns the measurements and the sum of all processes' numbers.
RunSteps = Callable[[Call, int], tuple[History, int]]


def compile_steps(state: TrainState) -> RunSteps:
    """Return a function that runs several training steps as one graph."""
    workers, recipe = state.workers, state.recipe
    strategy, update = workers.strategy, updater(state)
    replica_step = build_step(state)
    firsts = workers.for_replicas([part.first for part in state.parts])

    @tf.function(jit_compile=recipe.xla and workers.replicas == 1)
    def run_steps(
        images: tf.Tensor, labels: tf.Tensor, start: tf.Tensor, count: tf.Tensor, asks: tf.Tensor
    ) -> tf.Tensor:
        history = tf.TensorArray(tf.float32, recipe.steps_per_call, element_shape=(4,))
        i = tf.constant(0, tf.int64)
        while i < count:  # `for i in tf.range(count)` would make XLA compile each count again
            learning_rate = tf.cast(state.optimizer.learning_rate, tf.float32)
            computed = strategy.run(replica_step, (Share(images, labels, firsts), start, i, asks))
            gradients, measured = tf.nest.map_structure(workers.local, computed)
            update(gradients)
            row = tf.concat([measured, [learning_rate]], axis=0)
            history = history.write(tf.cast(i, tf.int32), row)
            i += 1
        return history.stack()  # (steps_per_call, 4)

    def run_call(call: Call, asks: int = 0) -> tuple[History, int]:
        count = call.end - call.start
        numbers = (tf.constant(number, tf.int64) for number in (call.start, count))
        asked = tf.constant(asks, tf.float32)
        with workers.watched():
            rows = run_steps(call.images, call.labels, *numbers, asked).numpy()[:count]
        losses, accuracies, asking, rates = rows.T
        return History(losses, accuracies, rates), round(float(asking[-1]))

    return run_call


class Share(NamedTuple):
    """What a replica takes of the batches of one call."""

    images: tf.Tensor  # (steps_per_call, part of the batch, height, width, channels) uint8
    labels: tf.Tensor  # (steps_per_call, part of the batch) int32
    first: tf.Tensor  # the place of the part's first image in the batch


ReplicaStep = Callable[[Share, tf.Tensor, tf.Tensor, tf.Tensor], tuple[list[tf.Tensor], tf.Tensor]]


def build_step(state: TrainState) -> ReplicaStep:
    """Return a function that trains on a replica's part of a batch.

    It returns the gradients, and (3,): the batch's loss and accuracy, and the sum of the processes'
    numbers `asks`; all of them summed over the replicas.
    """
    network, recipe, workers = state.network, state.recipe, state.workers
    variables = network.trainable_variables
    augment = augmenter(recipe.augment, unchanged=recipe.no_augment_fraction)
    weights = None if state.label_weights is None else tf.constant(state.label_weights)
    seed = tf.constant(state.settings.seed, tf.int64)
    is_alone = workers.replicas == 1
    if recipe.xla and not is_alone:  # XLA has random numbers of its own: they stay those of one
        augment = tf.function(augment, jit_compile=True)

    def step(
        share: Share, start: tf.Tensor, i: tf.Tensor, asks: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        batch, labels = share.images[i], share.labels[i]
        rows = None if is_alone else Rows(share.first, recipe.batch_size)
        if start + i < state.augment_until:
            numbers = tf.stack([seed, start + i])
            batch = augment(batch, Seed(numbers, *rows) if rows else Seed(numbers))
        with tf.GradientTape() as tape, seeing(rows):
            logits = tf.cast(network(batch, training=True), tf.float32)
            losses = cross_entropy(labels, logits, recipe.label_smoothing)
            if weights is not None:
                losses *= tf.gather(weights, labels)
            loss = tf.reduce_sum(losses) / recipe.batch_size
        gradients = tape.gradient(loss, variables)
        is_right = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
        accuracy = tf.reduce_sum(tf.cast(is_right, tf.float32)) / recipe.batch_size
        measured = tf.stack([loss, accuracy, asks / workers.local_replicas])
        if is_alone:
            return gradients, measured
        replica = tf.distribute.get_replica_context()
        *gradients, measured = replica.all_reduce("SUM", [*gradients, measured])
        return gradients, measured

    return step


def updater(state: TrainState) -> Callable[[list[tf.Tensor]], None]:
    """Return a function that updates the weights by their gradients, and the moving averages."""
    network, optimizer, recipe = state.network, state.optimizer, state.recipe
    variables = network.trainable_variables

    def update(gradients: list[tf.Tensor]) -> None:
        optimizer.apply(adjust_gradients(gradients, variables, recipe), variables)
        clip_filter_norm(variables, recipe.max_filter_rms)
        update_ema(state.averages, variables, recipe.ema_decay, optimizer.iterations)

    # A compiled update reads and writes each weight once. It cannot write copies on other devices.
    updates = network.count_params() * state.total_steps
    if state.workers.local_replicas == 1 and updates > MIN_COMPILED_UPDATES:
        return tf.function(update, jit_compile=True)
    return update


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Return the softmax cross entropy (N,) in nats; `smoothing` is spread over all classes."""
    classes = logits.shape[-1]
    targets = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)
