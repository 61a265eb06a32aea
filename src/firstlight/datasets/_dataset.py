"""A dataset: a name, classes, splits, and how to load one of them."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firstlight.datasets._examples import SPLITS, Examples
from firstlight.datasets._near_copies import NearCopy, near_copies
from firstlight.errors import DataError
from firstlight.images.crops import Size
from firstlight.images.values import ValueRange

MAX_FAULTS_SHOWN = 20
EMPTY_CLASS = "empty class"  # how the problem of a class without a picture begins


@dataclass(frozen=True)
class Fault:
    """A file that cannot be used, and why."""

    file: str
    problem: str

    def to_json(self) -> dict[str, str]:
        return {"file": self.file, "problem": self.problem}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The pictures of a folder that are used, and those that are not.

    A run keeps its listing in pictures.json, so it always uses exactly these pictures.
    """

    classes: tuple[str, ...]
    splits: dict[str, dict[str, str]]  # split → file below the folder → SHA-256
    made: str  # how missing splits were made; "" if the folder has them
    faults: tuple[Fault, ...]
    # File → class, of the files that do not lie in a folder of the class's name.
    labels: dict[str, str] = field(default_factory=dict)
    size: Size | None = None  # of all pictures, if they are small and equal: they are used whole

    def class_of(self, file: str) -> str:
        """Return a picture's class: the name of its folder, if nothing else says it."""
        return self.labels.get(file) or file.split("/")[-2]

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "made": self.made,
            "splits": self.splits,
            "faults": [fault.to_json() for fault in self.faults],
            "labels": self.labels,
            "size": self.size,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Listing":
        """Raises KeyError, TypeError or AttributeError if the document is not a listing."""
        return cls(
            classes=tuple(document["classes"]),
            splits={split: dict(files) for split, files in document["splits"].items()},
            made=document["made"],
            faults=tuple(Fault(fault["file"], fault["problem"]) for fault in document["faults"]),
            # Runs from before there were such files have neither.
            labels=dict(document.get("labels", {})),
            size=tuple(document["size"]) if document.get("size") else None,
        )


