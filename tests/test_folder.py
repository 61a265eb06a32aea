"""Folders of pictures: every fault is named, and the other pictures are read correctly."""

import base64
import errno
import io
import json
import os
import re
import shutil
import sys
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

from firstlight import catalog
from firstlight.datasets import FolderImages, Listing, _folder, _idx, mnist
from firstlight.errors import DataError, UsageError
from firstlight.evaluation import crops
from firstlight.images import open as open_module
from firstlight.images.crops import (
    CENTER_CROP,
    CROP_FRACTION,
    TEN_CROPS,
    Crop,
    crop_and_resize,
)
from firstlight.images.files import find_pictures
from firstlight.images.open import open_photograph
from firstlight.settings import default_recipe

COLOURS = {"apple": (200, 30, 30), "kiwi": (90, 140, 40), "plum": (90, 30, 120)}


def picture(
    colour: tuple[int, int, int], seed: int, size: tuple[int, int] = (48, 40)
) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, 20, (size[1], size[0], 3))
    return Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))


def write(path: Path, colour: str, seed: int, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(COLOURS[colour], seed).save(path, **options)
    return path


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """DIR/CLASS/*: three classes of twenty pictures."""
    for number in range(60):
        name = list(COLOURS)[number % 3]
        write(tmp_path / "fruit" / name / f"{name}-{number // 3}.jpg", name, number)
    return tmp_path / "fruit"


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """DIR/{train,val}/CLASS/*: three classes, eight and two pictures of each."""
    for number in range(30):
        name, split = list(COLOURS)[number % 3], "train" if number < 24 else "val"
        write(tmp_path / "shop" / split / name / f"{number // 3}.png", name, number)
    return tmp_path / "shop"


def faults(directory: Path) -> dict[str, str]:
    return {fault.file: fault.problem for fault in _folder.list_pictures(directory).faults}


def test_an_orderly_folder_has_no_faults(classes: Path, splits: Path) -> None:
    assert faults(classes) == faults(splits) == {}
    (splits / "README.md").write_text("notes are left alone")
    write(splits / "train/apple/.hidden.jpg", "apple", 99)
    assert faults(splits) == {}
    assert len(catalog.dataset(str(splits)).load("train").labels) == 24


def spoiled(splits: Path) -> dict[str, tuple[Callable[[Path], object], str]]:
    jpeg = write(splits.parent / "whole.jpg", "apple", 1).read_bytes()
    return {
        "train/apple/empty.jpg": (lambda p: p.write_bytes(b""), "empty file"),
        "train/apple/text.jpg": (lambda p: p.write_text("hello"), "not a picture"),
        "train/apple/cut.jpg": (lambda p: p.write_bytes(jpeg[:-200]), "truncated"),
        "train/apple/exif.jpg": (
            lambda p: picture((9, 9, 9), 1).save(p, dpi=(72, 72), exif=b"Exif\0\0II*\0"),
            "damaged picture",
        ),
        "train/apple/dot.png": (lambda p: Image.new("L", (1, 1)).save(p), "1×1 pixels: too small"),
        "train/apple/strip.png": (
            lambda p: Image.new("L", (400, 9)).save(p),
            "too narrow; at most",
        ),
        "train/apple/film.gif": (
            lambda p: picture((9, 9, 9), 0).save(
                p, save_all=True, append_images=[picture((99, 9, 9), 0)]
            ),
            "animated",
        ),
        "train/apple/far/in/deep.png": (
            lambda p: write(p, "apple", 80),
            "too deep: expected train",
        ),
        "train/stray.png": (lambda p: write(p, "apple", 81), "in no class folder"),
        "lost.png": (lambda p: write(p, "apple", 84), "in no class folder"),
        "train/kiwi/twin.png": (
            lambda p: shutil.copy(splits / "train/apple/1.png", p),
            "same picture as train/apple/1.png, in another class",
        ),
        "val/apple/known.png": (
            lambda p: shutil.copy(splits / "train/apple/0.png", p),
            "same picture as train/apple/0.png, in another split",
        ),
        "val/pear/1.png": (lambda p: write(p, "plum", 82), "class pear is in val and not in train"),
        "train/apple/vast.png": (
            lambda p: Image.new("1", (10_000, 10_000)).save(p),
            "more than 40 million pixels",
        ),
        "train/caf\udce9": (
            lambda p: write(p / "1.png", "plum", 85),
            "named in UTF-8, without control characters; rename",
        ),
        "train/void": (lambda p: p.mkdir(), "empty class"),
        "spare": (lambda p: write(p / "apple/1.png", "apple", 83), "not the name of a split"),
    }


def test_every_fault_is_named_and_left_out(splits: Path) -> None:
    expected = spoiled(splits)
    for name, (spoil, _) in expected.items():
        (splits / name).parent.mkdir(parents=True, exist_ok=True)
        spoil(splits / name)
    found = faults(splits)
    assert found.keys() == expected.keys()
    for name, (_, problem) in expected.items():
        assert problem in found[name]
    dataset = catalog.dataset(str(splits))
    assert dataset.classes == ("apple", "kiwi", "plum")
    assert [len(dataset.load(s).labels) for s in ("train", "val")] == [24, 6]


def test_empty_classes_of_a_split_without_a_file_are_faults(splits: Path) -> None:
    for file in (splits / "val").glob("*/*"):
        file.unlink()
    assert faults(splits).keys() == {"val/apple", "val/kiwi", "val/plum"}


def test_a_made_split_is_stratified_and_the_same_whatever_files_are_called(classes: Path) -> None:
    def contents() -> dict[str, set[bytes]]:
        listing = _folder.list_pictures(classes)
        return {
            split: {(classes / file).read_bytes() for file in files}
            for split, files in listing.splits.items()
        }

    listing = _folder.list_pictures(classes)
    before = contents()
    assert {split: len(files) for split, files in listing.splits.items()} == {
        "train": 48,
        "val": 6,
        "test": 6,
    }
    for split in ("val", "test"):
        labels = catalog.dataset(str(classes)).load(split).labels
        assert np.bincount(labels).tolist() == [2, 2, 2]
    assert "val and test made here: one picture in 10" in listing.made
    assert catalog.dataset(str(classes)).made == listing.made
    for path in list(classes.glob("*/*")):
        path.rename(path.with_name(f"renamed {path.name}"))
    assert contents() == before


def test_copies_of_a_picture_are_in_the_same_split(classes: Path) -> None:
    for path in list(classes.glob("*/*")):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    found = _folder.list_pictures(classes).splits
    digests = [set(files.values()) for files in found.values()]
    assert sum(map(len, found.values())) == 120 and len(set.union(*digests)) == sum(
        map(len, digests)
    )


def test_a_folder_without_val_gets_one_and_keeps_its_test(splits: Path) -> None:
    (splits / "val").rename(splits / "test")
    dataset = catalog.dataset(str(splits))
    assert dataset.splits == ("train", "val", "test") and dataset.evaluation_split == "test"
    assert [len(dataset.load(split)) for split in dataset.splits] == [21, 3, 6]


def test_without_a_test_split_val_is_measured(splits: Path) -> None:
    assert catalog.dataset(str(splits)).evaluation_split == "val"
    with pytest.raises(DataError, match="has no test pictures; it has: train, val"):
        catalog.dataset(str(splits)).load("test")


def test_classes_are_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        write(tmp_path / "d" / f"Class {number}" / "a.png", "apple", number)
    assert catalog.dataset(str(tmp_path / "d")).classes == ("Class 1", "Class 9", "Class 10")
    assert sorted(["cat2", "2 cats", "cat", "10", "cat 2b"], key=_folder.natural) == [
        "2 cats", "10", "cat", "cat2", "cat 2b",
    ]  # fmt: skip


def test_any_beginning_of_a_split_has_all_classes(classes: Path) -> None:
    assert sorted(catalog.dataset(str(classes)).load("train").first(3).labels) == [0, 1, 2]


def test_what_a_file_is_called_and_how_it_is_stored_do_not_matter(tmp_path: Path) -> None:
    """EXIF orientation, inks, a palette, transparency, 16 bits: each read as the same picture."""
    plain = Image.new("RGB", (40, 60), (200, 120, 40))
    plain.paste((30, 60, 200), (0, 0, 40, 30))  # blue above orange
    turned = plain.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = plain.convert("RGBA")
    saved: dict[str, Callable[[Path], None]] = {
        "a.jpg": lambda p: plain.save(p, "PNG"),
        "b.jpg": lambda p: turned.save(p, exif=exif, quality=95),
        "c.jpg": lambda p: plain.convert("CMYK").save(p, quality=95),
        "d.gif": lambda p: plain.quantize(8).save(p),
        "e.png": lambda p: clear.save(p),
        "f.jpeg": lambda p: plain.save(p, "BMP"),
    }
    folder_ = tmp_path / "d" / "x"
    folder_.mkdir(parents=True)
    for name, save in saved.items():
        save(folder_ / name)
    assert faults(tmp_path / "d") == {}
    images = FolderImages(folder_, sorted(saved), (16, 16, 3))[:]
    assert images.shape == (6, 16, 16, 3)
    for name, image in zip(sorted(saved), images, strict=True):
        assert np.abs(image[2].mean(0) - (30, 60, 200)).max() < 16, name
        assert np.abs(image[-3].mean(0) - (200, 120, 40)).max() < 16, name


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    image = FolderImages(tmp_path, ["deep.png"], (32, 32, 3))[0]
    assert 120 < image.mean() < 135 and image.min() < 30 and image.max() > 225


def test_the_center_crop_is_224_of_256_and_ten_crops_are_its_corners() -> None:
    picture = Image.fromarray(np.arange(256 * 300).reshape(256, 300).astype(np.uint8))
    pixels, size = np.asarray(picture), (224, 224, 1)
    center = crop_and_resize(picture, CENTER_CROP, size)
    assert np.array_equal(center[..., 0], pixels[16:240, 38:262]) and CROP_FRACTION == 0.875
    ten = [crop_and_resize(picture, crop, size)[..., 0] for crop in TEN_CROPS]
    assert np.array_equal(ten[1], pixels[:224, :224])
    assert np.array_equal(ten[4], pixels[32:, 76:])
    assert all(np.array_equal(a[:, ::-1], b) for a, b in zip(ten[:5], ten[5:], strict=True))


def test_random_crops_depend_on_seed_and_number_alone(splits: Path) -> None:
    images = catalog.dataset(str(splits)).load("train").images.resized((20, 20, 3))
    strengths = {"anywhere": 1.0, "zoom": 0.5, "mirror": 0.5}
    rows = np.array([3, 3, 5, 7])
    places = 100 + np.arange(len(rows))
    batch = images.augmented(rows, strengths, 7, places)
    assert np.array_equal(batch[2:], images.augmented(rows[2:], strengths, 7, places[2:]))
    assert not np.array_equal(batch[0], batch[1])
    assert not np.array_equal(batch, images.augmented(rows, strengths, 8, places))
    assert np.array_equal(images.augmented(rows, {}, 7, places), images[rows])


def test_digits_grow_for_a_network_of_photographs_and_are_never_mirrored(digits: Path) -> None:
    examples = _idx.load("test", digits)
    large = examples.images.resized((224, 224, 3))
    assert large.shape == (100, 224, 224, 3) and large[:2].dtype == np.uint8
    reduced = large[0][4::8, 4::8, 0].astype(int)
    assert np.abs(reduced - examples.images[0][..., 0]).mean() < 12  # the whole digit, in place
    strengths = {"anywhere": 1, "zoom": 0.5, "mirror": 1}
    augmented = large.augmented(np.array([0]), strengths, 0, np.array([0]))
    assert np.array_equal(augmented[0], large[0])
    same = examples.images.resized((28, 28, 1))
    assert np.shares_memory(same[:], examples.images[:])  # of the right size: not copied


def test_images_of_every_kind_are_used_alike(splits: Path, digits: Path) -> None:
    """One row, a slice, a list and a mask, as of an array."""
    for data, size in ((splits, (28, 28, 1)), (digits, (28, 28, 1)), (digits, (32, 32, 3))):
        images = catalog.dataset(str(data)).load("val").images.resized(size)
        count = len(images)
        assert images.size == size and images.shape == (count, *size)
        everything = images[:]
        assert everything.shape == (count, *size) and everything.dtype == np.uint8
        mask = np.arange(count) % 2 == 1
        for rows in (1, -1, slice(1, 3), np.array([2, 0, 2]), mask):
            assert np.array_equal(images[rows], everything[rows])
        assert len(images.first(2)) == 2 and len(images.first(None)) == count
        assert images.picture(0, 28).size[0] >= 28
    assert catalog.dataset(str(splits)).load("val").images.file(0) == "val/apple/8.png"
    assert catalog.dataset(str(digits)).load("val").images.file(0) is None


def test_a_picture_that_has_gone_is_named(splits: Path) -> None:
    images = catalog.dataset(str(splits)).load("train").images
    (splits / "train/apple/0.png").unlink()
    with pytest.raises(DataError, match=r"0\.png: no such file"):
        images[:]


def test_a_picture_that_has_changed_or_gone_ends_resuming(
    firstlight: Callable[..., Answer], splits: Path
) -> None:
    short = ("--steps", 2, "--batch-size", 4, "--out", "run")
    assert firstlight("train", "softmax", "--data", splits, *short).code == 0
    assert firstlight("train", "--resume", "run").code == 0
    write(splits / "train/apple/0.png", "plum", 99)
    answer = firstlight("train", "--resume", "run")
    assert answer.code == 4 and "has changed since run was made" in answer.err
    (splits / "train/apple/0.png").unlink()
    answer = firstlight("train", "--resume", "run")
    assert answer.code == 4 and "apple/0.png: cannot be read" in answer.err


def test_evaluating_a_folder_names_what_is_left_out(
    firstlight: Callable[..., Answer], classes: Path
) -> None:
    assert firstlight("train", "softmax", "--data", classes, "--steps", 2, "--out", "run").code == 0
    (classes / "kiwi/broken.png").write_bytes(b"no picture")
    notices = firstlight("evaluate", "run", "--data", classes).err
    assert "left out kiwi/broken.png" in notices
    assert "one picture in 10 of each class" in notices
    assert firstlight("evaluate", "run", "--data", classes, "--quiet").err == ""
    assert "one picture" not in firstlight("evaluate", "run").err  # it is the run's own


def test_data_check_answers_as_promised(firstlight: Callable[..., Answer], splits: Path) -> None:
    clean = firstlight("data", "check", splits, "--json")
    assert clean.code == 0 and json.loads(clean.out) == {
        "data": "shop",
        "classes": {"apple": 10, "kiwi": 10, "plum": 10},
        "examples": 30,
        "faults": [],
        "splits": {"train": 24, "val": 6},
        "counts": {
            "train": {"apple": 8, "kiwi": 8, "plum": 8},
            "val": {"apple": 2, "kiwi": 2, "plum": 2},
        },
        "image_size": None,
        "near_copies": [],
        "remarks": [],
    }
    odd = splits / "train/apple/Ett grönt äpple (kopia) 梨.jpg"
    odd.write_bytes(b"nothing")
    found = firstlight("data", "check", splits, "--json")
    fault = {
        "file": f"train/apple/{odd.name}",
        "problem": "not a picture; PNG, JPEG, WEBP, BMP, GIF, TIFF, AVIF can be read",
    }
    assert found.code == 3 and json.loads(found.out)["faults"] == [fault]
    printed = firstlight("data", "check", splits)
    assert printed.code == 3 and odd.name in printed.out and ": 1 fault" in printed.err
    assert firstlight("data", "check", splits / "train/apple").code == 4
    assert firstlight("data", "check", "nowhere").code == 4


def test_data_check_of_arrays(firstlight: Callable[..., Answer], digits: Path) -> None:
    found = firstlight("data", "check", digits, "--json")
    assert found.code == 0 and json.loads(found.out)["examples"] == 700
    path = digits / "t10k-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    spoilt = firstlight("data", "check", digits, "--json")
    path.write_bytes(whole)
    assert spoilt.code == 3 and "truncated" in json.loads(spoilt.out)["faults"][0]["problem"]


def test_a_crop_may_reach_every_edge() -> None:
    picture = Image.fromarray(np.zeros((30, 31), np.uint8))
    for across in (0.0, 0.37, 1.0):
        crop = Crop(fraction=1.0, across=across, down=1.0)
        assert crop_and_resize(picture, crop, (8, 8, 1)).shape == (8, 8, 1)


def test_ten_crops_of_digits_are_refused(digits: Path) -> None:
    images = _idx.load("test", digits).images
    with pytest.raises(UsageError, match="ten-crops is for folders of pictures"):
        crops.ten_crops(catalog.network("softmax").build(10), images)


def each(pattern: str, count: int = 2) -> list[str]:
    """Return paths: the pattern for apple and kiwi, with a number for each picture."""
    return [
        pattern.format(label=label, n=f"{label}{number}")
        for label in ("apple", "kiwi")
        for number in range(count)
    ]


LAYOUTS: dict[str, tuple[list[str], dict[str, int]]] = {  # → files, and pictures in each split
    "valid": (
        each("train/{label}/{n}.png") + each("valid/{label}/v{n}.png"),
        {"train": 4, "val": 4},
    ),
    "validation, testing": (
        each("Training/{label}/{n}.png")
        + each("Validation/{label}/v{n}.png")
        + each("Testing/{label}/t{n}.png"),
        {"train": 4, "val": 4, "test": 4},
    ),
    "sets": (
        each("training_set/training_set/{label}/{n}.png", 3)
        + each("test_set/test_set/{label}/t{n}.png"),
        {"train": 4, "val": 2, "test": 4},
    ),
    "common words": (
        each("seg_train/{label}/{n}.png", 3) + each("seg_test/{label}/t{n}.png"),
        {"train": 4, "val": 2, "test": 4},
    ),
    "test alone": (each("test/{label}/{n}.png"), {"test": 4}),
    "train alone": (each("train/{label}/{n}.png", 3), {"train": 4, "val": 2}),
    "deeper": (each("{label}/2024/may/{n}.png", 3), {"train": 2, "val": 2, "test": 2}),
    "deeper in splits": (
        each("train/{label}/a/{n}.png") + each("val/{label}/b/v{n}.png"),
        {"train": 4, "val": 4},
    ),
    "splits in classes": (
        each("{label}/train/{n}.png") + each("{label}/test/t{n}.png"),
        {"train": 2, "val": 2, "test": 4},
    ),
    "annotations beside": (
        [
            *each("images/train/{label}/{n}.png"),
            *each("images/val/{label}/v{n}.png"),
            "notes/a.xml",
        ],
        {"train": 4, "val": 4},
    ),
    "files beside": (
        [*each("{label}/{n}.png", 3), "apple/Thumbs.db", "kiwi/a.json"],
        {"train": 2, "val": 2, "test": 2},
    ),
    "wrapped": (each("archive/fruit/{label}/{n}.png", 3), {"train": 2, "val": 2, "test": 2}),
    "parts": (
        each("session1/{label}/{n}.png") + each("session2/{label}/s{n}.png", 1),
        {"train": 2, "val": 2, "test": 2},
    ),
    "a class called train": (
        [*each("{label}/{n}.png", 3), "train/1.png", "train/2.png", "train/3.png"],
        {"train": 3, "val": 3, "test": 3},
    ),
    "with a Mac's folder": (
        [*each("fruit/{label}/{n}.png", 3), "__MACOSX/apple/._1.png"],
        {"train": 2, "val": 2, "test": 2},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_of_folders_is_understood(tmp_path: Path, layout: str) -> None:
    files, splits = LAYOUTS[layout]
    for number, file in enumerate(files):
        if file.endswith("png"):
            write(tmp_path / "d" / file, "apple", number)
        else:
            (tmp_path / "d" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "d" / file).write_text("no picture")
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert dataset.listing is not None and dataset.listing.faults == ()
    assert set(dataset.classes) - {"train"} == {"apple", "kiwi"}
    assert {split: len(dataset.load(split)) for split in dataset.splits} == splits
    for split in dataset.splits:
        examples = dataset.load(split)
        for row, label in enumerate(examples.labels):
            assert f"/{dataset.classes[label]}/" in f"/{examples.images.file(row)}"
    again = catalog.dataset(str(tmp_path / "d"), Listing.from_json(dataset.listing.to_json()))
    assert again.classes == dataset.classes and again.fingerprint() == dataset.fingerprint()
    assert ("belong to the class" in " ".join(dataset.notices())) == layout.startswith("deeper")


def table_of_numbers() -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pa.table({"a": [1], "label": [2]}), content)
    return content.getvalue()


def test_tables_and_arrays_beside_class_folders_are_something_else(classes: Path) -> None:
    rows = [",".join(f"f{i}" for i in range(64)), *([",".join(["0.5"] * 64)] * 3)]
    (classes / "embeddings.csv").write_text("\n".join(rows) + "\n")
    (classes / "features.csv").write_text("\n".join(row[:-4] for row in rows) + "\n")
    np.save(classes / "X.npy", np.zeros((60, 64)))
    (classes / "features.parquet").write_bytes(table_of_numbers())
    dataset = catalog.dataset(str(classes))
    assert dataset.classes == ("apple", "kiwi", "plum") and dataset.listing is not None


def test_names_of_classes_may_be_anything(tmp_path: Path) -> None:
    names = ["two words", "é", "e\u0301t\u00e9", "7", "苹果", "تفاح", "a.b", "O'Neill", "-1"]
    for number, name in enumerate(names):
        write(tmp_path / "d" / name / "1.png", "apple", number)
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert set(dataset.classes) == {unicodedata.normalize("NFC", name) for name in names}
    assert dataset.listing is not None and dataset.listing.faults == ()
    assert dataset.splits == ("train",)  # a class of one picture is trained on


def test_many_classes_are_listed_at_once(tmp_path: Path) -> None:
    png = write(tmp_path / "a.png", "apple", 1).read_bytes()
    for number in range(1500):
        folder = tmp_path / "d" / f"{number}"
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(png + number.to_bytes(2))
    assert catalog.dataset(str(tmp_path / "d")).classes == tuple(map(str, range(1500)))


TABLES: dict[str, tuple[dict[str, str], list[str], dict[str, int]]] = {
    "file,label": (
        {"labels.csv": "file,label\n{images/{n}.png,{label}}"},
        each("images/{n}.png", 3),
        {"train": 2, "val": 2, "test": 2},
    ),
    "no header": (
        {"labels.csv": "{images/{n}.png,{label}}"},
        each("images/{n}.png", 3),
        {"train": 2, "val": 2, "test": 2},
    ),
    "id without an ending": (
        {"labels.csv": "id,breed\n{{n},{label}}", "sample_submission.csv": "id,breed\nx,y\n"},
        each("train/{n}.png", 3),
        {"train": 2, "val": 2, "test": 2},
    ),
    "a path of another computer": (
        {"labels.csv": "path;class\n{C:\\data\\{n}.png;{label}}"},
        each("pictures/{n}.png", 3),
        {"train": 2, "val": 2, "test": 2},
    ),
    "a column of splits": (
        {"all.csv": "filename,label,split\n{{n}.png,{label},train}{v{n}.png,{label},valid}"},
        each("{n}.png") + each("v{n}.png"),
        {"train": 4, "val": 4},
    ),
    "a table for each split": (
        {
            "train.csv": "image_id,label\n{{n},{label}}",
            "test.csv": "image_id,label\n{t{n},{label}}",
        },
        each("train_images/{n}.png", 3) + each("test_images/t{n}.png"),
        {"train": 4, "val": 2, "test": 4},
    ),
    "one-hot": (
        {"labels.csv": "image,apple,kiwi\n{{n},{one_hot}}"},
        each("{n}.png", 3),
        {"train": 2, "val": 2, "test": 2},
    ),
    "Caffe's lists": (
        {"train.txt": "{p/{n}.png {label}}", "val.txt": "{p/v{n}.png {label}}"},
        each("p/{n}.png", 3) + each("p/v{n}.png"),
        {"train": 6, "val": 4},
    ),
    "more columns": (
        {"meta.csv": "lesion,image_id,dx,age\n{L1,{n},{label},40}"},
        each("part_1/{n}.png", 3),
        {"train": 2, "val": 2, "test": 2},
    ),
}


def write_table(path: Path, pattern: str, count: int) -> None:
    """Write a table; what stands in braces is a line, once for each picture."""
    text = pattern
    for line in re.findall(r"\{((?:[^{}]|\{\w+\})*\})", pattern):
        rows = [
            line[:-1].format(n=f"{label}{number}", label=label, one_hot=one_hot)
            for label, one_hot in (("apple", "1.0,0.0"), ("kiwi", "0.0,1.0"))
            for number in range(count)
        ]
        text = text.replace("{" + line, "".join(f"{row}\n" for row in rows))
    path.write_text(text, "utf-8-sig")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_beside_the_pictures_says_their_labels(tmp_path: Path, table: str) -> None:
    tables, files, splits = TABLES[table]
    for number, file in enumerate(files):
        write(tmp_path / "d" / file, "apple", number)
    for name, pattern in tables.items():
        is_short = "test" in name or "v{n}" in pattern
        write_table(tmp_path / "d" / name, pattern, count=2 if is_short else 3)
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert dataset.classes == ("apple", "kiwi")
    assert {split: len(dataset.load(split)) for split in dataset.splits} == splits
    for split in dataset.splits:
        examples = dataset.load(split)
        for row, label in enumerate(examples.labels):
            assert dataset.classes[label] in str(examples.images.file(row))


def test_a_row_of_an_unknown_split_is_a_fault_and_files_without_one_are_trained_on(
    tmp_path: Path,
) -> None:
    for number in range(6):
        write(tmp_path / "d" / f"{number}.png", "apple", number)
    rows = [f"{i}.png,{'ab'[i % 2]},{split}" for i, split in enumerate(["train", "val", "hidden"])]
    (tmp_path / "d" / "some.csv").write_text("file,label,split\n" + "\n".join(rows))
    (tmp_path / "d" / "more.csv").write_text("file,label\n3.png,a\n4.png,b\n5.png,b\n")
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert {split: len(dataset.load(split)) for split in dataset.splits} == {"train": 4, "val": 1}
    assert dataset.listing is not None
    (fault,) = dataset.listing.faults
    assert (fault.file, fault.problem) == (
        "2.png",
        "its split in some.csv is none of: train, val, test",
    )


def test_a_table_says_the_labels_of_a_split_without_class_folders(tmp_path: Path) -> None:
    """As Tiny ImageNet has it."""
    for number, file in enumerate(each("train/{label}/images/{n}.png")):
        write(tmp_path / "d" / file, "apple", number)
    lines = []
    for number in range(4):
        write(tmp_path / "d/val/images" / f"v{number}.png", "apple", 10 + number)
        lines.append(f"v{number}.png\t{('apple', 'kiwi')[number % 2]}\t0\t32\t44\n")
    (tmp_path / "d/val/val_annotations.txt").write_text("".join(lines))
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert dataset.listing is not None and dataset.listing.faults == ()
    assert dataset.load("val").labels.tolist() == [0, 1, 0, 1] and len(dataset.load("train")) == 4


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_a_table_may_be_written_by_excel(tmp_path: Path, encoding: str) -> None:
    for number in range(4):
        write(tmp_path / "d" / f"{number}.png", "apple", number)
    lines = ["file;class", "0.png;Küche", "1.png;Bad", "2.png;Küche", "3.png;Bad"]
    (tmp_path / "d" / "labels.csv").write_text("\n".join(lines), encoding)
    assert catalog.dataset(str(tmp_path / "d" / "labels.csv")).classes == ("Bad", "Küche")


def test_what_a_table_says_wrongly_is_a_fault(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / "d" / f"{number}.png", "apple", number)
    (tmp_path / "secret.png").write_bytes((tmp_path / "d" / "0.png").read_bytes())
    lines = [
        "5.png,a,b",
        "0.png,a",
        "1.png,b",
        "2.png,",
        "3.png,a",
        "3.png,b",
        "9.png,a",
        "../secret.png,a",
    ]
    (tmp_path / "d" / "labels.csv").write_text("file,label\n" + "\n".join(lines))
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert dataset.listing is not None
    assert {fault.file: fault.problem for fault in dataset.listing.faults} == {
        "2.png": "has no label, or several, in labels.csv",
        "3.png": "has two labels in labels.csv: a and b",
        "9.png": "named in labels.csv, but not there",
        "../secret.png": "named in labels.csv, but not there",
        "labels.csv": "1 lines have not 2 cells; quote a cell that holds a delimiter",
    }
    assert "2 files are not named in labels.csv" in " ".join(dataset.notices())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["cat.0.png", "dog.1.png"], r"d: 2 pictures in no class folder; make .*/d/apple/, and"),
        ([f"{n}.png" for n in range(30)], r"30 pictures in no class folder; .*firstlight predict"),
        (["train/1.png", "test/2.png"], r"2 pictures in no class folder; .*columns file,label"),
        (["a.txt"], r"no picture and no other data that is known; it has: a\.txt \(text\)"),
        (["cat/a.txt", "dog/b.txt"], r"it has: cat/a\.txt \(text\), dog/b\.txt \(text\); data can"),
        ([], "d: the folder is empty"),
    ],
)
def test_pictures_without_classes_are_refused(
    tmp_path: Path, files: list[str], message: str
) -> None:
    (tmp_path / "d").mkdir()
    for number, file in enumerate(files):
        if file.endswith("txt"):
            (tmp_path / "d" / file).parent.mkdir(exist_ok=True)
            (tmp_path / "d" / file).write_text("a")
        else:
            write(tmp_path / "d" / file, "apple", number)
    with pytest.raises(DataError, match=message):
        catalog.dataset(str(tmp_path / "d"))


