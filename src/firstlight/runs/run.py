"""Finds, makes and reads a run folder. The package's docstring lists its files."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight import catalog
from firstlight.datasets import Dataset, Listing
from firstlight.errors import DataError, UsageError
from firstlight.networks._network import Network
from firstlight.runs import checkpoint, lock
from firstlight.runs.documents import (
    LoggedStep,
    ModelInfo,
    RunRecord,
    TrainingResult,
    TrainingStatus,
    metrics_line,
    read_metrics,
    undamaged,
)
from firstlight.runs.fields import with_right_types
from firstlight.runs.files import read_json, write_json, write_text
from firstlight.settings import DataChoice, Plan, Settings

if TYPE_CHECKING:  # for the types of methods that import what they need
    from numpy.typing import NDArray

    from firstlight.classification import Classification, Pictures
    from firstlight.explanation.explanation import Explanation
    from firstlight.exports.export import Export
    from firstlight.figures.style import NotebookFigure
    from firstlight.graphs.draw import GraphPictures
    from firstlight.reports.report import Report
    from firstlight.runs.documents import Evaluation

MAX_SIDE = 100_000  # pixels of a picture


@dataclass(frozen=True)
class Unfinished:
    """The weights of a training that has not ended: those that it would keep so far."""

    run: Path  # the run folder
    weights: Path  # a checkpoint
    step: int
    total_steps: int

    @property
    def notice(self) -> str:
        return (
            f"the training of {self.run} is not finished: these are the weights of step "
            f"{self.step:,} of {self.total_steps:,}"
        )


class Run:
    """A training, or what it has left in its run folder.

    `open` gives the run of a folder, and `.folder` is its path. A run that was trained in this
    process also knows its network and data, which need not be in a file.

    >>> run = fl.Run.open("runs/mlp-mnist-1")
    >>> run.result.steps, list(run.history)
    (430, ['step', 'epoch', 'split', 'loss', 'accuracy', 'lr', 'seconds'])
    """

    def __init__(self, folder: Path, *, trust: bool = False, plan: Plan | None = None) -> None:
        self.folder = folder  # where everything about the run is
        self._trust = trust
        self.plan = plan  # of a training in this process
        self.record_file = folder / "run.json"
        self.pictures_file = folder / "pictures.json"
        self.metrics_file = folder / "metrics.jsonl"
        self.last = folder / "checkpoints" / "last.npz"
        self.previous = folder / "checkpoints" / "previous.npz"
        self.best = folder / "checkpoints" / "best.npz"
        self.unfinished_model_file = folder / "checkpoints" / "model.json"
        self.model_file = folder / "model" / "model.json"
        self.weights = folder / "model" / "weights.npz"
        self.figures = folder / "figures"
        self.evaluation_file = folder / "evaluation.json"
        self.card = folder / "MODEL_CARD.md"

    @classmethod
    def open(cls, folder: str | Path, trust: bool = False) -> Run:
        """Return the run in a folder.

        Args:
            trust: run the source of an own network that the folder holds.

        Raises:
            DataError: no such folder, or it holds no run.json.
        """
        folder = Path(folder)
        if not (folder / "run.json").exists():
            names = sorted(path.parent.name for path in folder.parent.glob("*/run.json"))
            others = f"; runs in {folder.parent}: {', '.join(names)}" if names else ""
            raise DataError(f"no run at {folder}{others}")
        return cls(folder, trust=trust)

    @classmethod
    def create(cls, plan: Plan, total_steps: int, folder: Path | None = None) -> Run:
        """Make a new run folder with its run.json: `folder`, or the next runs/NETWORK-DATA-N.

        Raises:
            UsageError: the folder holds anything but what a training leaves that was killed before
                it had written its run.json.
        """
        settings, source = plan.settings, plan.network.source
        run = cls(folder or next_folder_of(settings), plan=plan)
        refuse_used(run.folder, plan)
        run.folder.mkdir(parents=True, exist_ok=True)
        if plan.dataset.listing:
            write_json(run.pictures_file, plan.dataset.listing.to_json())
        if source:
            write_text(run.folder / source.file, source.text)
        run.write_record(
            RunRecord(
                settings=settings,
                total_steps=total_steps,
                versions=versions(),
                machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            )
        )
        return run

    def evaluate(
        self, data: DataChoice = "", split: str = "test", views: str = "middle", **flags: Any
    ) -> Evaluation:
        """Measure accuracy and mistakes: see `firstlight.evaluate`."""
        from firstlight import api

        return api.evaluate(self, data, split, views, **flags)

    def predict(self, images: Pictures) -> NDArray[Any]:
        """Return the probabilities (N, classes) of arrays or files: see `firstlight.predict`."""
        from firstlight import api

        return api.predict(self, images)

    def classify(
        self, images: str | Path | Sequence[str | Path], top: int = 5
    ) -> list[Classification]:
        """Return the most probable classes of pictures: see `firstlight.classify`."""
        from firstlight import api

        return api.classify(self, images, top)

    def explain(self, image: str | Path, **flags: Any) -> Explanation:
        """Show what the network looks at in a picture: see `firstlight.explain`."""
        from firstlight import api

        return api.explain(self, image, **flags)

    def export(self, format: str = "onnx", out: str | Path | None = None, **flags: Any) -> Export:
        """Write the network for other programs: see `firstlight.export`."""
        from firstlight import api

        return api.export(self, format, out, **flags)

    def report(self, out: str | Path | None = None, **flags: Any) -> Report:
        """Write one HTML file about the run: see `firstlight.report`."""
        from firstlight import api

        return api.report(self, out=out, **flags)

    def graph(self, out: str | Path | None = None) -> GraphPictures:
        """Draw the network's graph: see `firstlight.graph`."""
        from firstlight import api

        return api.graph(self, out)

    def learning_curves(self) -> NotebookFigure:
        """Return cost and error against steps, as a matplotlib Figure."""
        from firstlight.figures.training import learning_curves

        return learning_curves(self.metrics(), self.record(), self.result.data)

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.training(self)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the network's classes. Raises DataError if no step was trained yet."""
        return self.model_info().classes

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def resume_command(self) -> str:
        """Return how a stopped training is continued: from Python, if its arrays must be given."""
        settings = self.record().settings
        if settings.in_memory:
            return f"fl.train(resume={str(self.folder)!r}, data=...)"
        trust = " --trust" if settings.source and settings.source.path is None else ""
        return f"firstlight train --resume {self.folder}{trust}"

    def own_files(self) -> list[Path]:
        """Return the files that other verbs read from this folder."""
        return [
            self.record_file,
            self.pictures_file,
            self.metrics_file,
            self.last,
            self.previous,
            self.best,
            self.unfinished_model_file,
            self.model_file,
            self.weights,
            self.evaluation_file,
            self.card,
        ]

    def record(self) -> RunRecord:
        """Raises DataError if run.json is missing, damaged, or of another format."""
        return RunRecord.from_json(read_json(self.record_file), self.record_file)

    @cached_property
    def result(self) -> TrainingResult:
        """What the training came to. Raises DataError if it has not ended."""
        result = self.record().result
        if result is None:
            raise DataError(
                f"{self.folder} has no result yet; continue its training with: "
                f"{self.resume_command()}"
            )
        return result

    @property
    def validation_accuracy(self) -> float | None:
        """The accuracy of the kept weights on val, 0 to 1; with class weights the mean recall."""
        status = self.record().status
        return status.best_accuracy if status and status.best_step else None

    @property
    def stopped(self) -> str:
        """Why the training ended, and which weights were kept; "" while it has not."""
        status = self.record().status
        return status.stopped if status else ""

    @property
    def notices(self) -> tuple[str, ...]:
        """What the training said before it began, such as which weights `from_run` has given."""
        return self.record().settings.notices

    @property
    def history(self) -> dict[str, list[Any]]:
        """The logged steps as columns: step, epoch, split, loss, accuracy, lr, seconds.

        See LoggedStep for the units. `pandas.DataFrame(run.history)` makes a table of it.
        """
        steps = [logged.to_json() for logged in self.metrics()]
        return {each.name: [step[each.name] for step in steps] for each in fields(LoggedStep)}

    def write_record(self, record: RunRecord) -> None:
        write_json(self.record_file, record.to_json())

    def model_info(self) -> ModelInfo:
        """Raises DataError if no step was trained yet, or model.json is damaged."""
        file = self.model_file
        if not file.exists():
            if self.unfinished() is None:
                raise DataError(
                    f"{self.folder} has no model yet; continue its training with: "
                    f"{self.resume_command()}"
                )
            file = self.unfinished_model_file
        return ModelInfo.from_json(read_json(file), file)

    def unfinished(self) -> Unfinished | None:
        """Return the weights that stand for those of a training that has not ended.

        None if it has ended, or no step was trained yet. Raises DataError if a checkpoint is
        damaged.
        """
        if self.model_file.exists() or not self.unfinished_model_file.exists():
            return None
        record = self.record()
        file = self.checkpoints()[0] if self.checkpoints() else self.last
        status = TrainingStatus.from_json(checkpoint.document(file), file)
        step = status.step
        # What has stopped is kept as the best, also if that is the last.
        if (record.settings.recipe.keep == "best" or status.stopped) and self.best.exists():
            file, step = self.best, checkpoint.document(self.best).get("step", status.best_step)
        return Unfinished(self.folder, file, step, record.total_steps) if step else None

    def checkpoints(self) -> list[Path]:
        """Return the existing checkpoints, the newest first.

        A training that is killed between two renames leaves `previous` alone.
        """
        return [path for path in (self.last, self.previous) if path.exists()]

    def starting_run(self) -> Run | None:
        """Return the run whose weights this training began with. Raises what `open` raises."""
        started_from = self.record().settings.started_from
        return Run.open(started_from, self._trust) if started_from else None

    def listing(self) -> Listing | None:
        """Return the pictures that the run was trained on; None for other data."""
        if not self.pictures_file.exists():
            return None
        document = read_json(self.pictures_file)
        with undamaged(self.pictures_file):
            return with_right_types(Listing.from_json(document))

    def _listing_of_known_classes(self) -> Listing | None:
        """Return the listing. Raises DataError if its classes or its size cannot be true."""
        listing = self.listing()
        if listing:
            with undamaged(self.pictures_file):
                if listing.size and not all(1 <= side <= MAX_SIDE for side in listing.size):
                    raise ValueError(f"no picture has the size {str(listing.size)[:60]}")
                files = [file for split in listing.splits.values() for file in split]
                if unknown := {listing.class_of(file) for file in files} - set(listing.classes):
                    raise ValueError(f"{min(unknown)!r} is none of its classes")
        return listing

    def dataset(self) -> Dataset:
        """Return the data that the run was trained on; for a folder, exactly the same pictures.

        Raises:
            DataError: the data is missing, or was arrays of another process.
        """
        if self.plan:
            return self.plan.dataset
        settings = self.record().settings
        if settings.in_memory:
            raise DataError(
                f"{self.folder} was trained on arrays from Python, which it does not keep: name "
                "the data to use (--data; from Python data=)"
            )
        return catalog.dataset(settings.data, self._listing_of_known_classes())

    def network(self) -> Network:
        """Return the network that the run was trained with. Imports TensorFlow.

        A network of the user's own is a program. It is run if it lies where it was and has not
        changed, or if the run was opened with `trust`.

        Raises:
            UsageError: an own network that is not trusted, or no network has that name any more.
            DataError: the folder's copy of an own network is missing or changed.
        """
        if self.plan:
            return self.plan.network
        settings = self.record().settings
        if settings.source:
            from firstlight.networks import _own

            return _own.from_run(self.folder, settings.source, settings.network, self._trust)
        name = settings.network
        if self.model_file.exists():  # the first graph is saved as another network
            name = self.model_info().network
        return catalog.named_network(name)  # a foreign run can name any file as its network

    def metrics(self) -> list[LoggedStep]:
        """Return the logged steps, without a last line that a killed process left half written.

        Raises:
            DataError: another line is damaged, or lines are missing.
        """
        logged, _ = read_metrics(self.metrics_file)
        if self.record_file.is_file() and (status := self.record().status):
            self._refuse_missing_lines(logged, status)
        return logged

    def forget_after(self, status: TrainingStatus) -> int:
        """Drop the metrics logged after a checkpoint: resuming logs them again.

        Returns how many lines are left.

        Raises:
            DataError: lines are damaged, or lines of steps before the checkpoint are missing.
        """
        logged, _ = read_metrics(self.metrics_file)
        self._refuse_missing_lines(logged, status)
        lines, crc = [], 0
        for each in logged:
            if each.step <= status.step:
                line, crc = metrics_line(each, crc)
                lines.append(line)
        write_text(self.metrics_file, "".join(lines))
        return len(lines)

    def _refuse_missing_lines(self, logged: list[LoggedStep], status: TrainingStatus) -> None:
        if len(logged) < status.logged:
            raise DataError(
                f"{self.metrics_file}: {len(logged):,} lines, but {status.logged:,} were written"
            )


