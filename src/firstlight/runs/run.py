"""Finds, makes and reads a run folder. The package's docstring lists its files."""

import json
import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from firstlight import catalog
from firstlight.datasets import Dataset, Listing
from firstlight.errors import DataError, UsageError
from firstlight.runs.documents import LoggedStep, ModelInfo, RunRecord, undamaged
from firstlight.runs.files import read_json, write_json, write_text
from firstlight.settings import Settings


class Run:
    """The files of a run folder by name, and what is read from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record_file = folder / "run.json"
        self.pictures_file = folder / "pictures.json"
        self.metrics_file = folder / "metrics.jsonl"
        self.last = folder / "checkpoints" / "last.npz"
        self.best = folder / "checkpoints" / "best.npz"
        self.model_file = folder / "model" / "model.json"
        self.weights = folder / "model" / "weights.npz"
        self.figures = folder / "figures"
        self.evaluation_file = folder / "evaluation.json"
        self.card = folder / "MODEL_CARD.md"

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Return the run in a folder.

        Raises:
            DataError: no such folder, or it holds no run.json.
        """
        if not (folder / "run.json").is_file():
            names = sorted(path.parent.name for path in folder.parent.glob("*/run.json"))
            others = f"; runs in {folder.parent}: {', '.join(names)}" if names else ""
            raise DataError(f"no run at {folder}{others}")
        return cls(folder)

    @classmethod
    def create(
        cls,
        settings: Settings,
        total_steps: int,
        folder: Path | None = None,
        listing: Listing | None = None,
    ) -> "Run":
        """Make a new run folder with its run.json: `folder`, or the next runs/NETWORK-DATA-N.

        Raises:
            UsageError: the folder exists and is not empty.
        """
        if folder and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is not empty; give another --out, or --resume {folder}")
        run = cls(folder or next_folder(f"{settings.network}-{Path(settings.data).name}"))
        run.folder.mkdir(parents=True, exist_ok=True)
        if listing:
            write_json(run.pictures_file, listing.to_json())
        run.write_record(
            RunRecord(
                settings=settings,
                total_steps=total_steps,
                versions=versions(),
                machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            )
        )
        return run

    def own_files(self) -> list[Path]:
        """Return the files that other verbs read from this folder."""
        return [
            self.record_file,
            self.pictures_file,
            self.metrics_file,
            self.last,
            self.best,
            self.model_file,
            self.weights,
            self.evaluation_file,
            self.card,
        ]

    def record(self) -> RunRecord:
        """Raises DataError if run.json is missing, damaged, or of another format."""
        return RunRecord.from_json(read_json(self.record_file), self.record_file)

    def write_record(self, record: RunRecord) -> None:
        write_json(self.record_file, record.to_json())

    def model_info(self) -> ModelInfo:
        """Raises DataError if training has not ended, or model.json is damaged."""
        if not self.model_file.is_file():
            raise DataError(
                f"{self.folder} has no model yet; continue its training with: "
                f"firstlight train --resume {self.folder}"
            )
        return ModelInfo.from_json(read_json(self.model_file), self.model_file)

    def listing(self) -> Listing | None:
        """Return the pictures that the run was trained on; None for other data."""
        if not self.pictures_file.exists():
            return None
        document = read_json(self.pictures_file)
        with undamaged(self.pictures_file):
            return Listing.from_json(document)

    def dataset(self) -> Dataset:
        """Return the data that the run was trained on; for a folder, exactly the same pictures."""
        return catalog.dataset(self.record().settings.data, self.listing())

    def metrics(self) -> list[LoggedStep]:
        """Return the logged steps, without a last line that a killed process left half written.

        Raises:
            DataError: another line is damaged.
        """
        if not self.metrics_file.exists():
            return []
        with undamaged(self.metrics_file):
            lines = self.metrics_file.read_text("utf-8").split("\n")
            return [LoggedStep(**json.loads(line)) for line in lines[:-1]]

    def forget_after(self, step: int) -> None:
        """Drop the metrics logged after a checkpoint: resuming logs them again."""
        kept = [logged for logged in self.metrics() if logged.step <= step]
        lines = [json.dumps(logged.to_json()) + "\n" for logged in kept]
        write_text(self.metrics_file, "".join(lines))


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


def versions() -> dict[str, str]:
    """Return Python's version, and those of the packages that a training's numbers depend on."""
    numbers = {"python": platform.python_version()}
    for name in ("firstlight", "tensorflow-cpu", "tensorflow", "keras", "numpy"):
        with suppress(metadata.PackageNotFoundError):
            numbers[name] = metadata.version(name)
    return numbers
