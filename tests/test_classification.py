"""Classifying pictures: how each kind is prepared for a network, and the labels that it gets."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Answer
from PIL import Image

import firstlight as fl
from firstlight import classification, onnx_model
from firstlight.answers import write_answers
from firstlight.classification import Classification, classify, preprocess
from firstlight.datasets import ArrayImages, FolderImages, mnist
from firstlight.errors import DataError
from firstlight.images.kinds import ImageKind
from firstlight.onnx_model import OnnxModel
from firstlight.probabilities import Label, softmax, top_labels
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.runs.run import Run

Firstlight = Callable[..., Answer]


# How a picture is prepared


@pytest.fixture(scope="module")
def seven() -> np.ndarray:
    return mnist.load("test").images[0]


def save(path: Path, pixels: np.ndarray, mode: str = "L") -> Path:
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_an_image_of_mnist_stays_as_it_is(tmp_path: Path, seven: np.ndarray, mode: str) -> None:
    path = save(tmp_path / "7.png", seven[..., 0], mode)
    np.testing.assert_array_equal(preprocess(path, (28, 28, 1), "digits"), seven)


def test_a_larger_network_gets_a_digit_enlarged_as_in_its_training(
    tmp_path: Path, seven: np.ndarray
) -> None:
    path = save(tmp_path / "7.png", seven[..., 0])
    in_training = ArrayImages(seven[None]).resized((32, 32, 3))[0]
    np.testing.assert_array_equal(preprocess(path, (32, 32, 3), "digits"), in_training)


@pytest.mark.parametrize("size", [(28, 28), (400, 300)])
def test_a_photo_of_a_digit_becomes_like_mnist(
    tmp_path: Path, seven: np.ndarray, size: tuple[int, int]
) -> None:
    margin = 0 if size == (28, 28) else 10
    sheet = np.pad(255 - seven[..., 0], margin, constant_values=255)
    path = tmp_path / "photo.png"
    Image.fromarray(sheet).resize(size, Image.Resampling.BICUBIC).save(path)
    image = preprocess(path, (28, 28, 1), "digits")
    assert image.shape == (28, 28, 1) and image.dtype == np.uint8
    assert classification.has_dark_frame(image[..., 0])
    center_of_mass = (image[..., 0] * np.indices((28, 28))).sum((1, 2)) / image.sum()
    assert center_of_mass == pytest.approx([13.5, 13.5], abs=1)


def test_a_picture_without_a_digit_is_a_data_error(tmp_path: Path) -> None:
    path = save(tmp_path / "blank.png", np.full((90, 90), 250, np.uint8))
    with pytest.raises(DataError, match=r"blank.png: no digit found"):
        preprocess(path, (28, 28, 1), "digits")


@pytest.mark.parametrize("shape", [(300, 500), (500, 300), (40, 60)])
def test_a_photograph_is_cropped_to_its_centre(tmp_path: Path, shape: tuple[int, int]) -> None:
    height, width = shape
    pixels = np.full((height, width, 3), (0, 0, 255), np.uint8)
    side = round(min(shape) * 224 / 256)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = (200, 100, 0)
    path = save(tmp_path / "photo.png", pixels, "RGB")
    image = preprocess(path, (224, 224, 3), "pictures")
    assert image.shape == (224, 224, 3)
    assert np.abs(image[12:-12, 12:-12] - np.array([200, 100, 0])).max() <= 1


def test_a_picture_for_a_network_of_arrays_is_not_cropped(tmp_path: Path) -> None:
    letter = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    path = save(tmp_path / "letter.png", letter)
    assert np.array_equal(preprocess(path, (28, 28, 1), "arrays")[..., 0], letter)


def test_the_kind_of_images_is_recognised_by_classes_and_margins() -> None:
    digits, letters = mnist.load("val").images, [*"abcdefghij"]
    # Twice as high: these images reach the upper and lower edge, as pictures of clothes do.
    clothes = ArrayImages(digits[:].repeat(2, 1)[:, 14:42])
    assert digits.kind(mnist.CLASSES) == "digits"
    assert digits.kind([*mnist.CLASSES, "none"]) == "digits"
    assert digits.resized((224, 224, 3)).kind(mnist.CLASSES) == "digits"
    assert digits.kind(letters) == clothes.kind(mnist.CLASSES) == "arrays"
    files = FolderImages(Path("there"), ["7/a.png"], (28, 28, 1))
    assert files.kind(mnist.CLASSES) == "pictures"


def test_a_grey_network_gets_a_grey_photograph(tmp_path: Path) -> None:
    path = save(tmp_path / "grey.png", np.full((60, 90), 77, np.uint8))
    image = preprocess(path, (28, 28, 1), "pictures")
    assert image.shape == (28, 28, 1) and (image == 77).all()


def test_the_error_about_an_unreadable_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"text.jpg: not a picture"):
        preprocess(tmp_path / "text.jpg", (224, 224, 3), "pictures")
    with pytest.raises(DataError, match=r"nowhere.jpg: no such file"):
        preprocess(tmp_path / "nowhere.jpg", (224, 224, 3), "pictures")


# The labels


def test_softmax_of_huge_logits_neither_overflows_nor_loses_its_sum() -> None:
    probabilities = softmax(np.array([[1e30, 0, -1e30], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(probabilities, [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)


def test_top_labels_are_in_the_order_of_their_probabilities() -> None:
    labels = top_labels(np.float32([0.25, 0.5, 0.25]), ("a", "b", "c"), 2)
    assert labels == (Label("b", 0.5), Label("a", 0.25))


@pytest.fixture(scope="module")
def folder(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, and ten of MNIST's test images as pictures."""
    folder = tmp_path_factory.mktemp("classify")
    shutil.copytree(run.folder, folder / "run")
    for number in range(10):
        save(folder / f"{number}.png", mnist.load("test").images[number, ..., 0])
    return folder


