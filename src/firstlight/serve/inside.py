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

from firstlight.cli import tensorflow
from firstlight.datasets import flat, mnist, one_hot, shuffled
from firstlight.errors import FirstlightError, UsageError
from firstlight.serve import answer, folders

with tensorflow(verbose=False):
    import keras

    from firstlight import catalog, checkpoint, evaluate, first_graph, graphs, model
from firstlight.runs import Run, read_json

MOST_MAPS = 64  # of a layer that are shown
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


@lru_cache(maxsize=4)
def opened(folder: str, file: str, stamp: float) -> keras.Model:
    """A run's network with the weights of one of its files, as they were at that moment."""
    run = Run(Path(folder))
    settings = run.settings()
    name = settings["network"]
    classes = 10
    if run.model_file.is_file():
        known = read_json(run.model_file)
        name, classes = known["network"], len(known["classes"])
    network = catalog.network(name).build(classes)
    if network.input_shape[1:] != (28, 28, 1):
        raise UsageError(f"{name} takes {network.input_shape[1:]}, no drawn digits")
    arrays, _ = checkpoint.load(Path(file))
    wanted = model.variables(network)
    checkpoint.restore(wanted, {k: v for k, v in arrays.items() if k in wanted}, Path(file))
    return network


def newest(folder: str) -> tuple[keras.Model, Path]:
    run = Run(Path(folder))
    path = folders.checkpoint(run)
    return opened(folder, str(path), path.stat().st_mtime), path


def maps(run: str, image: str) -> Facts:
    """What each layer makes of an image, and where a hidden part matters."""
    network, _ = newest(run)
    seen = answer.pixels(image)
    layers = [layer for layer in network.layers if type(layer).__name__ not in PLAIN]
    outputs = keras.Model(network.input, [layer.output for layer in layers])(seen[None])
    outputs = outputs if isinstance(outputs, list) else [outputs]

    def probabilities(images: np.ndarray) -> np.ndarray:
        return evaluate.softmax(evaluate.predictor(network)(images))

    (row,) = probabilities(seen[None])
    best = int(row.argmax())
    return {
        "probabilities": [round(float(p), 4) for p in row],
        "occlusion": answer.occlusion(seen, probabilities, best),
        "layers": [
            {"name": layer.name, "kind": type(layer).__name__} | shown(np.asarray(output)[0])
            for layer, output in zip(layers, outputs, strict=True)
        ],
    }


def shown(output: np.ndarray) -> Facts:
    """A layer's maps, or its neurons in a row, as int8: 127 is its largest value."""
    maps = output.transpose(2, 0, 1) if output.ndim == 3 else output.reshape(1, 1, -1)
    some = maps[:MOST_MAPS].astype(np.float32)
    largest = float(np.abs(some).max()) or 1.0
    return {
        "of": len(maps),
        "shape": some.shape,
        "largest": largest,
        "pixels": answer.text((some * (127 / largest)).round().astype(np.int8)),
    }


def samples(run: str) -> Facts:
    """What a run's newest weights say of the first test images."""
    network, path = newest(run)
    predicted = evaluate.predictor(network)(tests().images[:SAMPLES]).argmax(1)
    return {"stamp": path.stat().st_mtime} | answers_to(predicted)


@lru_cache(maxsize=1)
def tests() -> Any:
    return mnist.load("test")


def answers_to(predicted: np.ndarray) -> Facts:
    labels = tests().labels[:SAMPLES]
    images = answer.text(tests().images[:SAMPLES])
    return {"predicted": predicted[:SAMPLES].tolist(), "labels": labels.tolist(), "images": images}


def graph(target: str) -> Facts:
    """Both pictures of a graph, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        files = graphs.draw(target, Path(folder))
        return {path.stem: path.read_text("utf-8") for path in files}


class Lesson:
    """The first graph in its session, to be run a step at a time."""

    def __init__(self, batch_size: int, learning_rate: float, seed: int) -> None:
        examples = mnist.load("train")
        self.images, self.labels = flat(examples.images), examples.labels
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
        predicted = (flat(tests().images) @ weights + biases).argmax(1)
        fed = (self.images[batch[:20]] * 255).astype(np.uint8)
        return {
            "weights": folders.as_pictures(weights),
            "learned": folders.as_pictures(weights - self.random),
            "accuracy": float(np.mean(predicted == tests().labels)),
            "fed": answer.text(fed),
        } | answers_to(predicted)


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
