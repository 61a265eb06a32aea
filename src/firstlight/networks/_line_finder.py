"""The network that finds lines of digits on a page: convolutions down to a 32nd, and up again.

After Ronneberger and others, "U-Net" (2015). For each cell of 4×4 pixels it says whether it lies in
the middle of a line of digits, how high these are, and whether their ink is dark.
"""

from typing import Any

import keras
from keras import layers

from firstlight.networks._convnet import norm_convolution

ANSWERS = 3


def build() -> keras.Model:
    """Return a model from pages (n, rows, columns, 1) uint8 to answers (n, rows/4, columns/4, 3).

    Rows and columns are multiples of 32. The answers: the logit of "middle of a line"; the base-2
    logarithm of the digits' height in pixels; the logit of "dark ink on light paper".
    """
    image = keras.Input((None, None, 1), dtype="uint8", name="image")
    x = norm_convolution(local_contrast(image), 16, 5, stride=2, name="conv1")  # 1/2
    x = norm_convolution(x, 24, 3, stride=2, name="conv2")  # 1/4
    quarter = norm_convolution(x, 24, 3, name="conv3")
    x = norm_convolution(quarter, 32, 3, stride=2, name="conv4")  # 1/8
    eighth = norm_convolution(x, 32, 3, name="conv5")
    x = norm_convolution(eighth, 40, 3, stride=2, name="conv6")  # 1/16
    sixteenth = norm_convolution(x, 40, 3, name="conv7")
    x = norm_convolution(sixteenth, 48, 3, stride=2, name="conv8")  # 1/32
    x = norm_convolution(x, 48, 3, name="conv9")
    x = norm_convolution(x, 48, 3, name="conv10")
    x = norm_convolution(enlarged(x, sixteenth, "16"), 40, 3, name="conv11")
    x = norm_convolution(enlarged(x, eighth, "8"), 32, 3, name="conv12")
    x = norm_convolution(enlarged(x, quarter, "4"), 32, 3, name="conv13")
    answers = layers.Conv2D(ANSWERS, 1, dtype="float32", name="logits")(x)
    return keras.Model(image, answers, name="line-finder")


def local_contrast(image: Any) -> Any:
    """Return how much each pixel differs from those around it, and the image itself, 2 maps."""
    grey = layers.Rescaling(1 / 128, offset=-1, name="scale", dtype="float32")(image)
    around = layers.AveragePooling2D(25, 1, "same", name="around", dtype="float32")(grey)
    difference = layers.Subtract(name="difference", dtype="float32")([grey, around])
    detail = layers.Rescaling(6.0, name="detail", dtype="float32")(difference)
    return layers.Concatenate(name="both", dtype="float32")([detail, grey])


def enlarged(x: Any, finer: Any, name: str) -> Any:
    """Return maps twice as large as x, beside the finer ones."""
    twice = layers.UpSampling2D(2, name=f"up{name}")(x)
    return layers.Concatenate(name=f"join{name}")([twice, finer])
