"""What there is: a network or dataset is a file, and its name is the file's name.

Listing reads the files' constants without importing them, so it costs no TensorFlow.
"""

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from firstlight.datasets import Examples, idx, npz
from firstlight.errors import DataError, UsageError
from firstlight.recipe import Recipe

PACKAGE = Path(__file__).parent


class Network(Protocol):
    """What a file in networks/ defines."""

    INPUT: tuple[int, int, int]  # height, width, channels
    PARAMETERS: int  # trainable, for ten classes
    RECIPES: dict[str, Recipe]  # the first is the default

    def build(self, classes: int) -> Any:
        """A Keras model: images (N, *INPUT) uint8 → logits (N, classes)."""


@dataclass(frozen=True)
class Dataset:
    """A dataset that has been found: `load(split)` gives its images and labels."""

    name: str
    classes: tuple[str, ...]
    load: Callable[[str], Examples]
    fingerprint: Callable[[], dict[str, str]]  # file name → SHA-256


def networks() -> list[dict[str, Any]]:
    """Every network: name, input, parameters, names of its recipes."""
    return [
        {
            "name": path.stem,
            "input": list(_constant(path, "INPUT")),
            "parameters": _constant(path, "PARAMETERS"),
            "recipes": _keys(path, "RECIPES"),
        }
        for path in _files("networks", "RECIPES")
    ]


def datasets() -> list[dict[str, Any]]:
    """Every dataset that is known by name: name, number of classes."""
    return [
        {"name": path.stem, "classes": len(_constant(path, "CLASSES"))}
        for path in _files("datasets", "CLASSES")
    ]


def network(name: str) -> Network:
    """The network's module. Imports TensorFlow."""
    there = [entry["name"] for entry in networks()]
    if name not in there:
        raise UsageError(f"no network {name!r}; there are: {', '.join(there)}")
    return importlib.import_module(f"firstlight.networks.{name}")


def recipe(name: str, network_name: str, chosen: Network) -> Recipe:
    """The network's recipe of that name; its first if the name is empty."""
    name = name or next(iter(chosen.RECIPES))
    if name not in chosen.RECIPES:
        there = ", ".join(chosen.RECIPES)
        raise UsageError(f"no recipe {name!r} for {network_name}; there are: {there}")
    return chosen.RECIPES[name]


def dataset(name: str) -> Dataset:
    """A dataset by its name, or the one that lies at a path: IDX files or Keras's mnist.npz."""
    there = [entry["name"] for entry in datasets()]
    if name in there:
        module = importlib.import_module(f"firstlight.datasets.{name}")
        return Dataset(name, module.CLASSES, module.load, lambda: module.SHA256)
    path = Path(name)
    if not path.exists():
        raise DataError(f"no dataset or path {name!r}; datasets: {', '.join(there)}")
    kind: Any = idx
    if path.is_file() or (path / npz.NAME).is_file():
        kind, path = npz, path if path.is_file() else path / npz.NAME
    load = partial(kind.load, **{"path" if kind is npz else "directory": path})
    stem = path.parent.name if path.name == npz.NAME else path.resolve().name
    return Dataset(stem or "data", kind.classes(path), load, partial(kind.fingerprint, path))


def fits(dataset: Dataset, examples: Examples, network: str, takes: tuple[int, ...]) -> None:
    """Raises UsageError if the images are not of the size that the network takes."""
    if examples.images.shape[1:] != takes:
        given, wanted = ("×".join(map(str, s)) for s in (examples.images.shape[1:], takes))
        raise UsageError(f"{network} takes images {wanted}, those of {dataset.name} are {given}")


def _files(folder: str, constant: str) -> list[Path]:
    """The folder's modules that define the constant: the others are machinery."""
    paths = sorted((PACKAGE / folder).glob("[!_]*.py"))
    return [path for path in paths if _assigned(path, constant) is not None]


def _assigned(path: Path, name: str) -> ast.expr | None:
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign):
            if any(isinstance(t, ast.Name) and t.id == name for t in statement.targets):
                return statement.value
    return None


def _constant(path: Path, name: str) -> Any:
    value = _assigned(path, name)
    assert value is not None, f"{path} does not define {name}"
    return ast.literal_eval(value)


def _keys(path: Path, name: str) -> list[str]:
    value = _assigned(path, name)
    assert isinstance(value, ast.Dict), f"{path}: {name} must be written as a dictionary"
    return [ast.literal_eval(key) for key in value.keys if key is not None]
