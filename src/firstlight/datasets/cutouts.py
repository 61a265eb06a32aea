"""MNIST, and what a reader of pictures meets beside it: what it cuts out, digits and others.

Digits of MNIST are enlarged, written side by side so that many touch, and cut apart by the reader
itself (see read/split.py). What it cuts out is a digit if it is most of one and little of another;
two digits in one, and less than half of one, are "none", as are letters, signs, bits of lines and
grain. The images are normalised as the reader does it: the network is shown in training what it
will be shown in use, as LeCun and others (1998, section V) trained on their reader's segments.

The writing depends on the split's own MNIST images and a seed: nothing of the test images, not
even a stroke, is in the training images.
"""

import string
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from firstlight.datasets import Examples, mnist
from firstlight.reading import components, split
from firstlight.reading.blobs import Blob, trimmed
from firstlight.reading.locate import tall_enough
from firstlight.reading.normalize import normalize

CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "none")
NONE = len(CLASSES) - 1
SHA256 = mnist.SHA256
LINES = {"train": 6000, "val": 600, "test": 1200}  # of writing, DIGITS to each
DIGITS = 4
WHOLE, PARTIAL = 0.9, 0.5  # shares of a digit's ink: from here on it is one, up to here it is none
FOREIGN, MIXED = 0.15, 0.4  # shares of other digits' ink: up to here it does no harm, from here on
LETTERS = sorted(set(string.ascii_letters) - set("BDGILOQSTZbgijloqstyzc")) + list("#%&*+=?@€£$/\\")

Floats = NDArray[np.float32]
Image28 = NDArray[np.uint8]


class Written(NamedTuple):
    """A line of writing: all its ink (h, w), 0..1, and that of each digit alone (n, h, w)."""

    ink: Floats
    digits: Floats
    labels: NDArray[np.int32]


