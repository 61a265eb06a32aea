"""Run folders as the page shows them: a table, curves, weights as pictures, mistakes.

Only JSON and NumPy arrays are read here. A folder that is damaged is named, and the rest is shown.
"""

import functools
import math
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from firstlight import catalog
from firstlight.datasets import Examples
from firstlight.datasets._images import fitted
from firstlight.errors import DataError, FirstlightError, NotFound
from firstlight.runs.files import read_json
from firstlight.runs.run import Run
from firstlight.serve.digits import text

SECONDS_OF_SILENCE = 90.0  # a training writes checkpoints a minute apart at most
MOST_PICTURES = 64  # of first weights, or of a layer's maps
MISTAKES_A_PAGE = 60
THUMBNAIL = 56  # pixels a side
SHOWN = ("data", "split", "examples", "correct", "accuracy", "interval95", "confusion")


class Folders:
    """The runs that lie in a folder, by name."""

    def __init__(self, root: Path, extra: Path | None = None) -> None:
        self.root, self.extra = root, extra and extra.resolve()  # it may lie anywhere
        self.begun: dict[str, Path] = {}  # by this server: their run.json may not be there yet

    def there(self) -> dict[str, Path]:
        """Name → folder, the newest first; `extra` comes before a namesake."""
        named = {path.parent.name: path.parent for path in self.root.glob("*/run.json")}
        named |= {self.extra.name: self.extra} if self.extra else {}
        found = sorted(named, key=lambda name: changed(named[name] / "run.json"), reverse=True)
        starting = {name: path for name, path in self.begun.items() if name not in named}
        return starting | {name: named[name] for name in found}

    def run(self, name: str) -> Run:
        """Raises NotFound if there is no run of that name."""
        there = self.there()
        if name not in there:
            raise NotFound(f"no run {name!r} in {self.root}")
        return Run(there[name])

    def table(self, own: dict[str, float]) -> list[dict[str, Any]]:
        """A row a run; `own` are this server's trainings, and when they ended (see jobs.py)."""
        return [row(folder, name, own.get(name)) for name, folder in self.there().items()]


def row(folder: Path, name: str, ended: float | None) -> dict[str, Any]:
    """What the table says of a run folder, be it damaged or not there yet."""
    if not (folder / "run.json").exists():
        return {"name": name, "state": "running" if ended == math.inf else "failed"}
    try:
        with undamaged(folder):
            return facts(Run(folder), name, ended)
    except FirstlightError:
        return {"name": name, "state": "damaged"}


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """What a document that is not as it was written makes Python raise, as one line."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path}: damaged ({type(error).__name__}: {error})") from None


def facts(run: Run, name: str, ended: float | None) -> dict[str, Any]:
    """Raises what a damaged run.json makes Python raise, and DataError for damaged metrics."""
    settings = run.settings()
    result = settings.get("result") or {}
    steps = [] if result else [line for line in run.metrics() if line["split"] == "train"]
    last = steps[-1] if steps else {}  # how far a training is that has not ended
    evaluation = read_json(run.evaluation) if run.evaluation.is_file() else {}
    recipe = settings["recipe"]
    return {
        "name": name,
        "network": settings["network"],
        "data": Path(settings["data"]).name,
        "seed": settings["seed"],
        "total": settings.get("total_steps", recipe.get("steps")),
        "steps": result.get("step", result.get("steps", last.get("step"))),
        "final_cost": result.get("final_cost", last.get("loss")),
        "accuracy": accuracy(result, evaluation),
        "seconds": result.get("seconds", last.get("seconds")),
        "evaluated": bool(evaluation),
        "state": state(run, bool(result), ended),
        "command": settings.get("command"),
    }


def accuracy(result: dict[str, Any], evaluation: dict[str, Any]) -> float | None:
    """On the test images of its own data; on val if there are none, once it has been evaluated."""
    own = evaluation.get("data") == result.get("data") and evaluation.get("split") != "train"
    measured: float | None = result.get("test_accuracy")
    return evaluation.get("accuracy") if measured is None and own else measured


def changed(path: Path) -> float:
    """When; 0 if it is not there."""
    return path.stat().st_mtime if path.exists() else 0.0


def state(run: Run, has_result: bool, ended: float | None) -> str:
    """done, running (here), elsewhere (running, but not started here), or stopped.

    `ended` is when its training here did: infinity if it goes on, None if it was not started here.
    Then, and if something was written since, the run's files tell whether it is going on.
    """
    if ended == math.inf:
        return "running"
    if has_result:
        return "done"
    newest = max(map(changed, (run.metrics_file, run.last, run.weights)))
    silent = time.time() - newest > SECONDS_OF_SILENCE
    return "stopped" if silent or (ended and newest <= ended + 1) else "elsewhere"


def metrics(run: Run, after: int) -> dict[str, Any]:
    """The logged steps from line `after` on; all of them if there are now fewer than that."""
    lines = run.metrics()
    start = after if after <= len(lines) else 0
    return {"from": start, "lines": lines[start:]}


def checkpoint(run: Run) -> Path:
    """The newest weights of a run: those kept, once it is done; the latest checkpoint before.

    Raises:
        DataError: there are none yet.
    """
    kept = [run.weights] if run.weights.is_file() else [run.last, run.best]
    there = [path for path in kept if path.is_file()]
    if not there:
        raise DataError(f"{run.folder.name} has no weights yet")
    return max(there, key=changed)


def weights(run: Run) -> dict[str, Any]:
    """The first weights as pictures: a filter, or all that leads to a neuron, each.

    `pixels` are int8 (n, height, width), 127 being `largest`, 0 no weight at all.
    """
    path = checkpoint(run)
    name, kernel, biases = first_layer(path)
    told = {"stamp": changed(path), "name": name, "biases": biases}
    return told | as_pictures(pictures_of(kernel))


def as_pictures(maps: np.ndarray) -> dict[str, Any]:
    """Some of the maps (n, height, width) as int8: 127 is the largest value."""
    some = maps[:MOST_PICTURES].astype(np.float32)
    largest = float(np.abs(some).max()) or 1.0
    whole = (some * (127 / largest)).round().astype(np.int8)
    return {"of": len(maps), "shape": some.shape, "largest": largest, "pixels": text(whole)}


def first_layer(path: Path) -> tuple[str, np.ndarray, list[float]]:
    """The first trained array that can be looked at, and its biases. No other is read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            for name in stored.files:
                if name.endswith("kernel"):
                    bias = name.removesuffix("kernel") + "bias"
                    return name, stored[name], stored[bias].tolist() if bias in stored else []
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name}: not a whole checkpoint ({error})") from None
    raise DataError(f"{path.name}: no weights that can be shown as pictures")