def test_many_pictures_outside_of_classes_are_one_fault(splits: Path) -> None:
    for number in range(25):
        write(splits / "test" / f"{number}.png", "apple", 100 + number)
    found = faults(splits)
    assert found.keys() == {"test"} and "25 pictures in no class folder" in found["test"]


# HEIC, 64×64 pixels, blue above orange; packed.
HEIC = (
    "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>UfiWyMwIq=N0u(b+a*CjAhJwuG5(YG&l$nzcHpIn&fe{FSfUycf1"
    "3@PcD`#frrGa@MQBfc#l?lqrC`&d3G5HEIOLE~#u4NV!6#(h&nFY!DK)M2`%$boHBs2l6NbUo}pT9qTFfi~lCj"
    "fOwI56@s{{IhBzzkBs3_^0dm>d#;lG;v;jA$|o6dGBlz4Fvtm&YW<!vPXH0U|gYl7Q;jT^J7*ZBTLmS|gmCpHq"
    "~VoKpc5=4D`O01Am@78j&K{pJA00tJ~BnIHjX4i2Dc4C0vuxv<~^h6qa|6Eh2tIWadS5fpl@8jR~XA3WxsvupkT"
    "fA__|??0PZ|9|2lzXh}X?PI-!{~tFE`+q!<b4Ee1%lnuA{RQqhv^-+@D<QG@_i9h^94kf<JEMu^kJrs^Ij!=L?`P"
    "8u)x+Q4mF7BLGY`I!S+4Z%yu-;AQ>waj67`$X&qRFj-oo?XVp8bBm^b(1#9ik1{HTB2uhtm*2LLwThb{"
)


