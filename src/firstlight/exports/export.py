"""The verb `export`: a run's network as a file for other programs.

Exporters write wrong files silently: an operation that they do not know, weights that they did not
find. So the file is opened as its user would open it, and must give the network's own answers to
real images; otherwise it is removed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from firstlight import catalog, model
from firstlight.datasets import Dataset
from firstlight.errors import ExportError, UsageError
from firstlight.evaluation.accuracy import refuse_other_classes
from firstlight.evaluation.calibration import Calibration, calibrate
from firstlight.exports.check import Opened, largest_difference
from firstlight.exports.html import open_html, refuse_html, write_html
from firstlight.exports.litert import open_litert, write_litert
from firstlight.exports.metadata import Metadata
from firstlight.exports.onnx import open_onnx, write_onnx
from firstlight.exports.saved_model import open_saved_model, write_saved_model
from firstlight.recipe import Recipe, check_choice
from firstlight.runs.documents import ModelInfo
from firstlight.runs.files import replacing
from firstlight.runs.run import Run
from firstlight.settings import DataChoice
from firstlight.training.augment import augmented

EXAMPLES = 256  # images on which the file is compared with the network


@dataclass(frozen=True)
class ExportFormat:
    """A file format: how it is written, and opened again."""

    file: str  # its name in model/ of the run
    write: Callable[[keras.Model, Path, Metadata], None]
    open: Callable[[Path], Opened]
    refuse: Callable[[keras.Model, ModelInfo], None] | None = None  # raises why it cannot be


EXPORT_FORMATS = {
    "onnx": ExportFormat("{network}.onnx", write_onnx, open_onnx),
    "litert": ExportFormat("{network}.tflite", write_litert, open_litert),
    "savedmodel": ExportFormat("saved_model", write_saved_model, open_saved_model),
    "html": ExportFormat("{network}.html", write_html, open_html, refuse_html),
}


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file that was written, and how it compares with its network."""

    run: str
    format: str
    path: Path
    largest_difference: float  # between the file's logits and the network's
    examples: int  # the number of images on which it was measured
    splits: dict[str, int]  # split → the number of examples from it
    calibration: Calibration
    bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "format": self.format,
            "file": str(self.path),
            "largest_difference": self.largest_difference,
            "examples": self.examples,
            **self.calibration.to_json(),
            "bytes": self.bytes,
        }


def export(run: Run, format: str, out: Path | None = None, data: DataChoice = "") -> Export:
    """Write the run's network in one of EXPORT_FORMATS, to `out` or into model/ of the run.

    A file that exists at that path is replaced only by one that passes the check.

    Raises:
        ExportError: the file could not be made or checked, or differs from the network; it is
            removed.
        UsageError: no such format, the format is not for such a network, the data's classes are
            not the network's, or `out` cannot be written or must not be replaced.
        DataError: the run, or the data it was trained on, is missing or damaged.
    """
    check_choice("format", format, tuple(EXPORT_FORMATS))
    network, _ = model.load(run)
    chosen = EXPORT_FORMATS[format]
    info = run.model_info()
    path = out or run.weights.with_name(chosen.file.format(network=info.network))
    refuse_to_replace(path, format, run)
    if chosen.refuse:
        chosen.refuse(network, info)
    dataset = catalog.dataset(data) if data else run.dataset()
    refuse_other_classes(run, dataset)
    by_split = real_images(dataset, network)
    images = np.concatenate([*by_split.values()])
    calibration = measure_calibration(network, dataset, run.record().settings.recipe)
    metadata = Metadata.of(run, network, dataset.name, calibration)
    with replacing(path) as new:
        try:
            chosen.write(network, new, metadata)
            difference = largest_difference(chosen.open(new), network, images)
        except Exception as error:  # exporters raise anything
            raise ExportError(f"{format} of {run.folder} is not kept: {reason(error)}") from error
    return Export(
        run=str(run.folder),
        format=format,
        path=path,
        largest_difference=difference,
        examples=len(images),
        splits={split: len(each) for split, each in by_split.items()},
        calibration=calibration,
        bytes=sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()),
    )


def measure_calibration(network: keras.Model, dataset: Dataset, recipe: Recipe) -> Calibration:
    """Calibrate on the validation images."""
    return calibrate(*validation_logits(network, dataset, recipe), dataset.classes)


def validation_logits(
    network: keras.Model, dataset: Dataset, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
    """Return logits and labels of the validation images, augmented as the training images were."""
    examples = dataset.load("val").resized(network.input_shape[1:])
    predict = model.predictor(network)
    if examples.images.are_crops:  # photographs are hard as they are
        return predict(examples.images), examples.labels
    return predict(augmented(examples.images[:], recipe.augment)), examples.labels


def real_images(dataset: Dataset, network: keras.Model) -> dict[str, np.ndarray]:
    """Return EXAMPLES images: of the test split, then of val and train if it is too small."""
    images: dict[str, np.ndarray] = {}
    missing = EXAMPLES
    for split in ("test", "val", "train"):
        if missing and split in dataset.splits:
            examples = dataset.load(split).first(missing).resized(network.input_shape[1:])
            images[split] = examples.images[:]
            missing -= len(examples)
    return images


def reason(error: Exception) -> str:
    """Return an exporter's error as one line: the first line of a text that can be very long."""
    if isinstance(error, ExportError):
        return str(error)
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first} (-v shows more)"


def refuse_to_replace(path: Path, format: str, run: Run) -> None:
    """Raises UsageError if what exists at the path is not what this format would have written."""
    if path.resolve() in {file.resolve() for file in run.own_files()}:
        raise UsageError(f"{path} is the run's own file; give another --out")
    if format == "savedmodel":
        if path.exists() and not _is_saved_model(path):
            raise UsageError(f"{path} exists and is not a SavedModel; give another --out")
    elif path.is_dir():
        raise UsageError(f"{path} is a folder; give --out a file's name, such as {path / 'model'}")


def _is_saved_model(path: Path) -> bool:
    """Return whether this is a folder in which TensorFlow has written everything."""
    written = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}
    is_folder = path.is_dir() and not path.is_symlink()
    return is_folder and {file.name for file in path.iterdir()} <= written
