"""Network in Network for CIFAR-10: pictures of 32×32 in colour.

Lin, Chen and Yan, arXiv 1312.4400, table 1: 10.41 % test error, 8.81 % with augmentation. The sizes
are those of the first author's network definitions.
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._layers import PIXEL_MEAN, PIXEL_STDDEV, Dropout, relu_convolution
from firstlight.networks._nin import NIN_PAPER, cascade, pool
from firstlight.networks._recipes import FEW_PICTURES

INPUT = (32, 32, 3)
PARAMETERS = 966_986
PAPER = "Lin, Chen, Yan 2013"
RECIPES = {
    "small": replace(FEW_PICTURES, epochs=100, learning_rate=0.02, weight_decay=1e-3),
    "paper": NIN_PAPER,
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    normalized = layers.Rescaling(1 / PIXEL_STDDEV, -PIXEL_MEAN / PIXEL_STDDEV, name="scale")
    x = normalized(image)  # 32×32×3, −1.9 to 2.2

    x = relu_convolution(x, 192, 5, name="conv1")  # 32×32×192
    x = cascade(x, 160, 96, number=1)  # 32×32×96
    x = pool(x, number=1)  # 16×16×96
    x = Dropout(0.5, name="drop1")(x)

    x = relu_convolution(x, 192, 5, name="conv2")  # 16×16×192
    x = cascade(x, 192, 192, number=2)  # 16×16×192
    x = pool(x, number=2)  # 8×8×192
    x = Dropout(0.5, name="drop2")(x)

    x = relu_convolution(x, 192, 3, name="conv3")  # 8×8×192
    x = cascade(x, 192, classes, number=3)  # 8×8×10: a map for each class
    # The author has a ReLU on this last layer too, so a logit is never negative.
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)  # 10
    return keras.Model(image, logits, name="nin-cifar")
