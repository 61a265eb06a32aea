"""The worker process: the only part of the page that imports TensorFlow.

    python -m firstlight.serve.tf_worker [--trust]

It reads a question per line on stdin and writes an answer per line on stdout, both as JSON (see
questions.py). An error is answered as {"error": "..."}.
"""

import json
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firstlight import catalog
from firstlight.datasets import Examples
from firstlight.errors import FirstlightError, UsageError
from firstlight.quiet import tensorflow
from firstlight.recipe import Recipe
from firstlight.serve import digits, run_views
from firstlight.serve.questions import (
    Done,
    DrawGraph,
    Evaluate,
    LayerJson,
    LayerMaps,
    LayerMapsJson,
    Question,
    RecipeJson,
    Recipes,
    Samples,
    SamplesJson,
    from_line,
)

with tensorflow(verbose=False):
    import keras

    from firstlight import model
    from firstlight.evaluation.accuracy import evaluate as evaluate_runs
    from firstlight.graphs.draw import draw_graph
    from firstlight.networks._network import Network
    from firstlight.networks._weight_names import weight_names
    from firstlight.runs import checkpoint
from firstlight.probabilities import softmax
from firstlight.runs.run import Run

INPUT_SHAPE = (digits.SIDE, digits.SIDE, 1)
# Layers whose output is the image itself: they are not shown.
PREPROCESSING = {"InputLayer", "Rescaling", "Flatten"}
SAMPLES = 100  # test images whose predictions are watched
MAX_ERROR_LENGTH = 300
TRUST = "--trust" in sys.argv[1:]


def main() -> None:
    """Answer questions, a line each, until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed must not be taken for an answer
    for line in sys.stdin:
        answers.write(json.dumps(answer_or_error(line)) + "\n")
        answers.flush()


def answer_or_error(line: str) -> Any:
    """Return the answer to a question, or {"error": message}."""
    try:
        return answer(from_line(line))
    except FirstlightError as error:
        return {"error": str(error)}
    except Exception as error:  # this process must survive a damaged run folder, for example
        return {"error": f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]}


def answer(question: Question[Any]) -> Any:
    match question:
        case LayerMaps():
            return layer_maps(question)
        case Samples():
            return predict_samples(question)
        case Recipes():
            return recipes()
        case DrawGraph():
            return graph_pictures(question)
        case Evaluate():
            return evaluate(question)
    raise NotImplementedError(type(question).__name__)


# --- A run's network ---------------------------------------------------------------------------


class LiveNetwork:
    """A run's network, compiled once; its weights are loaded again while the run trains."""

    def __init__(self, network: Network, classes: int) -> None:
        if network.input != INPUT_SHAPE:
            size = "×".join(map(str, network.input))
            raise UsageError(f"{network.name} takes images of {size}, not digits of 28×28×1")
        self.network = network.build(classes)
        self.logits = model.predictor(self.network)
        self.layers = [
            layer for layer in self.network.layers if type(layer).__name__ not in PREPROCESSING
        ]
        self.outputs = keras.Model(self.network.input, [layer.output for layer in self.layers])
        self.loaded: tuple[Path, float] | None = None  # the checkpoint, and when it was written

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
    if run.model_file.is_file():
        classes = run.model_info().classes
    else:  # it is still training
        classes = run.dataset().classes
    network = live_network(folder, len(classes))
    network.load(weights)
    return network


def layer_maps(question: LayerMaps) -> LayerMapsJson:
    """Return the probabilities, the occlusion map and each layer's output for an image."""
    network = newest_network(question.run)
    image = digits.decode_image(question.image)
    outputs = network.outputs(image[None])
    if not isinstance(outputs, list):  # Keras unwraps a list of one output
        outputs = [outputs]
    (probabilities,) = network.probabilities(image[None])
    label = int(probabilities.argmax())
    return {
        "probabilities": probabilities.astype(float).round(4).tolist(),
        "occlusion": digits.occlusion_map(image, network.probabilities, label),
        "layers": [
            layer_json(layer, np.asarray(output)[0])
            for layer, output in zip(network.layers, outputs, strict=True)
        ],
    }


def layer_json(layer: keras.Layer, output: np.ndarray) -> LayerJson:
    """Return a layer's output for the page: its feature maps, or its neurons as one row."""
    if output.ndim == 3:
        maps = output.transpose(2, 0, 1)  # (height, width, maps) → (maps, height, width)
    else:
        maps = output.reshape(1, 1, -1)
    return {**run_views.encode_maps(maps), "name": layer.name, "type": type(layer).__name__}


def predict_samples(question: Samples) -> SamplesJson:
    examples, network = sample_images(question.run), newest_network(question.run)
    return {
        "predicted": network.logits(examples.images).argmax(1).tolist(),
        "labels": examples.labels.tolist(),
        "images": digits.encode(examples.images[:]),
        "modified": network.loaded[1] if network.loaded else 0.0,
    }


@lru_cache(maxsize=2)
def sample_images(folder: str) -> Examples:
    """Return the first test images of a run's data.

    Raises:
        UsageError: they are not images of 28×28 pixels.
    """
    dataset = open_run(folder).dataset()
    examples = dataset.load(dataset.evaluation_split).first(SAMPLES)
    if examples.images.are_crops or examples.images.size != INPUT_SHAPE:
        raise UsageError(f"the test images of {dataset.name} do not have 28×28 pixels")
    return examples


def recipes() -> dict[str, dict[str, RecipeJson]]:
    """Return the recipes of every network; reading them imports the networks' files."""
    return {
        entry.name: {
            name: recipe_json(recipe)
            for name, recipe in catalog.named_network(entry.name).recipes.items()
        }
        for entry in catalog.networks()
    }


def recipe_json(recipe: Recipe) -> RecipeJson:
    return {
        "epochs": recipe.epochs,
        "steps": recipe.steps,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
    }


def graph_pictures(question: DrawGraph) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw_graph(question.target, Path(folder), TRUST)
        return {path.stem: path.read_text("utf-8") for path in pictures.files}


def evaluate(question: Evaluate) -> Done:
    """Do what `firstlight evaluate RUN` does: leave evaluation.json and figures in the folder."""
    evaluate_runs([open_run(question.run)], quiet=False)
    return {}


if __name__ == "__main__":
    main()
