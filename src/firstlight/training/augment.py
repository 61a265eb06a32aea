"""Training images are augmented in the graph, a little differently each time they are seen.

    images (N, height, width, channels) uint8 → the same, warped, thickened or thinned, noised ...

This file has the augmentations of the kind "pixel"; images/augmentations.py lists all, with the
meaning of each and the unit of its strength. Each image gets a random part of the change, up to the
strength. All random numbers depend on the seed alone.

Elastic distortions are those of Simard, Steinkraus and Platt (2003), section 2, with a cubic
B-spline to smooth the random field.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

KNOTS = 7  # along each side of an image, for a smooth random field
SCRIBBLE_CORNERS = 9  # corners of a path, and its two ends
SEEDS_PER_STEP, SEEDS_PER_TRANSFORM = 1000, 10  # so that no two transforms share random numbers
UNCHANGED_NUMBER = 99  # it chooses the images that stay unchanged, as a Transform's number would
Strengths = Mapping[str, float]


class Seed(NamedTuple):
    """The seed of a batch's random numbers, and which of its images get theirs.

    Several workers share a batch. Each draws the numbers of the whole batch, and takes those of its
    own images: so an image is changed alike, whoever has it.
    """

    numbers: tf.Tensor  # (2,) int64
    first: tf.Tensor | int = 0  # the place of the first image in the batch
    batch: int = 0  # images in the batch; 0: these are all of them

    def plus(self, number: int) -> "Seed":
        """Return the seed of other random numbers."""
        return self._replace(numbers=self.numbers + number)


def uniform_numbers(
    shape: tuple[int, ...], seed: Seed, low: float = 0.0, high: float = 1.0, *, axis: int = 0
) -> tf.Tensor:
    """Return uniform random numbers; the images are along an axis of the shape."""
    numbers = tf.random.stateless_uniform(whole(shape, seed, axis), seed.numbers, low, high)
    return own(numbers, shape, seed, axis)


def normal_numbers(shape: tuple[int, ...], seed: Seed, stddev: float = 1.0) -> tf.Tensor:
    """Return normal random numbers with a mean of 0; the images are along the first axis."""
    numbers = tf.random.stateless_normal(whole(shape, seed, 0), seed.numbers, stddev=stddev)
    return own(numbers, shape, seed, 0)


def whole(shape: tuple[int, ...], seed: Seed, axis: int) -> tuple[int, ...]:
    """Return a shape for all images of the batch."""
    return (*shape[:axis], seed.batch or shape[axis], *shape[axis + 1 :])


def own(numbers: tf.Tensor, shape: tuple[int, ...], seed: Seed, axis: int) -> tf.Tensor:
    """Return the random numbers of these images."""
    if not seed.batch:
        return numbers
    begin = [seed.first if number == axis else 0 for number in range(len(shape))]
    return tf.slice(numbers, begin, shape)


def augmenter(
    strengths: Strengths, unchanged: float = 0.0
) -> Callable[[tf.Tensor, Seed], tf.Tensor]:
    """Return a function of images (N, height, width, channels) uint8 and a seed.

    It returns the augmented images, of the same shape and type; a random fraction of them,
    `unchanged`, as they were.
    """
    if not strengths:
        return lambda images, seed: images

    def augment(images: tf.Tensor, seed: Seed) -> tf.Tensor:
        x = tf.cast(images, tf.float32)
        for transform in TRANSFORMS:
            own_strengths = {name: strengths.get(name, 0.0) for name in transform.names}
            if any(own_strengths.values()):
                first = transform.number * SEEDS_PER_TRANSFORM
                numbers = seed.numbers * SEEDS_PER_STEP + first
                x = transform.apply(x, seed._replace(numbers=numbers), **own_strengths)
        x = tf.cast(tf.clip_by_value(tf.round(x), 0, 255), tf.uint8)
        if not unchanged:
            return x
        numbers = seed.numbers * SEEDS_PER_STEP + UNCHANGED_NUMBER * SEEDS_PER_TRANSFORM
        return apply_to_fraction(x, images, unchanged, seed._replace(numbers=numbers))

    return augment


def augmented(images: np.ndarray, strengths: Strengths) -> np.ndarray:
    """Return the images (N, height, width, channels) uint8, augmented once."""
    first_seed = Seed(tf.zeros(2, tf.int64))
    result: np.ndarray = augmenter(strengths)(tf.constant(images), first_seed).numpy()
    return result


def uniform(images: tf.Tensor, seed: Seed, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
    """Return a random number for each image, (N, 1, 1, 1)."""
    return uniform_numbers((images.shape[0], 1, 1, 1), seed, low, high)


def random_strength(images: tf.Tensor, strength: float, seed: Seed) -> tf.Tensor:
    """Return a random strength for each image, (N, 1, 1, 1): u³ of the strength, u uniform.

    79 % are below half of the strength, so an image that is hard in one way is seldom hard in all
    others too.
    """
    return strength * uniform(images, seed) ** 3


def apply_to_fraction(
    images: tf.Tensor, changed: tf.Tensor, fraction: float, seed: Seed
) -> tf.Tensor:
    """Return the images, a random fraction of them replaced by the changed ones."""
    return tf.where(uniform(images, seed) < fraction, changed, images)


def change_stroke(images: tf.Tensor, seed: Seed, *, stroke: float) -> tf.Tensor:
    """Make strokes, which are light, thicker or thinner."""
    thick, thin = dilated(images), -dilated(-images)
    amount = uniform(images, seed, -stroke, stroke)
    thicker = images + amount * (thick - images)
    thinner = images + amount * (images - thin)
    return tf.where(amount > 0, thicker, thinner)


def dilated(images: tf.Tensor) -> tf.Tensor:
    """Return the maximum of the 3×3 pixels around each pixel."""
    return tf.nn.max_pool2d(images, 3, 1, "SAME")


def blur_images(images: tf.Tensor, seed: Seed, *, blur: float) -> tf.Tensor:
    """Mix each pixel with the mean of five: across, then down, each with its own strength."""
    for number, window in enumerate(((1, 5), (5, 1))):
        mean = tf.nn.avg_pool2d(images, window, 1, "SAME")
        images += random_strength(images, blur, seed.plus(number)) * (mean - images)
    return images


def outline_strokes(images: tf.Tensor, seed: Seed, *, outline: float) -> tf.Tensor:
    """Keep only the pixels of the paper that touch ink: pixels lighter than a random level."""
    level = uniform(images, seed.plus(1), 0.15, 0.85)
    lightest = tf.reduce_max(images, (1, 2, 3), keepdims=True)
    ink = tf.where(images > level * lightest, 255.0, 0.0)
    across = tf.nn.max_pool2d(ink, (1, 3), 1, "SAME")
    down = tf.nn.max_pool2d(ink, (3, 1), 1, "SAME")
    return apply_to_fraction(images, tf.maximum(across, down) - ink, outline, seed)


@tf.function(jit_compile=True)
def draw_scribble(images: tf.Tensor, seed: Seed, *, scribble: float) -> tf.Tensor:
    """Draw a path over the images with a pen of random width and grey.

    The path is straight, crooked or zigzag: each turn is opposite to the one before, more or less.
    """
    count, height, width, _ = images.shape
    direction = uniform_numbers((count, 1), seed.plus(1), 0, 2 * np.pi)
    turn = uniform_numbers((count, 1), seed.plus(2), 0, 1.3)  # radians
    bend = normal_numbers((count, SCRIBBLE_CORNERS), seed.plus(3), stddev=0.2)
    angle = direction + turn * (-1.0) ** np.arange(SCRIBBLE_CORNERS) + bend
    step = uniform_numbers((count, 1, 1), seed.plus(4), 0.08, 0.25) * width
    path = tf.cumsum(step * tf.stack([tf.sin(angle), tf.cos(angle)], -1), 1)
    middle = uniform_numbers((count, 1, 2), seed.plus(5)) * (height, width)
    path += middle - path[:, SCRIBBLE_CORNERS // 2, tf.newaxis]
    pen_radius = uniform(images, seed.plus(6), 0.4, 2.0)
    inside_pen = pen_radius - distance_to_path(path, height, width)
    # Half of the pens are white: what would be lighter than white is white.
    grey = 255 * tf.minimum(1.0, uniform(images, seed.plus(7), 0.0, 2.0))
    drawn = images + tf.clip_by_value(inside_pen + 0.5, 0, 1) * (grey - images)
    return apply_to_fraction(images, drawn, scribble, seed)


def distance_to_path(path: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return each pixel's distance to a path of straight lines.

    path (N, corners, 2), y and x → (N, height, width, 1), in pixels
    """
    grid = np.mgrid[:height, :width].astype(np.float32)
    pixel = np.moveaxis(grid, 0, -1)[:, :, np.newaxis]  # (height, width, 1, 2)
    corners = path[:, np.newaxis, np.newaxis]  # (N, 1, 1, corners, 2)
    start = corners[..., :-1, :]
    line = corners[..., 1:, :] - start
    along = tf.reduce_sum((pixel - start) * line, -1) / tf.reduce_sum(line**2, -1)
    nearest = start + tf.clip_by_value(along, 0, 1)[..., tf.newaxis] * line
    return tf.reduce_min(tf.norm(pixel - nearest, axis=-1), -1, keepdims=True)


