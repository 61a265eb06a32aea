"""firstlight from Python: its names, their examples, and that the command line does the same."""

import doctest
import inspect
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Make, stop_after_a_step
from PIL import Image

import firstlight as fl
from firstlight import api, cli, diagnosis, onnx_model
from firstlight.datasets import mnist
from firstlight.diagnosis import packages, workers
from firstlight.errors import DataError, FirstlightError, UsageError
from firstlight.runs.files import read_json, write_json
from firstlight.settings import prepare

pytestmark = pytest.mark.usefixtures("no_figures")
# Documented in the order in which their examples need one another's files.
EXAMPLES = [
    "train", "Recipe", "Dataset", "Run", "Evaluation", "train_first_graph", "find_lr", "evaluate",
    "compare", "learning_curves", "read", "read_all", "read_to_file", "classify", "predict",
    "explain", "export", "load", "report", "graph", "network", "dataset", "list_networks",
    "list_datasets", "doctor", "lessons", "site",
]  # fmt: skip
VERBS = {
    "train": api.train, "first-graph": api.train_first_graph, "find-lr": api.find_lr,
    "evaluate": api.evaluate, "compare": api.compare, "explain": api.explain,
    "classify": api.classify, "predict": api.predict, "export": api.export,
    "graph": api.graph, "report": api.report,
}  # fmt: skip
# Of the command line alone: --json, and what it prints of a training or does not say with -q.
ONLY_FLAGS = {"json_", "context", "log_every", "local_workers"}
RENAMED = {"format_": "format", "folder": "run", "folders": "runs", "what": "images"}


UNKNOWN_WEIGHT = fl.Recipe(
    steps=1, batch_size=8, learning_rate=0.1, lr_multipliers={"nothing": 0.1}
)


def python(code: str) -> str:
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_all_is_exactly_what_can_be_imported() -> None:
    star: dict[str, Any] = {}
    exec("from firstlight import *", star)
    assert set(star) - {"__builtins__"} == set(fl.__all__)
    assert len(set(fl.__all__)) == len(fl.__all__)
    public = {name for name in dir(fl) if not name.startswith("_")}
    assert public == set(fl.__all__)
    with pytest.raises(AttributeError, match=r"firstlight has no 'trian'; it has: .*train"):
        fl.trian  # noqa: B018


def test_the_import_loads_nothing_heavy() -> None:
    heavy = "numpy", "PIL", "onnxruntime", "typer", "rich", "matplotlib", "tensorflow", "keras"
    loaded = python("import sys, firstlight; print([m.partition('.')[0] for m in sys.modules])")
    assert not set(heavy) & set(eval(loaded))


def test_reading_needs_no_tensorflow(here: Path) -> None:
    Image.fromarray(255 - mnist.load("test").images[0][..., 0]).save(here / "7.png")
    code = "import sys, firstlight as fl; print(fl.read('7.png', single=True).text)"
    assert python(f"{code}; print('tensorflow' in sys.modules)") == "7\nFalse\n"


