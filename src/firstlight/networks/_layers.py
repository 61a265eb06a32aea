"""Layers, first weights and constants that networks of more than one paper use."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from firstlight.networks._replicas import Rows, rows

# Mean and standard deviation of ImageNet's pixels (0 to 255), from the authors of OverFeat.
PIXEL_MEAN = 118.380948
PIXEL_STDDEV = 61.896913


class BatchNorm(keras.layers.Layer):
    """Batch normalisation of each map (Ioffe and Szegedy, arXiv 1502.03167, algorithms 1 and 2).

    It is one fused operation of TensorFlow. Keras's layer consists of many operations and takes a
    quarter of a small network's training step on a CPU. Where several replicas share a batch, mean
    and variance are those of the whole batch.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum  # for the moving mean and variance, which inference uses
        self.epsilon = epsilon

    def build(self, shape: tuple[int, ...]) -> None:
        maps = shape[-1]
        self.gamma = self._add_vector(maps, "gamma", "ones")
        self.beta = self._add_vector(maps, "beta", "zeros")
        self.mean = self._add_vector(maps, "mean", "zeros", trainable=False)
        self.variance = self._add_vector(maps, "variance", "ones", trainable=False)

    def _add_vector(
        self, length: int, name: str, initializer: str, *, trainable: bool = True
    ) -> Any:
        """Add a weight (length,). It is float32 also where the maps are bfloat16.

        A mean over thousands of numbers needs that precision.
        """
        return self.add_weight(
            shape=(length,),
            initializer=initializer,
            dtype="float32",
            trainable=trainable,
            autocast=False,
            name=name,
        )

    def call(self, x: Any, training: bool = False) -> Any:
        part = rows()
        if training and part:
            return self._normalise_part(x, part)
        if training:
            mean = variance = tf.zeros(0)  # the operation computes them from the batch
        else:
            mean, variance = self.mean, self.variance
        y, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma,
            offset=self.beta,
            mean=mean,
            variance=variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            self._update_moving(self.mean, batch_mean)
            self._update_moving(self.variance, batch_variance)
        return y

    def _normalise_part(self, x: Any, part: Rows) -> Any:
        """Normalise a replica's maps by the mean and variance over all replicas."""
        full = tf.cast(x, tf.float32)
        places = tuple(range(len(x.shape) - 1))  # images, rows and columns
        sums = tf.stack([tf.reduce_sum(full, places), tf.reduce_sum(full**2, places)])
        count = float(part.batch * math.prod(x.shape[1:-1]))
        replica = tf.distribute.get_replica_context()
        mean, mean_square = tf.unstack(replica.all_reduce("SUM", sums) / count)
        variance = mean_square - mean**2
        self._update_moving(self.mean, mean)
        self._update_moving(self.variance, variance * (count / (count - 1)))  # unbiased, as above
        y = tf.nn.batch_normalization(full, mean, variance, self.beta, self.gamma, self.epsilon)
        return tf.cast(y, x.dtype)

    def _update_moving(self, moving: Any, batch: Any) -> None:
        moving.assign(moving * self.momentum + batch * (1 - self.momentum))


class Dropout(keras.layers.Dropout):
    """Keras's dropout; where several replicas share a batch, an image keeps its noise.

    Each replica draws the noise of the whole batch, and takes that of its own images.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        part = rows()
        if not training or not part:
            return super().call(inputs, training=training)
        ones = tf.ones((part.batch, *inputs.shape[1:]), inputs.dtype)
        noise = keras.random.dropout(ones, self.rate, seed=self.seed_generator)
        begin = [part.first] + [0] * (len(inputs.shape) - 1)
        return inputs * tf.slice(noise, begin, inputs.shape)


class CenteredHe(keras.initializers.VarianceScaling):
    """He initialisation (He et al., arXiv 1502.01852) with the mean of each filter subtracted.

    The outputs of a ReLU are never negative, so they share a positive mean. Through plain kernels
    that mean comes to dominate: after ten layers hardly anything else is left. Filters whose
    weights add up to zero cancel the mean and pass on the variance only. The variance is 1 − 1/π
    of a ReLU's second moment, hence the gain.

    `input_stddev` is the standard deviation of the layer's inputs, if that is not 1.
    """

    def __init__(self, input_stddev: float = 1.0) -> None:
        gain = 2 / (1 - 1 / math.pi) / input_stddev**2
        super().__init__(scale=gain, mode="fan_in", distribution="truncated_normal")

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        kernel = super().__call__(shape, dtype)
        all_but_filters = tuple(range(len(shape) - 1))
        return kernel - keras.ops.mean(kernel, all_but_filters, keepdims=True)


class LocalResponseNorm(keras.layers.Layer):
    """Contrast normalisation across maps: b = a / (k + α Σ a²)^β, the sum over n maps around a.

    The constants are AlexNet's (Krizhevsky, Sutskever and Hinton, 2012, section 3.3): k = 2, n = 5,
    α = 10⁻⁴, β = 0.75. As in that paper, α is not divided by n. Caffe and cuda-convnet divide it
    by n, and they use k = 1.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        full = tf.cast(x, tf.float32)  # TensorFlow's operation does not take bfloat16
        if training:
            return tf.cast(local_response_norm(full), x.dtype)
        y = tf.nn.local_response_normalization(full, depth_radius=2, bias=2, alpha=1e-4, beta=0.75)
        return tf.cast(y, x.dtype)


@tf.function(jit_compile=True)  # one pass forward and one back: half of TensorFlow's time
def local_response_norm(x: Any) -> Any:
    """Return what TensorFlow's operation does, for maps (N, height, width, maps) float32."""
    maps = x.shape[-1]
    squares = tf.pad(tf.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
    sums = sum(squares[..., first : first + maps] for first in range(5))
    inverse_root = tf.math.rsqrt(2 + 1e-4 * sums)
    return x * inverse_root * tf.sqrt(inverse_root)  # the sum to the power of −3/4


def relu_convolution(
    x: Any,
    maps: int,
    size: int,
    *,
    name: str,
    stride: int = 1,
    padding: str = "same",
    input_stddev: float = 1.0,
) -> Any:
    """Return a convolution of size × size with ReLU, its first kernel drawn by CenteredHe."""
    return layers.Conv2D(
        maps,
        size,
        stride,
        padding=padding,
        activation="relu",
        kernel_initializer=CenteredHe(input_stddev),
        name=name,
    )(x)


def dropped_dense(x: Any, width: int, *, name: str, dropout_name: str) -> Any:
    """Return `width` neurons with ReLU, half of them dropped in training."""
    x = layers.Dense(width, activation="relu", kernel_initializer=CenteredHe(), name=name)(x)
    return Dropout(0.5, name=dropout_name)(x)


def dense_logits(x: Any, classes: int, *, name: str) -> Any:
    """Return the last layer, the logits (N, classes): float32 also where maps are bfloat16."""
    return layers.Dense(classes, kernel_initializer=CenteredHe(), dtype="float32", name=name)(x)
