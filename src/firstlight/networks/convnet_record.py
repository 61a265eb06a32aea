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
PARAMETERS = 848_330
REACHES = {"record": ("mnist", 0.9973, 2962.8), "robust": ("mnist", 0.9964, 2001.8)}
HARDSHIP = {  # how digits differ by scanners, light and other pens; and their negatives
    "stroke": 0.5, "blur": 1,
    "rotate": 25, "scale": 0.35, "shear": 0.3, "shift": 3.5, "elastic": 1.2,
    "outline": 0.15, "scribble": 0.25,
    "light": 2.5, "bright": 130, "noise": 40, "specks": 0.2, "invert": 0.2,
}  # fmt: skip
RECIPES = {
    "record": replace(MANY_PASSES, epochs=36, no_augment_epochs=4),
    # A third of the images stays as it is, so that clean digits are read well too.
    "robust": replace(MANY_PASSES, epochs=30, augment=HARDSHIP, no_augment_fraction=0.33),
    "pictures": replace(SMALL_PICTURES, epochs=40, weight_decay=2e-2),
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 28×28×1, 0 to 1
    # The first two see every pixel: a stride there made more errors on writers that were held out.
    x = norm_convolution(x, 32, 3, padding="valid", name="conv1")  # 26×26×32
    x = norm_convolution(x, 48, 3, padding="valid", name="conv2")  # 24×24×48
    x = norm_convolution(x, 64, 3, stride=2, name="conv3")  # 12×12×64
    x = norm_convolution(x, 96, 3, name="conv4")  # 12×12×96
    x = norm_convolution(x, 128, 3, stride=2, name="conv5")  # 6×6×128
    x = norm_convolution(x, 128, 3, name="conv6")  # 6×6×128
    x = norm_convolution(x, 160, 3, name="conv7")  # 6×6×160
    x = norm_convolution(x, 192, 3, padding="valid", name="conv8")  # 4×4×192
    x = layers.Flatten(name="flat")(x)  # 3,072
    logits = layers.Dense(classes, dtype="float32", name="output")(x)  # 10
    return keras.Model(image, logits, name="convnet-record")
