"""A multilayer perceptron: one hidden layer of 800 units.

Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual
document analysis" (2003): 1.6 % test error with cross entropy, without distortions.
"""

from dataclasses import replace

import keras
from keras import layers

from firstlight.networks._recipes import SMALL_PICTURES
from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = 636_010
PAPER = "Simard, Steinkraus, Platt 2003"
REACHES = {"default": ("mnist", 0.9838, 15.6)}
RECIPES = {
    "default": Recipe(
        epochs=20,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="one-cycle",
        steps_per_call=50,
        xla=True,
    ),
    "pictures": replace(SMALL_PICTURES, learning_rate=0.05),
}


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 0 to 1
    x = layers.Flatten(name="flat")(x)  # 784
    x = layers.Dense(800, activation="relu", name="hidden")(x)  # 800
    logits = layers.Dense(classes, name="output")(x)  # 10
    return keras.Model(image, logits, name="mlp")
