"""Run folders as the page shows them: a table, curves, weights as pictures, mistakes.

Only JSON and NumPy arrays are read here. A damaged run folder is reported by name, and the other
runs are still shown.
"""

import functools
import math
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from firstlight.datasets import Examples
from firstlight.errors import DataError, FirstlightError, NotFound
from firstlight.explanation.kernels import kernel_images
from firstlight.recipe import FLAGS, Recipe
from firstlight.runs import checkpoint
from firstlight.runs.documents import Evaluation, LoggedStep, Mistake, RunRecord, undamaged
from firstlight.runs.files import read_json
from firstlight.runs.run import Run
from firstlight.serve.digits import encode
from firstlight.settings import Settings

MAX_SECONDS_BETWEEN_WRITES = 90.0  # a training writes a checkpoint at least once a minute
MAX_MAPS = 64  # filters of a first layer, or feature maps of a layer
MISTAKES_PER_PAGE = 60
THUMBNAIL_SIZE = 56  # pixels per side
DIGIT_PIXELS = 28 * 28
RUNNING = math.inf  # stands for the time at which a training ended, while it has not

State = Literal["running", "elsewhere", "done", "stopped", "failed", "damaged"]


class RunSummary(TypedDict):
    """A row of the table of runs; a run that is damaged or has no run.json has the first two."""

    name: str
    state: State
    folder: NotRequired[str]  # as one types it in a shell, where the server was started
    network: NotRequired[str]
    data: NotRequired[str]
    pictures: NotRequired[bool]  # whether it was trained on a folder of pictures
    validated_by: NotRequired[Literal["accuracy", "mean recall"]]  # what validation measures
    settings: NotRequired[dict[str, Any]]  # name → value: what a user chooses
    recipe_fields: NotRequired[dict[str, Any]]  # the other fields of its recipe
    total_steps: NotRequired[int | None]
    steps: NotRequired[int | None]
    final_cost: NotRequired[float | None]
    accuracy: NotRequired[float | None]
    seconds: NotRequired[float | None]
    evaluated: NotRequired[bool]
    command: NotRequired[str | None]


class MetricsJson(TypedDict):
    start: int  # the index of the first of these lines in metrics.jsonl
    lines: list[dict[str, Any]]  # as they are logged


class MapsJson(TypedDict):
    """Arrays as grey pictures: int8, 127 stands for `largest`, 0 for 0."""

    count: int  # the number of all maps; `pixels` has at most MAX_MAPS of them
    shape: tuple[int, int, int]  # maps, height, width
    largest: float
    pixels: str  # base64


class WeightsJson(MapsJson):
    modified: float  # when the file was written, in seconds since 1970
    name: str  # the array's name in the file
    biases: list[float]


class EvaluationJson(TypedDict):
    data: str
    split: str
    examples: int
    correct: int
    accuracy: float
    interval95: list[float]
    confusion: list[list[int]]  # a row per label, a column per prediction
    mistakes: int
    classes: list[str] | None


class MistakesJson(TypedDict):
    count: int  # the number of all selected mistakes
    start: int  # the index of the first mistake of this page
    mistakes: list[dict[str, Any]]  # as in evaluation.json, with `image` and `size` added


class RunFolders:
    """The runs in a folder, by name."""

    def __init__(self, root: Path, extra: Path | None = None) -> None:
        self.root = root
        self.extra = extra.resolve() if extra else None  # one more run, which may lie anywhere
        self.started: dict[str, Path] = {}  # by this server: their run.json may not exist yet

    def by_name(self) -> dict[str, Path]:
        """Return the folder of each run, the newest first; `extra` hides a run of its name."""
        folders = {path.parent.name: path.parent for path in self.root.glob("*/run.json")}
        if self.extra:
            folders[self.extra.name] = self.extra
        newest_first = sorted(folders.items(), key=_settings_modified_at, reverse=True)
        starting = {name: path for name, path in self.started.items() if name not in folders}
        return starting | dict(newest_first)

    def find(self, name: str) -> Run:
        """Return the run of that name. Raises NotFound."""
        folders = self.by_name()
        if name not in folders:
            raise NotFound(f"no run {name!r} in {self.root}")
        return Run(folders[name])

    def summaries(self, ended_at: dict[str, float]) -> list[RunSummary]:
        """Return a summary of each run; `ended_at` holds run_state's argument for each, if any."""
        return [
            run_summary(folder, name, ended_at.get(name)) for name, folder in self.by_name().items()
        ]


def _settings_modified_at(named_folder: tuple[str, Path]) -> float:
    return modified_at(named_folder[1] / "run.json")


def modified_at(path: Path) -> float:
    """Return when the file was written, in seconds since 1970; 0 if it does not exist."""
    return path.stat().st_mtime if path.exists() else 0.0


def run_summary(folder: Path, name: str, ended_at: float | None) -> RunSummary:
    """Summarise a run folder, which may be damaged or may have no run.json yet."""
    if not (folder / "run.json").exists():
        return {"name": name, "state": "running" if ended_at == RUNNING else "failed"}
    try:
        return _summary_of_files(Run(folder), name, ended_at)
    except FirstlightError:
        return {"name": name, "state": "damaged"}


