"""A network: what training needs to know of it. One of the files here, or a user's own."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firstlight.images.crops import Size
from firstlight.recipe import Recipe


@dataclass(frozen=True)
class SourceRecord:
    """What run.json says about the source of a user's own network."""

    file: str  # its name in the run folder: network.py, or network.json for a model from Python
    sha256: str
    path: str | None  # where the .py file was; None for a model from Python

    def to_json(self) -> dict[str, Any]:
        return {"file": self.file, "sha256": self.sha256, "path": self.path}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "SourceRecord":
        """Raises KeyError if the document is not such a record."""
        return cls(document["file"], document["sha256"], document["path"])


@dataclass(frozen=True)
class Source:
    """What a user's own network is made of: a Python file, or a model's configuration as JSON."""

    file: str
    text: str
    path: str | None

    @property
    def record(self) -> SourceRecord:
        return SourceRecord(self.file, sha256(self.text), self.path)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Network:
    """A network that can be built and trained.

    `build(classes)` returns a plain `keras.Model`. It takes images (N, height, width, channels)
    uint8, 0 to 255, as they come, and returns logits (N, classes): the scores before softmax.
    """

    name: str
    input: Size  # height, width, channels
    recipes: dict[str, Recipe]  # the first is the default
    build: Callable[[int], Any]
    parameters: int | None = None  # trainable, for `classes` classes; None for a user's own network
    classes: int = 10  # that `parameters` is stated for
    source: Source | None = None  # of a user's own network
    has_weights: bool = False  # each model that is built has the weights of a given one
