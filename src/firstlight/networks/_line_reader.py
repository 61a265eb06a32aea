"""The network that reads whole lines: convolutions over a strip, and a class for each four columns.

After Graves and others, "Connectionist Temporal Classification" (2006): the outputs are digits and
a blank, which separates them. Nothing has to be cut, and the network learns where digits are.
"""

import keras
from keras import layers

from firstlight.networks._convnet import norm_convolution
from firstlight.networks._layers import BatchNorm
from firstlight.reading.strip import STRIP_HEIGHT

CLASSES = 11  # the digits, and the blank


def build() -> keras.Model:
    """Return a model from strips (n, 32, width, 1) uint8 to logits (n, width / 4, 11)."""
    image = keras.Input((STRIP_HEIGHT, None, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 64, offset=-0.66, name="scale")(image)  # paper is 0, ink 2.6
    x = norm_convolution(x, 32, 5, stride=2, name="conv1")  # 16 × width/2
    x = norm_convolution(x, 64, 3, name="conv2")
    x = norm_convolution(x, 96, 3, stride=2, name="conv3")  # 8 × width/4
    x = norm_convolution(x, 96, 3, name="conv4")
    x = layers.MaxPooling2D((2, 1), name="pool4")(x)  # 4 × width/4
    x = norm_convolution(x, 128, 3, name="conv5")
    x = norm_convolution(x, 160, 3, name="conv6")
    x = layers.MaxPooling2D((2, 1), name="pool6")(x)  # 2 × width/4
    x = layers.ZeroPadding2D((0, 3), name="pad7")(x)
    x = layers.Conv2D(192, (2, 7), use_bias=False, name="conv7")(x)  # 1 × width/4
    x = layers.ReLU(name="conv7_relu")(BatchNorm(name="conv7_norm")(x))
    x = layers.Conv2D(CLASSES, 1, dtype="float32", name="output")(x)
    logits = layers.Reshape((-1, CLASSES), dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="line-reader")
