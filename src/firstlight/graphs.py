"""The two pictures of a graph, as SVG: what a person means by it, and what TensorFlow runs.

functional: a box a layer (or, for the first graph, an operation of the lesson), with its output
shape and parameters. operations: all of TensorFlow's operations, a box a name scope.
"""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from firstlight import catalog, diagram, first_graph
from firstlight.diagram import Arrow, Box
from firstlight.errors import UsageError
from firstlight.runs.files import write_text
from firstlight.runs.run import Run

FIRST = "first-graph"
ROLES = {  # Keras layers and TensorFlow operations by what they are for: it decides their colour
    "data": {"InputLayer", "Placeholder", "Rescaling", "Flatten", "ZeroPadding2D"},
    "goal": {"SoftmaxCrossEntropyWithLogits", "Mean", "ApplyGradientDescent"},
}
MEANING = {  # the lesson's words for TensorFlow's operations
    "Placeholder": "placeholder: fed at each step",
    "MatMul": "matrix product",
    "AddV2": "sum  +",
    "SoftmaxCrossEntropyWithLogits": "softmax cross entropy",
    "Mean": "mean",
    "Relu": "max(0, x)",
}
SHOWN_OPERATIONS = 5  # a scope with more is drawn closed: how many, and of which types


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
        "functional.svg": diagram.svg(diagram.even(boxes), arrows, name, total(boxes)),
        "operations.svg": diagram.svg(*operations(graph), name, "TensorFlow's operations by scope"),
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
    there = [entry["name"] for entry in catalog.networks()]
    if target not in (FIRST, *there):
        raise UsageError(f"no network or run {target!r}; networks: {FIRST}, {', '.join(there)}")
    return target, 0, Path("runs") / f"graph-{target}"


def of_network(network: keras.Model) -> tuple[list[Box], list[Arrow]]:
    """A box a layer of a Keras model, and the arrows between them."""
    boxes, arrows = [], []
    for layer in network.layers:
        kind = type(layer).__name__
        shape = "×".join(str(size) for size in layer.output.shape[1:])
        facts = ", ".join(filter(None, (kind, _settings(layer), _parameters(layer))))
        role = "trained" if layer.trainable_weights else _role(kind)
        boxes.append(Box(layer.name, layer.name, [facts], shape, role, _count(layer)))
        for node in layer._inbound_nodes:
            arrows += [Arrow(parent.operation.name, layer.name) for parent in node.parent_nodes]
    return boxes, arrows


def _settings(layer: keras.layers.Layer) -> str:
    """What a person asks of a layer: kernel and stride."""
    if not (size := getattr(layer, "kernel_size", getattr(layer, "pool_size", None))):
        return ""
    stride = max(layer.strides)
    return "×".join(map(str, size)) + (f" stride {stride}" if stride > 1 else "")


def _count(layer: keras.layers.Layer) -> int:
    return sum(math.prod(weight.shape) for weight in layer.trainable_weights)


def _parameters(layer: keras.layers.Layer) -> str:
    return f"{_count(layer):,} parameters" if _count(layer) else ""


def _role(kind: str) -> str:
    return next((role for role, kinds in ROLES.items() if kind in kinds), "operation")


def total(boxes: list[Box]) -> str:
    return f"{sum(box.parameters for box in boxes):,} trainable parameters"


def of_first_graph(graph: tf.Graph) -> tuple[list[Box], list[Arrow]]:
    """The boxes of an explicit graph: what its author named, from the cost back to what is fed.

    Placeholders, variables and the operations between them and the cost are found by walking the
    graph; what TensorFlow added for itself (reads, reshapes, gradients) is passed through.
    """
    boxes: dict[str, Box] = {}
    arrows: list[Arrow] = []

    def visit(operation: tf.Operation) -> str:
        """The name of the box for an operation, made at the first visit."""
        while operation.type not in MEANING and operation.type not in _VARIABLES:
            operation = operation.inputs[0].op  # something that only hands its input on
        name = _title(operation)
        if name not in boxes:
            boxes[name] = _box(operation, name)
            sources = () if operation.type in _VARIABLES else _meant(operation)
            arrows.extend(Arrow(visit(source), name) for source in sources)
        return name

    cost = visit(graph.get_operation_by_name("cost"))
    boxes["optimizer"] = Box("optimizer", "optimizer", ["gradient descent"], "", "goal")
    arrows.append(Arrow(cost, "optimizer"))
    trained = [box.name for box in boxes.values() if box.parameters]
    return list(boxes.values()), arrows + [Arrow("optimizer", name, True) for name in trained]


