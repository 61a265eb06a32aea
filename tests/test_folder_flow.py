"""A folder of pictures through the command line, with a network that has every kind of layer."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer, large_if_alike
from PIL import Image

from firstlight import catalog
from firstlight.evaluation.accuracy import open_dataset
from firstlight.explanation import occlusion
from firstlight.runs.run import Run
from firstlight.settings import default_recipe

Firstlight = Callable[..., Answer]
SHADES = {"dark": 30, "light": 220, "middle": 120}
COLOURS = {"ink": (20, 30, 90), "leaf": (60, 150, 50), "lemon": (240, 230, 110)}
FOR_PHOTOGRAPHS = [entry.name for entry in catalog.networks() if "pictures" in entry.recipes]


@pytest.fixture
def shades(here: Path) -> Path:
    """Three classes, told apart by how light they are: eight pictures to learn, two to see."""
    for number in range(30):
        name = list(SHADES)[number % 3]
        noise = np.random.default_rng(number).normal(SHADES[name], 10, (48, 60, 3)).clip(0, 255)
        path = here / "shades" / ("val" if number >= 24 else "train") / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.astype(np.uint8)).save(path)
    return here / "shades"


def test_from_training_to_an_exported_file(
    firstlight: Firstlight, shades: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occlusion, "POSITIONS_PER_SIDE", 7)
    flags = ("--data", "shades", "--steps", 4, "--batch-size", 8, "--out", "run", "--quiet")
    assert firstlight("train", "nin-cifar", *flags).code == 0
    for views in ("middle", "ten-crops", "dense"):
        facts = json.loads(firstlight("evaluate", "run", "--views", views, "--json").out)
        assert facts["examples"] == 6 and facts["split"] == "val"
    # New pictures without splits are all unseen, and all are measured. Some may not be new.
    shutil.copytree("shades/val", "new")
    shutil.copy("shades/train/dark/0.png", "new/dark")
    new = firstlight("evaluate", "run", "--data", "new")
    assert "nin-cifar on new (all 7 pictures): " in new.out and "made here" not in new.err
    assert "1 of the 7 pictures are some that run was trained on" in new.err
    assert Path("run/figures/evaluation-new-all/mistakes.png").exists()
    for data, asked, measured in (("new", "val", "val"), ("shades", "", "val"), ("", "", "val")):
        dataset, split = open_dataset(Run(Path("run")), data, asked, quiet=True)
        assert split == measured and len(dataset.load(split)) < 7
    file = "shades/val/dark/24.png"
    by_run = json.loads(firstlight("classify", "run", file, "--json").out)[0]["labels"]
    assert {each["label"] for each in by_run} == set(SHADES)
    explained = json.loads(firstlight("explain", "run", file, "--out", "seen", "--json").out)
    assert {Path(f).name for f in explained["files"]} >= {"strongest.png", "occlusion.png"}
    assert firstlight("graph", "run", "--out", "graph").code == 0
    assert "32×32×3" in Path("graph/functional.svg").read_text("utf-8")
    for format in ("onnx", "litert", "savedmodel"):
        exported = firstlight("export", "run", "--format", format)
        assert exported.code == 0, format
        assert "not calibrated: 6 validation images are too few; 50 are needed" in exported.out
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
    said = answer.out + answer.err
    assert "cat/1.heic: not a picture" in said and "dog/1.heic: not a picture" in said
    assert verb[0] == "data" or f"`firstlight data check {here / 'new'}` lists every" in said


@pytest.fixture
def colours(here: Path) -> Path:
    """Three classes, told apart by the colour of a blob: 24 pictures to learn, 12 to see."""
    random = np.random.default_rng(0)
    for number in range(36):
        name = list(COLOURS)[number % 3]
        picture = Image.new("RGB", (80, 64), tuple(random.integers(60, 200, 3).tolist()))
        left, top = random.integers(0, 20, 2).tolist()
        picture.paste(COLOURS[name], (left, top, left + 50, top + 40))
        noise = random.normal(0, 15, (64, 80, 3))
        path = here / "colours" / ("val" if number >= 24 else "train") / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(path)
    return here / "colours"


@pytest.mark.parametrize(
    "network", [pytest.param(name, marks=large_if_alike(name)) for name in FOR_PHOTOGRAPHS]
)
def test_the_default_recipe_learns_photographs(
    firstlight: Firstlight, colours: Path, network: str
) -> None:
    flags = ("--data", colours, "--steps", 40, "--out", "run", "--quiet")  # a step: 24 pictures
    assert firstlight("train", network, *flags).code == 0
    recipe = json.loads(Path("run/run.json").read_text("utf-8"))["recipe"]
    recipes = catalog.network(network).recipes
    chosen = replace(recipes["pictures"], epochs=None, steps=40, batch_size=24)
    assert recipe == chosen.to_json()
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    for split in ("train", "val"):
        loss = [line["loss"] for line in lines if line["split"] == split][-1]
        assert np.isfinite(loss) and loss < np.log(len(COLOURS)), split


def test_the_default_recipe_depends_on_the_kind_of_the_data(colours: Path) -> None:
    digits, photographs = catalog.dataset("mnist"), catalog.dataset(str(colours))
    assert FOR_PHOTOGRAPHS
    for entry in catalog.networks():
        assert default_recipe(catalog.network(entry.name), digits) == entry.recipes[0]
        expected = "pictures" if entry.name in FOR_PHOTOGRAPHS else entry.recipes[0]
        assert default_recipe(catalog.network(entry.name), photographs) == expected
