"""The deconvnet agrees with what is known: gradients, arithmetic, and the paper's three steps."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import built, names_by_input
from keras import layers

from firstlight.errors import UsageError
from firstlight.explanation import deconvnet, network_layers
from firstlight.explanation.network_layers import Stage
from firstlight.explanation.receptive_field import Unit, receptive_field
from firstlight.networks._layers import BatchNorm, LocalResponseNorm

SIZE = (12, 10, 3)
DIGIT = (28, 28, 1)


def random_images(count: int, size: tuple[int, int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size), np.uint8)


def network(*middle: Any) -> keras.Model:
    """The layers between a scaled image and a dense layer of five classes, with random weights."""
    image = keras.Input(SIZE, dtype="uint8")
    x = layers.Rescaling(1 / 255, offset=-0.4)(image)
    for layer in middle:
        x = layer(x)
    x = layers.Flatten()(x) if len(x.shape) == 4 else x
    model = keras.Model(image, layers.Dense(5, name="output")(x))
    for weight in model.weights:  # biases and statistics get random values too
        values = np.random.default_rng(weight.shape[-1]).normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return model


def second_stage(model: keras.Model) -> Stage:
    return list(network_layers.stages(model).values())[1]


def gradient(path: list[Any], images: np.ndarray, units: list[Unit]) -> np.ndarray:
    """Each unit's gradient with respect to its image, times the unit's activation."""
    x = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for layer in path:
            y = layer(y)
        activations = tf.gather_nd(y, [(number, *unit) for number, unit in enumerate(units)])
    return np.asarray(tape.gradient(activations, x)) * np.asarray(activations)[:, None, None, None]


LINEAR: dict[str, Callable[[], list[Any]]] = {
    "convolutions": lambda: [layers.Conv2D(4, 3), layers.Conv2D(5, 3, padding="same")],
    "strided": lambda: [layers.Conv2D(4, 3, 2, padding="same"), layers.Conv2D(5, 2, 2)],
    "uneven": lambda: [layers.Conv2D(4, (5, 3), (3, 2), padding="same")],
    "padded": lambda: [layers.ZeroPadding2D(((1, 0), (2, 3))), layers.Conv2D(4, 5, 3)],
    "pooled": lambda: [layers.Conv2D(4, 3), layers.MaxPooling2D(2), layers.Conv2D(3, 2)],
    "overlapping pools": lambda: [
        layers.Conv2D(4, 3),
        layers.MaxPooling2D(3, 2, padding="same"),
    ],
    "average": lambda: [
        layers.Conv2D(4, 3),
        layers.AveragePooling2D(3, 2),
        layers.Dropout(0.5),
    ],
    "global average": lambda: [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()],
    "batch norm": lambda: [layers.Conv2D(4, 3), BatchNorm(), layers.Conv2D(4, 3)],
    "contrast": lambda: [layers.Conv2D(8, 3), LocalResponseNorm()],
    "dense": lambda: [layers.Flatten(), layers.Dense(7), layers.Dense(6)],
    "dilated": lambda: [
        layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
        layers.Conv2D(4, 3, dilation_rate=(3, 2)),
    ],
    "grouped": lambda: [layers.Conv2D(6, 3, groups=3), layers.Conv2D(4, 3, 2, groups=2)],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, 2, depth_multiplier=2, padding="same")],
    "separable": lambda: [layers.SeparableConv2D(5, 3, dilation_rate=2)],
    "transposed": lambda: [layers.Conv2D(4, 3, 2), layers.Conv2DTranspose(3, 3, 2)],
    "nested": lambda: [layers.Conv2D(4, 3), keras.Sequential([layers.Conv2D(3, 2)])],
    "a sequence": lambda: [layers.Conv2D(4, 4, 4), layers.Reshape((6, 4)), layers.Dense(3)],
}


@pytest.mark.parametrize("middle", LINEAR.values(), ids=LINEAR)
def test_with_linear_units_the_projection_is_the_gradient(
    middle: Callable[[], list[Any]],
) -> None:
    images = random_images(3)
    for stage in network_layers.stages(network(*middle())).values():
        units = [tuple((i * 7 + j) % n for j, n in enumerate(stage.shape)) for i in range(3)]
        expected = gradient(stage.path, images, units)
        projected = deconvnet.project(stage.path, images, units)
        assert projected.shape == images.shape and np.abs(expected).max() > 0
        np.testing.assert_allclose(projected, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_with_rectified_units_it_is_the_papers_way_down_and_not_the_gradient() -> None:
    first, second = layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(5, 3, activation="relu")
    stage = second_stage(network(first, second))
    images = random_images(1)
    output = network_layers.forward(stage.path, images)[-1].numpy()[0]
    row, column, number = (int(n) for n in np.unravel_index(output.argmax(), output.shape))
    first_kernel, second_kernel = (np.asarray(layer.kernel) for layer in (first, second))
    signal = np.zeros((10, 8, 4))  # at the first convolution's output
    signal[row : row + 3, column : column + 3] = output.max() * second_kernel[..., number]
    signal = np.maximum(signal, 0)  # what comes down is rectified, whatever went up
    pixels = np.zeros(SIZE)
    for y, x in np.ndindex(10, 8):
        pixels[y : y + 3, x : x + 3] += first_kernel @ signal[y, x]
    units = [(row, column, number)]
    projected = deconvnet.project(stage.path, images, units)[0]
    np.testing.assert_allclose(projected, pixels / 255, rtol=1e-4, atol=1e-7)
    assert not np.allclose(projected, gradient(stage.path, images, units)[0], atol=1e-5)


@pytest.mark.parametrize("rectifier", [layers.ReLU, lambda: layers.Activation("relu")])
def test_a_rectification_may_be_a_layer_of_its_own(rectifier: Callable[[], Any]) -> None:
    inside = network(layers.Conv2D(4, 3, activation="relu"), layers.Conv2D(5, 3))
    apart = network(layers.Conv2D(4, 3), rectifier(), layers.Conv2D(5, 3))
    one, other = (
        deconvnet.project(second_stage(model).path, random_images(1), [(2, 2, 2)])
        for model in (inside, apart)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [(2, 2, "valid"), (3, 2, "same"), (3, 2, "valid"), (3, 1, "same")],
)
def test_unpooling_puts_values_where_the_maxima_were(size: int, stride: int, padding: str) -> None:
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 7, 3)).astype(np.float32))
    pool = layers.MaxPooling2D(size, stride, padding)
    maxima = pool(x)
    switches = deconvnet.switches(pool, x)
    np.testing.assert_array_equal(np.asarray(x).reshape(-1)[np.asarray(switches)], maxima)
    counts = deconvnet.unpool(tf.ones_like(maxima), switches, x.shape).numpy()
    assert counts.sum() == tf.size(maxima)  # each value comes down once
    assert set(np.flatnonzero(counts)) == set(np.asarray(switches).ravel())
    unpooled = deconvnet.unpool(maxima, switches, x.shape).numpy()
    np.testing.assert_allclose(unpooled[counts == 1], np.asarray(x)[counts == 1])


@pytest.mark.parametrize("name", names_by_input(DIGIT))
def test_a_unit_depends_on_nothing_outside_its_receptive_field(name: str) -> None:
    image = random_images(1, DIGIT)[0]
    for stage in network_layers.stages(built(name, 10)).values():
        corners = (0, 0.4, 1)
        units = [tuple(round(corner * (n - 1)) for n in stage.shape) for corner in corners]
        fields = np.zeros((3, *DIGIT), bool)
        for field, unit in zip(fields, units, strict=True):
            top, left, bottom, right = receptive_field(stage.path, unit)
            assert 0 <= top < bottom <= 28 and 0 <= left < right <= 28
            field[top:bottom, left:right] = True
        changed = np.where(fields, image, 255 - image)  # everything outside is inverted
        outputs = network_layers.forward(stage.path, [image, *changed])[-1].numpy()
        for unit, output in zip(units, outputs[1:], strict=True):
            np.testing.assert_allclose(output[unit], outputs[0][unit], rtol=1e-4, atol=1e-5)
        projected = deconvnet.project(stage.path, np.array([image] * 3), units)
        assert np.isfinite(projected).all() and not projected[~fields].any()


def test_a_receptive_field_is_no_larger_than_what_the_unit_depends_on() -> None:
    model = network(layers.Conv2D(3, 3, 2), layers.MaxPooling2D(2), layers.Conv2D(2, 2))
    *_, stage, _ = network_layers.stages(model).values()
    # Two by two pools of two by two, each of 3×3 every second pixel: 3 + 2 · 3 = 9.
    assert receptive_field(stage.path, (0, 0, 0)) == (0, 0, 9, 9)


def test_a_stage_includes_the_normalisation_and_rectification_after_it() -> None:
    stages = network_layers.stages(built("convnet", 10))
    assert list(stages) == ["conv1", "conv2", "conv3", "output"]
    assert stages["conv1"].path[-1].name == "conv1_relu"
    assert [stage.is_convolution for stage in stages.values()] == [True] * 3 + [False]
    assert "pool1" in network_layers.stages(built("nin", 10))


def branching() -> keras.Model:
    """Two branches that are added, and a gate that depends on all of the image."""
    image = keras.Input((12, 12, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(x)
    y = layers.Conv2D(4, 3, padding="same", name="deep")(x)
    x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, y]))
    gate = layers.Dense(4, activation="sigmoid", name="gate")(layers.GlobalMaxPooling2D()(x))
    gated = layers.Multiply(name="gated")([x, layers.Reshape((1, 1, 4))(gate)])
    x = layers.Concatenate(name="both")([x, gated])
    x = layers.Conv2D(3, 3, name="last")(x)
    return keras.Model(image, layers.Dense(2, name="output")(layers.Flatten()(x)))


def test_where_a_network_branches_the_signals_are_added() -> None:
    """Without rectification on the way down, the projection of a sum is the sum's."""
    image = keras.Input((6, 6, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    one, two = layers.Conv2D(2, 3, name="one")(x), layers.Conv2D(2, 3, name="two")(x)
    network = keras.Model(image, layers.Add(name="sum")([one, two]))
    single = keras.Input((6, 6, 1), dtype="uint8")
    kernel = layers.Conv2D(2, 3, name="one")
    chain = keras.Model(single, kernel(layers.Rescaling(1 / 255)(single)))
    kernel.set_weights(
        [
            network.get_layer("one").kernel.numpy() + network.get_layer("two").kernel.numpy(),
            np.zeros(2),
        ]
    )
    pixels = np.random.default_rng(0).integers(0, 256, (1, 6, 6, 1), np.uint8)
    found = deconvnet.project(network.layers[1:], pixels, [(1, 2, 0)])
    value = (network_layers.forward(network.layers[1:], pixels)[-1])[0, 1, 2, 0]
    other = (network_layers.forward(chain.layers[1:], pixels)[-1])[0, 1, 2, 0]
    expected = deconvnet.project(chain.layers[1:], pixels, [(1, 2, 0)]) * (value / other)
    assert np.allclose(found, expected, atol=1e-5)


def test_stages_of_a_network_that_branches() -> None:
    network = branching()
    stages = network_layers.stages(network)
    assert list(stages) == ["stem", "deep", "gate", "last", "output"]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 1), np.uint8)
    outputs = network_layers.forward(network.layers[1:], pixels)
    assert np.allclose(outputs[-1], network(pixels), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "unit", "expected"),
    [
        ("stem", (5, 5, 0), (4, 4, 7, 7)),
        ("deep", (5, 5, 0), (3, 3, 8, 8)),
        ("last", (0, 0, 0), None),
    ],
)
def test_the_receptive_field_is_what_changes_the_unit(
    layer: str, unit: tuple[int, ...], expected: tuple[int, ...] | None
) -> None:
    """The gate makes `last` depend on every pixel."""
    network = branching()
    path = network_layers.stages(network)[layer].path
    assert receptive_field(path, unit) == (expected or (0, 0, 12, 12))