def add_light(images: tf.Tensor, seed: Seed, *, light: float) -> tf.Tensor:
    """Add uneven light, as fog and shadows do. The image below it loses contrast."""
    count, height, width, _ = images.shape
    knots = uniform_numbers((count, KNOTS, KNOTS, 1), seed)
    field = smooth_field(knots, height, width)
    strength = random_strength(images, light, seed.plus(1))
    return (images + strength * 255 * field) / (1 + strength)


def brighten(images: tf.Tensor, seed: Seed, *, bright: float) -> tf.Tensor:
    """Add the same grey value to all pixels of an image."""
    return images + random_strength(images, bright, seed)


def change_colour(images: tf.Tensor, seed: Seed, *, colour: float) -> tf.Tensor:
    """Vary brightness, contrast and saturation, as another light and another camera do."""
    shape = (3, images.shape[0], 1, 1, 1)
    factors = uniform_numbers(shape, seed, 1 - colour, 1 + colour, axis=1)
    brightness, contrast, saturation = factors[0], factors[1], factors[2]
    mean = tf.reduce_mean(images, (1, 2, 3), keepdims=True)
    images = brightness * (mean + contrast * (images - mean))
    grey = tf.reduce_mean(images, 3, keepdims=True)
    return grey + saturation * (images - grey)


