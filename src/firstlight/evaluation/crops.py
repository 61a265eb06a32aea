"""Which crops of each picture a network classifies in an evaluation; the results are averaged.

middle      one crop: the middle, 7/8 of the shortest side
ten-crops   corners and middle, each also mirrored: probabilities averaged (ZFNet, section 3)
dense       OverFeat (arXiv 1312.6229, section 3.3 and figure 3): the whole picture at six scales,
            each also mirrored; the classifier slides over all positions of the last feature maps

whole picture ── convolutions ── maps ── pooled at each offset ── classifier, sliding
    for each scale and mirror: the maximum over offsets and positions; the result is their mean
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from PIL import Image

from firstlight.datasets import Images
from firstlight.errors import UsageError
from firstlight.images.crops import CROP_FRACTION, TEN_CROPS, crop_and_resize
from firstlight.model import predictor
from firstlight.probabilities import softmax
from firstlight.progress import Progress

# The shortest sides of the paper's six scales (table 5), divided by the accurate network's input.
SCALES = tuple(side / 221 for side in (245, 281, 317, 389, 425, 461))

_ENDINGS = (layers.Flatten, layers.GlobalAveragePooling2D)  # where maps end and classes begin

# A network and images (N, *INPUT) uint8 → probabilities (N, classes); True: show no progress.
PredictWithCrops = Callable[[keras.Model, Images, bool], np.ndarray]


def middle(network: keras.Model, images: Images, quiet: bool = True) -> np.ndarray:
    """Return the probabilities (N, classes) of each image, or of the middle of each picture."""
    return softmax(predictor(network, quiet)(images))


def ten_crops(network: keras.Model, images: Images, quiet: bool = True) -> np.ndarray:
    """Return probabilities (N, classes): the mean over ten crops of each picture."""
    _refuse_arrays(images, "ten-crops")
    logits = predictor(network)
    shortest = math.ceil(max(images.size[:2]) / CROP_FRACTION)
    means = []
    with Progress(len(images), quiet=quiet, unit="picture") as progress:
        for row in range(len(images)):
            picture = images.picture(row, shortest)
            crops = np.array([crop_and_resize(picture, crop, images.size) for crop in TEN_CROPS])
            means.append(softmax(logits(crops)).mean(axis=0))
            progress.at(row + 1, "predicted, ten crops each")
    return np.array(means)


def dense(network: keras.Model, images: Images, quiet: bool = True) -> np.ndarray:
    """Return probabilities (N, classes): OverFeat's dense evaluation, scaled to add up to 1."""
    _refuse_arrays(images, "dense")
    scores_of = dense_scores(network)
    answers = []
    with Progress(len(images), quiet=quiet, unit="picture") as progress:
        for row in range(len(images)):
            scores = np.mean([scores_of(image) for image in scaled_pictures(images, row)], axis=0)
            answers.append(scores / scores.sum())
            progress.at(row + 1, f"predicted, whole pictures at {len(SCALES)} scales")
    return np.array(answers)


def scaled_pictures(images: Images, row: int) -> Iterator[np.ndarray]:
    """Yield a whole picture (height, width, channels) uint8 at each scale, plain and mirrored."""
    height, width, channels = images.size
    shortest = math.ceil(max(height, width) * max(SCALES))
    whole = images.picture(row, shortest).convert("L" if channels == 1 else "RGB")
    for scale in SCALES:
        factor = scale * max(height / whole.height, width / whole.width)
        size = round(whole.width * factor), round(whole.height * factor)
        image = whole.resize(size, Image.Resampling.BILINEAR)
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for picture in (image, mirrored):
            yield np.asarray(picture).reshape(picture.height, picture.width, channels)


def dense_scores(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function: an image of any size → each class's maximum over positions (classes,).

    The last pooling is done once at each offset within its stride: 0, 1, 2 in both directions in
    the accurate network. So the classifier's steps are as fine as the maps before that pooling.

    Raises:
        UsageError: the network is not a chain of convolutions, poolings and a classifier.
    """
    features, pool, classifier = _split_at_last_pool(network)
    offsets = [(y, x) for y in range(pool.strides[0]) for x in range(pool.strides[1])]
    window, stride = pool.pool_size[0], pool.strides[0]
    # The zeros that padding "same" adds behind the maps at the network's own input size. At other
    # sizes Keras would add another number of them.
    behind = max(0, (pool.output.shape[1] - 1) * stride + window - pool.input.shape[1])
    image_spec = tf.TensorSpec((None, None, network.input_shape[-1]), tf.uint8)

    @tf.function(input_signature=[image_spec])
    def scores(image: tf.Tensor) -> tf.Tensor:
        maps = image[tf.newaxis]
        for layer in features:
            maps = layer(maps)
        best = []
        for y, x in offsets:
            shifted = tf.pad(maps[:, y:, x:], [[0, 0], [0, behind], [0, behind], [0, 0]])
            values = tf.nn.max_pool2d(shifted, window, stride, "VALID")
            for layer in classifier:
                values = layer(values)
            best.append(tf.reduce_max(tf.nn.softmax(values), (0, 1, 2)))
        return tf.reduce_max(best, 0)

    return lambda image: scores(tf.constant(image)).numpy()


def _split_at_last_pool(network: keras.Model) -> tuple[list[Any], Any, list[Any]]:
    """Return the layers before the last max pooling, that pooling, and the sliding classifier."""
    chain = network.layers[1:]
    for previous, layer in pairwise(network.layers):
        if layer.input is not previous.output:
            raise UsageError(f"{network.name} branches at {layer.name}; try ten-crops")
    pools = [i for i, layer in enumerate(chain) if isinstance(layer, layers.MaxPooling2D)]
    endings = [i for i, layer in enumerate(chain) if isinstance(layer, _ENDINGS)]
    if not pools or len(endings) != 1 or endings[0] < pools[-1]:
        raise UsageError(f"{network.name} has no classifier after a max pooling; try ten-crops")
    last = pools[-1]
    return chain[:last], chain[last], [_as_convolution(layer) for layer in chain[last + 1 :]]


def _as_convolution(layer: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a classifier's layer as one for maps of any size: it answers at each position."""
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


def _refuse_arrays(images: Images, crops: str) -> None:
    if not images.are_crops:
        raise UsageError(f"--views {crops} is for folders of pictures; these images have no crops")


PREDICT_WITH_CROPS: dict[str, PredictWithCrops] = {
    "middle": middle,
    "ten-crops": ten_crops,
    "dense": dense,
}
