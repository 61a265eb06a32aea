"""Every network in every format, opened again as its user would; wrong files are not kept."""

import base64
import io
import json
import re
import shutil
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from conftest import Answer, Make, built, large_if_alike, write_idx
from keras import layers
from PIL import Image

from firstlight import catalog, classification, exports, model
from firstlight.cli.use import Format
from firstlight.datasets import mnist
from firstlight.errors import ExportError, UsageError
from firstlight.evaluation.calibration import Calibration
from firstlight.exports import browser, html
from firstlight.exports.browser import PROGRAMS
from firstlight.exports.check import Opened, largest_difference
from firstlight.exports.export import EXPORT_FORMATS, export
from firstlight.exports.html import NETWORK, refuse_html
from firstlight.exports.metadata import Metadata, Provenance
from firstlight.exports.onnx import open_onnx, write_onnx
from firstlight.model import predictor
from firstlight.networks._layers import LocalResponseNorm
from firstlight.onnx_model import OnnxModel
from firstlight.runs import card
from firstlight.runs.documents import ModelInfo
from firstlight.runs.files import read_json, write_json
from firstlight.runs.run import Run
from firstlight.settings import Plan

Firstlight = Callable[..., Answer]
# Those that take digits: the others need pictures.
NETWORKS = [entry.name for entry in catalog.networks() if entry.input == (28, 28, 1)]
NO_BROWSER = pytest.mark.skipif(
    not any(map(shutil.which, PROGRAMS)), reason="no chromium: apt-get install chromium"
)
HTML = pytest.param("html", marks=NO_BROWSER)
WITHOUT_BROWSER = [format for format in EXPORT_FORMATS if format != "html"]


