"""TRAINING: the only loop. Settings and data go in; a run folder comes out.

    for each call of the compiled graph:          a thread has its batches ready
        for each step in it:                      forward, loss, gradients, update
        log, check for a stop, checkpoint
        at the end of each epoch: validate, keep the best weights, stop if it no longer improves

The batch of a step is a function of seed and step alone, and a checkpoint holds everything else. So
a run that was killed at any moment resumes to the same weights that it would have reached.
"""

import math
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import TextIO

import numpy as np
import tensorflow as tf

from firstlight import model
from firstlight.datasets import Dataset, ahead, shuffled
from firstlight.errors import DataError, FirstlightError, Interrupted
from firstlight.graphs.operations import trace
from firstlight.progress import Progress
from firstlight.runs import card, checkpoint, lock
from firstlight.runs.documents import (
    INTERRUPTED,
    LoggedStep,
    ModelInfo,
    TrainingResult,
    metrics_line,
    read_metrics,
)
from firstlight.runs.files import remove_parts, write_json
from firstlight.runs.run import Run, changed_versions, next_folder_of, refuse_used
from firstlight.settings import Plan
from firstlight.training import advice
from firstlight.training.events import write_graph, write_scalars
from firstlight.training.state import TrainState
from firstlight.training.step import Call, History, RunSteps, compile_steps, cross_entropy
from firstlight.training.workers import LOST_WORKER, Part, WorkerLost, Workers

MIN_SECONDS_BETWEEN_CHECKPOINTS, MAX_SECONDS_BETWEEN_CHECKPOINTS = 1.0, 60.0
CHECKPOINT_SHARE = 0.02  # fraction of the time for checkpoints, within the two limits above
SECONDS_BEFORE_ESTIMATE = 3.0  # of steps, before their speed says how long the training will take
MAX_LOGGED_STEPS = 1000  # a curve needs no more points, however long the training is


def train(
    plan: Plan,
    out: Path | None = None,
    quiet: bool = False,
    start: Run | None = None,
    workers: Workers | None = None,
) -> Run:
    """Train what was planned (see settings.prepare), and leave a run folder.

    model/ gets the weights that were best on the validation images, or the last ones if the recipe
    says keep="last"; early stopping always keeps the best. The test images are measured once, at
    the end.

    Args:
        out: the run folder; by default the next runs/NETWORK-DATA-N.
        quiet: show no progress and no notices.
        start: a run to take the first weights from, wherever name and shape match.
        workers: the devices and processes that compute; by default this process alone.

    Raises:
        Interrupted: SIGINT or SIGTERM came; a checkpoint has been written.
        FirstlightError: the loss is not a number, or another process of the training has ended.
        DataError, UsageError: the data is damaged, or does not fit the network.
    """
    state = TrainState(plan, workers)  # first: what cannot be trained leaves no folder
    if start:
        state.start_from(start)
    with new_run(state, out) as (run, held):
        state.into(run, held)
        state.save()
        if state.events:
            write_graph(state.events, trace(state.network))
        finish(state, quiet)
    return state.run


@contextmanager
def new_run(state: TrainState, out: Path | None) -> Iterator[tuple[Run, lock.Lock | None]]:
    """Let the chief make the run folder and hold its lock; give the run to each process."""
    workers = state.workers
    if not workers.is_chief:
        yield Run(Path(workers.from_chief("")), plan=state.plan), None
        return
    if out:
        refuse_used(out, state.plan)
    folder = out or next_folder_of(state.settings)
    with lock.held(folder) as held:
        remove_parts(folder, ours=Run(folder).own_files())
        run = Run.create(state.plan, state.total_steps, folder)
        workers.from_chief(str(folder))
        yield run, held


def resume(
    run: Run,
    quiet: bool = False,
    arrays: Dataset | None = None,
    workers: Workers | None = None,
) -> Run:
    """Continue from the last checkpoint, or from the first step if there is none; see `train`.

    Args:
        arrays: the data of a run that was trained on arrays, which its folder does not keep.

    Raises:
        DataError: the data has changed, or the run is damaged or of another version.
        UsageError: another process trains the run.
    """
    workers = workers or Workers()
    if not workers.is_chief:
        return go_on(run, None, quiet, arrays, workers)
    with lock.held(run.folder) as held:
        remove_parts(run.folder, ours=run.own_files())
        return go_on(run, held, quiet, arrays, workers)


