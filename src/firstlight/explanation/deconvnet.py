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
- So is the signal at every other layer: attention, or a network that is used as a layer, which is
  one step as a whole.
- Units that squash and do not rectify (LeNet-5's) pass the signal unchanged. Their feature maps may
  be negative, and where they are saturated their slope would let nothing pass.
- Where pooling regions overlap, several values can come down to one place: they are added.
"""

import inspect
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from firstlight.errors import UsageError
from firstlight.explanation.network_layers import (
    WHAT_STILL_WORKS,
    call,
    fed_by,
    forward,
    output_of,
)
from firstlight.explanation.receptive_field import Unit

_FILTERS = (  # linear, then an activation
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.EinsumDense,
)


def project(path: list[Any], images: np.ndarray, units: list[Unit]) -> np.ndarray:
    """Project one unit of each image down to pixels: (N, *INPUT) float32, signed.

    Where the network branches, the signals that come down the branches are added.

    Args:
        path: the layers from the picture to the units', each after those that feed it.
        images: (N, *INPUT), one for each unit.
        units: the i-th is a unit's place in the output for the i-th image.

    Raises:
        UsageError: no signal reaches the pixels, because a layer has no derivative.
    """
    values = forward(path, images)
    (picture,) = fed_by(path[0])
    tensors = [picture, *(output_of(layer) for layer in path)]
    by_tensor = {id(tensor): value for tensor, value in zip(tensors, values, strict=True)}
    signals = {id(tensors[-1]): unit_signal(values[-1], units)}
    stopped_at = ""
    for layer in reversed(path):
        if id(output_of(layer)) not in signals:
            continue  # the layer does not lead to the units
        signal = signals.pop(id(output_of(layer)))
        feeding = fed_by(layer)
        down = project_layer(layer, signal, [by_tensor[id(tensor)] for tensor in feeding])
        for tensor, part in zip(feeding, down, strict=True):
            if part is None:
                stopped_at = layer.name
            else:
                signals[id(tensor)] = signals.get(id(tensor), 0) + part
    if id(picture) not in signals:
        raise UsageError(
            f"the layer {stopped_at} has no derivative, so explain cannot project through it; "
            f"{WHAT_STILL_WORKS}"
        )
    pixels: np.ndarray = signals[id(picture)].numpy()
    return pixels


def unit_signal(output: tf.Tensor, units: list[Unit]) -> tf.Tensor:
    """Return the output with all but one unit of each image set to 0."""
    indices = tf.constant([(number, *unit) for number, unit in enumerate(units)])
    return tf.scatter_nd(indices, tf.gather_nd(output, indices), output.shape)


def project_layer(layer: Any, signal: tf.Tensor, inputs: list[tf.Tensor]) -> list[tf.Tensor | None]:
    """Take a signal at the layer's output down to each of its inputs.

    Args:
        signal: it has the shape of the layer's output.
        inputs: the values on the way up of the tensors `fed_by` the layer; the result is like it,
            with None for an input on which the output has no derivative.
    """
    rectifies = getattr(layer, "activation", None) is keras.activations.relu
    if rectifies or isinstance(layer, layers.ReLU):
        signal = tf.nn.relu(signal)
    match layer:
        case layers.MaxPooling2D():
            return [unpool(signal, switches(layer, inputs[0]), inputs[0].shape)]
        case layers.ReLU() | layers.Activation():
            return [signal]
        case layers.Conv2D(groups=1):
            return [filter_transposed(layer, signal, inputs[0].shape)]
        case layers.Dense():
            return [tf.matmul(signal, layer.kernel, transpose_b=True)]
    return derivative_transposed(layer, signal, inputs)


def derivative_transposed(
    layer: Any, signal: tf.Tensor, inputs: list[tf.Tensor]
) -> list[tf.Tensor | None]:
    """Multiply a signal by the derivative of the layer's linear part, at its inputs."""
    # A layer that changes nothing hands on the very tensor it was given. Copies tell them apart.
    copies = [tf.identity(value) for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(copies)
        output = linear_part(layer, copies)
    parts = tape.gradient(output, copies, signal)
    return [None if part is None else tf.convert_to_tensor(part) for part in parts]


def linear_part(layer: Any, inputs: list[tf.Tensor]) -> tf.Tensor:
    """Return the layer's output, before its activation if it is a filter with one.

    LeNet-5's own layers squash after a linear part: only that part counts on the way down.
    """
    if inspect.ismethod(getattr(layer, "linear", None)):
        return layer.linear(*inputs)
    feeding = zip(fed_by(layer), inputs, strict=True)
    by_tensor = {id(tensor): value for tensor, value in feeding}
    if not isinstance(layer, _FILTERS):
        return call(layer, by_tensor)
    activation, layer.activation = layer.activation, keras.activations.linear
    try:
        return call(layer, by_tensor)
    finally:
        layer.activation = activation


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
        dilations=convolution.dilation_rate,
    )
