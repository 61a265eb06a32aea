"""Convolutions with batch norm and ReLU, in three sizes: to be quick, to set a record, to read.

Strided convolutions instead of pools halve the work; batch norm lets the rate be high, so that
the small one needs one pass over the images for 99 % (`quick`) and five for 99.5 % (`short`) if it
sees each image a little different each time (see augment.py). So the larger ones go on learning
for many passes: as people write (`record`), or as bad scans and photographs show it (`robust`).
The one that `firstlight read` uses is made to be fast without a graphics card, and learns from what
the reader cuts out of pictures: `firstlight train convnet --recipe reader --data cutouts`.
"""

from dataclasses import replace
from typing import Any

import keras
from keras import layers

from firstlight.networks._layers import BatchNorm
from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = {"": 124_778, "record": 825_706, "reader": 446_314}
WRITING = {  # what pens and writers do to a digit, and what is left of it in a small picture
    "stroke": 0.5, "blur": 0.6,
    "rotate": 12, "scale": 0.12, "shear": 0.2, "shift": 1, "elastic": 1.2,
    "noise": 10,
}  # fmt: skip
RECORD = Recipe(
    epochs=36,
    batch_size=128,
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=2e-3,
    label_smoothing=0.1,
    schedule="one-cycle",
    keep="last",  # where the rate has fallen to nothing; a few validation images say less than that
    average=0.999,
    augment=WRITING,
    settle=4,
    precision="bfloat16",
    steps_per_call=10,
)
SLIGHT = {"rotate": 8, "scale": 0.08, "shear": 0.1, "shift": 0.7, "elastic": 1}
HARDSHIP = {  # what scanners, light and other pens do to a digit, and its negative
    "stroke": 0.5, "blur": 1,
    "rotate": 25, "scale": 0.35, "shear": 0.3, "shift": 3.5, "elastic": 1.2,
    "outline": 0.15, "scribble": 0.25,
    "light": 2.5, "bright": 130, "noise": 40, "specks": 0.2, "invert": 0.2,
}  # fmt: skip
RECIPES = {  # each with its variant as it is read here, by `list`, without running this file
    "quick": Recipe(
        epochs=1,
        batch_size=128,
        learning_rate=0.2,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="one-cycle",
        precision="bfloat16",
        steps_per_call=10,
    ),
    "short": replace(
        RECORD,
        epochs=5,
        learning_rate=0.2,
        weight_decay=5e-4,
        average=0.99,
        augment=SLIGHT,
        settle=2,
    ),
    "record": replace(RECORD, variant="record"),
    "robust": replace(RECORD, variant="record", epochs=30, augment=HARDSHIP, settle=0),
    "reader": replace(RECORD, variant="reader", epochs=14, settle=2),
}
CONVOLUTIONS = {  # maps, size, stride
    "": ((32, 5, 2), (64, 3, 2), (64, 3, 1), (64, 3, 1)),  # 14×14, then 7×7
    "record": (  # 14×14, 7×7, 4×4
        (32, 5, 2),
        (64, 3, 1),
        (96, 3, 1),
        (128, 3, 2),
        (128, 3, 1),
        (160, 3, 1),
        (192, 3, 2),
    ),
    "reader": ((32, 5, 2), (64, 3, 1), (64, 3, 1), (128, 3, 2), (128, 3, 1), (128, 3, 2)),
}


def convolution(x: Any, maps: int, size: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(maps, size, stride, padding="same", use_bias=False, name=name)(x)
    x = BatchNorm(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def build(classes: int, variant: str = "") -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 0 to 1
    for number, (maps, size, stride) in enumerate(CONVOLUTIONS[variant], start=1):
        x = convolution(x, maps, size, stride, name=f"conv{number}")
    x = layers.Flatten(name="flat")(x)
    logits = layers.Dense(classes, dtype="float32", name="output")(x)  # 10
    return keras.Model(image, logits, name=f"convnet-{variant}" if variant else "convnet")
