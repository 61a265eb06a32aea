"""A box a layer: the graph as a person means it."""

import math

import keras

from firstlight.graphs.svg import Arrow, Box

ROLES = {  # Keras layers and TensorFlow operations by what they are for: it decides their colour
    "data": {"InputLayer", "Placeholder", "Rescaling", "Flatten", "ZeroPadding2D"},
    "goal": {"SoftmaxCrossEntropyWithLogits", "Mean", "ApplyGradientDescent"},
}


def of_network(network: keras.Model) -> tuple[list[Box], list[Arrow]]:
    """A box a layer of a Keras model, and the arrows between them."""
    boxes, arrows = [], []
    for layer in network.layers:
        kind = type(layer).__name__
        shape = "×".join(str(size) for size in layer.output.shape[1:])
        facts = ", ".join(filter(None, (kind, _settings(layer), _parameters(layer))))
        role = "trained" if layer.trainable_weights else role_of(kind)
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


def total(boxes: list[Box]) -> str:
    return f"{sum(box.parameters for box in boxes):,} trainable parameters"


def role_of(kind: str) -> str:
    return next((role for role, kinds in ROLES.items() if kind in kinds), "operation")
