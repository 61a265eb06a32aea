"""Training images a little different each time they are seen, made in the graph.

    images (N, height, width, channels) uint8 → the same, warped, thickened or thinned, noised

What a recipe names is done, with the strength that it gives; what it does not name is not. (What is
cut out of a picture has been chosen before, in datasets/fitted.py.) Each image gets its own share
of it, up to the strength:

    stroke    share of the way to one pixel thicker or thinner
    blur      share of the way to a mean over five pixels, across, down, or both
    rotate    degrees, either way
    scale     share, larger or smaller
    shear     share, either way
    shift     pixels, either way
    elastic   pixels: the deviation of random knots; of the smooth field over them it is half
    outline   share of the images of which only the edges of the strokes are left
    scribble  share of the images that a pen of some width and grey has gone over
    light     how many times as strong as the image a smooth random light over it is
    bright    grey values, added everywhere
    colour    share: how much brightness, contrast and colourfulness may differ, either way
    noise     grey values: the deviation of each pixel
    specks    share of the pixels that are black or white instead
    invert    share of the images of which a band, or all but a band, is a negative

Elastic distortions are those of Simard, Steinkraus and Platt (2003), section 2, with a cubic
B-spline to smooth the random field. All that is random depends on the seed given and nothing else.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

KNOTS = 7  # of a smooth random field, along each side of an image
CORNERS = 9  # of a scribble, its two ends among them
Strengths = Mapping[str, float]


def augmenter(strengths: Strengths) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function of images (N, height, width, channels) uint8 and a seed (2,) int64."""

    def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        x = tf.cast(images, tf.float32)
        for number, (names, change) in enumerate(CHANGES):
            chosen = {name: strengths.get(name, 0.0) for name in names}
            if any(chosen.values()):
                # Each change its own numbers: seeds of one step are 1,000 apart from the next's.
                x = change(x, seed * 1000 + number * 10, **chosen)
        return tf.cast(tf.clip_by_value(tf.round(x), 0, 255), tf.uint8)

    return augment if strengths else lambda images, seed: images


def example(images: np.ndarray, strengths: Mapping[str, float]) -> np.ndarray:
    """The images (N, height, width, channels) uint8, varied once."""
    varied: np.ndarray = augmenter(strengths)(tf.constant(images), tf.zeros(2, tf.int64)).numpy()
    return varied


def share(images: tf.Tensor, strength: float, seed: tf.Tensor) -> tf.Tensor:
    """A number for each image (N, 1, 1, 1) up to the strength: four of five are below its half.

    So an image that is hard in one way is seldom hard in all others too.
    """
    return strength * tf.random.stateless_uniform((images.shape[0], 1, 1, 1), seed) ** 3


def stroke(images: tf.Tensor, seed: tf.Tensor, stroke: float) -> tf.Tensor:
    """Ink, which is light, thicker or thinner."""
    thick, thin = grown(images), -grown(-images)
    part = tf.random.stateless_uniform((images.shape[0], 1, 1, 1), seed, -stroke, stroke)
    return tf.where(part > 0, images + part * (thick - images), images + part * (images - thin))


