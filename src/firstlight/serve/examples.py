"""The images that the view First graph learns from and is measured on.

The view computes in the browser (page/network.js), so this needs no TensorFlow.
"""

from functools import cache

import numpy as np

from firstlight.datasets import mnist
from firstlight.errors import NotFound
from firstlight.serve.content import Content

EXAMPLES = {"train": 5000, "val": 1000}  # how many of MNIST's images the view gets


@cache
def content(split: str) -> Content:
    """Return the examples of a split as they are sent. Raises NotFound."""
    return Content.of(as_bytes(split), "application/octet-stream")


def as_bytes(split: str) -> bytes:
    """Return n images and their labels, uint8: n · 784 pixels, then n labels.

    Raises:
        NotFound: the view gets no images of this split.
    """
    if split not in EXAMPLES:
        raise NotFound(f"no images of {split!r}; there are: {', '.join(EXAMPLES)}")
    first = mnist.load(split).first(EXAMPLES[split])
    return first.images[:].tobytes() + first.labels.astype(np.uint8).tobytes()
