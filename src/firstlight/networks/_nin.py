"""What the three Networks in Networks share: mlpconv layers, pooling, and the author's recipe.

Lin, Chen and Yan, "Network in network", arXiv 1312.4400.
"""

from typing import Any

from keras import layers

from firstlight.networks._layers import relu_convolution
from firstlight.recipe import Recipe

# The first author's recipe for CIFAR-10: 200 epochs, then 30, then 30. Before it the paper
# normalises and whitens the pictures (section 4); here only their mean and standard deviation
# are made 0 and 1.
NIN_PAPER = Recipe(
    epochs=260,
    batch_size=128,
    learning_rate=0.1,
    momentum=0.9,
    nesterov=False,
    l2=1e-4,
    lr_multipliers={"bias": 2, "cccp6/kernel": 0.1, "cccp6/bias": 0.2},
    lr_drops=(200 / 260, 230 / 260),
    init_stddev=0.05,
)


def cascade(x: Any, first: int, second: int, *, number: int) -> Any:
    """Return two 1×1 convolutions with ReLU, the end of the mlpconv layer of that number.

    The author calls them "cccp": cascaded cross-channel parametric pooling. Without centred
    kernels the last ReLU stays at 0 for some classes, which are then never predicted.
    """
    x = relu_convolution(x, first, 1, padding="valid", name=f"cccp{2 * number - 1}")
    return relu_convolution(x, second, 1, padding="valid", name=f"cccp{2 * number}")


def pool(x: Any, *, number: int) -> Any:
    """Return the maximum of 3×3, every second pixel: maps half as high, rounded up or down.

    The author's pooling rounds the size (height − 3) / 2 up. "same" does so for an even height,
    "valid" for an odd one.
    """
    height = x.shape[1]
    padding = "same" if height % 2 == 0 else "valid"
    return layers.MaxPooling2D(3, 2, padding=padding, name=f"pool{number}")(x)
