"""ZFNet's deconvnet: what in a picture made one unit of a network answer, in pixels.

Zeiler and Fergus, "Visualizing and understanding convolutional networks" (arXiv 1311.2901), 2.1:

    up     picture → filter → rectify → pool, and note where each maximum was: the switches → …
    down   pixels ← transposed filter ← rectify ← unpool to the switches ← … one unit, all else 0

The switches are of this picture, so what comes out is what in it the unit saw, and nothing drawn
from the network alone. The way down is that of the gradient, except that the paper rectifies
what comes down, where the gradient looks at what had gone up.

What the paper leaves open, and how it is here:

- Biases stay out of the way down: they are the same for every picture.
- Batch norm came later. It is a part of the filter: down, its factor is kept, its shift left out.
- Contrast normalisation is not among the three inverse operations. It is passed as its derivative
  at this picture passes it. So are average pools and the like: for what is linear, that is the
  transposed of the layer. Dense layers are transposed as convolutions are.
- Units that squash and do not rectify (LeNet-5's) hand down what comes. Their maps may be negative,
  and their slope would let nothing of a strong answer through.
- Where pooling regions overlap, several values can come down to one place: they are added.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from firstlight.errors import UsageError
from firstlight.explanation.occlusion import Box
from firstlight.networks._layers import BatchNorm

Place = tuple[int, ...]  # of a unit in its layer: (row, column, map), or (unit,)

_POOLS = (layers.MaxPooling2D, layers.AveragePooling2D, layers.GlobalAveragePooling2D)


class Stage(NamedTuple):
    """A convolution, pool or dense layer with what follows it in place: norm, rectification."""

    name: str  # of its first layer
    path: list[Any]  # all layers from the picture to its end
    shape: Place  # of its answer to one picture: (height, width, maps), or (units,)
    convolves: bool


Stages = dict[str, Stage]


def stages(network: keras.Model) -> Stages:
    """The network's stages by name, from the first to the logits.

    Raises:
        UsageError: it is not a chain of layers, each fed by the one before it.
    """
    chain = network.layers[1:]  # without the input
    for before, layer in pairwise(network.layers):
        if layer.input is not before.output:
            raise UsageError(f"{network.name} is no chain of layers: {layer.name} has other inputs")
    found: Stages = {}
    for number, layer in enumerate(chain, start=1):
        if begins_a_stage(layer):
            last = layer.name
            shape, convolves = layer.output.shape[1:], hasattr(layer, "kernel_size")
            found[last] = Stage(last, chain[:number], shape, convolves)
        elif found and layer.output.shape[1:] == found[last].shape:
            found[last] = found[last]._replace(path=chain[:number])
    return found


def begins_a_stage(layer: Any) -> bool:
    return isinstance(layer, _POOLS) or bool(layer.weights and not isinstance(layer, BatchNorm))


def forward(path: list[Any], images: Any) -> list[tf.Tensor]:
    """What each layer is given, in float32, the images (N, *INPUT) first, and the last's answer."""
    values = [tf.cast(images, tf.float32)]
    for layer in path:
        values.append(layer(values[-1]))
    return values


def project(path: list[Any], images: np.ndarray, units: list[Place]) -> np.ndarray:
    """Of each image the given unit, alone, sent down to pixels: (N, *INPUT) float32, signed.

    Args:
        path: the layers up to the units'.
        images: (N, *INPUT), one a unit.
    """
    *given, answer = forward(path, images)
    chosen = tf.constant([(number, *unit) for number, unit in enumerate(units)])
    signal = tf.scatter_nd(chosen, tf.gather_nd(answer, chosen), answer.shape)
    for layer, x in zip(reversed(path), reversed(given), strict=True):
        signal = down(layer, signal, x)
    pixels: np.ndarray = signal.numpy()
    return pixels


def down(layer: Any, signal: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """A signal for the layer's outputs as one for its inputs; `x` is what it was given."""
    rectifies = getattr(layer, "activation", None) is keras.activations.relu
    if rectifies or isinstance(layer, layers.ReLU):
        signal = tf.nn.relu(signal)
    match layer:
        case layers.MaxPooling2D():
            return unpool(signal, switches(layer, x), x.shape)
        case layers.ReLU() | layers.Activation():
            return signal
        case layers.Conv2D():
            return filter_transposed(layer, signal, x.shape)
        case layers.Dense():
            return tf.matmul(signal, layer.kernel, transpose_b=True)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = getattr(layer, "linear", layer)(x)  # LeNet-5's own layers squash after it
    return tape.gradient(y, x, signal)


def switches(pool: layers.MaxPooling2D, x: tf.Tensor) -> tf.Tensor:
    """Where in x, counted through all its values, the maximum of each pooling region is."""
    _, places = tf.nn.max_pool_with_argmax(
        x, pool.pool_size, pool.strides, pool.padding.upper(), include_batch_in_index=True
    )
    return places


def unpool(signal: tf.Tensor, places: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Each value put where its maximum was, in a map of that shape; zero elsewhere."""
    flat = tf.scatter_nd(
        tf.reshape(places, (-1, 1)),
        tf.reshape(signal, (-1,)),
        tf.constant([shape.num_elements()], tf.int64),
    )
    return tf.reshape(flat, shape)


def filter_transposed(
    convolution: layers.Conv2D, signal: tf.Tensor, shape: tf.TensorShape
) -> tf.Tensor:
    """Each value spread out as its filter had gathered it, with the same stride and padding."""
    padding = convolution.padding.upper()
    return tf.nn.conv2d_transpose(signal, convolution.kernel, shape, convolution.strides, padding)


def receptive_field(path: list[Any], unit: Place) -> Box:
    """The part of the picture that a unit of the path's last layer can see."""
    height, width = path[0].input.shape[1:3]
    if len(unit) == 1:  # a dense layer's unit, or a mean over the map: all of it
        return 0, 0, height, width
    (top, bottom), (left, right) = (_seen(path, axis, unit[axis]) for axis in (0, 1))
    return top, left, bottom, right


def _seen(path: list[Any], axis: int, place: int) -> tuple[int, int]:
    """From which row (or column) to before which the unit sees, walking down the layers."""
    first, last = place, place
    for layer in reversed(path):
        size, stride, before = _window(layer, axis)
        most = layer.input.shape[1 + axis] - 1
        first = min(max(first * stride - before, 0), most)
        last = min(max(last * stride - before + size - 1, 0), most)
    return first, last + 1


def _window(layer: Any, axis: int) -> tuple[int, int, int]:
    """Of a layer that slides: the window's size, its stride, and the padding before the map."""
    if isinstance(layer, layers.ZeroPadding2D):
        return 1, 1, layer.padding[axis][0]
    if not (window := getattr(layer, "kernel_size", getattr(layer, "pool_size", None))):
        return 1, 1, 0
    size, stride = window[axis], layer.strides[axis]
    if layer.padding == "valid":
        return size, stride, 0
    inputs, outputs = (end.shape[1 + axis] for end in (layer.input, layer.output))
    return size, stride, max((outputs - 1) * stride + size - inputs, 0) // 2
