"""Network in Network for MNIST: each convolution is followed by two 1×1 convolutions.

Lin, Chen and Yan, arXiv 1312.4400, table 4: 0.47 % test error without augmentation. The sizes are
those of the first author's network definitions.
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._layers import Dropout, relu_convolution
from firstlight.networks._nin import NIN_PAPER, cascade, pool
from firstlight.networks._recipes import SMALL_PICTURES
from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = 349_674
PAPER = "Lin, Chen, Yan 2013"
REACHES = {"default": ("mnist", 0.9957, 908.5)}
RECIPES = {
    # The paper trains for hundreds of epochs, at a constant learning rate and then at lower ones.
    "default": Recipe(
        epochs=15,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=1e-3,
        clip_norm=1.0,
        schedule="one-cycle",
        precision="bfloat16",
        steps_per_call=10,
    ),
    "paper": NIN_PAPER,
    "pictures": replace(SMALL_PICTURES, epochs=50, learning_rate=0.05),
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 28×28×1, 0 to 1

    x = relu_convolution(x, 96, 5, name="conv1")  # 28×28×96
    x = cascade(x, 64, 48, number=1)  # 28×28×48
    x = pool(x, number=1)  # 14×14×48
    x = Dropout(0.5, name="drop1")(x)

    x = relu_convolution(x, 128, 5, name="conv2")  # 14×14×128
    x = cascade(x, 96, 48, number=2)  # 14×14×48
    x = pool(x, number=2)  # 7×7×48
    x = Dropout(0.5, name="drop2")(x)

    x = relu_convolution(x, 128, 5, name="conv3")  # 7×7×128
    x = cascade(x, 96, classes, number=3)  # 7×7×10: a map for each class
    # The author has a ReLU on this last layer too, so a logit is never negative.
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)  # 10
    return keras.Model(image, logits, name="nin")