@pytest.fixture
def in_folder(folder: Path, firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def probabilities(classification: dict[str, Any]) -> dict[str, float]:
    """Return the probabilities by label, in the order of a classification as JSON."""
    return {each["label"]: each["probability"] for each in classification["labels"]}


def test_a_run_and_its_export_give_the_same_probabilities(
    in_folder: Path, firstlight: Firstlight
) -> None:
    pictures = [f"{number}.png" for number in range(10)]
    exported = firstlight("export", "run", "--format", "onnx", "--out", "mlp.onnx", "--json")
    assert json.loads(exported.out)["temperature"] != 1
    by_run = json.loads(firstlight("classify", "run", *pictures, "--json").out)
    by_file = json.loads(firstlight("classify", "mlp.onnx", *pictures, "--json").out)
    assert [list(result) for result in by_run] == [["file", "labels"]] * 10
    for one, other, name in zip(by_run, by_file, pictures, strict=True):
        assert one["file"] == other["file"] == name and len(one["labels"]) == 5
        assert list(one["labels"][0]) == ["label", "probability"]
        assert probabilities(one) == pytest.approx(probabilities(other), abs=1e-5)
        assert list(probabilities(one).values()) == sorted(probabilities(one).values())[::-1]


def test_top_sets_the_number_of_labels(in_folder: Path, firstlight: Firstlight) -> None:
    (result,) = json.loads(firstlight("classify", "run", "0.png", "--top", 99, "--json").out)
    assert len(result["labels"]) == 10
    assert sum(each["probability"] for each in result["labels"]) == pytest.approx(1, abs=1e-4)
    assert len(firstlight("classify", "run", "0.png", "--top", 2).out.splitlines()) == 2
    assert firstlight("classify", "run", "0.png", "--top", 0).code == 2


def test_unreadable_files_do_not_stop_the_others(in_folder: Path, firstlight: Firstlight) -> None:
    (in_folder / "text.png").write_text("no picture")
    pictures = ["0.png", "text.png", "nowhere.png", "1.png"]
    answer = firstlight("classify", DIGITS_MODEL, *pictures, "--json")
    results = json.loads(answer.out)
    assert answer.code == 1 and [result["file"] for result in results] == pictures
    best = [result["labels"][0]["label"] if result["labels"] else "" for result in results]
    assert best == ["7", "", "", "2"]
    assert "text.png: not a picture" in answer.err and "nowhere.png: no such file" in answer.err
    lines = firstlight("classify", DIGITS_MODEL, *pictures).out.splitlines()
    assert len(lines) == 2 and lines[0].startswith("0.png: 7 ")
    assert firstlight("classify", DIGITS_MODEL, "text.png").out == ""
    assert firstlight("classify", DIGITS_MODEL, "text.png", "1.png").out.startswith("1.png: 2 ")


@pytest.mark.parametrize(
    ("model", "code", "message"),
    [
        ("nowhere", 4, "no run at nowhere"),
        ("nowhere.onnx", 4, "no model at nowhere.onnx"),
        ("0.png", 4, "0.png is not an ONNX model that can be run"),
        ("foreign.onnx", 2, "not a model of firstlight"),
    ],
)
def test_a_network_that_is_not_ours_is_refused(
    in_folder: Path, firstlight: Firstlight, model: str, code: int, message: str
) -> None:
    import onnx

    ends = [onnx.helper.make_tensor_value_info(n, 1, [None, 28, 28, 1]) for n in ("image", "y")]
    identity = onnx.helper.make_node("Identity", ["image"], ["y"])
    graph = onnx.helper.make_graph([identity], "foreign", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 17)]
    foreign = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.save(foreign, in_folder / "foreign.onnx")
    answer = firstlight("classify", model, "0.png", "-q")
    assert answer.code == code and message in answer.err and len(answer.err.splitlines()) == 1


