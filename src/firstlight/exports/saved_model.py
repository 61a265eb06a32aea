"""A network as TensorFlow's SavedModel."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight.exports.check import Opened, Tensors
from firstlight.exports.metadata import Metadata


def serving_function(network: keras.Model) -> Any:
    """Return the network as a TensorFlow function: images (N, *INPUT) → {"logits": logits}."""
    image = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")

    @tf.function(input_signature=[image])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": network(image, training=False)}

    return serve


def write_saved_model(network: keras.Model, path: Path, metadata: Metadata) -> None:
    """Write the network and its metadata to a folder."""
    module = tf.Module()
    module.serve = serving_function(network)
    # TensorFlow's variables, without Keras's around them: LiteRT's converter would lose those.
    module.weights = [weight.value for weight in network.weights]
    tf.saved_model.save(module, str(path), signatures=module.serve)
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / "firstlight.json").write_text(metadata.json_text(), "utf-8")


def open_saved_model(path: Path) -> Opened:
    """Open a folder that `write_saved_model` wrote, with TensorFlow."""
    module = tf.saved_model.load(str(path))
    serve = module.signatures["serving_default"]

    def logits(images: np.ndarray) -> np.ndarray:
        # The call goes through `module`: without a reference to it, its variables would be freed.
        return module.signatures["serving_default"](image=tf.constant(images))["logits"].numpy()

    _, inputs = serve.structured_input_signature
    return Opened(_tensors(inputs), _tensors(serve.structured_outputs), logits)


def _tensors(specs: dict[str, tf.TensorSpec]) -> Tensors:
    return {name: (spec.dtype.name, tuple(spec.shape)) for name, spec in specs.items()}
