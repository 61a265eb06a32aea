"""Pages link to what is there; the programs of docs/compared.md run and are as long as it says."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from firstlight.datasets import mnist

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "compared.md").read_text("utf-8")
PROGRAMS = re.findall(r"(\w+): \*\*(\d+) lines\*\*(.*?)```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def test_the_page_has_five_programs() -> None:
    names = [name for name, *_ in PROGRAMS]
    assert names == ["firstlight", "Keras", "Ultralytics", "firstlight", "Keras"]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_runs_and_has_as_many_lines_as_the_page_says(
    number: int, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, lines, _, language, program = PROGRAMS[number]
    assert len([line for line in program.splitlines() if line.strip()]) == int(lines)
    if language != "python":
        return
    first = {split: mnist.load(split).first(600) for split in ("train", "val", "test")}
    monkeypatch.setattr(mnist, "load", first.get)  # a hundredth of the data
    train, test = first["train"], first["test"]
    small = (train.images[:], train.labels), (test.images[:], test.labels)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: small)
    labels = np.arange(120) % 3
    images = (80 * labels[:, None, None, None] + np.zeros((120, 16, 16, 3))).astype(np.uint8)
    names: dict[str, Any] = {"x": images, "y": labels, "x_test": images, "y_test": labels}
    exec(program, names)
    assert capsys.readouterr().out


PAGES = [
    page for folder in (".", "docs", "benchmarks") for page in sorted((ROOT / folder).glob("*.md"))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_of_a_page_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150
