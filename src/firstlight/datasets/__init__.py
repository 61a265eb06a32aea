"""IMAGES IN. A dataset is a file here: CLASSES, SHA256, load(split) of "train", "val", "test".

`idx.py`, `npz.py` and `folder.py` read the same from a directory or file of the user's; `fitted.py`
makes of any images those that a network takes.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from firstlight.errors import DataError

SPLITS = ("train", "val", "test")


class Examples(NamedTuple):
    """Images (N, height, width, channels) uint8, 0 to 255, and their labels (N,) int32.

    Images are an array, or what is used like one and decodes a picture when it is asked for it:
    `folder.Pictures`, each of its own size, or `fitted.Fitted`, all of one.
    """

    images: Any
    labels: np.ndarray

    def first(self, count: int | None) -> "Examples":
        return Examples(self.images[:count], self.labels[:count])


def hold_out(examples: Examples, split: str) -> Examples:
    """Part the published training images: the last twelfth (5,000 of 60,000) is for validation.

    Raises DataError if there are too few to part.
    """
    if len(examples.labels) < 12:
        raise DataError(f"{len(examples.labels)} training images: 12 is the least")
    cut = len(examples.labels) - len(examples.labels) // 12
    keep = slice(None, cut) if split == "train" else slice(cut, None)
    return Examples(examples.images[keep], examples.labels[keep])


def flat(images: np.ndarray) -> np.ndarray:
    """Images (N, 28, 28, 1) uint8 as rows of 784 values (N, 784) float32, 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels (N,) as rows with a single 1 (N, classes) float32: 3 is 0 0 0 1 0 0 0 0 0 0."""
    return np.take(np.eye(classes, dtype=np.float32), labels, axis=0)


def shuffled(examples: int, seed: int) -> Callable[[int, int], np.ndarray]:
    """An endless stream of rows, each epoch in a new order; `rows(start, stop)` is a piece of it.

    The stream depends on nothing but `examples` and `seed`, so the batch of any step can be had
    at any time: a run that was stopped goes on with the very batch that it would have had.
    """

    @lru_cache(maxsize=2)  # a piece touches at most two epochs, unless it is longer than one
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(examples)

    def rows(start: int, stop: int) -> np.ndarray:
        pieces = []
        while start < stop:
            epoch, offset = divmod(start, examples)
            pieces.append(order(epoch)[offset : offset + stop - start])
            start += len(pieces[-1])
        return np.concatenate(pieces)

    return rows


def ahead(compute: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """The answer to each call; a thread computes the next one while this one is used."""
    with ThreadPoolExecutor(1) as thread:
        ready = None
        for call in calls:
            now, ready = ready, thread.submit(compute, *call)
            if now:
                yield now.result()
        if ready:
            yield ready.result()