def test_pictures_of_phones_are_read(tmp_path: Path) -> None:
    heic = zlib.decompress(base64.b85decode(HEIC))
    for number in range(3):
        folder = tmp_path / "d" / "heic"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(heic + bytes([number]))
        write(tmp_path / "d" / "avif" / f"{number}.avif", "kiwi", number)
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert dataset.listing is not None and dataset.listing.faults == ()
    pixels = open_photograph(tmp_path / "d/heic/0.jpg", 64)
    top, bottom = np.asarray(pixels)[8].mean(0), np.asarray(pixels)[56].mean(0)
    assert top[2] > top[0] + 100 and bottom[0] > bottom[2] + 100


def test_without_its_extra_heic_is_named_and_no_class_vanishes_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setattr(open_module, "_heic_format", open_module._heic_format.__wrapped__)
    for number in range(3):
        write(tmp_path / "d" / "kiwi" / f"{number}.png", "kiwi", number)
        write(tmp_path / "d" / "plum" / f"{number}.png", "plum", number)
    heic = tmp_path / "d" / "apple" / "IMG_0001.HEIC"
    heic.parent.mkdir()
    heic.write_bytes(zlib.decompress(base64.b85decode(HEIC)))
    notices = catalog.dataset(str(tmp_path / "d")).notices()
    assert notices[0] == "left out apple: empty class: no picture in it can be used"
    assert notices[1].startswith("left out apple/IMG_0001.HEIC: a HEIC picture, as phones take")
    assert "install the extra `heic`" in notices[1] and "save it as JPEG" in notices[1]


