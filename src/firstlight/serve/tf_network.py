"""A run's network in the worker process, with its newest weights."""

import sys
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np

from firstlight import model
from firstlight.errors import UsageError
from firstlight.explanation import network_layers
from firstlight.networks._network import Network
from firstlight.networks._weight_names import weight_names
from firstlight.probabilities import softmax
from firstlight.runs import checkpoint
from firstlight.runs.run import Run
from firstlight.serve import run_views
from firstlight.serve.digits import INPUT_SHAPE

# Layers that only hand on what they get, as far as one sees: they are not shown.
NOT_SHOWN = {"InputLayer", "Rescaling", "ZeroPadding2D", "Flatten", "Dropout"}
TRUST = "--trust" in sys.argv[1:]
Version = tuple[Path, float]  # of a run's weights: the checkpoint, and when it was written


class LiveNetwork:
    """A run's network, compiled once; its weights are loaded again while the run trains."""

    def __init__(self, network: Network, classes: int) -> None:
        if network.input != INPUT_SHAPE:
            size = "×".join(map(str, network.input))
            raise UsageError(f"{network.name} takes images of {size}, not digits of 28×28×1")
        self.network = network.build(classes)
        self.logits = model.predictor(self.network)
        self.layers = [
            layer for layer in self.network.layers if type(layer).__name__ not in NOT_SHOWN
        ]
        self.outputs = keras.Model(self.network.input, [layer.output for layer in self.layers])
        self.stage_names = stage_names(self.network)
        self.loaded: Version | None = None

    def load(self, path: Path) -> None:
        """Load the weights of a checkpoint, unless they are loaded already."""
        version = path, path.stat().st_mtime
        if version != self.loaded:
            self.loaded = None
            arrays, _ = checkpoint.load(path)  # the optimizer's variables among them
            variables = weight_names(self.network)
            weights = {name: array for name, array in arrays.items() if name in variables}
            checkpoint.restore(variables, weights, path)
            self.loaded = version

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return softmax(self.logits(images))


def open_run(folder: str) -> Run:
    return Run(Path(folder), trust=TRUST)


@lru_cache(maxsize=4)
def live_network(folder: str, classes: int) -> LiveNetwork:
    """Return the network of a run folder: one per folder, because each has its own weights."""
    return LiveNetwork(open_run(folder).network(), classes)


def newest_network(folder: str) -> LiveNetwork:
    """Return a run's network with its newest weights.

    Raises:
        DataError: the run has no weights yet, or is damaged.
        UsageError: the network does not take digits.
    """
    run = open_run(folder)
    weights = run_views.newest_weights(run)
    network = live_network(folder, len(run_classes(run)))
    network.load(weights)
    return network


def run_classes(run: Run) -> tuple[str, ...]:
    """Return the names of a run's classes. A run that is still training takes them of its data."""
    if run.model_file.is_file():
        return run.model_info().classes
    return run.dataset().classes


def stage_names(network: keras.Model) -> dict[str, str]:
    """Return for each layer the name of the stage that it belongs to; its own if it has none.

    A network that `explain` cannot look into has no stages, but its layers can still be shown.
    """
    try:
        stages = network_layers.stages(network)
    except UsageError:
        stages = {}
    names: dict[str, str] = {}
    by_output: dict[int, str] = {}
    for number, layer in enumerate(network_layers.layers_of(network), start=1):
        name = by_output.get(id(network_layers.fed_by(layer)[0]), "")
        belongs = name in stages and number <= len(stages[name].path) and layer.name not in stages
        names[layer.name] = name if belongs else layer.name
        by_output[id(network_layers.output_of(layer))] = names[layer.name]
    return names
