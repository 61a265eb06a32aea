"""Measures how accurate runs are, and what they get wrong."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from firstlight import catalog, model
from firstlight.datasets import ALL, SPLITS, Dataset, Examples
from firstlight.datasets._arrays import test_dataset
from firstlight.errors import UsageError
from firstlight.evaluation.crops import PREDICT_WITH_CROPS
from firstlight.evaluation.predictions import write_predictions
from firstlight.images.crops import Size
from firstlight.probabilities import softmax
from firstlight.recipe import check_choice
from firstlight.runs.documents import Evaluation, Measured, Mistake, ModelInfo
from firstlight.runs.files import write_json
from firstlight.runs.run import Run
from firstlight.settings import DataChoice

MAX_CLASSES_IN_MESSAGE = 12
Z95 = 1.959964  # standard deviations to each side that hold 95 % of a normal distribution


def evaluate(
    runs: list[Run],
    data: DataChoice = "",
    split: str = "",
    crops: str = "middle",
    quiet: bool = True,
    *,
    predictions_file: Path | None = None,
) -> Evaluation:
    """Measure runs on a split; a single run keeps the evaluation and its figures in its folder.

    Several runs are an ensemble: their probabilities are averaged.

    Args:
        data: a dataset's name or path; "" for the data that the first run was trained on.
        split: test, val or train, or "": see `open_dataset`.
        crops: which crops of a picture are averaged: one of CROPS.
        predictions_file: a file for each image's prediction, .csv or .jsonl.

    Raises:
        UsageError: the data's classes are not the network's, or its images have no crops.
        DataError: a run or the data is missing or damaged.
    """
    check_choice("views", crops, tuple(PREDICT_WITH_CROPS))
    dataset, split = open_dataset(runs[0], data, split, quiet)
    examples = dataset.load(split)
    predictions = [predict_probabilities(run, dataset, examples, crops, quiet) for run in runs]
    if len({probabilities.shape for probabilities in predictions}) > 1:
        raise UsageError("runs with different classes cannot form an ensemble")
    probabilities = np.mean(predictions, axis=0)
    evaluation = summarize(
        probabilities,
        examples,
        network=" + ".join(run.record().settings.network for run in runs),
        data=dataset.name,
        split=split,
        crops=crops,
        classes=runs[0].model_info().classes,
    )
    measured = Measured(examples, probabilities, runs[0].network().input)
    evaluation = replace(evaluation, measured=measured)
    if predictions_file:
        write_predictions(predictions_file, examples, probabilities, evaluation.classes)
    if len(runs) == 1:
        own_split = dataset.evaluation_split if is_own_data(runs[0], data) else None
        name = file_name(evaluation, dataset, own_split)
        if unfinished := runs[0].unfinished():  # evaluation.json is about a finished training
            name += f"-step-{unfinished.step}"
        return keep(runs[0], evaluation, examples, probabilities, name)
    return evaluation


def open_dataset(run: Run, data: DataChoice, split: str, quiet: bool) -> tuple[Dataset, str]:
    """Return the data to measure on, and its split; print which pictures of a folder are left out.

    "" is the test split; but of pictures that are not the run's own and have no splits, all are
    measured. Where there is no test split, val is measured.

    Raises:
        UsageError: there is no such split.
    """
    if split:
        check_choice("split", split, SPLITS)
    if isinstance(data, tuple):
        dataset = test_dataset(*data, classes=run.model_info().classes)
        return dataset, dataset.evaluation_split
    dataset = catalog.dataset(data, quiet=quiet) if data else run.dataset()
    if not split and dataset.is_unsplit and not is_own_data(run, data):
        split = ALL
    if data and not quiet:
        notices = dataset.notices(of_splits=split != ALL)
        if split == ALL:
            notices += seen_pictures(run, dataset)
        for notice in notices:
            print(notice, file=sys.stderr)
    return dataset, dataset.evaluation_split if split in ("", "test") else split


def seen_pictures(run: Run, dataset: Dataset) -> list[str]:
    """Return what must be said if pictures of other data are some that the run was trained on."""
    own, other = run.listing(), dataset.listing
    if own is None or other is None:
        return []
    trained = set(own.splits.get("train", {}).values())
    digests = [digest for files in other.splits.values() for digest in files.values()]
    seen = sum(digest in trained for digest in digests)
    if not seen:
        return []
    return [f"{seen:,} of the {len(digests):,} pictures are some that {run.folder} was trained on"]


def refuse_other_classes(run: Run, dataset: Dataset) -> None:
    """Raises UsageError if the data's classes are not the network's."""
    classes = run.model_info().classes
    if classes[: len(dataset.classes)] != dataset.classes:  # the network may add some, as "none"
        raise UsageError(
            f"{run.folder} knows the classes {name_classes(classes)}; "
            f"{dataset.name} has {name_classes(dataset.classes)}"
        )


def predict_probabilities(
    run: Run, dataset: Dataset, examples: Examples, crops: str = "middle", quiet: bool = True
) -> np.ndarray:
    """Return a run's probabilities (N, classes) for the examples of a dataset.

    Raises:
        UsageError: the data's classes are not the network's.
    """
    refuse_other_classes(run, dataset)
    network, _ = model.load(run)
    images = examples.images.resized(network.input_shape[1:])
    return PREDICT_WITH_CROPS[crops](network, images, quiet)


def summarize(
    probabilities: np.ndarray,
    examples: Examples,
    *,
    network: str,
    data: str,
    split: str,
    crops: str = "middle",
    classes: tuple[str, ...],
) -> Evaluation:
    """Return the evaluation that probabilities (N, classes) give."""
    labels, count = examples.labels, probabilities.shape[1]
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    confusion = np.zeros((count, count), int)
    np.add.at(confusion, (labels, predicted), 1)
    wrong = np.flatnonzero(predicted != labels)
    most_confident_first = wrong[np.argsort(-confidence[wrong], kind="stable")]
    mistakes = tuple(
        Mistake(
            index=int(index),
            label=int(labels[index]),
            predicted=int(predicted[index]),
            confidence=round(float(confidence[index]), 6),
            file=examples.images.file(int(index)),
        )
        for index in most_confident_first
    )
    correct = len(labels) - len(mistakes)
    return Evaluation(
        network=network,
        data=data,
        split=split,
        crops=crops,
        examples=len(labels),
        correct=correct,
        interval95=interval95(correct, len(labels)),
        top5=top5_accuracy(probabilities, labels) if count > 10 else None,
        classes=classes,
        confusion=confusion.tolist(),
        mistakes=mistakes,
        measured=Measured(examples, probabilities),
    )


def top5_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return how often the label is among the five most probable classes, 0 to 1."""
    five_best = np.argsort(-probabilities, axis=1)[:, :5]
    return float((five_best == labels[:, np.newaxis]).any(axis=1).mean())