def go_on(
    run: Run, held: lock.Lock | None, quiet: bool, arrays: Dataset | None, workers: Workers
) -> Run:
    """Do what `resume` does, while the chief holds the run's lock."""
    settings, dataset = run.record().settings, arrays or run.dataset()
    if dataset.fingerprint() != settings.sha256:
        raise DataError(f"{settings.data} has changed since {run.folder} was made; train again")
    record = run.record()
    state = TrainState(Plan(settings, run.network(), dataset), workers).into(run, held)
    notices = (changed_versions(record.versions), state.restore())
    if workers.is_chief:
        state.status.logged = run.forget_after(state.status)
        run.write_record(replace(record, status=None))  # it is no longer interrupted
    finish(state, quiet, notices=notices)
    return run


def dry_run(
    plan: Plan, start: Run | None = None, quiet: bool = False, workers: Workers | None = None
) -> Run:
    """Do everything that `train` does with a single step on one batch; keep nothing.

    The run has a result, but its folder is gone.
    """
    recipe = replace(plan.settings.recipe, epochs=None, steps=1, steps_per_call=1)
    settings = replace(plan.settings, recipe=recipe, limit=recipe.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        state = TrainState(replace(plan, settings=settings), workers)
        if start:
            state.start_from(start)
        with new_run(state, Path(folder)) as (run, held):
            state.into(run, held)
            state.save()
            finish(state, quiet, test_limit=recipe.batch_size)
        if state.workers.is_chief:
            state.run.result = replace(state.run.result, run=None)
        return state.run


def finish(
    state: TrainState,
    quiet: bool,
    test_limit: int | None = None,
    notices: tuple[str, ...] = (),
) -> None:
    """Run the steps that are left; the chief writes model, result, model card and figures.

    Args:
        notices: what a user must know about a training that goes on.

    Raises:
        Interrupted: also after the last step, before all of it is written.
    """
    from firstlight.figures.training import draw_training  # matplotlib takes 0.3 s to import

    kind = state.val.images.kind(state.dataset.classes)
    data = state.dataset
    info = ModelInfo(state.settings.network, data.classes, kind, data.values)
    is_chief = state.workers.is_chief
    if is_chief:
        write_json(state.run.unfinished_model_file, info.to_json())
    notices = (*notices, *state.workers.notices(state.network))
    with Progress(state.total_steps, state.status.step, quiet or not is_chief) as progress:
        for line in (*advice.description(state), *state.settings.notices, *filter(None, notices)):
            progress.say(line)
        try:
            run_training(state, progress)
        except Interrupted:
            if is_chief:
                with state.writing():
                    card.write(state.run, state.network.input_shape[1:], result_of(state))
            raise
        progress.say(f"stopped: {state.status.stopped}")
    if not is_chief:
        return
    try:
        with state.writing():
            write_result(state, info, test_limit, quiet)
            draw_training(state.run, state.train, state.dataset.name, state.dataset.classes)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; the training is finished, and its weights are kept; measure them with: "
            f"{state.run.resume_command()}"
        ) from None


def write_result(state: TrainState, info: ModelInfo, test_limit: int | None, quiet: bool) -> None:
    """Write model, result and model card of a training that has ended."""
    run = state.run
    weights, _ = checkpoint.load(run.best)
    model.save(run, info, weights)
    result = measure(state, test_limit, quiet)
    run.write_record(replace(run.record(), status=state.status, result=result))
    card.write(run, state.network.input_shape[1:], result)


def measure(state: TrainState, test_limit: int | None, quiet: bool) -> TrainingResult:
    """Measure the kept network on the test images in float32, if the data has test images.

    Args:
        test_limit: the number of test images to measure; None for all.
    """
    accuracy, images = None, None
    if "test" in state.dataset.splits:
        network, _ = model.load(state.run)
        test = state.dataset.load("test").first(test_limit).resized(network.input_shape[1:])
        logits = model.predictor(network, quiet)(test.images)
        accuracy, images = float((logits.argmax(1) == test.labels).mean()), len(test)
    return result_of(state, accuracy, images)


def result_of(
    state: TrainState, test_accuracy: float | None = None, test_images: int | None = None
) -> TrainingResult:
    """Return what the training has come to so far; None: the accuracy was not measured."""
    status = state.status
    return TrainingResult(
        network=state.settings.network,
        data=state.dataset.name,
        steps=status.step,
        first_cost=status.first_cost,
        final_cost=status.final_cost,
        test_accuracy=test_accuracy,
        test_images=test_images,
        seconds=round(status.seconds, 3),
        run=str(state.run.folder),
    )


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


