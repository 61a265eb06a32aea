"""Every network there is, and every one there will be: the size it states, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from firstlight import catalog
from firstlight.networks._layers import BatchNorm
from firstlight.training.optimizer import build_optimizer

NETWORKS = [entry["name"] for entry in catalog.networks()]


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_as_stated(name: str) -> None:
    chosen = catalog.network(name)
    network = chosen.build(10)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == chosen.parameters
    assert network.input_shape == (None, *chosen.input)
    assert network.name == name


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("classes", [2, 10])
def test_images_become_logits(name: str, classes: int) -> None:
    chosen = catalog.network(name)
    images = np.random.default_rng(0).integers(0, 256, (3, *chosen.input), np.uint8)
    logits = chosen.build(classes)(images)
    assert logits.shape == (3, classes) and np.isfinite(logits).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_its_recipes_can_be_carried_out(name: str) -> None:
    for recipe in catalog.network(name).recipes.values():
        assert bool(recipe.epochs) != bool(recipe.steps)
        assert recipe.total_steps(55_000) == recipe.epoch_ends(55_000)[-1] > 0
        build_optimizer(recipe, recipe.total_steps(55_000))


@pytest.mark.parametrize("name", NETWORKS)
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
