"""A convolutional network with batch norm for a thousand photographs: minutes, not an hour.

ZFNet and OverFeat have large filters, large dense layers and no batch norm. This one has what came
after them: 3×3 filters (Simonyan and Zisserman, arXiv 1409.1556), batch norm (Ioffe and Szegedy,
arXiv 1502.03167), and strides instead of pooling. Like Network in Network it ends with a global
average pool. It sees 112×112 pixels, a quarter of what they see.
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._convnet import norm_convolution
from firstlight.networks._layers import PIXEL_MEAN, PIXEL_STDDEV
from firstlight.networks._recipes import FEW_PICTURES

INPUT = (112, 112, 3)
PARAMETERS = 1_168_042
REACHES = {"modern": ("photographs", 0.782, 345.1)}
RECIPES = {"modern": replace(FEW_PICTURES, epochs=100, learning_rate=0.1, ema_decay=0.99)}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    normalized = layers.Rescaling(1 / PIXEL_STDDEV, -PIXEL_MEAN / PIXEL_STDDEV, name="scale")
    x = normalized(image)  # 112×112×3, −1.9 to 2.2
    x = norm_convolution(x, 32, 5, stride=2, name="conv1")  # 56×56×32
    x = norm_convolution(x, 64, 3, stride=2, name="conv2")  # 28×28×64
    x = norm_convolution(x, 64, 3, name="conv3")  # 28×28×64
    x = norm_convolution(x, 128, 3, stride=2, name="conv4")  # 14×14×128
    x = norm_convolution(x, 128, 3, name="conv5")  # 14×14×128
    x = norm_convolution(x, 256, 3, stride=2, name="conv6")  # 7×7×256
    x = norm_convolution(x, 256, 3, name="conv7")  # 7×7×256
    x = layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)  # 256
    logits = layers.Dense(classes, dtype="float32", name="output")(x)  # 10
    return keras.Model(image, logits, name="convnet-photos")
