"""Images in: what they are, how they are split, and that damage never goes unnoticed."""

import gzip
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer, write_idx
from hypothesis import given
from hypothesis import strategies as st

from firstlight import catalog
from firstlight.datasets import (
    _idx,
    _npz,
    cutouts,
    flat,
    hold_out,
    mnist,
    mnist_writers,
    one_hot,
    shuffled,
)
from firstlight.errors import DataError
from firstlight.reading.blobs import Blob
from firstlight.settings import prepare
from firstlight.training import trainer


def test_mnist_is_as_published() -> None:
    sizes = {split: mnist.load(split).images.shape for split in ("train", "val", "test")}
    assert sizes == {
        "train": (55_000, 28, 28, 1),
        "val": (5_000, 28, 28, 1),
        "test": (10_000, 28, 28, 1),
    }
    test = mnist.load("test")
    assert test.images[:].dtype == np.uint8 and test.labels[:10].tolist() == [
        7,
        2,
        1,
        0,
        4,
        1,
        4,
        9,
        5,
        9,
    ]
    assert np.bincount(test.labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


def test_validation_is_the_last_twelfth_and_in_no_other_split() -> None:
    rows = np.arange(60_000)
    for array in hold_out(rows, rows, "train"):
        assert array.tolist() == list(range(55_000))
    for array in hold_out(rows, rows, "val"):
        assert array.tolist() == list(range(55_000, 60_000))


def test_cutouts_are_mnist_and_what_the_reader_cuts_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutouts, "LINES_PER_SPLIT", {"val": 40})
    first, again = cutouts.load("val"), cutouts.load("val")
    np.testing.assert_array_equal(first.images, again.images)  # the seed decides
    published = mnist.load("val")
    np.testing.assert_array_equal(first.images[:5000], published.images)
    made, labels = first.images[5000:], first.labels[5000:]
    assert set(labels) == set(range(11)) and made.shape[1:] == (28, 28, 1)
    assert 0.2 < (labels == cutouts.NONE_LABEL).mean() < 0.8
    # Normalised as the reader does it: light strokes on a paper of 0, about in the middle.
    assert np.median(made) == 0 and made.max() == 255
    middle = (made * np.arange(28)[:, None, None]).sum((1, 2, 3)) / made.sum((1, 2, 3))
    assert np.abs(middle - 13.5).max() < 4


def test_what_is_cut_out_is_a_digit_if_it_is_most_of_one_and_little_of_another() -> None:
    alone = np.zeros((2, 20, 30), np.float32)
    alone[0, 4:16, 3:9] = 1  # two blocks for digits, labelled 3 and 8
    alone[1, 4:16, 15:21] = 1
    line = cutouts.WrittenLine(alone.max(0), alone, np.array([3, 8], np.int32))

    def cut(left: int, right: int) -> int | None:
        return cutouts.cut_out_label(Blob(left, 4, line.ink[4:16, left:right]), line)

    assert cut(3, 9) == 3 and cut(15, 21) == 8
    assert cut(3, 21) == cutouts.NONE_LABEL  # both in one
    assert cut(3, 5) is None  # a third of one, and as upright as a 1
    part = Blob(3, 4, line.ink[4:8, 3:9])
    assert cutouts.cut_out_label(part, line) == cutouts.NONE_LABEL  # a third of one, and flat


def test_flat_images_and_one_hot_labels() -> None:
    images = np.array([[[[0], [255]], [[51], [0]]]], np.uint8)
    assert flat(images).tolist() == [pytest.approx([0, 1, 0.2, 0])]
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


@given(st.integers(1, 50), st.integers(0, 3), st.integers(0, 200), st.integers(1, 120))
def test_shuffled_is_one_stream_of_whole_epochs(
    examples: int, seed: int, start: int, n: int
) -> None:
    rows = shuffled(examples, seed)
    piece = rows(start, start + n)
    assert piece.tolist() == [int(rows(i, i + 1)[0]) for i in range(start, start + n)]
    assert sorted(rows(3 * examples, 4 * examples)) == list(range(examples))


def test_shuffled_depends_on_the_seed_and_the_epoch() -> None:
    rows = shuffled(1000, 0)
    assert rows(0, 1000).tolist() != rows(1000, 2000).tolist()
    assert rows(0, 1000).tolist() != shuffled(1000, 1)(0, 1000).tolist()


