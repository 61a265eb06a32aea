"""A network as a LiteRT file."""

import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight.exports.check import Ends, Opened
from firstlight.exports.metadata import as_json
from firstlight.exports.saved_model import write_saved_model


def write_litert(network: keras.Model, path: Path, facts: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(network, Path(folder), facts)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
    # The way of LiteRT's own metadata: the file is then a zip archive too, and runs as before.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("firstlight.json", as_json(facts))


def open_litert(path: Path) -> Opened:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is about to move to a package of its own
        runner = tf.lite.Interpreter(str(path)).get_signature_runner()

    def ends(found: dict[str, Any]) -> Ends:
        return {
            name: (
                np.dtype(end["dtype"]).name,
                tuple(int(size) if size >= 0 else None for size in end["shape_signature"]),
            )
            for name, end in found.items()
        }

    def logits(images: np.ndarray) -> np.ndarray:
        return runner(image=images)["logits"]

    return Opened(ends(runner.get_input_details()), ends(runner.get_output_details()), logits)
