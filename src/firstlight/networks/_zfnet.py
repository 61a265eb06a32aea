"""What the two ZFNets share: recipes, the convolution, and the fully connected layers.

Zeiler and Fergus, "Visualizing and understanding convolutional networks", arXiv 1311.2901.
"""

from dataclasses import replace
from typing import Any

from keras import layers

from firstlight.networks._layers import PIXEL_STDDEV, CentredHe
from firstlight.networks._recipes import FEW_PICTURES
from firstlight.recipe import Recipe

# Pixels are not divided by their standard deviation. So the weights of conv1 are smaller by that
# factor, and their gradients larger by it.
MODERN = replace(FEW_PICTURES, lr_multipliers={"conv1/kernel": PIXEL_STDDEV**-2})

# Section 3.1: 70 epochs of ImageNet, 12 days. The paper lowers the learning rate "when validation
# error plateaus", but does not say when and by how much. It subtracts each pixel's own mean, and it
# takes ten crops of the middle square; this recipe crops anywhere.
PAPER = Recipe(
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


def convolution(
    x: Any, maps: int, size: int, *, stride: int = 1, padding: str = "same", name: str
) -> Any:
    """Return a convolution of size × size with ReLU; "conv1" takes pixels."""
    input_stddev = PIXEL_STDDEV if name == "conv1" else 1.0
    return layers.Conv2D(
        maps,
        size,
        stride,
        padding=padding,
        activation="relu",
        kernel_initializer=CentredHe(input_stddev),
        name=name,
    )(x)


def fully_connected(x: Any, *, number: int) -> Any:
    """Return layer 6 or 7: 4,096 neurons with ReLU, half of them dropped in training."""
    x = layers.Dense(4096, activation="relu", kernel_initializer=CentredHe(), name=f"fc{number}")(x)
    return layers.Dropout(0.5, name=f"drop{number}")(x)


def output(x: Any, classes: int) -> Any:
    """Return layer 8: the logits (N, classes)."""
    return layers.Dense(classes, kernel_initializer=CentredHe(), dtype="float32", name="fc8")(x)