def source(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return seven test images, and the network's own logits."""
    images = mnist.load("test").images[5000:5007]
    return images, predictor(model.load(Run(folder))[0])(images)


def metadata_in(file: Path) -> dict[str, Any]:
    """Return what a file says about itself, read with the tools of its format."""
    if file.suffix in (".onnx", ".html"):
        network = file.read_bytes() if file.suffix == ".onnx" else network_in(file)
        session = onnxruntime.InferenceSession(network)
        text = session.get_modelmeta().custom_metadata_map["firstlight"]
    elif file.suffix == ".tflite":
        text = zipfile.ZipFile(file).read("firstlight.json").decode()
    else:
        text = (file / "assets.extra" / "firstlight.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def network_in(page: Path) -> bytes:
    """Return the ONNX file in an HTML file."""
    found = NETWORK.search(page.read_text("utf-8"))
    assert found
    return base64.b64decode(found[1])


METADATA = Metadata(
    network="small",
    classes=("a", "b", "c", "d"),
    input=(40, 40, 3),
    image_kind="arrays",
    data="noise",
    preprocessing="",
    trained=Provenance(seed=0, steps=1, finished=True, test_accuracy=None, firstlight="0"),
    calibration=Calibration(
        temperature=1.0,
        threshold=0.5,
        calibration_error=(0.0, 0.0),
        images=60,
        answers=50,
        wrong=1,
    ),
)
CALIBRATION = tuple(METADATA.calibration.to_json())


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


# A browser takes a second to start: one network there. test_network_js.py tries all of them.
@pytest.mark.parametrize(
    ("format", "network"),
    [
        *(("onnx", network) for network in NETWORKS),
        *(
            pytest.param(format, network, marks=large_if_alike(network))
            for format in ("litert", "savedmodel")
            for network in NETWORKS
        ),
        pytest.param("html", "convnet", marks=NO_BROWSER),
    ],
)
def test_every_network_in_every_format(trained: Make, network: str, format: str) -> None:
    folder = trained(network)
    exported = export(Run.open(folder), format)
    file = exported.path
    assert file.parent == folder / "model"
    assert file.name == EXPORT_FORMATS[format].file.format(network=network)
    assert exported.largest_difference <= 1e-4
    assert exported.examples == 256 and exported.bytes > 0
    images, logits = source(folder)
    opened = EXPORT_FORMATS[format].open(file)
    assert opened.inputs == {"image": ("uint8", (None, 28, 28, 1))}
    assert opened.outputs == {"logits": ("float32", (None, 10))}
    for count in (1, 7):
        assert opened.logits(images[:count]) == pytest.approx(logits[:count], abs=1e-4)
    assert metadata_in(file)["network"] == network and not leftovers(folder)


@pytest.mark.parametrize("format", WITHOUT_BROWSER)
def test_layers_of_2013_in_every_format(tmp_path: Path, format: str) -> None:
    """Contrast normalisation, frames, and pools that "same" fills up on one side only."""
    keras.utils.set_random_seed(0)
    image = keras.Input((40, 40, 3), dtype="uint8", name="image")
    x = layers.ZeroPadding2D(1)(layers.Rescaling(1 / 62, offset=-2)(image))
    x = layers.MaxPooling2D(3, 2, padding="same")(layers.Conv2D(8, 7, 2, activation="relu")(x))
    x = layers.Conv2D(6, 3, 2, padding="same", activation="relu")(LocalResponseNorm()(x))
    network = keras.Model(image, layers.Dense(4)(layers.Flatten()(x)), name="small")
    images = np.random.default_rng(0).integers(0, 256, (60, 40, 40, 3), np.uint8)
    chosen = EXPORT_FORMATS[format]
    path = tmp_path / chosen.file.format(network="small")
    chosen.write(network, path, METADATA)
    assert largest_difference(chosen.open(path), network, images) < 1e-4


def test_the_command_line_knows_every_format() -> None:
    assert [str(format) for format in Format] == list(EXPORT_FORMATS) == list(exports.FORMATS)


def test_the_first_graphs_run_says_where_it_is_from(firstlight: Firstlight, here: Path) -> None:
    trained = json.loads(firstlight("first-graph", "--steps", 5, "--seed", 3, "--json").out)
    answer = firstlight("export", trained["run"], "--format", "onnx", "--json")
    facts = json.loads(answer.out)
    assert answer.code == 0 and answer.err == ""
    written = {"run", "format", "file", "largest_difference", "examples", "bytes"}
    assert facts.keys() == {*written, *CALIBRATION}
    assert facts["file"] == "runs/first-graph-mnist-1/model/softmax.onnx"
    assert facts["bytes"] == (here / facts["file"]).stat().st_size
    said = metadata_in(here / facts["file"])
    assert {key: said[key] for key in CALIBRATION}.items() <= facts.items()
    assert not facts["calibrated"] and facts["temperature"] == 1  # five steps are too few
    assert facts["calibration_problem"] == "the best temperature is outside of 0.05 to 20"
    assert said["network"] == "softmax" and said["data"] == "mnist" and said["input"] == [28, 28, 1]
    assert said["values"] == [0, 255]
    assert said["classes"] == list(mnist.CLASSES) and "centre of mass" in said["preprocessing"]
    assert said["trained"].pop("firstlight")
    accuracy = trained["test_accuracy"]
    assert said["trained"] == {"seed": 3, "steps": 5, "finished": True, "test_accuracy": accuracy}
    assert said["preprocessing"] in onnx.load(here / facts["file"]).doc_string


def test_other_data_than_mnist(firstlight: Firstlight, here: Path) -> None:
    """Three classes, fewer than 256 images in all, in a folder that is not called digits."""
    draw, data = np.random.default_rng(0), here / "shapes"
    data.mkdir()
    for split, count in (("train", 60), ("t10k", 30)):
        write_idx(data / f"{split}-images-idx3-ubyte", draw.integers(0, 256, (count, 28, 28)))
        write_idx(data / f"{split}-labels-idx1-ubyte", np.arange(count) % 3)
    train = ["train", "lenet5", "--data", data, "--steps", 2, "--batch-size", 10, "--out", "run"]
    assert firstlight(*train).code == 0
    facts = json.loads(firstlight("export", "run", "--format", "onnx", "--json").out)
    said = metadata_in(Path(facts["file"]))
    assert facts["examples"] == 90 and said["data"] == "shapes" and said["classes"] == [*"012"]
    page = firstlight("export", "run", "--format", "html", "--out", "page.html")
    assert page.code == 2 and "has 3 classes" in page.err and page.err.count("\n") == 1
    assert not (here / "page.html").exists()
    assert "28×28×1" in said["preprocessing"] and "digit" not in said["preprocessing"]


@pytest.mark.parametrize("format", [*WITHOUT_BROWSER, HTML])
def test_a_wrong_export_is_removed(
    firstlight: Firstlight,
    trained: Make,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    format: str,
) -> None:
    """Its weights are others: exit 5, and what was there before is untouched."""
    right = EXPORT_FORMATS[format]
    old = here / "old" / "saved_model.pb" if format == "savedmodel" else here / "old"
    old.parent.mkdir(exist_ok=True)
    old.write_text("as it was")

    def wrong(network: keras.Model, path: Path, metadata: Metadata) -> None:
        other = keras.models.clone_model(network)
        other.set_weights([weight + 0.01 for weight in network.get_weights()])
        right.write(other, path, metadata)

    monkeypatch.setitem(EXPORT_FORMATS, format, replace(right, write=wrong))
    for out in ("old", "new"):
        answer = firstlight("export", trained("softmax"), "--format", format, "--out", out)
        assert answer.code == 5 and answer.out == "" and answer.err.count("\n") == 1
        assert "its logits differ from the network's by up to " in answer.err
    assert old.read_text() == "as it was" and [path.name for path in here.iterdir()] == ["old"]


@NO_BROWSER
def test_a_page_whose_browser_does_not_know_an_operation_is_removed(
    firstlight: Firstlight, trained: Make, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = html.modules(*html.ENTRIES)
    assert "server.js" not in right
    broken = right | {"onnx.js": right["onnx.js"].replace("Relu: (", "Other: (")}
    monkeypatch.setattr(html, "modules", lambda *entries: broken)
    answer = firstlight("export", trained("mlp"), "--format", "html", "--out", "new.html")
    assert answer.code == 5 and answer.err.count("\n") == 1 and not list(here.iterdir())
    assert "in the browser: the operation Relu (hidden" in answer.err


def test_a_page_that_does_not_answer_is_wrong() -> None:
    """So is a page whose script does not run, or a file that the browser does not find."""
    answers = html.answers_in("<!doctype html><html>{&quot;logits&quot;: [[1, 2.5]]}</html>")
    assert answers.tolist() == [[1, 2.5]]
    for page in ("<!doctype html><html><h1>convnet reads a digit</h1></html>", ""):
        with pytest.raises(ExportError, match="the browser shows no answers"):
            html.answers_in(page)


def test_a_page_needs_a_browser_to_be_checked(
    firstlight: Firstlight, trained: Make, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    answer = firstlight("export", trained("softmax"), "--format", "html", "--out", "new.html")
    assert answer.code == 5 and answer.err.count("\n") == 1 and not list(here.iterdir())
    assert all(word in answer.err for word in [*PROGRAMS, "apt-get install chromium"])


def test_a_browser_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "TIME_LIMIT", 0.2)
    started = time.monotonic()
    with pytest.raises(ExportError, match="sh did not end within"):
        browser.output_of(["sh", "-c", "sleep 20 & sleep 20"])  # it has a child, as browsers have
    assert time.monotonic() - started < 10


def test_a_page_is_for_networks_of_ten_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    network = built("softmax", 10)
    for extra in ((), ("none",)):
        refuse_html(network, ModelInfo("mine", (*mnist.CLASSES, *extra), "digits"))
    for info in (
        ModelInfo("mine", mnist.CLASSES[:3], "digits"),
        ModelInfo("mine", (*mnist.CLASSES, "x"), "digits"),
        ModelInfo("mine", mnist.CLASSES, "arrays"),
    ):
        with pytest.raises(UsageError, match="for networks of digits, 28×28×1 with ten classes"):
            refuse_html(network, info)


def test_what_scales_grey_images_has_their_axes(trained: Make, firstlight: Firstlight) -> None:
    """Without them ONNX Runtime takes 90 times as long for this product."""
    run = trained("softmax")
    firstlight("export", run, "--format", "onnx")
    graph = onnx.load(run / "model" / "softmax.onnx").graph
    dims = {constant.name: list(constant.dims) for constant in graph.initializer}
    scaling = [
        node for node in graph.node if node.op_type in ("Mul", "Add") and "scale" in node.name
    ]
    assert scaling and all(dims[node.input[1]] == [1, 1, 1, 1] for node in scaling)


def test_an_operation_that_onnx_has_not_is_exit_5(
    firstlight: Firstlight, trained: Make, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tf2onnx writes the exact GELU as an operation that there is not, and says nothing."""
    image = keras.Input((28, 28, 1), dtype="uint8", name="image")
    x = layers.Dense(10)(layers.Flatten()(layers.Rescaling(1 / 255)(image)))
    unknown = keras.Model(image, keras.activations.gelu(x, approximate=False))
    monkeypatch.setattr(model, "load", lambda run: (unknown, mnist.CLASSES))
    answer = firstlight("export", trained("mlp"), "--format", "onnx", "--out", "new.onnx")
    assert answer.code == 5 and answer.err.count("\n") == 1 and "Erfc" in answer.err
    assert not list(here.iterdir())


def test_a_new_export_takes_the_old_ones_place(
    firstlight: Firstlight, trained: Make, here: Path
) -> None:
    (here / "file").write_text("old")
    (here / "folder" / "variables").mkdir(parents=True)
    (here / "folder" / "variables" / "old").touch()
    for format, out in (("litert", "file"), ("savedmodel", "folder"), ("savedmodel", "folder")):
        assert firstlight("export", trained("mlp"), "--format", format, "--out", out).code == 0
    assert metadata_in(here / "folder")["network"] == "mlp"
    assert (here / "file").stat().st_size > 2_000_000
    assert not (here / "folder" / "variables" / "old").exists()
    assert sorted(path.name for path in here.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "--format"),
        (["run", "--format", "bogus"], 2, "bogus"),
        (["nowhere", "--format", "onnx"], 4, "no run at nowhere"),
        (["run", "--format", "onnx", "--out", "folder"], 2, "folder is a folder"),
        (["run", "--format", "savedmodel", "--out", "folder"], 2, "is not a SavedModel"),
        (["run", "--format", "savedmodel", "--out", "folder/file"], 2, "is not a SavedModel"),
        (["run", "--format", "onnx", "--out", "folder/file/x"], 2, "cannot be written"),
        (["run", "--format", "onnx", "--out", "run/model/weights.npz"], 2, "the run's own file"),
        (["run", "--format", "litert", "--out", "run/run.json"], 2, "the run's own file"),
    ],
)
def test_a_mistake_is_one_line(
    firstlight: Firstlight,
    trained: Make,
    here: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    (here / "run").symlink_to(trained("softmax"))
    (here / "folder").mkdir()
    (here / "folder" / "file").write_text("somebody's")
    answer = firstlight("export", *arguments)
    assert answer.code == code and message in answer.err and answer.err.count("\n") == 1
    assert (here / "folder" / "file").read_text() == "somebody's" and not leftovers(here)


def test_data_that_has_gone_is_exit_4(firstlight: Firstlight, trained: Make, here: Path) -> None:
    run = Run(shutil.copytree(trained("softmax"), here / "run"))
    write_json(run.record_file, read_json(run.record_file) | {"data": str(here / "gone")})
    answer = firstlight("export", run.folder, "--format", "onnx")
    assert (
        answer.code == 4
        and "there is no folder or file" in answer.err
        and answer.err.count("\n") == 1
    )


@pytest.mark.parametrize(
    "verb", ["classify {} 7.png", "explain {} 7.png", "export {} --format onnx", "graph {}"]
)
def test_a_run_that_has_not_ended_is_one_line_that_says_how_to_go_on(
    firstlight: Firstlight, trained: Make, here: Path, verb: str
) -> None:
    done = Run(trained("softmax"))
    plan = Plan(done.record().settings, done.network(), done.dataset())
    run = Run.create(plan, total_steps=2, folder=here / "run")
    answer = firstlight(*verb.format(run.folder).split())
    assert answer.code == 4 and answer.err.count("\n") == 1
    assert "run has no model yet; continue its training with: " in answer.err
    assert answer.err.endswith(f"firstlight train --resume {run.folder}\n")
    write_json(run.model_file, {})
    answer = firstlight(*verb.format(run.folder).split())
    assert answer.code == 4 and "model.json: damaged" in answer.err
    write_json(run.model_file, {"network": "softmax", "classes": ["a", None], "image_kind": "x"})
    answer = firstlight(*verb.format(run.folder).split())
    assert answer.code == 4 and "model.json: a class has no name" in answer.err


def test_weights_in_another_file_are_refused(trained: Make, here: Path) -> None:
    file = export(Run(trained("softmax")), "onnx", here / "one.onnx").path
    onnx.save(onnx.load(file), here / "two.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(onnx.shape_inference.InferenceError, match="external tensors"):
        open_onnx(here / "two.onnx")


def test_inputs_that_nobody_promised_are_refused(trained: Make) -> None:
    network, _ = model.load(Run(trained("softmax")))
    images = mnist.load("test").images[:3]
    right = Opened(
        {"image": ("uint8", (None, 28, 28, 1))},
        {"logits": ("float32", (None, 10))},
        predictor(network),
    )
    assert largest_difference(right, network, images) == 0
    for wrong in (
        replace(right, inputs=right.inputs | {"mean": ("float32", (1,))}),
        replace(right, inputs={"image": ("uint8", (1, 28, 28, 1))}),
        replace(right, outputs={"Identity:0": ("float32", (None, 10))}),
    ):
        with pytest.raises(ExportError, match="it takes"):
            largest_difference(wrong, network, images)
    nothing = replace(right, logits=lambda images: np.full((len(images), 10), np.nan))
    with pytest.raises(ExportError, match="by up to nan"):
        largest_difference(nothing, network, images)


# docs/use.md: how other programs use an exported file

USE = (Path(__file__).parents[1] / "docs" / "use.md").read_text("utf-8")
SNIPPETS = re.findall(
    r"\*\*([\w ]+)\*\*[^*]*?export RUN (--format \w+ --out [\w./]+).*?```python\n(.*?)```",
    USE,
    re.DOTALL,
)
[[_, _, FOR_PHOTOGRAPHS]] = [each for each in SNIPPETS if each[0] == "Photographs"]
FOR_DIGITS = [each for each in SNIPPETS if each[0] != "Photographs"]


@pytest.fixture
def other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the snippets need that is not installed here: TensorFlow computes in its place."""
    package, interpreter = ModuleType("ai_edge_litert"), ModuleType("ai_edge_litert.interpreter")
    interpreter.Interpreter = tf.lite.Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", interpreter)

    def serving(url: str, body: bytes) -> io.BytesIO:
        [name] = re.findall(r"/v1/models/(\w+):predict$", url)
        newest = max(Path("models", name).iterdir(), key=lambda version: int(version.name))
        served = tf.saved_model.load(str(newest)).signatures["serving_default"]
        instances = tf.constant(json.loads(body)["instances"], tf.uint8)
        logits = served(instances)["logits"].numpy().tolist()
        return io.BytesIO(json.dumps({"predictions": logits}).encode())

    monkeypatch.setattr(urllib.request, "urlopen", serving)


@pytest.mark.parametrize(
    ("program", "flags", "code"), FOR_DIGITS, ids=[each[0] for each in FOR_DIGITS]
)
@pytest.mark.usefixtures("other_programs")
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_the_programs_of_the_docs_use_exported_files(
    trained: Make,
    firstlight: Firstlight,
    here: Path,
    program: str,
    flags: str,
    code: str,
) -> None:
    folder = trained("softmax")
    assert firstlight("export", folder, *flags.split()).code == 0
    image = mnist.load("test").images[0]
    Image.fromarray(image[..., 0]).save("seven.png")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, {})
    expected = Run.open(folder).predict(image[None]).argmax()
    assert printed.getvalue() == f"{expected}\n"


def photograph(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Noise on all scales, in which each filter and each shift shows."""
    random = np.random.default_rng(width * height)
    picture = Image.new("RGB", (width, height))
    for side in (4, 30, 300):
        noise = random.integers(0, 256, (side, side, 3), np.uint8)
        picture = Image.blend(picture, Image.fromarray(noise).resize((width, height)), 0.5)
    if mode == "RGBA":
        picture.putalpha(Image.fromarray(random.integers(0, 256, (height, width), np.uint8)))
    return picture.convert(mode)


TURNED = Image.Exif()
TURNED[0x0112] = 6  # Orientation: turn it clockwise
PHOTOGRAPHS: dict[str, tuple[Image.Image, dict[str, Any]]] = {
    "wide.jpg": (photograph(301, 200), {}),
    "high.png": (photograph(97, 230), {}),
    "small.png": (photograph(13, 9), {}),
    "large.jpg": (photograph(1501, 2003), {"quality": 90}),
    "turned.jpg": (photograph(640, 427), {"exif": TURNED}),
    "transparent.png": (photograph(120, 90, "RGBA"), {}),
    "palette.png": (photograph(150, 100, "P"), {"transparency": 3}),
    "grey.jpg": (photograph(111, 222, "L"), {}),
    "print.jpg": (photograph(99, 77, "CMYK"), {}),
}


@pytest.mark.parametrize("network", ["softmax", "nin-cifar"])  # grey, and in colour
def test_the_program_for_photographs_gives_the_same_pixels_and_probabilities(
    network: str, here: Path
) -> None:
    built_network = built(network, 10)
    size = built_network.input_shape[1:]
    metadata = replace(
        METADATA,
        input=size,
        image_kind="pictures",
        classes=tuple("abcdefghij"),
        preprocessing=card.describe_preprocessing("pictures", size, "fruit"),
    )
    write_onnx(built_network, here / "fruit.onnx", metadata)
    classifier = OnnxModel(here / "fruit.onnx")
    for name, (picture, options) in PHOTOGRAPHS.items():
        picture.save(name, **options)
        namespace: dict[str, Any] = {}
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(FOR_PHOTOGRAPHS.replace("apple.jpg", name), namespace)
        pixels = classification.preprocess(Path(name), size, "pictures")
        np.testing.assert_array_equal(namespace["images"][0], pixels, err_msg=name)
        [expected] = classifier.probabilities(pixels[np.newaxis])
        lines = [
            f"{share:6.1%}  {each}" for share, each in zip(expected, "abcdefghij", strict=True)
        ]
        assert printed.getvalue().splitlines() == lines, name
        for word in ("draft(None", "exif_transpose", "BILINEAR", f"({size[1]}, {size[0]})"):
            assert word in metadata.preprocessing and word.split("(")[0] in FOR_PHOTOGRAPHS


def test_the_docs_have_a_program_for_each_format() -> None:
    formats = {flags.split()[1] for _, flags, _ in SNIPPETS}
    assert formats == {name for name in EXPORT_FORMATS if name != "html"}  # which is a page
