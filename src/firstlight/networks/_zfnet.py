"""What the two ZFNets share: layers 1, 2 and 6 to 8 of figure 3, and the recipes.

Zeiler and Fergus, "Visualizing and understanding convolutional networks", arXiv 1311.2901.
Paddings are chosen so that the maps have the paper's sizes: 110, 55, 26, 13, 6. The paper does not
name the constants of its contrast normalisation: see LocalResponseNorm.
"""

from dataclasses import replace
from typing import Any

from keras import layers

from firstlight.networks._layers import (
    PIXEL_MEAN,
    PIXEL_STDDEV,
    LocalResponseNorm,
    dense_logits,
    dropped_dense,
    relu_convolution,
)
from firstlight.networks._recipes import FEW_PICTURES
from firstlight.recipe import Recipe

# Pixels are not divided by their standard deviation. So the weights of conv1 are smaller by that
# factor, and their gradients larger by it.
ZFNET_MODERN = replace(FEW_PICTURES, lr_multipliers={"conv1/kernel": PIXEL_STDDEV**-2})

# Section 3.1: 70 epochs of ImageNet, 12 days. The paper lowers the learning rate "when validation
# error plateaus", but does not say when and by how much. It subtracts each pixel's own mean, and it
# takes ten crops of the middle square; this recipe crops anywhere.
ZFNET_PAPER = Recipe(
    epochs=70,
    batch_size=128,
    learning_rate=0.01,
    momentum=0.9,
    nesterov=False,
    plateau_epochs=5,
    init_stddev=0.01,
    max_filter_rms=0.1,
    augment={"anywhere": 1, "mirror": 0.5},
)


def layers_1_and_2(image: Any) -> Any:
    """Return maps 13×13×256 of an image 224×224×3."""
    x = layers.Rescaling(1.0, offset=-PIXEL_MEAN, name="centre")(image)  # −118 to 137: not divided
    x = layers.ZeroPadding2D(1, name="pad")(x)  # 226×226×3
    x = relu_convolution(
        x, 96, 7, stride=2, padding="valid", input_stddev=PIXEL_STDDEV, name="conv1"
    )  # 110×110×96
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)  # 55×55×96
    x = LocalResponseNorm(name="norm1")(x)  # after the pooling; AlexNet has it before
    x = relu_convolution(x, 256, 5, stride=2, padding="valid", name="conv2")  # 26×26×256
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool2")(x)  # 13×13×256
    return LocalResponseNorm(name="norm2")(x)


def layers_6_to_8(maps: Any, classes: int) -> Any:
    """Return logits of the last maps: two dense layers with dropout, and one for the classes."""
    x = layers.Flatten(name="flat")(maps)
    x = dropped_dense(x, 4096, name="fc6", dropout_name="drop6")  # 4,096
    x = dropped_dense(x, 4096, name="fc7", dropout_name="drop7")  # 4,096
    return dense_logits(x, classes, name="fc8")  # 1,000
