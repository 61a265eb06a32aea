"""Whether bfloat16 is faster than float32 on the device that computes: measured, not guessed.

A processor's flags do not tell. Some processors multiply bfloat16 with matrix units (AMX), some
with vectors (AVX-512 BF16), and the others can only imitate it, which is slower.

This module imports TensorFlow when it measures: `doctor` also works without it.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import tensorflow as tf

REPEATS = 8
MAPS, SIDE, FILTER = 64, 14, 3  # a convolution as in the middle of a small network
IMAGES = 32
IMAGES_ON_GPU = 1024  # a GPU would spend its time on starting fewer
MIN_SPEEDUP = 1.3  # for the convolution; below it, the conversions in a network cost more


@cache
def bfloat16_speedup() -> float:
    """Return how many times as fast a convolution is in bfloat16 as in float32; 0: it has none.

    It takes some 50 ms. The first GPU is measured if TensorFlow sees one, else the processor, by
    the processor's time: so that other programs do not change the answer.
    """
    import tensorflow as tf

    has_gpu = bool(tf.config.get_visible_devices("GPU"))
    clock = time.perf_counter if has_gpu else time.process_time
    images = IMAGES_ON_GPU if has_gpu else IMAGES
    try:
        computations = [convolution(images, dtype) for dtype in (tf.float32, tf.bfloat16)]
        seconds = [0.0, 0.0]
        for compute in computations:
            compute()  # the first call also prepares
        for _ in range(REPEATS):
            for number, compute in enumerate(computations):
                began = clock()
                compute()
                seconds[number] += clock() - began
    except (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError):
        return 0.0  # a GPU that is too old for bfloat16
    return seconds[0] / seconds[1]


def compared(speedup: float) -> str:
    """Return what bfloat16_speedup measured, as the end of a sentence."""
    if not speedup:
        return "this device has no bfloat16"
    return f"a convolution in bfloat16 is {speedup:.1f} times as fast as in float32 here"


def faster_precision(speedup: float) -> Literal["float32", "bfloat16"]:
    """Return in which precision a network is trained faster, as bfloat16_speedup measured it."""
    return "bfloat16" if speedup >= MIN_SPEEDUP else "float32"


def convolution(images: int, dtype: "tf.DType") -> Callable[[], object]:
    """Return a function that convolves maps of this type, and waits until that is done."""
    import tensorflow as tf

    maps = tf.ones((images, SIDE, SIDE, MAPS), dtype)
    kernel = tf.ones((FILTER, FILTER, MAPS, MAPS), dtype)
    return lambda: tf.nn.conv2d(maps, kernel, strides=1, padding="SAME")[0, 0, 0, 0].numpy()
