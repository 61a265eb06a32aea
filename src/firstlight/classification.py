"""Classifies pictures: opens any picture, prepares it as a network's input, returns its labels.

How a picture is prepared depends on the kind of images that the network has learned (see
images/kinds.py):

    digits     The digit is found as by `read --single` and normalised as MNIST's were, unless the
               picture is such an image already. For a larger network the result is enlarged.
    arrays     The picture's middle square.
    pictures   The centre crop, as of ZFNet's test images (arXiv 1311.2901, section 3): if the
               shortest side is 256 pixels, the middle 224; other sizes in proportion.

Probabilities are the network's own, softmax of its logits, whether the network comes from a run or
from an exported file: so a picture has the same ones everywhere, and before and after an export.
Only the reader divides the logits by the calibration temperature (reading/recognizer.py).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from firstlight.datasets import ArrayImages
from firstlight.datasets._arrays import as_batch, as_images, known_scale, pixel_scale
from firstlight.errors import DataError
from firstlight.images.crops import (
    CENTER_CROP,
    WHOLE_PICTURE,
    Size,
    crop_and_resize,
    shortest_side,
)
from firstlight.images.kinds import ImageKind
from firstlight.images.open import open_content, open_photograph
from firstlight.images.values import ValueRange
from firstlight.probabilities import Label, top_labels
from firstlight.reading.normalize import IMAGE_SIDE
from firstlight.reading.reader import read

Pictures = ArrayLike | str | Path | Sequence[str | Path]  # images in arrays, or picture files
PICTURES_PER_BATCH = 32  # pictures that are in memory at the same time
ARRAYS_PER_BATCH = 500  # images of arrays, which are smaller


class Classifier(Protocol):
    """A trained network, from a run folder or from a file."""

    @property
    def input(self) -> Size:
        """Height, width, channels."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the network's outputs."""

    @property
    def image_kind(self) -> ImageKind:
        """What kind of images the network has learned."""

    @property
    def values(self) -> ValueRange | None:
        """The values of the arrays that the network has learned, None if they are not known."""

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities (n, classes) of images (n, *input), 0..255."""


@dataclass(frozen=True)
class Classification:
    """The most probable labels of one picture, or why it has none."""

    file: Path
    labels: tuple[Label, ...]  # the most probable first; empty if the file cannot be classified
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"file": str(self.file), "labels": [label.to_json() for label in self.labels]}


def predict(
    classifier: Classifier, images: Pictures, say: Callable[[str], None] = lambda note: None
) -> NDArray[np.float32]:
    """Return the probabilities (N, classes) of images in arrays, or of picture files.

    Arrays of another size than the network's are resized; files are prepared as by `classify`.

    Args:
        say: is called with a sentence if the range of the values was guessed.

    Raises:
        DataError: a file is missing, or not a picture that can be classified.
        UsageError: an array is not images.
    """
    rows = [classifier.probabilities(batch) for batch in prepared(classifier, images, say)]
    if not rows:
        return np.zeros((0, len(classifier.classes)), np.float32)
    return np.concatenate(rows)


def prepared(
    classifier: Classifier, images: Pictures, say: Callable[[str], None]
) -> Iterator[NDArray[np.uint8]]:
    """Yield the images in batches, as the network's input (n, *input), 0..255."""
    files = as_files(images)
    if files is not None:
        for start in range(0, len(files), PICTURES_PER_BATCH):
            batch = files[start : start + PICTURES_PER_BATCH]
            kind = classifier.image_kind
            yield np.array([preprocess(path, classifier.input, kind) for path in batch])
        return
    pixels = np.asarray(images)
    if pixels.ndim == 2 and pixels.shape[1] == math.prod(classifier.input):  # flat images
        pixels = pixels.reshape(-1, *classifier.input)
    elif pixels.ndim == 2:  # a single image in grey
        pixels = pixels[np.newaxis]
    elif pixels.ndim == 3 and pixels.shape[-1] == classifier.input[-1] == 3:  # one in colour
        pixels = pixels[np.newaxis]
    pixels = as_batch(pixels, "images")
    if classifier.values:
        scale = known_scale(pixels, "images", classifier.values)
    else:  # a single image may be so dark that it looks like bits
        scale = pixel_scale(pixels, "images")
    if scale.note:
        say(scale.note)
    yield from resized(classifier, as_images(pixels, "images", scale))


