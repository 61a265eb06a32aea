"""OverFeat, the fast network: large filters, no normalisation, and pooling without overlap.

Sermanet et al., arXiv 1312.6229, table 1: 39.0 % top-1 and 17.0 % top-5 error on ImageNet's
validation images (table 2). Sizes and the scaling of pixels are those of the weights that the
authors released. `--views dense` slides it over a picture: see evaluation/crops.py.
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

INPUT = (231, 231, 3)
CLASSES = 1000
PARAMETERS = 145_920_872
PAPER = "Sermanet, Eigen, Zhang, Mathieu, Fergus, LeCun 2013"
RECIPES = {"modern": FEW_PICTURES, "paper": OVERFEAT_PAPER}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    normalized = layers.Rescaling(1 / PIXEL_STDDEV, -PIXEL_MEAN / PIXEL_STDDEV, name="scale")
    x = normalized(image)  # 231×231×3, −1.9 to 2.2
    x = relu_convolution(x, 96, 11, stride=4, padding="valid", name="conv1")  # 56×56×96
    x = layers.MaxPooling2D(2, name="pool1")(x)  # 28×28×96
    x = relu_convolution(x, 256, 5, padding="valid", name="conv2")  # 24×24×256
    x = layers.MaxPooling2D(2, name="pool2")(x)  # 12×12×256
    x = relu_convolution(x, 512, 3, name="conv3")  # 12×12×512
    x = relu_convolution(x, 1024, 3, name="conv4")  # 12×12×1024
    x = relu_convolution(x, 1024, 3, name="conv5")  # 12×12×1024
    x = layers.MaxPooling2D(2, name="pool5")(x)  # 6×6×1024
    x = layers.Flatten(name="flat")(x)  # 36,864
    x = dropped_dense(x, 3072, name="full6", dropout_name="drop6")  # 3,072
    x = dropped_dense(x, 4096, name="full7", dropout_name="drop7")  # 4,096
    logits = dense_logits(x, classes, name="full8")  # 1,000
    return keras.Model(image, logits, name="overfeat")
