"""What the convnets share: the convolution with batch norm, and the recipe for many passes.

Strided convolutions instead of pooling layers halve the work. Batch norm allows a high learning
rate.
"""

from typing import Any

from keras import layers

from firstlight.networks._layers import BatchNorm
from firstlight.recipe import Recipe

WRITING = {  # how digits differ by pens and writers, and by being reduced to a small image
    "stroke": 0.5, "blur": 0.6,
    "rotate": 12, "scale": 0.12, "shear": 0.2, "shift": 1, "elastic": 1.2,
    "noise": 10,
}  # fmt: skip

# Many passes over the images, augmented as people write. Each network sets its own epochs.
MANY_PASSES = Recipe(
    epochs=36,
    batch_size=128,
    learning_rate=0.1,
    momentum=0.9,
    weight_decay=2e-3,
    label_smoothing=0.1,
    schedule="one-cycle",
    keep="last",  # the learning rate has fallen to zero: a more certain choice than by validation
    ema_decay=0.999,
    augment=WRITING,
    precision="bfloat16",
    steps_per_call=10,
)


def norm_convolution(
    x: Any, maps: int, size: int, *, stride: int = 1, padding: str = "same", name: str
) -> Any:
    """Return a convolution of size × size with batch norm and ReLU.

    The maps are ⌈height / stride⌉ high; with the padding "valid", ⌈(height − size + 1) / stride⌉.
    """
    x = layers.Conv2D(maps, size, stride, padding=padding, use_bias=False, name=name)(x)
    x = BatchNorm(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
