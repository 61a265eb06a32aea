"""Layers that more than one network uses."""

import math
from typing import Any

import keras
import tensorflow as tf

MEAN, DEVIATION = 118.380948, 61.896913  # of ImageNet's pixels, as OverFeat's authors have them


class BatchNorm(keras.layers.Layer):
    """Batch normalisation over a map (Ioffe and Szegedy, arXiv 1502.03167, algorithms 1 and 2).

    One fused operation of TensorFlow's: Keras's layer, made of many, takes a fourth of a small
    network's training step on a CPU.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum  # of the moving mean and variance, which inference uses
        self.epsilon = epsilon

    def build(self, shape: tuple[int, ...]) -> None:
        # Statistics are float32 whatever the maps are: a mean over thousands of numbers needs it.
        def a_map_each(name: str, first: str, trainable: bool = True) -> Any:
            return self.add_weight(
                shape=shape[-1:],
                initializer=first,
                dtype="float32",
                trainable=trainable,
                autocast=False,
                name=name,
            )

        self.gamma, self.beta = a_map_each("gamma", "ones"), a_map_each("beta", "zeros")
        self.mean = a_map_each("mean", "zeros", trainable=False)
        self.variance = a_map_each("variance", "ones", trainable=False)

    def call(self, x: Any, training: bool = False) -> Any:
        known = (tf.zeros(0), tf.zeros(0)) if training else (self.mean, self.variance)
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma,
            offset=self.beta,
            mean=known[0],
            variance=known[1],
            epsilon=self.epsilon,
            is_training=training,
        )
        for moving, now in ((self.mean, mean), (self.variance, variance)) if training else ():
            moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return y


class CentredHe(keras.initializers.VarianceScaling):
    """Kernels as He et al. draw them (arXiv 1502.01852), each filter's weights adding up to zero.

    What comes out of a ReLU is never negative, so most of it is the same for all images. Plain
    kernels pass that on and on, and after ten layers hardly anything else is left; these pass on
    what differs: of a ReLU's second moment 1 − 1/π, hence the gain.
    """

    def __init__(self, inputs_deviation: float = 1.0) -> None:
        gain = 2 / (1 - 1 / math.pi) / inputs_deviation**2
        super().__init__(gain, "fan_in", "truncated_normal")

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        kernel = super().__call__(shape, dtype)
        return kernel - keras.ops.mean(kernel, tuple(range(len(shape) - 1)), keepdims=True)


class LocalResponseNorm(keras.layers.Layer):
    """Contrast normalisation across maps: b = a / (k + α Σ a²)^β, the sum over n maps around a.

    The constants are AlexNet's (Krizhevsky, Sutskever and Hinton, 2012, section 3.3): k = 2, n = 5,
    α = 10⁻⁴, β = 0.75. As in that paper, α is not divided by n; Caffe and cuda-convnet divide it,
    and have k = 1.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        full = tf.cast(x, tf.float32)  # the operation has no bfloat16
        if training:
            return tf.cast(normalized(full), x.dtype)
        y = tf.nn.local_response_normalization(full, depth_radius=2, bias=2, alpha=1e-4, beta=0.75)
        return tf.cast(y, x.dtype)


@tf.function(jit_compile=True)  # one pass over the maps, and one back: half of the operation's time
def normalized(x: Any) -> Any:
    """What that operation computes of maps (N, height, width, maps)."""
    squares = tf.pad(tf.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
    around = sum(squares[..., i : i + x.shape[-1]] for i in range(5))
    root = tf.math.rsqrt(2 + 1e-4 * around)
    return x * root * tf.sqrt(root)  # to the power of -3/4