def resized(classifier: Classifier, pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield images (N, height, width, channels), 0..255, in batches as the network's input."""
    resized = ArrayImages(pixels).resized(classifier.input)
    for start in range(0, len(resized), ARRAYS_PER_BATCH):
        yield resized[start : start + ARRAYS_PER_BATCH]


def as_files(images: Pictures) -> list[Path] | None:
    """Return the paths if picture files are given, or None for arrays."""
    if isinstance(images, str | Path):
        return [Path(images)]
    if isinstance(images, Sequence) and images and isinstance(images[0], str | Path):
        return [Path(str(path)) for path in images]
    return None


def classify(classifier: Classifier, pictures: Sequence[Path], *, top: int) -> list[Classification]:
    """Return the `top` most probable labels of each picture.

    A picture that cannot be opened has a problem instead of labels, and does not stop the others.
    """
    classifications = []
    for start in range(0, len(pictures), PICTURES_PER_BATCH):
        batch = pictures[start : start + PICTURES_PER_BATCH]
        classifications += classify_batch(classifier, batch, top=top)
    return classifications


def classify_batch(
    classifier: Classifier, pictures: Sequence[Path], *, top: int
) -> list[Classification]:
    """Do as `classify` does, with all pictures in one batch."""
    images: dict[Path, NDArray[np.uint8]] = {}
    problems: dict[Path, str] = {}
    for path in pictures:
        try:
            images[path] = preprocess(path, classifier.input, classifier.image_kind)
        except DataError as error:
            problems[path] = str(error)
    labels: dict[Path, tuple[Label, ...]] = {}
    if images:
        probabilities = classifier.probabilities(np.array(list(images.values())))
        for path, row in zip(images, probabilities, strict=True):
            labels[path] = top_labels(row, classifier.classes, top)
    return [Classification(path, labels.get(path, ()), problems.get(path)) for path in pictures]


def classify_content(classifier: Classifier, content: bytes, *, top: int) -> tuple[Label, ...]:
    """Return the `top` most probable labels of the picture in a file's bytes.

    Raises:
        DataError: it is not a picture that can be classified.
    """
    path = Path("the picture")  # what messages call it
    image = preprocess(path, classifier.input, classifier.image_kind, content)
    (probabilities,) = classifier.probabilities(image[np.newaxis])
    return top_labels(probabilities, classifier.classes, top)


def preprocess(
    path: Path, size: Size, image_kind: ImageKind, content: bytes | None = None
) -> NDArray[np.uint8]:
    """Return a picture as the network's input, (height, width, channels), 0..255.

    Args:
        size: height, width, channels of the network's input.
        image_kind: what kind of images the network has learned.
        content: the file's bytes, if they are in memory; `path` is only what it is called.

    Raises:
        DataError: the file is missing, not a picture, damaged, too large or too small; or no digit
            is found in it, although the network has learned digits.
    """
    picture = open_photograph(path, shortest_side(size), content)
    if image_kind == "pictures":
        return crop_and_resize(picture, CENTER_CROP, size)
    if image_kind == "arrays":
        return crop_and_resize(picture, WHOLE_PICTURE, size)
    grey = np.asarray(picture.convert("L"))
    if grey.shape != (IMAGE_SIDE, IMAGE_SIDE) or not has_dark_frame(grey):
        grey = single_digit(path, content)
    return crop_and_resize(Image.fromarray(grey), WHOLE_PICTURE, size)


def has_dark_frame(grey: NDArray[np.uint8]) -> bool:
    """Return whether most of the outermost pixels (h, w) are dark, as in MNIST's images."""
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(frame) < 128)


def single_digit(path: Path, content: bytes | None = None) -> NDArray[np.uint8]:
    """Return the picture's one digit, normalised as MNIST's were, (28, 28).

    Raises:
        DataError: no digit is found.
    """
    reading = read(path if content is None else open_content(content), single=True)
    if not reading.lines:
        raise DataError(f"{path}: no digit found, but the network classifies digits")
    return reading.lines[0].digits[0].image[..., 0]