def test_a_layer_that_is_used_twice_is_refused() -> None:
    image = keras.Input((8, 8, 1), dtype="uint8")
    twice = layers.Conv2D(1, 3, padding="same", name="twice")
    network = keras.Model(image, twice(twice(layers.Rescaling(1 / 255)(image))))
    with pytest.raises(UsageError, match="uses the layer twice twice"):
        network_layers.stages(network)


RECTIFYING: dict[str, Callable[[str | None], Any]] = {
    "dilated": lambda activation: layers.Conv2D(4, 3, dilation_rate=2, activation=activation),
    "grouped": lambda activation: layers.Conv2D(6, 3, groups=3, activation=activation),
    "depthwise": lambda activation: layers.DepthwiseConv2D(3, activation=activation),
    "separable": lambda activation: layers.SeparableConv2D(4, 3, activation=activation),
    "transposed": lambda activation: layers.Conv2DTranspose(4, 3, activation=activation),
}


@pytest.mark.parametrize("layer", RECTIFYING.values(), ids=RECTIFYING)
def test_every_kind_of_filter_is_rectified_in_the_papers_way(
    layer: Callable[[str | None], Any],
) -> None:
    """The activation of a filter does what a rectification after it does."""
    first = network(layer("relu"), layers.Conv2D(5, 3))
    apart = network(layer(None), layers.ReLU(), layers.Conv2D(5, 3))
    one, other = (
        deconvnet.project(second_stage(model).path, random_images(1), [(2, 2, 2)])
        for model in (first, apart)
    )
    assert np.abs(one).max() > 0
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6 * np.abs(one).max())


