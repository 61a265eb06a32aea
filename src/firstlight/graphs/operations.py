"""TensorFlow's own operations, a box for each name scope."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from firstlight.graphs import svg
from firstlight.graphs.layers import role_of
from firstlight.graphs.svg import Arrow, Box

MEANING = {  # the lesson's words for TensorFlow's operations
    "Placeholder": "placeholder: fed at each step",
    "MatMul": "matrix product",
    "AddV2": "sum  +",
    "SoftmaxCrossEntropyWithLogits": "softmax cross entropy",
    "Mean": "mean",
    "Relu": "max(0, x)",
}
SHOWN_OPERATIONS = 5  # a scope with more is drawn closed: how many, and of which types


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
    return Box(name, name, facts, _times(shape) or "one number", role_of(operation.type))


def _times(shape: Iterable[Any]) -> str:
    return "×".join("N" if size is None else str(size) for size in shape)


def operations(graph: tf.Graph) -> tuple[list[Box], list[Arrow]]:
    """A box a name scope, with its operations or how many, and the tensors between scopes."""
    everything = graph.get_operations()
    opened = _holds_nearly_all([operation.name for operation in everything])
    scopes: dict[str, list[tf.Operation]] = {}
    for operation in everything:
        scopes.setdefault(_scope(operation, opened), []).append(operation)
    boxes = [_scope_box(name, members) for name, members in scopes.items() if _says(members)]
    shapes: dict[svg.Ends, str] = {}
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