def add_noise(images: tf.Tensor, seed: Seed, *, noise: float) -> tf.Tensor:
    """Add normal noise to each pixel."""
    normal = normal_numbers(images.shape, seed.plus(1))
    return images + random_strength(images, noise, seed) * normal


def add_specks(images: tf.Tensor, seed: Seed, *, specks: float) -> tf.Tensor:
    """Make a random fraction of the pixels black or white, half of them each."""
    fraction = random_strength(images, specks, seed)
    chance = uniform_numbers(images.shape, seed.plus(1))
    with_white = tf.where(chance < fraction, 255.0, images)
    return tf.where(chance < fraction / 2, 0.0, with_white)


def invert_band(images: tf.Tensor, seed: Seed, *, invert: float) -> tf.Tensor:
    """Make a negative of a random band of columns or rows, or of all but the band."""
    count, height, width, _ = images.shape
    edges = uniform_numbers((2, count, 1, 1, 1), seed.plus(1), -0.2, 1.2, axis=1)
    coins = uniform_numbers((2, count, 1, 1, 1), seed.plus(2), axis=1) < 0.5
    of_columns, inside = coins[0], coins[1]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, np.newaxis, np.newaxis]
    x = np.linspace(0, 1, width, dtype=np.float32)[:, np.newaxis]
    position = tf.where(of_columns, x, y)
    in_band = (position > tf.reduce_min(edges, 0)) & (position < tf.reduce_max(edges, 0))
    inverted = tf.where(in_band == inside, 255 - images, images)
    return apply_to_fraction(images, inverted, invert, seed)