def test_every_public_name_has_an_example_that_runs(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What `doctor` does in other processes takes seconds: test_doctor.py has that.
    idle = workers.WorkersCheck(
        works=None, message="not tried", seconds=0, gpus=None, bfloat16_speedup=None
    )
    monkeypatch.setattr(diagnosis, "check_workers", lambda: idle)
    monkeypatch.setattr(packages, "import_problems", lambda modules: {})
    assert set(EXAMPLES) == set(fl.__all__) - {"errors"}
    digits = mnist.load("test").images
    Image.fromarray(digits[0][..., 0]).save(here / "seven.png")
    strip = np.concatenate([digits[i][..., 0] for i in (0, 1, 2, 3)], axis=1)
    paper = np.pad(255 - strip, 20, constant_values=255)
    Image.fromarray(paper).resize((600, 272), Image.Resampling.BICUBIC).save(here / "photo.png")
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for name in EXAMPLES:
        documented = getattr(fl, name)
        examples = finder.find(documented, name, globs={"fl": fl})
        if inspect.isclass(documented):
            examples += doctest.DocTestFinder().find(documented, name, globs={"fl": fl})[1:]
        assert any(each.examples for each in examples), f"{name} has no example"
        for each in examples:
            assert runner.run(each).failed == 0, each.name


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_is_a_keyword_of_the_same_name(verb: str) -> None:
    (command,) = [
        each.callback
        for each in cli.app.registered_commands
        if (each.name or each.callback.__name__) == verb
    ]
    flags = set(inspect.signature(command).parameters) - ONLY_FLAGS
    flags = {RENAMED.get(flag, flag) for flag in flags}
    keywords = set(inspect.signature(VERBS[verb]).parameters)
    silent = {"quiet"} - keywords  # a function that says nothing needs no `quiet`
    assert flags - silent <= keywords


def test_a_training_from_python_is_that_of_the_command_line(
    here: Path, digits: Path, firstlight: Any
) -> None:
    run = fl.train("softmax", data=digits, steps=20, seed=3, quiet=True, out=here / "api")
    flags = ("--data", digits, "--steps", 20, "--seed", 3, "-q", "--out", "cli")
    assert firstlight("train", "softmax", *flags).code == 0
    other = fl.load("cli")
    weights = [np.load(each.weights) for each in (run, other)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    record = json.loads((here / "api" / "run.json").read_text())
    assert record["command"] == (
        f"fl.train(network='softmax', data='{digits}', steps=20, seed=3, out='{here / 'api'}', "
        "quiet=True)"
    )
    assert record["command"] in (here / "api" / "MODEL_CARD.md").read_text()
    assert json.loads(Path("cli/run.json").read_text())["command"].startswith("firstlight train")


def test_the_history_has_the_logged_steps_as_columns(trained: Make) -> None:
    history = fl.load(trained("mlp")).history
    assert history["split"].count("val") >= 1
    assert len({len(column) for column in history.values()}) == 1
    assert history["step"][0] == 1 and history["loss"][0] > 0


def test_a_thread_can_train(here: Path, digits: Path) -> None:
    runs: list[fl.Run] = []
    thread = threading.Thread(
        target=lambda: runs.append(fl.train("softmax", data=digits, steps=5, quiet=True))
    )
    thread.start()
    thread.join()
    assert runs[0].result.steps == 5


def test_predictions_of_arrays_files_and_models_agree(trained: Make, here: Path) -> None:
    run = fl.load(trained("lenet5"))
    images = mnist.load("test").images[:6]
    Image.fromarray(images[0][..., 0]).save(here / "0.png")
    expected = run.predict(images)
    assert expected.shape == (6, 10) and np.allclose(expected.sum(1), 1, atol=1e-5)
    model = fl.load(run.export("onnx", here / "a.onnx").path)
    assert isinstance(model, onnx_model.OnnxModel)
    for given in (images[..., 0], images / 255, images.astype(float)):
        assert np.allclose(run.predict(given), expected, atol=1e-5)
        assert np.allclose(model.predict(given), expected, atol=1e-4)
    assert np.allclose(run.predict(images[0][..., 0]), expected[:1], atol=1e-5)
    assert np.allclose(fl.predict(run, "0.png"), expected[:1], atol=1e-5)
    assert np.allclose(fl.predict("a.onnx", [here / "0.png"] * 2), expected[[0, 0]], atol=1e-4)
    assert fl.predict(run, images[:0]).shape == (0, 10)
    assert np.allclose(run.predict(images.reshape(6, 784)), expected, atol=1e-5)
    colour = np.repeat(images[0], 3, axis=-1)  # (28, 28, 3)
    assert fl.train(in_colour, data=(np.repeat(images, 3, axis=-1), [0, 1] * 3), epochs=1).predict(
        colour
    ).shape == (1, 2)


def in_colour(classes: int) -> Any:
    import keras

    image = keras.Input((28, 28, 3))
    return keras.Model(image, keras.layers.Dense(classes)(keras.layers.Flatten()(image)))


def test_a_run_takes_arrays_as_those_that_it_has_learned(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Few, dark images of the same kind look like bits, or like bytes that are almost black."""
    images = np.random.default_rng(0).integers(0, 17, (48, 28, 28)).astype(float)
    images[:2] *= images[:2] <= 4
    data = fl.Dataset.from_arrays(images, np.arange(48) % 2)
    run = fl.train("softmax", data=data, steps=1, batch_size=8, quiet=True)
    whole = fl.predict(run, (images * (255 / 16)).round().astype(np.uint8))
    assert np.allclose(fl.predict(fl.load(run.folder), images[:2]), whole[:2], atol=1e-5)
    np.save("dark.npy", images[:2])
    fl.predict(run, "dark.npy", out="o.jsonl")
    said = [json.loads(line)["probability"] for line in Path("o.jsonl").read_text().splitlines()]
    assert np.allclose(said, whole[:2].max(1), atol=1e-5)
    assert capsys.readouterr().err == ""
    fl.predict(run, (images[:2] > 0).astype(np.uint8))
    assert "taken as 0 to 1; the network was trained on 0 to 16" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(28), np.zeros((2, 28, 28, 2)), np.full((2, 28, 28), np.nan), np.full((2, 8, 8), 300)],
)
def test_what_is_no_image_is_refused(trained: Make, wrong: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"must be|values from"):
        fl.load(trained("softmax")).predict(wrong)


def test_values_that_are_not_allowed_are_refused_as_in_the_command_line(
    trained: Make, digits: Path, here: Path
) -> None:
    run = trained("softmax")
    wrong: list[tuple[Any, type[FirstlightError], str]] = [
        (lambda: fl.train("softmax", epochs=1, steps=1), UsageError, "--epochs and --steps"),
        (lambda: fl.train("no-such"), UsageError, "no network 'no-such'; networks:"),
        (lambda: fl.train(), UsageError, "no network ''"),
        (lambda: fl.train("softmax", "no-such"), DataError, "there is no folder or file no-such"),
        (lambda: fl.train("softmax", digits, class_weights="x"), UsageError, "class_weights is"),
        (lambda: fl.train("softmax", resume=run), UsageError, "resume continues .*: leave out net"),
        (lambda: fl.evaluate(run, split="tset"), UsageError, "split is 'tset'; it must be one of"),
        (lambda: fl.evaluate(run, views="all"), UsageError, "views is 'all'"),
        (lambda: fl.compare(run, run, split="tset"), UsageError, "split is 'tset'"),
        (lambda: fl.export(run, "tflite"), UsageError, "format is 'tflite'; it must be one of"),
        (lambda: fl.load("nowhere"), DataError, "no run at nowhere"),
        (lambda: fl.load("nowhere.onnx"), DataError, "no model at nowhere.onnx"),
        (lambda: fl.evaluate([]), UsageError, "runs is .*; it must be a run"),
        (lambda: fl.evaluate(5), UsageError, "runs is 5"),
        (lambda: fl.load(5), UsageError, "path is a int; it must be a path"),
        (lambda: fl.classify(run, 5), UsageError, "images is a int"),
        (lambda: fl.classify(run, "7.png", top=0), UsageError, "top is 0"),
        (lambda: fl.report(run, split="tset"), UsageError, "split is 'tset'"),
        (lambda: fl.report(run, out=here), UsageError, "a file that ends in .html"),
        (lambda: fl.report(run, out=run / "run.json"), UsageError, "ends in .html"),
        (lambda: fl.find_lr("softmax", digits, out="a.jpg"), UsageError, "ends in .png"),
        (lambda: fl.train("softmax", digits, seed=-1), UsageError, "seed is -1"),
        (lambda: fl.train("softmax", digits, seed=2**32), UsageError, "seed is 4294967296"),
        (lambda: fl.train("softmax", digits, seed="a"), UsageError, "seed is 'a'"),
        (lambda: fl.train("softmax", digits, limit=0), UsageError, "limit is 0"),
        (lambda: fl.train("softmax", digits, patience=-1), UsageError, "patience is -1"),
        (lambda: fl.train("softmax", digits, recipe={}), UsageError, "recipe is a dict"),
        (lambda: fl.explain(run, np.zeros(3)), UsageError, "image is a ndarray"),
        (lambda: fl.train("softmax", digits, recipe=UNKNOWN_WEIGHT), UsageError, "no weight ends"),
        (lambda: fl.evaluate(run, min_accuracy=1), fl.errors.GateMissed, "is below"),
    ]
    for call, kind, message in wrong:
        with pytest.raises(kind, match=message):
            call()


def test_a_dry_run_has_a_result_and_leaves_nothing(digits: Path, here: Path) -> None:
    run = fl.train("softmax", data=digits, dry_run=True, quiet=True)
    assert (run.result.steps, run.result.run) == (1, None)
    assert not (here / "runs").exists()


# --- Arrays --------------------------------------------------------------------------------------


def noise(count: int, *size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size), np.uint8)


def test_arrays_are_held_out_by_class() -> None:
    labels = np.repeat([0, 1, 2], [60, 24, 36])  # sorted, as arrays often are
    data = fl.Dataset.from_arrays(noise(120, 9, 7), labels, classes=["a", "b", "c"])
    assert data.splits == ("train", "val") and data.evaluation_split == "val"
    assert np.bincount(data.load("val").labels).tolist() == [5, 2, 3]
    assert np.bincount(data.load("train").labels).tolist() == [55, 22, 33]
    assert data.load("train").images.shape == (110, 9, 7, 1)
    again = fl.Dataset.from_arrays(noise(120, 9, 7), labels, classes=["a", "b", "c"])
    assert again.fingerprint() == data.fingerprint()


def test_what_is_held_out_of_arrays_is_said_once(here: Path, capsys: Any) -> None:
    data = fl.Dataset.from_arrays(noise(48, 28, 28), np.arange(48) % 2)
    run = fl.train("softmax", data=data, steps=1)
    card = " ".join(run.card.read_text("utf-8").split())
    for text in (capsys.readouterr().err, run.record_file.read_text("utf-8"), card):
        assert text.count("one of twelve training images of each class is held out") == 1
    val = noise(12, 28, 28), np.arange(12) % 2
    own = fl.Dataset.from_arrays(noise(48, 28, 28), np.arange(48) % 2, val=val)
    assert own.notices() == []


def test_a_dataset_shows_its_values_and_no_functions() -> None:
    data = fl.Dataset.from_arrays(noise(4, 8, 8), [0, 1, 0, 1], classes=["cat", "dog"])
    assert repr(data) == (
        "Dataset(name='arrays', classes=('cat', 'dog'), splits=('train', 'val'), made='one of "
        "twelve training images of each class is held out for validation', is_unsplit=False, "
        "location=None)"
    )


def test_arrays_may_be_floats_names_and_one_hot() -> None:
    images = noise(24, 8, 8, 3)
    numbers = np.arange(24) % 3
    names = np.array(["ant", "bee", "cow"])[numbers]
    expected = fl.Dataset.from_arrays(images, numbers, classes=["ant", "bee", "cow"])
    for given, labels, classes in (
        (images / 255, names, None),
        (images.astype(np.float32), np.eye(3)[numbers], ["ant", "bee", "cow"]),
        (images, names.tolist(), ["ant", "bee", "cow"]),
    ):
        data = fl.Dataset.from_arrays(given, labels, classes=classes)
        assert data.classes == expected.classes
        assert data.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize(
    ("images", "labels", "flags", "message"),
    [
        (noise(4, 8, 8), [0, 1, 0], {}, "4 images, but labels of shape"),
        (noise(4, 8), [0, 1, 0, 1], {}, r"it must be \(N, height, width\)"),
        (noise(4, 8, 8), [0, 1, 0, 7], {"classes": ["a", "b"]}, "from 0 to 7; with 2 classes"),
        (noise(4, 8, 8), [0, -1, 0, 1], {}, "from -1 to 1"),
        (noise(4, 8, 8), [0.5, 1, 0, 1], {}, "whole numbers from 0, or names"),
        (noise(4, 8, 8), ["a", "b", "c", "a"], {"classes": ["a", "b"]}, "'c' is not a class"),
        (noise(4, 8, 8), [0, 1, 0, 1], {"classes": ["a", "a"]}, "names a class twice"),
        (noise(1, 8, 8), [0], {"classes": ["a", "b"]}, "1 image"),
        (noise(4, 0, 8), [0, 1, 0, 1], {}, r"it must be \(N, height, width\)"),
        (np.full((4, 8, 8), 1.004), [0, 1, 0, 1], {}, "values from 1.004 to 1.004"),
        ([[1, 2], [3]], [0, 1], {}, "images: not an array"),
        (noise(4, 8, 8), [0, 1, 0, 1], {"classes": 2}, "it must be the names, in order"),
        (noise(4, 8, 8), [0, 1, 0, 1], {"classes": "ab"}, "it must be the names, in order"),
        (noise(4, 8, 8), [0, 1, 0, 1], {"name": "a/b"}, "must be a word without /"),
        (noise(4, 8, 8), [0, 1, 0, 1], {"val": noise(4, 8, 8)}, "it must be .images, labels"),
        (noise(0, 8, 8), [], {"classes": ["a", "b"]}, "0 images"),
        (np.full((4, 8, 8), -1), [0, 1, 0, 1], {}, "values from -1 to -1"),
        (np.full((4, 8, 8), np.inf), [0, 1, 0, 1], {}, "finite"),
        (np.full((4, 8, 8), "x"), [0, 1, 0, 1], {}, "finite numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    images: Any, labels: Any, flags: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        fl.Dataset.from_arrays(images, labels, **flags)


def test_a_run_of_arrays_asks_for_them_in_another_process(here: Path) -> None:
    images, labels = noise(48, 28, 28), np.arange(48) % 2
    data = fl.Dataset.from_arrays(images, labels, test=(images[:12], labels[:12]), name="mine")
    run = fl.train("softmax", data=data, steps=2, quiet=True)
    assert run.folder == Path("runs/softmax-mine-1")
    assert run.evaluate(quiet=True).examples == 12
    with pytest.raises(DataError, match=r"was trained on arrays from Python.* name the data"):
        fl.load(run.folder).evaluate()
    assert fl.load(run.folder).evaluate(data=data, quiet=True).examples == 12


def test_a_stopped_training_on_arrays_goes_on_with_them(here: Path) -> None:
    data = fl.Dataset.from_arrays(noise(48, 28, 28), np.arange(48) % 2, name="mine")
    whole = fl.train("mlp", data=data, steps=3, class_weights="balanced", quiet=True)
    stop_after_a_step(prepare("mlp", data, steps=3, class_weights="balanced"), here / "stopped")
    with pytest.raises(DataError, match=r"trained on arrays from Python"):
        fl.train(resume="stopped", quiet=True)
    other = fl.Dataset.from_arrays(noise(48, 28, 28), np.arange(48) % 3 // 2, name="mine")
    with pytest.raises(DataError, match=r"has changed"):
        fl.train(resume="stopped", data=other, quiet=True)
    with pytest.raises(DataError, match=re.escape("fl.train(resume='stopped', data=...)")):
        fl.load("stopped").predict(noise(1, 28, 28))
    resumed = fl.train(resume="stopped", data=data, quiet=True)
    arrays = [np.load(run.weights) for run in (whole, resumed)]
    assert all((arrays[0][name] == arrays[1][name]).all() for name in arrays[0])


def test_one_scale_holds_for_all_splits_and_the_arrays_are_copied() -> None:
    images = noise(24, 8, 8).astype(float)
    images[0, 0, 0] = 255
    dark = np.ones((6, 8, 8))  # of 255
    data = fl.Dataset.from_arrays(
        images, np.arange(24) % 2, val=(dark, [0] * 6), test=(dark, [1] * 6)
    )
    assert data.load("test").images[:].max() == 1
    own = noise(24, 8, 8)
    data = fl.Dataset.from_arrays(own, np.arange(24) % 2, val=(own, np.arange(24) % 2))
    before = data.fingerprint()
    own[:] = 0
    assert data.fingerprint() == before


def test_other_arrays_of_the_same_name_are_not_compared_as_the_same(here: Path) -> None:
    runs = []
    for seed in (0, 1):
        images = np.random.default_rng(seed).integers(0, 256, (48, 28, 28), np.uint8)
        data = fl.Dataset.from_arrays(images, np.arange(48) % 2)
        runs.append(fl.train("softmax", data=data, steps=1, quiet=True))
    with pytest.raises(UsageError, match=r"arrays is not the same in the two runs"):
        fl.compare(*runs, quiet=True)
    text = fl.report(runs, quiet=True).path.read_text("utf-8")
    assert "not measured on the same images" in text


def test_each_evaluation_on_arrays_has_a_file_of_its_own(trained: Make, here: Path) -> None:
    shutil.copytree(trained("softmax"), here / "run")
    for count in (10, 20):
        test = mnist.load("test").first(count)
        fl.evaluate("run", data=(test.images[:], test.labels), quiet=True)
    assert len(list(Path("run").glob("evaluation-arrays-*.json"))) == 2


def test_a_run_on_arrays_is_exported_with_arrays(here: Path) -> None:
    data = fl.Dataset.from_arrays(noise(48, 28, 28), np.arange(48) % 2)
    run = fl.train("softmax", data=data, steps=1, quiet=True)
    with pytest.raises(DataError, match=r"name the data to use"):
        fl.export(run.folder)
    other = fl.Dataset.from_arrays(noise(48, 28, 28), np.arange(48) % 3)
    with pytest.raises(UsageError, match=r"knows the classes 0, 1; arrays has 0, 1, 2"):
        fl.export(run.folder, data=other)
    assert fl.export(run.folder, data=data).path.exists()


def test_numbers_of_numpy_are_numbers(digits: Path, here: Path) -> None:
    run = fl.train(
        "softmax",
        data=digits,
        steps=np.int64(1),
        lr=np.float32(0.5),
        seed=np.int64(3),
        limit=np.int64(50),
        quiet=True,
    )
    assert json.loads((run.folder / "run.json").read_text())["seed"] == 3


def test_new_arrays_are_all_measured(trained: Make) -> None:
    examples = mnist.load("test").first(200)
    run = fl.load(trained("lenet5"))
    evaluation = run.evaluate(data=(examples.images[:], examples.labels), quiet=True)
    assert (evaluation.examples, evaluation.split) == (200, "test")
    verdict = fl.compare(run, trained("mlp"), data=(examples.images[:], examples.labels))
    assert verdict.examples == 200


@pytest.mark.parametrize("data", [None, 3, np.zeros(3), [1, 2]])
def test_what_is_no_data_is_named(data: Any) -> None:
    with pytest.raises(UsageError, match=r"data is a \w+; it must be a dataset, a name, a path"):
        fl.train("softmax", data=data)


# --- Training that helps -------------------------------------------------------------------------


def test_what_is_trained_is_said_first(digits: Path, here: Path, capsys: Any) -> None:
    fl.train("softmax", data=digits, recipe="long", epochs=2, seed=4)
    first = capsys.readouterr().err.splitlines()[0]
    assert first == (
        f"softmax on {digits.name}, recipe long: 550 training and 50 validation images in 10 "
        "classes; 11 steps of 100 images (2 passes over them), seed 4"
    )


def test_after_the_first_steps_the_time_is_said(
    digits: Path, here: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from firstlight.training import log

    monkeypatch.setattr(log, "SECONDS_BEFORE_ESTIMATE", 0.01)
    fl.train("mlp", data=digits, epochs=40)
    assert re.search(r"^this will take about \d+ seconds?$", capsys.readouterr().err, re.MULTILINE)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 second"),
        (40, "40 seconds"),
        (89, "89 seconds"),
        (720, "12 minutes"),
        (9000, "2 hours"),
    ],
)
def test_a_time_is_said_roughly(seconds: float, text: str) -> None:
    from firstlight.training.advice import rough_duration

    assert rough_duration(seconds) == text


def test_what_images_become_is_said(here: Path, capsys: Any) -> None:
    data = fl.Dataset.from_arrays(noise(40, 16, 16, 3), np.arange(40) % 2)
    fl.train("softmax", data=data, steps=1)
    assert "each image becomes 28×28 pixels in grey" in capsys.readouterr().err


def test_a_batch_is_not_larger_than_the_training_split(here: Path, capsys: Any) -> None:
    data = fl.Dataset.from_arrays(noise(20, 28, 28), np.arange(20) % 2)
    run = fl.train("softmax", data=data, epochs=12)
    assert (
        "a batch has 18 images, not 100: there are no more to train on" in capsys.readouterr().err
    )
    assert run.result.steps == 12
    assert run.record().settings.recipe.batch_size == 18


def test_a_loss_worse_than_guessing_is_said_once_with_a_remedy(
    digits: Path, here: Path, capsys: Any
) -> None:
    fl.train("softmax", data=digits, steps=20)  # its first weights are large
    err = capsys.readouterr().err
    assert "is worse than guessing, which costs 2.3 with 10 classes: it has fallen, so train" in err
    fl.train("mlp", data=digits, epochs=3, lr=30)
    err = capsys.readouterr().err
    assert err.count("worse than guessing") == 1
    assert "classes: lower --lr (now " in err
    assert f"`firstlight find-lr mlp --data {digits}` suggests one" in err


def test_training_starts_from_a_run_wherever_the_weights_fit(
    digits: Path, here: Path, trained: Make, capsys: Any
) -> None:
    start = trained("convnet")
    images, labels = noise(60, 28, 28), np.arange(60) % 3
    data = fl.Dataset.from_arrays(images, labels)
    capsys.readouterr()
    run = fl.train("convnet", data=data, from_run=start, epochs=1, lr=1e-9)
    line = next(each for each in capsys.readouterr().err.splitlines() if each.startswith("weights"))
    assert line == (
        f"weights from {start}: conv1, conv1_norm, conv2, conv2_norm, conv3, conv3_norm; "
        "not from there: output"
    )
    before, after = np.load(fl.load(start).weights), np.load(run.weights)
    assert np.allclose(before["conv1/kernel"], after["conv1/kernel"], atol=1e-5)
    assert run.record().settings.started_from == str(start)
    assert line in run.notices
    assert run.validation_accuracy is not None and run.result.test_accuracy is None
    with pytest.raises(UsageError, match=r"no weight of .* has the name and shape"):
        fl.train("mlp", data=digits, from_run=trained("softmax"), quiet=True)
    assert not list(Path("runs").glob("mlp*"))


def test_balanced_class_weights_let_a_rare_class_count() -> None:
    from firstlight.training.state import label_weights

    labels = np.repeat([0, 1, 3], [80, 16, 4])
    weights = label_weights(labels, 4, "balanced")
    assert weights is not None and weights[3] == 20 * weights[0]
    assert np.isclose(weights[labels].mean(), 1)
    assert np.allclose([weights[label] * (labels == label).sum() for label in (0, 1, 3)], 100 / 3)
    assert label_weights(labels, 4, None) is None


def test_balanced_class_weights_find_a_rare_class(here: Path) -> None:
    """Two classes that overlap: without weights, only the common one is answered."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [950, 50])
    brightness = random.normal(100 + 20 * labels, 16)[:, None, None]
    images = random.normal(brightness, 10, (1000, 28, 28)).clip(0, 255).astype(np.uint8)
    data = fl.Dataset.from_arrays(images, labels)
    recalls = {}
    for weights in (None, "balanced"):
        run = fl.train(
            "softmax", data=data, recipe="long", epochs=20, class_weights=weights, quiet=True
        )
        recalls[weights] = run.evaluate(split="train", quiet=True).by_class[1].recall
    assert recalls["balanced"] > 0.5 > recalls[None]


def test_find_lr_suggests_a_rate_and_keeps_no_run(digits: Path, here: Path) -> None:
    search = fl.find_lr("mlp", data=digits, quiet=True)
    assert 1e-3 < search.suggestion < 1
    assert len(search.rates) == len(search.losses) and (np.diff(search.rates) > 0).all()
    assert [path.name for path in (here / "runs").iterdir()] == [f"find-lr-mlp-{digits.name}.png"]
    with Image.open(search.picture) as picture:
        assert picture.size[0] > 300
    assert search.figure._repr_png_().startswith(b"\x89PNG")


def test_the_page_in_docs_is_that_of_the_source() -> None:
    docs = Path(__file__).parents[1] / "docs"
    namespace: dict[str, Any] = {"__name__": "build_api", "__file__": str(docs / "build_api.py")}
    exec((docs / "build_api.py").read_text("utf-8"), namespace)
    assert (docs / "api.md").read_text("utf-8") == namespace["page"](), "run docs/build_api.py"


# --- What a notebook shows -----------------------------------------------------------------------


def test_a_dry_run_shows_its_result_and_no_curves(digits: Path, here: Path) -> None:
    shown = fl.train("softmax", data=digits, dry_run=True, quiet=True)._repr_html_()
    assert "1 step in" in shown and "a dry run: nothing was kept" in shown
    assert "<img" not in shown


def stopped(run: fl.Run) -> fl.Run:
    """Return a run as a stopped training leaves it: without a result, and without a model."""
    document = read_json(run.record_file)
    write_json(run.record_file, document | {"result": None, "status": None})
    run.model_file.unlink()
    return fl.Run.open(run.folder)


def test_a_stopped_run_shows_how_it_goes_on(digits: Path, here: Path) -> None:
    run = stopped(fl.train("softmax", data=digits, steps=2, quiet=True, out="run"))
    shown = run._repr_html_()
    assert "not finished yet; continue with fl.train(resume=&#x27;run&#x27;)" in shown
    assert "<img" in shown
    run.metrics_file.unlink()
    assert "<img" not in run._repr_html_()


def test_a_stopped_run_on_arrays_asks_for_them(here: Path) -> None:
    data = fl.Dataset.from_arrays(noise(48, 28, 28), np.arange(48) % 2)
    run = stopped(fl.train("softmax", data=data, steps=2, quiet=True, out="run"))
    assert "fl.train(resume=&#x27;run&#x27;, data=...)" in run._repr_html_()


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_damaged_run_says_so_in_a_notebook(content: str | None, here: Path) -> None:
    run = fl.Run(Path("gone"))
    if content is not None:
        run.folder.mkdir()
        run.record_file.write_text(content, "utf-8")
    assert "run.json" in run._repr_html_()