def test_a_damaged_avif_is_a_fault(splits: Path) -> None:
    file = write(splits / "train/apple/a.avif", "apple", 90)
    content = file.read_bytes()
    for place in range(0, 300, 3):
        file.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
        (splits / "train/b.avif").write_bytes(file.read_bytes())
        assert faults(splits).keys() <= {"train/apple/a.avif", "train/b.avif"}


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\xff\x0a\xfa\x1f", "a JPEG XL picture; save it as JPEG"),
        (b"\0\0\0\x18ftypqt  ", "a film"),
        (b"%PDF-1.7", "a PDF"),
        (b"<svg xmlns=", "an SVG drawing; save it as PNG"),
        (b"8BPS\0\1", "a Photoshop picture"),
        (b"\0\0\0 ftypavif\0\0", "an AVIF picture that is damaged"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ],
)
def test_a_file_that_is_no_picture_is_named(splits: Path, start: bytes, what: str) -> None:
    (splits / "train/apple/a.jpg").write_bytes(start)
    assert faults(splits)["train/apple/a.jpg"].startswith(
        f"not a picture that can be read, but {what}"
    )


def test_the_same_picture_again_smaller_is_a_near_copy(
    firstlight: Callable[..., Answer], splits: Path
) -> None:
    coarse = np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8)
    blurred = Image.fromarray(coarse).resize((160, 120))
    (splits / "test/plum").mkdir(parents=True)
    blurred.save(splits / "train/plum/a.png")
    blurred.resize((80, 60)).save(splits / "test/plum/b.jpg", quality=60)
    found = firstlight("data", "check", splits, "--json")
    assert found.code == 0 and json.loads(found.out)["near_copies"] == [
        {"file": "test/plum/b.jpg", "like": "train/plum/a.png"}
    ]
    printed = firstlight("data", "check", splits).out
    assert "test/plum/b.jpg: looks the same as train/plum/a.png" in printed
    assert printed.splitlines()[-2].split() == ["plum", "9", "2", "1", "12"]


