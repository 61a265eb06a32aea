"""Reads handwritten digits in pictures, without TensorFlow.

    from firstlight.reading import read

    result = read("photo.jpg")
    result.text

A picture goes through: pictures (opened, safely) → ink (paper and shadows taken away) → locate
(blobs, in lines) → split (which of them are one digit) → normalize (28×28, as MNIST was made) →
recognize (the network) → reading (the answer); explain draws all of it.
"""

from firstlight.reading.reader import Digit, Line, Reading, read

__all__ = ["Digit", "Line", "Reading", "read"]
