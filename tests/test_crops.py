"""Ten crops and dense evaluation: their answers are averages of the plain network's."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Answer
from keras import layers
from PIL import Image

from firstlight import catalog
from firstlight.datasets import FolderImages
from firstlight.errors import UsageError
from firstlight.evaluation import crops
from firstlight.images.crops import CROP_FRACTION, TEN_CROPS, crop_and_resize
from firstlight.model import predictor
from firstlight.probabilities import softmax


def small(pool: int, average: bool = False) -> keras.Model:
    """A network like OverFeat's, or like NIN, for 26×26 pixels: maps of 24, then 24 / pool."""
    image = keras.Input((26, 26, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(5, 3, activation="relu", bias_initializer="ones")(x)
    x = layers.MaxPooling2D(pool)(x)
    if average:
        x = layers.Conv2D(4, 1, activation="relu")(x)
        return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="averaging")
    x = layers.Dense(7, activation="relu")(layers.Flatten()(x))
    x = layers.Dense(4)(layers.Dropout(0.5)(x))
    return keras.Model(image, x, name="small")


@pytest.fixture
def pictures(tmp_path: Path) -> FolderImages:
    random = np.random.default_rng(0)
    for number, size in enumerate([(60, 40, 3), (40, 40, 3)]):
        noise = random.integers(0, 256, size, np.uint8)
        Image.fromarray(noise).resize((size[1] * 2, size[0] * 2)).save(tmp_path / f"{number}.png")
    return FolderImages(tmp_path, ["0.png", "1.png"], (26, 26, 3))


@pytest.mark.parametrize("network", [small(3), small(2), small(3, average=True)])
def test_dense_scores_are_the_maximum_over_every_position(
    network: keras.Model,
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (41, 33, 3), np.uint8)
    plain = predictor(network)
    stride = network.layers[3].pool_size[0]
    offsets, best = range(stride), np.zeros(4)
    for y in offsets:  # every window that starts at an offset and goes on by the pooling's stride
        for x in offsets:
            for top in range(y, 41 - 26 + 1, stride):
                for left in range(x, 33 - 26 + 1, stride):
                    window = image[np.newaxis, top : top + 26, left : left + 26]
                    best = np.maximum(best, softmax(plain(window))[0])
    np.testing.assert_allclose(crops.dense_scores(network)(image), best, rtol=1e-5)


@pytest.mark.parametrize("name", ["nin-imagenet", "nin-cifar"])
def test_a_picture_of_the_networks_own_size_has_a_single_position(name: str) -> None:
    network = catalog.network(name).build(4)
    image = np.random.default_rng(2).integers(0, 256, network.input_shape[1:], np.uint8)
    expected = softmax(predictor(network)(image[None]))[0]
    np.testing.assert_allclose(crops.dense_scores(network)(image), expected, rtol=1e-4)


def test_dense_is_the_mean_over_six_scales_and_their_mirrors(pictures: FolderImages) -> None:
    scaled = list(crops.scaled_pictures(pictures, 0))
    assert [min(image.shape[:2]) for image in scaled[::2]] == [29, 33, 37, 46, 50, 54]
    assert scaled[0].shape == (43, 29, 3)  # the whole picture, not a square of it
    assert np.array_equal(scaled[0][:, ::-1], scaled[1])
    network = small(3)
    scores = crops.dense_scores(network)
    expected = np.mean([scores(image) for image in scaled], axis=0)
    probabilities = crops.dense(network, pictures)
    np.testing.assert_allclose(probabilities[0], expected / expected.sum(), rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_ten_crops_are_averaged(pictures: FolderImages) -> None:
    network = small(3)
    picture = pictures.picture(1, math.ceil(26 / CROP_FRACTION))
    ten = np.array([crop_and_resize(picture, crop, (26, 26, 3)) for crop in TEN_CROPS])
    assert len(np.unique(ten.reshape(10, -1), axis=0)) == 10
    expected = softmax(network(ten).numpy()).mean(0)
    np.testing.assert_allclose(crops.ten_crops(network, pictures)[1], expected, rtol=1e-5)


def test_dense_evaluation_of_a_network_without_a_last_pool_is_refused(
    pictures: FolderImages,
) -> None:
    network = catalog.network("lenet5").build(3)
    with pytest.raises(UsageError, match="lenet5 has no classifier after a max pooling"):
        crops.dense(network, pictures.resized((28, 28, 1)))


def test_a_network_for_digits_learns_pictures_and_one_for_pictures_learns_digits(
    firstlight: Callable[..., Answer], digits: Path, tmp_path: Path
) -> None:
    for number in range(60):
        name = ("dark", "light", "middle")[number % 3]
        split = "val" if number >= 48 else "train"
        (tmp_path / "shades" / split / name).mkdir(parents=True, exist_ok=True)
        grey = {"dark": 30, "light": 220, "middle": 120}[name]
        noise = np.random.default_rng(number).normal(grey, 10, (40, 50, 3)).clip(0, 255)
        file = tmp_path / "shades" / split / name / f"{number}.png"
        Image.fromarray(noise.astype(np.uint8)).save(file)
    (tmp_path / "shades/train/dark/broken.png").write_bytes(b"no picture")
    grey = firstlight(
        "train", "lenet5", "--data", "shades", "--epochs", 25, "--batch-size", 16, "--json"
    )
    result = json.loads(grey.out)
    assert grey.code == 0 and result["test_accuracy"] is None
    assert "left out train/dark/broken.png: not a picture" in grey.err
    assert "1 faults" in grey.err and "60 pictures used" in grey.err and "no test split" in grey.err
    run = Path(result["run"])
    assert (run / "pictures.json").is_file() and (run / "figures/samples.png").is_file()
    assert "48 train, 12 val" in (run / "MODEL_CARD.md").read_text("utf-8")
    measured = firstlight("evaluate", run, "--json", "--views", "ten-crops")
    facts = json.loads(measured.out)
    assert facts["split"] == "val" and facts["accuracy"] > 0.6
    assert facts["views"] == "ten-crops" and (run / "evaluation-ten-crops.json").is_file()
    assert "has no test split: measured on val" in measured.err
    assert firstlight("evaluate", run, "--data", digits).code == 2  # other classes
    assert firstlight("evaluate", run, "--views", "dense").code == 2
    (tmp_path / "shades/train/dark/new.png").write_bytes(file.read_bytes())
    assert (
        json.loads(firstlight("evaluate", run, "--json", "--split", "train").out)["examples"] == 48
    )

    colour = firstlight("train", "nin-cifar", "--data", digits, "--steps", 2, "--json")
    assert colour.code == 0 and json.loads(colour.out)["test_accuracy"] is not None
