"""What there is: a network or dataset is a file, and its name is the file's name.

Listing reads the files' constants without importing them, so it costs no TensorFlow.
"""

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from firstlight.datasets import Examples, idx, npz
from firstlight.errors import DataError, UsageError
from firstlight.recipe import Recipe

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Network:
    """A network that has been found: a file in networks/, or one of its variants.

    A file defines INPUT, PARAMETERS (trainable, for ten classes), RECIPES by name, the first its
    default, and `build`. Where one file holds variants of a network, PARAMETERS is a dictionary by
    variant, "" being the plain one, and `build` takes the variant; its name is `file-variant`.
    """

    name: str
    input: tuple[int, int, int]  # height, width, channels
    parameters: int
    recipes: dict[str, Recipe]
    build: Callable[[int], Any]  # classes → Keras model: images (N, *input) uint8 → logits


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
            "name": _join(path.stem, variant),
            "input": list(_constant(path, "INPUT")),
            "parameters": parameters,
            "recipes": [name for name, of in _recipes(path).items() if of == variant],
        }
        for path in _files("networks", "RECIPES")
        for variant, parameters in _variants(_constant(path, "PARAMETERS")).items()
    ]


def datasets() -> list[dict[str, Any]]:
    """Every dataset that is known by name: name, number of classes."""
    return [
        {"name": path.stem, "classes": len(_constant(path, "CLASSES"))}
        for path in _files("datasets", "CLASSES")
    ]


def network(name: str) -> Network:
    """The network of that name. Imports TensorFlow.

    Raises:
        UsageError: there is none.
    """
    there = [entry["name"] for entry in networks()]
    if name not in there:
        raise UsageError(f"no network {name!r}; there are: {', '.join(there)}")
    stem, _, variant = name.partition("-")
    module: Any = importlib.import_module(f"firstlight.networks.{stem}")
    recipes = {key: r for key, r in module.RECIPES.items() if r.variant == variant}
    build = partial(module.build, variant=variant) if variant else module.build
    return Network(name, module.INPUT, _variants(module.PARAMETERS)[variant], recipes, build)


def recipe(name: str, network_name: str) -> tuple[str, Recipe]:
    """A recipe and the network that it trains; the network's first recipe if the name is empty.

    A recipe of a variant is also found by the plain network's name: `convnet`, recipe `record`.

    Raises:
        UsageError: there is no such network or recipe.
    """
    there: dict[str, tuple[str, Recipe]] = {}
    listed = [entry["name"] for entry in networks()]
    for other in [network_name, *(n for n in listed if n.startswith(f"{network_name}-"))]:
        there = {key: (other, r) for key, r in network(other).recipes.items()} | there
    first = next(key for key, (other, _) in there.items() if other == network_name)
    if name and name not in there:
        raise UsageError(f"no recipe {name!r} for {network_name}; there are: {', '.join(there)}")
    return there[name or first]


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


def _recipes(path: Path) -> dict[str, str]:
    """The names of a file's recipes, each with the variant that it is for."""
    recipes = _assigned(path, "RECIPES")
    assert isinstance(recipes, ast.Dict), f"{path}: RECIPES must be written as a dictionary"
    found = {}
    for key, call in zip(recipes.keys, recipes.values, strict=True):
        assert key and isinstance(call, ast.Call), f"{path}: a recipe is a name and Recipe(...)"
        named = {word.arg: word.value for word in call.keywords}
        variant = ast.literal_eval(named["variant"]) if "variant" in named else ""
        found[ast.literal_eval(key)] = variant
    return found


def _variants(parameters: Any) -> dict[str, int]:
    return parameters if isinstance(parameters, dict) else {"": parameters}


def _join(stem: str, variant: str) -> str:
    return f"{stem}-{variant}" if variant else stem