def _summary_of_files(run: Run, name: str, ended_at: float | None) -> RunSummary:
    """Summarise a run folder by its files. Raises DataError if one is damaged."""
    record = run.record()
    evaluation = read_evaluation(run) if run.evaluation_file.exists() else None
    summary: RunSummary = {
        "name": name,
        "state": run_state(run, record, ended_at),
        "folder": shell_path(run.folder),
        "network": record.settings.network,
        "data": Path(record.settings.data).name,
        "pictures": run.pictures_file.exists(),
        "validated_by": "accuracy" if record.settings.class_weights is None else "mean recall",
        "settings": chosen_settings(record.settings),
        "recipe_fields": other_fields(record.settings.recipe),
        "total_steps": record.total_steps,
        "accuracy": test_accuracy(record, evaluation),
        "evaluated": evaluation is not None,
        "command": record.settings.command,
    }
    if record.result:
        summary["steps"] = record.result.steps
        summary["final_cost"] = record.result.final_cost
        summary["seconds"] = record.result.seconds
    else:
        last = _last_training_step(run)
        summary["steps"] = last.step if last else None
        summary["final_cost"] = last.loss if last else None
        summary["seconds"] = last.seconds if last else None
    return summary


def shell_path(folder: Path) -> str:
    """Return a folder as one types it in a shell, in the current folder."""
    here = Path.cwd()
    return shlex.quote(str(folder.relative_to(here) if folder.is_relative_to(here) else folder))


def chosen_settings(settings: Settings) -> dict[str, Any]:
    """Return what a user chooses for a training, by the names that the page shows."""
    recipe = settings.recipe
    return {
        "network": settings.network,
        "data": Path(settings.data).name,
        "recipe": settings.recipe_name or None,
        "learning rate": recipe.learning_rate,
        "batch size": recipe.batch_size,
        "epochs": recipe.epochs,
        "steps": recipe.steps,
        "seed": settings.seed,
        "class weights": settings.class_weights,
        "limit": settings.limit,
        "patience": settings.patience,
        "first weights": settings.started_from and f"from {Path(settings.started_from).name}",
    }


def other_fields(recipe: Recipe) -> dict[str, Any]:
    """Return the fields of a recipe that are not among `chosen_settings`."""
    fields = recipe.to_json().items()
    return {name.replace("_", " "): value for name, value in fields if name not in FLAGS}


def _last_training_step(run: Run) -> LoggedStep | None:
    steps = [logged for logged in run.metrics() if logged.split == "train"]
    return steps[-1] if steps else None


def read_evaluation(run: Run) -> Evaluation:
    """Raises DataError if the run has not been evaluated, or the file is damaged."""
    return Evaluation.from_json(read_json(run.evaluation_file), run.evaluation_file)


def test_accuracy(record: RunRecord, evaluation: Evaluation | None) -> float | None:
    """Return the accuracy on the test images of the run's own data; None if it is not known.

    If the data has no test images, this is the accuracy on val that `evaluate` measured.
    """
    if record.result is None:
        return None
    if record.result.test_accuracy is None and evaluation:
        if evaluation.data == record.result.data and evaluation.split != "train":
            return evaluation.accuracy
    return record.result.test_accuracy


def run_state(run: Run, record: RunRecord, ended_at: float | None) -> State:
    """Return done, running (in this server), elsewhere (not in this server), or stopped.

    If `ended_at` does not decide, the files do: a training that has written nothing for a while, or
    nothing since it ended here, is stopped.

    Args:
        ended_at: the time at which this server's training of the run ended: RUNNING if it has not
            ended, None if this server did not start one.
    """
    if ended_at == RUNNING:
        return "running"
    if record.result is not None:
        return "done"
    if record.status is not None:  # the training has written that it was interrupted
        return "stopped"
    last_write = max(map(modified_at, (run.metrics_file, run.last, run.weights)))
    if run.last.is_file():  # a training that is continued writes run.json at first
        last_write = max(last_write, modified_at(run.record_file))
    silent = time.time() - last_write > MAX_SECONDS_BETWEEN_WRITES
    ended_since = ended_at is not None and last_write <= ended_at + 1
    return "stopped" if silent or ended_since else "elsewhere"


def metrics_from(run: Run, start: int) -> MetricsJson:
    """Return the logged lines from index `start` on; all lines if there are fewer by now."""
    lines = run.metrics()
    if start > len(lines):
        start = 0
    return {"start": start, "lines": [logged.to_json() for logged in lines[start:]]}


def newest_weights(run: Run) -> Path:
    """Return the file with a run's newest weights: the one in model/, or the latest checkpoint.

    Raises:
        DataError: the run has no weights yet.
    """
    candidates = [run.weights] if run.weights.exists() else [run.last, run.best]
    files = [path for path in candidates if path.exists()]
    if not files:
        raise DataError(f"{run.folder.name} has no weights yet")
    return max(files, key=modified_at)


