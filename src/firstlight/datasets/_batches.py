"""Batches: the order in which training uses the images, and reading ahead."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Result = TypeVar("Result")


def shuffled(examples: int, seed: int) -> Callable[[int, int], NDArray[np.int64]]:
    """Return a function `rows(start, stop)`: a piece of an endless stream of shuffled rows.

    Each epoch has a new order. The stream depends on `examples` and `seed` alone, so the batch of
    any step can be computed at any time: a stopped run resumes with the batch that it would have
    had.
    """

    @lru_cache(maxsize=2)  # a piece touches two epochs at most, unless it is longer than one
    def order(epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([seed, epoch]).permutation(examples)

    def rows(start: int, stop: int) -> NDArray[np.int64]:
        pieces = []
        while start < stop:
            epoch, offset = divmod(start, examples)
            pieces.append(order(epoch)[offset : offset + stop - start])
            start += len(pieces[-1])
        return np.concatenate(pieces)

    return rows


def ahead(compute: Callable[..., Result], calls: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
    """Yield `compute(*call)` for each call; a thread computes the next one meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        current = None
        for call in calls:
            following = thread.submit(compute, *call)
            if current:
                yield current.result()
            current = following
        if current:
            yield current.result()
