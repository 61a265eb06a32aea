"""Augmentation: what a recipe names is done, up to its strength, and the same for the same seed."""

import numpy as np
import pytest
import tensorflow as tf

from firstlight.datasets import mnist
from firstlight.errors import UsageError
from firstlight.images import crops
from firstlight.images.augmentations import AUGMENTATIONS, check_strengths
from firstlight.training import augment

IMAGES = mnist.load("val").images[:200]
SEED = augment.Seed(tf.constant([3, 14], tf.int64))
STRENGTHS = {
    "stroke": 0.5, "blur": 1,
    "rotate": 15, "scale": 0.1, "shear": 0.1, "shift": 2, "elastic": 1.5,
    "outline": 1, "scribble": 1,
    "light": 2, "bright": 90, "colour": 0.3, "noise": 30, "specks": 0.2, "invert": 1,
}  # fmt: skip


def augmented(strengths: dict[str, float], seed: augment.Seed = SEED) -> np.ndarray:
    result = augment.augmenter(strengths)(tf.constant(IMAGES), seed).numpy()
    assert result.shape == IMAGES.shape and result.dtype == np.uint8
    return result


def names_of(kind: str) -> list[str]:
    return [name for name, augmentation in AUGMENTATIONS.items() if augmentation.kind == kind]


def ink(images: np.ndarray) -> np.ndarray:
    return images.sum(axis=(1, 2, 3), dtype=float)


def centre(images: np.ndarray) -> np.ndarray:
    """The centre of mass of each image, (N, 2): x, y."""
    y, x = np.mgrid[:28, :28]
    mass = images[..., 0] / ink(images)[:, np.newaxis, np.newaxis]
    return np.stack([(mass * x).sum((1, 2)), (mass * y).sum((1, 2))], axis=1)


def test_the_graph_changes_pixels_by_exactly_the_pixel_augmentations_of_the_catalogue() -> None:
    names = [name for transform in augment.TRANSFORMS for name in transform.names]
    numbers = {transform.number for transform in augment.TRANSFORMS}
    assert len(numbers) == len(augment.TRANSFORMS)  # each has random numbers of its own
    assert sorted(names) == sorted(names_of("pixel")) == sorted(STRENGTHS)


def test_pictures_are_cropped_by_exactly_the_crop_augmentations_of_the_catalogue() -> None:
    def crops_with(strengths: dict[str, float]) -> list[crops.Crop]:
        return [crops.random_crop(strengths, seed=0, number=number) for number in range(20)]

    for name, augmentation in AUGMENTATIONS.items():
        changes_crops = crops_with({name: augmentation.max_strength}) != crops_with({})
        assert changes_crops == (augmentation.kind == "crop"), name


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_largest_strength_is_allowed_and_anything_beyond_is_not(name: str) -> None:
    largest = AUGMENTATIONS[name].max_strength
    check_strengths({name: 0})
    check_strengths({name: largest})
    for strength in (-0.01, largest * 1.01, float("inf"), float("nan"), "1", None, True):
        with pytest.raises(UsageError, match=f"^augmentation '{name}' has the strength .* 0 to "):
            check_strengths({name: strength})


def test_an_unknown_augmentation_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"^no augmentation 'rotat'; augmentations: rotate, anyw"):
        check_strengths({"rotat": 9})
    with pytest.raises(UsageError) as raised:
        check_strengths({"zzz": 1})
    assert str(raised.value).endswith(f"augmentations: {', '.join(AUGMENTATIONS)}")


def test_a_fraction_of_the_images_stays_unchanged_and_another_one_in_each_step() -> None:
    half = augment.augmenter({"invert": 1}, unchanged=0.5)
    other_seed = augment.Seed(tf.constant([3, 15], tf.int64))
    stayed = [
        (half(tf.constant(IMAGES), seed).numpy() == IMAGES).all(axis=(1, 2, 3))
        for seed in (SEED, other_seed)
    ]
    assert 70 <= stayed[0].sum() <= 130 and (stayed[0] != stayed[1]).any()
    changed = half(tf.constant(IMAGES), SEED).numpy()[~stayed[0]]
    assert np.array_equal(changed, augmented({"invert": 1})[~stayed[0]])


def test_nothing_named_changes_nothing() -> None:
    assert np.array_equal(augmented({}), IMAGES)


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_changes_most_images_and_none_at_strength_0(name: str) -> None:
    changed = (augmented({name: STRENGTHS[name]}) != IMAGES).any((1, 2, 3))
    assert changed.mean() > 0.7
    assert np.array_equal(augmented({name: 0}), IMAGES)


def test_the_images_depend_on_the_seed_alone() -> None:
    assert np.array_equal(augmented(STRENGTHS), augmented(STRENGTHS))
    assert not np.array_equal(
        augmented(STRENGTHS), augmented(STRENGTHS, augment.Seed(tf.constant([3, 15], tf.int64)))
    )


