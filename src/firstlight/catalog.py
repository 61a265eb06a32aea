"""Finds networks and datasets by file name, and recipes by the name of their network.

A name has "-" where the file's name has "_": networks/nin_cifar.py is `nin-cifar`. A dataset with
FOLDS has a name for each: datasets/mnist_writers.py is `mnist-writers-1`, `mnist-writers-2`, ...
Listing reads the constants of the files without importing them. So it imports neither TensorFlow
nor NumPy, and is quick enough to complete words in a shell.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.errors import DataError, UsageError
from firstlight.images.values import BYTES

if TYPE_CHECKING:  # these modules import NumPy
    from numpy.typing import ArrayLike

    from firstlight.datasets import Dataset, Listing
    from firstlight.images.crops import Size
    from firstlight.networks._network import Network
    from firstlight.recipe import Recipe

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Reach:
    """What a recipe reaches: the mean over several seeds, as benchmarks/results has them."""

    data: str  # "mnist", measured on its test images, or "photographs"
    accuracy: float  # 0 to 1
    seconds: float  # of the training

    def to_json(self) -> dict[str, Any]:
        return {"data": self.data, "accuracy": self.accuracy, "seconds": self.seconds}


@dataclass(frozen=True)
class NetworkEntry:
    """What `firstlight list` shows about a network, read without importing its file."""

    name: str
    input: Size
    parameters: int  # trainable, for ten classes or for the file's CLASSES
    recipes: tuple[str, ...]  # the first is the default
    paper: str = ""  # authors and year: "Lin, Chen, Yan 2013"; "" for a network without a paper
    reaches: dict[str, Reach] = field(default_factory=dict)  # by recipe, of those measured

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "input": list(self.input),
            "parameters": self.parameters,
            "recipes": list(self.recipes),
            "paper": self.paper,
            "reaches": {recipe: reach.to_json() for recipe, reach in self.reaches.items()},
        }

    def ladder_key(self) -> tuple[int, bool, float, int]:
        """Return what the ladder is ordered by: the images' size, then the best accuracy.

        Sizes count as equal within the same power of two. Networks that were not measured come
        after the others of that size, the smallest first.
        """
        height, width, channels = self.input
        size = (height * width * channels).bit_length()
        best = max((reach.accuracy for reach in self.reaches.values()), default=0.0)
        return size, not self.reaches, best, self.parameters


@dataclass(frozen=True)
class DatasetEntry:
    """What `firstlight list` shows about a dataset."""

    name: str
    classes: int

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "classes": self.classes}


@cache
def networks() -> tuple[NetworkEntry, ...]:
    """Return every network of the folder networks/, in the order of the ladder."""
    entries = [
        NetworkEntry(
            name=path.stem.replace("_", "-"),
            input=_constant(path, "INPUT"),
            parameters=_constant(path, "PARAMETERS"),
            recipes=_keys(path, "RECIPES"),
            paper=_constant(path, "PAPER", default=""),
            reaches=_reaches(path),
        )
        for path in _files("networks", "RECIPES")
    ]
    return tuple(sorted(entries, key=NetworkEntry.ladder_key))


@cache
def datasets() -> tuple[DatasetEntry, ...]:
    """Return every dataset that is known by name, without importing it."""
    return tuple(
        DatasetEntry(name, len(_constant(path, "CLASSES")))
        for path in _files("datasets", "CLASSES")
        for name in _dataset_names(path)
    )


def _dataset_names(path: Path) -> list[str]:
    """Return the names of a file's datasets: one, or one for each of its FOLDS."""
    name = path.stem.replace("_", "-")
    folds = _constant(path, "FOLDS", default=0)
    return [f"{name}-{fold}" for fold in range(1, folds + 1)] or [name]


def network(network: str | Path | Network | Any, classes: int = 10) -> Network:
    """Return a network by its name, or a user's own. Imports TensorFlow.

    Args:
        network: a name of the catalogue, or the path of a .py file; from Python also a function
            that takes the number of classes and returns a Keras model, or such a model.
        classes: the number of classes to build a function's model for.

    Raises:
        UsageError: no network has that name, or what is given is not a network.
        DataError: the file cannot be read.
    """
    from firstlight.networks._network import Network

    if isinstance(network, Network):
        return network
    if isinstance(network, str | Path) and not str(network).endswith(".py"):
        return named_network(str(network))
    from firstlight.networks import _own

    return _own.own_network(network, classes)


def named_network(name: str) -> Network:
    """Return a network of the folder networks/, and nothing else.

    Raises:
        UsageError: none has that name.
    """
    from firstlight.networks._network import Network

    names = [entry.name for entry in networks()]
    if name not in names:
        raise UsageError(
            f"no network {name!r}; networks: {', '.join(names)}; your own: the path of a .py file"
        )
    module: Any = importlib.import_module(f"firstlight.networks.{name.replace('-', '_')}")
    return Network(
        name=name,
        input=module.INPUT,
        recipes=module.RECIPES,
        build=module.build,
        parameters=module.PARAMETERS,
        classes=getattr(module, "CLASSES", 10),
    )


