"""What a shell completes with the Tab key: networks, recipes, datasets and runs.

Nothing here imports NumPy or TensorFlow: a shell waits for the answer. The catalogue is imported
when a word is completed: help starts without it.
"""

from pathlib import Path

import typer

RUNS = Path("runs")


def networks() -> list[str]:
    from firstlight import catalog

    return [entry.name for entry in catalog.networks()]


def datasets() -> list[str]:
    from firstlight import catalog

    return [entry.name for entry in catalog.datasets()]


def recipes(context: typer.Context) -> list[str]:
    """Return the recipes of the network that is already typed; of all networks, if none is."""
    from firstlight import catalog

    # A flag that still waits for its value stops the parsing: then the network stands in `args`.
    typed = context.params.get("network") or next(iter(context.args), "")
    found = [catalog.recipes(name) for name in ([typed] if typed else networks())]
    return list(dict.fromkeys(name for recipes in found for name in recipes))


def runs() -> list[str]:
    """Return the run folders in runs/, and in the folders that group some of them."""
    records = [*RUNS.glob("*/run.json"), *RUNS.glob("*/*/run.json")]
    return sorted(str(record.parent) for record in records)


def graphs() -> list[str]:
    """Return what the verb `graph` draws."""
    return ["first-graph", *networks(), *runs()]
