"""Settings: everything that determines a training. `train` makes them from its flags."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from firstlight import catalog
from firstlight.datasets import EMPTY_CLASS, Dataset
from firstlight.errors import DataError, UsageError
from firstlight.networks._network import Network, SourceRecord
from firstlight.recipe import Recipe, check_choice, check_whole_number
from firstlight.training.precision import bfloat16_speedup, compared, faster_precision

MAX_FAULTS_NAMED = 3  # in a message about data without a picture that can be used
MAX_SEED = 2**32 - 1
BALANCED = "balanced"  # class weights: each class counts alike, however many examples it has


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is trained, on which data, and how."""

    network: str
    data: str  # a dataset's name, an absolute path, or the name of arrays from Python
    recipe: Recipe
    recipe_name: str = ""  # "" for a recipe that was given from Python
    seed: int
    patience: int = 0  # epochs without a better validation accuracy before it stops; 0: never
    limit: int | None = None  # maximum of training images, and of validation images
    class_weights: str | None = None  # BALANCED, or None
    started_from: str | None = None  # the run folder whose weights training began with
    sha256: dict[str, str]  # the data's hashes, see Dataset.fingerprint
    source: SourceRecord | None = None  # of a user's own network
    in_memory: bool = False  # the data are arrays from Python, which a run folder does not keep
    notices: tuple[str, ...] = ()  # what a user must know before training starts
    command: str = ""  # the command, or the call from Python, that started the training

    def to_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "data": self.data,
            "recipe": self.recipe.to_json(),
            "recipe_name": self.recipe_name,
            "seed": self.seed,
            "patience": self.patience,
            "limit": self.limit,
            "class_weights": self.class_weights,
            "started_from": self.started_from,
            "sha256": self.sha256,
            "source": self.source.to_json() if self.source else None,
            "in_memory": self.in_memory,
            "notices": list(self.notices),
            "command": self.command,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Settings":
        """Raises KeyError, TypeError or AttributeError if the document holds no settings."""
        source = document.get("source")
        return cls(
            network=document["network"],
            data=document["data"],
            recipe=Recipe.from_json(document["recipe"]),
            recipe_name=document.get("recipe_name", ""),  # runs from before lack these five
            seed=document["seed"],
            patience=document["patience"],
            limit=document["limit"],
            class_weights=document.get("class_weights"),
            started_from=document.get("started_from"),
            sha256=dict(document["sha256"]),
            source=SourceRecord.from_json(source) if source else None,
            in_memory=document.get("in_memory", False),
            notices=tuple(document["notices"]),
            command=document["command"],
        )


@dataclass(frozen=True)
class Plan:
    """A training that can begin: its settings, and the network and the data that they name."""

    settings: Settings
    network: Network
    dataset: Dataset


NetworkChoice = str | Path | Network | Callable[[int], Any] | Any  # Any: a keras.Model
DataChoice = str | Path | Dataset | tuple[ArrayLike, ArrayLike]  # the tuple: images, labels


def prepare(
    network: NetworkChoice,
    data: DataChoice = "mnist",
    recipe: str | Recipe = "",
    *,
    seed: int = 0,
    patience: int = 0,
    limit: int | None = None,
    class_weights: str | None = None,
    quiet: bool = True,
    command: str = "",
    measure_bfloat16: Callable[[], float] | None = None,
    **overrides: float | None,
) -> Plan:
    """Return a training that can begin.

    Args:
        network: the name of a network, the path of a .py file, a function or a Keras model.
        data: a dataset, its name, its path, or (images, labels).
        recipe: a recipe, or the name of one of the network's; "" for its default with this data.
        class_weights: BALANCED, or None.
        measure_bfloat16: returns how many times as fast as float32 the devices that compute are in
            bfloat16; by default this machine's device is measured. It is called if it matters.
        overrides: fields of the recipe that flags have set; None does not change a field.

    Raises:
        UsageError: no such network or recipe, both epochs and steps, or an impossible rate.
        DataError: no such data, or it is damaged, or it has a single class.
    """
    check_whole_number("seed", seed, minimum=0, maximum=MAX_SEED)
    check_whole_number("patience", patience, minimum=0)
    if limit is not None:
        check_whole_number("limit", limit, minimum=1)
    check_choice("class_weights", class_weights, (None, BALANCED))
    dataset = catalog.dataset(data, quiet=quiet)
    refuse_single_class(dataset)
    named = catalog.network(network, len(dataset.classes))
    chosen, base, recipe_name = choose_recipe(recipe, named, dataset)
    notices = dataset.notices()
    if "test" not in dataset.splits:
        notices.append(f"{dataset.name} has no test split: only validation accuracy is measured")
    computed = overridden(base, overrides)
    if computed.precision == "bfloat16":
        computed, notice = in_faster_precision(computed, measure_bfloat16)
        notices.append(notice)
    settings = Settings(
        network=chosen.name,
        data=dataset.location or dataset.name,
        recipe=computed,
        recipe_name=recipe_name,
        seed=int(seed),
        patience=int(patience),
        limit=None if limit is None else int(limit),
        class_weights=class_weights,
        sha256=dataset.fingerprint(),
        source=chosen.source.record if chosen.source else None,
        in_memory=dataset.location is None,
        notices=tuple(notices),
        command=command,
    )
    return Plan(settings, chosen, dataset)


