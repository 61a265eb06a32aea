"""TRAINING: the only loop. Settings go in (what run.json holds); a run folder comes out.

    training.py    what is being trained        augment.py     the images, a little different
    step.py        one step, compiled           optimizer.py   how weights follow gradients
    prepare.py     from flags to settings

    for each call of the compiled graph:          a thread has its batches ready
        for each step in it:                      forward, cost, gradients, update
        log, check for a stop, checkpoint
        at the end of each epoch: validate, keep the best weights, stop if it no longer gets better

The batch of a step is a function of seed and step alone, and a checkpoint holds everything else,
so a run that was killed at any moment resumes to the very weights it would have reached.
"""

import json
import math
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from firstlight import model
from firstlight.datasets import ahead, shuffled
from firstlight.datasets._images import Fitted, fitted, learned_from
from firstlight.errors import DataError, FirstlightError, Interrupted
from firstlight.evaluation.accuracy import predictor
from firstlight.progress import Progress
from firstlight.recipe import Recipe
from firstlight.runs import card, checkpoint
from firstlight.runs.files import write_json
from firstlight.runs.run import Run, create
from firstlight.training.state import Training
from firstlight.training.step import compile_steps, cross_entropy

SECONDS_BETWEEN_CHECKPOINTS = (1.0, 60.0)  # at least, at most
SHARE_FOR_CHECKPOINTS = 0.02  # of the time: what is quickly written is written often
LOGGED_STEPS = 1000  # a run's curve needs no more points than this, however long it is


def train(settings: dict[str, Any], out: Path | None = None, quiet: bool = False) -> dict[str, Any]:
    """Train what the settings describe (see prepare.py) and leave a run folder.

    Returns what the command line prints as JSON. The weights that are kept, in model/, are those
    of the last step or the best on the validation images, as the recipe has it; the best ones too
    where patience ends it early. The test images are measured once, at the end.

    Raises:
        Interrupted: SIGINT or SIGTERM came; a checkpoint has been written.
        FirstlightError: the cost is no longer a number.
        DataError, UsageError: the data is damaged, or does not fit the network.
    """
    training = Training(settings)  # first: what cannot be trained leaves no folder
    run = create(settings | {"total_steps": training.epoch_ends[-1]}, out)
    training.into(run).save()  # even a run killed at once can be resumed
    return finish(training, quiet)


def resume(run: Run, quiet: bool = False) -> dict[str, Any]:
    """Go on from the last checkpoint; see `train`. DataError: other data, or another version."""
    settings = run.settings()
    if strange := settings["recipe"].keys() - Recipe.__dataclass_fields__.keys():
        raise DataError(f"{run.folder}: no recipe has {', '.join(strange)} any more; train anew")
    training = Training(settings | {"pictures": run.listing()}).into(run)
    if training.dataset.fingerprint() != settings["sha256"]:
        raise DataError(f"{settings['data']} is not what {run.folder} was trained on; train anew")
    training.restore()
    run.forget_after(training.state.step)
    return finish(training, quiet)


def dry_run(settings: dict[str, Any]) -> dict[str, Any]:
    """Take the whole path with one step on one batch, and leave nothing."""
    one = settings["recipe"] | {"epochs": None, "steps": 1, "steps_per_call": 1}
    size = one["batch_size"]
    short = settings | {"recipe": one, "limit": size, "test_limit": size}
    with tempfile.TemporaryDirectory() as folder:
        return train(short, Path(folder), quiet=True) | {"run": None}


def finish(training: Training, quiet: bool) -> dict[str, Any]:
    run = training.run
    with Progress(training.epoch_ends[-1], training.state.step, quiet) as progress:
        for notice in training.settings["notices"]:
            progress.say(notice)
        steps(training, progress)
        progress.say(f"stopped: {training.state.stopped}")
    name, classes = training.settings["network"], training.dataset.classes
    learned = learned_from(training.held_out.images, classes)
    model.save(run, name, classes, learned, checkpoint.load(run.best)[0])
    facts = result(training, quiet)
    write_json(run.settings_file, run.settings() | {"result": asdict(training.state) | facts})
    card.write(run, classes, training.network.input_shape[1:], facts)
    return facts


