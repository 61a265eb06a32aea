"""What there is: a network or dataset is a file, and its name is the file's name.

Listing reads the files' constants without importing them, so it costs no TensorFlow.
"""

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from firstlight.datasets import Dataset, Examples, Listing, _folder, _idx, _npz
from firstlight.errors import DataError, UsageError
from firstlight.recipe import Recipe

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Network:
    """A network that has been found: a file in networks/, or one of its variants.

    A file defines INPUT, PARAMETERS (trainable, for ten classes or for CLASSES), RECIPES by name,
    the first its default, and `build`. Where one file holds variants of a network, PARAMETERS is a
    dictionary by variant, "" being the plain one, and `build` takes the variant; its name is
    `file-variant`. INPUT and CLASSES are dictionaries too where variants differ in them.
    """

    name: str
    input: tuple[int, int, int]  # height, width, channels
    parameters: int
    classes: int  # that it has so many parameters for
    recipes: dict[str, Recipe]
    build: Callable[[int], Any]  # classes → Keras model: images (N, *input) uint8 → logits


@dataclass(frozen=True)
class DatasetEntry:
    """A line of `firstlight list`."""

    name: str
    classes: int

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "classes": self.classes}


def networks() -> list[dict[str, Any]]:
    """Every network: name, input, parameters, names of its recipes."""
    return [
        {
            "name": _join(path.stem, variant),
            "input": list(_of_variant(_constant(path, "INPUT"), variant)),
            "parameters": parameters,
            "recipes": [name for name, of in _recipes(path).items() if variant in of],
        }
        for path in _files("networks", "RECIPES")
        for variant, parameters in _by_variant(_constant(path, "PARAMETERS")).items()
    ]


@cache
def datasets() -> tuple[DatasetEntry, ...]:
    """Return every dataset that is known by name, without importing it."""
    return tuple(
        DatasetEntry(path.stem, len(_constant(path, "CLASSES")))
        for path in _files("datasets", "CLASSES")
    )


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
    constants = (module.INPUT, module.PARAMETERS, getattr(module, "CLASSES", 10))
    size, parameters, classes = (_of_variant(constant, variant) for constant in constants)
    recipes = {key: r for key, r in module.RECIPES.items() if variant in _as_tuple(r.variant)}
    build = partial(module.build, variant=variant) if variant else module.build
    return Network(name, size, parameters, classes, recipes, build)


def recipe(name: str, network_name: str) -> tuple[str, Recipe]:
    """A recipe and the network that it trains; the network's first recipe if the name is empty.

    A recipe of a variant is also found by the plain network's name: `convnet`, recipe `record`.

    Raises:
        UsageError: there is no such network or recipe.
    """
    there: dict[str, tuple[str, Recipe]] = {}
    listed = [entry["name"] for entry in networks()]
    for other in [network_name, *(n for n in listed if n.startswith(f"{network_name}-"))]:
        for key, found in network(other).recipes.items():
            there.setdefault(key, (other, found))  # its own come first
    if name and name not in there:
        raise UsageError(f"no recipe {name!r} for {network_name}; there are: {', '.join(there)}")
    return there[name or next(iter(there))]


def dataset(name: str, listing: Listing | None = None, quiet: bool = True) -> Dataset:
    """Return a dataset by its name, or the one at a path: IDX files, an .npz file, or pictures.

    Args:
        listing: the pictures to use of a folder, as a run has kept them; without, every picture is
            decoded once to see whether it can be used.

    Raises:
        DataError: no such dataset or path, or it is damaged.
    """
    names = [entry.name for entry in datasets()]
    if name in names:
        module = importlib.import_module(f"firstlight.datasets.{name}")
        return Dataset(
            name=name,
            classes=module.CLASSES,
            load=module.load,
            fingerprint=lambda: module.SHA256,
        )
    path = Path(name)
    if not path.exists():
        raise DataError(f"no dataset or path {name!r}; datasets: {', '.join(names)}")
    npz_file = path if path.is_file() else path / _npz.NAME
    if npz_file.is_file():
        # mnist.npz is the same name everywhere: its folder's name says more.
        named = npz_file.parent if npz_file.name == _npz.NAME else npz_file.resolve()
        return _array_dataset(named.name, npz_file, _npz)
    if _idx.has_files(path):
        return _array_dataset(path.resolve().name, path, _idx)
    if _folder.has_class_folders(path):
        return _picture_dataset(path, listing, quiet)
    files = ", ".join(sorted(file.name for file in path.iterdir())[:6]) or "nothing"
    raise DataError(
        f"{path}: neither IDX files, {_npz.NAME}, nor class folders of pictures; it has: {files}"
    )


def _array_dataset(name: str, path: Path, file_format: Any) -> Dataset:
    """Return the dataset in a file or directory of a format (_idx or _npz)."""
    classes = file_format.classes(path)

    def load(split: str) -> Examples:
        examples: Examples = file_format.load(split, path)
        largest = examples.labels.max()
        if largest >= len(classes):
            raise DataError(
                f"{path}: {split} contains label {largest}, but training labels are 0 to "
                f"{len(classes) - 1}"
            )
        return examples

    return Dataset(
        name=name or "data",
        classes=classes,
        load=load,
        fingerprint=partial(file_format.fingerprint, path),
    )


def _picture_dataset(path: Path, kept: Listing | None, quiet: bool) -> Dataset:
    listing = kept or _folder.list_pictures(path, quiet)
    return Dataset(
        name=path.resolve().name or "data",
        classes=listing.classes,
        load=partial(_folder.load, directory=path, listing=listing),
        fingerprint=partial(_folder.fingerprint, path, listing, from_files=kept is not None),
        splits=tuple(listing.splits),
        listing=listing,
    )


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


def _recipes(path: Path) -> dict[str, tuple[str, ...]]:
    """The names of a file's recipes, each with the variants that it is for."""
    recipes = _assigned(path, "RECIPES")
    assert isinstance(recipes, ast.Dict), f"{path}: RECIPES must be written as a dictionary"
    found = {}
    for key, call in zip(recipes.keys, recipes.values, strict=True):
        assert key and isinstance(call, ast.Call), f"{path}: a recipe is a name and Recipe(...)"
        named = {word.arg: word.value for word in call.keywords}
        variant = ast.literal_eval(named["variant"]) if "variant" in named else ""
        found[ast.literal_eval(key)] = _as_tuple(variant)
    return found


def _as_tuple(variant: str | tuple[str, ...]) -> tuple[str, ...]:
    return (variant,) if isinstance(variant, str) else tuple(variant)


def _by_variant(constant: Any) -> dict[str, Any]:
    return constant if isinstance(constant, dict) else {"": constant}


def _of_variant(constant: Any, variant: str) -> Any:
    """A constant of a network's file: the same for all its variants, or a dictionary of them."""
    return constant[variant] if isinstance(constant, dict) else constant


def _join(stem: str, variant: str) -> str:
    return f"{stem}-{variant}" if variant else stem
