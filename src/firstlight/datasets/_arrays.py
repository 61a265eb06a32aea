"""Arrays as people keep them, and what they mean: a user's own from Python, or out of files.

    images   (N, height, width), with or without channels, first or last; or rows of their values
    values   0 to 255, 0 to 1, -1 to 1, 0 to 16 as scikit-learn's digits, or 16 bits
    labels   numbers, names or one-hot rows

The training split decides the `Form` of all splits. `notes` has what was guessed.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.datasets._dataset import Dataset
from firstlight.datasets._examples import HOLD_OUT_EVERY, Examples, array_examples
from firstlight.datasets._names import decoded, is_writable
from firstlight.errors import DataError, UsageError
from firstlight.images.values import ValueRange

HOLD_OUT_SEED = 0  # validation examples do not depend on the seed of a training
HELD_OUT = "one of twelve training images of each class is held out for validation"
CHANNELS = (1, 3)
MAX_CLASSES = 10_000
BLOCK = 4096  # images that are converted at a time, to bound the memory
LEVELS = (1, 16)  # of whole numbers that are far below 255: bits, and scikit-learn's digits
Pair = tuple[ArrayLike, ArrayLike]  # images, labels


@dataclass(frozen=True)
class Scale:
    """What turns values into 0 to 255: subtract `lowest`, multiply by `factor`."""

    factor: float
    lowest: float = 0
    note: str = ""  # what was guessed; "" if nothing had to be

    @classmethod
    def of(cls, values: ValueRange) -> "Scale":
        return cls(255 / (values.highest - values.lowest), values.lowest)

    @property
    def values(self) -> ValueRange:
        """The values that become 0 and 255."""
        return ValueRange(self.lowest, round(self.lowest + 255 / self.factor, 9))


@dataclass(frozen=True)
class Form:
    """How the arrays of a dataset are understood, in all its splits."""

    names: tuple[str, ...]  # of the classes
    values: tuple[Any, ...]  # the label of each class in the arrays: a number or a name
    scale: Scale
    planes: bool  # rows of 3 × side² values hold a plane for each colour
    notes: tuple[str, ...]

    @classmethod
    def of(cls, images: ArrayLike, labels: ArrayLike, classes: Sequence[str] | None) -> "Form":
        """Return the form of the split that is trained on. Raises UsageError if it has none."""
        train_labels = plain_labels(labels, "labels")
        given = as_array(images, "images")
        planes = holds_planes(given)
        scale = data_scale(as_batch(given, "images", len(train_labels), planes), "images")
        names, values = class_names(classes, train_labels, as_array(labels, "labels").shape)
        notes = [scale.note] if scale.note else []
        if given.ndim == 2 and not is_square(given.shape[1]):
            order = "a plane for each colour" if planes else "three values for each pixel"
            notes.append(f"rows of {given.shape[1]:,} values are taken as colour: {order}")
        return cls(names, values, scale, planes, tuple(notes))

    def examples(self, images: ArrayLike, labels: ArrayLike, split: str) -> Examples:
        """Return the examples of a split. Raises UsageError if its arrays do not fit."""
        numbers = self._numbers(plain_labels(labels, f"{split} labels"), split)
        what = "images" if split == "train" else f"{split} images"
        batch = as_batch(images, what, len(numbers), self.planes)
        if len(batch) != len(numbers) or not len(numbers):
            raise UsageError(
                f"{split}: {len(batch):,} images, but labels of shape {np.shape(labels)}; each "
                "image needs one label, and a split needs an image"
            )
        return array_examples(as_images(batch, what, self.scale), numbers)

    def _numbers(self, labels: NDArray[Any], split: str) -> NDArray[np.int32]:
        """Return the number of each label's class, from 0."""
        found, places = np.unique(labels, return_inverse=True)
        by_name = labels.dtype.kind == "U"  # values are numbers where `classes` were given
        number = {value: i for i, value in enumerate(self.names if by_name else self.values)}
        unknown = [value for value in found.tolist() if value not in number]
        if unknown and by_name:
            known = ", ".join(self.names[:20])
            raise UsageError(f"{split}: {unknown[0]!r} is not a class; {known} are")
        if unknown:
            raise UsageError(
                f"{split}: labels from {found[0]} to {found[-1]}; with {len(self.names)} classes "
                f"they must be whole numbers from {self.values[0]} to {self.values[-1]}"
            )
        return np.array([number[value] for value in found.tolist()], np.int32)[places.ravel()]


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
    form = Form.of(images, labels, classes)
    splits = {"train": form.examples(images, labels, "train")}
    made = ""
    if val is None:
        splits["train"], splits["val"] = held_out(splits["train"])
        made = HELD_OUT
    for split, pair in (("val", val), ("test", test)):
        if pair is not None:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise UsageError(f"{split} is a {type(pair).__name__}; it must be (images, labels)")
            splits[split] = form.examples(*pair, split)
    return Dataset(
        name=name,
        classes=form.names,
        load=lambda split: chosen_split(splits, split, name),
        fingerprint=lambda: {split: fingerprint(each) for split, each in splits.items()},
        splits=tuple(splits),
        made=made,
        values=form.scale.values,
        remarks=form.notes,
    )


