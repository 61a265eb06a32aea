"""Two runs on the same images: which is right where the other is wrong, and is it chance?"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

from firstlight.errors import UsageError
from firstlight.evaluation.comparison import Comparison, compare, mcnemar
from firstlight.runs.run import Run
from firstlight.settings import prepare
from firstlight.training import trainer

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.mark.parametrize(
    ("counts", "chance"),
    # The exact binomial tails, from their definition: 2 · Σ C(n, k) / 2ⁿ.
    [((0, 0), 1), ((5, 5), 1), ((0, 5), 2 / 32), ((1, 9), 22 / 1024), ((10, 2), 158 / 4096)],
)
def test_mcnemar(counts: tuple[int, int], chance: float) -> None:
    assert mcnemar(*counts) == pytest.approx(chance)
    assert mcnemar(*counts[::-1]) == pytest.approx(chance)


def comparison(only_first: int, only_second: int) -> Comparison:
    return Comparison(
        runs=("a", "b"),
        data="mnist",
        split="test",
        examples=100,
        accuracy=(0.5, 0.5),
        both_right=40,
        both_wrong=20,
        only_first=list(range(only_first)),
        only_second=list(range(only_second)),
    )


def test_the_verdict_names_the_better_or_none() -> None:
    assert comparison(2, 20).verdict.startswith(
        "b is better: only a is right on 2 images, only b on 20"
    )
    assert comparison(20, 2).verdict.startswith("a is better")
    assert "only a is right on 1,000 images" in comparison(1000, 2).verdict
    assert "only a is right on 1 image, only b" in comparison(1, 2).verdict
    assert comparison(9, 10).verdict.startswith("no significant difference")


def test_a_tiny_probability_is_not_rounded_to_nothing() -> None:
    assert comparison(0, 60).verdict.endswith("by chance is below 0.0001")


def test_a_comparison_adds_up(
    run: Run, digits: Path, here: Path, firstlight: Callable[..., Answer]
) -> None:
    trainer.train(prepare("softmax", str(digits), steps=1), here / "bad", quiet=True)
    found = compare(run, Run.open(here / "bad"))
    only = len(found.only_first), len(found.only_second)
    assert found.both_right + found.both_wrong + sum(only) == found.examples == 100
    assert np.isclose(found.accuracy[0] - found.accuracy[1], (only[0] - only[1]) / 100)
    assert found.p == mcnemar(*only) < 0.05
    assert found.verdict.startswith(f"{run.folder} is better")
    assert f"{run.folder} is better" in firstlight("compare", run.folder, "bad").out


def test_runs_of_different_data_ask_which_data_to_use(run: Run, here: Path) -> None:
    trainer.train(prepare("softmax", "mnist", limit=100, steps=1), here / "other", quiet=True)
    with pytest.raises(UsageError, match=r"trained on .*; choose with --data"):
        compare(run, Run.open(here / "other"))


def test_runs_of_a_folder_that_has_changed_are_not_paired(here: Path) -> None:
    for count, name in ((12, "before"), (13, "after")):
        for label in ("dark", "light"):
            for number in range(count):
                (here / "data" / label).mkdir(parents=True, exist_ok=True)
                grey = 9 * number + (128 if label == "light" else 0)
                Image.new("L", (40, 40), grey).save(here / "data" / label / f"{number}.png")
        trainer.train(prepare("softmax", str(here / "data"), steps=1), here / name, quiet=True)
    with pytest.raises(UsageError, match=r"has changed between the two runs; choose with --data"):
        compare(Run.open(here / "before"), Run.open(here / "after"))
