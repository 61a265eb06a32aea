"""Trains the line reader and the line finder on what is composed anew for each step.

    python -m firstlight.training.lines reader --steps 36000 --out runs/lines
    python -m firstlight.training.lines finder --steps 8000 --out runs/finder

The same command continues after an interruption. A batch depends only on the seed and on the number
of its step, so a training that was interrupted sees the same batches. Another process composes
them. TensorFlow computes in one thread here, so both trainings can share two cores.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import DataError
from firstlight.lines.batches import PAGES, STRIPS, Compose, compose_pages, compose_strips, composed
from firstlight.quiet import keras, tf

PEAK_RATE, WARMUP_STEPS = 2e-3, 200
WEIGHT_DECAY = 1e-2
EMA_DECAY = 0.998
SECONDS_BETWEEN_CHECKPOINTS = 120
SEED = 0


@dataclass(frozen=True)
class Task:
    """What is learned."""

    network: str  # the module that builds it
    compose: Compose  # a batch of inputs, and the right answers
    loss: Callable[[Any, Any], Any]  # of outputs and answers
    inputs: Any  # TensorSpec: the shape and type of a batch's inputs,
    answers: Any  # and of its right answers
    outputs: tuple[str, ...]  # what they are called in the exported file


def train(task: Task, out: Path, steps: int) -> None:
    """Train until `steps` are done; write checkpoints and the log, and print how far it is."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    network, optimizer = build(task)
    state = tf.train.Checkpoint(
        network=network,
        optimizer=optimizer,
        average=[tf.Variable(weight) for weight in network.weights],
        step=tf.Variable(0, dtype=tf.int64),
        seconds=tf.Variable(0.0),
    )
    manager = tf.train.CheckpointManager(state, str(out / "checkpoint"), max_to_keep=2)
    state.restore(manager.latest_checkpoint)
    batches = composed(task.compose, out, SEED, int(state.step))
    run_step = compile_step(task, state)
    saved, losses = time.monotonic(), []
    for step in range(int(state.step), steps):
        began = time.monotonic()
        inputs, answers = (tf.constant(array) for array in next(batches))
        loss = run_step(inputs, answers, rate(step, steps))
        losses.append(float(loss))
        state.seconds.assign_add(min(time.monotonic() - began, 20.0))
        if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS or step + 1 == steps:
            manager.save()
            line = log(out, state, losses)
            print(
                f"{network.name}: step {line['step']:,} of {steps:,}, loss {line['loss']}",
                flush=True,
            )
            saved, losses = time.monotonic(), []


