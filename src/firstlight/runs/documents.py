"""The JSON documents of a run folder: a type each, and the only place that knows their keys."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.errors import DataError
from firstlight.images.kinds import ImageKind
from firstlight.images.values import ValueRange
from firstlight.printable import is_printable
from firstlight.runs.fields import with_right_types
from firstlight.runs.files import refuse_no_file
from firstlight.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from firstlight.datasets import Examples
    from firstlight.figures.style import NotebookFigure
    from firstlight.images.crops import Size

INTERRUPTED = "interrupted"  # in run.json, why a training has stopped that can be continued
FORMAT = 1  # of run folders; folders of another format are refused
# What Python raises when a document lacks its keys, has other values, or is a million lists deep.
DAMAGED = (
    KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, RecursionError
)  # fmt: skip


@contextmanager
def undamaged(path: Path, place: str = "") -> Iterator[None]:
    """Turn what Python raises when a document lacks its keys into one line that names the file.

    Args:
        place: where in the file.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {place}{error}") from None
    except (
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        ValueError,
        RecursionError,
    ) as error:
        raise DataError(f"{path}: {place}damaged ({type(error).__name__}: {error})") from None


@dataclass
class TrainingStatus:
    """The progress of a training: what a checkpoint holds beside the arrays."""

    step: int = 0
    seconds: float = 0.0  # the time of training so far, validation included
    first_cost: float = math.nan
    final_cost: float = math.nan
    best_step: int = 0
    best_accuracy: float = -1.0  # on the validation images
    best_loss: float = math.inf
    epochs_without_better: int = 0
    stopped: str = ""  # why, once it has
    logged: int = 0  # lines of metrics.jsonl; 0 also in older runs

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Any, path: Path) -> TrainingStatus:
        """Raises DataError if the document is damaged."""
        with undamaged(path):
            return with_right_types(cls(**document))


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What `train` and `first-graph` return."""

    network: str
    data: str
    steps: int
    first_cost: float
    final_cost: float
    test_accuracy: float | None  # None if it was not measured
    seconds: float
    run: str | None  # the run folder; None for a dry run
    test_images: int | None = None  # on which it was measured; None also in older runs

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """run.json: what was trained, with which versions, and the result."""

    settings: Settings
    total_steps: int
    versions: dict[str, str]
    machine: str
    status: TrainingStatus | None = None  # None while it trains
    result: TrainingResult | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            **self.settings.to_json(),
            "total_steps": self.total_steps,
            "versions": self.versions,
            "machine": self.machine,
            "status": self.status.to_json() if self.status else None,
            "result": self.result.to_json() if self.result else None,
        }

    @classmethod
    def from_json(cls, document: Any, path: Path) -> RunRecord:
        """Raises DataError if the document is of another format, or damaged."""
        with undamaged(path):
            if not isinstance(document, dict):
                raise TypeError(f"not an object, but {str(document)[:60]!r}")
            if document.get("format") != FORMAT:
                number = document.get("format", "0 (it has no number)")
                raise DataError(
                    f"a run folder of format {number}, but this version of firstlight reads "
                    f"format {FORMAT}; train again"
                )
            status, result = document["status"], document["result"]
            record = cls(
                settings=Settings.from_json(document),
                total_steps=document["total_steps"],
                versions=dict(document["versions"]),
                machine=document["machine"],
                status=None if status is None else TrainingStatus(**status),
                result=None if result is None else TrainingResult(**result),
            )
            return with_right_types(record)


@dataclass(frozen=True)
class ModelInfo:
    """model/model.json: which network the weights in model/ belong to."""

    network: str
    classes: tuple[str, ...]
    image_kind: ImageKind
    values: ValueRange | None = None  # of the arrays that it has learned, if they are known

    def to_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "classes": list(self.classes),
            "image_kind": self.image_kind,
            "values": self.values and self.values.to_json(),
        }

    @classmethod
    def from_json(cls, document: Any, path: Path) -> ModelInfo:
        """Raises DataError if the document is damaged."""
        with undamaged(path):
            if "/" in document["network"]:  # files are named by it
                raise DataError(f"{document['network']!r} is no name of a network")
            classes = tuple(document["classes"])
            if not all(map(is_printable, classes)):
                raise DataError("a class has no name that can be printed")
            # Runs from before this was written have no values.
            values = ValueRange.from_json(document.get("values"))
            return with_right_types(
                cls(document["network"], classes, document["image_kind"], values)
            )


@dataclass(frozen=True, kw_only=True)
class LoggedStep:
    """A line of metrics.jsonl: one step's measurement."""

    step: int
    epoch: float
    split: str  # train, or val at the end of an epoch (of the first graph: every 100 steps)
    loss: float  # mean cross entropy, in nats
    accuracy: float | None  # 0 to 1; on val with class weights: the mean of all recalls
    lr: float
    seconds: float  # since training started

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def metrics_line(logged: LoggedStep, before: int) -> tuple[str, int]:
    """Return a line of metrics.jsonl, and its CRC.

    Args:
        before: the CRC of the line before it, which it goes on from: so a line that is missing, or
            stands twice, is noticed. 0 for the first line.
    """
    text = json.dumps(logged.to_json())
    crc = zlib.crc32(text.encode(), before)
    return f'{text[:-1]}, "crc": {crc}}}\n', crc