class ConstantClassifier:
    """A classifier that gives every image the same probabilities, and counts the images."""

    input = (28, 28, 1)
    classes: tuple[str, ...] = ("0", "1")
    image_kind: ImageKind = "digits"
    values = None

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        self.batch_sizes.append(len(images))
        return np.tile(np.float32([0.25, 0.75]), (len(images), 1))


def test_many_pictures_go_in_batches(in_folder: Path) -> None:
    network = ConstantClassifier()
    results = classify(network, [Path("0.png")] * 40 + [Path("x")] * 40, top=1)
    assert len(results) == 80 and max(network.batch_sizes) <= 32
    assert results[0] == Classification(Path("0.png"), (Label("1", 0.75),))
    assert results[0].to_json() == {
        "file": "0.png",
        "labels": [{"label": "1", "probability": 0.75}],
    }
    assert results[-1].to_json() == {"file": "x", "labels": []}
    assert [result.problem for result in results] == [None] * 40 + [
        "x: no such file or directory"
    ] * 40


def test_labels_of_a_table_stay_texts(here: Path) -> None:
    network = ConstantClassifier()
    network.classes = ("=x", "007")
    np.save("a.npy", np.zeros((2, 28, 28), np.uint8))
    for name in ("o.csv", "o.jsonl"):
        write_answers(network, [Path("a.npy")], Path(name), top=2, quiet=True)
    with Path("o.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["label"], row["label_2"], row["probability"]) == ("'007", "'=x", "0.75")
    assert json.loads(Path("o.jsonl").read_text().splitlines()[0])["label"] == "007"


def test_an_exported_file_is_used_without_tensorflow(in_folder: Path) -> None:
    program = (
        "import sys; from firstlight import cli\n"
        "assert cli.run() == 0\n"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "classify", str(DIGITS_MODEL), "0.png"],
        cwd=in_folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split()[-1] == "7"


# Answers as files


def rows_of(path: str) -> list[list[str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def write_pixels(path: str, header: bool = True, label: bool = False, count: int = 6) -> None:
    """Write MNIST's first test images as a table."""
    test = mnist.load("test")
    rows = test.images[:count].reshape(count, -1)
    names = [f"pixel{number}" for number in range(rows.shape[1])]
    if label:
        rows, names = np.column_stack([test.labels[:count], rows]), ["label", *names]
    np.savetxt(
        path, rows, "%d", delimiter=",", header=",".join(names) if header else "", comments=""
    )


@pytest.fixture
def expected() -> list[str]:
    """What the network says of MNIST's first test images."""
    probabilities = fl.predict(DIGITS_MODEL, mnist.load("test").images[:6])
    return [OnnxModel(DIGITS_MODEL, is_ours=True).classes[each] for each in probabilities.argmax(1)]


def test_a_table_from_kaggle_is_answered_as_kaggle_asks(
    here: Path, firstlight: Firstlight, expected: list[str]
) -> None:
    write_pixels("test.csv")
    answer = firstlight("predict", DIGITS_MODEL, "test.csv", "--out", "submission.csv")
    assert answer.code == 0 and answer.out == "submission.csv: 6 rows\n"
    ids = [str(number) for number in range(1, 7)]
    assert rows_of("submission.csv") == [
        ["ImageId", "Label"],
        *map(list, zip(ids, expected, strict=True)),
    ]


@pytest.mark.parametrize("name", ["a.csv", "b.csv", "c.csv.gz", "d.npz", "e.npz", "f.npy", "g"])
def test_files_of_images_are_answered_row_by_row(
    here: Path, firstlight: Firstlight, expected: list[str], name: str
) -> None:
    images = mnist.load("test").images[:6][..., 0]
    write_pixels("a.csv", label=True)
    write_pixels("b.csv", label=True, header=False)
    write_pixels("c.csv.gz", header=False)
    np.savez("d.npz", x_train=images[:0], y_train=np.arange(6), x_test=images / 255)
    np.savez("e.npz", images.reshape(6, -1))
    np.save("f.npy", images[..., None])
    Path("g").write_bytes(bytes.fromhex("00000803 00000006 0000001c 0000001c") + images.tobytes())
    firstlight("predict", DIGITS_MODEL, name, "--out", "out.csv", "--top", 2)
    header, *rows = rows_of("out.csv")
    assert header == [*("file", "row", "label", "probability", "label_2", "probability_2", "note")]
    assert [row[:3] for row in rows] == [[name, str(n), each] for n, each in enumerate(expected)]
    assert all(float(row[3]) > float(row[5]) > 0 for row in rows)


def test_folders_are_answered_in_order_and_bad_pictures_are_named(
    here: Path, firstlight: Firstlight
) -> None:
    images = mnist.load("test").images
    (here / "scans" / "sub").mkdir(parents=True)
    for name, number in (("10.png", 0), ("9.png", 1), ("sub/=x.png", 2)):
        save(here / "scans" / name, images[number, ..., 0])
    (here / "scans" / "text.png").write_text("no picture")
    (here / "scans" / "notes.txt").write_text("no picture")
    answer = firstlight("predict", DIGITS_MODEL, "scans", "--out", "out.csv")
    assert answer.code == 1 and "firstlight: scans/text.png: not a picture" in answer.err
    assert answer.out == "out.csv: 4 rows, 1 unreadable file, 1 other file left out\n"
    _, *rows = rows_of("out.csv")
    assert [row[:2] for row in rows] == [
        ["scans/9.png", "2"],
        ["scans/10.png", "7"],
        ["scans/text.png", ""],
        ["scans/sub/=x.png", "1"],
    ]
    assert rows[2][-1].startswith("not a picture")
    classified = json.loads(firstlight("classify", DIGITS_MODEL, "scans", "--json").out)
    assert [each["file"] for each in classified] == [row[0] for row in rows]
    firstlight("predict", DIGITS_MODEL, "scans/*.png", "--out", "out.jsonl", "--top", 3)
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [
        ["file", "label", "probability", "labels", "note"]
    ] * 3
    assert [len(line["labels"]) for line in lines] == [3, 3, 0]
    assert firstlight("predict", DIGITS_MODEL, "scans/text.png", "--out", "out.csv").code == 4


def test_what_cannot_be_answered_is_one_line(here: Path, firstlight: Firstlight) -> None:
    write_pixels("test.csv")
    np.savez("objects.npz", np.array([{}], dtype=object))
    np.savez("flat.npz", np.zeros((3, 10)))
    np.savez("labels.npz", y_test=np.zeros(3))
    Path("words.csv").write_text("label,pixel0\n1,word\n")
    Path("empty.csv").touch()
    Path("cut.npz").write_bytes(Path("flat.npz").read_bytes()[:200])
    cases = {
        "objects.npz": (4, "objects.npz: arr_0 holds Python objects (a pickle)"),
        "flat.npz": (4, "flat.npz: images: an array of shape (3, 10)"),
        "labels.npz": (4, "labels.npz has y_test (3,); name one of images: x_test, images"),
        "words.csv": (4, "words.csv: not a table of images"),
        "empty.csv": (4, "empty.csv: "),
        "cut.npz": (4, "cut.npz: not a readable .npz file"),
        "folder": (4, "no pictures in folder"),
    }
    (here / "folder").mkdir()
    for name, (code, message) in cases.items():
        answer = firstlight("predict", DIGITS_MODEL, name, "--out", "out.csv")
        assert answer.code == code and message in answer.err, (name, answer)
        assert len(answer.err.splitlines()) == 1 and not Path("out.csv").exists()
    same = firstlight("predict", DIGITS_MODEL, "test.csv", "--out", "test.csv")
    assert same.code == 2 and "give another name" in same.err
    assert firstlight("predict", DIGITS_MODEL, "test.csv", "--out", "out.txt").code == 2


def test_answering_with_an_onnx_file_imports_no_tensorflow(here: Path) -> None:
    write_pixels("test.csv")
    program = (
        "import sys; from firstlight import cli; assert cli.run() == 0\n"
        "assert not {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()"
    )
    arguments = ["predict", str(DIGITS_MODEL), "test.csv", "--out", "out.csv"]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)


# Files of strangers

FORM = {"input": [28, 28, 1], "classes": ["a", "b", "c"], "image_kind": "arrays"}


def stranger(path: str, *nodes: Any, batch: int | None = None, metadata: Any = FORM) -> None:
    """Write a network of 28×28 pixels and three classes; its nodes take "sums" (n, 3)."""
    import onnx
    from onnx import helper, numpy_helper

    image = helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [batch, 28, 28, 1])
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [batch, 3])
    weights = numpy_helper.from_array(np.ones((784, 3), np.float32) / 784, "weights")
    shape = numpy_helper.from_array(np.array([-1, 784]), "shape")
    begin = [
        helper.make_node("Cast", ["image"], ["floats"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "shape"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["sums"]),
    ]
    end = nodes or [helper.make_node("Identity", ["sums"], ["logits"])]
    graph = helper.make_graph([*begin, *end], "stranger", [image], [logits], [weights, shape])
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    onnx.helper.set_model_props(model, {"firstlight": text})
    onnx.save(model, path)


def endless() -> list[Any]:
    """A loop whose condition stays true."""
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str, kind: int, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["old", "old"], ["new"]),
        ],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []),
         value("old", TensorProto.FLOAT, [None, 3])],
        [value("go_on", TensorProto.BOOL, []), value("new", TensorProto.FLOAT, [None, 3])],
    )  # fmt: skip
    always = helper.make_node(
        "Constant", [], ["always"], value=numpy_helper.from_array(np.array(True))
    )
    return [always, helper.make_node("Loop", ["", "always", "sums"], ["logits"], body=body)]


