"""What a report says about a run: numbers, figures as PNG files, and the surest mistakes."""

import hashlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from firstlight.datasets import Dataset, Examples
from firstlight.evaluation.accuracy import predict_probabilities, summarize
from firstlight.evaluation.calibration import calibration_error
from firstlight.figures.reliability import reliability_diagram
from firstlight.figures.style import as_png
from firstlight.figures.training import augmentations, effective, learning_curves
from firstlight.runs.documents import ClassScore, Evaluation, Mistake, RunRecord
from firstlight.runs.run import Run

MAX_MISTAKES = 24  # pictures of mistakes
MAX_CLASSES = 50  # rows of the table of classes: those with the worst recall
THUMBNAIL_SIDE = 120  # pixels


@dataclass(frozen=True)
class Picture:
    """A PNG file, and what it shows."""

    png: bytes
    title: str


@dataclass(frozen=True)
class MistakePicture:
    """An image whose predicted class is wrong."""

    png: bytes
    label: str
    predicted: str
    confidence: float
    name: str  # the picture's file, or the image's row


@dataclass(frozen=True, kw_only=True)
class RunContents:
    """All that a report says about a run."""

    folder: str
    record: RunRecord
    evaluation: Evaluation
    calibration_error: float  # 0 to 1
    measured_on: tuple[str, str]  # the split, and a SHA-256 of its labels and the data's hashes
    right: np.ndarray  # (N,) bool: which images are answered rightly
    classes: tuple[ClassScore, ...]  # at most MAX_CLASSES
    figures: tuple[Picture, ...]
    mistakes: tuple[MistakePicture, ...]  # at most MAX_MISTAKES, the surest first

    @property
    def recipe(self) -> dict[str, object]:
        """The recipe's values that are not its defaults."""
        return self.record.settings.recipe.given()


def gather(run: Run, dataset: Dataset, split: str, quiet: bool) -> RunContents:
    """Measure a run on a split, and return what a report says about it.

    Raises:
        UsageError: the data's classes are not the network's.
        DataError: the run or the data is missing or damaged.
    """
    record, examples = run.record(), dataset.load(split)
    probabilities = predict_probabilities(run, dataset, examples, quiet=quiet)
    evaluation = summarize(
        probabilities,
        examples,
        network=record.settings.network,
        data=dataset.name,
        split=split,
        classes=run.model_info().classes,
    )
    by_recall = sorted(evaluation.by_class, key=lambda score: score.recall)
    return RunContents(
        folder=str(run.folder),
        record=record,
        evaluation=evaluation,
        calibration_error=calibration_error(probabilities, examples.labels),
        measured_on=(split, identity(dataset, examples)),
        right=probabilities.argmax(1) == examples.labels,
        classes=tuple(by_recall[:MAX_CLASSES]),
        figures=tuple(draw(run, dataset, evaluation, probabilities, examples)),
        mistakes=tuple(mistake_pictures(evaluation, examples)),
    )


def identity(dataset: Dataset, examples: Examples) -> str:
    """Return a SHA-256 that differs for other images, although the data may have the same name."""
    digest = hashlib.sha256(repr((dataset.name, dataset.fingerprint())).encode())
    digest.update(examples.labels.tobytes())
    return digest.hexdigest()


def draw(
    run: Run,
    dataset: Dataset,
    evaluation: Evaluation,
    probabilities: np.ndarray,
    examples: Examples,
) -> list[Picture]:
    """Draw the figures of a run."""
    record = run.record()
    matrix = evaluation.confusion_matrix()
    pictures = [
        Picture(as_png(learning_curves(run.metrics(), record, dataset.name)), "Learning curves"),
        Picture(as_png(matrix), "Confusion matrix"),
        Picture(as_png(reliability_diagram(probabilities, examples.labels)), "Reliability diagram"),
    ]
    if "train" in dataset.splits and record.settings.recipe.augment:
        train = dataset.load("train").resized(run.network().input)
        strengths = effective(record.settings.recipe.augment, train.images)
        if strengths:
            figure = augmentations(train.images, strengths)
            pictures.append(Picture(as_png(figure), "Training images, augmented"))
    return pictures


def mistake_pictures(evaluation: Evaluation, examples: Examples) -> list[MistakePicture]:
    """Return the surest mistakes as small pictures."""
    return [
        MistakePicture(
            png=thumbnail(examples, mistake),
            label=evaluation.classes[mistake.label],
            predicted=evaluation.classes[mistake.predicted],
            confidence=mistake.confidence,
            name=mistake.file or f"image {mistake.index}",
        )
        for mistake in evaluation.mistakes[:MAX_MISTAKES]
    ]


def thumbnail(examples: Examples, mistake: Mistake) -> bytes:
    """Return an image as a PNG file of THUMBNAIL_SIDE pixels; small images keep their pixels."""
    image = examples.images.picture(mistake.index, THUMBNAIL_SIDE).convert("RGB")
    scale = THUMBNAIL_SIDE / max(image.size)
    resampling = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    size = [max(1, round(side * scale)) for side in image.size]
    file = BytesIO()
    image.resize((size[0], size[1]), resampling).save(file, "PNG", optimize=True)
    return file.getvalue()
