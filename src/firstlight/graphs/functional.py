"""The functional diagram: the graph as its author thinks of it.

A Keras model has a box for each layer. The first graph, which has no layers, has a box for
each placeholder, variable and operation that its author named.
"""

import math

import keras
import tensorflow as tf

from firstlight.graphs.layout import Arrow, Box, Role
from firstlight.graphs.operations import VARIABLE_TYPES, shape_text

ROLES: dict[Role, set[str]] = {  # types of Keras layers and TensorFlow operations
    "data": {"InputLayer", "Placeholder", "Rescaling", "Flatten", "ZeroPadding2D"},
    "goal": {"SoftmaxCrossEntropyWithLogits", "Mean", "ApplyGradientDescent"},
}
DESCRIPTIONS = {  # the chapter's words for TensorFlow's operations
    "Placeholder": "placeholder: fed at each step",
    "MatMul": "matrix product",
    "AddV2": "sum  +",
    "SoftmaxCrossEntropyWithLogits": "softmax cross entropy",
    "Mean": "mean",
    "Relu": "max(0, x)",
}


def from_keras(network: keras.Model) -> tuple[list[Box], list[Arrow]]:
    """Return a box for each layer of a Keras model, and the arrows between them."""
    boxes, arrows = [], []
    for layer in network.layers:
        boxes.append(_layer_box(layer))
        for node in layer._inbound_nodes:
            arrows += [Arrow(parent.operation.name, layer.name) for parent in node.parent_nodes]
    return boxes, arrows


def _layer_box(layer: keras.layers.Layer) -> Box:
    layer_type = type(layer).__name__
    parameters = sum(math.prod(weight.shape) for weight in layer.trainable_weights)
    details = [layer_type, _window(layer)]
    if parameters:
        details.append(f"{parameters:,} parameters")
    return Box(
        name=layer.name,
        title=layer.name,
        lines=[", ".join(filter(None, details))],
        shape="×".join(str(size) for size in layer.output.shape[1:]),
        role="trained" if layer.trainable_weights else role_of(layer_type),
        parameters=parameters,
    )


def _window(layer: keras.layers.Layer) -> str:
    """Return the size and stride of a layer's kernel or pool, as "3×3 stride 2"; else ""."""
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    if not size:
        return ""
    text, stride = "×".join(map(str, size)), max(layer.strides)
    return f"{text} stride {stride}" if stride > 1 else text


def role_of(type_name: str) -> Role:
    """Return the role of a layer or operation that trains no weights."""
    for role, type_names in ROLES.items():
        if type_name in type_names:
            return role
    return "operation"


def from_graph(graph: tf.Graph) -> tuple[list[Box], list[Arrow]]:
    """Return the boxes and arrows of an explicit graph, from its operation "cost" back.

    Placeholders, variables and the operations between them and the cost are found by walking the
    graph. What TensorFlow added for itself (reads, reshapes, gradients) is passed through. The
    optimizer gets a separate box.
    """
    boxes: dict[str, Box] = {}
    arrows: list[Arrow] = []

    def visit(operation: tf.Operation) -> str:
        """Return the name of the operation's box, which the first visit makes."""
        while operation.type not in DESCRIPTIONS and operation.type not in VARIABLE_TYPES:
            operation = operation.inputs[0].op  # it only passes its input on
        name = _author_name(operation)
        if name not in boxes:
            boxes[name] = _operation_box(operation, name)
            arrows.extend(Arrow(visit(operand), name) for operand in _operands(operation))
        return name

    cost = visit(graph.get_operation_by_name("cost"))
    boxes["optimizer"] = Box("optimizer", "optimizer", ["gradient descent"], role="goal")
    arrows.append(Arrow(cost, "optimizer"))
    trained = [box.name for box in boxes.values() if box.parameters]
    arrows += [Arrow("optimizer", name, is_feedback=True) for name in trained]
    return list(boxes.values()), arrows


def _operands(operation: tf.Operation) -> list[tf.Operation]:
    """Return the inputs that the author gave: not the axes of a mean, nothing for a variable."""
    if operation.type in VARIABLE_TYPES:
        return []
    count = 1 if operation.type in ("Mean", "Relu") else 2
    return [tensor.op for tensor in operation.inputs[:count]]


def _author_name(operation: tf.Operation) -> str:
    """Return the name that the author gave: the outermost scope's, if there is one."""
    return str(operation.name).split("/")[0]


def _operation_box(operation: tf.Operation, name: str) -> Box:
    if operation.type in VARIABLE_TYPES:
        shape = [dimension.size for dimension in operation.get_attr("shape").dim]
        parameters = math.prod(shape)
        return Box(
            name=name,
            title=name,
            lines=[f"variable, {parameters:,} parameters"],
            shape=shape_text(shape),
            role="trained",
            parameters=parameters,
        )
    return Box(
        name=name,
        title=name,
        lines=[DESCRIPTIONS[operation.type]],
        shape=shape_text(operation.outputs[0].shape) or "one number",
        role=role_of(operation.type),
    )
