"""Tests whether one run is better than another or the difference is chance: on the same images."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from firstlight.errors import UsageError
from firstlight.evaluation.accuracy import open_dataset, predict_probabilities
from firstlight.runs.run import Run
from firstlight.settings import DataChoice

SIGNIFICANCE = 0.05  # a probability below this counts as a difference
SMALLEST_P = 0.0001  # what is smaller is written as "below 0.0001"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two runs answer the same images."""

    runs: tuple[str, str]
    data: str
    split: str
    examples: int
    accuracy: tuple[float, float]
    both_right: int
    both_wrong: int
    only_first: list[int]  # rows of the images that only the first run gets right
    only_second: list[int]

    @property
    def p(self) -> float:
        """The probability of a difference this large if both are equally good (McNemar's test)."""
        return mcnemar(len(self.only_first), len(self.only_second))

    @property
    def verdict(self) -> str:
        """A sentence that says which run is better, or that the difference may be chance."""
        first, second = self.runs
        noun = "image" if len(self.only_first) == 1 else "images"
        counts = (
            f"only {first} is right on {len(self.only_first):,} {noun}, "
            f"only {second} on {len(self.only_second):,}"
        )
        chance = f"{self.p:.2g}"
        if self.p < SMALLEST_P:
            chance = f"below {SMALLEST_P}"
        reason = f"{counts}; the probability of a difference this large by chance is {chance}"
        if self.p >= SIGNIFICANCE:
            return f"no significant difference: {reason}"
        better = first if len(self.only_first) > len(self.only_second) else second
        return f"{better} is better: {reason}"

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.comparison(self)

    def to_json(self) -> dict[str, Any]:
        return {
            "runs": list(self.runs),
            "data": self.data,
            "split": self.split,
            "examples": self.examples,
            "accuracy": list(self.accuracy),
            "both_right": self.both_right,
            "both_wrong": self.both_wrong,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p": self.p,
            "verdict": self.verdict,
        }


def compare(
    first: Run, second: Run, data: DataChoice = "", split: str = "", quiet: bool = True
) -> Comparison:
    """Find the images that only one of two runs gets right.

    Raises:
        UsageError: the runs were trained on different data, or on different pictures of a folder,
            and `data` does not choose.
        DataError: a run or the data is missing or damaged.
    """
    if not data:
        refuse_different_data(first, second)
    dataset, split = open_dataset(first, data, split, quiet)
    examples = dataset.load(split)
    first_right, second_right = (
        predict_probabilities(run, dataset, examples, quiet=quiet).argmax(1) == examples.labels
        for run in (first, second)
    )
    return compare_answers(
        (str(first.folder), str(second.folder)),
        (first_right, second_right),
        data=dataset.name,
        split=split,
    )


def compare_answers(
    runs: tuple[str, str], right: tuple[np.ndarray, np.ndarray], *, data: str, split: str
) -> Comparison:
    """Compare which images two runs answer rightly, (N,) bool each."""
    first_right, second_right = right
    return Comparison(
        runs=runs,
        data=data,
        split=split,
        examples=len(first_right),
        accuracy=(float(first_right.mean()), float(second_right.mean())),
        both_right=int(sum(first_right & second_right)),
        both_wrong=int(sum(~first_right & ~second_right)),
        only_first=np.flatnonzero(first_right & ~second_right).tolist(),
        only_second=np.flatnonzero(second_right & ~first_right).tolist(),
    )


def refuse_different_data(first: Run, second: Run) -> None:
    """Raises UsageError if the runs were not trained on the same data."""
    settings, other_settings = first.record().settings, second.record().settings
    one, other = settings.data, other_settings.data
    if one != other:
        raise UsageError(f"the runs were trained on {one} and {other}; choose with --data")
    one_listing, other_listing = first.listing(), second.listing()
    if one_listing and other_listing and one_listing.splits != other_listing.splits:
        raise UsageError(f"{one} has changed between the two runs; choose with --data {one}")
    if not one_listing and settings.sha256 != other_settings.sha256:
        raise UsageError(f"{one} is not the same in the two runs; choose with --data")


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the probability of a split this uneven if both runs are equally good, 0 to 1.

    This is McNemar's exact test (1947). Images that both get right, or both wrong, say nothing.
    Each of the others is like a coin toss: the result is the two-sided tail of a binomial
    distribution.
    """
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    if not tosses:
        return 1.0
    tail = sum(math.comb(tosses, heads) for heads in range(fewer + 1))
    return min(1.0, tail / 2 ** (tosses - 1))
