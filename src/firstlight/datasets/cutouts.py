"""MNIST, and images that a reader cuts out of pictures: more digits, and images without a digit.

MNIST's digits are enlarged and written side by side, so that many touch, and cut apart wherever
they could be (see _cut_candidates.py). A cut-out is a digit if it holds most of one and little of
another. If it holds two digits, or less than half of one, it is "none", as are letters, signs,
pieces of lines and grain. The images are normalised as the reader does it, so that the network is
trained on what it will see in use, as LeCun and others (1998, section V) trained on their reader's
segments.

The lines of writing depend on the split's own MNIST images and a seed. Nothing of the test images,
not even a stroke, is in the training images.
"""

import string
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from firstlight.datasets import Examples, array_examples, mnist
from firstlight.datasets._cut_candidates import digit_candidates, line_height, split_line
from firstlight.reading import components
from firstlight.reading.blobs import Blob, trim
from firstlight.reading.locate import large_components
from firstlight.reading.normalize import normalize

CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "none")
NONE_LABEL = len(CLASSES) - 1
SHA256 = mnist.SHA256
LINES_PER_SPLIT = {"train": 6000, "val": 600, "test": 1200}
DIGITS_PER_LINE = 4
KEPT_NONE = 0.3  # fraction of the "none" cut-outs that is kept; otherwise they would be most

# Fractions of ink that decide what a cut-out is; between them even a person would hesitate.
MIN_DIGIT, MAX_NOT_DIGIT = 0.9, 0.5  # fraction of a digit's own ink in the cut-out
MAX_FOREIGN, MIN_MIXED = 0.15, 0.4  # fraction of the cut-out's ink that is other digits'

LIKE_DIGITS = set("BDGILOQSTZbgijloqstyzc")
LETTERS = sorted(set(string.ascii_letters) - LIKE_DIGITS) + list("#%&*+=?@€£$/\\")
CANVAS = (120, 120)  # pixels, for letters and dashes

Floats = NDArray[np.float32]
Image28 = NDArray[np.uint8]  # (28, 28, 1)


class WrittenLine(NamedTuple):
    """A line of writing: all its ink, and the ink of each digit alone."""

    ink: Floats  # (h, w), 0..1
    digits: Floats  # (n, h, w)
    labels: NDArray[np.int32]  # (n,)


