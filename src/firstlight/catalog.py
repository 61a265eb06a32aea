"""Finds networks and datasets by file name, and recipes by the name of their network.

A network's name has "-" where its file's name has "_": networks/nin_cifar.py is `nin-cifar`.
Listing reads the constants of the files without importing them, so it does not import TensorFlow.
"""

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from firstlight.datasets import SPLITS, Examples, _folder, _idx, _npz
from firstlight.errors import DataError, UsageError
from firstlight.recipe import Recipe
from firstlight.runs.run import Run

PACKAGE = Path(__file__).parent
FAULTS_TOLD = 20


@dataclass(frozen=True)
class NetworkEntry:
    """What `list` says of a network, read without importing its file."""

    name: str
    input: tuple[int, int, int]  # height, width, channels
    parameters: int  # trainable, for ten classes or for the file's CLASSES
    recipes: tuple[str, ...]  # the first is the default

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "input": list(self.input),
            "parameters": self.parameters,
            "recipes": list(self.recipes),
        }


@dataclass(frozen=True)
class Network:
    """A network of the folder networks/, imported."""

    name: str
    input: tuple[int, int, int]  # height, width, channels
    parameters: int  # trainable, for `classes` classes
    classes: int
    recipes: dict[str, Recipe]  # the first is the default
    build: Callable[[int], Any]  # classes → Keras model: images (N, *input) uint8 → logits


@dataclass(frozen=True)
class Dataset:
    """A dataset that has been found: `load(split)` gives its images and labels."""

    name: str
    classes: tuple[str, ...]
    load: Callable[[str], Examples]
    fingerprint: Callable[[], dict[str, str]]  # file, or split of pictures → SHA-256
    splits: tuple[str, ...] = SPLITS
    listing: _folder.Listing | None = None  # of a folder of pictures: what of it is used, what not

    def measured(self, split: str) -> str:
        """The split to measure on when that one is asked for: val where there is no test."""
        return "val" if split == "test" and "test" not in self.splits else split

    def notices(self) -> list[str]:
        """What is to be known of a folder of pictures before any of them is used."""
        if self.listing is None:
            return []
        faults, made = self.listing["faults"], self.listing["made"]
        used = sum(len(files) for files in self.listing["splits"].values())
        lines = [f"left out {fault['file']}: {fault['problem']}" for fault in faults[:FAULTS_TOLD]]
        if faults:
            lines.append(
                f"{len(faults):,} faults (`firstlight data check` tells all), {used:,} used"
            )
        return lines + ([made] if made else [])


@cache
def networks() -> tuple[NetworkEntry, ...]:
    """Return every network of the folder networks/, in the order of the file names."""
    return tuple(
        NetworkEntry(
            name=path.stem.replace("_", "-"),
            input=_constant(path, "INPUT"),
            parameters=_constant(path, "PARAMETERS"),
            recipes=_keys(path, "RECIPES"),
        )
        for path in _files("networks", "RECIPES")
    )


def datasets() -> list[dict[str, Any]]:
    """Every dataset that is known by name: name, number of classes."""
    return [
        {"name": path.stem, "classes": len(_constant(path, "CLASSES"))}
        for path in _files("datasets", "CLASSES")
    ]


def network(name: str) -> Network:
    """Return the network of that name. Imports TensorFlow.

    Raises:
        UsageError: no network has that name.
    """
    names = [entry.name for entry in networks()]
    if name not in names:
        raise UsageError(f"no network {name!r}; there are: {', '.join(names)}")
    module: Any = importlib.import_module(f"firstlight.networks.{name.replace('-', '_')}")
    return Network(
        name=name,
        input=module.INPUT,
        parameters=module.PARAMETERS,
        classes=getattr(module, "CLASSES", 10),
        recipes=module.RECIPES,
        build=module.build,
    )


