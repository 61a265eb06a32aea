"""Two runs on the same images: who is right where the other is wrong, and whether it is luck."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

from firstlight.errors import UsageError
from firstlight.evaluation.comparison import compare, mcnemar, verdict
from firstlight.runs.run import existing
from firstlight.settings import prepare
from firstlight.training import loop


@pytest.mark.parametrize(
    ("counts", "chance"),
    # The exact binomial tails, from their definition: 2 · Σ C(n, k) / 2ⁿ.
    [((0, 0), 1), ((5, 5), 1), ((0, 5), 2 / 32), ((1, 9), 22 / 1024), ((10, 2), 158 / 4096)],
)
def test_mcnemar(counts: tuple[int, int], chance: float) -> None:
    assert mcnemar(*counts) == pytest.approx(chance)
    assert mcnemar(*counts[::-1]) == pytest.approx(chance)


def test_the_verdict_names_the_better_or_none() -> None:
    assert verdict(["a", "b"], 2, 20, 0.0001).startswith("b is better: 2 images only a")
    assert verdict(["a", "b"], 9, 10, 0.9).startswith("no difference to be seen")


def test_a_comparison_adds_up(digits: Path, here: Path, firstlight: Callable[..., Answer]) -> None:
    for name, steps in (("good", 200), ("bad", 1)):
        chosen = prepare("mlp", str(digits), "", 0, 0, None, steps=steps)
        loop.train(chosen, here / name, quiet=True)
    good, bad = (existing(here / name) for name in ("good", "bad"))
    facts = compare(good, bad)
    only = len(facts["only_first"]), len(facts["only_second"])
    assert facts["both_right"] + facts["both_wrong"] + sum(only) == facts["examples"] == 100
    assert np.isclose(facts["accuracy"][0] - facts["accuracy"][1], (only[0] - only[1]) / 100)
    assert facts["p"] == mcnemar(*only) < 0.05
    assert facts["verdict"].startswith(f"{here / 'good'} is better")
    assert "good is better" in firstlight("compare", "good", "bad").out


def test_runs_of_different_data_need_to_be_told_which(digits: Path, here: Path) -> None:
    for name, data in (("one", str(digits)), ("other", "mnist")):
        chosen = prepare("softmax", data, "", 0, 0, 100, steps=1)
        loop.train(chosen, here / name, quiet=True)
    with pytest.raises(UsageError, match=r"trained on .*; choose with --data"):
        compare(existing(here / "one"), existing(here / "other"))


def test_runs_of_a_folder_that_has_changed_are_not_paired(here: Path) -> None:
    for count, name in ((12, "before"), (13, "after")):
        for label in ("dark", "light"):
            for number in range(count):
                (here / "data" / label).mkdir(parents=True, exist_ok=True)
                grey = 9 * number + (128 if label == "light" else 0)
                Image.new("L", (40, 40), grey).save(here / "data" / label / f"{number}.png")
        chosen = prepare("softmax", str(here / "data"), "", 0, 0, None, steps=1)
        loop.train(chosen, here / name, quiet=True)
    with pytest.raises(UsageError, match=r"has changed between the two runs; choose with --data"):
        compare(existing(here / "before"), existing(here / "after"))
