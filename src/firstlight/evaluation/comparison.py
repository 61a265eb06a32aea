"""Is one run better than another, or was it luck? Both answer the same images: they are paired."""

import math
from typing import Any

import numpy as np

from firstlight.errors import UsageError
from firstlight.evaluation.accuracy import evaluate
from firstlight.runs.run import Run

DOUBT = 0.05  # a smaller chance than this is called a difference


def compare(first: Run, second: Run, data: str = "", split: str = "test") -> dict[str, Any]:
    """Which images only one of two runs gets right, and what McNemar's test makes of it.

    Raises:
        UsageError: the runs were trained on different data, or different pictures of one folder,
            and `data` does not say which to take.
        DataError: a run or the data is missing or damaged.
    """
    trained_on = {run.settings()["data"] for run in (first, second)}
    if not data and len(trained_on) > 1:
        raise UsageError(f"the runs were trained on {' and '.join(trained_on)}; choose with --data")
    before, after = (run.listing() or {"splits": None} for run in (first, second))
    if not data and before["splits"] != after["splits"]:
        folder = trained_on.pop()
        raise UsageError(f"{folder} has changed between the two runs; choose with --data {folder}")
    answers = [evaluate([run], data, split) for run in (first, second)]
    facts, examples, _ = answers[0]
    right = [p.argmax(1) == examples.labels for _, _, p in answers]
    only_first, only_second = (np.flatnonzero(a & ~b) for a, b in (right, right[::-1]))
    chance = mcnemar(len(only_first), len(only_second))
    names = [str(run.folder) for run in (first, second)]
    return {
        "runs": names,
        **{key: facts[key] for key in ("data", "split", "examples")},
        "accuracy": [answer["accuracy"] for answer, _, _ in answers],
        "both_right": int(sum(right[0] & right[1])),
        "both_wrong": int(sum(~right[0] & ~right[1])),
        "only_first": only_first.tolist(),
        "only_second": only_second.tolist(),
        "p": chance,
        "verdict": verdict(names, len(only_first), len(only_second), chance),
    }


def mcnemar(only_first: int, only_second: int) -> float:
    """How likely so uneven a split would be if both were equally good (McNemar, 1947; exact).

    The images that both get right, or both wrong, say nothing. Of the others, each would be a coin
    toss: the answer is the two-sided tail of a binomial distribution, 0 to 1.
    """
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(tosses, heads) for heads in range(fewer + 1))
    return min(1.0, tail / 2 ** (tosses - 1)) if tosses else 1.0


def verdict(names: list[str], only_first: int, only_second: int, chance: float) -> str:
    """What to believe, in a sentence."""
    better = names[0] if only_first > only_second else names[1]
    counts = f"{only_first} images only {names[0]} gets right, {only_second} only {names[1]}"
    if chance < DOUBT:
        return f"{better} is better: {counts}; by luck that would happen in {chance:.2g} of cases"
    return f"no difference to be seen: {counts}; by luck that happens in {chance:.2g} of cases"
