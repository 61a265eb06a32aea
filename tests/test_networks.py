"""Every network there is, and every one there will be: the size it states, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from firstlight import catalog
from firstlight.networks._layers import BatchNorm, LocalResponseNorm
from firstlight.training.optimizer import build_optimizer

NETWORKS = [entry.name for entry in catalog.networks()]
SMALL = [entry.name for entry in catalog.networks() if entry.parameters < 10_000_000]
MAPS = {  # sides, in the order of the layers: the papers' figures and tables
    "nin": {"conv1": 28, "pool1": 14, "pool2": 7, "cccp6": 7},
    "nin-cifar": {"conv1": 32, "pool1": 16, "pool2": 8, "cccp6": 8},
    "nin-imagenet": {"conv1": 54, "pool1": 27, "conv2": 27, "pool2": 13, "pool3": 6, "cccp8": 6},
    "zfnet": {"conv1": 110, "pool1": 55, "conv2": 26, "pool2": 13, "conv5": 13, "pool5": 6},
    "overfeat": {"conv1": 56, "pool1": 28, "conv2": 24, "pool2": 12, "conv5": 12, "pool5": 6},
    "overfeat-accurate": {
        "conv1": 108, "pool1": 36, "conv2": 30, "pool2": 15, "conv6": 15, "pool6": 5,
    },
}  # fmt: skip
MAPS["zfnet-wide"] = MAPS["zfnet"]
SAID = {  # of training in the papers: ZFNet section 3.1, OverFeat 3.1, the author's files for NIN
    "zfnet": {
        "batch_size": 128, "learning_rate": 0.01, "momentum": 0.9, "nesterov": False, "epochs": 70,
        "max_filter_rms": 0.1, "init_stddev": 0.01, "weight_decay": 0, "l2": 0,
    },
    "overfeat": {
        "batch_size": 128, "learning_rate": 0.05, "momentum": 0.6, "nesterov": False, "l2": 1e-5,
        "lr_drop_factor": 0.5, "init_stddev": 0.01, "weight_decay": 0,
    },
    "nin": {
        "batch_size": 128, "learning_rate": 0.1, "momentum": 0.9, "nesterov": False, "l2": 1e-4,
        "lr_drop_factor": 0.1, "epochs": 260, "lr_drops": (200 / 260, 230 / 260),
        "lr_multipliers": {"bias": 2, "cccp6/kernel": 0.1, "cccp6/bias": 0.2},
    },
}  # fmt: skip
SAID |= {"zfnet-wide": SAID["zfnet"], "overfeat-accurate": SAID["overfeat"]}
SAID["nin-cifar"] = SAID["nin"]


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_maps_are_as_stated(name: str) -> None:
    chosen = catalog.network(name)
    network = chosen.build(chosen.classes)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == chosen.parameters
    assert network.input_shape == (None, *chosen.input)
    assert network.name == name
    for layer, side in MAPS.get(name, {}).items():
        assert network.get_layer(layer).output.shape[1:3] == (side, side), layer


@pytest.mark.parametrize("name", SAID)
def test_the_papers_recipe_is_the_papers(name: str) -> None:
    recipe = catalog.network(name).recipes["paper"]
    assert {field: getattr(recipe, field) for field in SAID[name]} == SAID[name]
    assert recipe.precision == "float32" and recipe.schedule == "constant"


def test_zfnets_rate_is_lowered_when_validation_stalls() -> None:
    recipe = catalog.network("zfnet").recipes["paper"]
    assert (
        recipe.plateau_epochs and recipe.lr_drop_factor < 1
    )  # when and by how much, the paper leaves open


def test_overfeats_rate_is_halved_after_the_papers_epochs() -> None:
    recipe = catalog.network("overfeat").recipes["paper"]
    assert [share * recipe.epochs for share in recipe.lr_drops] == [30, 50, 60, 70, 80]


@pytest.mark.parametrize("name", ["zfnet", "overfeat", "nin", "nin-imagenet"])
def test_half_of_what_the_papers_say_is_dropped(name: str) -> None:
    layers = catalog.network(name).build(2).layers
    rates = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5] * (1 if name == "nin-imagenet" else 2)


def test_zfnet_pools_first_and_normalises_then() -> None:
    names = [layer.name for layer in catalog.network("zfnet").build(2).layers]
    assert names[:8] == ["image", "centre", "pad", "conv1", "pool1", "norm1", "conv2", "pool2"]


@pytest.mark.parametrize("training", [False, True])
def test_local_response_norm_is_alexnets(training: bool) -> None:
    x = np.random.default_rng(0).normal(0, 100, (1, 1, 1, 7)).astype(np.float32)
    around = [np.sum(x[..., max(0, i - 2) : i + 3] ** 2) for i in range(7)]
    expected = x / (2 + 1e-4 * np.array(around)) ** 0.75
    np.testing.assert_allclose(LocalResponseNorm()(x, training=training), expected, rtol=1e-5)


def test_local_response_norm_trains_as_it_answers() -> None:
    x = tf.random.stateless_normal((2, 3, 4, 9), (0, 1), 0, 100)
    slopes = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.square(LocalResponseNorm()(x, training=training)))
        slopes.append(tape.gradient(y, x))
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("classes", [2, 10])
def test_images_become_logits(name: str, classes: int) -> None:
    chosen = catalog.network(name)
    images = np.random.default_rng(0).integers(0, 256, (3, *chosen.input), np.uint8)
    logits = chosen.build(classes)(images)
    assert logits.shape == (3, classes) and np.isfinite(logits).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_its_first_recipe_is_its_own(name: str) -> None:
    own = catalog.network(name).recipes
    assert catalog.recipe("", name) == (name, next(iter(own.values())))


@pytest.mark.parametrize("name", NETWORKS)
def test_its_recipes_can_be_carried_out(name: str) -> None:
    network = catalog.network(name)
    paths = [weight.path for weight in network.build(2).trainable_variables]
    for recipe in network.recipes.values():
        for ending in recipe.lr_multipliers:
            assert any(path.endswith(ending) for path in paths), ending
        assert bool(recipe.epochs) != bool(recipe.steps)
        assert recipe.epoch_ends(55_000)[-1] > 0
        build_optimizer(recipe, recipe.epoch_ends(55_000)[-1])


@pytest.mark.parametrize("name", SMALL)
def test_every_layer_has_a_name_that_does_not_depend_on_what_was_built_before(name: str) -> None:
    first, second = (catalog.network(name).build(10) for _ in range(2))
    assert [w.path for w in first.weights] == [w.path for w in second.weights]


def test_batch_norm_is_keras_batch_norm() -> None:
    x = tf.random.stateless_normal((8, 5, 5, 3), seed=(0, 1)) * 3 + 1
    ours, theirs = BatchNorm(), keras.layers.BatchNormalization(momentum=0.9)
    for training in (True, True, False):
        expected = theirs(x, training=training)
        np.testing.assert_allclose(ours(x, training=training), expected, rtol=5e-3, atol=1e-3)
    np.testing.assert_allclose(ours.mean, theirs.moving_mean, rtol=1e-5)
    # The fused operation's moving variance is the unbiased one: N / (N - 1) of Keras's share.
    np.testing.assert_allclose(ours.variance, theirs.moving_variance, rtol=1e-2)
