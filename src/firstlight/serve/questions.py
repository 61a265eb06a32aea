"""The questions of the server to its worker process, and the form of each answer.

    server  ── {"question": "Samples", "fields": {"run": "runs/softmax-mnist-1"}} ──→  tf_worker.py
            ←── {"modified": …, "predicted": […], …} or {"error": "…"} ──────────────

A question is a frozen dataclass and an answer a TypedDict, so that mypy checks both ends.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypedDict, TypeVar

from firstlight.serve.run_views import MapsJson

Answer = TypeVar("Answer")


class LayerJson(MapsJson):
    name: str
    type: str  # the class of the Keras layer


class LayerMapsJson(TypedDict):
    probabilities: list[float]
    occlusion: list[list[float]]  # (28, 28): see digits.occlusion_map
    layers: list[LayerJson]


class SamplesJson(TypedDict):
    predicted: list[int]
    labels: list[int]
    images: str  # (n, 28, 28) uint8 in base64
    modified: float  # when the weights were written, in seconds since 1970


class RecipeJson(TypedDict):
    """The fields of a recipe that the page can change."""

    epochs: int | None
    steps: int | None
    batch_size: int
    learning_rate: float


class Done(TypedDict):
    """The empty answer to a question that only writes files."""


@dataclass(frozen=True)
class Question(Generic[Answer]):
    """A question that is answered with an `Answer`."""


@dataclass(frozen=True)
class LayerMaps(Question[LayerMapsJson]):
    """Which features does each layer of a run's network find in an image?"""

    run: str  # the run folder
    image: str  # 28×28 pixels in base64


@dataclass(frozen=True)
class Samples(Question[SamplesJson]):
    """What do a run's newest weights predict for the first test images?"""

    run: str  # the run folder


@dataclass(frozen=True)
class Recipes(Question[dict[str, dict[str, RecipeJson]]]):
    """What is in the recipes? The answer: network → recipe → its fields."""


@dataclass(frozen=True)
class DrawGraph(Question[dict[str, str]]):
    """What do the two pictures of a graph look like? The answer: name → SVG."""

    target: str  # the name of a network, or "first-graph"


@dataclass(frozen=True)
class Evaluate(Question[Done]):
    """Evaluate a run; leaves evaluation.json and figures in its folder."""

    run: str  # the run folder


QUESTIONS: dict[str, type[Question[Any]]] = {
    kind.__name__: kind for kind in (LayerMaps, Samples, Recipes, DrawGraph, Evaluate)
}


def to_line(question: Question[Any]) -> str:
    """Return a question as a line of JSON."""
    fields = asdict(question)
    return json.dumps({"question": type(question).__name__, "fields": fields}) + "\n"


def from_line(line: str) -> Question[Any]:
    """Return the question that `to_line` wrote."""
    document = json.loads(line)
    return QUESTIONS[document["question"]](**document["fields"])
