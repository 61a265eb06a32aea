"""ZFNet: AlexNet after its authors had looked into it, with finer first filters and stride.

Zeiler and Fergus, arXiv 1311.2901, section 3 and figure 3: 38.4 % top-1 and 16.5 % top-5 error on
ImageNet's validation images; `zfnet-wide`, with 512, 1024 and 512 maps in layers 3 to 5, 37.5 % and
16.0 % (table 2). Paddings are chosen so that the maps are of the paper's sizes: 110, 55, 26, 13, 6.
The paper names no constants of its contrast normalisation: see LocalResponseNorm.
"""

from dataclasses import replace
from typing import Any

import keras
from keras import layers

from firstlight.networks._layers import DEVIATION, MEAN, CentredHe, LocalResponseNorm
from firstlight.networks._recipes import FEW_PICTURES
from firstlight.recipe import Recipe

INPUT = (224, 224, 3)
CLASSES = 1000
PARAMETERS = {"": 62_357_608, "wide": 107_627_624}
MAPS = {"": (384, 384, 256), "wide": (512, 1024, 512)}  # of layers 3, 4 and 5
RECIPES = {
    "modern": replace(
        FEW_PICTURES,
        variant=("", "wide"),
        # Pixels are not divided by DEVIATION: weights are smaller by it, and gradients larger.
        rates={"conv1/kernel": DEVIATION**-2},
    ),
    # 70 epochs of ImageNet, 12 days; "lowered when validation error plateaus": by how much and when
    # it does not say. It subtracts each pixel's own mean, and takes ten crops of the middle square,
    # where this one crops anywhere.
    "paper": Recipe(
        variant=("", "wide"),
        epochs=70,
        batch_size=128,
        learning_rate=0.01,
        momentum=0.9,
        nesterov=False,
        lower_after=5,
        deviation=0.01,
        filter_rms=0.1,
        augment={"anywhere": 1, "mirror": 0.5},
    ),
}


def convolution(x: Any, maps: int, size: int, stride: int, padding: str, name: str) -> Any:
    kernel = CentredHe(DEVIATION if name == "conv1" else 1.0)
    return layers.Conv2D(
        maps, size, stride, padding, activation="relu", kernel_initializer=kernel, name=name
    )(x)


def build(classes: int, variant: str = "") -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    third, fourth, fifth = MAPS[variant]
    x = layers.Rescaling(1.0, offset=-MEAN, name="centre")(image)  # −118 to 137
    x = layers.ZeroPadding2D(1, name="pad")(x)  # 226×226×3
    x = convolution(x, 96, 7, 2, "valid", "conv1")  # 110×110×96
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)  # 55×55×96
    x = LocalResponseNorm(name="norm1")(x)  # after pooling; in AlexNet before it
    x = convolution(x, 256, 5, 2, "valid", "conv2")  # 26×26×256
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool2")(x)  # 13×13×256
    x = LocalResponseNorm(name="norm2")(x)
    x = convolution(x, third, 3, 1, "same", "conv3")  # 13×13×384
    x = convolution(x, fourth, 3, 1, "same", "conv4")  # 13×13×384
    x = convolution(x, fifth, 3, 1, "same", "conv5")  # 13×13×256
    x = layers.MaxPooling2D(3, 2, name="pool5")(x)  # 6×6×256
    x = layers.Flatten(name="flat")(x)  # 9,216
    for name in ("fc6", "fc7"):
        x = layers.Dense(4096, activation="relu", kernel_initializer=CentredHe(), name=name)(x)
        x = layers.Dropout(0.5, name=f"drop{name[-1]}")(x)
    kernel = CentredHe()
    logits = layers.Dense(classes, kernel_initializer=kernel, dtype="float32", name="fc8")(x)
    return keras.Model(image, logits, name=f"zfnet-{variant}" if variant else "zfnet")
