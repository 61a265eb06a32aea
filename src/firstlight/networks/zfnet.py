"""ZFNet: AlexNet with smaller filters and a smaller stride in its first layers.

Zeiler and Fergus, arXiv 1311.2901, section 3 and figure 3: 38.4 % top-1 and 16.5 % top-5 error on
ImageNet's validation images (table 2). The authors chose the first layers after they had looked
at what AlexNet's maps respond to. Layers 1, 2 and 6 to 8 stand in _zfnet.py.
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
PARAMETERS = 62_357_608
PAPER = "Zeiler, Fergus 2013"
REACHES = {"modern": ("photographs", 0.728, 2310.2)}
RECIPES = {"modern": ZFNET_MODERN, "paper": ZFNET_PAPER}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers_1_and_2(image)  # 13×13×256
    x = relu_convolution(x, 384, 3, name="conv3")  # 13×13×384
    x = relu_convolution(x, 384, 3, name="conv4")  # 13×13×384
    x = relu_convolution(x, 256, 3, name="conv5")  # 13×13×256
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)  # 6×6×256
    logits = layers_6_to_8(x, classes)  # 1,000
    return keras.Model(image, logits, name="zfnet")