def huge() -> list[Any]:
    """A constant of 4 GB."""
    from onnx import helper, numpy_helper

    size = numpy_helper.from_array(np.array([2**30]))
    axes = {"keepdims": 0}
    return [
        helper.make_node("Constant", [], ["size"], value=size),
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["largest"], **axes),
        helper.make_node("Add", ["sums", "largest"], ["logits"]),
    ]


def no_numbers() -> list[Any]:
    from onnx import helper

    return [
        helper.make_node("Sub", ["sums", "sums"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["logits"]),
    ]


def test_files_of_strangers_are_answered_with_one_line(
    here: Path, firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "MAX_SECONDS", 0.2)
    monkeypatch.setattr(onnx_model, "MAX_SECONDS_PER_IMAGE", 0.1)
    save(here / "a.png", mnist.load("test").images[0, ..., 0])
    stranger("good.onnx")
    assert firstlight("classify", "good.onnx", "a.png").code == 0
    nameless = "no name that can be printed"
    not_ours, cannot = "not a model of firstlight", "this network cannot be run"
    cases: dict[str, tuple[dict[str, Any], int, str]] = {
        "batch": ({"batch": 5}, 2, "[5, 28, 28, 1]: not a model"),
        "side": ({"metadata": FORM | {"input": [30000, 30000, 1]}}, 2, "images of 30000×30000×1"),
        "escape": (
            {"metadata": FORM | {"classes": ["\x1b[2J", "b", "c"]}},
            2,
            "no name that can be",
        ),
        "turned": (
            {"metadata": FORM | {"classes": ["\u202ea", "b", "c"]}},
            2,
            "no name that can be",
        ),
        "number": ({"metadata": FORM | {"classes": [0, 1, 2]}}, 2, nameless),
        "values": ({"metadata": FORM | {"values": [255, 0]}}, 2, not_ours),
        "threshold": ({"metadata": FORM | {"threshold": "x"}}, 2, not_ours),
        "deep": ({"metadata": "[" * 100_000}, 2, not_ours),
    }
    for name, (changed, code, message) in cases.items():
        stranger(f"{name}.onnx", **changed)
        answer = firstlight("classify", f"{name}.onnx", "a.png")
        assert answer.code == code and message in answer.err, (name, answer)
        assert len(answer.err.splitlines()) == 1 and "\x1b" not in answer.err
    for name, nodes, message in (
        ("endless", endless(), f"{cannot} (it takes more than"),
        ("huge", huge(), cannot),
        ("nan", no_numbers(), "not a finite number for each class"),
    ):
        stranger(f"{name}.onnx", *nodes)
        answer = firstlight("classify", f"{name}.onnx", "a.png")
        assert answer.code == 4 and message in answer.err, (name, answer)
        assert len(answer.err.splitlines()) == 1
