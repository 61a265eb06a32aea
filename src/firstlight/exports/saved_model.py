"""A network as TensorFlow's SavedModel."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight.exports.check import Ends, Opened
from firstlight.exports.metadata import as_json


def serving(network: keras.Model) -> Any:
    """The network's answer as a TensorFlow function, from which each format is made."""
    image = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")

    @tf.function(input_signature=[image])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": network(image, training=False)}

    return serve


def write_saved_model(network: keras.Model, path: Path, facts: dict[str, Any]) -> None:
    module = tf.Module()
    module.serve = serving(network)
    # TensorFlow's variables, not Keras's around them: LiteRT's converter would lose those.
    module.weights = [weight.value for weight in network.weights]
    tf.saved_model.save(module, str(path), signatures=module.serve)
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / "firstlight.json").write_text(as_json(facts), "utf-8")


def open_saved_model(path: Path) -> Opened:
    module = tf.saved_model.load(str(path))
    answer = module.signatures["serving_default"]

    def ends(found: dict[str, Any]) -> Ends:
        return {name: (end.dtype.name, tuple(end.shape)) for name, end in found.items()}

    def logits(images: np.ndarray) -> np.ndarray:
        # By way of `module`: without a reference to it, its variables would be gone.
        return module.signatures["serving_default"](image=tf.constant(images))["logits"].numpy()

    _, inputs = answer.structured_input_signature
    return Opened(ends(inputs), ends(answer.structured_outputs), logits)