def load(split_: str) -> Examples:
    """Images (N, 28, 28, 1) uint8, light on dark, and labels (N,), 0 to 9 and 10 for none.

    First all of MNIST's split as it is, then what was cut out of writing, then letters and scraps.

    Raises:
        DataError: a file of MNIST is missing, or is not byte for byte the published one.
    """
    digits = mnist.load(split_)
    random = np.random.default_rng([LINES[split_], DIGITS])
    made = [
        cut_out
        for _ in range(LINES[split_])
        for cut_out in cut_outs(written(digits, random), random)
    ]
    for other in (letter, bars, grain):
        made += [(other(random), NONE) for _ in range(LINES[split_] // 4)]
    images, labels = zip(*made, strict=True)
    return Examples(
        np.concatenate([digits.images, np.array(images, np.uint8)]),
        np.concatenate([digits.labels, np.array(labels, np.int32)]),
    )


def written(digits: Examples, random: np.random.Generator) -> Written:
    """Some digits side by side, 15 to 80 pixels high; half of the neighbours touch."""
    rows = random.integers(len(digits.labels), size=DIGITS)
    height = 75 / 4 ** random.random()
    inks = [enlarged(digits.images[row], height * random.uniform(0.8, 1.1)) for row in rows]
    places, right = [], 5.0
    for ink in inks:
        places.append((int(right), int(random.uniform(5, 5 + 0.3 * height))))
        right = max(0, right + ink.shape[1] + height * random.uniform(-0.25, 0.15))
    high = max(y + ink.shape[0] for (_, y), ink in zip(places, inks, strict=True)) + 5
    wide = max(x + ink.shape[1] for (x, _), ink in zip(places, inks, strict=True)) + 5
    alone = np.zeros((DIGITS, high, wide), np.float32)
    for layer, (x, y), ink in zip(alone, places, inks, strict=True):
        layer[y : y + ink.shape[0], x : x + ink.shape[1]] = ink
    return Written(alone.max(0), alone, digits.labels[rows])


def enlarged(image: Image28, height: float) -> Floats:
    """The digit with its 20 rows so high, its ink's edges sharp again, cut to its ink."""
    side = round(height * 28 / 20)
    big = Image.fromarray(image[..., 0]).resize((side, side), Image.Resampling.BICUBIC)
    smooth = np.asarray(big.filter(ImageFilter.GaussianBlur(height / 40)), np.float32) / 255
    ink = ((smooth / max(float(smooth.max()), 0.1) - 0.5) * 5 + 0.5).clip(0, 1)
    return trimmed(Blob(0, 0, ink.astype(np.float32))).ink


def cut_outs(line: Written, random: np.random.Generator) -> Iterator[tuple[Image28, int]]:
    """What the reader would take for one digit each, normalised, and what it is."""
    labels, boxes = components.label(line.ink >= 0.5)
    blobs = [blob_of(line.ink, labels, number, boxes[number - 1]) for number in tall_enough(boxes)]
    if not blobs:
        return
    blobs.sort(key=lambda blob: blob.middle)
    for candidate in split.candidates(split.pieces(blobs), split.line_height(blobs)):
        label = what_it_is(candidate.blob, line)
        if label is not None and (label != NONE or random.random() < 0.3):
            yield normalize(candidate.blob), label


def blob_of(ink: Floats, labels: NDArray[np.int32], number: int, box: NDArray[np.int64]) -> Blob:
    left, top, right, bottom = box
    here = (slice(top, bottom), slice(left, right))
    return trimmed(Blob(int(left), int(top), np.where(labels[here] == number, ink[here], 0)))


def what_it_is(blob: Blob, line: Written) -> int | None:
    """A label; nothing where even a person would hesitate."""
    here = (slice(None), slice(blob.y, blob.bottom), slice(blob.x, blob.right))
    mask = blob.ink >= 0.5
    of_each = (line.digits[here] * mask).sum((1, 2))
    share = of_each / line.digits.sum((1, 2))
    main = int(of_each.argmax())
    foreign = 1 - of_each[main] / max(float(of_each.sum()), 1e-6)
    if share[main] >= WHOLE and foreign <= FOREIGN:
        return int(line.labels[main])
    like_a_1 = blob.height > 2 * blob.width  # as half of a 0, of a 4, of a 7 can be
    if foreign >= MIXED or (share[main] <= PARTIAL and not like_a_1):
        return NONE
    return None


def letter(random: np.random.Generator) -> Image28:
    """A letter or sign that is like no digit, slanted and turned a little."""
    picture = Image.new("L", (120, 120))
    font = ImageFont.load_default(float(random.uniform(50, 80)))
    stroke = float(random.uniform(0, 3))
    sign = LETTERS[random.integers(len(LETTERS))]
    ImageDraw.Draw(picture).text((60, 60), sign, 255, font, "mm", stroke_width=stroke)
    turned = picture.rotate(random.uniform(-15, 15), Image.Resampling.BICUBIC)
    return normalize(trimmed(Blob(0, 0, np.asarray(turned, np.float32) / np.float32(255))))


def bars(random: np.random.Generator) -> Image28:
    """One to three dashes, one above the other: bits of ruled lines, "-", "="."""
    picture = Image.new("L", (120, 120))
    pen = int(random.integers(3, 14))
    for number in range(random.integers(1, 4)):
        left, right = sorted(random.uniform(10, 110, 2))
        y, rise = 25 + 35 * number, random.uniform(-6, 6)
        ImageDraw.Draw(picture).line((left, y, right + 20, y + rise), 255, pen)
    return normalize(trimmed(Blob(0, 0, np.asarray(picture, np.float32) / np.float32(255))))


def grain(random: np.random.Generator) -> Image28:
    """A clump of what paper, shadows and cameras leave."""
    rough = random.normal(size=(24, 24))
    picture = Image.fromarray((rough * 40 + 110).clip(0, 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 1.5)))
    large = picture.resize((96, 96), Image.Resampling.BICUBIC)
    ink = (np.asarray(large, np.float32) / 255 - 0.45).clip(0, 0.2) * 5
    labels, boxes = components.label(ink >= 0.5)
    sizes = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    if not len(sizes):
        return grain(random)
    largest = int(sizes.argmax()) + 1
    return normalize(blob_of(ink.astype(np.float32), labels, largest, boxes[largest - 1]))