@pytest.fixture
def copy(digits: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(digits, tmp_path / "copy"))


def test_a_directory_loads_gzipped_or_not(copy: Path) -> None:
    plain = [catalog.dataset(str(copy)).load(split) for split in ("train", "val", "test")]
    hashes = catalog.dataset(str(copy)).fingerprint()
    for path in list(copy.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    zipped = catalog.dataset(str(copy))
    for split, before in zip(("train", "val", "test"), plain, strict=True):
        after = zipped.load(split)
        assert np.array_equal(after.images, before.images)
        assert np.array_equal(after.labels, before.labels)
    assert len(plain[0].labels) == 550 and len(plain[1].labels) == 50
    assert zipped.fingerprint() == hashes and zipped.classes == mnist.CLASSES


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def truncate_gzip(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes())[:-1000])
    path.unlink()


def damage_gzip(path: Path) -> None:
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)


def rename(path: Path) -> None:
    path.rename(path.with_name("unnamed"))


def swap_magic(path: Path) -> None:
    path.write_bytes(b"\x00\x00\x0a\x03" + path.read_bytes()[4:])


def other_type(path: Path) -> None:
    path.write_bytes(b"\x00\x00\x0d\x03" + path.read_bytes()[4:])


def huge_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4] + struct.pack(">3I", 2**31, 2**31, 2**31))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def only_magic(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:7])


def no_images(path: Path) -> None:
    write_idx(path, np.zeros((0, 28, 28)))


def too_few(path: Path) -> None:
    write_idx(path, _idx.read(path.parent, path.name)[:599])


def trailing(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (truncate, "truncated"),
    (truncate_gzip, "truncated gzip"),
    (damage_gzip, "damaged or truncated gzip"),
    (rename, "is missing; the folder has: "),
    (swap_magic, "not an IDX file: it starts with 00 00 0a 03"),
    (other_type, "truncated: the header says 600×28×28 values of 4 bytes"),
    (huge_header, "truncated"),
    (empty, "starts with nothing"),
    (only_magic, "shorter than its own header"),
    (no_images, "empty"),
    (too_few, "599 images but train-labels-idx1-ubyte holds 600 labels"),
    (trailing, "too long"),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS, ids=[f.__name__ for f, _ in FAULTS])
def test_a_bad_file_is_named_with_its_fault(
    copy: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(copy / "train-images-idx3-ubyte")
    with pytest.raises(DataError) as error:
        catalog.dataset(str(copy)).load("train")
    assert message in str(error.value) and "train-images-idx3-ubyte" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_label_that_training_lacks_is_refused(
    copy: Path, firstlight: Callable[..., Answer]
) -> None:
    write_idx(copy / "t10k-labels-idx1-ubyte", np.full(100, 11))
    with pytest.raises(DataError, match="test: labels from 11 to 11; with 10 classes they must"):
        catalog.dataset(str(copy)).load("test")
    answer = firstlight("data", "check", copy)
    assert answer.code == 3 and "labels from 11 to 11" in answer.out


def test_too_few_images_to_hold_any_back(copy: Path) -> None:
    for name in _idx.FILES["train"]:
        write_idx(copy / name, _idx.read(copy, name)[:1])
    with pytest.raises(DataError, match="at least one to train on and one to validate on"):
        catalog.dataset(str(copy))


def test_labels_in_the_place_of_images_are_noticed(copy: Path) -> None:
    shutil.copy(copy / "train-labels-idx1-ubyte", copy / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match="not an IDX file of images"):
        catalog.dataset(str(copy))


def test_an_altered_mnist_file_is_refused(copy: Path) -> None:
    with pytest.raises(DataError, match="altered"):
        _idx.load("train", copy, mnist.SHA256)


@pytest.fixture
def keras_file(digits: Path, tmp_path: Path) -> Path:
    part = {name: _idx.read(digits, name) for name in _idx.NAMES}
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), part.values(), strict=True))
    np.savez(tmp_path / _npz.NAME, **arrays)
    return tmp_path / _npz.NAME


def test_keras_file_or_its_directory_loads(keras_file: Path, digits: Path) -> None:
    for where in (keras_file, keras_file.parent):
        for split in ("train", "val", "test"):
            ours, theirs = _idx.load(split, digits), catalog.dataset(str(where)).load(split)
            assert np.array_equal(ours.images, theirs.images)
            assert np.array_equal(ours.labels, theirs.labels)


