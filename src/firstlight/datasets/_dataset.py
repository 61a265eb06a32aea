"""A dataset: a name, classes, splits, and how to load one of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from firstlight.datasets._examples import SPLITS, Examples
from firstlight.errors import DataError
from firstlight.images.crops import Size

MAX_FAULTS_SHOWN = 20


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

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "made": self.made,
            "splits": self.splits,
            "faults": [fault.to_json() for fault in self.faults],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Listing":
        """Raises KeyError, TypeError or AttributeError if the document is not a listing."""
        return cls(
            classes=tuple(document["classes"]),
            splits={split: dict(files) for split, files in document["splits"].items()},
            made=document["made"],
            faults=tuple(Fault(fault["file"], fault["problem"]) for fault in document["faults"]),
        )


@dataclass(frozen=True, kw_only=True)
class DatasetCheck:
    """What `firstlight data check` found: examples by class, and faults."""

    data: str
    classes: dict[str, int]  # name → number of examples
    splits: dict[str, int]  # name → number of examples
    image_size: Size | None  # height, width, channels; None for pictures, which may differ in size
    faults: tuple[Fault, ...]

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
            "image_size": self.image_size,
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
    location: str | None = None  # a name, or an absolute path; None for arrays from Python

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
            images: (N, height, width), or (N, height, width, 1 or 3): uint8, or numbers from 0 to
                255; floats that are all from 0 to 1 are scaled to 0 to 255.
            labels: (N,): whole numbers from 0, or names; or one-hot (N, classes).
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

    def notices(self) -> list[str]:
        """Return what a user must know: a folder's faults, and how missing splits were made."""
        if self.listing is None:
            return [self.made] if self.made else []
        faults = self.listing.faults
        lines = [f"left out {fault.file}: {fault.problem}" for fault in faults[:MAX_FAULTS_SHOWN]]
        if faults:
            used = sum(len(files) for files in self.listing.splits.values())
            lines.append(
                f"{len(faults):,} faults, {used:,} pictures used; "
                "`firstlight data check` lists every fault"
            )
        return [*lines, self.made] if self.made else lines

    def check(self) -> DatasetCheck:
        """Load every split; count the examples of each class and collect the faults."""
        faults = list(self.listing.faults) if self.listing else []
        counts: Counter[str] = Counter(dict.fromkeys(self.classes, 0))
        splits: dict[str, int] = {}
        image_size = None
        for split in self.splits:
            try:
                examples = self.load(split)
            except DataError as error:
                faults.append(Fault(self.name, str(error)))
            else:
                counts.update(self.classes[label] for label in examples.labels)
                splits[split] = len(examples)
                if not examples.images.are_crops:
                    image_size = examples.images.size
        return DatasetCheck(
            data=self.name,
            classes=dict(counts),
            splits=splits,
            image_size=image_size,
            faults=tuple(faults),
        )
