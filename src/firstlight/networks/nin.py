"""Network in Network: each convolution followed by two 1×1 layers, slid over the map with it.

Lin, Chen and Yan, arXiv 1312.4400: 0.47 % test error on MNIST without augmentation (table 4). The
sizes are the first author's, from his network definitions.
"""

from typing import Any

import keras
from keras import layers

from firstlight.recipe import Recipe

INPUT = (28, 28, 1)
PARAMETERS = 349_674
RECIPES = {
    "default": Recipe(  # the paper's is hundreds of epochs at a constant rate of 0.1, then lowered
        epochs=15,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=1e-3,
        schedule="one-cycle",
        precision="bfloat16",
        steps_per_call=10,
    )
}


def mlpconv(x: Any, number: int, size: int, maps: tuple[int, int, int]) -> Any:
    """A convolution and two 1×1 ones ("cccp": cascaded cross-channel pooling), all with ReLU."""
    first, second, third = maps
    he = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    x = layers.Conv2D(first, size, name=f"conv{number}", **he)(x)
    x = layers.Conv2D(second, 1, name=f"cccp{2 * number - 1}", **he)(x)
    return layers.Conv2D(third, 1, name=f"cccp{2 * number}", **he)(x)


def build(classes: int) -> keras.Model:
    image = keras.Input(INPUT, dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)  # 0 to 1
    x = mlpconv(x, 1, 5, (96, 64, 48))  # 28×28×48
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)  # 14×14×48
    x = layers.Dropout(0.5, name="drop1")(x)
    x = mlpconv(x, 2, 5, (128, 96, 48))  # 14×14×48
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool2")(x)  # 7×7×48
    x = layers.Dropout(0.5, name="drop2")(x)
    x = mlpconv(x, 3, 5, (128, 96, classes))  # 7×7×10, ReLU on the last one too, as the author has
    logits = layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)  # 10
    return keras.Model(image, logits, name="nin")
