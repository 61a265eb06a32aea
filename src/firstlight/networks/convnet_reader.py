"""The recogniser of `firstlight read`: a convolutional network, fast without a graphics card.

It learns from what the reader cuts out of pictures, digits and other things:
`firstlight train convnet --recipe reader --data cutouts`.
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._convnet import MANY_PASSES, norm_convolution
from firstlight.networks._recipes import SMALL_PICTURES

INPUT = (28, 28, 1)
PARAMETERS = 446_314
RECIPES = {
    "reader": replace(MANY_PASSES, epochs=14, no_augment_epochs=2),
    "pictures": replace(SMALL_PICTURES, epochs=60, weight_decay=2e-2),
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 28×28×1, 0 to 1
    x = norm_convolution(x, 32, 5, stride=2, name="conv1")  # 14×14×32
    x = norm_convolution(x, 64, 3, name="conv2")  # 14×14×64
    x = norm_convolution(x, 64, 3, name="conv3")  # 14×14×64
    x = norm_convolution(x, 128, 3, stride=2, name="conv4")  # 7×7×128
    x = norm_convolution(x, 128, 3, name="conv5")  # 7×7×128
    x = norm_convolution(x, 128, 3, stride=2, name="conv6")  # 4×4×128
    x = layers.Flatten(name="flat")(x)  # 2,048
    logits = layers.Dense(classes, dtype="float32", name="output")(x)  # 11: the digits and "none"
    return keras.Model(image, logits, name="convnet-reader")
