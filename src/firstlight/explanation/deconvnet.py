"""The deconvnet of ZFNet: which pixels of a picture activate one unit of a network.

Zeiler and Fergus, "Visualizing and understanding convolutional networks" (arXiv 1311.2901),
section 2.1. Each step of the network has its inverse:

    up     picture → filter → rectify → pool, which records where each maximum was: the switches → …
    down   pixels ← transposed filter ← rectify ← unpool at the switches ← … one unit, all others 0

The switches belong to this picture, so the projection shows what in this picture activates the
unit. The way down is that of the gradient, with one difference: the paper rectifies the signal that
comes down; the gradient passes it where the value that went up was positive.

The paper leaves some questions open. This is how they are answered here:

- Biases are not used on the way down: they are the same for every picture.
- Batch norm is younger than the paper. It counts as part of the filter: on the way down its factor
  is kept and its shift is left out.
- Contrast normalisation has no inverse in the paper. The signal is multiplied by its derivative at
  this picture. Average pools and other linear layers are treated in the same way: the derivative
  of a linear layer is its transpose. Dense layers are transposed as convolutions are.
- Units that squash and do not rectify (LeNet-5's) pass the signal unchanged. Their feature maps may
  be negative, and where they are saturated their slope would let nothing pass.
- Where pooling regions overlap, several values can come down to one place: they are added.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from firstlight.errors import UsageError
from firstlight.explanation.occlusion import Region
from firstlight.networks._layers import BatchNorm

Unit = tuple[int, ...]  # its place in its layer: (row, column, feature map), or (unit,)

_POOLS = (layers.MaxPooling2D, layers.AveragePooling2D, layers.GlobalAveragePooling2D)


class Stage(NamedTuple):
    """A convolution, pool or dense layer, with the normalisation and rectification after it."""

    name: str  # its first layer's
    path: list[Any]  # all layers from the picture to the stage's last
    shape: tuple[int, ...]  # its output for one picture: (height, width, feature maps), or (units,)
    is_convolution: bool


Stages = dict[str, Stage]


def stages(network: keras.Model) -> Stages:
    """Return the network's stages by name, from the first to the logits.

    Raises:
        UsageError: the network uses a layer twice.
    """
    layers_after_input = network.layers[1:]
    by_name: Stages = {}
    by_output: dict[int, str] = {}  # the tensor that a stage ends with → the stage's name
    for number, layer in enumerate(layers_after_input, start=1):
        if len(layer._inbound_nodes) > 1:
            raise UsageError(f"{network.name} uses the layer {layer.name} twice: not supported")
        path, shape = layers_after_input[:number], layer.output.shape[1:]
        name = by_output.get(id(layer.input), "")
        if begins_stage(layer):
            name = layer.name
            by_name[name] = Stage(name, path, shape, hasattr(layer, "kernel_size"))
        elif name and shape == by_name[name].shape:
            by_name[name] = by_name[name]._replace(path=path)
        else:
            continue
        by_output[id(layer.output)] = name
    return by_name


def begins_stage(layer: Any) -> bool:
    """Return whether the layer is a pool, or has weights and is not a normalisation."""
    if isinstance(layer, _POOLS):
        return True
    return bool(layer.weights) and not isinstance(layer, BatchNorm)


def forward(path: list[Any], images: Any) -> list[tf.Tensor]:
    """Return the images (N, *INPUT) as float32, and then each layer's output for them.

    Args:
        path: the layers after the input, each after those that feed it.
    """
    values = [tf.cast(images, tf.float32)]
    by_tensor = {id(path[0].input): values[0]}
    for layer in path:
        values.append(layer(_input_values(layer, by_tensor)))
        by_tensor[id(layer.output)] = values[-1]
    return values


def _input_values(layer: Any, by_tensor: dict[int, tf.Tensor]) -> Any:
    """Return what a layer is fed with: a value, or a list of values if several layers feed it."""
    if isinstance(layer.input, list):
        return [by_tensor[id(tensor)] for tensor in layer.input]
    return by_tensor[id(layer.input)]


def project(path: list[Any], images: np.ndarray, units: list[Unit]) -> np.ndarray:
    """Project one unit of each image down to pixels: (N, *INPUT) float32, signed.

    Where the network branches, the signals that come down the branches are added.

    Args:
        path: the layers from the picture to the units', each after those that feed it.
        images: (N, *INPUT), one for each unit.
        units: the i-th is a unit's place in the output for the i-th image.
    """
    values = forward(path, images)
    picture = path[0].input
    by_tensor = {id(tensor): value for tensor, value in zip(_tensors(path), values, strict=True)}
    output = values[-1]
    indices = tf.constant([(number, *unit) for number, unit in enumerate(units)])
    signal = tf.scatter_nd(indices, tf.gather_nd(output, indices), output.shape)
    signals = {id(path[-1].output): signal}
    for layer in reversed(path):
        if id(layer.output) not in signals:
            continue  # the layer does not lead to the units
        signal = signals.pop(id(layer.output))
        down = project_layer(layer, signal, _input_values(layer, by_tensor))
        fed_by = layer.input if isinstance(layer.input, list) else [layer.input]
        for tensor, part in zip(fed_by, down if len(fed_by) > 1 else [down], strict=True):
            signals[id(tensor)] = signals.get(id(tensor), 0) + part
    pixels: np.ndarray = signals[id(picture)].numpy()
    return pixels


def _tensors(path: list[Any]) -> list[Any]:
    """Return the symbolic tensors of the picture and of each layer's output."""
    return [path[0].input, *(layer.output for layer in path)]