def load(split: str) -> Examples:
    """Return images (N, 28, 28, 1) uint8, light on dark, and labels (N,), 0 to 9 and 10 for none.

    The order is: all of MNIST's split as it is, cut-outs of lines of writing, letters, dashes, and
    grain.

    Raises:
        DataError: a file of MNIST is missing, or differs from the published one.
    """
    digits = mnist.load(split)
    lines = LINES_PER_SPLIT[split]
    random = np.random.default_rng([lines, DIGITS_PER_LINE])
    made: list[tuple[Image28, int]] = []
    for _ in range(lines):
        made += cut_outs(write_line(digits, random), random)
    for draw in (draw_letter, draw_dashes, draw_grain):
        made += [(draw(random), NONE_LABEL) for _ in range(lines // 4)]
    images, labels = zip(*made, strict=True)
    return array_examples(
        np.concatenate([digits.images[:], np.array(images, np.uint8)]),
        np.concatenate([digits.labels, np.array(labels, np.int32)]),
    )


def write_line(digits: Examples, random: np.random.Generator) -> WrittenLine:
    """Write some digits side by side, 15 to 80 pixels high; half of the neighbours touch."""
    rows = random.integers(len(digits.labels), size=DIGITS_PER_LINE)
    height = 75 / 4 ** random.random()
    inks = [enlarge(digits.images[row], height * random.uniform(0.8, 1.1)) for row in rows]
    positions, right = [], 5.0
    for ink in inks:
        positions.append((int(right), int(random.uniform(5, 5 + 0.3 * height))))
        right = max(0, right + ink.shape[1] + height * random.uniform(-0.25, 0.15))
    placed = list(zip(positions, inks, strict=True))
    total_width = max(x + ink.shape[1] for (x, _), ink in placed) + 5
    total_height = max(y + ink.shape[0] for (_, y), ink in placed) + 5
    layers = np.zeros((DIGITS_PER_LINE, total_height, total_width), np.float32)
    for layer, ((x, y), ink) in zip(layers, placed, strict=True):
        layer[y : y + ink.shape[0], x : x + ink.shape[1]] = ink
    return WrittenLine(ink=layers.max(0), digits=layers, labels=digits.labels[rows])


def enlarge(image: Image28, height: float) -> Floats:
    """Return a digit's ink, trimmed: 20 rows of the image become `height`, edges stay sharp."""
    side = round(height * 28 / 20)
    large = Image.fromarray(image[..., 0]).resize((side, side), Image.Resampling.BICUBIC)
    smooth = np.asarray(large.filter(ImageFilter.GaussianBlur(height / 40)), np.float32) / 255
    sharpened = ((smooth / max(float(smooth.max()), 0.1) - 0.5) * 5 + 0.5).clip(0, 1)
    return trim(Blob(0, 0, sharpened.astype(np.float32))).ink


def cut_outs(line: WrittenLine, random: np.random.Generator) -> Iterator[tuple[Image28, int]]:
    """Cut a line wherever it could be cut; yield each candidate, normalised, and its label."""
    labels, boxes = components.label(line.ink >= 0.5)
    numbers = large_components(boxes)
    blobs = [cut_component(line.ink, labels, number, boxes[number - 1]) for number in numbers]
    if not blobs:
        return
    blobs.sort(key=lambda blob: blob.center)
    for candidate in digit_candidates(split_line(blobs), line_height(blobs)):
        label = cut_out_label(candidate, line)
        if label is None:
            continue
        if label != NONE_LABEL or random.random() < KEPT_NONE:
            yield normalize(candidate), label


def cut_component(
    ink: Floats, labels: NDArray[np.int32], number: int, box: NDArray[np.int64]
) -> Blob:
    """Return the ink of one connected component."""
    left, top, right, bottom = box
    region = (slice(top, bottom), slice(left, right))
    return trim(Blob(int(left), int(top), np.where(labels[region] == number, ink[region], 0)))


def cut_out_label(blob: Blob, line: WrittenLine) -> int | None:
    """Return what a cut-out of a line shows, or None if even a person would hesitate."""
    region = (slice(None), slice(blob.y, blob.bottom), slice(blob.x, blob.right))
    ink_of_digits = (line.digits[region] * (blob.ink >= 0.5)).sum((1, 2))
    main = int(ink_of_digits.argmax())
    own = ink_of_digits[main] / line.digits.sum((1, 2))[main]
    foreign = 1 - ink_of_digits[main] / max(float(ink_of_digits.sum()), 1e-6)
    if own >= MIN_DIGIT and foreign <= MAX_FOREIGN:
        return int(line.labels[main])
    if foreign >= MIN_MIXED:
        return NONE_LABEL
    like_a_1 = blob.height > 2 * blob.width  # half of a 0, of a 4 or of a 7 can look like a 1
    if own <= MAX_NOT_DIGIT and not like_a_1:
        return NONE_LABEL
    return None


def draw_letter(random: np.random.Generator) -> Image28:
    """Draw a letter or sign that does not look like a digit, slightly rotated."""
    picture = Image.new("L", CANVAS)
    font = ImageFont.load_default(float(random.uniform(50, 80)))
    stroke_width = float(random.uniform(0, 3))
    letter = LETTERS[random.integers(len(LETTERS))]
    ImageDraw.Draw(picture).text(
        (60, 60), letter, fill=255, font=font, anchor="mm", stroke_width=stroke_width
    )
    rotated = picture.rotate(random.uniform(-15, 15), Image.Resampling.BICUBIC)
    return normalize_drawing(rotated)


def draw_dashes(random: np.random.Generator) -> Image28:
    """Draw one to three dashes, one above the other: pieces of ruled lines, "-", "="."""
    picture = Image.new("L", CANVAS)
    stroke_width = int(random.integers(3, 14))
    for number in range(random.integers(1, 4)):
        left, right = sorted(random.uniform(10, 110, 2))
        y, descent = 25 + 35 * number, random.uniform(-6, 6)
        line = (left, y, right + 20, y + descent)
        ImageDraw.Draw(picture).line(line, fill=255, width=stroke_width)
    return normalize_drawing(picture)


def normalize_drawing(picture: Image.Image) -> Image28:
    """Normalise all light pixels of a grey picture as one blob."""
    ink = np.asarray(picture, np.float32) / np.float32(255)
    return normalize(trim(Blob(0, 0, ink)))


def draw_grain(random: np.random.Generator) -> Image28:
    """Draw a clump of what paper, shadows and cameras leave."""
    noise = random.normal(size=(24, 24))
    picture = Image.fromarray((noise * 40 + 110).clip(0, 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 1.5)))
    large = picture.resize((96, 96), Image.Resampling.BICUBIC)
    ink = (np.asarray(large, np.float32) / 255 - 0.45).clip(0, 0.2) * 5
    labels, boxes = components.label(ink >= 0.5)
    if not len(boxes):
        return draw_grain(random)
    sizes = np.bincount(labels.ravel())[1:]
    largest = int(sizes.argmax()) + 1
    return normalize(cut_component(ink.astype(np.float32), labels, largest, boxes[largest - 1]))
