"""Every network of the catalogue has the size that it states, the paper's recipe, and it runs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import built, outlined

from firstlight import catalog
from firstlight.errors import UsageError
from firstlight.networks._layers import BatchNorm, LocalResponseNorm
from firstlight.settings import default_recipe
from firstlight.training.optimizer import build_optimizer

NETWORKS = [entry.name for entry in catalog.networks()]
SMALL = [entry.name for entry in catalog.networks() if entry.parameters < 10_000_000]
ZFNET_MAPS = {"conv1": 110, "pool1": 55, "conv2": 26, "pool2": 13, "conv5": 13, "pool5": 6}
MAPS = {  # heights of maps, in the order of the layers: the papers' figures and tables
    "nin": {"conv1": 28, "pool1": 14, "pool2": 7, "cccp6": 7},
    "nin-cifar": {"conv1": 32, "pool1": 16, "pool2": 8, "cccp6": 8},
    "nin-imagenet": {"conv1": 54, "pool1": 27, "conv2": 27, "pool2": 13, "pool3": 6, "cccp8": 6},
    "zfnet": ZFNET_MAPS,
    "zfnet-wide": ZFNET_MAPS,
    "overfeat": {"conv1": 56, "pool1": 28, "conv2": 24, "pool2": 12, "conv5": 12, "pool5": 6},
    "overfeat-accurate": {
        "conv1": 108, "pool1": 36, "conv2": 30, "pool2": 15, "conv6": 15, "pool6": 5,
    },
}  # fmt: skip
ZFNET_RECIPE = {  # section 3.1
    "batch_size": 128, "learning_rate": 0.01, "momentum": 0.9, "nesterov": False, "epochs": 70,
    "max_filter_rms": 0.1, "init_stddev": 0.01, "weight_decay": 0, "l2": 0,
}  # fmt: skip
OVERFEAT_RECIPE = {  # section 3.1
    "batch_size": 128, "learning_rate": 0.05, "momentum": 0.6, "nesterov": False, "l2": 1e-5,
    "lr_drop_factor": 0.5, "init_stddev": 0.01, "weight_decay": 0,
}  # fmt: skip
NIN_RECIPE = {  # the first author's files
    "batch_size": 128, "learning_rate": 0.1, "momentum": 0.9, "nesterov": False, "l2": 1e-4,
    "lr_drop_factor": 0.1, "epochs": 260, "lr_drops": (200 / 260, 230 / 260),
    "lr_multipliers": {"bias": 2, "cccp6/kernel": 0.1, "cccp6/bias": 0.2},
}  # fmt: skip
PAPER_RECIPES = {
    "zfnet": ZFNET_RECIPE,
    "zfnet-wide": ZFNET_RECIPE,
    "overfeat": OVERFEAT_RECIPE,
    "overfeat-accurate": OVERFEAT_RECIPE,
    "nin": NIN_RECIPE,
    "nin-cifar": NIN_RECIPE,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_maps_are_as_stated(name: str) -> None:
    stated = catalog.network(name)
    network = outlined(name, stated.classes)
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == stated.parameters
    assert network.input_shape == (None, *stated.input)
    assert network.output_shape == (None, stated.classes)
    assert network.name == name
    for layer, height in MAPS.get(name, {}).items():
        assert network.get_layer(layer).output.shape[1:3] == (height, height), layer


def test_the_list_says_of_each_network_what_its_file_says() -> None:
    for entry in catalog.networks():
        network = catalog.network(entry.name)
        assert (entry.name, entry.input, entry.parameters) == (
            network.name,
            network.input,
            network.parameters,
        )
        assert entry.recipes == tuple(network.recipes)


def test_a_network_that_does_not_exist_is_answered_with_those_that_do() -> None:
    for name in ("no-such-network", "nin_cifar", ""):
        with pytest.raises(UsageError) as raised:
            catalog.network(name)
        expected = f"no network {name!r}; networks: {', '.join(NETWORKS)}"
        assert str(raised.value) == f"{expected}; your own: the path of a .py file"


@pytest.mark.parametrize("name", PAPER_RECIPES)
def test_the_paper_recipe_is_that_of_the_paper(name: str) -> None:
    recipe = catalog.network(name).recipes["paper"]
    expected = PAPER_RECIPES[name]
    assert {field: getattr(recipe, field) for field in expected} == expected
    assert recipe.precision == "float32" and recipe.schedule == "constant"


def test_zfnet_lowers_its_learning_rate_on_a_plateau() -> None:
    recipe = catalog.network("zfnet").recipes["paper"]
    # The paper does not say after how many epochs, and by how much.
    assert recipe.plateau_epochs and recipe.lr_drop_factor < 1


def test_overfeat_halves_its_learning_rate_after_the_epochs_of_the_paper() -> None:
    recipe = catalog.network("overfeat").recipes["paper"]
    assert [fraction * recipe.epochs for fraction in recipe.lr_drops] == [30, 50, 60, 70, 80]


@pytest.mark.parametrize("name", ["zfnet", "overfeat", "nin", "nin-imagenet"])
def test_half_of_what_the_papers_name_is_dropped(name: str) -> None:
    layers = outlined(name, 2).layers
    rates = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5] * (1 if name == "nin-imagenet" else 2)


def test_zfnet_normalises_after_pooling() -> None:
    names = [layer.name for layer in outlined("zfnet", 2).layers]
    assert names[:8] == ["image", "centre", "pad", "conv1", "pool1", "norm1", "conv2", "pool2"]


@pytest.mark.parametrize("training", [False, True])
def test_local_response_norm_is_alexnets(training: bool) -> None:
    x = np.random.default_rng(0).normal(0, 100, (1, 1, 1, 7)).astype(np.float32)
    sums = [np.sum(x[..., max(0, i - 2) : i + 3] ** 2) for i in range(7)]
    expected = x / (2 + 1e-4 * np.array(sums)) ** 0.75
    np.testing.assert_allclose(LocalResponseNorm()(x, training=training), expected, rtol=1e-5)


def test_local_response_norm_has_the_same_gradient_in_training() -> None:
    x = tf.random.stateless_normal((2, 3, 4, 9), (0, 1), 0, 100)
    gradients = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.square(LocalResponseNorm()(x, training=training)))
        gradients.append(tape.gradient(y, x))
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("classes", [2, 10])
def test_images_become_logits(name: str, classes: int) -> None:
    network = built(name, classes)
    images = np.random.default_rng(0).integers(0, 256, (3, *network.input_shape[1:]), np.uint8)
    logits = network(images)
    assert logits.shape == (3, classes) and np.isfinite(logits).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_recipe_of_a_network_is_its_default(name: str) -> None:
    own = catalog.network(name).recipes
    digits = catalog.dataset("mnist")
    assert default_recipe(catalog.network(name), digits) == next(iter(own))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_recipe_fits_its_network(name: str) -> None:
    paths = [weight.path for weight in outlined(name, 2).trainable_variables]
    for recipe in catalog.network(name).recipes.values():
        for ending in recipe.lr_multipliers:
            assert any(path.endswith(ending) for path in paths), ending
        last_step = recipe.epoch_ends(55_000)[-1]
        assert last_step > 0
        build_optimizer(recipe, last_step)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_recipe_is_also_found_by_the_beginning_of_its_networks_name(name: str) -> None:
    for other in NETWORKS:
        if other.startswith(f"{name}-"):
            for recipe_name, recipe in catalog.network(other).recipes.items():
                asked = [other]
                if recipe_name not in catalog.network(name).recipes:
                    asked.append(name)
                for network in asked:
                    found, found_recipe = catalog.recipe(recipe_name, catalog.network(network))
                    assert (found.name, found_recipe) == (other, recipe)


def test_convnet_record_is_trained_by_convnet_with_the_recipe_record() -> None:
    trained, recipe = catalog.recipe("record", catalog.network("convnet"))
    assert trained.name == "convnet-record"
    assert recipe == catalog.network("convnet-record").recipes["record"]


def test_a_recipe_that_does_not_exist_is_answered_with_those_that_do() -> None:
    expected = r"no recipe 'fast' for convnet; recipes: quick, pictures, short, record"
    with pytest.raises(UsageError, match=expected):
        catalog.recipe("fast", catalog.network("convnet"))


@pytest.mark.parametrize("name", SMALL)
def test_the_names_of_weights_do_not_depend_on_what_was_built_before(name: str) -> None:
    first, second = (catalog.network(name).build(10) for _ in range(2))
    assert [w.path for w in first.weights] == [w.path for w in second.weights]


def test_batch_norm_is_that_of_keras() -> None:
    x = tf.random.stateless_normal((8, 5, 5, 3), seed=(0, 1)) * 3 + 1
    ours, theirs = BatchNorm(), keras.layers.BatchNormalization(momentum=0.9)
    for training in (True, True, False):
        expected = theirs(x, training=training)
        np.testing.assert_allclose(ours(x, training=training), expected, rtol=5e-3, atol=1e-3)
    np.testing.assert_allclose(ours.mean, theirs.moving_mean, rtol=1e-5)
    # The fused operation's moving variance is unbiased: N / (N − 1) times that of Keras.
    np.testing.assert_allclose(ours.variance, theirs.moving_variance, rtol=1e-2)
