"""The 15 corruptions of benchmarks/corruptions.py, each on images whose result is known."""

import json
import sys
from pathlib import Path

import corruptions
import numpy as np
import pytest
import report
from corruptions import CORRUPTIONS, corrupt

from firstlight import model
from firstlight.datasets import mnist
from firstlight.model import predictor
from firstlight.runs.run import Run
from firstlight.settings import prepare
from firstlight.training import trainer

IMAGES = mnist.load("test").images[:300, ..., 0]
BLACK, WHITE = np.zeros((60, 28, 28), np.uint8), np.full((60, 28, 28), 255, np.uint8)
NOT_RANDOM = {"scale", "brightness", "stripe", "canny_edges"}


def spot(row: float, column: float) -> np.ndarray:
    """Return sixty images of a round spot; its row and column count from the centre."""
    y, x = np.mgrid[:28, :28] - 13.5
    shape = np.exp(-((y - row) ** 2 + (x - column) ** 2) / 4)
    return np.repeat(np.rint(255 * shape).astype(np.uint8)[np.newaxis], 60, axis=0)


def centers_of_mass(images: np.ndarray) -> np.ndarray:
    """Return each image's centre of mass, (N, 2): row, column, counted from the centre."""
    mass = images / images.sum(axis=(1, 2), keepdims=True, dtype=float)
    return np.stack(
        [(mass * distance).sum((1, 2)) for distance in np.mgrid[:28, :28] - 13.5], axis=1
    )


def distinct_centers(images: np.ndarray) -> set[tuple[float, ...]]:
    """Return the distinct centres of mass of the images, to a tenth of a pixel."""
    return {tuple(center) for center in (centers_of_mass(images).round(1) + 0.0).tolist()}


def test_there_are_fifteen_corruptions() -> None:
    assert len(CORRUPTIONS) == 15


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_changes_every_image_and_keeps_shape_and_type(name: str) -> None:
    before = IMAGES.copy()
    after = corrupt(name, IMAGES)
    assert after.shape == IMAGES.shape and after.dtype == np.uint8
    assert np.array_equal(IMAGES, before)
    assert (after != IMAGES).any((1, 2)).all()
    assert CORRUPTIONS[name].__doc__


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_depends_on_the_seed_alone(name: str) -> None:
    assert np.array_equal(corrupt(name, IMAGES, 1), corrupt(name, IMAGES, 1))
    same = np.array_equal(corrupt(name, IMAGES, 1), corrupt(name, IMAGES, 2))
    assert same == (name in NOT_RANDOM)


def test_shot_noise_has_four_levels_and_keeps_the_mean() -> None:
    grey = np.full((60, 28, 28), 51, np.uint8)
    after = corrupt("shot_noise", grey)
    assert set(np.unique(after)) == {0, 85, 170, 255}
    assert after.mean() == pytest.approx(51, rel=0.03)
    assert np.array_equal(corrupt("shot_noise", BLACK), BLACK)


def test_impulse_noise_is_half_salt_half_pepper() -> None:
    assert np.mean(corrupt("impulse_noise", BLACK) == 255) == pytest.approx(0.085, abs=0.005)
    assert np.mean(corrupt("impulse_noise", WHITE) == 0) == pytest.approx(0.085, abs=0.005)


def test_glass_blur_moves_ink_by_less_than_a_pixel() -> None:
    assert np.array_equal(corrupt("glass_blur", WHITE), WHITE)
    after = corrupt("glass_blur", IMAGES)
    assert after.mean() == pytest.approx(IMAGES.mean(), rel=0.02)
    assert np.abs(centers_of_mass(after) - centers_of_mass(IMAGES)).max() < 1


def test_motion_blur_trails_to_the_left() -> None:
    one = BLACK.copy()
    one[:, 14, 20] = 255
    after = corrupt("motion_blur", one)
    assert not after[:, :, 21:].any()
    first = (
        255 / np.exp(-(np.arange(21) ** 2) / 18).sum()
    )  # of its light, what remains at its own pixel
    assert (after[:, 14, 20] == round(first)).all()
    assert np.allclose(after.sum((1, 2)), 255, atol=6)  # each of 21 pixels is rounded
    assert len(distinct_centers(after)) > 20  # the angles differ


def test_a_warp_that_maps_each_pixel_to_itself_does_nothing() -> None:
    assert np.array_equal(corruptions.warp(IMAGES, np.eye(2)), IMAGES)


def test_shear_slants_to_either_side() -> None:
    stretched, aside = round(8 / np.cos(0.4), 1), round(8 * np.tan(0.4), 1)
    assert distinct_centers(corrupt("shear", spot(-8, 0))) == {
        (-stretched, -aside),
        (-stretched, aside),
    }


def test_rotate_turns_in_either_direction() -> None:
    x, y = round(8 * np.cos(0.4), 1), round(8 * np.sin(0.4), 1)
    assert distinct_centers(corrupt("rotate", spot(0, 8))) == {(-y, x), (y, x)}


def test_scale_shrinks_to_70_percent() -> None:
    assert distinct_centers(corrupt("scale", spot(5, -6))) == {(3.5, -4.2)}
    ink = corrupt("scale", IMAGES).sum((1, 2), dtype=float) / IMAGES.sum((1, 2), dtype=float)
    assert ink.mean() == pytest.approx(0.49, abs=0.005)


def test_translate_moves_by_three_pixels_in_four_directions() -> None:
    inside = IMAGES[(np.pad(IMAGES[:, 3:25, 3:25], [(0, 0), (3, 3), (3, 3)]) == IMAGES).all((1, 2))]
    moved = centers_of_mass(corrupt("translate", inside)) - centers_of_mass(inside)
    assert np.allclose(np.abs(moved), 3)
    assert len(np.unique(moved.round(), axis=0)) == 4