def project_layer(layer: Any, signal: tf.Tensor, layer_input: Any) -> Any:
    """Take a signal at the layer's output down to its input, or to each of its inputs.

    Args:
        signal: it has the shape of the layer's output.
        layer_input: the layer's input on the way up, or a list of them; the result is like it.
    """
    rectifies = getattr(layer, "activation", None) is keras.activations.relu
    if rectifies or isinstance(layer, layers.ReLU):
        signal = tf.nn.relu(signal)
    match layer:
        case layers.MaxPooling2D():
            return unpool(signal, switches(layer, layer_input), layer_input.shape)
        case layers.ReLU() | layers.Activation():
            return signal
        case layers.Conv2D():
            return filter_transposed(layer, signal, layer_input.shape)
        case layers.Dense():
            return tf.matmul(signal, layer.kernel, transpose_b=True)
    # LeNet-5's own layers squash after a linear part: only that part counts on the way down.
    linear = getattr(layer, "linear", layer)
    with tf.GradientTape() as tape:
        tape.watch(layer_input)
        output = linear(layer_input)
    return tape.gradient(output, layer_input, signal)


def switches(pool: layers.MaxPooling2D, pool_input: tf.Tensor) -> tf.Tensor:
    """Return where each pooling region's maximum is: indices into the flattened input."""
    _, indices = tf.nn.max_pool_with_argmax(
        pool_input,
        ksize=pool.pool_size,
        strides=pool.strides,
        padding=pool.padding.upper(),
        include_batch_in_index=True,
    )
    return indices


def unpool(signal: tf.Tensor, indices: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Put each value back where its maximum was, in zeros of that shape."""
    flat = tf.scatter_nd(
        tf.reshape(indices, (-1, 1)),
        tf.reshape(signal, (-1,)),
        tf.constant([shape.num_elements()], tf.int64),
    )
    return tf.reshape(flat, shape)


def filter_transposed(
    convolution: layers.Conv2D, signal: tf.Tensor, shape: tf.TensorShape
) -> tf.Tensor:
    """Apply the transposed convolution; `shape` is that of the convolution's input."""
    return tf.nn.conv2d_transpose(
        signal,
        convolution.kernel,
        output_shape=shape,
        strides=convolution.strides,
        padding=convolution.padding.upper(),
    )


def receptive_field(path: list[Any], unit: Unit) -> Region:
    """Return the part of the picture that a unit of the path's last layer depends on."""
    height, width = path[0].input.shape[1:3]
    if len(unit) == 1:  # a dense layer's, or a mean over a feature map: it depends on every pixel
        return 0, 0, height, width
    top, bottom = _interval(path, 0, unit[0])
    left, right = _interval(path, 1, unit[1])
    return top, left, bottom, right


def _interval(path: list[Any], axis: int, position: int) -> tuple[int, int]:
    """Return the first row (or column) that the unit depends on, and the one after the last."""
    intervals = {id(path[-1].output): (position, position)}  # of each tensor: the first, the last
    for layer in reversed(path):
        if id(layer.output) not in intervals:
            continue
        first, last = intervals.pop(id(layer.output))
        for tensor in layer.input if isinstance(layer.input, list) else [layer.input]:
            if len(tensor.shape) == 4:
                if len(layer.output.shape) == 4:
                    part = _interval_below(layer, axis, first, last, tensor.shape[1 + axis] - 1)
                else:  # a dense layer, or a mean over the maps
                    part = 0, tensor.shape[1 + axis] - 1
            else:
                part = 0, 0
            known = intervals.get(id(tensor), part)
            intervals[id(tensor)] = min(known[0], part[0]), max(known[1], part[1])
    first, last = intervals[id(path[0].input)]
    return first, last + 1


def _interval_below(layer: Any, axis: int, first: int, last: int, end: int) -> tuple[int, int]:
    """Return the rows (or columns) of a layer's input that some rows of its output depend on."""
    size, stride, padding = _sliding_window(layer, axis)
    return (
        min(max(first * stride - padding, 0), end),
        min(max(last * stride - padding + size - 1, 0), end),
    )


def _sliding_window(layer: Any, axis: int) -> tuple[int, int, int]:
    """Return the window's size, its stride, and the padding before the map: 1, 1, 0 for none."""
    if isinstance(layer, layers.ZeroPadding2D):
        return 1, 1, layer.padding[axis][0]
    window = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    if not window:
        return 1, 1, 0
    size, stride = window[axis], layer.strides[axis]
    if layer.padding == "valid":
        return size, stride, 0
    input_size, output_size = layer.input.shape[1 + axis], layer.output.shape[1 + axis]
    total_padding = max((output_size - 1) * stride + size - input_size, 0)
    return size, stride, total_padding // 2
