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
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from firstlight.errors import UsageError
from firstlight.explanation.occlusion import Region
from firstlight.networks._layers import BatchNorm, LocalResponseNorm

Unit = tuple[int, ...]  # its place in its layer: (row, column, feature map), or (unit,)

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
_FILTERS = (  # linear, then an activation
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.EinsumDense,
)
_ALONG_AXIS = (  # they keep positions if the axis is that of the maps
    layers.Concatenate,
    layers.LayerNormalization,
    layers.RMSNormalization,
    layers.Softmax,
    layers.UnitNormalization,
)
_KEEP_POSITIONS = (
    BatchNorm,
    LocalResponseNorm,
    layers.Activation,
    layers.ActivityRegularization,
    layers.Add,
    layers.Average,
    layers.BatchNormalization,
    layers.Dense,  # between maps it is a 1×1 convolution
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.LeakyReLU,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Normalization,
    layers.PReLU,
    layers.RandomBrightness,  # random layers change nothing outside training
    layers.RandomContrast,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.ReLU,
    layers.Rescaling,
    layers.SpatialDropout2D,
    layers.Subtract,
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
    """Return whether the layer's output is maps of units, each of which slid a kernel."""
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


def receptive_field(path: list[Any], unit: Unit) -> Region:
    """Return the part of the picture that a unit of the path's last layer depends on.

    It is never too small. It is larger where a layer moves positions in a way that is not known
    here: then it is all of the picture.
    """
    (picture,) = fed_by(path[0])
    height, width = picture.shape[1:3]
    if len(unit) != 3:  # a dense layer's, or a mean over a feature map: it depends on every pixel
        return 0, 0, height, width
    top, bottom = _interval(path, 0, unit[0])
    left, right = _interval(path, 1, unit[1])
    return top, left, bottom, right


def _interval(path: list[Any], axis: int, position: int) -> tuple[int, int]:
    """Return the first row (or column) that the unit depends on, and the one after the last."""
    # Of each tensor: the first and the last that the unit depends on.
    intervals = {id(output_of(path[-1])): (position, position)}
    for layer in reversed(path):
        if id(output_of(layer)) not in intervals:
            continue
        above = intervals.pop(id(output_of(layer)))
        for tensor in fed_by(layer):
            part = _interval_below(layer, tensor, axis, above)
            known = intervals.get(id(tensor), part)
            intervals[id(tensor)] = min(known[0], part[0]), max(known[1], part[1])
    (picture,) = fed_by(path[0])
    first, last = intervals[id(picture)]
    return first, last + 1


def _interval_below(layer: Any, tensor: Any, axis: int, above: tuple[int, int]) -> tuple[int, int]:
    """Return the rows (or columns) of a layer's input that some rows of its output depend on.

    Args:
        tensor: the input.
        axis: 0 for rows, 1 for columns.
        above: the first and the last row of the output; the result has this form.
    """
    if len(tensor.shape) != 4:
        return 0, 0
    end = tensor.shape[1 + axis] - 1
    has_maps = len(output_of(layer).shape) == 4
    window = _sliding_window(layer, tensor, axis) if has_maps else None
    if not window:
        return 0, end
    size, stride, padding = window
    first, last = above
    return (
        min(max(first * stride - padding, 0), end),
        min(max(last * stride - padding + size - 1, 0), end),
    )


def _sliding_window(layer: Any, tensor: Any, axis: int) -> tuple[int, int, int] | None:
    """Return the window's size, its stride, and the padding before the map.

    They are 1, 1, 0 for a layer that keeps positions, and None for one that may move them.
    """
    match layer:
        case layers.ZeroPadding2D():
            return 1, 1, layer.padding[axis][0]
        case layers.Cropping2D():
            return 1, 1, -layer.cropping[axis][0]
    if keeps_positions(layer):
        return 1, 1, 0
    window = window_of(layer)
    if not window:
        return None
    dilation = getattr(layer, "dilation_rate", (1, 1))[axis]
    size, stride = 1 + (window[axis] - 1) * dilation, layer.strides[axis]
    if layer.padding == "valid":
        return size, stride, 0
    input_size, output_size = tensor.shape[1 + axis], output_of(layer).shape[1 + axis]
    total_padding = max((output_size - 1) * stride + size - input_size, 0)
    return size, stride, total_padding // 2


def keeps_positions(layer: Any) -> bool:
    """Return whether each position of the output depends on the same position of the inputs."""
    if isinstance(layer, _ALONG_AXIS):
        axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
        return set(axes) <= {-1, 3}
    return isinstance(layer, _KEEP_POSITIONS)


def window_of(layer: Any) -> tuple[int, int] | None:
    """Return rows and columns of the window that a layer slides over maps; None without one."""
    if isinstance(layer, layers.Conv2DTranspose):  # its window slides over the output
        return None
    window = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    for pair in window, getattr(layer, "strides", None):
        if not (isinstance(pair, tuple) and len(pair) == 2):
            return None
    return window if hasattr(layer, "padding") else None
