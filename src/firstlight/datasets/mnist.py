"""MNIST: 70,000 handwritten digits, 28×28, by LeCun, Cortes and Burges (CC BY-SA 3.0).

The published files lie beside this file, so nothing is downloaded. The last 5,000 of the 60,000
training images are for validation; the 10,000 test images are for measuring only.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets import Examples, _idx

CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
SHA256 = {  # unpacked file → hash
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
DIRECTORY = Path(__file__).with_name("mnist_files")


def load(split: str) -> Examples:
    """Return images (N, 28, 28, 1) uint8, light ink (255) on black (0), and labels (N,), 0 to 9.

    N is 55,000 for "train", 5,000 for "val", 10,000 for "test".

    Raises:
        DataError: a file is missing, or differs from the published one.
    """
    return _idx.load(split, DIRECTORY, SHA256)


def training_files() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return all published training images (60,000, 28, 28), and their labels (60,000,).

    Raises:
        DataError: a file is missing, or differs from the published one.
    """
    images, labels = (_idx.read(DIRECTORY, name, SHA256) for name in _idx.FILES["train"])
    return images, labels
