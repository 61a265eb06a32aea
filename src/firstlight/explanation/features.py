"""The features that a network has learned: arrays about its layers, for one picture and for many.

    filters          the first layer's weights, as images; for a network of one layer also these
                     weights times the picture: the contribution of each pixel to each class
    feature maps     the output of each layer for the picture
    projections      the strongest unit of several feature maps, projected down to pixels by the
                     deconvnet; and the top nine: the nine images of a dataset that activate the
                     same map most, projected too. Figure 2 of Zeiler and Fergus, arXiv 1311.2901

A dense layer counts as a layer of feature maps of one unit each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight.datasets import Images
from firstlight.errors import UsageError
from firstlight.explanation import deconvnet, network_layers
from firstlight.explanation.kernels import kernel_images
from firstlight.explanation.network_layers import Stage, Stages
from firstlight.explanation.occlusion import Region
from firstlight.explanation.receptive_field import Unit, receptive_field
from firstlight.images.crops import Size
from firstlight.progress import in_batches

MAX_FILTERS = 100
DRAWN_CHANNELS = (1, 3)  # a filter of one channel is drawn in red and blue, one of three in colours
DEFAULT_LAYERS = 5  # projected from, unless the user names layers
MAPS_PER_LAYER = 4
TOP_NINE = 9  # images for each feature map
SEARCH_BATCH_SIZE = 32  # images that are searched for the top nine at a time


@dataclass(frozen=True, kw_only=True)
class FirstLayer:
    """The weights of the first layer."""

    name: str
    filters: dict[int, np.ndarray]  # number → weights (height, width, channels); strongest first
    filter_count: int  # the number of all filters; `filters` has at most MAX_FILTERS of them
    contributions: np.ndarray | None  # (classes, height, width, channels); for one layer only


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What in an image activates a unit, projected down to pixels."""

    image: np.ndarray  # (height, width, channels) uint8
    pixels: np.ndarray  # the same shape, float32: positive activates the unit, negative inhibits it
    receptive_field: Region  # the part of the image that the unit depends on
    activation: float  # the unit's output for this image


@dataclass(frozen=True, kw_only=True)
class MapProjections:
    """A feature map's strongest unit, in the picture and in the top nine images of a dataset."""

    number: int  # the feature map's in its layer
    picture: Projection
    top_nine: list[Projection]  # the strongest activation first; fewer if fewer activate the map


def choose_stages(stages: Stages, names: Sequence[str]) -> list[Stage]:
    """Return the stages of these names; without names, DEFAULT_LAYERS convolutions, evenly spread.

    A network without convolutions has its dense layers chosen in the same way.

    Raises:
        UsageError: the network has no layer of that name.
    """
    for name in names:
        if name not in stages:
            raise UsageError(f"no layer {name!r} to look into; layers: {', '.join(stages)}")
    if names:
        return [stages[name] for name in names]
    candidates = [stage for stage in stages.values() if stage.is_convolution]
    if not candidates:
        candidates = list(stages.values())
    count = min(DEFAULT_LAYERS, len(candidates))
    return [candidates[round(i)] for i in np.linspace(0, len(candidates) - 1, count)]


