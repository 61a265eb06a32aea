"""TRAINING: the only loop, for every network and every dataset. trainer.py begins and ends it.

    for each call of the compiled graph:          a thread has its batches ready
        for each step in it:                      forward, loss, gradients, update
        log, check for a stop, checkpoint
        at the end of each epoch: validate, keep the best weights, stop if it no longer improves

The batch of a step is a function of seed and step alone, and a checkpoint holds everything else. So
a run that was killed at any moment resumes to the same weights that it would have reached.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from types import FrameType

import numpy as np
import tensorflow as tf

from firstlight import interrupt, model
from firstlight.datasets import ahead, shuffled
from firstlight.errors import FirstlightError, Interrupted
from firstlight.progress import Progress
from firstlight.runs import checkpoint
from firstlight.runs.documents import INTERRUPTED
from firstlight.training import advice
from firstlight.training.checkpoints import Checkpoints
from firstlight.training.log import Log
from firstlight.training.state import TrainState
from firstlight.training.step import Call, RunSteps, compile_steps, cross_entropy
from firstlight.training.workers import LOST_WORKER, Part, WorkerLost


def run_training(
    state: TrainState, progress: Progress, stop_requested: Callable[[], bool] | None = None
) -> None:
    """Run the steps that are left, until the recipe's end or an early stop.

    Args:
        stop_requested: is called after each call of the graph; True stops the training. None:
            SIGINT and SIGTERM stop it.

    Raises:
        Interrupted: a stop was requested; a checkpoint has been written.
        FirstlightError: another process has ended.
    """
    if state.status.stopped:
        return
    metrics_file = state.run.metrics_file if state.workers.is_chief else Path(os.devnull)
    try:
        with (
            stop_signals() as signalled,
            metrics_file.open("a", buffering=1, encoding="utf-8") as file,
        ):
            run_calls(state, Log(state, file, progress), stop_requested or signalled)
    except WorkerLost:
        raise FirstlightError(
            f"{LOST_WORKER}, after step {state.status.step:,}; continue from the last checkpoint, "
            f"with as many workers as there are: {state.run.resume_command()}"
        ) from None


def run_calls(state: TrainState, log: Log, stop_requested: Callable[[], bool]) -> None:
    """Run the calls of the graph that are left. Raises what `run_training` raises.

    Processes that train together must end after the same call. So each asks for the end with its
    next call, and all learn from this call's result whether one of them does.
    """
    run_steps, checkpoints = compile_steps(state), Checkpoints(state, log)
    asks = Asks.NOTHING
    for call in batches(state):
        asked = run_call(state, run_steps, call, log, asks)
        if stop_requested():
            asks = Asks.STOP
        if state.workers.processes == 1:  # nobody else has to learn of it
            asked = asks
        checkpoints.save_if_due(is_over=bool(asked or state.status.stopped))
        if state.status.stopped:
            return
        if asked:
            raise checkpoints.failure or reason_to_leave(state, asked)
        if checkpoints.failure:
            asks = Asks.FAILED


class Asks(IntEnum):
    """What a process asks for. The processes' wishes are added up."""

    NOTHING = 0
    STOP = 1  # a signal has come
    FAILED = 1_000_000  # it cannot go on: more than all processes can ask for otherwise


def reason_to_leave(state: TrainState, asked: int) -> FirstlightError:
    """Return why the training ends before its end; note an interruption in run.json."""
    if asked >= Asks.FAILED:
        return FirstlightError("another worker cannot go on: see its message")
    if state.workers.is_chief:
        status = replace(state.status, stopped=INTERRUPTED)
        with state.writing():
            state.run.write_record(replace(state.run.record(), status=status))
    return Interrupted(
        f"interrupted after step {state.status.step:,}; continue with: {state.run.resume_command()}"
    )


def run_call(state: TrainState, run_steps: RunSteps, call: Call, log: Log, asks: int) -> int:
    """Run the steps of one call, log them, and validate if an epoch ends.

    Returns:
        what the processes ask for: the sum of `asks` over all of them.
    """
    history, asking = run_steps(call, asks)
    state.status.step = call.end
    log.steps(call.start, history)
    if call.end in state.epoch_ends:
        validate(state, log, rate=float(history.learning_rates[-1]))
    return asking


