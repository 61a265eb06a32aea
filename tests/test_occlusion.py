"""A square slid over a picture: it changes what the network looks at, and nothing else."""

import keras
import numpy as np
import pytest
from keras import layers

from firstlight.datasets import mnist
from firstlight.explanation import deconvnet, features, occlusion


def half_blind() -> keras.Model:
    """A network that never sees the left half of the picture."""
    image = keras.Input((28, 28, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Cropping2D(((0, 0), (14, 0)))(x)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    return keras.Model(image, layers.Dense(3, name="output")(layers.Flatten()(x)))


def occlude(
    network: keras.Model, image: np.ndarray, label: int, colour: int = occlusion.GREY
) -> occlusion.Occlusion:
    asked = features.asked(network, deconvnet.stages(network), image)
    return occlusion.occlude(*asked, image, label, colour)


def test_hiding_what_the_network_does_not_look_at_changes_nothing() -> None:
    keras.utils.set_random_seed(0)
    network, image = half_blind(), np.full((28, 28, 1), 200, np.uint8)
    found = occlude(network, image, 0)
    assert found.probability.shape == found.answer.shape == found.activity.shape == (28, 28)
    side = round(28 / occlusion.PART)
    unseen = found.probability[:, : 14 - side // 2]  # the whole square lies in the left half
    np.testing.assert_allclose(unseen, unseen[0, 0], rtol=1e-5)
    np.testing.assert_allclose(found.activity[:, : 14 - side // 2], found.whole, rtol=1e-5)
    assert np.ptp(found.probability[:, 14:]) > 1e-3 and np.ptp(found.activity[:, 14:]) > 1e-3


@pytest.mark.parametrize("colour", [occlusion.GREY, occlusion.PAPER])
def test_the_square_has_the_colour_that_is_asked_for(colour: int) -> None:
    image = mnist.load("test").images[0]
    covered = occlude(half_blind(), image, 1, colour).covered
    assert set(covered[covered != image]) == {colour}


def test_a_square_at_the_edge_is_cut_off() -> None:
    image = np.zeros((10, 10, 1), np.uint8)
    for place, box in (((0, 0), (0, 0, 2, 2)), ((5, 5), (3, 3, 7, 7)), ((9, 5), (7, 3, 10, 7))):
        assert occlusion.square(image, *place, side=4) == box
        covered = occlusion.hidden(image, box, 9)
        top, left, bottom, right = box
        assert (covered[top:bottom, left:right] == 9).all()
        assert covered.sum() == 9 * (bottom - top) * (right - left) and not image.any()


def test_a_network_without_convolutions_has_no_map() -> None:
    image = keras.Input((28, 28, 1), dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    network = keras.Model(image, layers.Dense(3, name="output")(x))
    found = occlude(network, mnist.load("test").images[0], 2)
    assert found.map == "" and not found.activity.any()
    assert found.probability.min() >= 0 and found.probability.max() <= 1
