"""What the tests share: small data cut from MNIST, networks, and the command line in-process."""

import gc
import gzip
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before anything imports TensorFlow, as the verbs do

from firstlight import catalog, cli
from firstlight.datasets import _idx, mnist
from firstlight.recipe import Recipe
from firstlight.runs import checkpoint
from firstlight.runs.documents import ModelInfo, RunRecord
from firstlight.runs.files import write_json
from firstlight.runs.run import Run
from firstlight.settings import Settings

# Python's default is to look for garbage after 700 new objects, and TensorFlow's graphs are made of
# very many: the search took a quarter of the tests' time.
gc.set_threshold(10_000, 10, 10)

# Where tests run in two processes, these files come first: the longest one last would leave the
# other process without work.
LONG_FILES = (
    "test_page.py", "test_loop.py", "test_flow.py", "test_folder_flow.py", "test_lessons.py",
    "test_api.py", "test_cli.py", "test_export.py", "test_serve.py", "test_notebook.py",
)  # fmt: skip

Make = Callable[[str], Path]  # a network's name → a run folder

# Their layers are those of `convnet` and `lenet5`.
ALIKE = {"convnet-reader", "convnet-record", "nin"}


def large_if_alike(network: str) -> list[pytest.MarkDecorator]:
    """The marks of a slow test of `network`: it runs by hand if a network like it runs always."""
    return [pytest.mark.large] if network in ALIKE else []


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # pytest-xdist would begin with the files of most tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files."""
    order = {name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_collection_finish() -> None:
    """Do not look for garbage among what has been imported: TensorFlow, above all."""
    gc.collect()
    gc.freeze()


class Answer(NamedTuple):
    code: int
    out: str
    err: str


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@cache
def built(name: str, classes: int) -> Any:
    """Return a network of the catalogue, built once for all tests: do not change its weights."""
    return catalog.network(name).build(classes)


def names_by_input(size: tuple[int, int, int]) -> list[str]:
    """Return the networks that take images of that size (height, width, channels)."""
    return [entry.name for entry in catalog.networks() if entry.input == size]


@cache
def outlined(name: str, classes: int) -> Any:
    """Return a network whose weights have paths and shapes, but no values.

    OverFeat, of 146 million weights, costs a tenth of a second and no memory so.
    """
    import tensorflow as tf

    with tf.Graph().as_default():  # variables are placed in this graph and never initialised
        return catalog.network(name).build(classes)


LENET5 = {  # the shape of each weight
    "C1/kernel": (5, 5, 1, 6),
    "C1/bias": (6,),
    "S2/coefficient": (6,),
    "S2/bias": (6,),
    "C3/kernels": (5, 5, 60),
    "C3/bias": (16,),
    "S4/coefficient": (16,),
    "S4/bias": (16,),
    "C5/kernel": (5, 5, 16, 120),
    "C5/bias": (120,),
    "F6/kernel": (120, 84),
    "F6/bias": (84,),
    "output/kernel": (84, 10),
    "output/bias": (10,),
}


def write_lenet5(folder: Path) -> Path:
    """A run folder of a lenet5 with random weights: written without TensorFlow, in no time."""
    random = np.random.default_rng(0)
    recipe = Recipe(learning_rate=0.1, batch_size=10, steps=20)
    settings = Settings(network="lenet5", data="mnist", recipe=recipe, seed=0, sha256={})
    run = Run(folder)
    folder.mkdir(parents=True)
    run.write_record(RunRecord(settings=settings, total_steps=20, versions={}, machine=""))
    weights = {name: random.normal(0, 0.3, shape).astype("f4") for name, shape in LENET5.items()}
    checkpoint.save(run.weights, weights)
    write_json(run.model_file, ModelInfo("lenet5", tuple("0123456789"), "digits").to_json())
    return folder


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with 600 training and 100 test images of MNIST, as IDX files."""
    folder = tmp_path_factory.mktemp("digits")
    for name, count in zip(_idx.NAMES, (600, 600, 100, 100), strict=True):
        write_idx(folder / name, _idx.read(mnist.DIRECTORY, name)[:count])
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Make:
    """A run of any network, two steps long: trained("convnet") → its folder, trained once.

    Its images are not augmented: most of the time would go into compiling that. A test that changes
    the folder copies it first.
    """
    from firstlight.settings import prepare
    from firstlight.training import trainer

    folder = tmp_path_factory.mktemp("trained")

    def run(network: str) -> Path:
        if not (folder / network).exists():
            # At a recipe's own rate, two steps can leave logits of hundreds. Their rounding alone
            # is more than an export's largest difference.
            short = {"steps": 2, "batch_size": 20, "learning_rate": 1e-3}
            plan = prepare(network, str(digits), limit=100, **short)
            recipe = replace(plan.settings.recipe, augment={})
            plan = replace(plan, settings=replace(plan.settings, recipe=recipe))
            trainer.train(plan, folder / network, quiet=True)
        return folder / network

    return run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Run:
    """A run that has learned something: an mlp, two epochs. A test that changes it copies it."""
    from firstlight.settings import prepare
    from firstlight.training import trainer

    folder = tmp_path_factory.mktemp("run") / "mlp"
    trainer.train(prepare("mlp", str(digits), epochs=2), folder, quiet=True)
    return Run(folder)


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training in this process draws nothing: test_figures.py tests what it draws."""
    monkeypatch.setattr("firstlight.figures.training.draw_training", lambda *_: None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, where runs/ may be written."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def write() -> Callable[..., np.ndarray]:
    """write("305") returns a grey picture (h, w), dark on white; its digits are 80 pixels high."""
    test = mnist.load("test")
    images, labels = test.images, test.labels
    legible = [3, 2, 1, 18, 4, 15, 11, 0, 61, 7]  # a test image of each class that is easy to read
    assert labels[legible].tolist() == list(range(10))
    image_of = {str(labels[i]): images[i, ..., 0] for i in legible}

    def call(*lines: str, gap: int = 12, dark: float = 0.8) -> np.ndarray:
        page = np.zeros((len(lines) * 130 + 60, max(map(len, lines)) * (80 + gap) + 60), np.float32)
        for row, line in enumerate(lines):
            x = 30
            for character in line:
                digit = enlarge(image_of[character])
                part = page[30 + 130 * row :, x:][: digit.shape[0], : digit.shape[1]]
                np.maximum(part, digit, out=part)
                x += digit.shape[1] + gap
        return (255 * (1 - dark * page)).astype(np.uint8)

    return call


def enlarge(image: np.ndarray) -> np.ndarray:
    big = Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC)
    array = np.asarray(big, np.float32) / 255
    rows, columns = np.flatnonzero(array.max(1) > 0.3), np.flatnonzero(array.max(0) > 0.3)
    return array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def stop_after_a_step(plan: Any, folder: Path) -> None:
    """Train what was planned, and stop after the first step."""
    from firstlight.errors import Interrupted
    from firstlight.progress import Progress
    from firstlight.training import loop
    from firstlight.training.state import TrainState

    state = TrainState(plan)
    state.into(Run.create(plan, state.total_steps, folder))
    with Progress(state.total_steps, quiet=True) as progress, pytest.raises(Interrupted):
        loop.run_training(state, progress, stop_requested=lambda: True)


@pytest.fixture
def firstlight(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """The command line, in this process: firstlight("train", "softmax") → code, out, err."""

    def call(*arguments: object) -> Answer:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["firstlight", *map(str, arguments)])
        code = cli.run()
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return call
