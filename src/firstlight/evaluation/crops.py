"""How a picture is shown to a network that is to say what it is: once, ten times, or everywhere.

middle      the middle, 7/8 of the shortest side
ten_crops   corners and middle, and in a mirror: probabilities averaged (ZFNet, section 3)
dense       OverFeat (arXiv 1312.6229, section 3.3 and figure 3): the whole picture at six
            scales, and in a mirror; the classifier slid over all places of the last maps

whole picture ── convolutions ── maps ── pooled from each offset ── classifier, slid
    of each scale and mirror: the maximum over offsets and places; their mean is the answer
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from PIL import Image

from firstlight.datasets._folder import Pictures
from firstlight.datasets._images import Fitted
from firstlight.errors import UsageError
from firstlight.evaluation.accuracy import Views, middle, predictor
from firstlight.images.crops import CUT_OUT, TEN_CROPS, cut_out
from firstlight.probabilities import softmax
from firstlight.progress import Progress

# Shortest sides of the paper's six scales (table 5) to the accurate network's input of 221.
SCALES = tuple(side / 221 for side in (245, 281, 317, 389, 425, 461))


def ten_crops(network: keras.Model, images: Any, quiet: bool = True) -> np.ndarray:
    """Probabilities (N, classes): the mean of those of ten crops."""
    _refuse_arrays(images, "ten-crops")
    answer = predictor(network)
    found = []
    shortest = math.ceil(max(images.size[:2]) / CUT_OUT)
    with Progress(len(images), quiet=quiet, unit="picture") as progress:
        for row in range(len(images)):
            picture = images.images.open(row, shortest)
            crops = np.array([cut_out(picture, crop, images.size) for crop in TEN_CROPS])
            found.append(softmax(answer(crops)).mean(axis=0))
            progress.at(row + 1, "shown in ten crops")
    return np.array(found)


def dense(network: keras.Model, images: Any, quiet: bool = True) -> np.ndarray:
    """Probabilities (N, classes): OverFeat's dense evaluation, made to add up to 1 again."""
    _refuse_arrays(images, "dense")
    everywhere = slid(network)
    found = []
    with Progress(len(images), quiet=quiet, unit="picture") as progress:
        for row in range(len(images)):
            scores = np.mean([everywhere(image) for image in scaled(images, row)], axis=0)
            found.append(scores / scores.sum())
            progress.at(row + 1, f"shown whole, in {len(SCALES)} sizes")
    return np.array(found)


def scaled(images: Fitted, row: int) -> Iterator[np.ndarray]:
    """A whole picture (height, width, channels) uint8 of each scale, as it is and mirrored."""
    height, width, channels = images.size
    largest = math.ceil(max(height, width) * max(SCALES))
    pictures: Any = images.images
    whole = pictures.open(row, largest).convert("L" if channels == 1 else "RGB")
    for scale in SCALES:
        by = scale * max(height / whole.height, width / whole.width)
        size = round(whole.width * by), round(whole.height * by)
        image = whole.resize(size, Image.Resampling.BILINEAR)
        for seen in (image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
            yield np.asarray(seen).reshape(*seen.size[::-1], channels)


def slid(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function from an image of any size to the maximum of each class over places (classes,).

    The last pooling is done once from each offset within its stride: 0, 1, 2 both ways in the
    accurate network. So the classifier takes steps as fine as the maps before that pooling.

    Raises:
        UsageError: a network that is not convolutions, poolings and a classifier in a row.
    """
    chain = network.layers[1:]
    pools = [i for i, layer in enumerate(chain) if isinstance(layer, layers.MaxPooling2D)]
    ending = [layer for layer in chain if isinstance(layer, _ENDINGS)]
    if not pools or len(ending) != 1 or chain.index(ending[0]) < pools[-1]:
        raise UsageError(f"{network.name} has no classifier behind a max pooling; try ten-crops")
    features, pool = chain[: pools[-1]], chain[pools[-1]]
    classifier = [_as_convolution(layer) for layer in chain[pools[-1] + 1 :]]
    offsets = [(y, x) for y in range(pool.strides[0]) for x in range(pool.strides[1])]
    window, stride = pool.pool_size[0], pool.strides[0]
    # Zeros behind the maps, if "same" adds some: before maps of other sizes it would add some too.
    behind = max(0, (pool.output.shape[1] - 1) * stride + window - pool.input.shape[1])
    signature = tf.TensorSpec((None, None, network.input_shape[-1]), tf.uint8)

    @tf.function(input_signature=[signature])
    def everywhere(image: tf.Tensor) -> tf.Tensor:
        maps = image[tf.newaxis]
        for layer in features:
            maps = layer(maps)
        best = []
        for y, x in offsets:
            rest = tf.pad(maps[:, y:, x:], [[0, 0], [0, behind], [0, behind], [0, 0]])
            scores = tf.nn.max_pool2d(rest, window, stride, "VALID")
            for layer in classifier:
                scores = layer(scores)
            best.append(tf.reduce_max(tf.nn.softmax(scores), (0, 1, 2)))
        return tf.reduce_max(best, 0)

    return lambda image: everywhere(tf.constant(image)).numpy()


_ENDINGS = (layers.Flatten, layers.GlobalAveragePooling2D)  # where maps end and a class begins


def _as_convolution(layer: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """A layer of the classifier for maps of any size: what was one answer becomes one a place."""
    if isinstance(layer, layers.Flatten):
        return lambda maps: maps
    if isinstance(layer, layers.GlobalAveragePooling2D):
        side = layer.input.shape[1:3]
        return lambda maps: tf.nn.avg_pool2d(maps, side, 1, "VALID")
    if isinstance(layer, layers.Dense):
        before = layer.input._keras_history.operation
        size = before.input.shape[1:] if isinstance(before, layers.Flatten) else (1, 1, -1)
        kernel = tf.reshape(layer.kernel, (*size, layer.units))
        return lambda maps: layer.activation(tf.nn.conv2d(maps, kernel, 1, "VALID") + layer.bias)
    return layer


def _refuse_arrays(images: Any, views: str) -> None:
    if not isinstance(images, Fitted) or not isinstance(images.images, Pictures):
        raise UsageError(f"--views {views} is for folders of pictures: these have no more to show")


VIEWS: dict[str, Views] = {"middle": middle, "ten-crops": ten_crops, "dense": dense}