def read_metrics(path: Path) -> tuple[list[LoggedStep], int]:
    """Return the logged steps, and the CRC of the last line; lines of older versions have none.

    A last line that a killed process has left half written is left out.

    Raises:
        DataError: another line is damaged, is missing, or stands twice.
    """
    if not path.exists():
        return [], 0
    refuse_no_file(path)
    steps, before = [], 0
    with undamaged(path):
        lines = path.read_text("utf-8").split("\n")[:-1]
    for number, line in enumerate(lines, 1):
        with undamaged(path, f"line {number}: "):
            document = json.loads(line)
            crc = document.pop("crc", 0)
            logged = with_right_types(LoggedStep(**document))
            if (crc or before) and crc != metrics_line(logged, before)[1]:
                raise DataError("not as it was written, or a line before it is missing")
        steps.append(logged)
        before = crc
    return steps, before


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """An image whose predicted class is wrong."""

    index: int  # the image's row in its split
    label: int  # the number of the right class
    predicted: int  # the number of the class that was answered
    confidence: float  # the probability of the answer, 0 to 1
    file: str | None = None  # a picture's path in the dataset's folder; None for other images

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "index": self.index,
            "label": self.label,
            "predicted": self.predicted,
            "confidence": self.confidence,
        }
        if self.file is not None:
            document["file"] = self.file
        return document


@dataclass(frozen=True)
class ClassScore:
    """How well a class is recognised."""

    name: str
    examples: int  # images of this class
    predicted: int  # images that were given this class
    right: int

    @property
    def recall(self) -> float:
        """The share of the class's images that are recognised, 0 to 1; 0 if it has none."""
        return self.right / max(self.examples, 1)

    @property
    def precision(self) -> float:
        """The share of the answers with this class that are right; 0 if it was never given."""
        return self.right / max(self.predicted, 1)


