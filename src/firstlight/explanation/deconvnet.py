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

from itertools import pairwise
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
        UsageError: the network is not a chain of layers, each fed by the one before it.
    """
    for previous, layer in pairwise(network.layers):
        if layer.input is not previous.output:
            raise UsageError(
                f"{network.name} is not a chain of layers: {layer.name} has other inputs"
            )
    chain = network.layers[1:]  # without the input
    by_name: Stages = {}
    name = ""  # the last stage's
    for number, layer in enumerate(chain, start=1):
        path, shape = chain[:number], layer.output.shape[1:]
        if begins_stage(layer):
            name = layer.name
            by_name[name] = Stage(name, path, shape, hasattr(layer, "kernel_size"))
        elif name and shape == by_name[name].shape:
            by_name[name] = by_name[name]._replace(path=path)
    return by_name


def begins_stage(layer: Any) -> bool:
    """Return whether the layer is a pool, or has weights and is not a normalisation."""
    if isinstance(layer, _POOLS):
        return True
    return bool(layer.weights) and not isinstance(layer, BatchNorm)


def forward(path: list[Any], images: Any) -> list[tf.Tensor]:
    """Return the images (N, *INPUT) as float32, and then each layer's output for them."""
    values = [tf.cast(images, tf.float32)]
    for layer in path:
        values.append(layer(values[-1]))
    return values


def project(path: list[Any], images: np.ndarray, units: list[Unit]) -> np.ndarray:
    """Project one unit of each image down to pixels: (N, *INPUT) float32, signed.

    Args:
        path: the layers from the picture to the units'.
        images: (N, *INPUT), one for each unit.
        units: the i-th is a unit's place in the output for the i-th image.
    """
    *inputs, output = forward(path, images)
    indices = tf.constant([(number, *unit) for number, unit in enumerate(units)])
    signal = tf.scatter_nd(indices, tf.gather_nd(output, indices), output.shape)
    for layer, layer_input in zip(reversed(path), reversed(inputs), strict=True):
        signal = project_layer(layer, signal, layer_input)
    pixels: np.ndarray = signal.numpy()
    return pixels


def project_layer(layer: Any, signal: tf.Tensor, layer_input: tf.Tensor) -> tf.Tensor:
    """Take a signal at the layer's output down to its input.

    Args:
        signal: it has the shape of the layer's output.
        layer_input: the layer's input on the way up; the result has its shape.
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
    first, last = position, position
    for layer in reversed(path):
        size, stride, padding = _sliding_window(layer, axis)
        end = layer.input.shape[1 + axis] - 1
        first = min(max(first * stride - padding, 0), end)
        last = min(max(last * stride - padding + size - 1, 0), end)
    return first, last + 1


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
