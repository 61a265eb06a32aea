"""A trained network on disk: the name of a network of ours, the classes, and its arrays.

A model that somebody else made can hold code that runs when it is loaded. This cannot: the
network is built from our own source by its name, and a file of plain arrays is put into it.
"""

from typing import Any

import keras

from firstlight import catalog
from firstlight.runs import checkpoint
from firstlight.runs.checkpoint import Arrays
from firstlight.runs.files import write_json
from firstlight.runs.run import Run


def save(run: Run, network: str, classes: tuple[str, ...], learned: str, arrays: Arrays) -> None:
    """Write model/ of the run; `learned` from what: see `fitted.learned_from`."""
    checkpoint.save(run.weights, arrays)
    write_json(run.model_file, {"network": network, "classes": classes, "learned": learned})


def load(run: Run) -> tuple[keras.Model, tuple[str, ...]]:
    """The run's network with its trained weights, and the names of the classes.

    Raises:
        DataError: training has not ended, or model/ is damaged or does not fit the network.
        UsageError: there is no network of that name (any more).
    """
    facts = run.trained()
    model = catalog.network(facts["network"]).build(len(facts["classes"]))
    checkpoint.load_into(variables(model), run.weights)
    return model, tuple(facts["classes"])


def variables(model: keras.Model) -> dict[str, Any]:
    """The model's weights by path: trained ones, and the moving statistics of batch norm."""
    return {weight.path: weight for weight in model.weights}


def arrays(model: keras.Model) -> Arrays:
    return {name: weight.numpy() for name, weight in variables(model).items()}
