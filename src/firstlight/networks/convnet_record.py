"""A larger convolutional network with batch norm and ReLU, made to be as accurate as possible.

It learns for many passes from images augmented as people write (`record`), or as bad scans and
photographs show digits (`robust`).
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._convnet import MANY_PASSES, norm_convolution
from firstlight.networks._recipes import SMALL_PICTURES

INPUT = (28, 28, 1)
PARAMETERS = 825_706
REACHES = {"record": ("mnist", 0.9971, 2168.3)}
HARDSHIP = {  # how digits differ by scanners, light and other pens; and their negatives
    "stroke": 0.5, "blur": 1,
    "rotate": 25, "scale": 0.35, "shear": 0.3, "shift": 3.5, "elastic": 1.2,
    "outline": 0.15, "scribble": 0.25,
    "light": 2.5, "bright": 130, "noise": 40, "specks": 0.2, "invert": 0.2,
}  # fmt: skip
RECIPES = {
    "record": replace(MANY_PASSES, epochs=36, no_augment_epochs=4),
    "robust": replace(MANY_PASSES, epochs=30, augment=HARDSHIP),
    "pictures": replace(SMALL_PICTURES, epochs=40, weight_decay=2e-2),
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 28×28×1, 0 to 1
    x = norm_convolution(x, 32, 5, stride=2, name="conv1")  # 14×14×32
    x = norm_convolution(x, 64, 3, name="conv2")  # 14×14×64
    x = norm_convolution(x, 96, 3, name="conv3")  # 14×14×96
    x = norm_convolution(x, 128, 3, stride=2, name="conv4")  # 7×7×128
    x = norm_convolution(x, 128, 3, name="conv5")  # 7×7×128
    x = norm_convolution(x, 160, 3, name="conv6")  # 7×7×160
    x = norm_convolution(x, 192, 3, stride=2, name="conv7")  # 4×4×192
    x = layers.Flatten(name="flat")(x)  # 3,072
    logits = layers.Dense(classes, dtype="float32", name="output")(x)  # 10
    return keras.Model(image, logits, name="convnet-record")
