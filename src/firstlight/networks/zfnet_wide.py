"""ZFNet with more maps in layers 3 to 5: 512, 1,024 and 512.

Zeiler and Fergus, arXiv 1311.2901, section 4 and table 2: 37.5 % top-1 and 16.0 % top-5 error on
ImageNet's validation images. All else is as in zfnet.py.
"""

import keras
from keras import layers

from firstlight.networks._layers import relu_convolution
from firstlight.networks._zfnet import (
    ZFNET_MODERN,
    ZFNET_PAPER,
    layers_1_and_2,
    layers_6_to_8,
)

INPUT = (224, 224, 3)
CLASSES = 1000
PARAMETERS = 107_627_624
PAPER = "Zeiler, Fergus 2013"
RECIPES = {"modern": ZFNET_MODERN, "paper": ZFNET_PAPER}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers_1_and_2(image)  # 13×13×256
    x = relu_convolution(x, 512, 3, name="conv3")  # 13×13×512
    x = relu_convolution(x, 1024, 3, name="conv4")  # 13×13×1024
    x = relu_convolution(x, 512, 3, name="conv5")  # 13×13×512
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)  # 6×6×512
    logits = layers_6_to_8(x, classes)  # 1,000
    return keras.Model(image, logits, name="zfnet-wide")
