"""What the view First graph asks for: images to learn from, and the graph's pictures.

The view computes in the browser (page/network.js), so none of this needs TensorFlow.
"""

from functools import cache

import numpy as np

from firstlight.chapters import chapter
from firstlight.datasets import mnist
from firstlight.errors import NotFound

EXAMPLES = {"train": 5000, "val": 1000}  # how many of MNIST's images the view gets
PICTURES = ("functional", "operations")


@cache
def examples(split: str) -> bytes:
    """Return n images and their labels, uint8: n · 784 pixels, then n labels.

    Raises:
        NotFound: the view gets no images of this split.
    """
    if split not in EXAMPLES:
        raise NotFound(f"no images of {split!r}; there are: {', '.join(EXAMPLES)}")
    first = mnist.load(split).first(EXAMPLES[split])
    return first.images[:].tobytes() + first.labels.astype(np.uint8).tobytes()


def picture(name: str) -> str:
    """Return a picture of the first graph as SVG: the one that chapter 1 shows.

    Raises:
        NotFound: there is no such picture.
    """
    if name not in PICTURES:
        raise NotFound(f"no picture {name!r}; there are: {', '.join(PICTURES)}")
    return (chapter.folder() / "pictures/1" / f"{name}.svg").read_text("utf-8")