def grown(images: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(images, 3, 1, "SAME")


def blur(images: tf.Tensor, seed: tf.Tensor, blur: float) -> tf.Tensor:
    """Across by one random part, then down by another."""
    for number, window in enumerate(((1, 5), (5, 1))):
        mean = tf.nn.avg_pool2d(images, window, 1, "SAME")
        images += share(images, blur, seed + number) * (mean - images)
    return images


def some(images: tf.Tensor, changed: tf.Tensor, part: float, seed: tf.Tensor) -> tf.Tensor:
    """The images, a random part of them changed."""
    chance = tf.random.stateless_uniform((images.shape[0], 1, 1, 1), seed)
    return tf.where(chance < part, changed, images)


def outline(images: tf.Tensor, seed: tf.Tensor, outline: float) -> tf.Tensor:
    """The pixels of the paper that touch ink: what is ink, a random level says."""
    level = tf.random.stateless_uniform((images.shape[0], 1, 1, 1), seed + 1, 0.15, 0.85)
    ink = tf.where(images > level * tf.reduce_max(images, (1, 2, 3), keepdims=True), 255.0, 0.0)
    sides = (tf.nn.max_pool2d(ink, window, 1, "SAME") for window in ((1, 3), (3, 1)))
    return some(images, tf.maximum(*sides) - ink, outline, seed)


@tf.function(jit_compile=True)
def scribble(images: tf.Tensor, seed: tf.Tensor, scribble: float) -> tf.Tensor:
    """Straight, crooked or zigzag: each turn is one way and the next the other, more or less."""
    count, height, width, _ = images.shape
    one = (count, 1, 1, 1)
    aim = tf.random.stateless_uniform((count, 1), seed + 1, 0, 2 * np.pi)
    turn = tf.random.stateless_uniform((count, 1), seed + 2, 0, 1.3)  # radians
    bend = tf.random.stateless_normal((count, CORNERS), seed + 3, stddev=0.2)
    angle = aim + turn * (-1.0) ** np.arange(CORNERS) + bend
    step = tf.random.stateless_uniform((count, 1, 1), seed + 4, 0.08, 0.25) * width
    path = tf.cumsum(step * tf.stack([tf.sin(angle), tf.cos(angle)], -1), 1)
    middle = tf.random.stateless_uniform((count, 1, 2), seed + 5) * (height, width)
    path += middle - path[:, CORNERS // 2, tf.newaxis]
    pen = tf.random.stateless_uniform(one, seed + 6, 0.4, 2) - distance(path, height, width)
    grey = 255 * tf.minimum(1.0, tf.random.stateless_uniform(one, seed + 7, 0, 2))  # white: half
    drawn = images + tf.clip_by_value(pen + 0.5, 0, 1) * (grey - images)
    return some(images, drawn, scribble, seed)


def distance(path: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """From each pixel to the path of straight lines (N, corners, 2): (N, height, width, 1)."""
    pixel = np.moveaxis(np.mgrid[:height, :width].astype(np.float32), 0, -1)[:, :, np.newaxis]
    corners = path[:, np.newaxis, np.newaxis]
    start, along = corners[..., :-1, :], corners[..., 1:, :] - corners[..., :-1, :]
    part = tf.reduce_sum((pixel - start) * along, -1) / tf.reduce_sum(along**2, -1)
    nearest = start + tf.clip_by_value(part, 0, 1)[..., tf.newaxis] * along
    return tf.reduce_min(tf.norm(pixel - nearest, axis=-1), -1, keepdims=True)


def light(images: tf.Tensor, seed: tf.Tensor, light: float) -> tf.Tensor:
    """Uneven light over everything, as fog and shadows are, and less contrast below it."""
    count, height, width, _ = images.shape
    field = smooth(tf.random.stateless_uniform((count, KNOTS, KNOTS, 1), seed), height, width)
    strength = share(images, light, seed + 1)
    return (images + strength * 255 * field) / (1 + strength)


def bright(images: tf.Tensor, seed: tf.Tensor, bright: float) -> tf.Tensor:
    return images + share(images, bright, seed)


def colour(images: tf.Tensor, seed: tf.Tensor, colour: float) -> tf.Tensor:
    """Another light, another camera: all values, their distance to the mean, and to grey scaled."""
    by = tf.random.stateless_uniform((3, images.shape[0], 1, 1, 1), seed, 1 - colour, 1 + colour)
    mean = tf.reduce_mean(images, (1, 2, 3), keepdims=True)
    images = by[0] * (mean + by[1] * (images - mean))
    grey = tf.reduce_mean(images, 3, keepdims=True)
    return grey + by[2] * (images - grey)


def noise(images: tf.Tensor, seed: tf.Tensor, noise: float) -> tf.Tensor:
    return images + share(images, noise, seed) * tf.random.stateless_normal(images.shape, seed + 1)


def specks(images: tf.Tensor, seed: tf.Tensor, specks: float) -> tf.Tensor:
    part, where = share(images, specks, seed), tf.random.stateless_uniform(images.shape, seed + 1)
    return tf.where(where < part / 2, 0.0, tf.where(where < part, 255.0, images))


def invert(images: tf.Tensor, seed: tf.Tensor, invert: float) -> tf.Tensor:
    """A band from one random place to another, of columns or of rows."""
    count, height, width, _ = images.shape
    edges = tf.random.stateless_uniform((2, count, 1, 1, 1), seed + 1, -0.2, 1.2)
    which = tf.random.stateless_uniform((2, count, 1, 1, 1), seed + 2) < 0.5
    y, x = (np.linspace(0, 1, side, dtype=np.float32) for side in (height, width))
    at = tf.where(which[0], x[:, np.newaxis], y[:, np.newaxis, np.newaxis])
    within = (at > tf.reduce_min(edges, 0)) & (at < tf.reduce_max(edges, 0))
    return some(images, tf.where(within == which[1], 255 - images, images), invert, seed)


@tf.function(jit_compile=True)  # a hundred small operations on each pixel's place, fused into one
def warp(images: tf.Tensor, seed: tf.Tensor, elastic: float, **strengths: float) -> tf.Tensor:
    """Each image seen through a random affine map and a random smooth field."""
    count, height, width, _ = images.shape
    x, y = affine(count, height, width, seed, **strengths)
    if elastic:
        knots = tf.random.stateless_normal((count, KNOTS, KNOTS, 2), seed + 1)
        field = smooth(elastic * knots, height, width)
        x, y = x + field[..., 0], y + field[..., 1]
    return sample(images, x, y)


def affine(
    count: int,
    height: int,
    width: int,
    seed: tf.Tensor,
    rotate: float,
    scale: float,
    shear: float,
    shift: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where each pixel of each image comes from: x and y, both (N, height, width)."""
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y, x = tf.meshgrid(
        tf.range(height, dtype=tf.float32) - middle_y,
        tf.range(width, dtype=tf.float32) - middle_x,
        indexing="ij",
    )
    random = tf.random.stateless_uniform((6, count, 1, 1), seed, -1, 1)
    angle, slant = random[0] * rotate * np.pi / 180, random[3] * shear
    scale_x, scale_y = 1 + random[1] * scale, 1 + random[2] * scale
    cos, sin = tf.cos(angle), tf.sin(angle)
    from_x = scale_x * (cos * x + (cos * slant - sin) * y) + random[4] * shift + middle_x
    from_y = scale_y * (sin * x + (sin * slant + cos) * y) + random[5] * shift + middle_y
    return from_x, from_y


def smooth(knots: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """A smooth field (N, height, width, channels) near the values of a few knots."""
    rows, columns = spline(height, knots.shape[1]), spline(width, knots.shape[2])
    return tf.einsum("yj,xk,njkc->nyxc", rows, columns, knots)


def spline(length: int, knots: int) -> np.ndarray:
    """Weights (length, knots) of a cubic B-spline: a row a pixel, adding up to 1."""
    at = np.linspace(0.5, knots - 1.5, length)
    away = np.abs(at[:, np.newaxis] - np.arange(knots))
    near, far = 2 / 3 - away**2 + away**3 / 2, (2 - away).clip(0) ** 3 / 6
    weights = np.where(away < 1, near, far)
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


CHANGES: tuple[tuple[tuple[str, ...], Callable[..., tf.Tensor]], ...] = (  # in this order
    (("stroke",), stroke),
    (("blur",), blur),
    (("rotate", "scale", "shear", "shift", "elastic"), warp),
    (("outline",), outline),
    (("scribble",), scribble),
    (("light",), light),
    (("bright",), bright),
    (("colour",), colour),
    (("noise",), noise),
    (("specks",), specks),
    (("invert",), invert),
)
