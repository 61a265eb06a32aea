"""The labels of pictures, by a run and by an exported file, and what is wrong with some."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

from firstlight import classification
from firstlight.datasets import mnist
from firstlight.onnx_model import DIGITS
from firstlight.settings import prepare
from firstlight.training import loop

Firstlight = Callable[..., Answer]


@pytest.fixture(scope="module")
def folder(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and three of the test images as pictures."""
    folder = tmp_path_factory.mktemp("classify")
    settings = prepare("mlp", str(digits), "", 0, 0, None, epochs=3)
    loop.train(settings, folder / "run", quiet=True)
    for number in range(3):
        image = mnist.load("test").images[number, ..., 0]
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def there(folder: Path, firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_a_run_and_its_export_say_the_same(there: Path, firstlight: Firstlight) -> None:
    pictures = ["0.png", "1.png", "2.png"]
    exported = firstlight("export", "run", "--format", "onnx", "--out", "mlp.onnx", "--json")
    temperature = json.loads(exported.out)["temperature"]
    by_run = json.loads(firstlight("classify", "run", *pictures, "--json").out)
    by_file = json.loads(firstlight("classify", "mlp.onnx", *pictures, "--json").out)
    assert [list(fact) for fact in by_run] == [["file", "labels"]] * 3
    for one, other, name in zip(by_run, by_file, pictures, strict=True):
        assert one["file"] == other["file"] == name and len(one["labels"]) == 5
        assert list(one["labels"][0]) == ["label", "probability"]
        assert [each["label"] for each in one["labels"]] == [e["label"] for e in other["labels"]]
        # The file is calibrated: its logits are divided by the temperature.
        plain, calibrated = (
            np.log([each["probability"] for each in fact["labels"]]) for fact in (one, other)
        )
        np.testing.assert_allclose(np.diff(plain) / temperature, np.diff(calibrated), atol=0.05)
        assert (np.diff(plain) <= 0).all()


def test_top_says_how_many(there: Path, firstlight: Firstlight) -> None:
    labels = json.loads(firstlight("classify", "run", "0.png", "--top", 99, "--json").out)[0]
    assert len(labels["labels"]) == 10
    assert sum(each["probability"] for each in labels["labels"]) == pytest.approx(1, abs=1e-4)
    assert len(firstlight("classify", "run", "0.png", "--top", 2).out.splitlines()) == 2
    assert firstlight("classify", "run", "0.png", "--top", 0).code == 2


def test_unreadable_files_do_not_stop_the_others(there: Path, firstlight: Firstlight) -> None:
    (there / "text.png").write_text("no picture")
    pictures = ["0.png", "text.png", "nowhere.png", "1.png"]
    answer = firstlight("classify", DIGITS, *pictures, "--json")
    facts = json.loads(answer.out)
    assert answer.code == 1 and [fact["file"] for fact in facts] == pictures
    assert [fact["labels"][0]["label"] if fact["labels"] else "" for fact in facts] == [
        "7", "", "", "2",
    ]  # fmt: skip
    assert "text.png: not a picture" in answer.err and "nowhere.png: no such file" in answer.err
    lines = firstlight("classify", DIGITS, *pictures).out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("0.png: 7 ")
    assert firstlight("classify", DIGITS, "text.png").out == ""
    assert firstlight("classify", DIGITS, "text.png", "1.png").out.startswith("1.png: 2 ")


@pytest.mark.parametrize(
    ("model", "code", "message"),
    [
        ("nowhere", 4, "no run at nowhere"),
        ("nowhere.onnx", 4, "no model at nowhere.onnx"),
        ("0.png", 4, "0.png is no ONNX model that can be run"),
        ("foreign.onnx", 2, "not a model of ours"),
    ],
)
def test_what_is_no_network_of_ours_is_refused(
    there: Path, firstlight: Firstlight, model: str, code: int, message: str
) -> None:
    import onnx

    ends = [onnx.helper.make_tensor_value_info(n, 1, [None, 28, 28, 1]) for n in ("image", "y")]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["image"], ["y"])], "foreign", ends[:1], ends[1:]
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), there / "foreign.onnx"
    )
    answer = firstlight("classify", model, "0.png", "-q")
    assert answer.code == code and message in answer.err and len(answer.err.splitlines()) == 1


def test_many_pictures_go_in_batches(there: Path) -> None:
    seen = []

    def probabilities(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return np.tile(np.float32([0.25, 0.75]), (len(images), 1))

    network = classification.Classifier((28, 28, 1), ("0", "1"), "digits", probabilities)
    facts, problems = classification.classify(network, [Path("0.png")] * 40 + [Path("x")] * 40, 1)
    assert len(facts) == 80 and len(problems) == 40 and max(seen) <= 32
    assert facts[0] == {"file": "0.png", "labels": [{"label": "1", "probability": 0.75}]}
    assert facts[-1] == {"file": "x", "labels": []}


def test_an_exported_file_is_used_without_tensorflow(there: Path) -> None:
    program = (
        "import sys; from firstlight import cli; sys.argv[1:] = sys.argv[1:]\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "classify", str(DIGITS), "0.png"],
        cwd=there, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split()[-1] == "7"
