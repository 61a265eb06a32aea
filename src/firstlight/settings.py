"""From flags to run.json: what a training is, written down before it starts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from firstlight import catalog
from firstlight.errors import DataError, UsageError


def prepare(
    network: str,
    data: str,
    recipe_name: str,
    seed: int,
    patience: int,
    limit: int | None,
    quiet: bool = True,
    **overrides: float | None,
) -> dict[str, Any]:
    """All that decides a training; `overrides` are the recipe's fields that flags have set.

    Raises:
        UsageError: no such network or recipe, both --epochs and --steps, or a value not allowed.
        DataError: no such data, or it is damaged.
    """
    network, recipe = catalog.recipe(recipe_name, network)
    given: dict[str, float | None]
    given = {name: value for name, value in overrides.items() if value is not None}
    if {"epochs", "steps"} <= given.keys():
        raise UsageError("--epochs and --steps are two ways to say one thing: give one of them")
    if {"epochs", "steps"} & given.keys():
        given = {"epochs": None, "steps": None, **given}
    recipe = replace(recipe, **given)  # type: ignore[arg-type]
    dataset = catalog.dataset(data, quiet=quiet)
    if not dataset.classes:
        raise DataError(f"{data}: no picture can be used; `firstlight data check` says why")
    if len(dataset.classes) < 2:
        raise DataError(f"{data} has one class, {dataset.classes[0]}: nothing to tell it from")
    notices = dataset.notices()
    if "test" not in dataset.splits:
        notices.append(f"{dataset.name} has no test split: only validation will be measured")
    if recipe.precision == "bfloat16" and not multiplies_bfloat16():
        recipe = replace(recipe, precision="float32")
        notices.append("computing in float32: this processor does not multiply bfloat16 matrices")
    ours = {entry["name"] for entry in catalog.datasets()}  # whatever else is called so
    return {
        "network": network,
        "data": data if data in ours else str(Path(data).resolve()),
        "recipe": recipe.to_json(),
        "seed": seed,
        "patience": patience,
        "limit": limit,
        "sha256": dataset.fingerprint(),
        "notices": notices,
        "pictures": dataset.listing,
    }


def multiplies_bfloat16() -> bool:
    """Whether the processor has units for it (AMX); elsewhere bfloat16 is the slower of the two."""
    facts = Path("/proc/cpuinfo")
    return facts.exists() and "amx_bf16" in facts.read_text()