def batches(state: TrainState) -> Iterator[Call]:
    """Yield what each call of the compiled graph takes: of every batch, this process's part.

    Threads gather the images (pictures are decoded and cropped) while the graph computes, so that
    it never waits for input.
    """
    recipe, seed, workers = state.recipe, state.settings.seed, state.workers
    size, count = recipe.batch_size, recipe.steps_per_call
    rows = shuffled(len(state.train), seed)

    def gather(start: int, end: int) -> Call:
        places = np.arange(start * size, end * size).reshape(-1, size)
        chosen = rows(start * size, end * size).reshape(-1, size)
        # A shorter last call is filled up: the graph is compiled for one shape only.
        filled = np.resize(np.arange(end - start), count)
        strengths = recipe.augment if start < state.augment_until else {}

        def part_of(part: Part) -> tuple[tf.Tensor, tf.Tensor]:
            own = chosen[:, part.first : part.last]
            own_places = places[:, part.first : part.last]
            images = state.train.images.augmented(own.ravel(), strengths, seed, own_places.ravel())
            images = images.reshape(*own.shape, *images.shape[1:])
            labels = state.train.labels[own]
            return tf.constant(images[filled]), tf.constant(labels[filled])

        images, labels = zip(*map(part_of, state.parts), strict=True)
        return Call(start, end, workers.for_replicas(images), workers.for_replicas(labels))

    return ahead(gather, calls(state.status.step, state.epoch_ends, count))


def calls(step: int, epoch_ends: list[int], count: int) -> list[tuple[int, int]]:
    """Return (start, end) of each remaining call: the steps before it and after it.

    A call ends at `count` steps or at the end of an epoch.
    """
    bounds = []
    for end in epoch_ends:
        while step < end:
            bounds.append((step, min(step + count, end)))
            step = bounds[-1][1]
    return bounds


def validate(state: TrainState, log: Log, rate: float) -> None:
    """Measure accuracy on the validation images, keep the best weights, decide whether to stop.

    With class weights, each class counts alike here too: otherwise the best weights would be those
    that ignore the rare classes.
    """
    status, labels = state.status, state.val.labels
    logits = state.eval_logits(state.val.images)
    weights = None if state.val_weights is None else state.val_weights[labels]
    losses = cross_entropy(labels, logits, smoothing=0.0).numpy()
    loss = float(np.average(losses, weights=weights))
    accuracy = float(np.average(logits.argmax(1) == labels, weights=weights))
    log.line(status.step, "val", loss=loss, accuracy=accuracy, rate=rate)
    is_better = (accuracy, -loss) > (status.best_accuracy, -status.best_loss)
    is_last = status.step == state.total_steps
    if is_better or (is_last and state.recipe.keep == "last"):
        status.best_step, status.best_accuracy, status.best_loss = status.step, accuracy, loss
        if state.workers.is_chief:
            with state.writing():
                best = model.arrays(state.eval_model)
                checkpoint.save(state.run.best, best, {"step": status.step})
    if is_better:
        status.epochs_without_better = 0
    else:
        status.epochs_without_better += 1
    epoch = state.epoch_ends.index(status.step) + 1
    mark = "  (best so far)" if is_better and state.recipe.keep == "best" else ""
    log.progress.say(
        f"epoch {epoch}  {measured_on_val(state)} {accuracy:.2%}  cost {loss:.4f}{mark}"
    )
    warning = advice.worse_than_guessing(state, loss)
    if warning and not log.has_warned:
        log.has_warned = True
        log.progress.say(warning)
    status.stopped = reason_to_stop(state)
    lower_rate_on_plateau(state, rate)


def measured_on_val(state: TrainState) -> str:
    """Return what `validate` measures: with class weights, the mean of all classes' recalls."""
    return "validation accuracy" if state.val_weights is None else "mean recall on validation"


def lower_rate_on_plateau(state: TrainState, rate: float) -> None:
    """Lower the rate after each `plateau_epochs` epochs without a better accuracy."""
    epochs, since = state.recipe.plateau_epochs, state.status.epochs_without_better
    if epochs and since and since % epochs == 0:
        state.optimizer.learning_rate = rate * state.recipe.lr_drop_factor


def reason_to_stop(state: TrainState) -> str:
    """Return why training ends here; "" if it goes on."""
    status, patience = state.status, state.settings.patience
    kept = (
        f"kept the weights of step {status.best_step:,} ({measured_on_val(state)} "
        f"{status.best_accuracy:.2%})"
    )
    if status.step == state.total_steps:
        return f"all {status.step:,} steps are done; {kept}"
    if patience and status.epochs_without_better >= patience:
        return f"{measured_on_val(state)} has not risen for {patience} epochs; {kept}"
    return ""


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether SIGINT or SIGTERM came; a second signal stops at once.

    Python hands signals to the main thread alone: in another thread no signal stops the training.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    is_requested = False

    def request(number: int, frame: FrameType | None) -> None:
        nonlocal is_requested
        if is_requested:
            raise KeyboardInterrupt
        is_requested = True

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        interrupt.raise_if_lost()  # the training would go on
        yield lambda: is_requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