def test_a_truncated_keras_file_is_refused(keras_file: Path) -> None:
    truncate(keras_file)
    with pytest.raises(DataError, match=r"not a readable \.npz file"):
        catalog.dataset(str(keras_file)).load("train")


def test_the_catalogue_lists_every_dataset_file() -> None:
    folder = catalog.PACKAGE / "datasets"
    files = {path.stem.replace("_", "-") for path in folder.glob("[!_]*.py")}
    names = {entry.name for entry in catalog.datasets()}
    assert {re.sub(r"-\d+$", "", name) for name in names} == files
    for entry in catalog.datasets():
        assert entry.classes == len(catalog.dataset(entry.name).classes)


@pytest.mark.parametrize("name", [entry.name for entry in catalog.datasets()])
def test_every_dataset_has_images_and_labels_of_its_classes(name: str) -> None:
    dataset = catalog.dataset(name)
    examples = dataset.load("val")
    pixels = examples.images[:]
    assert pixels.dtype == np.uint8 and pixels.shape == (len(examples), *examples.images.size)
    assert examples.labels.dtype == np.int32
    assert set(examples.labels) <= set(range(len(dataset.classes)))
    assert set(dataset.splits) <= {"train", "val", "test"}
    assert all(len(value) == 64 for value in dataset.fingerprint().values())


def test_folds_hold_out_whole_writers_of_both_groups() -> None:
    series, writer = mnist_writers.read_writers("train")
    folds = mnist_writers.folds()
    for fold in range(1, mnist_writers.FOLDS + 1):
        held_out = folds == fold
        assert 4800 < held_out.sum() < 5200
        assert 0.48 < (series[held_out] == mnist_writers.PUPILS).mean() < 0.52
        assert not set(writer[held_out]) & set(writer[~held_out])
        train, val = (catalog.dataset(f"mnist-writers-{fold}").load(s) for s in ("train", "val"))
        assert (len(train), len(val)) == ((~held_out).sum(), held_out.sum())
    published = [_idx.read(mnist.DIRECTORY, name) for name in _idx.FILES["train"]]
    assert np.array_equal(val.images[:][..., 0], published[0][held_out])
    assert np.array_equal(val.labels, published[1][held_out])


def test_nobody_wrote_both_training_and_test_images() -> None:
    train, test = (mnist_writers.read_writers(split) for split in ("train", "test"))
    assert (len(train.writer), len(test.writer)) == (60_000, 10_000)
    assert not set(train.writer) & set(test.writer)


def test_all_of_mnist_is_trained_on_and_that_is_said(here: Path) -> None:
    everything = catalog.dataset("mnist-all")
    train, val = everything.load("train"), everything.load("val")
    assert (len(train), len(val)) == (60_000, 5_000)
    assert np.array_equal(train.images[55_000:], val.images[:])
    plan = prepare("softmax", "mnist-all", limit=100, steps=2)
    assert any("images that the network has seen" in line for line in plan.settings.notices)
    trainer.train(plan, here / "run", quiet=True)
    assert "all 60,000 training images are trained on" in (here / "run/MODEL_CARD.md").read_text()


def test_altered_writers_are_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train", "test"):
        (here / f"{name}-writers.tsv.gz").write_bytes(gzip.compress(b"digit\tseries\twriter\n"))
    whole = (mnist.DIRECTORY / "test-writers.tsv.gz").read_bytes()
    monkeypatch.setattr(mnist, "DIRECTORY", here)
    with pytest.raises(DataError, match="altered"):
        mnist_writers.read_writers("train")
    (here / "test-writers.tsv.gz").write_bytes(whole[:-1000])
    with pytest.raises(DataError, match=r"test-writers\.tsv\.gz: .*gzip"):
        mnist_writers.read_writers("test")
    (here / "test-writers.tsv.gz").unlink()
    with pytest.raises(DataError, match=r"test-writers\.tsv \(or .*\) is missing"):
        mnist_writers.read_writers("test")


def test_an_unknown_dataset_is_refused_with_those_that_exist() -> None:
    names = ", ".join(entry.name for entry in catalog.datasets())
    with pytest.raises(DataError, match=f"there is no folder or file mnits; datasets: {names}"):
        catalog.dataset("mnits")


def test_a_check_counts_every_split() -> None:
    check = catalog.dataset("mnist").check()
    assert check.examples == 70_000 and not check.faults
    assert check.classes["1"] == 7877
