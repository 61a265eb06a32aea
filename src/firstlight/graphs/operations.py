"""The operations diagram: TensorFlow's own operations, a box for each name scope."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from firstlight.graphs.layout import Arrow, ArrowEnds, Box, Role

MAX_LISTED = 5  # operations listed in a box; a scope with more has its commonest types counted
VARIABLE_TYPES = {"VarHandleOp", "VariableV2"}
_MINOR_TYPES = {"Const", "NoOp", "Identity"}  # a scope with only these types gets no box
_GOAL_SCOPES = {"gradients", "optimizer", "cost", "softmax_cross_entropy"}


def trace(network: keras.Model) -> tf.Graph:
    """Return TensorFlow's graph of the network's logits and its cost, for a batch of any size."""
    images = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")
    labels = tf.TensorSpec((None,), tf.int32, name="labels")

    @tf.function
    def cost(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        logits = network(images, training=True)
        with tf.name_scope("cost"):
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            return tf.reduce_mean(losses)

    return cost.get_concrete_function(images, labels).graph


def from_operations(graph: tf.Graph) -> tuple[list[Box], list[Arrow]]:
    """Return a box for each name scope, and an arrow for the tensors between two scopes."""
    operations = graph.get_operations()
    root = _dominant_scope([operation.name for operation in operations])
    scopes: dict[str, list[tf.Operation]] = {}
    for operation in operations:
        scopes.setdefault(_scope(operation, root), []).append(operation)
    boxes = [_scope_box(name, members) for name, members in scopes.items() if _is_drawn(members)]
    drawn = {box.name for box in boxes}
    arrows = [
        Arrow(source, target, label=label)
        for (source, target), label in _connections(operations, root).items()
        if source != target and {source, target} <= drawn
    ]
    return boxes, arrows


def _connections(operations: list[tf.Operation], root: str) -> dict[ArrowEnds, str]:
    """Return the pairs of scopes that a tensor or a trigger connects, each with a tensor's shape.

    A pair that several tensors connect has the last one's shape.
    """
    shapes: dict[ArrowEnds, str] = {}
    for operation in operations:
        target = _scope(operation, root)
        for tensor in operation.inputs:
            shapes[_scope(tensor.op, root), target] = _tensor_shape(tensor)
        if _is_initializer(operation):
            for triggered in operation.control_inputs:
                shapes[_scope(triggered, root), target] = ""
    return shapes


def _dominant_scope(names: list[str]) -> str:
    """Return the outermost scope with its slash if it holds most of the graph; else ""."""
    scope, count = Counter(name.split("/")[0] for name in names).most_common(1)[0]
    return f"{scope}/" if count > 0.7 * len(names) else ""


def _scope(operation: tf.Operation, root: str) -> str:
    """Return the operation's outermost scope below the root."""
    return str(operation.name).removeprefix(root).split("/")[0]


def _is_drawn(members: list[tf.Operation]) -> bool:
    """Return whether a scope has more than constants and operations that pass a value on."""
    return any(op.type not in _MINOR_TYPES or _is_initializer(op) for op in members)


def _is_initializer(operation: tf.Operation) -> bool:
    """Return whether the operation only runs the ones that give variables their first values."""
    triggered = {op.type for op in operation.control_inputs}
    return (
        operation.type == "NoOp" and triggered == {"AssignVariableOp"} and "init" in operation.name
    )


def _tensor_shape(tensor: tf.Tensor) -> str:
    """Return the shape to write at an arrow: none for a scalar or for a variable's handle."""
    if tensor.dtype == tf.resource or not tensor.shape.rank:
        return ""
    return shape_text(tensor.shape)


def shape_text(shape: Iterable[Any]) -> str:
    """Return a shape as "N×28×28"; N is a size that is not fixed."""
    return "×".join("N" if size is None else str(size) for size in shape)


def _scope_box(name: str, members: list[tf.Operation]) -> Box:
    return Box(name, name, _scope_lines(members), role=_scope_role(name, members))


def _scope_lines(members: list[tf.Operation]) -> list[str]:
    """List a small scope's operations; count the commonest types of a large one."""
    listed = [op.type for op in members if op.type not in _MINOR_TYPES]
    if not listed:
        listed = [op.type for op in members]
    if len(listed) > MAX_LISTED:
        commonest = Counter(listed).most_common(MAX_LISTED)
        lines = [f"{name} ×{count}" if count > 1 else name for name, count in commonest]
        return [*lines, f"… {len(members)} operations in all"]
    unlisted = len(members) - len(listed)
    if unlisted == 0:
        return listed
    return [*listed, "and 1 constant" if unlisted == 1 else f"and {unlisted} constants"]


def _scope_role(name: str, members: list[tf.Operation]) -> Role:
    if name in _GOAL_SCOPES:
        return "goal"
    if any(op.type in VARIABLE_TYPES or _is_outer_variable(op) for op in members):
        return "trained"
    return "data" if members[0].type == "Placeholder" else "operation"


def _is_outer_variable(operation: tf.Operation) -> bool:
    """Return whether this is a variable from outside the traced function, as a resource."""
    return bool(operation.type == "Placeholder" and operation.outputs[0].dtype == tf.resource)
