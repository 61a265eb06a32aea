"""Damage is told: a file that is not as it was written is named in a line; exit code 4."""

import random
from pathlib import Path

import damage
import pytest

pytestmark = pytest.mark.usefixtures("no_figures")
# benchmarks/damage.py tries all, in minutes: its other verbs compute with the network.
SHARE = 0.15
QUICK = [verb for verb in damage.VERBS if verb.startswith(("page", "history", "summary"))]


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_named_and_nothing_is_read_wrongly(here: Path) -> None:
    chance, outcomes = random.Random(1), []
    for run in damage.make_runs(here, str(damage.write_data(here / "digits.npz"))):
        outcomes += damage.measure(run, chance, SHARE, QUICK)
    assert len(outcomes) > 50
    assert [f"{what}: {wrong}" for what, wrong in outcomes if wrong] == []