def in_faster_precision(
    recipe: Recipe, measure_bfloat16: Callable[[], float] | None
) -> tuple[Recipe, str]:
    """Return a recipe for bfloat16, in float32 where that is faster; and what was measured."""
    speedup = (measure_bfloat16 or bfloat16_speedup)()
    precision = faster_precision(speedup)
    return replace(recipe, precision=precision), f"computing in {precision}: {compared(speedup)}"


def choose_recipe(
    recipe: str | Recipe, network: Network, dataset: Dataset
) -> tuple[Network, Recipe, str]:
    """Return the network that is trained, its recipe, and the recipe's name.

    The network may be another one: see catalog.recipes. A recipe from Python has no name.

    Raises:
        UsageError: no recipe has that name.
    """
    if isinstance(recipe, Recipe):
        return network, recipe, ""
    if not isinstance(recipe, str):
        raise UsageError(f"recipe is a {type(recipe).__name__}; it must be a name or a Recipe")
    name = recipe or default_recipe(network, dataset)
    return *catalog.recipe(name, network), name


def default_recipe(network: Network, dataset: Dataset) -> str:
    """Return the name of the recipe that trains a network on this data if none is named.

    It is the network's first recipe; for a folder of photographs it is the recipe "pictures", if
    the network has one: photographs are fewer and harder than the digits of its first recipe.
    """
    are_pictures = dataset.listing is not None and dataset.listing.size is None
    return catalog.suitable_recipes(network.recipes, pictures=are_pictures)[0]


def overridden(recipe: Recipe, overrides: dict[str, float | None]) -> Recipe:
    """Return the recipe with these fields; epochs replaces steps, and steps replaces epochs.

    Raises:
        UsageError: both epochs and steps are given, or a value is not allowed.
    """
    fields: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    if {"epochs", "steps"} <= fields.keys():
        raise UsageError("--epochs and --steps both set the length of a training: give only one")
    if "epochs" in fields:
        fields["steps"] = None
    elif "steps" in fields:
        fields["epochs"] = None
    return replace(recipe, **fields)


def refuse_single_class(dataset: Dataset) -> None:
    """Raises DataError if the dataset has fewer than two classes."""
    data = dataset.location or dataset.name
    if len(dataset.classes) < 2:
        raise DataError(too_few_classes(data, dataset.classes) + first_faults(dataset))


def first_faults(dataset: Dataset) -> str:
    """Return what is wrong with the first files, and the command that lists all; "" if nothing."""
    faults = dataset.listing.faults if dataset.listing else ()
    files = [fault for fault in faults if EMPTY_CLASS not in fault.problem][:MAX_FAULTS_NAMED]
    named = "".join(f"; {fault.file}: {fault.problem}" for fault in files)
    return f"{named}; `{dataset.check_command}` lists every fault" if faults else ""


def too_few_classes(data: str, classes: Sequence[str]) -> str:
    """Return why data with no class, or with one, cannot be trained on."""
    if not classes:
        return f"{data}: no picture can be used"
    return f"{data} has one class, {classes[0]}: a network needs at least two"
