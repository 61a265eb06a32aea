"""The receptive field of a unit: the part of the picture that it depends on."""

from typing import Any

from keras import layers

from firstlight.explanation.network_layers import fed_by, output_of
from firstlight.explanation.occlusion import Region
from firstlight.networks._layers import BatchNorm, LocalResponseNorm

Unit = tuple[int, ...]  # its place in its layer: (row, column, feature map), or (unit,)


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