@dataclass(frozen=True, kw_only=True)
class DatasetCheck:
    """What `firstlight data check` found: examples by class and split, faults, and near copies."""

    data: str
    counts: dict[str, dict[str, int]]  # split → class → number of examples
    image_size: Size | None  # height, width, channels; None for pictures, which may differ in size
    faults: tuple[Fault, ...]
    near_copies: tuple[NearCopy, ...]  # no faults: two pictures may be meant to be so alike
    remarks: tuple[str, ...] = ()  # how the data was understood

    @property
    def classes(self) -> dict[str, int]:
        """The number of examples of each class, in all splits."""
        classes: Counter[str] = Counter()
        for by_class in self.counts.values():
            classes.update(by_class)
        return dict(classes)

    @property
    def splits(self) -> dict[str, int]:
        """The number of examples of each split."""
        return {split: sum(by_class.values()) for split, by_class in self.counts.items()}

    @property
    def examples(self) -> int:
        return sum(self.classes.values())

    def to_json(self) -> dict[str, Any]:
        return {
            "data": self.data,
            "classes": self.classes,
            "examples": self.examples,
            "faults": [fault.to_json() for fault in self.faults],
            "splits": self.splits,
            "counts": self.counts,
            "image_size": self.image_size,
            "near_copies": [copy.to_json() for copy in self.near_copies],
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images with labels, in splits. `load("train")` gives the examples of a split.

    >>> data = fl.dataset("mnist")
    >>> data.splits, len(data.classes)
    (('train', 'val', 'test'), 10)
    >>> examples = data.load("val")
    >>> examples.images[:2].shape, examples.labels[:2]
    ((2, 28, 28, 1), array([1, 2], dtype=int32))
    """

    name: str  # what messages and files call the data
    classes: tuple[str, ...]  # their names, in the order of their numbers
    load: Callable[[str], Examples] = field(repr=False)  # split → its images and labels
    # file, or split of pictures → SHA-256
    fingerprint: Callable[[], dict[str, str]] = field(repr=False)
    splits: tuple[str, ...] = SPLITS  # which it has
    listing: Listing | None = field(default=None, repr=False)  # for a folder of pictures
    made: str = ""  # how missing splits were made; "" if the data has them
    is_unsplit: bool = False  # pictures without splits of their own: load("all") gives all of them
    location: str | None = None  # a name, or an absolute path; None for arrays from Python
    # What became 0 and 255 in the images; None if that is not known.
    values: ValueRange | None = field(default=None, repr=False)
    remarks: tuple[str, ...] = field(default=(), repr=False)  # how the data was understood

    @classmethod
    def from_arrays(
        cls,
        images: ArrayLike,
        labels: ArrayLike,
        *,
        classes: Sequence[str] | None = None,
        val: tuple[ArrayLike, ArrayLike] | None = None,
        test: tuple[ArrayLike, ArrayLike] | None = None,
        name: str = "arrays",
    ) -> "Dataset":
        """Return a dataset of your own arrays.

        Args:
            images: (N, height, width), with 1 or 3 channels first or last, or rows of the values of
                square images: uint8, or numbers from 0 to 255; floats from 0 to 1 or from -1 to 1,
                and whole numbers from 0 to 1 or 16, are scaled to 0 to 255.
            labels: (N,) or (N, 1): whole numbers from 0, or names; or one-hot (N, classes).
            classes: their names, in the order of their numbers; by default the names among the
                labels in alphabetical order, or the numbers up to the largest label.
            val: (images, labels) to validate on; by default one of twelve images of each class is
                held out at random, always the same ones.
            test: (images, labels) to measure on; without them accuracy is measured on val.
            name: what messages and files call the data.

        Raises:
            UsageError: an array has another shape or other values, or they do not fit together.

        >>> import numpy as np
        >>> images = np.zeros((24, 8, 8), np.uint8)
        >>> data = fl.Dataset.from_arrays(images, [0, 1] * 12, classes=["cat", "dog"])
        >>> data.classes, len(data.load("train")), len(data.load("val"))
        (('cat', 'dog'), 22, 2)
        """
        from firstlight.datasets._arrays import dataset_of_arrays

        return dataset_of_arrays(images, labels, classes=classes, val=val, test=test, name=name)

    @property
    def evaluation_split(self) -> str:
        """The split on which accuracy is measured: val if the data has val and no test."""
        return "test" if "test" in self.splits else "val"

    @property
    def check_command(self) -> str:
        """The command that lists every fault."""
        return f"firstlight data check {shlex.quote(self.location or self.name)}"

    def notices(self, *, of_splits: bool = True) -> list[str]:
        """Return what a user must know: a folder's faults, and how missing splits were made.

        Args:
            of_splits: also say how missing splits were made.
        """
        said = [*self.remarks, self.made] if self.made and of_splits else [*self.remarks]
        if self.listing is None:
            return said
        # A class that has vanished matters more than a picture.
        faults = sorted(self.listing.faults, key=lambda fault: EMPTY_CLASS not in fault.problem)
        lines = [f"left out {fault.file}: {fault.problem}" for fault in faults[:MAX_FAULTS_SHOWN]]
        if faults:
            used = sum(len(files) for files in self.listing.splits.values())
            lines.append(
                f"{len(faults):,} faults, {used:,} pictures used; "
                f"`{self.check_command}` lists every fault"
            )
        return [*lines, *said]

    def check(self) -> DatasetCheck:
        """Load every split; count the examples of each class, collect faults and near copies."""
        faults = list(self.listing.faults) if self.listing else []
        loaded: dict[str, Examples] = {}
        for split in self.splits:
            try:
                loaded[split] = self.load(split)
            except DataError as error:
                faults.append(Fault(self.name, str(error)))
        if len(self.classes) == 1:
            problem = f"one class, {self.classes[0]}: a network needs at least two"
            faults.append(Fault(self.name, problem))
        return DatasetCheck(
            data=self.name,
            counts={split: self._counts(examples) for split, examples in loaded.items()},
            image_size=_size_of_all(loaded.values()),
            faults=tuple(faults),
            near_copies=tuple(near_copies(loaded)),
            remarks=tuple([*self.remarks, self.made] if self.made else self.remarks),
        )

    def _counts(self, examples: Examples) -> dict[str, int]:
        counts = np.bincount(examples.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))


def _size_of_all(splits: Iterable[Examples]) -> Size | None:
    """Return the size of images that are used whole, None for pictures, which are cropped."""
    return next((each.images.size for each in splits if not each.images.are_crops), None)
