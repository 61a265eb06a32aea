"""The process that looks inside networks: the only part of the page that imports TensorFlow.

    python -m firstlight.serve.inside        a question a line on stdin, an answer a line on stdout

Questions: {"do": "maps" | "samples" | "graph" | "first" | "step", ...}. An answer is an object, or
{"error": "..."}.
"""

import json
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.datasets import Examples, flat, mnist, one_hot, shuffled
from firstlight.errors import FirstlightError, UsageError
from firstlight.quiet import tensorflow
from firstlight.serve import digits, run_views

with tensorflow(verbose=False):
    import keras

    from firstlight import catalog, first_graph, model
    from firstlight.evaluation.accuracy import predictor, softmax
    from firstlight.graphs.draw import draw_graph
    from firstlight.runs import checkpoint
from firstlight.runs.run import Run

SIZE = (digits.SIDE, digits.SIDE, 1)
PLAIN = {"InputLayer", "Rescaling", "Flatten"}  # layers that show the image as it is
SAMPLES = 100  # test images whose answers are watched
Facts = dict[str, Any]


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints must not be taken for an answer
    for line in sys.stdin:
        question = json.loads(line)
        try:
            facts = DO[question.pop("do")](**question)
        except FirstlightError as error:
            facts = {"error": str(error)}
        except Exception as error:  # a damaged run folder, say: this process must live on
            facts = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(facts) + "\n")
        answers.flush()


class Opened:
    """A run's network, compiled once; the weights in it change as the run trains."""

    def __init__(self, name: str, classes: int) -> None:
        self.network = catalog.network(name).build(classes)
        if self.network.input_shape[1:] != SIZE:
            raise UsageError(f"{name} takes {self.network.input_shape[1:]}, no drawn digits")
        self.logits = predictor(self.network)
        self.layers = [n for n in self.network.layers if type(n).__name__ not in PLAIN]
        self.outputs = keras.Model(self.network.input, [layer.output for layer in self.layers])
        self.holds: tuple[Path, float] | None = None

    def take(self, path: Path) -> None:
        """Put the weights of a checkpoint into it, if they are not there already."""
        newest = path, path.stat().st_mtime
        if newest != self.holds:
            self.holds = None
            arrays, _ = checkpoint.load(path)
            wanted = model.variables(self.network)
            checkpoint.restore(wanted, {k: v for k, v in arrays.items() if k in wanted}, path)
            self.holds = newest

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return softmax(self.logits(images))


@lru_cache(maxsize=4)
def opened(folder: str, name: str, classes: int) -> Opened:
    return Opened(name, classes)


def newest(folder: str) -> Opened:
    """A run's network with its newest weights."""
    run = Run(Path(folder))
    path = run_views.checkpoint(run)
    known = run.trained() if run.model_file.is_file() else run.settings()
    classes = known.get("classes") or catalog.trained_on(run).classes
    found = opened(folder, known["network"], len(classes))
    found.take(path)
    return found


def maps(run: str, image: str) -> Facts:
    """What each layer makes of an image, and where a hidden part matters."""
    found, seen = newest(run), digits.pixels(image)
    outputs = found.outputs(seen[None])
    outputs = outputs if isinstance(outputs, list) else [outputs]
    (row,) = found.probabilities(seen[None])
    return {
        "probabilities": [round(float(p), 4) for p in row],
        "occlusion": digits.occlusion(seen, found.probabilities, int(row.argmax())),
        "layers": [
            {"name": layer.name, "kind": type(layer).__name__} | shown(np.asarray(output)[0])
            for layer, output in zip(found.layers, outputs, strict=True)
        ],
    }


def shown(output: np.ndarray) -> Facts:
    """A layer's maps, or its neurons in a row."""
    maps = output.transpose(2, 0, 1) if output.ndim == 3 else output.reshape(1, 1, -1)
    return run_views.as_pictures(maps)


