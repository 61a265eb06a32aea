"""Softmax regression: one layer of ten neurons, the network of the first graph.

LeCun et al., "Gradient-based learning applied to document recognition" (1998), section
III.C and figure 9: 12.0 % test error for such a linear classifier.
"""

from dataclasses import replace

import keras
from keras import initializers, layers

from firstlight.networks._recipes import SMALL_PICTURES
from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = 7_850
PAPER = "LeCun, Bottou, Bengio, Haffner 1998"
REACHES = {"default": ("mnist", 0.4715, 0.8), "long": ("mnist", 0.9232, 8.9)}
RECIPES = {
    # The recipe of the first graph: 1,000 steps of 100 images at a learning rate of 0.01.
    "default": Recipe(
        steps=1000,
        batch_size=100,
        learning_rate=0.01,
        steps_per_call=100,
        xla=True,
    ),
    # From small weights until the layer no longer gets better.
    "long": Recipe(
        epochs=30,
        batch_size=100,
        learning_rate=0.02,
        momentum=0.9,
        init_stddev=0.01,
        schedule="one-cycle",
        steps_per_call=50,
        xla=True,
    ),
    "pictures": replace(SMALL_PICTURES, init_stddev=0.01),
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 0 to 1
    x = layers.Flatten(name="flat")(x)  # 784
    # x · Wᵀ + b. A Dense layer would keep W as (784, 10). Here W is (10, 784): a digit's row can be
    # shown as a picture, and the CPU multiplies by it nearly twice as fast.
    logits = layers.EinsumDense(
        "ni,oi->no",
        classes,
        bias_axes="o",
        kernel_initializer=initializers.TruncatedNormal(stddev=1.0),
        name="layer1",
    )(x)  # 10
    return keras.Model(image, logits, name="softmax")