def interval95(correct: int, examples: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy (Wilson, 1927)."""
    z, p = Z95, correct / examples
    center = p + z * z / (2 * examples)
    half = z * math.sqrt(p * (1 - p) / examples + (z / (2 * examples)) ** 2)
    scale = 1 + z * z / examples
    low, high = (center - half) / scale, (center + half) / scale
    return max(0.0, low), min(1.0, high)  # rounding can lead just outside


def is_own_data(run: Run, data: DataChoice) -> bool:
    """Return whether `data` is the data that the run was trained on, as "" always is."""
    if isinstance(data, tuple):
        return False
    if isinstance(data, Dataset):
        return data.fingerprint() == run.record().settings.sha256
    return not data or run.record().settings.data in (str(data), str(Path(data).resolve()))


def file_name(evaluation: Evaluation, dataset: Dataset, own_split: str | None) -> str:
    """Return the name of an evaluation's file, without .json.

    evaluation.json is about the run's own test images, as training measures them. An evaluation of
    anything else has a file of its own, such as evaluation-train.json. Arrays have no name that
    tells them apart, so the beginning of their hash does.

    Args:
        own_split: the split that evaluation.json is about; None for an evaluation of other data.
    """
    parts = ["evaluation"]
    if own_split is None:
        parts.append(evaluation.data)
        if dataset.location is None:
            parts.append(next(iter(dataset.fingerprint().values()))[:8])
    if evaluation.split != own_split:
        parts.append(evaluation.split)
    if evaluation.crops != "middle":
        parts.append(evaluation.crops)
    return "-".join(parts)


def keep(
    run: Run,
    evaluation: Evaluation,
    examples: Examples,
    probabilities: np.ndarray,
    name: str,
) -> Evaluation:
    """Write an evaluation and its figures into the run folder; return it with the figures' folder.

    Args:
        name: see `file_name`.
    """
    from firstlight.figures.evaluation import draw_evaluation  # matplotlib takes 0.3 s to import

    figures = run.figures if name == "evaluation" else run.figures / name
    write_json(run.folder / f"{name}.json", evaluation.to_json())
    draw_evaluation(run, evaluation, examples, probabilities, figures)
    return replace(evaluation, figures=figures)


def name_classes(classes: tuple[str, ...]) -> str:
    """Return the names of the classes for a message: the first ones, if there are many."""
    named = ", ".join(classes[:MAX_CLASSES_IN_MESSAGE])
    if len(classes) > MAX_CLASSES_IN_MESSAGE:
        named += f" and {len(classes) - MAX_CLASSES_IN_MESSAGE} more"
    return named


class KerasClassifier:
    """A run's network in the form that `classify` needs: see classification.Classifier."""

    def __init__(self, network: keras.Model, info: ModelInfo) -> None:
        self.input: Size = network.input_shape[1:]
        self.classes = info.classes
        self.image_kind = info.image_kind
        self.values = info.values
        self._logits = model.predictor(network)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities (N, classes) of images (N, *input) uint8."""
        return softmax(self._logits(images))


def classifier(run: Run) -> KerasClassifier:
    """Return a run's network in the form that `classify` needs.

    Raises:
        DataError: no step was trained yet, or the run is damaged.
    """
    network, _ = model.load(run)
    return KerasClassifier(network, run.model_info())
