"""The deconvnet, held against what is known: gradients, arithmetic, and the paper's three steps."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from firstlight import catalog
from firstlight.errors import UsageError
from firstlight.explanation import deconvnet
from firstlight.networks._layers import BatchNorm, LocalResponseNorm

NETWORKS = [entry.name for entry in catalog.networks() if entry.input == (28, 28, 1)]


def images(count: int, size: tuple[int, int, int] = (12, 10, 3)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size), np.uint8)


def network(*middle: Any, size: tuple[int, int, int] = (12, 10, 3)) -> keras.Model:
    """Layers between a scaled image and the dense layer of five classes."""
    image = keras.Input(size, dtype="uint8")
    x = layers.Rescaling(1 / 255, offset=-0.4)(image)
    for layer in middle:
        x = layer(x)
    x = layers.Flatten()(x) if len(x.shape) == 4 else x
    built = keras.Model(image, layers.Dense(5, name="output")(x))
    keras.utils.set_random_seed(1)
    for weight in built.weights:  # no bias and no statistic is left at its first value
        values = np.random.default_rng(weight.shape[-1]).normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return built


def gradient(path: list[Any], given: np.ndarray, units: list[tuple[int, ...]]) -> np.ndarray:
    """Of each unit with respect to the image that it is shown."""
    x = tf.constant(given, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for layer in path:
            y = layer(y)
        chosen = tf.gather_nd(y, [(number, *unit) for number, unit in enumerate(units)])
    return np.asarray(tape.gradient(chosen, x)) * np.asarray(chosen)[:, None, None, None]


LINEAR = {
    "convolutions": [layers.Conv2D(4, 3), layers.Conv2D(5, 3, padding="same")],
    "strided": [layers.Conv2D(4, 3, 2, padding="same"), layers.Conv2D(5, 2, 2)],
    "uneven": [layers.Conv2D(4, (5, 3), (3, 2), padding="same")],
    "padded": [layers.ZeroPadding2D(((1, 0), (2, 3))), layers.Conv2D(4, 5, 3)],
    "pooled": [layers.Conv2D(4, 3), layers.MaxPooling2D(2), layers.Conv2D(3, 2)],
    "pooled with overlap": [layers.Conv2D(4, 3), layers.MaxPooling2D(3, 2, padding="same")],
    "average": [layers.Conv2D(4, 3), layers.AveragePooling2D(3, 2), layers.Dropout(0.5)],
    "global average": [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()],
    "batch norm": [layers.Conv2D(4, 3), BatchNorm(), layers.Conv2D(4, 3)],
    "contrast": [layers.Conv2D(8, 3), LocalResponseNorm()],
    "dense": [layers.Flatten(), layers.Dense(7), layers.Dense(6)],
}


@pytest.mark.parametrize("middle", LINEAR.values(), ids=LINEAR)
def test_with_linear_units_it_is_the_gradient(middle: list[Any]) -> None:
    built = network(*(type(layer).from_config(layer.get_config()) for layer in middle))
    given = images(3)
    for stage in deconvnet.stages(built).values():
        units = [tuple((i * 7 + j) % n for j, n in enumerate(stage.shape)) for i in range(3)]
        expected = gradient(stage.path, given, units)
        projected = deconvnet.project(stage.path, given, units)
        assert projected.shape == given.shape and np.abs(expected).max() > 0
        np.testing.assert_allclose(projected, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_rectified_it_is_the_papers_way_down_and_not_the_gradient() -> None:
    first, second = layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(5, 3, activation="relu")
    built = network(first, second)
    stage = list(deconvnet.stages(built).values())[1]
    given = images(1)
    answer = deconvnet.forward(stage.path, given)[-1].numpy()[0]
    y0, x0, number = (int(n) for n in np.unravel_index(answer.argmax(), answer.shape))
    units, value = [(y0, x0, number)], answer.max()
    kernels = [np.asarray(layer.kernel) for layer in (first, second)]
    below = np.zeros((10, 8, 4))
    below[y0 : y0 + 3, x0 : x0 + 3] = value * kernels[1][..., number]
    below = np.maximum(below, 0)  # what comes down is rectified, whatever had gone up
    pixels = np.zeros((12, 10, 3))
    for y, x in np.ndindex(10, 8):
        pixels[y : y + 3, x : x + 3] += kernels[0] @ below[y, x]
    projected = deconvnet.project(stage.path, given, units)[0]
    np.testing.assert_allclose(projected, pixels / 255, rtol=1e-4, atol=1e-7)
    assert not np.allclose(projected, gradient(stage.path, given, units)[0], atol=1e-5)


@pytest.mark.parametrize("as_layer", [layers.ReLU, lambda: layers.Activation("relu")])
def test_a_rectification_of_its_own_layer_is_one_too(as_layer: Any) -> None:
    fused = network(layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(5, 3))
    apart = network(layers.Conv2D(4, 3), as_layer(), layers.Conv2D(5, 3))
    one, other = (
        deconvnet.project(list(deconvnet.stages(built).values())[1].path, images(1), [(2, 2, 2)])
        for built in (fused, apart)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [(2, 2, "valid"), (3, 2, "same"), (3, 2, "valid"), (3, 1, "same")],
)
def test_switches_put_values_where_the_maxima_were(size: int, stride: int, padding: str) -> None:
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 7, 3)).astype(np.float32))
    pool = layers.MaxPooling2D(size, stride, padding)
    maxima = pool(x)
    switches = deconvnet.switches(pool, x)
    ones = deconvnet.unpool(tf.ones_like(maxima), switches, x.shape).numpy()
    places = np.asarray(x).reshape(-1)[np.asarray(switches)]
    np.testing.assert_array_equal(places, maxima)  # each switch is where its maximum is
    assert ones.sum() == tf.size(maxima)  # and each value comes down once
    assert set(np.flatnonzero(ones)) == set(np.asarray(switches).ravel())
    again = deconvnet.unpool(maxima, switches, x.shape).numpy()
    np.testing.assert_allclose(again[ones == 1], np.asarray(x)[ones == 1])


@pytest.mark.parametrize("name", NETWORKS)
def test_no_unit_is_moved_by_what_lies_outside_its_receptive_field(name: str) -> None:
    built = catalog.network(name).build(10)
    given = images(1, (28, 28, 1))
    for stage in deconvnet.stages(built).values():
        for corner in (0, 0.4, 1):
            unit = tuple(round(corner * (n - 1)) for n in stage.shape)
            top, left, bottom, right = deconvnet.receptive_field(stage.path, unit)
            assert 0 <= top < bottom <= 28 and 0 <= left < right <= 28
            inside = np.zeros((28, 28, 1), bool)
            inside[top:bottom, left:right] = True
            moved = np.where(inside, given, 255 - given)
            values = [deconvnet.forward(stage.path, x)[-1][(0, *unit)] for x in (given, moved)]
            np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-5)
            projected = deconvnet.project(stage.path, given, [unit])[0]
            assert not projected[~inside].any() and np.isfinite(projected).all()


def test_a_receptive_field_is_not_larger_than_what_moves_the_unit() -> None:
    built = network(layers.Conv2D(3, 3, 2), layers.MaxPooling2D(2), layers.Conv2D(2, 2))
    *_, stage, _ = deconvnet.stages(built).values()
    # Two by two pools of two by two, each of 3×3 every second pixel: 3 + 2 · 3 = 9.
    assert deconvnet.receptive_field(stage.path, (0, 0, 0)) == (0, 0, 9, 9)


def test_stages_end_with_what_follows_them_in_place() -> None:
    stages = deconvnet.stages(catalog.network("convnet").build(10))
    assert list(stages) == ["conv1", "conv2", "conv3", "conv4", "output"]
    assert stages["conv1"].path[-1].name == "conv1_relu"
    assert [stage.convolves for stage in stages.values()] == [True] * 4 + [False]
    assert "pool1" in deconvnet.stages(catalog.network("nin").build(10))


def test_a_network_that_branches_is_refused() -> None:
    image = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    both = layers.Add()([layers.Conv2D(2, 3)(x), layers.Conv2D(2, 3)(x)])
    with pytest.raises(UsageError, match="is no chain of layers"):
        deconvnet.stages(keras.Model(image, both, name="branching"))