@dataclass(frozen=True)
class Measured:
    """The images that an evaluation is about, and what was answered."""

    examples: Examples
    probabilities: NDArray[Any]  # (N, classes)
    input: Size | None = None  # of the network


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How accurate a run is, and what it got wrong. The run folder has it as evaluation.json.

    >>> evaluation = fl.evaluate("runs/mlp-mnist-1", split="val", quiet=True)
    >>> evaluation.examples == evaluation.correct + len(evaluation.mistakes)
    True
    >>> evaluation.by_class[7].name, evaluation.by_class[7].recall > 0.9
    ('7', True)
    >>> evaluation.mistakes_figure().savefig("mistakes.png")
    >>> evaluation.reliability_diagram()
    <figure 624×624>
    """

    network: str
    data: str
    split: str
    crops: str = "middle"  # which crops of each picture were classified: see evaluation/crops.py
    examples: int
    correct: int
    interval95: tuple[float, float]  # 95 % confidence interval of the accuracy
    top5: float | None = None  # with more than ten classes
    # A row for each label, a column for each prediction.
    confusion: list[list[int]] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)  # the most confident first

    # The names of the network's classes; none, as read from a file.
    classes: tuple[str, ...] = field(default=(), compare=False)

    # The folder with its pictures; None for an ensemble, or as read from a file.
    figures: Path | None = field(default=None, compare=False)

    # Its `examples`, and their `probabilities` (N, classes); None, as read from a file.
    measured: Measured | None = field(default=None, repr=False, compare=False)

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return self.correct / self.examples

    @property
    def measured_on(self) -> str:
        """What was measured, in words: the split, or "all 104 pictures"."""
        return f"all {self.examples:,} pictures" if self.split == "all" else self.split

    @property
    def _class_names(self) -> tuple[str, ...]:
        """The names of the classes; their numbers if a file has left the names out."""
        return self.classes or tuple(str(number) for number in range(len(self.confusion)))

    def confusion_matrix(self) -> NotebookFigure:
        """Return the confusion matrix as a matplotlib Figure."""
        import numpy as np

        from firstlight.figures.evaluation import confusion_matrix

        title = f"{self.network} on {self.data} ({self.measured_on})"
        return confusion_matrix(np.array(self.confusion), self._class_names, title)

    def mistakes_figure(self) -> NotebookFigure:
        """Return the 25 surest mistakes, the surest first, as a matplotlib Figure.

        Raises:
            DataError: the evaluation was read from a file, which has no images.
        """
        from firstlight.figures.evaluation import Answers, surest_mistakes

        measured = self._measured()
        probabilities = measured.probabilities
        answered = Answers(measured.examples, self._class_names, probabilities, measured.input)
        return surest_mistakes(self, answered)

    def reliability_diagram(self) -> NotebookFigure:
        """Return how often answers of each confidence are right, as a matplotlib Figure.

        Guo and others, "On calibration of modern neural networks" (arXiv 1706.04599), figure 1.

        Raises:
            DataError: the evaluation was read from a file, which has no probabilities.
        """
        from firstlight.figures.reliability import reliability_diagram

        measured = self._measured()
        return reliability_diagram(measured.probabilities, measured.examples.labels)

    def _measured(self) -> Measured:
        if self.measured is None:
            raise DataError(
                "an evaluation from a file has no images and no probabilities: measure again with "
                "fl.evaluate"
            )
        return self.measured

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.evaluation(self)

    @property
    def by_class(self) -> tuple[ClassScore, ...]:
        """Precision and recall of each class."""
        predictions = [sum(column) for column in zip(*self.confusion, strict=True)]
        return tuple(
            ClassScore(name, sum(row), predicted, right=row[number])
            for number, (name, row, predicted) in enumerate(
                zip(self._class_names, self.confusion, predictions, strict=True)
            )
        )

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "network": self.network,
            "data": self.data,
            "split": self.split,
        }
        if self.crops != "middle":
            document["views"] = self.crops
        document |= {
            "examples": self.examples,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "interval95": list(self.interval95),
        }
        if self.top5 is not None:
            document["top5"] = self.top5
        document["confusion"] = self.confusion
        document["mistakes"] = [mistake.to_json() for mistake in self.mistakes]
        return document

    @classmethod
    def from_json(cls, document: Any, path: Path) -> Evaluation:
        """Raises DataError if the document is damaged."""
        with undamaged(path):
            low, high = document["interval95"]
            evaluation = cls(
                network=document["network"],
                data=document["data"],
                split=document["split"],
                crops=document.get("views", "middle"),
                examples=document["examples"],
                correct=document["correct"],
                interval95=(low, high),
                top5=document.get("top5"),
                confusion=document["confusion"],
                mistakes=tuple(Mistake(**mistake) for mistake in document["mistakes"]),
            )
            classes = len(evaluation.confusion)
            if evaluation.examples < 1 or any(len(row) != classes for row in evaluation.confusion):
                raise ValueError("it has no examples, or the confusion is not square")
            return with_right_types(evaluation)
