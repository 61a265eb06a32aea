"""The first chapter's program: one layer of ten neurons, as an explicit TensorFlow graph.

First the computation is described: a graph of operations, in which nothing is computed yet. Then a
session runs the graph, and is fed with 100 images at a time.

    input  (100, 784) ──┐
                        matmul ── + ── logits (100, 10) ──┐
    layer1_weights ─────┘         │                       softmax cross entropy ── mean ── cost
    layer1_biases ────────────────┘    labels (100, 10) ──┘

TensorFlow 2 computes at once by default, and keeps this way of working in `tf.compat.v1`. A
placeholder, a session and a feed show what `tf.function` and Keras do out of sight.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from firstlight.datasets import Examples, flat, one_hot, shuffled
from firstlight.errors import FirstlightError, UsageError

v1 = tf.compat.v1

PIXELS = 28 * 28
CLASSES = 10
LOOK_EVERY = 100  # steps


class FirstGraph(NamedTuple):
    """The graph, and the tensors and operations in it that the session asks for."""

    graph: tf.Graph
    weights: tf.Variable  # (784, 10): how much ink at each pixel speaks for each digit
    biases: tf.Variable  # (10,)
    logits: tf.Tensor  # (100, 10): the higher, the more probable is that digit
    cost: tf.Tensor  # (): mean cross entropy, in nats
    optimizer: tf.Operation  # running it changes weights and biases by one step
    initialize: tf.Operation  # running it gives weights and biases their first values


class Learned(NamedTuple):
    """What a training leaves."""

    weights: np.ndarray  # (784, 10)
    biases: np.ndarray  # (10,)
    test_logits: np.ndarray  # (N, 10), of the test images


def build(batch_size: int = 100, learning_rate: float = 0.01, seed: int = 0) -> FirstGraph:
    """Describe the computation. Nothing is computed here."""
    graph = tf.Graph()
    with graph.as_default():
        v1.set_random_seed(seed)
        # Placeholders: the two open ends of the graph. Each step is fed with new values for them.
        images = v1.placeholder(tf.float32, (batch_size, PIXELS), name="input")
        labels = v1.placeholder(tf.float32, (batch_size, CLASSES), name="labels")

        # Variables: what the network learns. They keep their values from step to step. The weights
        # begin as normal random numbers; those beyond two standard deviations are drawn again.
        normal = tf.random.truncated_normal((PIXELS, CLASSES))
        weights = v1.get_variable("layer1_weights", initializer=normal)
        biases = v1.get_variable("layer1_biases", initializer=tf.zeros(CLASSES))

        # Operations: (100, 784) · (784, 10) + (10,) = (100, 10).
        logits = tf.add(tf.matmul(images, weights, name="matmul"), biases, name="logits")
        losses = tf.nn.softmax_cross_entropy_with_logits(
            labels=labels, logits=logits, name="softmax_cross_entropy"
        )
        cost = tf.reduce_mean(losses, name="cost")

        # Training: compute the gradient of the cost, and take a small step against it.
        descent = v1.train.GradientDescentOptimizer(learning_rate)
        optimizer = descent.minimize(cost, name="optimizer")
        initialize = v1.global_variables_initializer()
    return FirstGraph(
        graph=graph,
        weights=weights,
        biases=biases,
        logits=logits,
        cost=cost,
        optimizer=optimizer,
        initialize=initialize,
    )


def train(
    examples: Examples,
    test_images: np.ndarray,
    *,
    steps: int = 1000,
    batch_size: int = 100,
    learning_rate: float = 0.01,
    seed: int = 0,
    on_cost: Callable[[int, float], None] = lambda step, cost: None,
    on_weights: Callable[[int, np.ndarray, np.ndarray], None] = lambda step, weights, biases: None,
) -> Learned:
    """Run the graph in a session: `steps` times, with `batch_size` images each time.

    Args:
        test_images: (N, 28, 28, 1) uint8.
        on_cost: is called after each step with its number, counting from 1, and its cost.
        on_weights: is called before the first step, then after every 100 steps, and at the end,
            with the number of steps so far, the weights (784, 10) and the biases (10,).

    Raises:
        FirstlightError: the cost is not a number.
    """
    images, labels = flat(examples.images), one_hot(examples.labels, CLASSES)
    rows = shuffled(len(images), seed)
    first = build(batch_size, learning_rate, seed)
    with v1.Session(graph=first.graph) as session:
        session.run(first.initialize)
        for step in range(steps):
            if step % LOOK_EVERY == 0:
                on_weights(step, *session.run([first.weights, first.biases]))
            batch = rows(step * batch_size, (step + 1) * batch_size)
            cost = take_step(session, first, images[batch], labels[batch], step + 1)
            on_cost(step + 1, cost)
        weights, biases = session.run([first.weights, first.biases])
        on_weights(steps, weights, biases)
        test_logits = predict(session, first, flat(test_images), batch_size)
    return Learned(weights, biases, test_logits)


def take_step(
    session: tf.compat.v1.Session,
    first: FirstGraph,
    images: np.ndarray,
    labels: np.ndarray,
    step: int,
) -> float:
    """Run one step on a batch of images (100, 784) and labels (100, 10); return its cost.

    Args:
        step: the step's number, counting from 1.

    Raises:
        FirstlightError: the cost is not a number.
    """
    fed = feed(first.graph, input=images, labels=labels)
    _, cost = session.run([first.optimizer, first.cost], fed)
    if not np.isfinite(cost):
        raise FirstlightError(f"the cost was {cost} at step {step}; lower the learning rate (--lr)")
    return float(cost)


def predict(
    session: tf.compat.v1.Session, first: FirstGraph, images: np.ndarray, size: int
) -> np.ndarray:
    """Return logits (N, 10) for images (N, 784), in batches of the size that the graph takes."""
    no_labels = np.zeros((size, CLASSES))  # the logits do not depend on them, but a feed needs them
    logits = []
    for start in range(0, len(images), size):
        # np.resize fills the last batch up with repeated images; [:len(images)] cuts them off.
        batch = np.resize(images[start : start + size], (size, PIXELS))
        fed = feed(first.graph, input=batch, labels=no_labels)
        logits.append(session.run(first.logits, fed))
    return np.concatenate(logits)[: len(images)]


def feed(graph: tf.Graph, **values: np.ndarray) -> dict[str, np.ndarray]:
    """Check the values for the graph's placeholders, by name; return them as a session takes them.

    Raises:
        UsageError: a placeholder has no value, does not exist, or gets another shape or type.
    """
    placeholders = {
        operation.name: operation.outputs[0]
        for operation in graph.get_operations()
        if operation.type == "Placeholder"
    }
    for name in values.keys() - placeholders.keys():
        known = ", ".join(map(_describe, placeholders.values()))
        raise UsageError(f"no placeholder {name!r} to feed; the graph has: {known}")
    for name, tensor in placeholders.items():
        if name not in values:
            raise UsageError(f"the feed misses a placeholder: {_describe(tensor)}")
        value = np.asarray(values[name])
        if value.dtype.kind not in "fiu" or not tensor.shape.is_compatible_with(value.shape):
            raise UsageError(f"{_describe(tensor)} was fed {value.dtype} {value.shape}")
    return {f"{name}:0": value for name, value in values.items()}


def _describe(placeholder: tf.Tensor) -> str:
    name, shape = placeholder.op.name, tuple(placeholder.shape)
    return f"placeholder {name!r}, which expects {placeholder.dtype.name} {shape}"
