"""A first modern network: four convolutions, each with batch norm and ReLU.

Strided convolutions instead of pools halve the work; batch norm lets the rate be high, so that
one pass over the images is enough for 99 %.
"""

from typing import Any

import keras
from keras import layers

from firstlight.networks._layers import BatchNorm
from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = 141_426
RECIPES = {
    "default": Recipe(
        epochs=5,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="one-cycle",
        steps_per_call=5,
    )
}


def convolution(x: Any, maps: int, size: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(maps, size, stride, padding="same", use_bias=False, name=name)(x)
    x = BatchNorm(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 0 to 1
    x = convolution(x, 24, size=5, stride=2, name="conv1")  # 14×14×24
    x = convolution(x, 48, size=3, stride=1, name="conv2")  # 14×14×48
    x = convolution(x, 64, size=3, stride=2, name="conv3")  # 7×7×64
    x = convolution(x, 96, size=3, stride=1, name="conv4")  # 7×7×96
    x = layers.Flatten(name="flat")(x)  # 4,704
    logits = layers.Dense(classes, name="output")(x)  # 10
    return keras.Model(image, logits, name="convnet")
