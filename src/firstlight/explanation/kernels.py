"""The weights of a first layer as images. NumPy alone: the page's server uses this too."""

import math

import numpy as np

from firstlight.images.crops import Size


def kernel_images(kernel: np.ndarray, size: Size) -> np.ndarray:
    """Return a first layer's weights as images, one per unit: (units, height, width, channels).

    Args:
        kernel: of a convolution (height, width, channels, units), of a dense layer (pixels, units),
            or of the network `softmax` (units, pixels).
        size: (height, width, channels) of the network's input; a convolution's kernel has its own.
    """
    if kernel.ndim == 4:
        return kernel.transpose(3, 0, 1, 2)
    is_dense = kernel.shape[0] == math.prod(size)
    rows = kernel.T if is_dense else kernel
    return rows.reshape(-1, *size)
