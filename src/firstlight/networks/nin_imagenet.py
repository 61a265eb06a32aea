"""Network in Network for ImageNet: four mlpconv layers on pictures of 224×224.

Lin, Chen and Yan, arXiv 1312.4400, have no experiment on ImageNet: the sizes are those of the
network that the first author gave to Caffe's model zoo.
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._layers import PIXEL_MEAN, PIXEL_STDDEV, Dropout, relu_convolution
from firstlight.networks._nin import cascade, pool
from firstlight.networks._recipes import FEW_PICTURES

INPUT = (224, 224, 3)
CLASSES = 1000
PARAMETERS = 7_595_176
PAPER = "Lin, Chen, Yan 2013"
REACHES = {"modern": ("photographs", 0.761, 4852.1)}
RECIPES = {
    "modern": replace(
        FEW_PICTURES,
        epochs=180,
        weight_decay=1e-2,
        # The last layer learns more slowly, as in the paper's recipe: otherwise some classes are
        # never predicted, because their map stays at 0 in the ReLU.
        lr_multipliers={"cccp8/kernel": 0.1, "cccp8/bias": 0.2},
    )
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    normalized = layers.Rescaling(1 / PIXEL_STDDEV, -PIXEL_MEAN / PIXEL_STDDEV, name="scale")
    x = normalized(image)  # 224×224×3, −1.9 to 2.2

    x = relu_convolution(x, 96, 11, stride=4, padding="valid", name="conv1")  # 54×54×96
    x = cascade(x, 96, 96, number=1)  # 54×54×96
    x = pool(x, number=1)  # 27×27×96

    x = relu_convolution(x, 256, 5, name="conv2")  # 27×27×256
    x = cascade(x, 256, 256, number=2)  # 27×27×256
    x = pool(x, number=2)  # 13×13×256

    x = relu_convolution(x, 384, 3, name="conv3")  # 13×13×384
    x = cascade(x, 384, 384, number=3)  # 13×13×384
    x = pool(x, number=3)  # 6×6×384
    x = Dropout(0.5, name="drop3")(x)

    x = relu_convolution(x, 1024, 3, name="conv4")  # 6×6×1024
    x = cascade(x, 1024, classes, number=4)  # 6×6×1000: a map for each class
    # The author has a ReLU on this last layer too, so a logit is never negative.
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)  # 1,000
    return keras.Model(image, logits, name="nin-imagenet")
