"""Run folders as the page shows them: a table, curves, weights as pictures, mistakes.

Only JSON and NumPy arrays are read here. A damaged run folder is reported by name, and the other
runs are still shown.
"""

import functools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np

from firstlight import catalog
from firstlight.datasets import Examples
from firstlight.datasets._images import fitted
from firstlight.errors import DataError, FirstlightError, NotFound
from firstlight.explanation.kernels import kernel_images
from firstlight.runs import checkpoint
from firstlight.runs.files import read_json
from firstlight.runs.run import Run
from firstlight.serve.digits import encode

MAX_SECONDS_BETWEEN_WRITES = 90.0  # a training writes a checkpoint at least once a minute
MAX_MAPS = 64  # of the filters of a first layer, or of a layer's feature maps
MISTAKES_PER_PAGE = 60
THUMBNAIL_SIZE = 56  # pixels per side
DIGIT_PIXELS = 28 * 28
RUNNING = math.inf  # stands for the time at which a training ended, while it has not

State = Literal["running", "elsewhere", "done", "stopped", "failed", "damaged"]


class RunSummary(TypedDict):
    """A row of the table of runs; a run that is damaged or has no run.json has the first two."""

    name: str
    state: State
    network: NotRequired[str]
    data: NotRequired[str]
    seed: NotRequired[int]
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

    count: int  # of all maps; `pixels` has at most MAX_MAPS of them
    shape: tuple[int, int, int]  # maps, height, width
    largest: float
    pixels: str  # base64


class WeightsJson(MapsJson):
    modified: float  # when the file was written, in seconds since 1970
    name: str  # of the array
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
    count: int  # of all that were asked for
    start: int  # the index of the first of this page
    mistakes: list[dict[str, Any]]  # as in evaluation.json, with `image` and `size` added


class RunFolders:
    """The runs in a folder, by name."""

    def __init__(self, root: Path, extra: Path | None = None) -> None:
        self.root = root
        self.extra = extra.resolve() if extra else None  # one more run, which may lie anywhere
        self.started: dict[str, Path] = {}  # by this server: their run.json may not exist yet

    def by_name(self) -> dict[str, Path]:
        """Name → folder, the newest first; `extra` hides a run of the same name."""
        folders = {path.parent.name: path.parent for path in self.root.glob("*/run.json")}
        if self.extra:
            folders[self.extra.name] = self.extra
        newest_first = sorted(folders.items(), key=_settings_modified_at, reverse=True)
        starting = {name: path for name, path in self.started.items() if name not in folders}
        return starting | dict(newest_first)

    def find(self, name: str) -> Run:
        """The run of that name. Raises NotFound."""
        folders = self.by_name()
        if name not in folders:
            raise NotFound(f"no run {name!r} in {self.root}")
        return Run(folders[name])

    def summaries(self, ended_at: dict[str, float]) -> list[RunSummary]:
        """A summary of each run; `ended_at` is of this server's trainings (see `run_state`)."""
        return [
            run_summary(folder, name, ended_at.get(name)) for name, folder in self.by_name().items()
        ]


def _settings_modified_at(named_folder: tuple[str, Path]) -> float:
    return modified_at(named_folder[1] / "run.json")


def modified_at(path: Path) -> float:
    """When the file was written, in seconds since 1970; 0 if it does not exist."""
    return path.stat().st_mtime if path.exists() else 0.0