def recipe(name: str, network_name: str) -> tuple[str, Recipe]:
    """Return a recipe and the name of the network that it trains.

    An empty name stands for the network's first recipe. The recipes of the networks whose names
    begin with this one's are found too, after its own: `convnet`, recipe `record`, trains
    `convnet-record`.

    Raises:
        UsageError: there is no such network or recipe.
    """
    own = network(network_name)
    prefix = f"{network_name}-"
    relatives = [network(entry.name) for entry in networks() if entry.name.startswith(prefix)]
    choices: dict[str, tuple[str, Recipe]] = {}
    for candidate in (own, *relatives):
        for recipe_name, candidate_recipe in candidate.recipes.items():
            choices.setdefault(recipe_name, (candidate.name, candidate_recipe))
    if not name:
        name = next(iter(choices))
    if name not in choices:
        raise UsageError(f"no recipe {name!r} for {network_name}; there are: {', '.join(choices)}")
    return choices[name]


def dataset(name: str, listing: _folder.Listing | None = None, quiet: bool = True) -> Dataset:
    """A dataset by its name, or the one that lies at a path.

    At a path there are IDX files, Keras's mnist.npz, or pictures in folders. Pictures are all
    looked at, unless `listing` says which of them to use: the one that a run has kept.

    Raises:
        DataError: there is none, or it is damaged.
    """
    there = [entry["name"] for entry in datasets()]
    if name in there:
        module = importlib.import_module(f"firstlight.datasets.{name}")
        return Dataset(name, module.CLASSES, module.load, lambda: module.SHA256)
    path = Path(name)
    if not path.exists():
        raise DataError(f"no dataset or path {name!r}; datasets: {', '.join(there)}")
    if path.is_file() or (path / _npz.NAME).is_file():
        return _of_file(_npz, "path", path if path.is_file() else path / _npz.NAME)
    if any((path / n).is_file() for f in _idx.NAMES for n in (f, f"{f}.gz")):
        return _of_file(_idx, "directory", path)
    if not _folder.holds(path):
        files = ", ".join(sorted(p.name for p in path.iterdir())[:6]) or "nothing"
        raise DataError(
            f"{path}: neither IDX files, {_npz.NAME}, nor class folders of pictures; "
            f"it has: {files}"
        )
    return _of_pictures(path, listing, quiet)


def trained_on(run: Run) -> Dataset:
    """The data that a run was trained on; of pictures, the very ones."""
    return dataset(run.settings()["data"], run.listing())


def _of_file(kind: Any, keyword: str, path: Path) -> Dataset:
    name = path.parent.name if path.name == _npz.NAME else path.resolve().name
    classes, fingerprint = kind.classes(path), partial(kind.fingerprint, path)

    def load(split: str) -> Examples:
        examples: Examples = kind.load(split, **{keyword: path})
        largest, most = examples.labels.max(), len(classes) - 1
        if largest > most:
            raise DataError(f"{path}: {split} holds the label {largest}; training, 0 to {most}")
        return examples

    return Dataset(name or "data", classes, load, fingerprint)


def _of_pictures(path: Path, kept: _folder.Listing | None, quiet: bool) -> Dataset:
    listing = kept or _folder.listing(path, quiet)
    return Dataset(
        path.resolve().name or "data",
        tuple(listing["classes"]),
        partial(_folder.load, directory=path, listing=listing),
        partial(_folder.fingerprint, path, listing, anew=kept is not None),
        tuple(listing["splits"]),
        listing,
    )


def _files(folder: str, constant: str) -> list[Path]:
    """Return the modules of a folder that define the constant; the others define no entry."""
    paths = sorted((PACKAGE / folder).glob("[!_]*.py"))
    return [path for path in paths if constant in _assignments(path)]


def _constant(path: Path, name: str) -> Any:
    """Return a constant of a file, which must be written as a literal."""
    assignments = _assignments(path)
    assert name in assignments, f"{path} does not define {name}"
    return ast.literal_eval(assignments[name])


def _keys(path: Path, name: str) -> tuple[str, ...]:
    """Return the keys of a dictionary of a file, which must be written as a literal."""
    dictionary = _assignments(path)[name]
    assert isinstance(dictionary, ast.Dict), f"{path}: {name} must be written as a dictionary"
    keys = []
    for key in dictionary.keys:
        assert key is not None, f"{path}: {name} must not contain **"
        keys.append(ast.literal_eval(key))
    return tuple(keys)


@cache
def _assignments(path: Path) -> dict[str, ast.expr]:
    """Return the expressions that a file assigns to its global names, without running the file."""
    expressions = {}
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    expressions[target.id] = statement.value
    return expressions
