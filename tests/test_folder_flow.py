"""A folder of pictures through the command line, with a network that has every kind of layer."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

Firstlight = Callable[..., Answer]
SHADES = {"dark": 30, "light": 220, "middle": 120}


@pytest.fixture
def shades(here: Path) -> Path:
    """Three classes, told apart by how light they are: sixteen pictures to learn, four to see."""
    for number in range(60):
        name = list(SHADES)[number % 3]
        noise = np.random.default_rng(number).normal(SHADES[name], 10, (48, 60, 3)).clip(0, 255)
        path = here / "shades" / ("val" if number >= 48 else "train") / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.astype(np.uint8)).save(path)
    return here / "shades"


def test_from_training_to_an_exported_file(firstlight: Firstlight, shades: Path) -> None:
    flags = ("--data", "shades", "--steps", 4, "--batch-size", 8, "--out", "run", "--quiet")
    assert firstlight("train", "nin-cifar", *flags).code == 0
    for views in ("middle", "ten-crops", "dense"):
        facts = json.loads(firstlight("evaluate", "run", "--views", views, "--json").out)
        assert facts["examples"] == 12 and facts["split"] == "val"
    file = "shades/val/dark/48.png"
    by_run = json.loads(firstlight("classify", "run", file, "--json").out)[0]["labels"]
    assert {each["label"] for each in by_run} == set(SHADES)
    explained = json.loads(firstlight("explain", "run", file, "--out", "seen", "--json").out)
    assert {Path(f).name for f in explained["files"]} >= {"strongest.png", "occlusion.png"}
    assert firstlight("graph", "run", "--out", "graph").code == 0
    assert "32×32×3" in Path("graph/functional.svg").read_text("utf-8")
    for format in ("onnx", "litert", "savedmodel"):
        exported = firstlight("export", "run", "--format", format)
        assert exported.code == 0, format
        assert "not calibrated: 12 validation images are too few; 50 are needed" in exported.out
    by_file = firstlight("classify", "run/model/nin-cifar.onnx", file, "--json")
    for one, other in zip(by_run, json.loads(by_file.out)[0]["labels"], strict=True):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)
    card = Path("run/MODEL_CARD.md").read_text("utf-8")
    assert "the middle of an upright photograph" in " ".join(card.split())


@pytest.mark.parametrize("verb", [("data", "check"), ("train", "nin-cifar", "--data")])
def test_a_folder_of_what_cannot_be_used_is_said(
    verb: tuple[str, ...], firstlight: Firstlight, here: Path
) -> None:
    for name in ("cat", "dog"):
        (here / "new" / name).mkdir(parents=True)
        (here / "new" / name / "1.heic").write_bytes(b"ftypheic")
    answer = firstlight(*verb, "new")
    assert answer.code == {"data": 3, "train": 4}[verb[0]]
    assert "Traceback" not in answer.err
    assert "cat/1.heic: not a picture" in answer.out or "data check` shows why" in answer.err