def chain(*middle: Callable[[Any], Any]) -> keras.Model:
    """A network of these layers with weights of 0 to 1: nothing that a unit sees cancels out."""
    image = keras.Input(SIZE)  # a gradient does not pass uint8
    x = layers.Rescaling(1 / 255)(image)
    for layer in middle:
        x = layer(x)
    model = keras.Model(image, x)
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).uniform(0.1, 1, weight.shape))
    return model


def seen(model: keras.Model, unit: Unit) -> tuple[int, int, int, int]:
    """The box around the pixels on which the unit's gradient is not zero."""
    pixels = tf.constant(random_images(1), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        activation = tf.gather_nd(model(pixels, training=False)[0], [unit])
    rows, columns, _ = np.nonzero(np.asarray(tape.gradient(activation, pixels))[0])
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def residual(x: Any) -> Any:
    return layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])


def beside(x: Any) -> Any:
    return layers.Concatenate()([layers.Conv2D(2, 3, padding="same")(x), x])


def above(x: Any) -> Any:
    return layers.Concatenate(axis=1)([x, layers.Conv2D(3, 3, padding="same")(x)])


EXACT: dict[str, list[Callable[[Any], Any]]] = {
    "dilated": [layers.Conv2D(2, 3, dilation_rate=2), layers.Conv2D(2, 3, dilation_rate=(2, 1))],
    "dilated, same": [layers.Conv2D(2, 3, dilation_rate=3, padding="same")],
    "depthwise": [layers.DepthwiseConv2D((3, 2), 2), layers.DepthwiseConv2D(3, dilation_rate=2)],
    "separable": [layers.SeparableConv2D(3, 3, dilation_rate=2, padding="same")],
    "grouped": [layers.Conv2D(3, 3, 2, groups=3, padding="same")],
    "pooled": [layers.AveragePooling2D(3, 2, "same"), layers.Conv2D(2, 2)],
    "padded": [layers.ZeroPadding2D(((2, 0), (1, 3))), layers.Conv2D(2, 5)],
    "cropped": [layers.Cropping2D(((2, 1), (3, 0))), layers.Conv2D(2, 3)],
    "kept": [
        layers.Conv2D(2, 3),
        layers.LayerNormalization(),
        layers.Dropout(0.5),
        layers.LeakyReLU(),
        layers.Dense(3),
    ],
    "augmented": [layers.RandomFlip(), layers.RandomRotation(0.1), layers.Conv2D(2, 3)],
    "residual": [residual, layers.Conv2D(2, 3)],
    "concatenated": [beside, layers.Conv2D(2, 3)],
}
MOVED: dict[str, list[Callable[[Any], Any]]] = {
    "enlarged": [layers.Conv2D(2, 3), layers.UpSampling2D(2)],
    "transposed": [layers.Conv2D(2, 3, 2), layers.Conv2DTranspose(2, 3, 2)],
    "resized": [layers.Resizing(24, 5), layers.Conv2D(2, 3)],
    "permuted": [layers.Permute((2, 1, 3)), layers.Conv2D(2, 3)],
    "reshaped": [layers.Reshape((10, 12, 3)), layers.Conv2D(2, 3)],
    "a global mean": [layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(keepdims=True)],
    "normalised over all positions": [layers.LayerNormalization(axis=(1, 2, 3))],
    "normalised in groups": [layers.GroupNormalization(3), layers.Conv2D(2, 3)],
    "one above the other": [above, layers.Conv2D(2, 3)],
    "nested": [keras.Sequential([layers.Conv2D(2, 5)])],
    "through vectors": [layers.Flatten(), layers.Dense(12), layers.Reshape((2, 2, 3))],
    "an operation": [lambda x: keras.ops.flip(x, 1), layers.Conv2D(2, 3)],
}