def recipe(name: str, of: Network) -> tuple[Network, Recipe]:
    """Return a recipe, and the network that it trains: see `recipes`.

    Raises:
        UsageError: no recipe has that name.
    """
    if name in of.recipes:
        return of, of.recipes[name]
    choices = dict.fromkeys(of.recipes, of.name) if of.source else recipes(of.name)
    if name not in choices:
        raise UsageError(f"no recipe {name!r} for {of.name}; recipes: {', '.join(choices)}")
    trained = network(choices[name])
    return trained, trained.recipes[name]


def suitable_recipes(recipes: Iterable[str], *, pictures: bool) -> tuple[str, ...]:
    """Return those of a network's recipes that suit a kind of data, the default first.

    The recipe "pictures" is for folders of pictures; a network that has it has made its other
    recipes for digits.
    """
    names = tuple(recipes)
    if "pictures" not in names[1:]:
        return names
    return ("pictures",) if pictures else tuple(name for name in names if name != "pictures")


def recipes(network_name: str) -> dict[str, str]:
    """Return the recipes that a network's name finds, each with the network that it trains.

    After the network's own recipes, those of all networks whose names begin with its name are
    found: `convnet` with the recipe `record` trains `convnet-record`.
    """
    own = [entry for entry in networks() if entry.name == network_name]
    relatives = [entry for entry in networks() if entry.name.startswith(f"{network_name}-")]
    found: dict[str, str] = {}
    for entry in own + relatives:
        for name in entry.recipes:
            found.setdefault(name, entry.name)
    return found


def dataset(
    data: str | Path | Dataset | tuple[ArrayLike, ArrayLike],
    listing: Listing | None = None,
    quiet: bool = True,
) -> Dataset:
    """Return a dataset by its name, or the one at a path: see datasets/_kinds.py.

    Args:
        data: a name, a path, or (images, labels) as Dataset.from_arrays takes them; a dataset is
            returned as it is.
        listing: which pictures of a folder to use, as a run has recorded them; None: every picture
            is decoded once to find out whether it can be used.
        quiet: show no progress.

    Raises:
        DataError: the dataset or path does not exist, or is damaged.
    """
    from firstlight.datasets import Dataset, _kinds

    if isinstance(data, Dataset):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        return Dataset.from_arrays(*data)
    if not isinstance(data, str | Path):
        raise UsageError(
            f"data is a {type(data).__name__}; it must be a dataset, a name, a path, or a tuple "
            "(images, labels)"
        )
    name = str(data)
    names = [entry.name for entry in datasets()]
    if name in names:
        return named_dataset(name)
    if not Path(name).exists():
        raise DataError(f"there is no folder or file {name}; datasets: {', '.join(names)}")
    return _kinds.dataset_at(Path(name), listing, quiet)


def named_dataset(name: str) -> Dataset:
    """Return a dataset of the folder datasets/, by a name that `datasets` lists."""
    from firstlight.datasets import Dataset

    [path] = (path for path in _files("datasets", "CLASSES") if name in _dataset_names(path))
    module: Any = importlib.import_module(f"firstlight.datasets.{path.stem}")
    load = module.load
    if hasattr(module, "FOLDS"):
        load = partial(module.load, fold=int(name.rpartition("-")[2]))
    return Dataset(
        name=name,
        classes=module.CLASSES,
        load=load,
        fingerprint=lambda: module.SHA256,
        location=name,
        values=BYTES,
        remarks=getattr(module, "REMARKS", ()),
    )


def _files(folder: str, constant: str) -> list[Path]:
    """Return the modules of a folder that define the constant; the others define no entry."""
    paths = sorted((PACKAGE / folder).glob("[!_]*.py"))
    return [path for path in paths if constant in _assignments(path)]


def _constant(path: Path, name: str, default: Any = None) -> Any:
    """Return a constant of a file, or the default.

    Raises:
        UsageError: it is missing and has no default, or it is not a literal.
    """
    assignments = _assignments(path)
    if name not in assignments:
        if default is not None:
            return default
        raise UsageError(f"{path} does not define {name}")
    try:
        return ast.literal_eval(assignments[name])
    except ValueError:
        raise UsageError(f"{path}: {name} must be a literal, which is read, not run") from None


def _reaches(path: Path) -> dict[str, Reach]:
    """Return REACHES of a network's file: recipe → (data, accuracy, seconds); it may have none.

    Raises:
        UsageError: it has another form.
    """
    try:
        return {
            str(recipe): Reach(data, float(accuracy), float(seconds))
            for recipe, (data, accuracy, seconds) in _constant(path, "REACHES", default={}).items()
        }
    except (AttributeError, TypeError, ValueError):
        raise UsageError(
            f"{path}: REACHES must be {{recipe: (data, accuracy from 0 to 1, seconds), ...}}"
        ) from None


def _keys(path: Path, name: str) -> tuple[str, ...]:
    """Return the keys of a dictionary of a file. Raises UsageError if it is not a literal."""
    dictionary = _assignments(path)[name]
    if not isinstance(dictionary, ast.Dict) or None in dictionary.keys:
        raise UsageError(f"{path}: {name} must be a literal {{...}}, without dict() and **")
    return tuple(ast.literal_eval(key) for key in dictionary.keys if key)


@cache
def _assignments(path: Path) -> dict[str, ast.expr]:
    """Return the expressions that a file assigns to its global names, without running the file."""
    expressions: dict[str, ast.expr] = {}
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            targets, value = [statement.target], statement.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                expressions[target.id] = value
    return expressions