def activations(stages: Stages, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return each stage's output for the image: (height, width, maps), or (units,)."""
    *_, last = stages.values()
    values = network_layers.forward(last.path, image[None])
    return {name: values[len(stage.path)].numpy()[0] for name, stage in stages.items()}


def has_feature_maps(output: np.ndarray) -> bool:
    """Return whether a stage's output has maps of more than one unit: they can be drawn."""
    return output.ndim == 3 and output.shape[0] * output.shape[1] > 1


def strongest_maps(output: np.ndarray, count: int) -> list[int]:
    """Return the numbers of the feature maps with the largest maxima, the largest first."""
    maxima = output.reshape(-1, output.shape[-1]).max(0)
    return [int(number) for number in np.argsort(-maxima, kind="stable")[:count]]


def first_layer(
    network: keras.Model, stages: Stages, outputs: dict[str, np.ndarray], image: np.ndarray
) -> FirstLayer:
    """Return the weights of the first layer, with the filters that respond most to the image first.

    Args:
        network: whose first layer it is.
        stages: the network's.
        outputs: the stages' outputs for the image, see `activations`.
        image: (height, width, channels).

    Raises:
        UsageError: the first layer with weights has no filters that can be drawn.
    """
    with_weights = (name for name in stages if network.get_layer(name).weights)
    name = next(with_weights, next(iter(stages)))
    weights = filters(network.get_layer(name), network.input_shape[1:])
    strongest = strongest_maps(outputs[name], MAX_FILTERS)
    is_only_layer = len(stages) == 1 and weights.shape[1:] == image.shape
    return FirstLayer(
        name=name,
        filters={number: weights[number] for number in strongest},
        filter_count=len(weights),
        contributions=contributions(stages, weights, image) if is_only_layer else None,
    )


def filters(layer: Any, size: Size) -> np.ndarray:
    """Return a first layer's weights as images: (filters, height, width, channels).

    Args:
        layer: a convolution, a dense layer, or the softmax network's own layer, whose kernel is
            (classes, pixels).
        size: of the network's input, which is the size of a dense layer's filters.

    Raises:
        UsageError: it has no filters that can be drawn.
    """
    kernel, maps = kernel_of(layer), network_layers.output_of(layer).shape[-1]
    pixels = math.prod(size)
    if kernel.ndim == 4:
        can_be_drawn = kernel.shape[2] in DRAWN_CHANNELS and kernel.shape[3] == maps
    else:
        can_be_drawn = kernel.shape in ((pixels, maps), (maps, pixels))
    if not can_be_drawn:
        raise UsageError(
            f"the first layer with weights, {layer.name} ({type(layer).__name__}), has no filters "
            f"that can be drawn; explain needs a first layer that is a convolution or takes every "
            f"pixel; {network_layers.WHAT_STILL_WORKS}"
        )
    return kernel_images(kernel, size)


def kernel_of(layer: Any) -> np.ndarray:
    """Return a layer's kernel, as that of a convolution for each kind; no values without one."""
    match layer:
        case keras.layers.DepthwiseConv2D():
            return one_channel_each(layer.kernel.numpy())
        case keras.layers.SeparableConv2D():
            pointwise = layer.pointwise_kernel.numpy()[0, 0]
            return np.asarray(one_channel_each(layer.depthwise_kernel.numpy()) @ pointwise)
    return np.asarray(getattr(layer, "kernel", []))


def one_channel_each(kernel: np.ndarray) -> np.ndarray:
    """Return a depthwise kernel as that of a convolution, (height, width, channels, maps).

    Args:
        kernel: (height, width, channels, n): each channel has n filters, which see it alone.
    """
    height, width, channels, _ = kernel.shape
    spread = np.einsum("hwcn,cd->hwdcn", kernel, np.eye(channels, dtype=kernel.dtype))
    return spread.reshape(height, width, channels, -1)


def contributions(stages: Stages, weights: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return each weight times its input, for a network of one layer.

    Args:
        stages: the one stage.
        weights: (classes, height, width, channels), see `filters`; the result has this shape.
        image: (height, width, channels). The sum over a class's pixels is its logit without the
            bias.
    """
    (stage,) = stages.values()
    below = [layer.name for layer in stage.path].index(stage.name)
    layer_input = network_layers.forward(stage.path, image[None])[below].numpy()
    product: np.ndarray = weights * layer_input.reshape(1, *image.shape)
    return product


def project_maps(
    chosen: list[Stage],
    image: np.ndarray,
    outputs: dict[str, np.ndarray],
    images: Images,
    *,
    quiet: bool = True,
) -> dict[str, list[MapProjections]]:
    """Project the strongest feature maps of each stage, in the picture and in the top nine images.

    Args:
        chosen: the stages.
        image: the picture, as the network takes it.
        outputs: the stages' outputs for it, see `activations`.
        images: (N, *INPUT), where the top nine are looked for.
        quiet: show no progress.
    """
    projections = {}
    maxima = spatial_maxima(chosen, images, quiet=quiet)
    for stage, (values, positions) in zip(chosen, maxima, strict=True):
        own_values = outputs[stage.name].reshape(-1, stage.shape[-1])  # (positions, maps)
        projections[stage.name] = [
            project_map(
                stage,
                number,
                picture=image,
                own_values=own_values[:, number],
                images=images,
                maxima=values[:, number],
                positions=positions[:, number],
            )
            for number in active_maps(own_values)
        ]
    return projections


def project_map(
    stage: Stage,
    number: int,
    *,
    picture: np.ndarray,
    own_values: np.ndarray,
    images: Images,
    maxima: np.ndarray,
    positions: np.ndarray,
) -> MapProjections:
    """Project a feature map's strongest unit, in the picture and in the top nine images.

    Args:
        stage: the feature map's.
        number: the feature map's in its stage.
        picture: as the network takes it.
        own_values: the activations (positions,) of the map's units for the picture.
        images: (N, *INPUT).
        maxima: (N,), the largest activation for each image.
        positions: (N,), where it is.
    """
    nine = top_nine(maxima)
    at = [int(own_values.argmax()), *(int(positions[row]) for row in nine)]
    in_picture, *in_nine = project_units(
        stage,
        images=[picture, *images[nine]],
        units=[unit_at(stage.shape, number, position) for position in at],
        values=[own_values.max(), *maxima[nine]],
    )
    return MapProjections(number=number, picture=in_picture, top_nine=in_nine)


def active_maps(values: np.ndarray) -> list[int]:
    """Return the numbers of the strongest feature maps, without inactive ones; at least one.

    Args:
        values: the activations for the picture, (positions, maps).
    """
    numbers = strongest_maps(values, MAPS_PER_LAYER)
    active = [number for number in numbers if values[:, number].max() > 0]
    return active or numbers[:1]


def top_nine(values: np.ndarray) -> np.ndarray:
    """Return the rows of the nine largest values (N,), the largest first.

    Images for which the map is zero do not show what activates it, and are left out.
    """
    rows = np.argsort(-values, kind="stable")[:TOP_NINE]
    return rows[values[rows] != 0]


def spatial_maxima(
    chosen: list[Stage], images: Images, *, quiet: bool = True
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return, for each stage, the maximum (N, maps) of each feature map, and where it is (N, maps).

    A position counts the map's units row by row, from 0.
    """
    longest = max((stage.path for stage in chosen), key=len)

    @tf.function(input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.uint8)])
    def maxima(batch: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        values = network_layers.forward(longest, batch)
        pairs = []
        for stage in chosen:
            units = int(np.prod(stage.shape[:-1]))  # of each map
            flat = tf.reshape(values[len(stage.path)], (-1, units, stage.shape[-1]))
            pairs.append((tf.reduce_max(flat, 1), tf.argmax(flat, 1)))
        return pairs

    batches = []
    for rows in in_batches(
        len(images), SEARCH_BATCH_SIZE, "searching the validation images", quiet
    ):
        batches.append(maxima(images[rows]))
    return [
        (np.concatenate([value for value, _ in pairs]), np.concatenate([at for _, at in pairs]))
        for pairs in zip(*batches, strict=True)
    ]


def unit_at(shape: tuple[int, ...], number: int, position: int) -> Unit:
    """Return the unit at a position of a feature map: (row, column, map); or (unit,).

    A sequence's unit is (step, map).

    Args:
        shape: of the stage's output.
        number: the feature map's, or the dense unit's.
        position: counts the map's units row by row, from 0.
    """
    place = np.unravel_index(position, shape[:-1])
    return (*(int(n) for n in place), number)


def project_units(
    stage: Stage, *, images: list[np.ndarray], units: list[Unit], values: list[float]
) -> list[Projection]:
    """Project one unit of each image down to pixels.

    Args:
        stage: the units'.
        images: each (height, width, channels).
        units: one for each image.
        values: the units' activations.
    """
    pixels = deconvnet.project(stage.path, np.array(images), units)
    return [
        Projection(
            image=images[i],
            pixels=pixels[i],
            receptive_field=receptive_field(stage.path, unit),
            activation=float(values[i]),
        )
        for i, unit in enumerate(units)
    ]
