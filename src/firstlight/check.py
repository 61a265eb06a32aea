"""Is anything wrong with a dataset? Every file is looked at before a training relies on it."""

from collections import Counter
from typing import Any

from firstlight import catalog
from firstlight.errors import DataError


def check(data: str, quiet: bool = True) -> dict[str, Any]:
    """What the command line prints as JSON: classes with their counts, and the faults.

    Raises:
        DataError: there is no such data at all.
    """
    dataset = catalog.dataset(data, quiet=quiet)
    faults = list(dataset.listing["faults"]) if dataset.listing else []
    counts: Counter[str] = Counter(dict.fromkeys(dataset.classes, 0))
    for split in dataset.splits:
        try:
            labels = dataset.load(split).labels
            counts.update(dataset.classes[label] for label in labels)
        except DataError as error:
            faults.append({"file": data, "problem": str(error)})
    examples = sum(counts.values())
    return {"data": dataset.name, "classes": dict(counts), "examples": examples, "faults": faults}
