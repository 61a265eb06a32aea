"""A network as a LiteRT file (formerly TensorFlow Lite)."""

import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight.exports.check import Opened, Tensors
from firstlight.exports.metadata import Metadata
from firstlight.exports.saved_model import write_saved_model


def write_litert(network: keras.Model, path: Path, metadata: Metadata) -> None:
    """Write the network and its metadata to a .tflite file."""
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(network, Path(folder), metadata)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
    # LiteRT keeps its own metadata in this way: the file is a zip archive too, and still runs.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("firstlight.json", metadata.json_text())


def open_litert(path: Path) -> Opened:
    """Open a file that `write_litert` wrote, with LiteRT's interpreter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow warns that LiteRT will be another package
        runner = tf.lite.Interpreter(str(path)).get_signature_runner()

    def logits(images: np.ndarray) -> np.ndarray:
        return runner(image=images)["logits"]

    return Opened(
        _tensors(runner.get_input_details()), _tensors(runner.get_output_details()), logits
    )


def _tensors(details: dict[str, Any]) -> Tensors:
    tensors: Tensors = {}
    for name, detail in details.items():
        shape = tuple(int(size) if size >= 0 else None for size in detail["shape_signature"])
        tensors[name] = np.dtype(detail["dtype"]).name, shape
    return tensors
