"""The worker process: the only part of the page that imports TensorFlow.

    python -m firstlight.serve.tf_worker [--trust]

It reads a question per line on stdin and writes an answer per line on stdout, both as JSON (see
questions.py). An error is answered as {"error": "..."}.
"""

import base64
import json
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from firstlight import catalog
from firstlight.classification import Classifier
from firstlight.datasets import Examples
from firstlight.errors import FirstlightError, UsageError
from firstlight.quiet import tensorflow
from firstlight.recipe import Recipe
from firstlight.serve import digits
from firstlight.serve.classifying import classes_json
from firstlight.serve.digits import INPUT_SHAPE
from firstlight.serve.questions import (
    ClassesJson,
    Classify,
    Done,
    DrawGraph,
    Evaluate,
    LayerMaps,
    Projections,
    Question,
    RecipeJson,
    Recipes,
    Samples,
    SamplesJson,
    from_line,
)

with tensorflow(verbose=False):
    from firstlight.evaluation import accuracy
    from firstlight.graphs.draw import draw_graph
    from firstlight.serve.tf_layers import layer_maps, projections
    from firstlight.serve.tf_network import TRUST, newest_network, open_run

SAMPLES = 100  # test images whose predictions are watched
MAX_ERROR_LENGTH = 300


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
        case Projections():
            return projections(question)
        case Samples():
            return predict_samples(question)
        case Classify():
            return classify(question)
        case Recipes():
            return recipes()
        case DrawGraph():
            return graph_pictures(question)
        case Evaluate():
            return evaluate(question)
    raise NotImplementedError(type(question).__name__)


def predict_samples(question: Samples) -> SamplesJson:
    examples, network = sample_images(question.run), newest_network(question.run)
    return {
        "predicted": network.logits(examples.images).argmax(1).tolist(),
        "labels": examples.labels.tolist(),
        "images": digits.encode(examples.images[:]),
        "modified": network.loaded[1] if network.loaded else 0.0,
    }


def classify(question: Classify) -> ClassesJson:
    modified = open_run(question.run).weights.stat().st_mtime
    network = trained_network(question.run, modified)
    return classes_json(network, base64.b64decode(question.picture), question.top)


@lru_cache(maxsize=2)
def trained_network(folder: str, modified: float) -> Classifier:
    """Return a run's network; when its weights were written tells whether it is the newest one."""
    return accuracy.classifier(open_run(folder))


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
    accuracy.evaluate([open_run(question.run)], quiet=False)
    return {}


if __name__ == "__main__":
    main()
