"""A trained network as a file for other programs, held against its source before it is kept.

    format      file             opened again by        what it is, as JSON (see `about`)
    onnx        NETWORK.onnx     ONNX Runtime           in the metadata property `firstlight`
    litert      NETWORK.tflite   LiteRT's interpreter   firstlight.json, zipped onto its end
    savedmodel  saved_model/     TensorFlow             assets.extra/firstlight.json

All of them take `image` (N, height, width, channels) uint8, as images come, and give `logits`
(N, classes) float32, for any N. Exporters write wrong files without a word: an operation they do
not know, weights they did not find. So nothing is believed: the file is opened as its user would,
and has to give the network's own answers to real images.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from firstlight import catalog, model
from firstlight.catalog import Dataset
from firstlight.datasets._images import fitted
from firstlight.errors import ExportError, UsageError
from firstlight.evaluation.accuracy import predictor
from firstlight.evaluation.calibration import calibrate
from firstlight.exports.check import Opened, compared
from firstlight.exports.litert import open_litert, write_litert
from firstlight.exports.metadata import about
from firstlight.exports.onnx import open_onnx, write_onnx
from firstlight.exports.saved_model import open_saved_model, write_saved_model
from firstlight.runs.run import Run
from firstlight.training import augment

EXAMPLES = 256
CALIBRATION = ("temperature", "threshold", "calibration_error", "told", "wrong")


class Format(NamedTuple):
    file: str  # its name in model/ of the run
    write: Callable[[keras.Model, Path, dict[str, Any]], None]
    open: Callable[[Path], Opened]


def export(run: Run, format: str, out: Path | None = None) -> dict[str, Any]:
    """Write the run's network in one of FORMATS, to `out` or into model/ of the run.

    Returns what the command line prints as JSON. What stood at that path is replaced only by a
    file that has passed.

    Raises:
        ExportError: the file could not be made, or is not the network; nothing is left of it.
        UsageError: `out` cannot be written, or is something that must not be replaced.
        DataError: the run, or the data it was trained on, is missing or damaged.
    """
    network, classes = model.load(run)
    kind = FORMATS[format]
    path = out or run.weights.with_name(kind.file.format(network=network.name))
    refuse_to_replace(path, format)
    dataset = catalog.trained_on(run)
    images = real_images(dataset, network)
    facts = about(run, network, classes, dataset.name) | calibration(run, network, dataset)
    with kept_if_right(path) as new:
        try:
            kind.write(network, new, facts)
            difference = compared(kind.open(new), network, images)
        except Exception as error:  # exporters raise anything
            raise ExportError(f"no {format} of {run.folder} is kept: {reason(error)}") from error
    return {
        "run": str(run.folder),
        "format": format,
        "file": str(path),
        "largest_difference": difference,
        "examples": len(images),
        **{key: facts[key] for key in CALIBRATION},
        "bytes": sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()),
    }


def calibration(run: Run, network: keras.Model, dataset: Dataset) -> dict[str, Any]:
    """How far to trust it, measured on validation images made as hard as in its training."""
    held_out = fitted(dataset.load("val"), network.input_shape[1:])
    if isinstance(held_out.images, np.ndarray):  # photographs in a folder are hard as they are
        harder = run.settings()["recipe"].get("augment", {})
        held_out = held_out._replace(images=augment.augmented(held_out.images, harder))
    logits = predictor(network)(held_out.images)
    return calibrate(logits, held_out.labels, dataset.classes)


def real_images(dataset: Dataset, network: keras.Model) -> np.ndarray:
    """EXAMPLES images of the dataset: of the test split, and of others if it is too small."""
    images = np.empty((0, *network.input_shape[1:]), np.uint8)
    for split in sorted(dataset.splits, key=("test", "val", "train").index):
        found = dataset.load(split).first(EXAMPLES - len(images))
        images = np.concatenate([images, fitted(found, network.input_shape[1:]).images[:]])
    return images


def reason(error: Exception) -> str:
    """One line: of what exporters say only the first, which can be followed by pages."""
    if isinstance(error, ExportError):
        return str(error)
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first} (-v says more)"


def refuse_to_replace(path: Path, format: str) -> None:
    """Raises UsageError if something at the path is not what this format would have written."""
    if format != "savedmodel" and path.is_dir():
        raise UsageError(f"{path} is a folder; give --out a file's name, such as {path / 'model'}")
    if format == "savedmodel" and path.exists() and not _is_saved_model(path):
        raise UsageError(f"{path} is there already and no SavedModel; give another --out")


def _is_saved_model(path: Path) -> bool:
    """A folder with nothing in it that TensorFlow has not put there."""
    ours = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}
    is_folder = path.is_dir() and not path.is_symlink()
    return is_folder and {file.name for file in path.iterdir()} <= ours


@contextmanager
def kept_if_right(path: Path) -> Iterator[Path]:
    """Where to write a file or folder that takes its place at `path` if no exception comes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        box = tempfile.TemporaryDirectory(".part", f".{path.name}.", path.parent)
    except OSError as error:
        why = error.strerror
        raise UsageError(f"{path} cannot be written ({why}); give another --out") from None
    with box as folder:
        new = Path(folder) / path.name
        yield new
        if path.is_dir():  # a folder with something in it cannot be renamed over
            path.rename(new.with_name(f"{path.name}.old"))
        new.replace(path)


FORMATS = {
    "onnx": Format("{network}.onnx", write_onnx, open_onnx),
    "litert": Format("{network}.tflite", write_litert, open_litert),
    "savedmodel": Format("saved_model", write_saved_model, open_saved_model),
}