def build(task: Task) -> tuple[Any, Any]:
    """Return the network, and its optimizer with all its variables."""
    keras.utils.set_random_seed(SEED)
    network = import_module(f"firstlight.networks.{task.network}").build()
    optimizer = keras.optimizers.AdamW(PEAK_RATE, weight_decay=WEIGHT_DECAY, global_clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(network.trainable_variables)
    return network, optimizer


def rate(step: int, steps: int) -> Any:
    """Return the learning rate: it rises for WARMUP_STEPS, and falls along a cosine to zero."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / steps)
    return tf.constant(PEAK_RATE * cosine * min(1.0, (step + 1) / WARMUP_STEPS), tf.float32)


def compile_step(task: Task, state: Any) -> Any:
    """Return a function that trains on one batch, whatever its width, and returns its loss."""
    network, optimizer = state.network, state.optimizer
    variables = network.trainable_variables
    weights = [weight.value for weight in network.weights]

    @tf.function(reduce_retracing=True)
    def run_step(inputs: Any, answers: Any, learning_rate: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = task.loss(network(inputs, training=True), answers)
        optimizer.learning_rate.assign(learning_rate)
        optimizer.apply(tape.gradient(loss, variables), variables)
        state.step.assign_add(1)
        count = tf.cast(state.step, tf.float32)
        decay = tf.minimum(EMA_DECAY, (1 + count) / (10 + count))
        for average, weight in zip(state.average, weights, strict=True):
            average.assign_sub((1 - decay) * (average - tf.cast(weight, average.dtype)))
        return loss

    rate_ = tf.TensorSpec((), tf.float32)
    return run_step.get_concrete_function(task.inputs, task.answers, rate_)


def ctc_loss(logits: Any, labels: Any) -> Any:
    """Return the mean CTC loss of a batch in nats; the last class is the blank.

    TensorFlow's operation refuses strips without digits. Their only alignment is all blanks.

    Args:
        labels: (n, digits) int32, -1 after the last.
    """
    is_empty = labels[:, 0] < 0
    written = tf.concat([tf.maximum(labels[:, :1], 0), labels[:, 1:]], axis=1)
    where = tf.where(written >= 0)
    sparse = tf.SparseTensor(where, tf.gather_nd(written, where), tf.shape(labels, tf.int64))
    frames = tf.fill([tf.shape(logits)[0]], tf.shape(logits)[1])
    aligned = tf.compat.v1.nn.ctc_loss(
        sparse, logits, frames, ignore_longer_outputs_than_inputs=True, time_major=False
    )
    blanks = -tf.reduce_sum(tf.nn.log_softmax(logits)[:, :, -1], axis=1)
    return tf.reduce_mean(tf.where(is_empty, blanks, aligned))


def finder_loss(outputs: Any, answers: Any) -> Any:
    """Return the mean loss of the finder's three answers; the last two count within lines."""
    is_line = answers[..., 0]
    found = tf.nn.weighted_cross_entropy_with_logits(is_line, outputs[..., 0], pos_weight=2.0)
    dark = tf.nn.sigmoid_cross_entropy_with_logits(answers[..., 2], outputs[..., 2])
    height = tf.abs(outputs[..., 1] - answers[..., 1])
    within = tf.reduce_sum(is_line * (height + 2 * dark)) / (tf.reduce_sum(is_line) + 1)
    return tf.reduce_mean(found) + 0.1 * within


TASKS = {
    "reader": Task(
        network="_line_reader",
        compose=compose_strips,
        loss=ctc_loss,
        inputs=tf.TensorSpec((STRIPS, 32, None, 1), tf.uint8),
        answers=tf.TensorSpec((STRIPS, None), tf.int32),
        outputs=(*"0123456789", "blank"),
    ),
    "finder": Task(
        network="_line_finder",
        compose=compose_pages,
        loss=finder_loss,
        inputs=tf.TensorSpec((PAGES, None, None, 1), tf.uint8),
        answers=tf.TensorSpec((PAGES, None, None, 3), tf.float32),
        outputs=("middle of a line", "log2 of its height", "dark ink"),
    ),
}


def log(out: Path, state: Any, losses: list[float]) -> dict[str, float]:
    """Append the mean loss since the last line to log.jsonl; return the new line."""
    line = {
        "step": int(state.step),
        "seconds": round(float(state.seconds)),
        "loss": round(float(np.mean(losses)), 4),
    }
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    return line


def averaged_weights(out: Path) -> tuple[list[np.ndarray], int]:
    """Return the averaged weights of the last checkpoint, and its step.

    Raises:
        DataError: there is no checkpoint.
    """
    latest = tf.train.latest_checkpoint(str(out / "checkpoint"))
    if latest is None:
        raise DataError(f"{out} has no checkpoint; train with --out {out}")
    reader = tf.train.load_checkpoint(latest)
    values = ".ATTRIBUTES/VARIABLE_VALUE"
    shapes = reader.get_variable_to_shape_map()
    count = sum(name.startswith("average/") for name in shapes)
    weights = [reader.get_tensor(f"average/{number}/{values}") for number in range(count)]
    return weights, int(reader.get_tensor(f"step/{values}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("--steps", type=int, required=True, help="of one batch each")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    train(TASKS[arguments.task], arguments.out, arguments.steps)


if __name__ == "__main__":
    main()
