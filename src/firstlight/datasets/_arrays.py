"""A user's own arrays as a dataset."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.datasets._dataset import Dataset
from firstlight.datasets._examples import HOLD_OUT_EVERY, Examples, array_examples
from firstlight.errors import DataError, UsageError

HOLD_OUT_SEED = 0  # validation examples do not depend on the seed of a training
CHANNELS = (1, 3)
Pair = tuple[ArrayLike, ArrayLike]  # images, labels


def dataset_of_arrays(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    classes: Sequence[str] | None,
    val: Pair | None,
    test: Pair | None,
    name: str,
) -> Dataset:
    """Do what `Dataset.from_arrays` says."""
    check_name(name)
    given, train_labels = as_batch(images, "images"), as_array(labels, "labels")
    scale = pixel_scale(given, "images")  # one for all splits
    pixels = as_images(given, "images", scale)
    names = class_names(classes, train_labels)
    splits = {"train": examples(pixels, train_labels, names, "train")}
    made = ""
    if val is None:
        splits["train"], splits["val"] = held_out(splits["train"], len(names))
        made = "one of twelve training images of each class is held out for validation"
    for split, pair in (("val", val), ("test", test)):
        if pair is not None:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise UsageError(f"{split} is a {type(pair).__name__}; it must be (images, labels)")
            split_images = as_images(pair[0], f"{split} images", scale)
            split_labels = as_array(pair[1], f"{split} labels")
            splits[split] = examples(split_images, split_labels, names, split)
    return Dataset(
        name=name,
        classes=names,
        load=lambda split: chosen_split(splits, split, name),
        fingerprint=lambda: {split: fingerprint(each) for split, each in splits.items()},
        splits=tuple(splits),
        made=made,
    )


def test_dataset(
    images: ArrayLike, labels: ArrayLike, *, classes: tuple[str, ...], name: str = "arrays"
) -> Dataset:
    """Return a dataset of arrays that are all measured: its only split is test.

    Raises:
        UsageError: an array has another shape or other values, or they do not fit together.
    """
    measured = examples(as_images(images, "images"), as_array(labels, "labels"), classes, "test")
    return Dataset(
        name=name,
        classes=classes,
        load=lambda split: chosen_split({"test": measured}, split, name),
        fingerprint=lambda: {"test": fingerprint(measured)},
        splits=("test",),
    )


def chosen_split(splits: Mapping[str, Examples], split: str, name: str) -> Examples:
    """Return a split. Raises DataError if the data has no such split."""
    if split not in splits:
        raise DataError(f"{name} has no {split} split; it has: {', '.join(splits)}")
    return splits[split]


def check_name(name: str) -> None:
    """Raises UsageError if the name of a dataset cannot be a part of a file's name."""
    if not isinstance(name, str) or not name.strip() or set(name) & set("/\\\0\n"):
        raise UsageError(f"name is {name!r}; files are named by it, so it must be a word without /")


