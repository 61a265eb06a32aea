"""Training images a little different each time they are seen, made in the graph.

    images (N, height, width, channels) uint8 → the same, warped, thickened or thinned, noised

What a recipe names is done, with the strength that it gives; what it does not name is not:

    rotate    degrees, either way        shift    pixels, either way
    scale     share, larger or smaller   elastic  pixels: the deviation of a smooth random field
    shear     share, either way          stroke   share of the way to one pixel thicker or thinner
                                         noise    grey values: the deviation of each pixel

Elastic distortions are those of Simard, Steinkraus and Platt (2003), section 2, with a cubic
B-spline to smooth the random field. All that is random depends on the seed given and nothing else.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

STRENGTHS = ("rotate", "scale", "shear", "shift", "elastic", "stroke", "noise")
WARPS = STRENGTHS[:5]
KNOTS = 7  # of the elastic field, along each side of an image


def augmenter(strengths: Mapping[str, float]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function of images (N, height, width, channels) uint8 and a seed (2,) int32."""
    strength = dict.fromkeys(STRENGTHS, 0.0) | dict(strengths)

    def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        x = tf.cast(images, tf.float32)
        if any(strength[name] for name in WARPS):
            x = warp(x, strength, seed)
        if strength["stroke"]:
            x = stroke(x, strength["stroke"], seed + 2)
        if strength["noise"]:
            x += tf.random.stateless_normal(tf.shape(x), seed + 3, stddev=strength["noise"])
        return tf.cast(tf.clip_by_value(tf.round(x), 0, 255), tf.uint8)

    return augment if strengths else lambda images, seed: images


def example(images: np.ndarray, strengths: Mapping[str, float]) -> np.ndarray:
    """The images (N, height, width, channels) uint8, varied once."""
    varied: np.ndarray = augmenter(strengths)(tf.constant(images), tf.zeros(2, tf.int64)).numpy()
    return varied


@tf.function(jit_compile=True)  # a hundred small operations on each pixel's place, fused into one
def warp(images: tf.Tensor, strength: Mapping[str, float], seed: tf.Tensor) -> tf.Tensor:
    """Each image seen through a random affine map and a random smooth field."""
    count, height, width, _ = images.shape
    x, y = affine(count, height, width, strength, seed)
    if strength["elastic"]:
        knots = tf.random.stateless_normal((count, KNOTS, KNOTS, 2), seed + 1)
        rows, columns = spline(height, KNOTS), spline(width, KNOTS)
        field = tf.einsum("yj,xk,njkc->nyxc", rows, columns, strength["elastic"] * knots)
        x, y = x + field[..., 0], y + field[..., 1]
    return sample(images, x, y)


def affine(
    count: int, height: int, width: int, strength: Mapping[str, float], seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where each pixel of each image comes from: x and y, both (N, height, width)."""
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y, x = tf.meshgrid(
        tf.range(height, dtype=tf.float32) - middle_y,
        tf.range(width, dtype=tf.float32) - middle_x,
        indexing="ij",
    )
    random = tf.random.stateless_uniform((6, count, 1, 1), seed, -1, 1)
    angle = random[0] * strength["rotate"] * np.pi / 180
    scale_x, scale_y = 1 + random[1] * strength["scale"], 1 + random[2] * strength["scale"]
    cos, sin, shear = tf.cos(angle), tf.sin(angle), random[3] * strength["shear"]
    shift_x, shift_y = random[4] * strength["shift"], random[5] * strength["shift"]
    from_x = scale_x * (cos * x + (cos * shear - sin) * y) + shift_x + middle_x
    from_y = scale_y * (sin * x + (sin * shear + cos) * y) + shift_y + middle_y
    return from_x, from_y


def spline(length: int, knots: int) -> np.ndarray:
    """Weights (length, knots) of a cubic B-spline: a row a pixel, adding up to 1."""
    places = np.linspace(0.5, knots - 1.5, length)
    distance = np.abs(places[:, np.newaxis] - np.arange(knots))
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clip(0) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    rows: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


def sample(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """The images' values at x and y (N, height, width), between four pixels; 0 beyond the edge."""
    count, height, width, channels = images.shape
    x, y = tf.clip_by_value(x, -1, width) + 1, tf.clip_by_value(y, -1, height) + 1
    left, top = tf.floor(x), tf.floor(y)
    right_share, low_share = (x - left)[..., tf.newaxis], (y - top)[..., tf.newaxis]
    stride = width + 3  # a pixel of 0 at the left, two at the right
    padded = tf.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)))
    pixels = tf.reshape(padded, (count, -1, channels))
    corner = tf.cast(top * stride + left, tf.int32)

    def at(offset: int) -> tf.Tensor:
        return tf.gather(pixels, corner + offset, batch_dims=1)

    upper = at(0) * (1 - right_share) + at(1) * right_share
    lower = at(stride) * (1 - right_share) + at(stride + 1) * right_share
    return upper * (1 - low_share) + lower * low_share


def stroke(images: tf.Tensor, strength: float, seed: tf.Tensor) -> tf.Tensor:
    """Ink, which is light, thicker or thinner by up to `strength` of a pixel all around."""
    thick = tf.nn.max_pool2d(images, 3, 1, "SAME")
    thin = -tf.nn.max_pool2d(-images, 3, 1, "SAME")
    share = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed, -strength, strength)
    return tf.where(share > 0, images + share * (thick - images), images + share * (images - thin))
