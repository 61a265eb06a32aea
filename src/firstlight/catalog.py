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

from firstlight.datasets import SPLITS, Examples, _folder, _idx, _npz
from firstlight.errors import DataError, UsageError
from firstlight.recipe import Recipe
from firstlight.runs.run import Run

PACKAGE = Path(__file__).parent
FAULTS_TOLD = 20


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
