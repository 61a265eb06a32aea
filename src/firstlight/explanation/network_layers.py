"""A network's layers, one by one: the stages that explain looks into, and their outputs.

A stage is a layer with weights or a pool, with the normalisation and rectification after it. The
network may branch: a layer comes after those that feed it.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers

from firstlight.errors import UsageError
from firstlight.networks._layers import BatchNorm

WHAT_STILL_WORKS = "classify, evaluate, compare and graph take this network"

_POOLS = (layers.MaxPooling2D, layers.AveragePooling2D, layers.GlobalAveragePooling2D)
_NORMALISATIONS = (
    BatchNorm,
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.Normalization,
    layers.RMSNormalization,
)


class Stage(NamedTuple):
    """A pool or a layer with weights, with the normalisation and rectification after it."""

    name: str  # its first layer's
    path: list[Any]  # all layers from the picture to the stage's last
    shape: tuple[int, ...]  # its output for one picture: (height, width, feature maps), or (units,)
    is_convolution: bool


Stages = dict[str, Stage]


def layers_of(network: keras.Model) -> list[Any]:
    """Return all layers after the input, each after those that feed it.

    An operation, as in `x + y`, counts as a layer. Keras's `network.layers` leaves it out.
    """
    after_input: list[Any] = network.operations[1:]
    return after_input


def stages(network: keras.Model) -> Stages:
    """Return the network's stages by name, from the first to the logits.

    Raises:
        UsageError: the network uses a layer twice, or a layer has several outputs or takes the
            channels first.
    """
    layers_after_input = layers_of(network)
    by_name: Stages = {}
    by_output: dict[int, str] = {}  # the tensor that a stage ends with → the stage's name
    for number, layer in enumerate(layers_after_input, start=1):
        check_layer(layer, network.name)
        path, shape = layers_after_input[:number], output_of(layer).shape[1:]
        first, *others = fed_by(layer)
        name = "" if others else by_output.get(id(first), "")
        if begins_stage(layer):
            name = layer.name
            by_name[name] = Stage(name, path, shape, is_convolution(layer))
        elif name and shape == by_name[name].shape:
            by_name[name] = by_name[name]._replace(path=path)
        else:
            continue
        by_output[id(output_of(layer))] = name
    return by_name


def check_layer(layer: Any, network: str) -> None:
    """Raise UsageError if the network of that name uses the layer in an unsupported way."""
    if len(layer._inbound_nodes) > 1:
        raise UsageError(f"{network} uses the layer {layer.name} twice: not supported")
    if len(layer._inbound_nodes[0].output_tensors) > 1:
        raise UsageError(
            f"{network}'s layer {layer.name} has several outputs: explain cannot follow them; "
            f"{WHAT_STILL_WORKS}"
        )
    if getattr(layer, "data_format", None) == "channels_first":
        raise UsageError(
            f"{network}'s layer {layer.name} takes the channels first: explain needs them last; "
            f"{WHAT_STILL_WORKS}"
        )


def begins_stage(layer: Any) -> bool:
    """Return whether the layer is a pool, or has weights and is not a normalisation."""
    if isinstance(layer, _POOLS):
        return True
    return bool(getattr(layer, "weights", ())) and not isinstance(layer, _NORMALISATIONS)


def is_convolution(layer: Any) -> bool:
    """Return whether the layer slides a kernel over its input, and returns feature maps."""
    return hasattr(layer, "kernel_size") and len(output_of(layer).shape) == 4


def fed_by(layer: Any) -> list[Any]:
    """Return the symbolic tensors that feed a layer, each once.

    The `input` of a network that is used as a layer is its own, not what feeds it.
    """
    tensors = {id(tensor): tensor for tensor in layer._inbound_nodes[0].input_tensors}
    return list(tensors.values())


def output_of(layer: Any) -> Any:
    """Return the symbolic tensor that a layer returns."""
    return layer._inbound_nodes[0].output_tensors[0]


def forward(path: list[Any], images: Any) -> list[tf.Tensor]:
    """Return the images (N, *INPUT) as float32, and then each layer's output for them.

    Args:
        path: the layers after the input, each after those that feed it.

    Raises:
        UsageError: a layer cannot be called with these values.
    """
    values = [tf.cast(images, tf.float32)]
    (picture,) = fed_by(path[0])
    by_tensor = {id(picture): values[0]}
    for layer in path:
        try:
            values.append(call(layer, by_tensor))
        except (TypeError, ValueError, AttributeError, tf.errors.OpError) as error:
            raise UsageError(
                f"the layer {layer.name} cannot be called by itself with pixels as float32 "
                f"({type(error).__name__}), so explain cannot look into the network; "
                f"{WHAT_STILL_WORKS}"
            ) from error
        by_tensor[id(output_of(layer))] = values[-1]
    return values


def call(layer: Any, by_tensor: dict[int, tf.Tensor]) -> tf.Tensor:
    """Call a layer as the network does outside training, with the values that feed it."""
    arguments, options = layer._inbound_nodes[0].arguments.fill_in(by_tensor)
    if isinstance(layer, layers.Layer):  # Keras's random layers believe that they are in training
        options = options | {"training": False}
    return layer(*arguments, **options)