def result(training: Training, quiet: bool) -> dict[str, Any]:
    """Measure the network that was kept on the test images, if there are any: in float32."""
    state, accuracy = training.state, None
    if "test" in training.dataset.splits:
        most = training.settings.get("test_limit")  # all of them, but in a dry run
        examples = training.dataset.load("test").first(most)
        network, _ = model.load(training.run)
        test = fitted(examples, network.input_shape[1:])
        logits = predictor(network, quiet)(test.images)
        accuracy = float((logits.argmax(1) == test.labels).mean())
    return {
        "network": training.settings["network"],
        "data": training.dataset.name,
        "steps": state.step,
        "first_cost": state.first_cost,
        "final_cost": state.final_cost,
        "test_accuracy": accuracy,
        "seconds": round(state.seconds, 3),
        "run": str(training.run.folder),
    }


def steps(training: Training, progress: Progress) -> None:
    """Take the steps that are left, until the recipe's end or an early stop."""
    state, run = training.state, training.run
    if state.stopped:
        return
    take = compile_steps(training)
    log_every = -(-training.epoch_ends[-1] // LOGGED_STEPS)
    began = time.monotonic() - state.seconds
    due = time.monotonic() + min(SECONDS_BETWEEN_CHECKPOINTS)
    with stop_signals() as stop, run.metrics_file.open("a", 1, "utf-8") as log:
        for start, end, images, labels in batches(training):
            costs, accuracies, rates = take(images, labels, start, end - start)
            state.step, state.seconds = end, time.monotonic() - began
            log_steps(training, log, log_every, start, costs, accuracies, rates)
            progress.at(end, f"cost {state.final_cost:.4f}  accuracy {accuracies[-1]:.2%}")
            if end in training.epoch_ends:
                validate(training, log, progress, rates[-1])
            interrupted = stop()
            if time.monotonic() > due or interrupted or state.stopped:
                due = save(training)
            if state.stopped:
                return
            if interrupted:
                go_on = f"firstlight train --resume {run.folder}"
                raise Interrupted(f"interrupted after step {end:,}; go on with: {go_on}")


def save(training: Training) -> float:
    """Write a checkpoint; returns the moment at which the next one is due.

    Whoever watches a training sees its weights change with each, so a small network has many.
    """
    began = time.monotonic()
    training.save()
    now, (least, most) = time.monotonic(), SECONDS_BETWEEN_CHECKPOINTS
    return now + min(max(least, (now - began) / SHARE_FOR_CHECKPOINTS), most)


def batches(training: Training) -> Iterator[tuple[int, int, tf.Tensor, tf.Tensor]]:
    """What each call of the compiled graph takes: (start, end, images, labels).

    Images (steps_per_call, batch, height, width, channels) uint8, labels (steps_per_call, batch).
    They are gathered (pictures decoded, and cut out) by threads while the graph computes, so that
    input never starves it.
    """
    recipe, state = training.recipe, training.state
    size, count = recipe.batch_size, recipe.steps_per_call
    rows = shuffled(len(training.examples.labels), training.settings["seed"])
    images, labels = training.examples.images, tf.constant(training.examples.labels)
    if isinstance(images, np.ndarray):
        images = tf.constant(images)

    def gather(start: int, end: int) -> tuple[int, int, tf.Tensor, tf.Tensor]:
        taken = rows(start * size, end * size)
        # A shorter last call is filled up, so that the graph is compiled for one shape only.
        order = np.resize(np.arange(len(taken)), (count, size))
        if isinstance(images, Fitted):
            strengths = recipe.augment if start < training.varied_until else {}
            seen = images.varied(taken, strengths, training.settings["seed"], start * size)[order]
        else:
            seen = tf.gather(images, taken[order])
        return start, end, tf.convert_to_tensor(seen), tf.gather(labels, taken[order])

    return ahead(gather, calls(state.step, training.epoch_ends, count))


def calls(step: int, epoch_ends: list[int], count: int) -> list[tuple[int, int]]:
    """The steps that are left, `count` to a call; an epoch's end ends a call."""
    bounds = []
    for end in epoch_ends:
        while step < end:
            bounds.append((step, min(step + count, end)))
            step = bounds[-1][1]
    return bounds


def log_steps(
    training: Training, log: Any, every: int, start: int, costs: Any, accuracies: Any, rates: Any
) -> None:
    """Write lines for the steps of one call, and stop at a cost that is no number."""
    state = training.state
    for step, values in enumerate(zip(costs, accuracies, rates, strict=True), start + 1):
        if not math.isfinite(values[0]):
            raise FirstlightError(f"the cost was {values[0]} at step {step}; lower --lr")
        if step == 1:
            state.first_cost = float(costs[0])
        if step == 1 or step % every == 0:
            log_line(training, log, step, "train", *values)
    state.final_cost = float(costs[-1])


def log_line(
    training: Training, log: Any, step: int, split: str, cost: float, accuracy: float, rate: float
) -> None:
    line = {
        "step": step,
        "epoch": round(step * training.recipe.batch_size / len(training.examples.labels), 4),
        "split": split,
        "loss": float(f"{cost:.9g}"),  # nine digits say all that a float32 holds
        "accuracy": round(float(accuracy), 6),
        "lr": float(f"{rate:.6g}"),
        "seconds": round(training.state.seconds, 3),
    }
    log.write(json.dumps(line) + "\n")
    if training.events:
        with training.events.as_default(step):
            tf.summary.scalar(f"{split}/loss", cost)
            tf.summary.scalar(f"{split}/accuracy", accuracy)


def validate(training: Training, log: Any, progress: Progress, rate: float) -> None:
    """Measure on the validation images, keep the weights that should be, decide to stop."""
    state, labels = training.state, training.held_out.labels
    logits = training.measure(training.held_out.images)
    loss = float(np.mean(cross_entropy(labels, logits, smoothing=0.0)))
    accuracy = float(np.mean(logits.argmax(1) == labels))
    log_line(training, log, state.step, "val", loss, accuracy, rate)
    better = (accuracy, -loss) > (state.best_accuracy, -state.best_loss)
    at_end = state.step == training.epoch_ends[-1]
    if better or (at_end and training.recipe.keep == "last"):
        state.best_step, state.best_accuracy, state.best_loss = state.step, accuracy, loss
        checkpoint.save(training.run.best, model.arrays(training.twin))
    state.epochs_without_better = 0 if better else state.epochs_without_better + 1
    epoch = training.epoch_ends.index(state.step) + 1
    progress.say(
        f"epoch {epoch}  validation accuracy {accuracy:.2%}  cost {loss:.4f}"
        f"{'  (best so far)' if better else ''}"
    )
    state.stopped = reason_to_stop(training)
    plateau, since = training.recipe.plateau_epochs, state.epochs_without_better
    if plateau and since and since % plateau == 0:
        training.optimizer.learning_rate = rate * training.recipe.lr_drop_factor


def reason_to_stop(training: Training) -> str:
    """Why training ends here; empty if it goes on."""
    state, patience = training.state, training.settings["patience"]
    kept = f"kept the weights of step {state.best_step:,} ({state.best_accuracy:.2%} on validation)"
    if state.step == training.epoch_ends[-1]:
        return f"all {state.step:,} steps are done; {kept}"
    if patience and state.epochs_without_better >= patience:
        return f"validation accuracy has not risen for {patience} epochs; {kept}"
    return ""


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask the loop to stop after its call; a second one stops it at once."""
    asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
