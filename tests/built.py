"""Networks from the catalogue, each built once for all tests that only read it."""

from functools import cache

import keras

from firstlight import catalog


@cache
def built(name: str) -> keras.Model:
    """The network with as many classes as its file states its parameters for."""
    entry = catalog.network(name)
    return entry.build(entry.classes)


def names_by_input(size: tuple[int, int, int]) -> list[str]:
    """The networks that take images of that size (height, width, channels)."""
    return [entry["name"] for entry in catalog.networks() if tuple(entry["input"]) == size]
