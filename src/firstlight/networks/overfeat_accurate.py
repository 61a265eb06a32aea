"""OverFeat, the accurate network: a smaller stride and one layer more than the fast one.

Sermanet et al., arXiv 1312.6229, table 3: 35.7 % top-1 and 14.2 % top-5 error on ImageNet's
validation images at four scales (table 2). Sizes and the scaling of pixels are those of the weights
that the authors released. `--views dense` slides it over a picture: see evaluation/crops.py.
"""

import keras
from keras import layers

from firstlight.networks._layers import (
    PIXEL_MEAN,
    PIXEL_STDDEV,
    dense_logits,
    dropped_dense,
    relu_convolution,
)
from firstlight.networks._overfeat import OVERFEAT_PAPER
from firstlight.networks._recipes import FEW_PICTURES

INPUT = (221, 221, 3)
CLASSES = 1000
PARAMETERS = 144_656_488
PAPER = "Sermanet, Eigen, Zhang, Mathieu, Fergus, LeCun 2013"
RECIPES = {"modern": FEW_PICTURES, "paper": OVERFEAT_PAPER}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    normalized = layers.Rescaling(1 / PIXEL_STDDEV, -PIXEL_MEAN / PIXEL_STDDEV, name="scale")
    x = normalized(image)  # 221×221×3, −1.9 to 2.2
    x = relu_convolution(x, 96, 7, stride=2, padding="valid", name="conv1")  # 108×108×96
    x = layers.MaxPooling2D(3, name="pool1")(x)  # 36×36×96
    x = relu_convolution(x, 256, 7, padding="valid", name="conv2")  # 30×30×256
    x = layers.MaxPooling2D(2, name="pool2")(x)  # 15×15×256
    x = relu_convolution(x, 512, 3, name="conv3")  # 15×15×512
    x = relu_convolution(x, 512, 3, name="conv4")  # 15×15×512
    x = relu_convolution(x, 1024, 3, name="conv5")  # 15×15×1024
    x = relu_convolution(x, 1024, 3, name="conv6")  # 15×15×1024
    x = layers.MaxPooling2D(3, name="pool6")(x)  # 5×5×1024
    x = layers.Flatten(name="flat")(x)  # 25,600
    x = dropped_dense(x, 4096, name="full7", dropout_name="drop7")  # 4,096
    x = dropped_dense(x, 4096, name="full8", dropout_name="drop8")  # 4,096
    logits = dense_logits(x, classes, name="full9")  # 1,000
    return keras.Model(image, logits, name="overfeat-accurate")
