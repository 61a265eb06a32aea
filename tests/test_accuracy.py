"""Accuracy, its interval, mistakes, and what an evaluation leaves in the run folder."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer
from drawn import check_texts, images_of
from PIL import Image

import firstlight as fl
from firstlight import catalog, console, model
from firstlight.datasets import Examples, FolderImages, array_examples, mnist
from firstlight.errors import DataError, UsageError
from firstlight.evaluation import accuracy
from firstlight.evaluation.accuracy import evaluate, interval95, predict_probabilities, summarize
from firstlight.evaluation.predictions import write_predictions
from firstlight.figures.evaluation import Answers
from firstlight.probabilities import softmax
from firstlight.runs.documents import Evaluation, ModelInfo
from firstlight.runs.files import read_json
from firstlight.runs.run import Run
from firstlight.settings import prepare
from firstlight.training import trainer

NAMES = {"network": "net", "data": "noise", "split": "test", "classes": ()}


@pytest.fixture
def copy(run: Run, here: Path) -> Run:
    """A run of its own for a test that changes it."""
    return Run(Path(shutil.copytree(run.folder, here / "run")))


def examples(labels: list[int]) -> Examples:
    return array_examples(np.zeros((len(labels), 4, 4, 1), np.uint8), np.array(labels))


def test_a_summary_adds_up() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.99, 0.01]])
    evaluation = summarize(probabilities, examples([0, 1, 0, 1]), **NAMES)
    assert evaluation.examples == 4 and evaluation.correct == 2 and evaluation.accuracy == 0.5
    assert evaluation.confusion == [[1, 1], [1, 1]]
    assert [m.index for m in evaluation.mistakes] == [3, 2]  # the most confident first
    first = evaluation.mistakes[0].to_json()
    assert first == {"index": 3, "label": 1, "predicted": 0, "confidence": 0.99}
    assert "top5" not in evaluation.to_json()


def test_an_evaluation_from_a_file_names_its_classes_by_number() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    names = {**NAMES, "classes": ("cat", "dog")}
    evaluation = summarize(probabilities, examples([0, 1, 0]), **names)
    document = evaluation.to_json()
    read = Evaluation.from_json(document, Path("evaluation.json"))
    assert read == evaluation and read.to_json() == document
    assert "classes" not in document
    assert [score.name for score in evaluation.by_class] == ["cat", "dog"]
    assert [score.name for score in read.by_class] == ["0", "1"]
    assert [score.recall for score in read.by_class] == [0.5, 1]
    assert read.confusion_matrix().axes
    assert "66.67% right, 2 of 3" in read._repr_html_()
    for draw in (read.mistakes_figure, read.reliability_diagram):
        with pytest.raises(DataError, match=r"from a file has no images .* measure again with"):
            draw()


@pytest.mark.parametrize("count", [1, 2])
def test_an_evaluation_draws_its_mistakes_and_its_reliability(count: int, copy: Run) -> None:
    evaluation = fl.evaluate([copy] * count, quiet=True)
    mistakes = evaluation.mistakes_figure()
    texts = " ".join(text for text, _ in check_texts(mistakes))
    assert len(images_of(mistakes)) == min(25, len(evaluation.mistakes)) == texts.count("✗")
    if evaluation.figures:
        saved = (evaluation.figures / "mistakes.png").read_bytes()
        assert mistakes._repr_png_() == saved
    _, lower = evaluation.reliability_diagram().axes
    assert sum(bar.get_height() for bar in lower.patches) == evaluation.examples
    assert evaluation.measured and len(evaluation.measured.probabilities) == evaluation.examples


def test_many_classes_have_a_top5() -> None:
    probabilities = np.tile(np.linspace(0, 1, 12), (2, 1))
    assert summarize(probabilities, examples([7, 6]), **NAMES).top5 == 0.5


@pytest.mark.parametrize(("correct", "examples"), [(9, 10), (0, 10), (10, 10), (9912, 10_000)])
def test_the_interval_is_wilsons(correct: int, examples: int) -> None:
    for bound in interval95(correct, examples):  # Wilson's definition of a bound
        deviation = (bound * (1 - bound) / examples) ** 0.5
        assert abs(correct / examples - bound) == pytest.approx(1.959964 * deviation, abs=1e-7)


def test_an_evaluation_of_a_run_is_what_its_network_answers(copy: Run) -> None:
    evaluation = evaluate([copy])
    test = copy.dataset().load("test")
    network, _ = model.load(copy)
    logits = network(test.images[:]).numpy()
    probabilities = predict_probabilities(copy, copy.dataset(), test)
    np.testing.assert_allclose(probabilities, softmax(logits), atol=1e-6)
    assert evaluation.correct == np.sum(logits.argmax(1) == test.labels)
    assert sum(map(sum, evaluation.confusion)) == evaluation.examples == 100
    assert evaluation.accuracy > 0.4


def test_an_evaluation_leaves_its_json_and_its_figures(copy: Run) -> None:
    evaluation = evaluate([copy])
    document = read_json(copy.evaluation_file)
    assert document == json.loads(json.dumps(evaluation.to_json()))
    assert Evaluation.from_json(document, copy.evaluation_file) == evaluation
    for name in ("confusion_matrix", "mistakes", "predictions"):
        assert (copy.figures / f"{name}.png").is_file()


def test_an_evaluation_of_another_split_leaves_the_test_evaluation_alone(copy: Run) -> None:
    test = evaluate([copy])
    before = copy.evaluation_file.read_bytes()
    picture = (copy.figures / "confusion_matrix.png").read_bytes()
    train = evaluate([copy], split="train")
    other = evaluate([copy], data="mnist", split="val")
    assert (test.examples, train.examples, other.examples) == (100, 550, 5000)
    assert copy.evaluation_file.read_bytes() == before
    assert (copy.figures / "confusion_matrix.png").read_bytes() == picture
    names = {path.name for path in copy.folder.glob("evaluation*.json")}
    assert names == {"evaluation.json", "evaluation-train.json", "evaluation-mnist-val.json"}
    assert (copy.figures / "evaluation-train" / "mistakes.png").is_file()


def test_a_runs_own_data_by_its_path_is_its_own(copy: Run, digits: Path) -> None:
    evaluate([copy], data=str(digits))
    assert [path.name for path in copy.folder.glob("evaluation*")] == ["evaluation.json"]


def test_an_ensemble_averages_probabilities(copy: Run, digits: Path, here: Path) -> None:
    trainer.train(prepare("softmax", str(digits), steps=20), here / "other", quiet=True)
    other = Run.open(here / "other")
    dataset = copy.dataset()
    test = dataset.load("test")
    mean = np.mean([predict_probabilities(run, dataset, test) for run in (copy, other)], axis=0)
    evaluation = evaluate([copy, other])
    assert evaluation.correct == np.sum(mean.argmax(1) == test.labels)
    assert evaluation.network == "mlp + softmax"
    assert not list(here.rglob("evaluation*"))  # an ensemble has no folder of its own


def test_softmax_survives_huge_logits() -> None:
    answers = softmax(np.array([[1e4, 0.0], [-1e4, -1e4]]))
    np.testing.assert_allclose(answers, [[1, 0], [0.5, 0.5]])


def test_a_run_of_other_classes_is_refused(copy: Run) -> None:
    arrays = model.arrays(catalog.network("mlp").build(3))
    model.save(copy, ModelInfo("mlp", mnist.CLASSES[:3], "digits"), arrays)
    with pytest.raises(UsageError, match=r"knows the classes 0, 1, 2; mnist has 0, 1, .*, 9"):
        evaluate([copy], "mnist")


def test_a_run_may_know_more_classes_than_the_data_has(copy: Run) -> None:
    classes = (*mnist.CLASSES, "none")
    arrays = model.arrays(catalog.network("mlp").build(11))
    model.save(copy, ModelInfo("mlp", classes, "digits"), arrays)
    dataset = catalog.dataset("mnist")
    val = dataset.load("val")
    probabilities = predict_probabilities(copy, dataset, val)
    assert probabilities.shape == (5000, 11)
    correct = evaluate([copy], "mnist", "val").correct  # "none" is wrong for a digit
    assert correct == (probabilities.argmax(1) == val.labels).sum()


def test_weights_of_another_network_are_refused(copy: Run) -> None:
    arrays = model.arrays(catalog.network("softmax").build(10))
    model.save(copy, ModelInfo("mlp", mnist.CLASSES, "digits"), arrays)
    with pytest.raises(DataError, match="does not fit the network: the file lacks hidden/bias"):
        model.load(copy)


def test_a_missing_run_names_the_runs_that_exist(copy: Run, here: Path) -> None:
    with pytest.raises(DataError, match=r"no run at .*rnu; runs in .*: run"):
        Run.open(here / "rnu")


def test_many_classes_are_named_in_part() -> None:
    named = accuracy.name_classes(tuple(map(str, range(30))))
    assert named.startswith("0, 1, ") and named.endswith("11 and 18 more")


def test_the_gate_is_exit_3_after_the_answer(copy: Run, firstlight: Callable[..., Answer]) -> None:
    answer = firstlight("evaluate", "run", "--min-accuracy", "0.9999", "--json")
    assert answer.code == 3 and json.loads(answer.out)["examples"] == 100
    assert "is below --min-accuracy 0.9999" in answer.err


ANSWERS = np.array([[0.9, 0.1], [0.25, 0.75], [0.3, 0.7]])


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+2", "'=1+2"),
        ("+a", "'+a"),
        ("-a", "'-a"),
        ("@a", "'@a"),
        ('a, "b"\nc', 'a, "b"\nc'),
        ("a=b", "a=b"),
    ],
)
def test_predictions_as_csv_are_safe_in_a_spreadsheet(name: str, cell: str, here: Path) -> None:
    write_predictions(Path("p.csv"), examples([0, 0, 1]), ANSWERS, [name, "b"])
    with Path("p.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["index", "label", "predicted", "probability", "right"],
        ["0", cell, cell, "0.9", "1"],
        ["1", cell, "b", "0.75", "0"],
        ["2", "b", "b", "0.7", "1"],
    ]


def test_predictions_as_json_lines_have_the_names_as_they_are(here: Path) -> None:
    write_predictions(Path("p.JSONL"), examples([0, 0, 1]), ANSWERS, ["=猫", "b"])
    rows = [json.loads(line) for line in Path("p.JSONL").read_text("utf-8").splitlines()]
    assert rows[1] == {
        "index": 1, "label": "=猫", "predicted": "b", "probability": 0.75, "right": False,
    }  # fmt: skip
    assert len(rows) == 3


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("count", [1, 2])
def test_evaluate_writes_the_prediction_of_each_image(
    ending: str, count: int, copy: Run, firstlight: Callable[..., Answer]
) -> None:
    answer = firstlight("evaluate", *count * ["run"], "--predictions", f"new/p.{ending}")
    assert answer.code == 0 and f"predictions in new/p.{ending}" in answer.out
    text = Path(f"new/p.{ending}").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in text] if ending == "jsonl" else [*csv.DictReader(text)]
    evaluation = copy.evaluate(predictions=f"again.{ending}", quiet=True)
    assert Path(f"again.{ending}").read_text("utf-8").splitlines() == text
    assert [int(row["index"]) for row in rows] == [*range(evaluation.examples)]
    assert sum(int(row["right"]) for row in rows) == evaluation.correct
    first = evaluation.mistakes[0]
    row = rows[first.index]
    assert (row["label"], row["predicted"]) == (str(first.label), str(first.predicted))
    assert float(row["probability"]) == first.confidence


def test_predictions_for_a_folder_name_its_files(here: Path) -> None:
    for index, image in enumerate(mnist.load("test").first(24).images[:]):
        folder = here / "pictures" / ("train", "val")[index % 2] / f"={index % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).resize((64, 64)).save(folder / f"{index}.png")
    run = fl.train("softmax", "pictures", steps=2, quiet=True)
    run.evaluate(predictions="p.csv", quiet=True)
    rows = [*csv.DictReader(Path("p.csv").read_text("utf-8").splitlines())]
    assert {row["file"] for row in rows} == {f"val/={n % 3}/{n}.png" for n in range(1, 24, 2)}
    assert {row["label"] for row in rows} == {"'=0", "'=1", "'=2"}


@pytest.mark.parametrize("name", ["p.txt", "p", "run", "p.csv.gz", "run/metrics.jsonl"])
def test_predictions_in_another_file_are_refused_before_any_work(
    name: str, copy: Run, firstlight: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "evaluate", None)
    before = copy.metrics_file.read_text("utf-8")
    answer = firstlight("evaluate", "run", "--predictions", name)
    assert answer.code == 2 and answer.out == "" and answer.err.count("\n") == 1
    assert f"--predictions {name}" in answer.err
    assert copy.metrics_file.read_text("utf-8") == before and not Path("p.csv").exists()


def test_predictions_that_cannot_be_written_leave_no_part(copy: Run, here: Path) -> None:
    (here / "file").write_text("")
    with pytest.raises(OSError):
        copy.evaluate(predictions=here / "file" / "p.csv", quiet=True)
    Path("p.csv").write_text("old")
    with pytest.raises(IndexError):
        write_predictions(Path("p.csv"), examples([0, 5, 1]), ANSWERS, ["a", "b"])
    assert Path("p.csv").read_text() == "old" and not list(here.glob(".*"))


def test_what_is_printed_says_how_many_mistakes_there_are_and_where(run: Run) -> None:
    wrong = np.full((30, 10), 0.1)
    evaluation = summarize(wrong, examples([1] * 30), **NAMES)
    few = replace(evaluation, mistakes=evaluation.mistakes[:12], figures=Path("figures"))
    many = replace(evaluation, figures=Path("figures"))
    for measured, line in (
        (few, "the 5 surest of 12 mistakes; all are in figures/mistakes.png:"),
        (many, "the 5 surest of 30 mistakes; the 25 surest are in figures/mistakes.png:"),
        (evaluation, "the 5 surest of 30 mistakes:"),
    ):
        assert console.evaluation(measured, [run])[1] == line
    short = replace(evaluation, mistakes=evaluation.mistakes[:5])
    assert not any("surest" in line for line in console.evaluation(short, [run]))
    right = round(run.result.test_accuracy * 100)
    assert console.training(run.result)[1].endswith(f", {right} of 100")


def test_photographs_are_shown_with_what_the_network_sees_of_them(tmp_path: Path) -> None:
    photographs = Examples(FolderImages(tmp_path, ["1.jpg"]), np.zeros(1, np.int32))
    probabilities = np.ones((1, 2)) / 2
    for size, line in (
        ((28, 28, 1), ["The network sees each picture at 28×28 pixels in grey."]),
        ((32, 32, 3), ["The network sees each picture at 32×32 pixels in colour."]),
        ((224, 224, 3), []),
    ):
        assert Answers(photographs, ("a", "b"), probabilities, size).seen == line
    assert Answers(examples([0]), ("a", "b"), probabilities, (28, 28, 1)).seen == []
