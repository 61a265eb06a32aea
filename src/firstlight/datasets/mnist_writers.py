"""MNIST with the images of some writers held out for validation, in five ways.

MNIST's last 5,000 training images judge a recipe too well. 251 of the 282 people who wrote them
also wrote training images, and 69 % are by staff of the Census Bureau, who write more clearly than
pupils. Nobody who wrote a training image wrote a test image, and each group wrote half of those.

So here `mnist-writers-1` to `mnist-writers-5` hold out whole writers: about 2,500 images of each
group, and no writer twice. A recipe is chosen on these; mnist_all.py trains with it at last.

Who wrote an image is known from QMNIST: Yadav and Bottou, "Cold case: the lost MNIST digits",
NeurIPS 2019.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets import Examples, _idx, array_examples, mnist

CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
FOLDS = 5  # `mnist-writers-1` to `mnist-writers-5`
FILES = {"train": "train-writers.tsv", "test": "test-writers.tsv"}
SHA256 = mnist.SHA256 | {
    "train-writers.tsv": "d2ea82cfd2e9053e52d9e7e01e886db2a94b7465dff9b268db86ad1231e52e04",
    "test-writers.tsv": "84123ff2d71e52f69b65fd4c8ee9ef8376142a19076da2bdaa0d404225affb8c",
}
REMARKS = ("whole writers are held out: nobody wrote both training and validation images",)
STAFF, PUPILS = 0, 4  # the numbers of NIST's series, hsf_0 and hsf_4
HELD_OUT = 2500  # images of each series in a fold, at least


class Writers(NamedTuple):
    """Who wrote each image of a published file: arrays (N,)."""

    series: NDArray[np.int32]  # STAFF or PUPILS
    writer: NDArray[np.int32]  # a number


def load(split: str, fold: int) -> Examples:
    """Return images and labels as mnist.load does; `fold`, from 1, says who is held out.

    Raises:
        DataError: a file is missing, or differs from the published one.
    """
    if split == "test":
        return mnist.load(split)
    images, labels = mnist.training_files()
    is_held_out = folds() == fold
    chosen = is_held_out if split == "val" else ~is_held_out
    return array_examples(images[chosen], labels[chosen])


@cache
def folds() -> NDArray[np.int32]:
    """Return the fold (60,000,) that each training image is held out in, 0 for none."""
    series, writer = read_writers("train")
    fold_of = np.zeros(len(writer), np.int32)
    random = np.random.default_rng(0)
    for each in (STAFF, PUPILS):
        numbers, counts = np.unique(writer[series == each], return_counts=True)
        order = random.permutation(len(numbers))
        ends = np.cumsum(counts[order])  # images of the writers so far
        for number, before in zip(numbers[order], ends - counts[order], strict=True):
            fold = before // HELD_OUT + 1
            if fold <= FOLDS:
                fold_of[writer == number] = fold
    return fold_of


def read_writers(split: str) -> Writers:
    """Return who wrote the 60,000 images of "train" or the 10,000 of "test", in their order.

    Raises:
        DataError: the file is missing, or differs from the published one.
    """
    content, _ = _idx.published(mnist.DIRECTORY, FILES[split], SHA256)
    rows = np.loadtxt(content.decode().splitlines(), np.int32, delimiter="\t", skiprows=1)
    return Writers(rows[:, 1], rows[:, 2])