def parquet(path: Path, rows: list[tuple[bytes | None, Any]], names: list[str] | None) -> None:
    """Write a file as Hugging Face's `datasets` does."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    images = [{"bytes": content, "path": f"{i}.png"} for i, (content, _) in enumerate(rows)]
    table = pa.table({"image": images, "label": [label for _, label in rows]})
    if names:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=4)


def encoded(colour: str, seed: int) -> bytes:
    content = io.BytesIO()
    picture(COLOURS[colour], seed).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("form", ["folder", "parquet"])
def test_small_equal_pictures_are_used_whole_as_arrays_are(tmp_path: Path, form: str) -> None:
    images, labels = (_idx.read(mnist.DIRECTORY, name)[:60] for name in _idx.FILES["test"])
    rows: list[tuple[bytes | None, Any]] = []
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        content = io.BytesIO()
        Image.fromarray(image).save(content, "PNG")
        rows.append((content.getvalue(), str(label)))
        file = tmp_path / "folder" / str(label) / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.getvalue())
    if form == "parquet":
        parquet(tmp_path / "parquet" / "data.parquet", rows, None)
    dataset = catalog.dataset(str(tmp_path / form))
    found = {}
    for split in dataset.splits:
        examples = dataset.load(split)
        assert examples.images.kind(dataset.classes) == "digits" and examples.images.file(0)
        for image, label in zip(examples.images[:], examples.labels, strict=True):
            found[image.tobytes()] = dataset.classes[label]
    assert found == {i.tobytes(): str(label) for i, label in zip(images, labels, strict=True)}
    assert "small, 28×28 in grey: each is used whole" in dataset.notices()[0]
    network = catalog.network("convnet")
    assert default_recipe(network, dataset) == next(iter(network.recipes))


def test_a_large_jpeg_is_no_small_picture_though_it_is_decoded_at_an_eighth(tmp_path: Path) -> None:
    for number in range(4):
        file = tmp_path / "d" / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(COLOURS["kiwi"], number, (256, 256)).save(file)
    listing = catalog.dataset(str(tmp_path / "d")).listing
    assert listing is not None and listing.size is None


@pytest.mark.parametrize("names", [["kiwi", "apple"], None])
@pytest.mark.parametrize("pattern", ["data/{}-00000-of-00001.parquet", "default/{}/0000.parquet"])
def test_parquet_is_read_as_hugging_face_keeps_it(
    firstlight: Callable[..., Answer], tmp_path: Path, pattern: str, names: list[str] | None
) -> None:
    labels: list[Any] = [0, 1] if names else ["kiwi", "apple"]
    for split, count in (("train", 20), ("test", 4)):
        rows: list[tuple[bytes | None, Any]] = [
            (encoded(("kiwi", "apple")[i % 2], i + count), labels[i % 2]) for i in range(count)
        ]
        rows += [(b"nothing", labels[0]), (None, labels[1]), (encoded("plum", 9), None)]
        parquet(tmp_path / "d" / pattern.format(split), rows, names)
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert dataset.classes == (("kiwi", "apple") if names else ("apple", "kiwi"))
    assert {s: len(dataset.load(s)) for s in dataset.splits} == {"train": 18, "val": 2, "test": 4}
    assert dataset.listing is not None and len(dataset.listing.faults) == 6
    for split in dataset.splits:
        examples = dataset.load(split)
        means = examples.images.resized((8, 8, 3))[:].mean((1, 2))
        for mean, label in zip(means, examples.labels, strict=True):
            assert np.abs(mean - COLOURS[dataset.classes[label]]).max() < 25
    if not (names and pattern.startswith("data")):
        return  # a training takes seconds
    train = ("train", "softmax", "--data", tmp_path / "d", "--steps", 2, "--out", "run")
    assert firstlight(*train).code == 0
    assert firstlight("evaluate", "run").code == 0
    assert firstlight("train", "--resume", "run").code == 0


def test_a_parquet_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "train.parquet"
    parquet(good, [(encoded("kiwi", 1), 0)], ["kiwi"])
    (tmp_path / "cut.parquet").write_bytes(good.read_bytes()[:-20])
    (tmp_path / "table.parquet").write_bytes(table_of_numbers())
    for name, message in (
        ("cut", "a damaged Parquet file"),
        ("table", r"no column of pictures \{bytes, path\} .* it has: a, label"),
    ):
        with pytest.raises(DataError, match=message):
            catalog.dataset(str(tmp_path / f"{name}.parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="install the extra `parquet`"):
        catalog.dataset(str(good))


def test_a_class_whose_pictures_are_all_damaged_is_named(tmp_path: Path) -> None:
    """Its neighbour has folders: it is no wrapper of them."""
    for number, place in enumerate(("cat/indoor", "cat/outdoor")):
        write(tmp_path / place / "1.png", "apple", number)
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "1.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    listing = _folder.list_pictures(tmp_path)
    named = {fault.file: fault.problem for fault in listing.faults}
    assert listing.classes == ("cat",) and "empty class" in named["dog"]
    assert "Git LFS" in named["dog/1.jpg"]


def test_a_folder_without_pictures_beside_the_others_is_named(tmp_path: Path) -> None:
    for number, place in enumerate(("cat/indoor", "cat/outdoor")):
        write(tmp_path / place / "1.png", "apple", number)
    (tmp_path / "dog").mkdir()
    (tmp_path / "cat" / "cow").symlink_to("/nowhere")
    dataset = catalog.dataset(str(tmp_path))
    assert "no pictures in dog: cat is taken" in dataset.notices()
    assert faults(tmp_path) == {"cat/cow": "a link to /nowhere, which is not there"}


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / "elsewhere" / f"{number}.png", "kiwi", number)
        write(tmp_path / "d" / "apple" / f"{number}.png", "apple", number)
    (tmp_path / "d" / "kiwi").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "apple" / "again").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "apple" / "above").symlink_to(tmp_path)
    (tmp_path / "d" / "all").symlink_to("/")
    dataset = catalog.dataset(str(tmp_path / "d"))
    assert dataset.listing is not None
    assert [fault.file for fault in dataset.listing.faults] == ["all"]
    assert sum(len(dataset.load(split)) for split in dataset.splits) == 12
    assert dataset.classes == ("apple", "kiwi")
    assert len(find_pictures([tmp_path / "d"]).files) == 12


def test_a_folder_that_cannot_be_read_is_named(
    classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(read: Callable[..., Any]) -> Callable[..., Any]:
        def refused(place: Any) -> Any:
            if str(place).endswith("kiwi"):
                raise PermissionError(errno.EACCES, "Permission denied", str(place))
            return read(place)

        return refused

    for name in ("scandir", "listdir"):
        with monkeypatch.context() as patch:  # some functions use one, and some the other
            patch.setattr(os, name, refuse(getattr(os, name)))
            with pytest.raises(DataError, match=r"kiwi: cannot be read \(Permission denied\); ch"):
                catalog.dataset(str(classes))
    monkeypatch.setattr(os, "scandir", refuse(os.scandir))
    files = find_pictures([classes]).files
    assert len(files) == 41 and classes / "kiwi" in files  # whoever reads it says why it cannot


def test_class_folders_go_before_tables_of_numbers(classes: Path) -> None:
    rows = [f"{number % 2},{','.join(['7'] * 64)}" for number in range(30)]
    header = "label," + ",".join(f"f{number}" for number in range(64))
    (classes / "features.csv").write_text("\n".join([header, *rows]) + "\n")
    dataset = catalog.dataset(str(classes))
    assert dataset.classes == ("apple", "kiwi", "plum")
    assert any("features.csv beside them left out" in notice for notice in dataset.notices())
    assert catalog.dataset(str(classes / "features.csv")).classes == ("0", "1")


def test_tables_of_labels_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / f"{number}.png", "apple", number)

    def say(table: str, labels: dict[int, str]) -> None:
        lines = [f"{number}.png,{label}" for number, label in labels.items()]
        (tmp_path / table).write_text("\n".join(["file,label", *lines]))

    say("labels.csv", dict(enumerate("ababbaba")))
    say("test.csv", {0: "a", 1: "b"})
    dataset = catalog.dataset(str(tmp_path))
    assert len(dataset.load("test")) == 2 and not faults(tmp_path)
    say("train.csv", {1: "b", 2: "a"})
    assert faults(tmp_path) == {
        "1.png": "in test by test.csv and in train by train.csv; a picture belongs to one split"
    }
    say("train.csv", {1: "a"})
    with pytest.raises(
        DataError,
        match=r"test.csv and .*train.csv name different labels of 1.png: b and a; keep one",
    ):
        catalog.dataset(str(tmp_path))


def test_a_name_that_would_move_the_cursor_is_no_class(
    tmp_path: Path, firstlight: Callable[..., Answer]
) -> None:
    for number, name in enumerate(("apple", "kiwi", "\x1b[2Jplum")):
        write(tmp_path / name / f"\x1b[{number}m.png", "apple", number)
    answer = firstlight("data", "check", tmp_path)
    assert answer.code == 3 and "\x1b" not in answer.out + answer.err
    assert "\\x1b[2Jplum: a class is named in UTF-8, without control characters" in answer.out


def test_splits_and_labels_of_parquet_are_taken_or_named(tmp_path: Path) -> None:
    pictures = [encoded("kiwi", number) for number in range(4)]

    def save(name: str, labels: list[Any]) -> Path:
        parquet(tmp_path / name, list(zip(pictures, labels, strict=False)), None)
        return tmp_path / name

    for name, labels, classes in (
        ("bytes.parquet", [b"caf\xe9", b"b"], ("b", "café")),
        ("floats.parquet", [0.0, 1.0], ("0", "1")),
        ("lists.parquet", [[3], [4]], ("3", "4")),
    ):
        assert catalog.dataset(str(save(name, labels))).classes == classes
    for name, labels, label in (
        ("two.parquet", [[0, 1], [1]], r"\[0, 1\]"),
        ("half.parquet", [0.5, 1.0], "0.5"),
    ):
        with pytest.raises(DataError, match=f"{name}: the label of row 0 is {label}; each picture"):
            catalog.dataset(str(save(name, labels)))
    save("d/train-00000-of-00002.parquet", [0, 1])
    save("d/train-00001-of-00002.parquet", [0, 1])
    save("d/holdout-00000-of-00001.parquet", [0, 1])
    (tmp_path / "d" / "ids.parquet").write_bytes(table_of_numbers())
    dataset = catalog.dataset(str(tmp_path / "d"))
    said = " ".join(dataset.notices())
    assert "holdout-00000-of-00001.parquet: not the name of a split" in said
    assert "ids.parquet has no pictures with labels" in said
    save("d/data/test.parquet", [0, 1])
    with pytest.raises(DataError, match="holds several data sets: d, d/data; name a file"):
        catalog.dataset(str(tmp_path / "d"))


def test_no_picture_of_a_class_is_lost_without_a_word(tmp_path: Path) -> None:
    """Beside the splits of its class, and in a folder whose name is that of no class."""
    places = ("cat", "cat/test", "dog/train", "dog/test", "photos/owl")
    for place in places:
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (len(place) * 9, 50, 50)).save(tmp_path / place / "1.png")
    listing = _folder.list_pictures(tmp_path)
    faults = {fault.file: fault.problem for fault in listing.faults}
    assert "move it into one of them" in faults["cat/1.png"]
    assert "photos is not taken for a class" in faults["photos/owl"]
