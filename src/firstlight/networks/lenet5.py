"""LeNet-5, with the paper's layers, sizes and sparse C3.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
(1998), section II.B and figure 2: 0.95 % test error without distortions. It has the paper's 60,000
trainable parameters, and 850 more: a softmax output replaces the paper's fixed codes.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from firstlight.networks._recipes import SMALL_PICTURES
from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = 60_850
PAPER = "LeCun, Bottou, Bengio, Haffner 1998"
REACHES = {"default": ("mnist", 0.9913, 74.4)}
RECIPES = {
    "default": Recipe(
        epochs=20,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="one-cycle",
        steps_per_call=10,
    ),
    "pictures": SMALL_PICTURES,
}

# Table I: the S2 maps that each of the sixteen C3 maps is connected to.
C3_INPUTS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip


def squash(x: Any) -> Any:
    """Return A tanh(S x), the activation of appendix A: it maps −1 and 1 to themselves."""
    return 1.7159 * ops.tanh(2 / 3 * x)


class Subsampling(keras.layers.Layer):
    """S2, S4: the mean of 2×2, times a coefficient, plus a bias. Each map trains its own two."""

    pool_size, strides, padding = (2, 2), (2, 2), "valid"

    def build(self, shape: tuple[int, ...]) -> None:
        self.coefficient = self.add_weight(shape=shape[-1:], initializer="ones", name="coefficient")
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias")

    def linear(self, x: Any) -> Any:
        return ops.average_pool(x, 2) * self.coefficient + self.bias

    def call(self, x: Any) -> Any:
        return squash(self.linear(x))


class SparseConvolution(keras.layers.Layer):
    """C3: a convolution of 5×5. Each map is connected to some S2 maps only: 60 kernels, not 96."""

    kernel_size, strides, padding = (5, 5), (1, 1), "valid"

    def build(self, shape: tuple[int, ...]) -> None:
        input_maps, output_maps = shape[-1], len(C3_INPUTS)
        connections = [
            (input_map, output_map)
            for output_map, inputs in enumerate(C3_INPUTS)
            for input_map in inputs
        ]
        # `placement` has a 1 where kernel i belongs: kernels · placement is the dense kernel.
        self.placement = np.zeros((len(connections), input_maps, output_maps), np.float32)
        for i, (input_map, output_map) in enumerate(connections):
            self.placement[i, input_map, output_map] = 1
        fan_in = 25 * len(connections) / output_maps  # the mean over the C3 maps
        self.kernels = self.add_weight(
            shape=(5, 5, len(connections)),
            initializer=keras.initializers.RandomNormal(stddev=fan_in**-0.5),
            name="kernels",
        )
        self.bias = self.add_weight(shape=(output_maps,), initializer="zeros", name="bias")

    def linear(self, x: Any) -> Any:
        kernel = ops.tensordot(self.kernels, self.placement, axes=1)  # 5×5×6×16
        return ops.conv(x, kernel, padding="valid") + self.bias

    def call(self, x: Any) -> Any:
        return squash(self.linear(x))


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1.275 / 255, offset=-0.1, name="scale")(image)  # −0.1 to 1.175
    x = layers.ZeroPadding2D(2, name="pad")(x)  # 32×32
    x = layers.Conv2D(6, 5, activation=squash, name="C1")(x)  # 28×28×6
    x = Subsampling(name="S2")(x)  # 14×14×6
    x = SparseConvolution(name="C3")(x)  # 10×10×16
    x = Subsampling(name="S4")(x)  # 5×5×16
    x = layers.Conv2D(120, 5, activation=squash, name="C5")(x)  # 1×1×120
    x = layers.Flatten(name="flat")(x)  # 120
    x = layers.Dense(84, activation=squash, name="F6")(x)  # 84
    logits = layers.Dense(classes, name="output")(x)  # 10
    return keras.Model(image, logits, name="lenet5")
