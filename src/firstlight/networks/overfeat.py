"""OverFeat: large filters or small strides, no normalisation, and poolings that do not overlap.

Sermanet, Eigen, Zhang, Mathieu, Fergus and LeCun, arXiv 1312.6229, tables 1 and 3: 39.0 % top-1 and
17.0 % top-5 error on ImageNet's validation images for the fast network, 35.7 % and 14.2 % for the
accurate one at four scales (table 2). Sizes and the scaling of pixels are those of the weights that
the authors released. What slides it over a picture: views.py.
"""

from dataclasses import replace
from typing import Any

import keras
from keras import layers

from firstlight.networks._layers import DEVIATION, MEAN, CentredHe
from firstlight.networks._recipes import FEW_PICTURES
from firstlight.recipe import Recipe

INPUT = {"": (231, 231, 3), "accurate": (221, 221, 3)}  # "": the fast one
CLASSES = 1000
PARAMETERS = {"": 145_920_872, "accurate": 144_656_488}
RECIPES = {
    "modern": replace(FEW_PICTURES, variant=("", "accurate")),
    "paper": Recipe(  # section 3.1, which does not say after how many epochs it ends
        variant=("", "accurate"),
        epochs=90,
        batch_size=128,
        learning_rate=0.05,
        momentum=0.6,
        nesterov=False,
        l2=1e-5,
        lower_at=tuple(epoch / 90 for epoch in (30, 50, 60, 70, 80)),
        lower_by=0.5,
        deviation=0.01,
        augment={"anywhere": 1, "mirror": 0.5},
    ),
}
LAYERS = {  # maps, size, stride, padding, pooling (its stride too)
    "": (  # figures are map sizes, before → after pooling
        (96, 11, 4, "valid", 2),  # 56 → 28
        (256, 5, 1, "valid", 2),  # 24 → 12
        (512, 3, 1, "same", 1),  # 12
        (1024, 3, 1, "same", 1),  # 12
        (1024, 3, 1, "same", 2),  # 12 → 6
    ),
    "accurate": (
        (96, 7, 2, "valid", 3),  # 108 → 36
        (256, 7, 1, "valid", 2),  # 30 → 15
        (512, 3, 1, "same", 1),  # 15
        (512, 3, 1, "same", 1),  # 15
        (1024, 3, 1, "same", 1),  # 15
        (1024, 3, 1, "same", 3),  # 15 → 5
    ),
}
WIDTH = {"": 3072, "accurate": 4096}  # of the first fully connected layer


def first(activation: str = "relu") -> dict[str, Any]:
    return {"activation": activation, "kernel_initializer": CentredHe()}


def build(classes: int, variant: str = "") -> keras.Model:
    image = keras.Input(INPUT[variant], dtype="uint8", name="image")
    x: Any = layers.Rescaling(1 / DEVIATION, offset=-MEAN / DEVIATION, name="scale")(image)
    for number, (maps, size, stride, padding, pool) in enumerate(LAYERS[variant], start=1):
        x = layers.Conv2D(maps, size, stride, padding, name=f"conv{number}", **first())(x)
        if pool > 1:
            x = layers.MaxPooling2D(pool, name=f"pool{number}")(x)
    x = layers.Flatten(name="flat")(x)  # 36,864 or 25,600
    top = len(LAYERS[variant]) + 1
    for number, width in ((top, WIDTH[variant]), (top + 1, 4096)):
        x = layers.Dense(width, name=f"full{number}", **first())(x)
        x = layers.Dropout(0.5, name=f"drop{number}")(x)
    last = f"full{top + 2}"
    logits = layers.Dense(classes, dtype="float32", name=last, **first("linear"))(x)  # 1,000
    return keras.Model(image, logits, name=f"overfeat-{variant}" if variant else "overfeat")
