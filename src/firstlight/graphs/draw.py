"""The two pictures of a graph, as SVG: what a person means by it, and what TensorFlow runs.

functional: a box a layer (or, for the first graph, an operation of the lesson), with its output
shape and parameters. operations: all of TensorFlow's operations, a box a name scope.
"""

from pathlib import Path

import keras
import tensorflow as tf

from firstlight import catalog, first_graph
from firstlight.errors import UsageError
from firstlight.graphs import svg
from firstlight.graphs.layers import of_network, total
from firstlight.graphs.operations import of_first_graph, operations
from firstlight.runs.files import write_text
from firstlight.runs.run import Run

FIRST = "first-graph"


def draw(target: str, out: Path | None) -> list[Path]:
    """Write functional.svg and operations.svg of a network, a run, or "first-graph".

    They go to `out`, or to the run's figures, or to runs/graph-NAME.

    Raises:
        UsageError, DataError: there is no such network or run; or the run is not trained yet.
    """
    name, classes, folder = find(target)
    if name == FIRST:
        graph = first_graph.build().graph
        boxes, arrows = of_first_graph(graph)
    else:
        chosen = catalog.network(name)
        network = chosen.build(classes or chosen.classes)
        boxes, arrows = of_network(network)
        graph = traced(network)
    files = {
        "functional.svg": svg.svg(svg.even(boxes), arrows, name, total(boxes)),
        "operations.svg": svg.svg(*operations(graph), name, "TensorFlow's operations by scope"),
    }
    for file, picture in files.items():
        write_text((out or folder) / file, picture)
    return [(out or folder) / file for file in files]


def find(target: str) -> tuple[str, int, Path]:
    """The network's name, its classes if it is a run's, and where its pictures go."""
    run = Run(Path(target))
    if run.settings_file.is_file():
        if run.settings()["network"] == FIRST:
            return FIRST, 0, run.figures
        known = run.trained()
        return str(known["network"]), len(known["classes"]), run.figures
    there = [entry.name for entry in catalog.networks()]
    if target not in (FIRST, *there):
        raise UsageError(f"no network or run {target!r}; networks: {FIRST}, {', '.join(there)}")
    return target, 0, Path("runs") / f"graph-{target}"


def traced(network: keras.Model) -> tf.Graph:
    """TensorFlow's graph of the network's answer and its cost, for a batch of any size."""
    images = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")
    labels = tf.TensorSpec((None,), tf.int32, name="labels")

    @tf.function
    def cost(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        logits = network(images, training=True)
        with tf.name_scope("cost"):
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            return tf.reduce_mean(losses)

    return cost.get_concrete_function(images, labels).graph