def as_array(values: ArrayLike, what: str) -> NDArray[Any]:
    """Return an array. Raises UsageError if rows have different lengths, for example."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise UsageError(f"{what}: not an array ({error})") from None


def as_images(images: ArrayLike, what: str, scale: float | None = None) -> NDArray[np.uint8]:
    """Return a copy of images as (N, height, width, 1 or 3) uint8.

    Args:
        scale: what values are multiplied by; None: see `pixel_scale`.

    Raises:
        UsageError: the array has another shape, or other values.
    """
    pixels = as_batch(images, what)
    if pixels.dtype == np.uint8:
        return pixels.copy()  # the user may change the own array
    factor = pixel_scale(pixels, what) if scale is None else scale
    scaled: NDArray[np.uint8] = (pixels * np.float32(factor)).clip(0, 255).round().astype(np.uint8)
    return scaled


def as_batch(images: ArrayLike, what: str) -> NDArray[Any]:
    """Return images as (N, height, width, 1 or 3). Raises UsageError if they have another shape."""
    pixels = as_array(images, what)
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or pixels.shape[-1] not in CHANNELS or 0 in pixels.shape[1:]:
        raise UsageError(
            f"{what}: an array of shape {np.shape(images)}; it must be (N, height, width), or "
            "(N, height, width, 1 or 3)"
        )
    return pixels


def pixel_scale(pixels: NDArray[Any], what: str) -> float:
    """Return what values are multiplied by to be 0 to 255: 255 for floats and booleans up to 1.

    Raises:
        UsageError: the values are not 0 to 1 or 0 to 255, or do not tell which.
    """
    if not len(pixels):
        return 1
    if pixels.dtype.kind not in "buif" or not np.isfinite(pixels).all():
        raise UsageError(f"{what}: {len(pixels)} of {pixels.dtype}; they must be finite numbers")
    low, high = pixels.min(), pixels.max()
    is_fraction = pixels.dtype.kind in "bf" and high <= 1
    is_doubtful = pixels.dtype.kind == "f" and 1 < high < 2  # resized, or the darkest of images
    if low < 0 or high > 255 or is_doubtful:
        raise UsageError(
            f"{what}: values from {low:g} to {high:g}; they must be 0 to 255, or 0 to 1"
        )
    return 255 if is_fraction else 1


def class_names(classes: Sequence[str] | None, labels: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of the classes; without `classes`, those that the labels give."""
    if classes is not None:
        if isinstance(classes, str) or not isinstance(classes, Iterable):
            raise UsageError(f"classes is {classes!r}; it must be the names, in order")
        names = tuple(map(str, classes))
        if len(set(names)) < len(names):
            raise UsageError(f"classes names a class twice: {', '.join(names)}")
        return names
    if labels.ndim == 2 and labels.shape[1] > 1:  # one-hot
        return tuple(map(str, range(labels.shape[1])))
    if labels.dtype.kind in "US":
        return tuple(str(name) for name in np.unique(labels))
    if labels.dtype.kind in "iu" and labels.size:
        return tuple(str(label) for label in range(int(labels.max()) + 1))
    raise UsageError(
        f"labels: {labels.dtype} {labels.shape}; they must be whole numbers from 0, or names"
    )


def examples(
    images: NDArray[np.uint8], labels: NDArray[Any], classes: tuple[str, ...], split: str
) -> Examples:
    """Return the examples of a split. Raises UsageError if labels do not fit images or classes."""
    if labels.ndim == 2 and labels.shape[1] == 1:  # as Keras's datasets have them
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.shape[1] == len(classes):  # one-hot
        labels = labels.argmax(1)
    if labels.shape != images.shape[:1] or not len(labels):
        raise UsageError(
            f"{split}: {len(images):,} images, but labels of shape {labels.shape}; each image "
            "needs one label, and a split needs an image"
        )
    if labels.dtype.kind in "US":
        number = {name: i for i, name in enumerate(classes)}
        unknown = sorted(set(map(str, labels)) - number.keys())
        if unknown:
            raise UsageError(f"{split}: {unknown[0]!r} is not a class; {', '.join(classes)} are")
        labels = np.array([number[str(name)] for name in labels], np.int32)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
        raise UsageError(
            f"{split}: labels of {labels.dtype} from {labels.min()} to {labels.max()}; with "
            f"{len(classes)} classes they must be whole numbers from 0 to {len(classes) - 1}"
        )
    return array_examples(images, labels)


def held_out(train: Examples, classes: int) -> tuple[Examples, Examples]:
    """Return training and validation examples: of each class, one of twelve is held out.

    They are drawn at random, because a user's arrays are often sorted by class.

    Raises:
        UsageError: there are fewer than two examples.
    """
    if len(train) < 2:
        raise UsageError("1 image: at least one to train on and one to validate on are needed")
    order = np.random.default_rng(HOLD_OUT_SEED).permutation(len(train))
    is_val = np.zeros(len(train), bool)
    for label in range(classes):
        rows = order[train.labels[order] == label]
        is_val[rows[: round(len(rows) / HOLD_OUT_EVERY)]] = True
    if not is_val.any():
        is_val[order[: max(1, len(train) // HOLD_OUT_EVERY)]] = True
    images = train.images[:]
    return (
        array_examples(images[~is_val], train.labels[~is_val]),
        array_examples(images[is_val], train.labels[is_val]),
    )


def fingerprint(each: Examples) -> str:
    """Return a SHA-256 of images and labels."""
    digest = hashlib.sha256(repr(each.images.shape).encode())
    digest.update(np.ascontiguousarray(each.images[:]).data)
    digest.update(np.ascontiguousarray(each.labels).data)
    return digest.hexdigest()