def refuse_used(folder: Path, plan: Plan) -> None:
    """Raises UsageError if a folder holds anything but what a killed start can have left."""
    source = plan.network.source
    leavings = {lock.FILE, "pictures.json", source.file if source else ""}
    if folder.exists() and (not folder.is_dir() or not _only_holds(folder, leavings)):
        raise UsageError(f"{folder} is not empty; give another --out, or --resume {folder}")


def _only_holds(folder: Path, leavings: set[str]) -> bool:
    names = {path.name for path in folder.iterdir() if path.suffix != ".part"}
    if names - leavings:
        return False
    return not names or lock.FILE in names  # without a lock, the files are somebody else's


def next_folder_of(settings: Settings) -> Path:
    """Make and return a new empty folder, runs/NETWORK-DATA-N."""
    return next_folder(f"{settings.network}-{Path(settings.data).name}")


def next_folder(name: str, root: Path = Path("runs")) -> Path:
    """Make and return a new empty folder, runs/NAME-N."""
    number = 1
    while True:  # two trainings that start at once must not take the same number
        folder = root / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def changed_versions(before: dict[str, str]) -> str:
    """Return what has changed since a training began, as one line; "" if nothing has."""
    now = versions()
    names = [name for name in before.keys() | now.keys() if name != "python"]
    changed = [
        f"{name} {now.get(name, '(not installed)')} (it began with {before.get(name, 'none')})"
        for name in sorted(names)
        if now.get(name) != before.get(name)
    ]
    if not changed:
        return ""
    return f"other versions: {', '.join(changed)}: the weights may differ in their last digits"


def versions() -> dict[str, str]:
    """Return Python's version, and those of the packages that a training's numbers depend on."""
    numbers = {"python": platform.python_version()}
    for name in ("firstlight", "tensorflow-cpu", "tensorflow", "keras", "numpy"):
        with suppress(metadata.PackageNotFoundError):
            numbers[name] = metadata.version(name)
    return numbers