def samples(run: str) -> Facts:
    """What a run's newest weights say of the first test images."""
    examples, found = tests(run), newest(run)
    predicted = found.logits(examples.images).argmax(1)
    stamp = found.holds[1] if found.holds else 0
    return {"stamp": stamp} | answers_to(examples, predicted)


@lru_cache(maxsize=2)
def tests(run: str) -> Examples:
    """The first test images of a run's data; raises UsageError if they are no digits."""
    dataset = catalog.trained_on(Run(Path(run)))
    examples = dataset.load(dataset.measured("test")).first(SAMPLES)
    if not isinstance(examples.images, np.ndarray) or examples.images.shape[1:] != SIZE:
        raise UsageError(f"the test images of {dataset.name} are not of 28×28 pixels")
    return examples


def answers_to(examples: Examples, predicted: np.ndarray) -> Facts:
    images, labels = digits.text(examples.images), examples.labels.tolist()
    return {"predicted": predicted.tolist(), "labels": labels, "images": images}


def graph(target: str) -> Facts:
    """Both pictures of a graph, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        files = draw_graph(target, Path(folder)).files
        return {path.stem: path.read_text("utf-8") for path in files}


class Lesson:
    """The first graph in its session, to be run a step at a time."""

    def __init__(self, batch_size: int, learning_rate: float, seed: int) -> None:
        examples = mnist.load("train")
        self.images, self.labels = flat(examples.images), examples.labels
        self.tests = mnist.load("test")
        self.rows = shuffled(len(self.images), seed)
        self.size, self.step = batch_size, 0
        self.id = secrets.token_hex(8)  # a step of another, in another tab, is not this one's
        self.first = first_graph.build(batch_size, learning_rate, seed)
        self.session = first_graph.v1.Session(graph=self.first.graph)
        self.session.run(self.first.initialize)
        self.random = self.session.run(self.first.weights)  # what there was before the first step

    def take(self, count: int) -> Facts:
        costs, batch = [], np.zeros(0, int)
        for _ in range(count):
            batch = self.rows(self.step * self.size, (self.step + 1) * self.size)
            labels = one_hot(self.labels[batch], 10)
            fed = first_graph.feed(self.first.graph, input=self.images[batch], labels=labels)
            _, cost = self.session.run([self.first.optimizer, self.first.cost], fed)
            if not np.isfinite(cost):
                raise UsageError(f"the cost was {cost} at step {self.step + 1}: a smaller rate")
            self.step += 1
            costs.append(round(float(cost), 5))
        return {"lesson": self.id, "step": self.step, "costs": costs} | self.seen(batch)

    def seen(self, batch: np.ndarray) -> Facts:
        weights, biases = self.session.run([self.first.weights, self.first.biases])
        predicted = (flat(self.tests.images) @ weights + biases).argmax(1)
        fed = (self.images[batch[:20]] * 255).astype(np.uint8)
        return {
            "weights": run_views.as_pictures(run_views.pictures_of(weights)),
            "learned": run_views.as_pictures(run_views.pictures_of(weights - self.random)),
            "accuracy": float(np.mean(predicted == self.tests.labels)),
            "fed": digits.text(fed),
        } | answers_to(self.tests.first(SAMPLES), predicted[:SAMPLES])


lesson: Lesson | None = None


def first(batch: int, rate: float, seed: int) -> Facts:
    """Begin the first graph anew."""
    global lesson
    lesson = Lesson(batch, rate, seed)
    return lesson.take(0)


def step(of: str, after: int, count: int) -> Facts:
    """Run it `count` times, if it is that one and has been run `after` times."""
    if lesson is None or (lesson.id, lesson.step) != (of, after):
        raise UsageError("the graph has been started anew since: begin again")
    return lesson.take(count)


DO: dict[str, Callable[..., Facts]] = {
    "maps": maps,
    "samples": samples,
    "graph": graph,
    "first": first,
    "step": step,
}

if __name__ == "__main__":
    main()
