"""What a layer must know where several replicas share a batch: which rows its images are.

A layer that depends on the other images of the batch, or draws random numbers for each, asks here.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Rows(NamedTuple):
    """The place of a replica's images in the batch."""

    first: Any  # of its first image; an int, or a tensor where each replica has its own
    batch: int  # images in the whole batch


_here = threading.local()  # TensorFlow traces each replica in a thread of its own


def rows() -> Rows | None:
    """Return which rows of the batch a layer sees; None if it sees all of them."""
    return getattr(_here, "rows", None)


@contextmanager
def seeing(part: Rows | None) -> Iterator[None]:
    """Let the layers that are called in this context see these rows."""
    before = rows()
    _here.rows = part
    try:
        yield
    finally:
        _here.rows = before
