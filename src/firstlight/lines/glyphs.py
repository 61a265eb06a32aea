"""Digits and letters as two fields, from which a line is drawn in any size and with any pen.

ink       (n, 56, 56) uint8: the image at twice its size, for a glyph as it was written
distance  (n, 56, 56) uint8: how far each pixel is from the middle of the stroke (its skeleton), in
          eighths of a pixel, for another pen: its stroke is what is nearer than half its width
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from firstlight.datasets import mnist
from firstlight.datasets.cutouts import LETTERS
from firstlight.runs.files import atomic_write

SIDE = 56  # pixels
DISTANCE_UNITS = 8  # per pixel
FARTHEST = 9  # pixels from the skeleton; beyond it, distances are not exact
LETTER_LABEL = 10
COPIES_OF_LETTER = 5  # in each typeface
# Eight of Matplotlib's typefaces. Each has all letters and signs that are drawn.
TYPEFACES = (
    "DejaVuSans",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
)

# A pixel's eight neighbours as shifts (rows, columns), clockwise from the one above.
NEIGHBOURS = [(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)]
# Zhang and Suen's two subiterations: a pixel stays if all three neighbours of either group are ink.
SUBITERATIONS = (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6)))

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Glyphs:
    """What is written in lines: digits, and letters, which are not read."""

    fields: Bytes  # (2, n, 56, 56): ink, and distance to the skeleton
    boxes: NDArray[np.float32]  # (n, 4): left, top, right, bottom of the ink, in these pixels
    labels: NDArray[np.int64]  # (n,): 0 to 9, or LETTER_LABEL

    def rows_of(self, is_letter: bool) -> NDArray[np.int64]:
        """Return the numbers of all letters, or of all digits."""
        return np.flatnonzero((self.labels == LETTER_LABEL) == is_letter)


def load(split: str, cache: Path) -> Glyphs:
    """Return the digits of MNIST's split, and letters.

    Args:
        cache: a file for the fields, which take a minute or two; it is written if it is missing or
            has another number of glyphs, and mapped into memory, so that processes share it.
    """
    examples = mnist.load(split)
    images = np.concatenate([examples.images[:].reshape(-1, 28, 28), letters()])
    stored = np.load(cache, mmap_mode="r") if cache.exists() else None
    if stored is None or stored.shape[1] != len(images):
        with atomic_write(cache) as file:
            np.save(file, fields(images))
        stored = np.load(cache, mmap_mode="r")
    missing = len(images) - len(examples)
    labels = np.concatenate([examples.labels, np.full(missing, LETTER_LABEL)]).astype(np.int64)
    return Glyphs(stored, ink_boxes(stored[0]), labels)


def letters() -> Bytes:
    """Return letters and signs that do not look like digits, (n, 28, 28), in the form of MNIST."""
    random = np.random.default_rng(0)
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    typefaces = [folder / f"{name}.ttf" for name in TYPEFACES]
    drawn = [
        letter_image(letter, typeface, random)
        for typeface in typefaces
        for letter in LETTERS * COPIES_OF_LETTER
    ]
    return np.array(drawn, np.uint8)


def letter_image(letter: str, typeface: Path, random: np.random.Generator) -> Bytes:
    """Return a letter of some size and thickness, slightly turned, (28, 28)."""
    picture = Image.new("L", (112, 112))
    font = ImageFont.truetype(str(typeface), float(random.uniform(60, 84)))
    ImageDraw.Draw(picture).text(
        (56, 56), letter, 255, font, anchor="mm", stroke_width=float(random.uniform(0, 3))
    )
    turned = picture.rotate(random.uniform(-10, 10), Image.Resampling.BICUBIC)
    return np.asarray(turned.resize((28, 28), Image.Resampling.BOX))


def fields(images: Bytes) -> Bytes:
    """Return both fields of images (n, 28, 28), a part at a time: memory is limited."""
    parts = np.array_split(images, max(1, len(images) // 1000))
    made = []
    for part in parts:
        ink = enlarge(part)
        made.append(np.stack([ink, skeleton_distance(skeletons(ink > 127))]))
    return np.concatenate(made, axis=1)


def enlarge(images: Bytes) -> Bytes:
    """Enlarge images (n, 28, 28) to twice their size, bicubically."""
    column = Image.fromarray(images.reshape(-1, 28))
    tall = column.resize((SIDE, 28 * len(images)), Image.Resampling.BICUBIC, reducing_gap=None)
    across = np.asarray(tall).reshape(-1, 28, SIDE).transpose(0, 2, 1).reshape(-1, 28)
    both = Image.fromarray(across).resize((SIDE, len(across)), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(both).reshape(-1, SIDE, SIDE).transpose(0, 2, 1))


def skeletons(masks: Mask) -> Mask:
    """Return the skeletons of masks (n, h, w) (Zhang and Suen, 1984)."""
    thin = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    before = -1
    while thin.sum() != before:
        before = int(thin.sum())
        for first, second in SUBITERATIONS:
            around = [np.roll(thin, shift, (1, 2)) for shift in NEIGHBOURS]
            neighbours = np.sum(around, axis=0, dtype=np.uint8)
            changes = np.zeros(thin.shape, np.uint8)
            for one, other in zip(around, around[1:] + around[:1], strict=True):
                changes += ~one & other
            both = [around[a] & around[b] & around[c] for a, b, c in (first, second)]
            thin &= ~((neighbours >= 2) & (neighbours <= 6) & (changes == 1) & ~both[0] & ~both[1])
    return thin[:, 1:-1, 1:-1]


def skeleton_distance(masks: Mask) -> Bytes:
    """Return how far each pixel of (n, h, w) is from True, in eighths of a pixel, smoothed.

    A chamfer distance: steps to a neighbour and to a diagonal neighbour are added up.
    """
    distance = np.where(masks, 0, FARTHEST * DISTANCE_UNITS + 11).astype(np.uint8)
    padded = np.pad(distance, ((0, 0), (1, 1), (1, 1)), constant_values=240)
    inner = padded[:, 1:-1, 1:-1]
    height, width = masks.shape[1:]
    for _ in range(FARTHEST):
        for rows, columns in NEIGHBOURS:
            step = 11 if rows and columns else DISTANCE_UNITS
            moved = padded[:, 1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]
            np.minimum(inner, moved + np.uint8(step), out=inner)
    return smooth(smooth(inner).transpose(0, 2, 1)).transpose(0, 2, 1)


def smooth(values: Bytes) -> Bytes:
    """Average each value of (n, h, w) with those above and below it, which weigh half as much."""
    padded = np.pad(values.astype(np.uint16), ((0, 0), (1, 1), (0, 0)), "edge")
    return ((padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:] + 2) // 4).astype(np.uint8)


def ink_boxes(ink: Bytes) -> NDArray[np.float32]:
    """Return left, top, right, bottom of the ink in images (n, h, w), (n, 4)."""
    sides = []
    for axis in (1, 2):
        filled = np.asarray((ink > 127).any(axis=axis))
        sides += [filled.argmax(axis=1), filled.shape[1] - filled[:, ::-1].argmax(axis=1)]
    left, right, top, bottom = sides
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32)