def test_dataset(
    images: ArrayLike, labels: ArrayLike, *, classes: tuple[str, ...], name: str = "arrays"
) -> Dataset:
    """Return a dataset of arrays that are all measured: its only split is test.

    Raises:
        UsageError: an array has another shape or other values, or they do not fit together.
    """
    measured = Form.of(images, labels, classes).examples(images, labels, "test")
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


def as_images(images: ArrayLike, what: str, scale: Scale | None = None) -> NDArray[np.uint8]:
    """Return a copy of images as (N, height, width, channels) uint8, 0 to 255.

    Args:
        images: any form that `as_batch` takes.
        scale: None: see `pixel_scale`.

    Raises:
        UsageError: a value is no finite number, or would be far outside of 0 to 255.
    """
    batch = as_batch(images, what)
    scale = scale or pixel_scale(batch, what)
    pixels = np.empty(batch.shape, np.uint8)
    for start in range(0, len(batch), BLOCK):
        block = batch[start : start + BLOCK]
        is_ready = block.dtype == np.uint8 and scale.factor == 1
        pixels[start : start + BLOCK] = block if is_ready else _scaled(block, what, scale)
    return pixels


def _scaled(block: NDArray[Any], what: str, scale: Scale) -> NDArray[Any]:
    """Return values as 0 to 255. Raises UsageError if the scale was that of other values."""
    check_numbers(block, what)
    scaled = (block - np.float32(scale.lowest)) * np.float32(scale.factor)
    if scaled.min() < -64 or scaled.max() > 320:  # far outside of the training images' range
        lowest, highest = block.min() + 0, block.max() + 0  # -0 becomes 0
        raise UsageError(
            f"{what}: values from {lowest:g} to {highest:g}; the training images have another range"
        )
    rounded: NDArray[Any] = scaled.clip(0, 255).round()
    return rounded


def as_batch(
    images: ArrayLike, what: str, count: int | None = None, planes: bool = False
) -> NDArray[Any]:
    """Return images as (N, height, width, 1 or 3), as a view where that is possible.

    Args:
        count: how many labels there are: it tells (height, width, channels, N), as SVHN has it.
        planes: rows of 3 × side² values hold a plane for each colour, as CIFAR has them.

    Raises:
        UsageError: the array has another shape.
    """
    given = as_array(images, what)
    pixels = given
    if pixels.ndim > 2 and count == pixels.shape[-1] != pixels.shape[0]:
        pixels = np.moveaxis(pixels, -1, 0)
    if pixels.ndim == 3 and 1 in pixels.shape[1:] and pixels.shape[1] != pixels.shape[2]:
        pixels = pixels.reshape(len(pixels), -1)  # (N, values, 1)
    if pixels.ndim == 2:
        pixels = _unfolded(pixels, planes)
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim == 4 and pixels.shape[-1] not in CHANNELS and pixels.shape[1] in CHANNELS:
        pixels = np.moveaxis(pixels, 1, -1)
    if pixels.ndim != 4 or pixels.shape[-1] not in CHANNELS or 0 in pixels.shape[1:]:
        raise UsageError(
            f"{what}: an array of shape {given.shape}; it must be (N, height, width), "
            "(N, height, width, 1 or 3), (N, 1 or 3, height, width), or rows of the values of "
            "square images"
        )
    return pixels


