"""Files that the browser computes with: they hold nothing private, so they need no token.

The page and the static site offer them at the same addresses below their own: `data/digits.onnx`.
Images are compressed here, since few hosts of static sites do it; the browser unpacks a file whose
name ends in `.gz` (serve/page/files.js).
"""

import gzip
from collections.abc import Callable
from functools import cache, partial

import numpy as np

from firstlight.datasets import mnist
from firstlight.errors import NotFound
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.serve.content import Content


def examples(split: str, n: int) -> bytes:
    """Return the first n images of MNIST and their labels, uint8: n · 784 pixels, then n labels."""
    first = mnist.load(split).first(n)
    return first.images[:].tobytes() + first.labels.astype(np.uint8).tobytes()


def packed(split: str, n: int) -> bytes:
    """Return the images and labels of `examples`, as a file of gzip: the same bytes each time."""
    return gzip.compress(examples(split, n), mtime=0)


PUBLIC_FILES: dict[str, Callable[[], bytes]] = {
    "mnist-few.bin": partial(examples, "train", 20),
    "mnist-train.bin.gz": partial(packed, "train", 5000),
    "mnist-val.bin.gz": partial(packed, "val", 1000),
    "digits.onnx": DIGITS_MODEL.read_bytes,  # the recogniser
}


@cache
def public_file(name: str) -> bytes:
    """Return the content of a file of PUBLIC_FILES. Raises NotFound."""
    if name not in PUBLIC_FILES:
        raise NotFound(f"no file {name[:80]!r}; files: {', '.join(PUBLIC_FILES)}")
    return PUBLIC_FILES[name]()


@cache
def content(name: str) -> Content:
    """Return a file as it is sent. Raises NotFound."""
    return Content.of(public_file(name), "application/octet-stream")
