"""ZFNet with more maps in layers 3 to 5: 512, 1,024 and 512.

Zeiler and Fergus, arXiv 1311.2901, section 4 and table 2: 37.5 % top-1 and 16.0 % top-5 error on
ImageNet's validation images. All else is as in zfnet.py.
"""

import keras
from keras import layers

from firstlight.networks._layers import (
    PIXEL_MEAN,
    PIXEL_STDDEV,
    LocalResponseNorm,
    dense_logits,
    dropped_dense,
    relu_convolution,
)
from firstlight.networks._zfnet import ZFNET_MODERN, ZFNET_PAPER

INPUT = (224, 224, 3)
CLASSES = 1000
PARAMETERS = 107_627_624
RECIPES = {"modern": ZFNET_MODERN, "paper": ZFNET_PAPER}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1.0, offset=-PIXEL_MEAN, name="centre")(image)  # −118 to 137: not divided
    x = layers.ZeroPadding2D(1, name="pad")(x)  # 226×226×3
    x = relu_convolution(
        x, 96, 7, stride=2, padding="valid", input_stddev=PIXEL_STDDEV, name="conv1"
    )  # 110×110×96
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)  # 55×55×96
    x = LocalResponseNorm(name="norm1")(x)  # after the pooling; AlexNet has it before
    x = relu_convolution(x, 256, 5, stride=2, padding="valid", name="conv2")  # 26×26×256
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool2")(x)  # 13×13×256
    x = LocalResponseNorm(name="norm2")(x)
    x = relu_convolution(x, 512, 3, name="conv3")  # 13×13×512
    x = relu_convolution(x, 1024, 3, name="conv4")  # 13×13×1024
    x = relu_convolution(x, 512, 3, name="conv5")  # 13×13×512
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)  # 6×6×512
    x = layers.Flatten(name="flat")(x)  # 18,432
    x = dropped_dense(x, 4096, name="fc6", dropout_name="drop6")  # 4,096
    x = dropped_dense(x, 4096, name="fc7", dropout_name="drop7")  # 4,096
    logits = dense_logits(x, classes, name="fc8")  # 1,000
    return keras.Model(image, logits, name="zfnet-wide")