@contextmanager
def damage_as_data_error(path: Path) -> Iterator[None]:
    """Turn what Python raises for a document of an unexpected form into a DataError."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path}: damaged ({type(error).__name__}: {error})") from None


def run_summary(folder: Path, name: str, ended_at: float | None) -> RunSummary:
    """Summarise a run folder, which may be damaged or may have no run.json yet."""
    if not (folder / "run.json").exists():
        return {"name": name, "state": "running" if ended_at == RUNNING else "failed"}
    try:
        with damage_as_data_error(folder):
            return _summary_of_files(Run(folder), name, ended_at)
    except FirstlightError:
        return {"name": name, "state": "damaged"}


def _summary_of_files(run: Run, name: str, ended_at: float | None) -> RunSummary:
    settings = run.settings()
    result = settings.get("result") or {}
    evaluation = read_json(run.evaluation) if run.evaluation.is_file() else {}
    last_line: dict[str, Any] = {} if result else _last_training_line(run)
    return {
        "name": name,
        "state": run_state(run, bool(result), ended_at),
        "network": settings["network"],
        "data": Path(settings["data"]).name,
        "seed": settings["seed"],
        "total_steps": settings.get("total_steps", settings["recipe"].get("steps")),
        "steps": result.get("step", result.get("steps", last_line.get("step"))),
        "final_cost": result.get("final_cost", last_line.get("loss")),
        "accuracy": test_accuracy(result, evaluation),
        "seconds": result.get("seconds", last_line.get("seconds")),
        "evaluated": bool(evaluation),
        "command": settings.get("command"),
    }


def _last_training_line(run: Run) -> dict[str, Any]:
    lines = [line for line in run.metrics() if line["split"] == "train"]
    return lines[-1] if lines else {}


def test_accuracy(result: dict[str, Any], evaluation: dict[str, Any]) -> float | None:
    """The accuracy on the test images of the run's own data.

    If the data has no test images, the accuracy that the run was evaluated with, on val.
    """
    measured: float | None = result.get("test_accuracy")
    of_own_data = evaluation.get("data") == result.get("data")
    if measured is None and of_own_data and evaluation.get("split") != "train":
        return evaluation.get("accuracy")
    return measured


def run_state(run: Run, has_result: bool, ended_at: float | None) -> State:
    """done, running (in this server), elsewhere (running, but not in this server), or stopped.

    `ended_at` is the time at which this server's training of the run ended: RUNNING if it has not,
    None if this server did not start one. Where that does not decide, the files do: a training that
    has written nothing for a while, or nothing since it ended here, is stopped.
    """
    if ended_at == RUNNING:
        return "running"
    if has_result:
        return "done"
    last_write = max(map(modified_at, (run.metrics_file, run.last, run.weights)))
    silent = time.time() - last_write > MAX_SECONDS_BETWEEN_WRITES
    ended_since = ended_at is not None and last_write <= ended_at + 1
    return "stopped" if silent or ended_since else "elsewhere"


def metrics_from(run: Run, start: int) -> MetricsJson:
    """The logged lines from that index on; all of them if there are fewer by now."""
    lines = run.metrics()
    if start > len(lines):
        start = 0
    return {"start": start, "lines": lines[start:]}


def newest_weights(run: Run) -> Path:
    """The file with a run's newest weights: those in model/, or the latest checkpoint.

    Raises:
        DataError: the run has no weights yet.
    """
    candidates = [run.weights] if run.weights.is_file() else [run.last, run.best]
    files = [path for path in candidates if path.is_file()]
    if not files:
        raise DataError(f"{run.folder.name} has no weights yet")
    return max(files, key=modified_at)


def first_weights(run: Run) -> WeightsJson:
    """The first layer's weights as pictures, one per filter or neuron."""
    path = newest_weights(run)
    name, kernel, biases = _first_kernel(path)
    maps = encode_maps(weight_maps(kernel))
    return {**maps, "modified": modified_at(path), "name": name, "biases": biases}


def _first_kernel(path: Path) -> tuple[str, np.ndarray, list[float]]:
    """The name and values of the first kernel in a file, and its biases. No other array is read.

    Raises:
        DataError: the file is no whole checkpoint, or has no kernel.
    """
    with checkpoint.stored(path) as arrays:
        for name in arrays:
            if name.endswith("kernel"):
                bias = name.removesuffix("kernel") + "bias"
                biases = arrays[bias].tolist() if bias in arrays else []
                return name, arrays[name], biases
    raise DataError(f"{path.name}: no weights that can be shown as pictures")