_VARIABLES = {"VarHandleOp", "VariableV2"}


def _meant(operation: tf.Operation) -> list[tf.Operation]:
    """The inputs that the author gave: not the axes of a mean."""
    count = 1 if operation.type in ("Mean", "Relu") else 2
    return [tensor.op for tensor in operation.inputs[:count]]


def _title(operation: tf.Operation) -> str:
    """The name given by the author: an operation inside a scope of its own has the scope's."""
    return str(operation.name).split("/")[0]


def _box(operation: tf.Operation, name: str) -> Box:
    if operation.type in _VARIABLES:
        shape = [d.size for d in operation.get_attr("shape").dim]
        facts = [f"variable, {math.prod(shape):,} parameters"]
        return Box(name, name, facts, _times(shape), "trained", math.prod(shape))
    shape = list(operation.outputs[0].shape)
    facts = [MEANING[operation.type]]
    return Box(name, name, facts, _times(shape) or "one number", _role(operation.type))


def _times(shape: Iterable[Any]) -> str:
    return "×".join("N" if size is None else str(size) for size in shape)


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


def operations(graph: tf.Graph) -> tuple[list[Box], list[Arrow]]:
    """A box a name scope, with its operations or how many, and the tensors between scopes."""
    everything = graph.get_operations()
    opened = _holds_nearly_all([operation.name for operation in everything])
    scopes: dict[str, list[tf.Operation]] = {}
    for operation in everything:
        scopes.setdefault(_scope(operation, opened), []).append(operation)
    boxes = [_scope_box(name, members) for name, members in scopes.items() if _says(members)]
    shapes: dict[diagram.Ends, str] = {}
    for operation in everything:
        target = _scope(operation, opened)
        for tensor in operation.inputs:
            shapes[_scope(tensor.op, opened), target] = _tensor(tensor)
        if _starts_others(operation):
            shapes |= {(_scope(op, opened), target): "" for op in operation.control_inputs}
    drawn = {box.name for box in boxes}
    return boxes, [
        Arrow(*ends, label=shape)
        for ends, shape in shapes.items()
        if ends[0] != ends[1] and set(ends) <= drawn
    ]


def _holds_nearly_all(names: list[str]) -> str:
    """The outermost scope, to be opened, if it holds most of the graph; else nothing."""
    scope, held = Counter(name.split("/")[0] for name in names).most_common(1)[0]
    return f"{scope}/" if held > 0.7 * len(names) else ""


def _scope(operation: tf.Operation, opened: str) -> str:
    return str(operation.name).removeprefix(opened).split("/")[0]


def _says(members: list[tf.Operation]) -> bool:
    """Whether a scope is more than a constant or a hand-over."""
    return any(op.type not in _SILENT or _starts_others(op) for op in members)


_SILENT = {"Const", "NoOp", "Identity"}


def _starts_others(operation: tf.Operation) -> bool:
    """An operation that only makes others run, as the initialiser does."""
    waits = {op.type for op in operation.control_inputs}
    return operation.type == "NoOp" and waits == {"AssignVariableOp"} and "init" in operation.name


def _tensor(tensor: tf.Tensor) -> str:
    """The shape to write at an arrow; a variable's handle has none."""
    return _times(tensor.shape) if tensor.shape.rank and tensor.dtype != tf.resource else ""


def _scope_box(name: str, members: list[tf.Operation]) -> Box:
    shown = [op for op in members if op.type not in _SILENT] or members
    hidden = len(members) - len(shown)
    if len(shown) <= SHOWN_OPERATIONS:
        lines = [op.type for op in shown]
        lines += [f"and {hidden} constant{'s' * (hidden > 1)}"] if hidden else []
    else:
        common = Counter(op.type for op in shown).most_common(SHOWN_OPERATIONS)
        lines = [f"{kind} ×{count}" if count > 1 else kind for kind, count in common]
        lines += [f"… {len(members)} operations in all"]
    return Box(name, name, lines, role=_scope_role(name, members))


def _scope_role(name: str, members: list[tf.Operation]) -> str:
    if name in ("gradients", "optimizer", "cost", "softmax_cross_entropy"):
        return "goal"
    if any(op.type in _VARIABLES or _is_variable(op) for op in members):
        return "trained"
    return "data" if members[0].type == "Placeholder" else "operation"


def _is_variable(operation: tf.Operation) -> bool:
    """A variable from outside the traced function, handed in as a resource."""
    return bool(operation.type == "Placeholder" and operation.outputs[0].dtype == tf.resource)
