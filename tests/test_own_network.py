"""A user's own network: a file, a function or a Keras model, through every verb."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from conftest import Answer, stop_after_a_step
from keras import layers
from PIL import Image

import firstlight as fl
from firstlight import catalog
from firstlight.datasets import mnist
from firstlight.errors import DataError, UsageError
from firstlight.networks._weight_names import weight_names
from firstlight.runs.files import read_json, write_json
from firstlight.settings import prepare

pytestmark = pytest.mark.usefixtures("no_figures")
Firstlight = Callable[..., Answer]

FILE = '''"""A residual network of my own, with layers that have no names."""
import keras
from keras import layers

INPUT = (28, 28, 1)


def build(classes):
    image = keras.Input(INPUT, dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(8, 5, strides=2, activation="relu")(x)
    y = layers.Conv2D(8, 3, padding="same")(x)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(classes)(x))
'''
RECIPES = """
from firstlight import Recipe
RECIPES = {"short": Recipe(steps=3, batch_size=50, learning_rate=0.1)}
"""


def small(classes: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(20, activation="relu"),
            layers.Dense(classes),
        ]
    )


@pytest.fixture
def own_run(here: Path, digits: Path) -> Path:
    """A run of my_net.py, three steps long, and a picture 7.png beside it."""
    (here / "my_net.py").write_text(FILE + RECIPES)
    Image.fromarray(mnist.load("test").images[0][..., 0]).save(here / "7.png")
    return fl.train(here / "my_net.py", data=digits, out=here / "run", quiet=True).folder


def test_every_verb_takes_the_run_of_a_file(
    own_run: Path, digits: Path, firstlight: Firstlight
) -> None:
    verbs = [
        ("train", "my_net.py", "--data", digits, "--from", "run", "--steps", 1, "--out", "b"),
        ("evaluate", "run"),
        ("compare", "run", "b"),
        ("graph", "run"),
        ("graph", "my_net.py"),
        ("explain", "run", "7.png"),
        ("export", "run", "--format", "onnx"),
        ("export", "run", "--format", "litert"),
        ("export", "run", "--format", "savedmodel"),
        ("classify", "run", "7.png"),
        ("classify", "run/model/my-net.onnx", "7.png"),
        ("report", "run", "b"),
        ("find-lr", "my_net.py", "--data", digits),
    ]
    for verb in verbs:
        answer = firstlight(*verb, "--json", "-q")
        assert (answer.code, answer.err) == (0, ""), (verb, answer.err)
        assert json.loads(answer.out)
    record = json.loads((own_run / "run.json").read_text())
    assert (record["network"], record["recipe_name"]) == ("my-net", "short")
    assert (own_run / "network.py").read_text() == FILE + RECIPES
    assert fl.load("b").record().settings.started_from == "run"


def test_a_run_is_opened_without_trust_only_if_its_file_is_unchanged(
    own_run: Path, firstlight: Firstlight, here: Path
) -> None:
    assert firstlight("evaluate", "run", "-q").code == 0
    marker = here / "was-run"
    (here / "my_net.py").write_text(f"open({str(marker)!r}, 'w').close()\n" + FILE)
    answer = firstlight("evaluate", "run", "-q")
    assert answer.code == 2 and "if you trust it, add --trust" in answer.err
    assert "the copy in run/network.py" in answer.err and answer.err.count("\n") == 1
    assert firstlight("evaluate", "run", "-q", "--trust").code == 0
    assert not marker.exists()
    (here / "my_net.py").unlink()
    assert firstlight("classify", "run", "7.png", "-q").code == 2
    assert firstlight("classify", "run", "7.png", "-q", "--trust").code == 0
    assert fl.load("run", trust=True).evaluate(quiet=True).examples == 100


def test_a_copy_that_was_changed_is_never_run(
    own_run: Path, firstlight: Firstlight, here: Path
) -> None:
    (here / "my_net.py").unlink()
    (own_run / "network.py").write_text("raise SystemExit('run!')")
    answer = firstlight("evaluate", "run", "-q", "--trust")
    assert answer.code == 4 and "is not the source that the run was trained with" in answer.err


@pytest.mark.parametrize("name", ["../my_net.py", "run.json"])
def test_only_the_runs_own_copy_is_run(own_run: Path, here: Path, name: str) -> None:
    record = read_json(own_run / "run.json")
    record["source"] |= {"file": name, "path": None}
    write_json(own_run / "run.json", record)
    with pytest.raises(DataError, match=r"names .* as the network's source"):
        fl.load(own_run, trust=True).evaluate(quiet=True)


def test_a_file_that_came_with_the_run_proves_nothing(own_run: Path, here: Path) -> None:
    """A foreign run.json can name any path, also one within its own folder."""
    shutil.copy(here / "my_net.py", own_run / "evil.py")
    record = read_json(own_run / "run.json")
    record["source"]["path"] = str(own_run / "evil.py")
    write_json(own_run / "run.json", record)
    with pytest.raises(UsageError, match="if you trust it"):
        fl.load(own_run).evaluate(quiet=True)


@pytest.mark.parametrize("path", ["x.py", "../x.py", "run/../x.py"])
def test_a_relative_path_proves_nothing(own_run: Path, here: Path, path: str) -> None:
    """An archive can hold a run and a file beside it."""
    shutil.copy(here / "my_net.py", here / "x.py")
    record = read_json(own_run / "run.json")
    record["source"]["path"] = path
    write_json(own_run / "run.json", record)
    with pytest.raises(UsageError, match="if you trust it"):
        fl.load(own_run).evaluate(quiet=True)


def test_a_run_cannot_name_a_file_as_its_network(
    own_run: Path, here: Path, firstlight: Firstlight
) -> None:
    marker = here / "was-run"
    (own_run / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\n" + FILE)
    for file in (own_run / "run.json", own_run / "model" / "model.json"):
        write_json(file, read_json(file) | {"source": None, "network": "run/evil.py"})
    verbs = ["evaluate run", "graph run", "classify run 7.png", "explain run 7.png"]
    verbs += ["export run --format onnx", "train --resume run", "report run", "compare run run"]
    for verb in verbs:
        assert firstlight(*verb.split(), "-q").code in (2, 4)
    assert not marker.exists()


def test_a_stopped_training_of_a_file_goes_on(own_run: Path, here: Path, digits: Path) -> None:
    plan = prepare("my_net.py", digits)
    stop_after_a_step(plan, here / "stopped")
    resumed = fl.train(resume="stopped", quiet=True)
    assert resumed.result.steps == 3
    whole, cut = (np.load(run.weights) for run in (fl.load(own_run), resumed))
    assert all((whole[name] == cut[name]).all() for name in whole)


@pytest.mark.parametrize("given", [small, small(10)], ids=["function", "model"])
def test_functions_and_models_are_trained_and_kept(given: Any, digits: Path, here: Path) -> None:
    run = fl.train(given, data=digits, epochs=3, quiet=True)
    assert (run.folder / "network.json").exists()
    assert run.evaluate(quiet=True).accuracy == run.result.test_accuracy
    with pytest.raises(UsageError, match=r"came from Python; .*if you trust it"):
        fl.load(run.folder).evaluate(quiet=True)
    again = fl.load(run.folder, trust=True)
    assert again.evaluate(quiet=True).accuracy == run.result.test_accuracy
    images = mnist.load("test").images[:4]
    assert np.allclose(again.predict(images), run.predict(images), atol=1e-6)


def test_a_models_own_weights_are_the_first_ones(digits: Path, here: Path) -> None:
    model = small(10)
    kernel = model.get_weights()[0].copy()
    run = fl.train(model, data=digits, steps=1, lr=1e-9, quiet=True)
    with np.load(run.weights) as arrays:
        assert np.allclose(arrays["dense/kernel"], kernel, atol=1e-6)
    assert (model.get_weights()[0] == kernel).all()


class Custom(layers.Layer):
    def call(self, x: Any) -> Any:
        return x


def with_custom_layer(classes: int) -> keras.Model:
    return keras.Sequential(
        [keras.Input((28, 28, 1)), Custom(), layers.Flatten(), layers.Dense(10)]
    )


def raising(classes: int) -> keras.Model:
    raise RuntimeError("no such thing")


def two_inputs(classes: int) -> keras.Model:
    inputs = [keras.Input((28, 28, 1)) for _ in range(2)]
    return keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(layers.Add()(inputs))))


def flat() -> tuple[Any, Any]:
    image = keras.Input((28, 28, 1))
    return image, layers.Dense(10)(layers.Flatten()(image))


def dict_output(classes: int) -> keras.Model:
    image, logits = flat()
    return keras.Model(image, {"logits": logits})


def softmax_layer(classes: int) -> keras.Model:
    image, logits = flat()
    return keras.Model(image, layers.Softmax()(logits))


def softmax_operation(classes: int) -> keras.Model:
    image, logits = flat()
    return keras.Model(image, keras.ops.softmax(logits))


def without_weights(classes: int) -> keras.Model:
    image = keras.Input((28, 28, 1))
    pooled = layers.Flatten()(layers.AveragePooling2D((14, 5))(image))  # 2·5 values
    return keras.Model(image, pooled)


class Widening:
    """A build that depends on more than the number of classes."""

    units = 5

    def __call__(self, classes: int) -> keras.Model:
        self.units += 1
        image = keras.Input((28, 28, 1))
        hidden = layers.Dense(self.units)(layers.Flatten()(image))
        return keras.Model(image, layers.Dense(classes)(hidden))


def head(activation: str | None, units: int = 10, size: Any = (28, 28, 1)) -> keras.Model:
    flat = [keras.Input(size), layers.Flatten(), layers.Dense(units, activation=activation)]
    return keras.Sequential(flat)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (head("softmax"), "ends with softmax; leave it out"),
        (head("sigmoid"), "ends with sigmoid"),
        (head(None, units=7), r"returns \(None, 7\); it must return logits \(None, 10\)"),
        (head(None, size=(784,)), r"takes \(None, 784\); it must take \(None, height"),
        (keras.Sequential([layers.Dense(10)]), "must be a keras.Model with a keras.Input"),
        (lambda classes: "model", r"build\(10\) is str; it must be a keras.Model"),
        (raising, r"raising: build\(10\) raised RuntimeError: no such thing"),
        (two_inputs, "it must take"),
        (dict_output, "returns"),
        (softmax_layer, "ends with softmax"),
        (softmax_operation, "ends with softmax"),
        (without_weights, "has no weights that can be trained"),
        (head(None, size=(28, 28, 5)), "it must take"),
        (Widening(), "makes another model each time"),
        (
            with_custom_layer,
            "is a Custom, whose code a run cannot keep; put the network into a .py",
        ),
        (42, "a network is a name, the path of a .py file, a function or a keras.Model, not 42"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused(
    network: Any, message: str, digits: Path, here: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        fl.train(network, data=digits, quiet=True)
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no function build"),
        (FILE.replace("INPUT = (28, 28, 1)", "INPUT = 28"), "INPUT is 28; it must be"),
        (
            FILE.replace("INPUT = (28, 28, 1)", "INPUT = (28, 28, 2)"),
            "it must be .height, width, 1",
        ),
        (FILE.replace("INPUT = (28, 28, 1)", "INPUT = (-8, 8, 1)"), "INPUT is"),
        (FILE.replace("Input(INPUT", "Input((9, 9, 1)"), "takes .9, 9, 1., but INPUT is"),
        (FILE + "\nraise SystemExit(3)", "raised SystemExit: 3"),
        (FILE + "\nRECIPES = 3", "RECIPES must be a dictionary"),
        (FILE + "\nimport no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def build(:", "raised SyntaxError"),
        (FILE.replace("Flatten()", "Flaten()"), "has no attribute 'Flaten', line 14"),
    ],
)
def test_a_file_that_is_no_network_is_refused_in_one_line(
    text: str, message: str, here: Path, digits: Path, firstlight: Firstlight
) -> None:
    import re

    (here / "net.py").write_text(text)
    answer = firstlight("train", "net.py", "--data", digits, "-q")
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert re.search(message, answer.err), answer.err


def test_a_file_that_is_not_there_or_is_no_text(here: Path, digits: Path) -> None:
    (here / "bytes.py").write_bytes(b"\xff\xfe")
    for name, reason in (("gone.py", "No such file"), ("bytes.py", "not UTF-8")):
        with pytest.raises(DataError, match=f"{name}: cannot be read .*{reason}"):
            fl.train(name, data=digits, quiet=True)


def test_a_file_may_hold_a_dataclass_and_recipes_of_numpy(here: Path, digits: Path) -> None:
    text = FILE.replace(
        "import keras\n", "import keras\nimport numpy as np\n", 1
    ) + RECIPES.replace("learning_rate=0.1", "learning_rate=np.float32(0.1)")
    extra = "\nfrom dataclasses import dataclass\n@dataclass\nclass Sizes:\n    width: 'int' = 3\n"
    (here / "net.py").write_text("from __future__ import annotations\n" + text + extra)
    assert fl.train("net.py", data=digits, quiet=True).result.steps == 3
    assert not (here / "__pycache__").exists()


def test_a_given_models_weights_are_kept_whatever_the_recipe(digits: Path, here: Path) -> None:
    model = small(10)
    recipe = fl.Recipe(steps=1, batch_size=10, learning_rate=1e-9, init_stddev=0.5)
    run = fl.train(model, data=digits, recipe=recipe, quiet=True)
    with np.load(run.weights) as arrays:
        assert np.allclose(arrays["dense/kernel"], model.get_weights()[0], atol=1e-6)


class TwoOfAName(layers.Layer):
    """A layer that gives both of its weights the same name."""

    def build(self, shape: Any) -> None:
        self.one, self.two = (
            self.add_weight(shape=(shape[-1],), initializer=kind, name="kernel")
            for kind in ("ones", "zeros")
        )

    def call(self, x: Any) -> Any:
        return x * self.one + self.two


def test_weights_of_equal_names_are_all_kept() -> None:
    vector = keras.Input((4,))
    model = keras.Model(vector, layers.Dense(2)(TwoOfAName()(vector)))
    assert list(weight_names(model)) == [
        "two_of_a_name/kernel", "two_of_a_name/kernel_1", "dense/kernel", "dense/bias",
    ]  # fmt: skip


class Unnamed(layers.Layer):
    """A layer whose weights have no names."""

    def build(self, shape: Any) -> None:
        self.one, self.two = (self.add_weight(shape=(shape[-1],)) for _ in range(2))

    def call(self, x: Any) -> Any:
        return x * self.one + self.two


def unnamed() -> keras.Model:
    vector = keras.Input((4,))
    return keras.Model(vector, layers.Dense(2)(Unnamed()(vector)))


class Block(layers.Layer):
    """A layer with layers in it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(3), layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.second(self.first(x))


def nested() -> keras.Model:
    vector = keras.Input((4,))
    x = keras.Sequential([layers.Dense(3), layers.Dense(3)])(vector)
    return keras.Model(vector, layers.Dense(2)(Block()(Block()(x))))


@pytest.mark.parametrize(
    "build", [nested, unnamed, lambda: small(3)], ids=["nested", "unnamed", "sequential"]
)
def test_weights_have_the_same_names_each_time(build: Callable[[], keras.Model]) -> None:
    first, second = build(), build()
    assert list(weight_names(first)) == list(weight_names(second))
    assert len(weight_names(first)) == len(first.weights)


@pytest.mark.parametrize("entry", catalog.networks(), ids=lambda entry: entry.name)
def test_weights_of_our_networks_are_named_by_their_paths(entry: catalog.NetworkEntry) -> None:
    from conftest import outlined

    network = outlined(entry.name, 10)
    assert list(weight_names(network)) == [weight.path for weight in network.weights]