def _unfolded(rows: NDArray[Any], planes: bool) -> NDArray[Any]:
    """Return rows of values as images, if they can be square ones."""
    values = rows.shape[1]
    if is_square(values):
        return rows.reshape(-1, math.isqrt(values), math.isqrt(values))
    if values % 3 or not is_square(values // 3):
        return rows
    side = math.isqrt(values // 3)
    if planes:
        return np.moveaxis(rows.reshape(-1, 3, side, side), 1, -1)
    return rows.reshape(-1, side, side, 3)


def is_square(values: int) -> bool:
    """Return whether this number of values makes a square image of more than one pixel."""
    return values > 1 and math.isqrt(values) ** 2 == values


def holds_planes(images: NDArray[Any]) -> bool:
    """Return whether rows of colour values hold a plane for each colour, or a pixel's three values.

    Neighbours in a picture are alike: the order in which they are more alike is the right one.
    """
    if images.ndim != 2 or is_square(images.shape[1]) or images.dtype.kind not in "buif":
        return False
    rows = np.asarray(images[:256], np.float32)
    return bool(np.abs(np.diff(rows)).mean() < np.abs(rows[:, 3:] - rows[:, :-3]).mean())


def pixel_scale(pixels: NDArray[Any], what: str) -> Scale:
    """Return what turns the values into 0 to 255.

    Raises:
        UsageError: the values are of no known range, or do not tell which.
    """
    if not len(pixels):
        return Scale(1)
    check_numbers(pixels, what)
    low, high = float(pixels.min()), float(pixels.max())
    is_float = pixels.dtype.kind == "f"
    if pixels.dtype.kind == "b" or (is_float and 0 <= low and high <= 1):
        return Scale(255)
    for end in (1.0, 0.5):
        if is_float and low == -end and 0 < high <= end:
            note = f"{what}: values from {low:g} to {high:g} are taken as {low:g} to {end:g}"
            return Scale(127.5 / end, low, note)
    if pixels.dtype == np.uint16 and high > 255:
        depth = 12 if high < 4096 else 16
        note = f"{what}: values up to {high:,.0f} are taken as {depth} bits"
        return Scale(255 / (2**depth - 1), note=note)
    is_doubtful = is_float and 1 < high < 2  # resized, or the darkest of images
    if low < 0 or high > 255 or is_doubtful:
        raise UsageError(
            f"{what}: values from {low:g} to {high:g}; they must be 0 to 255, or 0 to 1: undo a "
            "normalization before you save them"
        )
    return Scale(1)


def data_scale(pixels: NDArray[Any], what: str) -> Scale:
    """Return what turns the values of a whole data set into 0 to 255; see `pixel_scale`.

    Whole numbers that never come near 255 are bits, or scikit-learn's digits. A single image may
    be that dark.
    """
    scale = pixel_scale(pixels, what)
    high = pixels.max(initial=0)
    level = next((level for level in LEVELS if 0 < high <= level), None)
    if scale.factor != 1 or level is None or not _are_whole(pixels):
        return scale
    return Scale(255 / level, note=f"{what}: values up to {high:g} are taken as 0 to {level}")


def known_scale(pixels: NDArray[Any], what: str, trained: ValueRange | None) -> Scale:
    """Return what turns values into 0 to 255 for a network that was trained on a range of values.

    Values that can be of this range are. Others are scaled as those of a data set of their own.
    """
    if trained and _can_be(pixels, trained):
        return Scale.of(trained)
    scale = data_scale(pixels, what)
    if trained and scale.note:
        return replace(scale, note=f"{scale.note}; the network was trained on {trained}")
    return scale


def _can_be(pixels: NDArray[Any], values: ValueRange) -> bool:
    """Return whether pixels can have values of a range, and not only by being dark."""
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    if kind not in "uif" or not pixels.size or not np.isfinite(pixels).all():
        return False
    low, high = float(pixels.min()), float(pixels.max())
    if low < values.lowest or high > values.highest:
        return False
    if values.lowest < 0 <= low:  # -1 to 1: their background is below 0
        return False
    if 0 < high < (2 if kind == "f" else 1.5) < values.highest:  # 0 to 1, or nearly
        return False
    return values.highest <= 255 or size > 1


def _are_whole(pixels: NDArray[Any]) -> bool:
    return pixels.dtype.kind in "iu" or bool((pixels == np.round(pixels)).all())


def check_numbers(pixels: NDArray[Any], what: str) -> None:
    """Raises UsageError if values are not finite numbers."""
    if pixels.dtype.kind not in "buif" or not np.isfinite(pixels).all():
        raise UsageError(f"{what}: {len(pixels)} of {pixels.dtype}; they must be finite numbers")


def plain_labels(labels: ArrayLike, what: str) -> NDArray[Any]:
    """Return labels (N,): whole numbers or names, also of one-hot rows and of columns (N, 1).

    Raises:
        UsageError: they are neither.
    """
    given = as_array(labels, what)
    plain = given
    if plain.ndim == 2 and plain.shape[1] == 1:  # as Keras's datasets have them
        plain = plain[:, 0]
    if plain.ndim == 2 and 1 in plain.shape and plain.dtype.kind in "iu":  # as MATLAB has them
        plain = plain.ravel()
    if plain.ndim == 2 and plain.dtype.kind in "buif":
        _check_one_hot(plain, what)
        plain = plain.argmax(1)
    if plain.dtype.kind == "S":
        plain = np.array([decoded(name) for name in plain.ravel().tolist()]).reshape(plain.shape)
    if plain.dtype.kind in "fb" and np.isfinite(plain).all() and _are_whole(plain * 1):
        plain = plain.astype(np.int64)
    if plain.dtype.kind not in "iuU" or plain.ndim != 1:
        if not plain.size and plain.ndim == 1:
            return plain.astype(np.int64)
        raise UsageError(
            f"{what}: {given.dtype} {given.shape}; they must be whole numbers from 0, or names"
        )
    return plain


def _check_one_hot(rows: NDArray[Any], what: str) -> None:
    """Raises UsageError if a row has not exactly one 1 among zeros."""
    wrong = np.flatnonzero(((rows != 0) & (rows != 1)).any(1) | (rows.sum(1) != 1))
    if len(wrong):
        row = int(wrong[0])
        raise UsageError(
            f"{what}: {rows.dtype} {rows.shape}: row {row} has {int((rows[row] != 0).sum())} "
            "values that are not 0; each image needs one label: (N,), or one-hot with a single 1"
        )


def class_names(
    classes: Sequence[str] | None, labels: NDArray[Any], shape: tuple[int, ...]
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Return the names of the classes, and their labels; without `classes`, as the labels say.

    Args:
        labels: see `plain_labels`; their `shape` was (N, classes) if they were one-hot.
    """
    if classes is not None:
        return _given_names(classes)
    if labels.dtype.kind == "U":
        names = tuple(np.unique(labels).tolist())
        values: tuple[Any, ...] = names
    elif len(shape) == 2 and min(shape) > 1:
        values = tuple(range(shape[1]))
    else:
        values = _label_values(labels)
    if len(values) > MAX_CLASSES:
        raise UsageError(
            f"labels: {len(values):,} different ones; there can be {MAX_CLASSES:,} classes"
        )
    names = tuple(map(str, values))
    check_names(names, "labels")
    return names, values


def check_names(names: Iterable[str], what: str) -> None:
    """Raises UsageError if the name of a class is empty, or cannot be written and printed."""
    for name in names:
        if not name.strip():
            raise UsageError(f"{what}: an empty name; each image needs the name of its class")
        if not is_writable(name):
            raise UsageError(
                f"{what}: {name!a} has characters that are no text; give the class another name"
            )


def _given_names(classes: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise UsageError(f"classes is {classes!r}; it must be the names, in order")
    names = tuple(map(str, classes))
    if len(set(names)) < len(names):
        raise UsageError(f"classes names a class twice: {', '.join(names)}")
    check_names(names, "classes")
    return names, tuple(range(len(names)))


def _label_values(labels: NDArray[Any]) -> tuple[int, ...]:
    """Return the labels that are classes: 0 to the largest, which a small sample may lack.

    Labels that begin with 1 and lack none begin with 1. If most numbers up to the largest are
    missing, the labels that occur are the classes.
    """
    if not labels.size:
        return ()
    found = np.unique(labels)
    largest = int(found[-1])
    if found[0] < 0:
        raise UsageError(
            f"labels from {found[0]} to {largest}; they must be whole numbers from 0, or names"
        )
    if found[0] == 1 and len(found) == largest:
        return tuple(range(1, largest + 1))
    if largest >= 100 and largest >= 2 * len(found):
        return tuple(found.tolist())
    return tuple(range(largest + 1))


def held_out(train: Examples) -> tuple[Examples, Examples]:
    """Return training and validation examples: of each class, one of twelve is held out.

    They are drawn at random, because a user's arrays are often sorted by class.

    Raises:
        UsageError: there are fewer than two examples.
    """
    if len(train) < 2:
        raise UsageError("1 image: at least one to train on and one to validate on are needed")
    order = np.random.default_rng(HOLD_OUT_SEED).permutation(len(train))
    is_val = np.zeros(len(train), bool)
    for label in np.unique(train.labels):
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
