"""A training from its plan to its result: begin, resume, try one step; loop.py runs the steps.

plan → run folder, lock, first checkpoint → the loop → model, test accuracy, card, figures
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from firstlight import model
from firstlight.datasets import Dataset
from firstlight.errors import DataError, Interrupted
from firstlight.graphs.operations import trace
from firstlight.progress import Progress
from firstlight.runs import card, checkpoint, lock
from firstlight.runs.documents import ModelInfo, TrainingResult
from firstlight.runs.files import remove_parts, write_json
from firstlight.runs.run import Run, changed_versions, next_folder_of, refuse_used
from firstlight.settings import Plan
from firstlight.training import advice, loop
from firstlight.training.events import write_graph
from firstlight.training.state import TrainState
from firstlight.training.workers import Workers


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
            loop.run_training(state, progress)
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