def pictures_of(kernel: np.ndarray) -> np.ndarray:
    """(height, width, channels, n), (784, n) or (n, 784) → (n, height, width)."""
    if kernel.ndim == 4:
        return np.asarray(kernel.mean(2).transpose(2, 0, 1))
    rows = kernel if kernel.shape[-1] == 784 else kernel.T
    side = int(rows.shape[1] ** 0.5)
    if kernel.ndim != 2 or side * side != rows.shape[1]:
        raise DataError("the first weights are no pictures")
    return np.asarray(rows.reshape(-1, side, side))


def evaluation(run: Run) -> dict[str, Any]:
    """Accuracy and confusion; `mistakes` has its own question, a page at a time."""
    found = read_json(run.evaluation)
    classes = run.trained()["classes"] if run.model_file.is_file() else None
    with undamaged(run.evaluation):
        shown = {key: found[key] for key in SHOWN}
        return shown | {"mistakes": len(found["mistakes"]), "classes": classes}


def mistakes(run: Run, label: int | None, predicted: int | None, start: int) -> dict[str, Any]:
    """Those of a cell of the confusion matrix, or all: the surest first, with their pictures."""
    found = read_json(run.evaluation)
    with undamaged(run.evaluation):
        chosen = [
            mistake
            for mistake in found["mistakes"]
            if label in (None, mistake["label"]) and predicted in (None, mistake["predicted"])
        ]
        page = chosen[start : start + MISTAKES_A_PAGE]
        with suppress(FirstlightError):  # the data may not be where it was
            examples = images_of(run.folder, found["data"], found["split"])
            rows = np.array([mistake["index"] for mistake in page], int)
            for mistake, image in zip(page, thumbnails(examples, rows), strict=True):
                mistake |= {"image": text(image), "size": image.shape}
    return {"of": len(chosen), "from": start, "mistakes": page}


def thumbnails(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """Those images (n, height, width, channels) uint8: photographs and other large ones reduced."""
    images = examples.images
    if not isinstance(images, np.ndarray) or max(images.shape[1:]) > THUMBNAIL:
        images = fitted(examples, (THUMBNAIL, THUMBNAIL, 3)).images
    return np.asarray(images[rows])


@functools.lru_cache(maxsize=2)
def images_of(folder: Path, data: str, split: str) -> Examples:
    """What a run was trained on; raises DataError if that is not `data`, or not where it was."""
    dataset = catalog.trained_on(Run(folder))
    if dataset.name != data:
        raise DataError(f"{folder} was trained on {dataset.name}, not on {data}")
    return dataset.load(split)
