"""Settings: everything that determines a training. `train` makes them from its flags."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firstlight import catalog
from firstlight.datasets import Dataset
from firstlight.errors import DataError, UsageError
from firstlight.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is trained, on which data, and how."""

    network: str
    data: str  # a dataset's name, or an absolute path
    recipe: Recipe
    seed: int
    patience: int = 0  # epochs without a better validation accuracy before it stops; 0: never
    limit: int | None = None  # maximum of training images, and of validation images
    sha256: dict[str, str]  # the data's hashes, see Dataset.fingerprint
    notices: tuple[str, ...] = ()  # what a user must know before training starts
    command: str = ""  # the firstlight command that was given; "" from Python

    def to_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "data": self.data,
            "recipe": self.recipe.to_json(),
            "seed": self.seed,
            "patience": self.patience,
            "limit": self.limit,
            "sha256": self.sha256,
            "notices": list(self.notices),
            "command": self.command,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Settings":
        """Raises KeyError, TypeError or AttributeError if the document holds no settings."""
        return cls(
            network=document["network"],
            data=document["data"],
            recipe=Recipe.from_json(document["recipe"]),
            seed=document["seed"],
            patience=document["patience"],
            limit=document["limit"],
            sha256=dict(document["sha256"]),
            notices=tuple(document["notices"]),
            command=document["command"],
        )


def prepare(
    network: str,
    data: str = "mnist",
    recipe: str = "",
    *,
    seed: int = 0,
    patience: int = 0,
    limit: int | None = None,
    quiet: bool = True,
    command: str = "",
    **overrides: float | None,
) -> tuple[Settings, Dataset]:
    """Return the settings of a training, and its data.

    Args:
        recipe: the name of one of the network's recipes; "" for its default with this data.
        overrides: fields of the recipe that flags have set; None does not change a field.

    Raises:
        UsageError: no such network or recipe, both epochs and steps, or an impossible rate.
        DataError: no such data, or it is damaged, or it has a single class.
    """
    network, base = catalog.recipe(recipe, network)
    chosen = overridden(base, overrides)
    dataset = catalog.dataset(data, quiet=quiet)
    refuse_single_class(dataset, data)
    if not recipe:
        _, base = catalog.recipe(default_recipe(network, dataset), network)
        chosen = overridden(base, overrides)
    notices = dataset.notices()
    if "test" not in dataset.splits:
        notices.append(f"{dataset.name} has no test split: only validation accuracy is measured")
    if chosen.precision == "bfloat16" and not multiplies_bfloat16():
        chosen = replace(chosen, precision="float32")
        notices.append("computing in float32: this processor does not multiply bfloat16 matrices")
    settings = Settings(
        network=network,
        data=name_or_path(data),
        recipe=chosen,
        seed=seed,
        patience=patience,
        limit=limit,
        sha256=dataset.fingerprint(),
        notices=tuple(notices),
        command=command,
    )
    return settings, dataset


def default_recipe(network: str, dataset: Dataset) -> str:
    """Return the name of the recipe that trains a network on this data if none is named.

    It is the network's first recipe; for a folder of photographs it is the recipe "pictures", if
    the network has one: photographs are fewer and harder than the digits of its first recipe.
    """
    first, *others = catalog.network(network).recipes
    return "pictures" if dataset.listing is not None and "pictures" in others else first


def name_or_path(data: str) -> str:
    """Return the name of a dataset of the catalogue as it is, and any other path as absolute."""
    if data in {entry.name for entry in catalog.datasets()}:
        return data
    return str(Path(data).resolve())


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


def refuse_single_class(dataset: Dataset, data: str) -> None:
    """Raises DataError if the dataset has fewer than two classes."""
    if not dataset.classes:
        raise DataError(f"{data}: no picture can be used; `firstlight data check` shows why")
    if len(dataset.classes) == 1:
        raise DataError(f"{data} has one class, {dataset.classes[0]}: a network needs at least two")


def multiplies_bfloat16() -> bool:
    """Return whether the processor has matrix units for bfloat16 (AMX); else it is slower."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text()
