"""What the two OverFeat networks share: the paper's recipe and the layers.

Sermanet, Eigen, Zhang, Mathieu, Fergus and LeCun, "OverFeat: integrated recognition, localization
and detection using convolutional networks", arXiv 1312.6229.
"""

from typing import Any

from keras import layers

from firstlight.networks._layers import CentredHe
from firstlight.recipe import Recipe

# Section 3.1, which does not say after how many epochs training ends.
PAPER = Recipe(
    epochs=90,
    batch_size=128,
    learning_rate=0.05,
    momentum=0.6,
    nesterov=False,
    l2=1e-5,
    lr_drops=(30 / 90, 50 / 90, 60 / 90, 70 / 90, 80 / 90),
    lr_drop_factor=0.5,
    init_stddev=0.01,
    augment={"anywhere": 1, "mirror": 0.5},
)


def convolution(
    x: Any, maps: int, size: int, *, stride: int = 1, padding: str = "same", name: str
) -> Any:
    """Return a convolution of size × size with ReLU."""
    return layers.Conv2D(
        maps,
        size,
        stride,
        padding=padding,
        activation="relu",
        kernel_initializer=CentredHe(),
        name=name,
    )(x)


def fully_connected(x: Any, width: int, *, number: int) -> Any:
    """Return `width` neurons with ReLU, half of them dropped in training."""
    x = layers.Dense(
        width, activation="relu", kernel_initializer=CentredHe(), name=f"full{number}"
    )(x)
    return layers.Dropout(0.5, name=f"drop{number}")(x)


def output(x: Any, classes: int, *, number: int) -> Any:
    """Return the last layer: the logits (N, classes)."""
    return layers.Dense(
        classes, kernel_initializer=CentredHe(), dtype="float32", name=f"full{number}"
    )(x)