@pytest.mark.parametrize("name", names_of("pixel"))
def test_a_part_of_a_batch_is_changed_as_in_the_whole(name: str) -> None:
    transform = augment.augmenter({name: STRENGTHS[name]})
    first, part = 3, IMAGES[3:]
    for place in (first, tf.constant(first)):
        seed = augment.Seed(SEED.numbers, place, len(IMAGES))
        changed = transform(tf.constant(part), seed).numpy()
        apart = changed.astype(int) - augmented({name: STRENGTHS[name]})[first:]
        assert np.abs(apart).max() <= 1 and (apart != 0).mean() < 1e-3  # sums in another order


def test_a_shift_goes_both_ways_and_no_further_than_its_strength() -> None:
    moved = centre(augmented({"shift": 2})) - centre(IMAGES)
    assert np.abs(moved).max() < 2.2  # ink that leaves the image moves the centre a little more
    assert moved.min() < -1.5 and moved.max() > 1.5


def test_a_scale_changes_ink_by_its_square() -> None:
    share = ink(augmented({"scale": 0.1})) / ink(IMAGES)
    assert share.min() > 0.9**2 - 0.06 and share.max() < 1 / 0.9**2 + 0.05


def test_a_stroke_is_thicker_or_thinner() -> None:
    share = ink(augmented({"stroke": 0.5})) / ink(IMAGES)
    assert share.min() < 0.8 and share.max() > 1.2


def test_light_and_brightness_only_lighten_the_paper() -> None:
    for name in ("light", "bright"):
        paper = augmented({name: STRENGTHS[name]})[IMAGES == 0]
        assert paper.min() >= 0 and paper.mean() > 10


def test_an_outline_is_hollow() -> None:
    thick = np.zeros((1, 28, 28, 1), np.uint8)
    thick[:, 8:20, 8:20] = 255
    edges = augment.augmenter({"outline": 1})(tf.constant(thick), SEED).numpy()
    assert (edges[0, 8:20, 8:20] == 0).all() and (edges[0, 8:20, [7, 20]] == 255).all()


def test_a_scribble_draws_over_a_part_of_the_image() -> None:
    changed = (augmented({"scribble": 1}) != IMAGES).mean((1, 2, 3))
    assert 0.01 < changed.mean() < 0.3 and changed.max() < 0.6
    untouched = (augmented({"scribble": 0.25}) == IMAGES).all((1, 2, 3)).mean()
    assert 0.65 < untouched < 0.9  # a few scribbles miss the image


def test_an_inverted_band_goes_from_edge_to_edge() -> None:
    negative = (augmented({"invert": 1}) == 255 - IMAGES)[..., 0]
    assert (negative == (augmented({"invert": 1}) != IMAGES)[..., 0]).all()
    columns = (negative == negative[:, :1]).all((1, 2))
    rows = (negative == negative[:, :, :1]).all((1, 2))
    assert (rows | columns).all() and 0.3 < columns.mean() < 0.7
    assert 0.4 < negative[:, 0, 0].mean() < 0.75  # inside or outside the band


def test_specks_are_a_share_of_the_pixels() -> None:
    changed = (augmented({"specks": 0.4}) != IMAGES).mean((1, 2, 3))
    assert changed.max() < 0.4 and 0.02 < changed.mean() < 0.1


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    """The affine map is right at a known angle."""
    x, y = augment.affine_coordinates(1, 28, 28, SEED, rotate=0, scale=0, shear=0, shift=0)
    upright = tf.constant(IMAGES[:1], tf.float32)
    assert np.allclose(augment.bilinear_sample(upright, x, y), upright, atol=1e-3)
    turned = augment.bilinear_sample(upright, y, 27 - x)
    assert np.allclose(turned[0], np.rot90(upright[0], -1), atol=1e-3)


def test_the_spline_adds_up_to_one_and_is_smooth() -> None:
    rows = augment.spline_weights(28, 7)
    assert rows.shape == (28, 7) and np.allclose(rows.sum(1), 1) and rows.min() >= 0
    assert np.abs(np.diff(rows, n=2, axis=0)).max() < 0.08


def test_colour_changes_brightness_contrast_and_colourfulness() -> None:
    red = np.zeros((64, 8, 8, 3), np.uint8) + np.array([160, 90, 90], np.uint8)
    red[:, :4] = 60
    coloured = augment.augmented(red, {"colour": 0.3}).astype(float)
    brightness = coloured.mean((1, 2, 3))
    assert 40 < brightness.min() < 70 and 90 < brightness.max() < 120
    saturation = coloured[:, 6, 6, 0] - coloured[:, 6, 6, 1]  # 70 in the image itself
    assert saturation.min() < 55 and saturation.max() > 85