def weight_maps(kernel: np.ndarray) -> np.ndarray:
    """A first layer's weights (n, height, width): the mean over the channels.

    Raises:
        DataError: the kernel of a dense layer whose inputs are no square picture.
    """
    if kernel.ndim == 4:
        height, width, channels, _ = kernel.shape
        return np.asarray(kernel_images(kernel, (height, width, channels)).mean(-1))
    if kernel.ndim == 2:
        pixels = DIGIT_PIXELS if DIGIT_PIXELS in kernel.shape else kernel.shape[0]
        side = math.isqrt(pixels)
        if side * side == pixels:
            return kernel_images(kernel, (side, side, 1))[..., 0]
    raise DataError("the first weights are no pictures")


def encode_maps(maps: np.ndarray) -> MapsJson:
    """The first MAX_MAPS of the maps (n, height, width) as int8, scaled by the largest value."""
    shown = maps[:MAX_MAPS].astype(np.float32)
    largest = float(np.abs(shown).max()) or 1.0
    pixels = (shown * (127 / largest)).round().astype(np.int8)
    n, height, width = shown.shape
    return {
        "count": len(maps),
        "shape": (n, height, width),
        "largest": largest,
        "pixels": encode(pixels),
    }


def evaluation_summary(run: Run) -> EvaluationJson:
    """What evaluation.json holds, with the number of mistakes in place of the mistakes.

    Raises:
        DataError: the run has not been evaluated, or the file is damaged.
    """
    document = read_json(run.evaluation)
    classes = run.trained()["classes"] if run.model_file.is_file() else None
    with damage_as_data_error(run.evaluation):
        return {
            "data": document["data"],
            "split": document["split"],
            "examples": document["examples"],
            "correct": document["correct"],
            "accuracy": document["accuracy"],
            "interval95": document["interval95"],
            "confusion": document["confusion"],
            "mistakes": len(document["mistakes"]),
            "classes": classes,
        }


def mistakes_page(run: Run, label: int | None, predicted: int | None, start: int) -> MistakesJson:
    """A page of a run's mistakes with their pictures, the most confident first.

    Args:
        label, predicted: of these mistakes alone; None for any.
        start: the index of the first mistake of the page.

    Raises:
        DataError: the run has not been evaluated, or the file is damaged.
    """
    document = read_json(run.evaluation)
    with damage_as_data_error(run.evaluation):
        chosen = [
            mistake
            for mistake in document["mistakes"]
            if label in (None, mistake["label"]) and predicted in (None, mistake["predicted"])
        ]
        page = chosen[start : start + MISTAKES_PER_PAGE]
        with suppress(FirstlightError):  # without pictures if the data has been moved or deleted
            examples = evaluated_examples(run.folder, document["data"], document["split"])
            rows = np.array([mistake["index"] for mistake in page], int)
            for mistake, image in zip(page, thumbnails(examples, rows), strict=True):
                mistake["image"] = encode(image)
                mistake["size"] = image.shape
    return {"count": len(chosen), "start": start, "mistakes": page}


def thumbnails(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """Those images (n, height, width, channels) uint8; photographs and large images are reduced."""
    images = examples.images
    if not isinstance(images, np.ndarray) or max(images.shape[1:]) > THUMBNAIL_SIZE:
        images = fitted(examples, (THUMBNAIL_SIZE, THUMBNAIL_SIZE, 3)).images
    return np.asarray(images[rows])


@functools.lru_cache(maxsize=2)
def evaluated_examples(folder: Path, data: str, split: str) -> Examples:
    """The images of a run's own data.

    Raises:
        DataError: the run was not trained on `data`, or the data has been moved or deleted.
    """
    dataset = catalog.trained_on(Run(folder))
    if dataset.name != data:
        raise DataError(f"{folder} was trained on {dataset.name}, not on {data}")
    return dataset.load(split)