def test_brightness_adds_half_of_white() -> None:
    expected = np.minimum(IMAGES + 127.5, 255)
    assert np.abs(corrupt("brightness", IMAGES) - expected).max() <= 0.5


def test_stripe_inverts_seven_columns_on_either_side() -> None:
    after = corrupt("stripe", IMAGES)
    for columns in (slice(0, 7), slice(21, 28)):
        assert np.array_equal(after[:, :, columns], 255 - IMAGES[:, :, columns])
    assert np.array_equal(after[:, :, 7:21], IMAGES[:, :, 7:21])


def test_fog_is_three_parts_cloud_to_one_part_digit() -> None:
    clouds = corruptions.plasma(4, 256, 1.4, np.random.default_rng(0))
    assert clouds.shape == (4, 256, 256)
    assert (clouds.min((1, 2)) == 0).all() and (clouds.max((1, 2)) == 1).all()
    assert np.abs(np.diff(clouds, axis=2)).max() < 0.1  # smooth
    after = corrupt("fog", WHITE)
    assert after.min() >= 64 and 130 < after.mean() < 190  # (1 + 3 · 0.5) / 4 of white
    assert not corrupt("fog", BLACK).any()  # no light, no fog: it is scaled by the whitest pixel


def test_spatter_is_darker_than_white_and_brighter_than_black() -> None:
    on_black, on_white = corrupt("spatter", BLACK), corrupt("spatter", WHITE)
    assert set(np.unique(on_black)) <= {0, *range(50, 64)}
    assert set(np.unique(on_white)) <= {255, *range(63, 103)}
    assert 0.05 < np.mean(on_black > 0) < 0.3


def test_a_dotted_line_has_two_columns_of_ink_then_two_without() -> None:
    after = corrupt("dotted_line", BLACK)
    inked = {int(column) for column in np.flatnonzero(after.any((0, 1)))}
    assert inked == {2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26}
    assert (corrupt("dotted_line", IMAGES) >= IMAGES).all()


def test_a_line_is_white_in_the_middle_and_three_pixels_high() -> None:
    ends = (np.array([value]) for value in (2, 10, 20, 10))
    ink = corruptions.line(*ends)[0]
    assert np.allclose(ink[8:13, 5], [0, np.log(1 - 1 / 2.3) + 1, 1, np.log(1 - 1 / 2.3) + 1, 0])
    assert np.array_equal(np.flatnonzero(ink.any(axis=0)), np.arange(2, 20))


def test_a_zigzag_goes_up_and_down() -> None:
    after = corrupt("zigzag", BLACK)
    assert not after[:, :, :2].any() and not after[:, :, 26:].any()
    inside = after[after[:, 4:23].any(1)[:, 2:25].all(1) & ~after[:, [0, 27]].any((1, 2))]
    height = inside.argmax(1)  # the row of the line, in each column
    assert len(inside) > 10
    assert (height[:, 4] > height[:, 8]).all() and (height[:, 8] < height[:, 12]).all()
    assert (corrupt("zigzag", IMAGES) >= IMAGES).all()


def test_canny_finds_only_the_outline() -> None:
    square = BLACK.copy()
    square[:, 8:20, 8:20] = 255
    after = corrupt("canny_edges", square)
    assert set(np.unique(after)) == {0, 255}
    assert not after[:, 10:18, 10:18].any()
    assert not np.delete(np.delete(after, slice(7, 21), 1), slice(7, 21), 2).any()
    for edge in (after[:, 7:10], after[:, 18:21]):
        assert (edge[:, :, 10:18] > 0).any(1).all()  # both horizontal sides, without a gap
    assert not corrupt("canny_edges", WHITE).any()


def test_a_run_is_measured_on_each_corruption(here: Path) -> None:
    trainer.train(prepare("softmax", "mnist", limit=500, steps=20), here / "run", quiet=True)
    examples = mnist.load("test").first(200)
    (record,) = corruptions.measure([here / "run"], examples)
    logits = predictor(model.load(Run.open(here / "run"))[0])
    wrong = np.mean(logits(examples.images).argmax(1) != examples.labels)
    assert record["clean"] == pytest.approx(100 * wrong)
    assert list(record["corrupted"]) == list(CORRUPTIONS)
    assert record["mean"] == pytest.approx(np.mean(list(record["corrupted"].values())), abs=0.01)
    assert (record["run"], record["network"], record["seed"]) == ("run", "softmax", 0)


def test_measuring_a_run_again_replaces_its_record(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = dict.fromkeys(("clean", *CORRUPTIONS), 0.0)
    record = {"run": "a", "examples": 9, "clean": 0.0, "mean": 0.0, "corrupted": zeros}
    record |= {"processor": "none", "versions": {"scipy": "1"}}
    other = record | {"run": "b", "mean": 2.35}
    (here / "results.json").write_text(json.dumps([record | {"clean": 1.0}, other]))
    (here / "README.md").write_text("<!-- corruptions -->\n<!-- /corruptions -->\n")
    monkeypatch.setattr(corruptions, "RESULTS", here / "results.json")
    monkeypatch.setattr(report, "PAGES", (here / "README.md",))
    monkeypatch.setattr(corruptions, "measure", lambda folders, examples: [record])
    monkeypatch.setattr(sys, "argv", ["corruptions.py", "a", "--picture", "all.png"])
    corruptions.main()
    assert json.loads((here / "results.json").read_text()) == [other, record]
    assert "| **mean of the 15** | 2.35 | 0.00 |" in (here / "README.md").read_text()
    assert (here / "all.png").read_bytes().startswith(b"\x89PNG")