def first_weights(run: Run) -> WeightsJson:
    """Return the first layer's weights as pictures, one per filter or neuron."""
    path = newest_weights(run)
    name, kernel, biases = _first_kernel(path)
    maps = encode_maps(weight_maps(kernel))
    return {**maps, "modified": modified_at(path), "name": name, "biases": biases}


def _first_kernel(path: Path) -> tuple[str, np.ndarray, list[float]]:
    """Return the name and values of a file's first kernel, and its biases. Reads no other array.

    Raises:
        DataError: the file is damaged or incomplete, or has no kernel.
    """
    with checkpoint.open_arrays(path) as arrays:
        for name in arrays:
            if name.endswith("kernel"):
                bias = name.removesuffix("kernel") + "bias"
                biases = arrays[bias].tolist() if bias in arrays else []
                return name, arrays[name], biases
    raise DataError(f"{path.name} has no weights that can be shown as pictures")


def weight_maps(kernel: np.ndarray) -> np.ndarray:
    """Return a first layer's weights (n, height, width): the mean over the channels.

    Raises:
        DataError: the kernel of a dense layer whose inputs are not a square picture.
    """
    if kernel.ndim == 4:
        height, width, channels, _ = kernel.shape
        return np.asarray(kernel_images(kernel, (height, width, channels)).mean(-1))
    if kernel.ndim == 2:
        pixels = DIGIT_PIXELS if DIGIT_PIXELS in kernel.shape else kernel.shape[0]
        side = math.isqrt(pixels)
        if side * side == pixels:
            return kernel_images(kernel, (side, side, 1))[..., 0]
    raise DataError("the first layer's weights cannot be shown as pictures")


def encode_maps(maps: np.ndarray) -> MapsJson:
    """Return the first MAX_MAPS maps (n, height, width) as int8, scaled by the largest value."""
    first_maps = maps[:MAX_MAPS].astype(np.float32)
    largest = float(np.abs(first_maps).max()) or 1.0
    pixels = (first_maps * (127 / largest)).round().astype(np.int8)
    n, height, width = first_maps.shape
    return {
        "count": len(maps),
        "shape": (n, height, width),
        "largest": largest,
        "pixels": encode(pixels),
    }


def evaluation_summary(run: Run) -> EvaluationJson:
    """Return the contents of evaluation.json, with the number of mistakes in place of the list.

    Raises:
        DataError: the run has not been evaluated, or the file is damaged.
    """
    evaluation = read_evaluation(run)
    classes = list(run.model_info().classes) if run.model_file.exists() else None
    return {
        "data": evaluation.data,
        "split": evaluation.split,
        "examples": evaluation.examples,
        "correct": evaluation.correct,
        "accuracy": evaluation.accuracy,
        "interval95": list(evaluation.interval95),
        "confusion": evaluation.confusion,
        "mistakes": len(evaluation.mistakes),
        "classes": classes,
    }


def mistakes_page(run: Run, label: int | None, predicted: int | None, start: int) -> MistakesJson:
    """Return a page of a run's mistakes with their pictures, the most confident first.

    Args:
        label, predicted: select the mistakes with this label and this prediction; None: any.
        start: the index of the first mistake of the page.

    Raises:
        DataError: the run has not been evaluated, or the file is damaged.
    """
    evaluation = read_evaluation(run)
    chosen = [
        mistake
        for mistake in evaluation.mistakes
        if label in (None, mistake.label) and predicted in (None, mistake.predicted)
    ]
    on_page = chosen[start : start + MISTAKES_PER_PAGE]
    page = [mistake.to_json() for mistake in on_page]
    with suppress(FirstlightError):  # without pictures if the data has been moved or deleted
        with undamaged(run.evaluation_file):
            images = mistake_thumbnails(run, evaluation, on_page)
        for document, image in zip(page, images, strict=True):
            document["image"] = encode(image)
            document["size"] = image.shape
    return {"count": len(chosen), "start": start, "mistakes": page}


def mistake_thumbnails(run: Run, evaluation: Evaluation, mistakes: Sequence[Mistake]) -> np.ndarray:
    examples = evaluated_examples(run.folder, evaluation.data, evaluation.split)
    return thumbnails(examples, np.array([mistake.index for mistake in mistakes], int))


def thumbnails(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """Return images (n, height, width, channels) uint8; photographs and large ones are reduced."""
    images = examples.images
    if images.are_crops or max(images.size) > THUMBNAIL_SIZE:
        images = images.resized((THUMBNAIL_SIZE, THUMBNAIL_SIZE, 3))
    return images[rows]


@functools.lru_cache(maxsize=2)
def evaluated_examples(folder: Path, data: str, split: str) -> Examples:
    """Return the examples of a split of a run's own data.

    Raises:
        DataError: the run was not trained on `data`, or the data has been moved or deleted.
    """
    dataset = Run(folder).dataset()
    if dataset.name != data:
        raise DataError(f"{folder} was trained on {dataset.name}, not on {data}")
    return dataset.load(split)
