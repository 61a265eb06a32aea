"""Any picture becomes what a network takes: digits as MNIST's, photographs by their middle."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstlight import classification
from firstlight.datasets import Examples, mnist
from firstlight.datasets._folder import Pictures
from firstlight.datasets._images import Fitted, fitted, learned_from
from firstlight.errors import DataError


@pytest.fixture(scope="module")
def seven() -> np.ndarray:
    return mnist.load("test").images[0]


def save(path: Path, pixels: np.ndarray, mode: str = "L") -> Path:
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_an_image_of_mnist_is_taken_as_it_is(tmp_path: Path, seven: np.ndarray, mode: str) -> None:
    path = save(tmp_path / "7.png", seven[..., 0], mode)
    np.testing.assert_array_equal(classification.image_for(path, (28, 28, 1), "digits"), seven)


def test_a_larger_network_is_shown_the_digit_as_it_was_trained_on_it(
    tmp_path: Path, seven: np.ndarray
) -> None:
    path = save(tmp_path / "7.png", seven[..., 0])
    shown = classification.image_for(path, (32, 32, 3), "digits")
    trained_on = fitted(Examples(seven[None], np.array([7])), (32, 32, 3)).images[0]
    np.testing.assert_array_equal(shown, trained_on)


@pytest.mark.parametrize("size", [(28, 28), (400, 300)])
def test_a_photo_of_a_digit_is_made_like_mnist(
    tmp_path: Path, seven: np.ndarray, size: tuple[int, int]
) -> None:
    sheet = np.pad(255 - seven[..., 0], 0 if size == (28, 28) else 10, constant_values=255)
    drawn = Image.fromarray(sheet).resize(size, Image.Resampling.BICUBIC)
    path = tmp_path / "photo.png"
    drawn.save(path)
    image = classification.image_for(path, (28, 28, 1), "digits")
    assert image.shape == (28, 28, 1) and image.dtype == np.uint8
    assert classification.is_on_black(image[..., 0])
    middle = (image[..., 0] * np.indices((28, 28))).sum((1, 2)) / image.sum()
    assert middle == pytest.approx([13.5, 13.5], abs=1)


def test_no_digit_is_said(tmp_path: Path) -> None:
    path = save(tmp_path / "blank.png", np.full((90, 90), 250, np.uint8))
    with pytest.raises(DataError, match=r"blank.png: no digit found"):
        classification.image_for(path, (28, 28, 1), "digits")


@pytest.mark.parametrize("shape", [(300, 500), (500, 300), (40, 60)])
def test_of_a_photograph_the_middle_is_taken(tmp_path: Path, shape: tuple[int, int]) -> None:
    height, width = shape
    pixels = np.full((height, width, 3), (0, 0, 255), np.uint8)
    side = round(min(shape) * 224 / 256)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = (200, 100, 0)
    path = save(tmp_path / "photo.png", pixels, "RGB")
    image = classification.image_for(path, (224, 224, 3), "pictures")
    assert image.shape == (224, 224, 3)
    assert np.abs(image[12:-12, 12:-12] - np.array([200, 100, 0])).max() <= 1


def test_of_what_stands_for_an_array_all_is_taken(tmp_path: Path) -> None:
    letter = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    path = save(tmp_path / "letter.png", letter)
    assert np.array_equal(classification.image_for(path, (28, 28, 1), "arrays")[..., 0], letter)


def test_what_was_learned_is_told_from_classes_and_margins() -> None:
    digits, letters = mnist.load("val").images, [*"abcdefghij"]
    clothes = digits.repeat(2, 1)[:, 14:42]  # twice as high: up to the edges
    assert learned_from(digits, mnist.CLASSES) == "digits"
    assert learned_from(digits, [*mnist.CLASSES, "none"]) == "digits"
    assert learned_from(Fitted(digits, (224, 224, 3)), mnist.CLASSES) == "digits"
    assert learned_from(digits, letters) == learned_from(clothes, mnist.CLASSES) == "arrays"
    files = Fitted(Pictures(Path("there"), ["7/a.png"]), (28, 28, 1))
    assert learned_from(files, mnist.CLASSES) == "pictures"


def test_a_grey_network_of_other_things_takes_a_grey_middle(tmp_path: Path) -> None:
    path = save(tmp_path / "grey.png", np.full((60, 90), 77, np.uint8))
    image = classification.image_for(path, (28, 28, 1), "pictures")
    assert image.shape == (28, 28, 1) and (image == 77).all()


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"text.jpg: not a picture"):
        classification.image_for(tmp_path / "text.jpg", (224, 224, 3), "pictures")
    with pytest.raises(DataError, match=r"nowhere.jpg: no such file"):
        classification.image_for(tmp_path / "nowhere.jpg", (224, 224, 3), "pictures")
