"""A picture shown ten times, and everywhere: the answers are those of the plain network."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Answer
from keras import layers
from PIL import Image

from firstlight import catalog
from firstlight.datasets._folder import Pictures
from firstlight.datasets._images import Fitted
from firstlight.errors import UsageError
from firstlight.evaluation import crops
from firstlight.evaluation.accuracy import predictor
from firstlight.images.crops import TEN_CROPS
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
def pictures(tmp_path: Path) -> Pictures:
    random = np.random.default_rng(0)
    for number, size in enumerate([(60, 40, 3), (40, 40, 3)]):
        noise = random.integers(0, 256, size, np.uint8)
        Image.fromarray(noise).resize((size[1] * 2, size[0] * 2)).save(tmp_path / f"{number}.png")
    return Pictures(tmp_path, ["0.png", "1.png"])


@pytest.mark.parametrize("network", [small(3), small(2), small(3, average=True)])
def test_slid_over_a_picture_it_answers_each_place_as_the_network_does(
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
    np.testing.assert_allclose(crops.slid(network)(image), best, rtol=1e-5)


@pytest.mark.parametrize("name", ["nin-imagenet", "nin-cifar"])
def test_over_a_picture_of_its_own_size_a_network_of_ours_is_slid_over_one_place(name: str) -> None:
    network = catalog.network(name).build(4)
    image = np.random.default_rng(2).integers(0, 256, network.input_shape[1:], np.uint8)
    expected = softmax(predictor(network)(image[None]))[0]
    np.testing.assert_allclose(crops.slid(network)(image), expected, rtol=1e-4)


def test_dense_is_the_mean_over_six_scales_and_their_mirrors(pictures: Pictures) -> None:
    images = Fitted(pictures, (26, 26, 3))
    seen = list(crops.scaled(images, 0))
    assert [min(image.shape[:2]) for image in seen[::2]] == [29, 33, 37, 46, 50, 54]
    assert seen[0].shape == (43, 29, 3)  # the whole picture, not a square of it
    assert np.array_equal(seen[0][:, ::-1], seen[1])
    network = small(3)
    everywhere = crops.slid(network)
    expected = np.mean([everywhere(image) for image in seen], axis=0)
    probabilities = crops.dense(network, images)
    np.testing.assert_allclose(probabilities[0], expected / expected.sum(), rtol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_ten_crops_are_averaged(pictures: Pictures) -> None:
    images, network = Fitted(pictures, (26, 26, 3)), small(3)
    crops = images.cut(np.ones(10, int), TEN_CROPS)
    expected = softmax(network(crops).numpy()).mean(0)
    np.testing.assert_allclose(crops.ten_crops(network, images)[1], expected, rtol=1e-5)


def test_a_network_that_cannot_be_slid_says_so(pictures: Pictures) -> None:
    network = catalog.network("lenet5").build(3)
    with pytest.raises(UsageError, match="lenet5 has no classifier behind a max pooling"):
        crops.dense(network, Fitted(pictures, (28, 28, 1)))


def test_any_network_on_any_data(
    firstlight: Callable[..., Answer], digits: Path, tmp_path: Path
) -> None:
    """Pictures for a network of digits, digits for one of pictures; trained and measured."""
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
    assert "1 faults" in grey.err and "60 used" in grey.err and "no test split" in grey.err
    run = Path(result["run"])
    assert (run / "pictures.json").is_file() and (run / "figures/samples.png").is_file()
    assert "48 train, 12 val" in (run / "MODEL_CARD.md").read_text("utf-8")
    measured = firstlight("evaluate", run, "--json", "--views", "ten-crops")
    facts = json.loads(measured.out)
    assert facts["split"] == "val" and facts["accuracy"] > 0.6 and facts["views"] == "ten-crops"
    assert "has no test split: measured on val" in measured.err
    assert firstlight("evaluate", run, "--data", digits).code == 2  # other classes
    assert firstlight("evaluate", run, "--views", "dense").code == 2
    (tmp_path / "shades/train/dark/new.png").write_bytes(file.read_bytes())
    assert (
        json.loads(firstlight("evaluate", run, "--json", "--split", "train").out)["examples"] == 48
    )

    colour = firstlight("train", "nin-cifar", "--data", digits, "--steps", 2, "--json")
    assert colour.code == 0 and json.loads(colour.out)["test_accuracy"] is not None
