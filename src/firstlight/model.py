"""A run's network as a Keras model: saves it, loads it, and predicts with it.

A file with weights holds plain arrays and no code: they are assigned by name to a network that is
built from source. The source of a network in the catalogue is ours. That of a user's own network
comes from the user's file or from the run folder, whose copy runs only with `--trust`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from firstlight.datasets import Images, ahead
from firstlight.errors import UsageError
from firstlight.networks._weight_names import weight_names
from firstlight.progress import Progress
from firstlight.runs import checkpoint
from firstlight.runs.checkpoint import Arrays
from firstlight.runs.documents import ModelInfo
from firstlight.runs.files import write_json
from firstlight.runs.run import Run

MAX_BATCH, MIN_BATCH = 500, 16  # images that a network classifies at once
MAX_BATCH_VALUES = 5_000_000  # pixels × channels: they fit into any memory, and keep cores busy


def save(run: Run, info: ModelInfo, arrays: Arrays) -> None:
    """Write model/ of the run; the arrays have the names of `weight_names`."""
    checkpoint.save(run.weights, arrays)
    write_json(run.model_file, info.to_json())


def load(run: Run) -> tuple[keras.Model, tuple[str, ...]]:
    """Return the run's network with its trained weights, and the names of the classes.

    If the training has not ended, the weights are those that it would keep so far.

    Raises:
        DataError: no step was trained yet, or model/ is damaged or does not fit the network.
        UsageError: the catalogue has no network of that name (any more), or it is a network of
            the user's own and the run is not trusted: see Run.network.
    """
    info = run.model_info()
    model = run.network().build(len(info.classes))
    if unfinished := run.unfinished():
        load_checkpoint(model, unfinished.weights)
    else:
        checkpoint.load_into(weight_names(model), run.weights)
    return model, info.classes


def load_checkpoint(network: keras.Model, path: Path) -> None:
    """Assign the weights that a training would keep at a checkpoint: the averages, if it has any.

    Raises:
        DataError: the checkpoint is damaged, or does not fit the network.
    """
    variables = weight_names(network)
    with checkpoint.open_arrays(path) as stored:  # the optimizer's variables are in it too
        weights = {name: stored[name] for name in variables if name in stored}
        checkpoint.restore(variables, weights, path)
        for number, variable in enumerate(network.trainable_weights):
            if (average := f"average/{number}") in stored:
                variable.assign(stored[average])


@contextmanager
def stored_weights(run: Run) -> Iterator[Mapping[str, np.ndarray]]:
    """Give the run's weights by name; those in a file are read one at a time."""
    if run.unfinished():
        yield arrays(load(run)[0])
        return
    with checkpoint.open_arrays(run.weights) as stored:
        yield stored


def copy_weights(network: keras.Model, run: Run) -> str:
    """Assign a run's weights to a network, wherever name and shape match.

    Returns a line that names the layers that were copied, and those that were not.

    Raises:
        DataError: the run has no weights, or is damaged.
        UsageError: no weight matches.
    """
    run.model_info()  # says how to continue a run in which no step was trained
    copied, new = [], []
    with stored_weights(run) as stored:
        for name, variable in weight_names(network).items():
            layer = name.rpartition("/")[0]
            if name in stored and stored[name].shape == tuple(variable.shape):
                variable.assign(stored[name])
                copied.append(layer)
            else:
                new.append(layer)
    if not copied:
        raise UsageError(
            f"no weight of {run.folder} has the name and shape of one of {network.name}'s"
        )
    unfinished = run.unfinished()
    at = f" at step {unfinished.step:,} (its training is not finished)" if unfinished else ""
    line = f"weights from {run.folder}{at}: {', '.join(dict.fromkeys(copied))}"
    if new:
        line += f"; not from there: {', '.join(dict.fromkeys(new))}"
    return line


def arrays(model: keras.Model) -> Arrays:
    """Return the values of the model's weights by name: see `weight_names`."""
    return {name: weight.numpy() for name, weight in weight_names(model).items()}


def predictor(
    network: keras.Model, quiet: bool = True
) -> Callable[[Images | np.ndarray], np.ndarray]:
    """Return a function from images (N, *INPUT) uint8 to logits (N, classes), compiled."""
    # The signature takes batches of any length: the last, shorter one needs no second graph.
    signature = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)
    compiled = tf.function(lambda x: network(x, training=False), input_signature=[signature])
    fitting = MAX_BATCH_VALUES // math.prod(network.input_shape[1:])
    size = max(MIN_BATCH, min(MAX_BATCH, fitting))

    def logits(images: Images | np.ndarray) -> np.ndarray:
        starts = [(start,) for start in range(0, len(images), size)]
        outputs = []
        with Progress(len(images), quiet=quiet, unit="image") as progress:
            for batch in ahead(lambda start: images[start : start + size], starts):
                outputs.append(compiled(batch).numpy())
                progress.at(min(len(outputs) * size, len(images)), "predicted")
        return np.concatenate(outputs)

    return logits
