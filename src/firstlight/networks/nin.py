"""Network in Network: each convolution followed by two 1×1 layers, slid over the map with it.

Lin, Chen and Yan, arXiv 1312.4400: 0.47 % test error on MNIST without augmentation, 10.41 % on
CIFAR-10, 8.81 % with it (section 4). The sizes are the first author's, from his network
definitions; those of `nin-imagenet` from the one that he gave to Caffe's model zoo: the paper has
no experiment on ImageNet.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import keras
from keras import layers

from firstlight.networks._layers import DEVIATION, MEAN, CentredHe
from firstlight.networks._recipes import FEW_PICTURES
from firstlight.recipe import Recipe

INPUT = {"": (28, 28, 1), "cifar": (32, 32, 3), "imagenet": (224, 224, 3)}
CLASSES = {"": 10, "cifar": 10, "imagenet": 1000}
PARAMETERS = {"": 349_674, "cifar": 966_986, "imagenet": 7_595_176}
# Digits become 0 to 1; pixels of photographs lose their mean and their deviation (ImageNet's).
PHOTOGRAPHS = (1 / DEVIATION, -MEAN / DEVIATION)
SCALING = {"": (1 / 255, 0.0), "cifar": PHOTOGRAPHS, "imagenet": PHOTOGRAPHS}
RECIPES = {
    "default": Recipe(  # the paper's is hundreds of epochs at a constant rate of 0.1, then lowered
        variant="",
        epochs=15,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=1e-3,
        clip=1.0,
        schedule="one-cycle",
        precision="bfloat16",
        steps_per_call=10,
    ),
    # The last layer is slower, as in the paper's: else classes die under its ReLU.
    "modern": replace(
        FEW_PICTURES,
        variant="imagenet",
        epochs=180,
        weight_decay=1e-2,
        rates={"cccp8/kernel": 0.1, "cccp8/bias": 0.2},
    ),
    "small": replace(
        FEW_PICTURES, variant="cifar", epochs=100, learning_rate=0.02, weight_decay=1e-3
    ),
    # The first author's, for CIFAR-10: 200 epochs, 30, and 30. Before it the paper normalises and
    # whitens the pictures (section 4.1); here they lose one mean, and have one deviation.
    "paper": Recipe(
        variant=("", "cifar"),
        epochs=260,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        l2=1e-4,
        rates={"bias": 2, "cccp6/kernel": 0.1, "cccp6/bias": 0.2},
        lower_at=(200 / 260, 230 / 260),
        deviation=0.05,
    ),
}


class Stage(NamedTuple):
    size: int
    stride: int
    maps: tuple[int, ...]  # of the convolution and the 1×1 layers; the very last: one a class
    padding: str = "same"
    drop: bool = True  # after the pooling that follows


STAGES = {  # side of their maps, before → after pooling
    "": (
        Stage(5, 1, (96, 64, 48)),  # 28 → 14
        Stage(5, 1, (128, 96, 48)),  # 14 → 7
        Stage(5, 1, (128, 96)),  # 7
    ),
    "cifar": (
        Stage(5, 1, (192, 160, 96)),  # 32 → 16
        Stage(5, 1, (192, 192, 192)),  # 16 → 8
        Stage(3, 1, (192, 192)),  # 8
    ),
    "imagenet": (
        Stage(11, 4, (96, 96, 96), "valid", drop=False),  # 54 → 27
        Stage(5, 1, (256, 256, 256), drop=False),  # 27 → 13
        Stage(3, 1, (384, 384, 384)),  # 13 → 6
        Stage(3, 1, (1024, 1024)),  # 6
    ),
}


def mlpconv(x: Any, number: int, stage: Stage, maps: tuple[int, ...]) -> Any:
    """A convolution and two 1×1 ones ("cccp": cascaded cross-channel pooling), all with ReLU."""
    first, second, third = maps
    for count, size, stride, padding, name in (
        (first, stage.size, stage.stride, stage.padding, f"conv{number}"),
        (second, 1, 1, "valid", f"cccp{2 * number - 1}"),
        (third, 1, 1, "valid", f"cccp{2 * number}"),
    ):
        kernel = CentredHe()  # with plain ones, classes die under the last ReLU
        x = layers.Conv2D(
            count, size, stride, padding, activation="relu", kernel_initializer=kernel, name=name
        )(x)
    return x


def pool(x: Any, number: int, drop: bool) -> Any:
    """The author's pooling rounds sizes up: so does "same" of even ones, and "valid" of odd."""
    padding = "valid" if x.shape[1] % 2 else "same"
    x = layers.MaxPooling2D(3, 2, padding, name=f"pool{number}")(x)
    return layers.Dropout(0.5, name=f"drop{number}")(x) if drop else x


def build(classes: int, variant: str = "") -> keras.Model:
    image = keras.Input(INPUT[variant], dtype="uint8", name="image")
    scale, offset = SCALING[variant]
    x: Any = layers.Rescaling(scale, offset, name="scale")(image)
    *stages, last = STAGES[variant]
    for number, stage in enumerate(stages, start=1):
        x = pool(mlpconv(x, number, stage, stage.maps), number, stage.drop)
    # ReLU on the last layer too, as the author has: a logit is never negative.
    x = mlpconv(x, len(stages) + 1, last, (*last.maps, classes))
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)
    return keras.Model(image, logits, name=f"nin-{variant}" if variant else "nin")