@pytest.mark.parametrize("name", [*EXACT, *MOVED])
def test_a_receptive_field_is_never_smaller_than_what_a_unit_depends_on(name: str) -> None:
    model = chain(*(EXACT | MOVED)[name])
    height, width, _ = model.output.shape[1:]
    for unit in [(0, 0, 1), (height // 2, width // 3, 0), (height - 1, width - 1, 1)]:
        field, box = receptive_field(network_layers.layers_of(model), unit), seen(model, unit)
        if name in EXACT:
            assert field == box
        top, left, bottom, right = field
        assert top <= box[0] and left <= box[1] and bottom >= box[2] and right >= box[3]


class Zigzag(layers.Layer):
    """It has names of a window's settings, with other meanings."""

    kernel_size, strides, padding = 3, 1, "valid"

    def call(self, x: Any) -> Any:
        return keras.ops.flip(x, 1)


def test_a_layer_of_ones_own_is_not_taken_for_a_window_that_it_does_not_describe() -> None:
    path = network_layers.layers_of(chain(Zigzag()))
    assert receptive_field(path, (0, 0, 0)) == (0, 0, 12, 10)


def twice(x: Any) -> Any:
    return layers.Average()([x, x])


def squared(x: Any) -> Any:
    return layers.Multiply()([x, x])


def with_a_copy(x: Any) -> Any:
    """What changes nothing hands on the very tensor it was given."""
    return layers.Multiply()([x, layers.Dropout(0.5)(x)])


def attended(x: Any) -> Any:
    sequence = layers.Reshape((-1, 3))(x)
    return layers.MultiHeadAttention(2, 3)(sequence, sequence)


def plus_itself(x: Any) -> Any:
    return x + layers.Conv2D(3, 3, padding="same")(x)


def nested(x: Any) -> Any:
    image = keras.Input((12, 10, 3))
    inner = layers.Conv2D(4, 3)(image)
    return keras.Model(image, layers.Add()([inner, inner]))(x)


BRANCHES = [twice, squared, with_a_copy, attended, plus_itself, nested, residual, above]


@pytest.mark.parametrize("branch", BRANCHES)
def test_without_rectification_the_projection_of_branches_is_the_gradient(
    branch: Callable[[Any], Any],
) -> None:
    model, images = chain(branch), random_images(1)
    unit = tuple(n // 2 for n in model.output.shape[1:])
    pixels = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        activation = tf.gather_nd(model(pixels)[0], [unit])
    expected = np.asarray(tape.gradient(activation, pixels)) * float(activation[0])
    path = network_layers.layers_of(model)
    projected = deconvnet.project(path, images, [unit])
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(projected, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(network_layers.forward(path, images)[-1], model(pixels), rtol=1e-4)


def test_random_layers_change_nothing() -> None:
    model = network(layers.RandomFlip(), layers.RandomRotation(0.5), layers.Conv2D(2, 3))
    images = random_images(4)
    outputs = network_layers.forward(network_layers.layers_of(model), images)
    np.testing.assert_allclose(outputs[-1], model(images, training=False), rtol=1e-4, atol=1e-5)


class OneHot(layers.Layer):
    """It takes integers only."""

    def call(self, x: Any) -> Any:
        return tf.one_hot(x[..., 0], 256)


def test_what_cannot_be_explained_is_refused_and_the_layer_named() -> None:
    image = keras.Input(SIZE, dtype="uint8")
    numbers = layers.Embedding(256, 2, name="words")(layers.Flatten()(image))
    embedded = keras.Model(image, layers.Dense(2)(layers.Flatten()(numbers)))
    path = network_layers.layers_of(embedded)
    with pytest.raises(UsageError, match="the layer words has no derivative"):
        deconvnet.project(path, random_images(1), [(0,)])
    of_integers = keras.Model(image, OneHot(name="hot")(image))
    with pytest.raises(UsageError, match="the layer hot cannot be called by itself") as refused:
        network_layers.forward(network_layers.layers_of(of_integers), random_images(1))
    assert "\n" not in str(refused.value) and "classify" in str(refused.value)
    _, state, _ = layers.LSTM(3, return_state=True, name="memory")(layers.Reshape((12, 30))(image))
    with pytest.raises(UsageError, match="layer memory has several outputs"):
        network_layers.stages(keras.Model(image, state))
    x = layers.Conv2D(3, 3, data_format="channels_first", name="turned")(image)
    with pytest.raises(UsageError, match="layer turned takes the channels first"):
        network_layers.stages(keras.Model(image, x))
