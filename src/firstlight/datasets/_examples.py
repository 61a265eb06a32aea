"""Examples: images with their labels, and the forms in which the first graph takes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets._images import ArrayImages, Images
from firstlight.errors import DataError
from firstlight.images.crops import Size

SPLITS = ("train", "val", "test")
ALL = "all"  # instead of a split: all pictures of data that has no splits of its own
HOLD_OUT_EVERY = 12  # one of twelve training images is for validation: 5,000 of MNIST's 60,000


@dataclass(frozen=True)
class Examples:
    """N images and their labels (N,) int32, 0 to the number of classes - 1."""

    images: Images
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> "Examples":
        """Return the first `count` examples; all of them for None."""
        return Examples(self.images.first(count), self.labels[:count])

    def resized(self, size: Size) -> "Examples":
        """Return the same examples with images of another size (height, width, channels)."""
        return Examples(self.images.resized(size), self.labels)


def array_examples(images: NDArray[np.uint8], labels: NDArray[Any]) -> Examples:
    """Return examples of images (N, height, width) or (N, height, width, channels) in memory."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    return Examples(ArrayImages(images), labels.astype(np.int32))


def hold_out(
    images: NDArray[np.uint8], labels: NDArray[Any], split: str
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Split the published training images: the last twelfth is "val", the others are "train".

    Raises:
        DataError: fewer than HOLD_OUT_EVERY images, which is too few to split.
    """
    count = len(labels)
    if count < HOLD_OUT_EVERY:
        raise DataError(f"{count} training images: at least {HOLD_OUT_EVERY} are needed")
    cut = count - count // HOLD_OUT_EVERY
    if split == "train":
        return images[:cut], labels[:cut]
    return images[cut:], labels[cut:]


def flat(images: Any) -> NDArray[np.float32]:
    """Return images (N, 28, 28, 1) uint8 as rows of 784 values (N, 784) float32, 0 to 1."""
    pixels = np.asarray(images)
    rows: NDArray[np.float32] = pixels.reshape(len(pixels), -1).astype(np.float32)
    return rows / np.float32(255)


def one_hot(labels: NDArray[np.int32], classes: int) -> NDArray[np.float32]:
    """Return labels (N,) as rows with a single 1 (N, classes): 3 is 0 0 0 1 0 0 0 0 0 0."""
    return np.take(np.eye(classes, dtype=np.float32), labels, axis=0)