@tf.function(jit_compile=True)  # about a hundred small operations on coordinates, fused into one
def warp(images: tf.Tensor, seed: Seed, *, elastic: float, **affine: float) -> tf.Tensor:
    """Resample each image through a random affine map and a random smooth field."""
    count, height, width, _ = images.shape
    x, y = affine_coordinates(count, height, width, seed, **affine)
    if elastic:
        knots = normal_numbers((count, KNOTS, KNOTS, 2), seed.plus(1))
        field = smooth_field(elastic * knots, height, width)
        x, y = x + field[..., 0], y + field[..., 1]
    return bilinear_sample(images, x, y)


def affine_coordinates(
    count: int,
    height: int,
    width: int,
    seed: Seed,
    *,
    rotate: float,
    scale: float,
    shear: float,
    shift: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where each pixel of each image comes from: x and y, both (N, height, width)."""
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y, x = tf.meshgrid(
        tf.range(height, dtype=tf.float32) - middle_y,
        tf.range(width, dtype=tf.float32) - middle_x,
        indexing="ij",
    )
    random = uniform_numbers((6, count, 1, 1), seed, -1, 1, axis=1)
    angle, slant = random[0] * rotate * np.pi / 180, random[3] * shear
    scale_x, scale_y = 1 + random[1] * scale, 1 + random[2] * scale
    cos, sin = tf.cos(angle), tf.sin(angle)
    from_x = scale_x * (cos * x + (cos * slant - sin) * y) + random[4] * shift + middle_x
    from_y = scale_y * (sin * x + (sin * slant + cos) * y) + random[5] * shift + middle_y
    return from_x, from_y


def smooth_field(knots: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return a smooth field (N, height, width, channels) near the values of a few knots.

    knots (N, rows, columns, channels), spread evenly over the field
    """
    rows = spline_weights(height, knots.shape[1])
    columns = spline_weights(width, knots.shape[2])
    return tf.einsum("yj,xk,njkc->nyxc", rows, columns, knots)


def spline_weights(length: int, knots: int) -> np.ndarray:
    """Return the weights (length, knots) of a cubic B-spline; the row of a pixel adds up to 1."""
    position = np.linspace(0.5, knots - 1.5, length)
    distance = np.abs(position[:, np.newaxis] - np.arange(knots))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance).clip(0) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    rows: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


def bilinear_sample(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the images' values at x and y (N, height, width), interpolated between four pixels.

    Values beyond the edge are 0.
    """
    count, height, width, channels = images.shape
    x, y = tf.clip_by_value(x, -1, width) + 1, tf.clip_by_value(y, -1, height) + 1
    left, top = tf.floor(x), tf.floor(y)
    right_weight, lower_weight = (x - left)[..., tf.newaxis], (y - top)[..., tf.newaxis]
    row_length = width + 3  # one pixel of 0 at the left, two at the right
    padded = tf.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)))
    pixels = tf.reshape(padded, (count, -1, channels))
    corner = tf.cast(top * row_length + left, tf.int32)

    def at(offset: int) -> tf.Tensor:
        return tf.gather(pixels, corner + offset, batch_dims=1)

    upper = at(0) * (1 - right_weight) + at(1) * right_weight
    lower = at(row_length) * (1 - right_weight) + at(row_length + 1) * right_weight
    return upper * (1 - lower_weight) + lower * lower_weight


class Transform(NamedTuple):
    """A change of images (N, height, width, channels) float32, by one or more augmentations.

    number: chooses its random numbers. A new transform takes a new number, so that recipes without
        it train on the same images as before.
    apply: is called as apply(images, seed, NAME=strength, …), and uses the seeds from `seed` to
        `seed` + SEEDS_PER_TRANSFORM - 1.
    """

    number: int
    names: tuple[str, ...]
    apply: Callable[..., tf.Tensor]


# They are applied in this order. Values may leave 0 to 255 in between.
TRANSFORMS = (
    Transform(0, ("stroke",), change_stroke),
    Transform(1, ("blur",), blur_images),
    Transform(2, ("rotate", "scale", "shear", "shift", "elastic"), warp),
    Transform(3, ("outline",), outline_strokes),
    Transform(4, ("scribble",), draw_scribble),
    Transform(5, ("light",), add_light),
    Transform(6, ("bright",), brighten),
    Transform(7, ("colour",), change_colour),
    Transform(8, ("noise",), add_noise),
    Transform(9, ("specks",), add_specks),
    Transform(10, ("invert",), invert_band),
)
