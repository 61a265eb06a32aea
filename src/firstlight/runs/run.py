"""A run folder: its files by name, found, made and read."""

import json
import os
import platform
import shlex
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from firstlight.errors import DataError, UsageError
from firstlight.runs.files import read_json, write_json, write_text


class Run:
    """The names of the files in a run folder, and what is read of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings_file = folder / "run.json"
        self.pictures = folder / "pictures.json"
        self.metrics_file = folder / "metrics.jsonl"
        self.last = folder / "checkpoints" / "last.npz"
        self.best = folder / "checkpoints" / "best.npz"
        self.model_file = folder / "model" / "model.json"
        self.weights = folder / "model" / "weights.npz"
        self.figures = folder / "figures"
        self.evaluation = folder / "evaluation.json"
        self.card = folder / "MODEL_CARD.md"

    def settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = read_json(self.settings_file)
        return settings

    def trained(self) -> dict[str, Any]:
        """What model/ says: its `network`, `classes`, and `learned` from what; or a DataError."""
        if not self.model_file.is_file():
            raise DataError(f"{self.folder} has no model: firstlight train --resume {self.folder}")
        facts: dict[str, Any] = read_json(self.model_file)
        if not {"network", "classes", "learned"} <= facts.keys():
            raise DataError(f"{self.model_file}: damaged, or of another version; train anew")
        return facts

    def listing(self) -> dict[str, Any] | None:
        """The pictures it was trained on, as datasets/folder.py lists them; None for other data."""
        return read_json(self.pictures) if self.pictures.exists() else None

    def metrics(self) -> list[dict[str, Any]]:
        """The logged steps; a last line that a killed process left half written is passed over.

        Raises DataError if another line is damaged.
        """
        if not self.metrics_file.exists():
            return []
        try:
            lines = self.metrics_file.read_text("utf-8").split("\n")
            return [json.loads(line) for line in lines[:-1]]
        except ValueError as error:
            raise DataError(f"{self.metrics_file}: damaged ({error})") from None

    def forget_after(self, step: int) -> None:
        """Drop the metrics logged after a checkpoint: resuming will log them again."""
        kept = [json.dumps(line) + "\n" for line in self.metrics() if line["step"] <= step]
        write_text(self.metrics_file, "".join(kept))


def existing(folder: Path) -> Run:
    """A run that is there.

    Raises:
        DataError: no such folder, or it holds no run.json.
    """
    if not (folder / "run.json").is_file():
        runs = sorted(path.parent.name for path in folder.parent.glob("*/run.json"))
        there = f"; runs in {folder.parent}: {', '.join(runs)}" if runs else ""
        raise DataError(f"no run at {folder}{there}")
    return Run(folder)


def create(settings: dict[str, Any], folder: Path | None = None) -> Run:
    """A new run folder with its run.json: `folder`, or the next runs/NETWORK-DATA-N.

    Raises:
        UsageError: the folder is there already and not empty.
    """
    run = Run(folder or next_folder(f"{settings['network']}-{Path(settings['data']).name}"))
    if folder and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already; give another --out, or --resume {folder}")
    run.folder.mkdir(parents=True, exist_ok=True)
    if listing := settings.get("pictures"):
        write_json(run.pictures, listing)
    kept = {key: value for key, value in settings.items() if key != "pictures"}
    write_json(run.settings_file, kept | _circumstances())
    return run


def next_folder(name: str, root: Path = Path("runs")) -> Path:
    """A new empty folder, runs/NAME-N."""
    number = 1
    while True:  # two trainings that start at once must not take the same number
        folder = root / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def versions() -> dict[str, str]:
    """Python's, and those of the packages that a training's numbers depend on."""
    found = {"python": platform.python_version()}
    for name in ("firstlight", "tensorflow-cpu", "tensorflow", "keras", "numpy"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _circumstances() -> dict[str, Any]:
    return {
        "command": shlex.join(["firstlight", *sys.argv[1:]]),
        "versions": versions(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
