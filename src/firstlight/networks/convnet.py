"""A small convolutional network with batch norm and ReLU, made to be quick.

It needs one pass over the images for 99 % (`quick`). Wider networks of the same kind profit from
more passes, in which each image is a little different each time (see training/augment.py):
`convnet-short` takes five for 99.5 %, `convnet-record` many. `convnet-reader` is the recogniser of
`firstlight read`. `convnet-photos` takes photographs.
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._convnet import norm_convolution
from firstlight.networks._recipes import SMALL_PICTURES
from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = 33_914
REACHES = {"quick": ("mnist", 0.9903, 2.24)}
RECIPES = {
    "quick": Recipe(
        epochs=1,
        batch_size=128,
        learning_rate=0.4,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="one-cycle",
        precision="bfloat16",
        steps_per_call=10,
    ),
    "pictures": replace(SMALL_PICTURES, weight_decay=2e-2),
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 28×28×1, 0 to 1
    # Without padding: the margin of a digit is empty, and the maps get smaller.
    x = norm_convolution(x, 16, 5, stride=2, padding="valid", name="conv1")  # 12×12×16
    x = norm_convolution(x, 32, 3, stride=2, name="conv2")  # 6×6×32
    x = norm_convolution(x, 64, 3, padding="valid", name="conv3")  # 4×4×64
    x = layers.Flatten(name="flat")(x)  # 1,024
    logits = layers.Dense(classes, dtype="float32", name="output")(x)  # 10
    return keras.Model(image, logits, name="convnet")
