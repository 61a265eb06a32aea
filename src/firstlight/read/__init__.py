"""Reads handwritten digits in pictures, without TensorFlow.

    from firstlight.read import read

    result = read("photo.jpg")
    result.text

A picture goes through: pictures (opened, safely) → ink (paper and shadows taken away) → locate
(blobs, in lines) → split (which of them are one digit) → normalize (28×28, as MNIST was made) →
recognize (the network) → reading (the answer); explain draws all of it.
"""

from firstlight.read.reading import Digit, Line, Reading, read

__all__ = ["Digit", "Line", "Reading", "read"]
