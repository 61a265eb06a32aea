"""A covered part of a picture changes what the network sees there, and nothing else."""

import keras
import numpy as np
import pytest
from keras import layers

from firstlight.datasets import mnist
from firstlight.explanation import network_layers, occlusion
from firstlight.explanation.explanation import occlusion_predictor


def half_blind_network() -> keras.Model:
    """A network that ignores the left half of the picture."""
    image = keras.Input((28, 28, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Cropping2D(((0, 0), (14, 0)))(x)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    return keras.Model(image, layers.Dense(3, name="output")(layers.Flatten()(x)))


def occlude(
    network: keras.Model, image: np.ndarray, label: int, colour: int = occlusion.GREY
) -> occlusion.Occlusion:
    predict, feature_map = occlusion_predictor(network, network_layers.stages(network), image)
    return occlusion.occlude(predict, feature_map, image, label, colour)


def test_covering_what_the_network_ignores_changes_nothing() -> None:
    keras.utils.set_random_seed(0)
    network, image = half_blind_network(), np.full((28, 28, 1), 200, np.uint8)
    result = occlude(network, image, 0)
    assert result.probability.shape == result.predicted.shape == result.activity.shape == (28, 28)
    side = round(28 / occlusion.SIDE_RATIO)
    ignored = np.s_[:, : 14 - side // 2]  # the whole occluder lies in the left half
    np.testing.assert_allclose(result.probability[ignored], result.probability[0, 0], rtol=1e-5)
    np.testing.assert_allclose(result.activity[ignored], result.baseline, rtol=1e-5)
    assert np.ptp(result.probability[:, 14:]) > 1e-3 and np.ptp(result.activity[:, 14:]) > 1e-3


@pytest.mark.parametrize("colour", [occlusion.GREY, occlusion.PAPER])
def test_the_occluder_has_the_requested_colour(colour: int) -> None:
    image = mnist.load("test").images[0]
    covered = occlude(half_blind_network(), image, 1, colour).covered
    assert set(covered[covered != image]) == {colour}


@pytest.mark.parametrize(
    ("centre", "region"),
    [((0, 0), (0, 0, 2, 2)), ((5, 5), (3, 3, 7, 7)), ((9, 5), (7, 3, 10, 7))],
)
def test_an_occluder_at_the_edge_is_cut_off(
    centre: tuple[int, int], region: tuple[int, int, int, int]
) -> None:
    image = np.zeros((10, 10, 1), np.uint8)
    assert occlusion.square(image, *centre, side=4) == region
    covered = occlusion.cover(image, region, 9)
    top, left, bottom, right = region
    assert (covered[top:bottom, left:right] == 9).all()
    assert covered.sum() == 9 * (bottom - top) * (right - left)
    assert not image.any()  # the image itself is unchanged


def test_a_network_without_convolutions_has_no_watched_map() -> None:
    image = keras.Input((28, 28, 1), dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    network = keras.Model(image, layers.Dense(3, name="output")(x))
    result = occlude(network, mnist.load("test").images[0], 2)
    assert result.feature_map == "" and not result.activity.any()
    assert result.probability.min() >= 0 and result.probability.max() <= 1


def test_a_slow_network_covers_the_picture_in_larger_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, covered = [0.0], []

    def predict(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clock[0] += 0.5 * len(images)  # seconds
        covered.append(len(images))
        return np.full((len(images), 3), 1 / 3), np.zeros(len(images))

    monkeypatch.setattr(occlusion.time, "monotonic", lambda: clock[0])
    result = occlusion.occlude(predict, "", np.zeros((224, 224, 3), np.uint8), 0, 0, quiet=False)
    assert result.probability.shape == (10, 10) and sum(covered) == 1 + 32 + 100
    said = capsys.readouterr().err
    assert "the picture is covered in larger steps: 10 per side, not 28" in said
    assert "image 96 of 100  covering one part after another  (2 s left)" in said