def run_calls(state: TrainState, log: "Log", stop_requested: Callable[[], bool]) -> None:
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


def run_call(state: TrainState, run_steps: RunSteps, call: Call, log: "Log", asks: int) -> int:
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


class Checkpoints:
    """Writes a checkpoint from time to time.

    The page redraws weights at each one, so small networks are saved often.
    """

    def __init__(self, state: TrainState, log: "Log") -> None:
        self.state, self.log = state, log
        self.due = time.monotonic() + MIN_SECONDS_BETWEEN_CHECKPOINTS
        self.failure: OSError | None = None  # such as a full disk; the other processes wait

    def save_if_due(self, is_over: bool) -> None:
        """Let the chief write a checkpoint if it is time, or if the training is over.

        Raises OSError, unless the other processes must learn of it first: then it is `failure`.
        """
        began = time.monotonic()
        if not self.state.workers.is_chief or (began < self.due and not is_over):
            return
        try:
            self.log.sync()  # a checkpoint says how many lines there are
            self.state.save()
        except OSError as error:
            if is_over or self.state.workers.processes == 1:
                raise
            self.failure = error
        now = time.monotonic()
        wait = (now - began) / CHECKPOINT_SHARE
        self.due = now + max(
            MIN_SECONDS_BETWEEN_CHECKPOINTS, min(wait, MAX_SECONDS_BETWEEN_CHECKPOINTS)
        )


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


class Log:
    """Writes metrics.jsonl, shows progress, and writes TensorBoard's events if they are wanted."""

    def __init__(self, state: TrainState, file: TextIO, progress: Progress) -> None:
        self.state, self.file, self.progress = state, file, progress
        self.crc = read_metrics(state.run.metrics_file)[1]
        self.every = math.ceil(state.total_steps / MAX_LOGGED_STEPS)
        self.began = time.monotonic() - state.status.seconds
        self.first_call: tuple[int, float] | None = None  # its last step, and when it ended
        self.has_duration = self.has_warned = False

    def steps(self, start: int, history: History) -> None:
        """Log the steps of one call. Raises FirstlightError at a loss that is not a number."""
        status = self.state.status
        status.seconds = time.monotonic() - self.began
        measured = zip(history.losses, history.accuracies, history.learning_rates, strict=True)
        for step, (loss, accuracy, rate) in enumerate(measured, start + 1):
            if not math.isfinite(loss):
                raise FirstlightError(
                    f"the cost was {loss} at step {step}: {advice.lower_rate(self.state)}"
                )
            if step == 1:
                status.first_cost = float(loss)
            if step == 1 or step % self.every == 0:
                self.line(step, "train", loss=loss, accuracy=accuracy, rate=rate)
        status.final_cost = float(history.losses[-1])
        accuracy = history.accuracies[-1]
        self.say_duration()
        self.progress.at(status.step, f"cost {status.final_cost:.4f}  accuracy {accuracy:.2%}")

    def say_duration(self) -> None:
        """Say once how long the training will take, when some steps have shown their speed.

        The first call is not counted: it compiles the graph.
        """
        state, now = self.state, time.monotonic()
        if self.first_call is None:
            self.first_call = state.status.step, now
        first_step, first_time = self.first_call
        if self.has_duration or now - first_time < SECONDS_BEFORE_ESTIMATE:
            return
        self.has_duration = True
        seconds_per_step = (now - first_time) / (state.status.step - first_step)
        left = seconds_per_step * (state.total_steps - state.status.step)
        self.progress.say(f"this will take about {advice.rough_duration(left)}")

    def sync(self) -> None:
        """Put all lines on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def line(self, step: int, split: str, *, loss: float, accuracy: float, rate: float) -> None:
        """Write one measurement; see LoggedStep for the units."""
        state = self.state
        logged = LoggedStep(
            step=step,
            epoch=round(step * state.recipe.batch_size / len(state.train), 4),
            split=split,
            loss=float(f"{loss:.9g}"),  # nine digits hold all of a float32
            accuracy=round(float(accuracy), 6),
            lr=float(f"{rate:.6g}"),
            seconds=round(state.status.seconds, 3),
        )
        line, self.crc = metrics_line(logged, self.crc)
        self.file.write(line)
        state.status.logged += 1
        if state.events:
            write_scalars(state.events, step, split, loss=loss, accuracy=accuracy)


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
        yield lambda: is_requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
