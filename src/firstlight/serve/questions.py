"""The questions of the server to its worker process, and the form of each answer.

    server  ── {"question": "Samples", "fields": {"run": "runs/softmax-mnist-1"}} ──→  tf_worker.py
            ←── {"modified": …, "predicted": […], …} or {"error": "…"} ──────────────

A question is a frozen dataclass and an answer a TypedDict, so that mypy checks both ends.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypedDict, TypeVar

from firstlight.serve.digits import ReadingJson
from firstlight.serve.run_pictures import PreparedJson
from firstlight.serve.run_views import MapsJson

Answer = TypeVar("Answer")


class LayerJson(MapsJson):
    name: str
    type: str  # the class of the Keras layer
    stage: str  # the first layer of its stage (see network_layers): layers that belong together
    window: tuple[int, int] | None  # rows, columns that it slides over its input; None without one
    strides: tuple[int, int] | None  # of the window


class LayerMapsJson(TypedDict):
    probabilities: list[float]
    occlusion: list[list[float]]  # (28, 28): see digits.occlusion_map
    layers: list[LayerJson]


class ProjectionJson(MapsJson):
    """What in an image activates a feature map: the deconvnet's pixels, as one map."""

    image: str  # (28, 28) uint8 in base64
    region: tuple[int, int, int, int]  # of the pixels that count: top, left, bottom, right
    activation: float  # the map's largest value for the image
    label: str  # the image's class; "" for the drawing


class ProjectionsJson(TypedDict):
    place: list[int]  # row, column of the map's largest value for the drawing; [] for a neuron
    drawing: ProjectionJson
    top_nine: list[ProjectionJson]  # the strongest activation first
    searched: int  # images, for the top nine
    data: str  # the dataset that they are from


class SamplesJson(TypedDict):
    predicted: list[int]
    labels: list[int]
    images: str  # (n, 28, 28) uint8 in base64
    modified: float  # when the weights were written, in seconds since 1970


class ClassesJson(TypedDict):
    labels: list[dict[str, Any]]  # label and probability; the most probable first


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
class Projections(Question[ProjectionsJson]):
    """What activates a feature map or a neuron: in an image, and in the run's validation images?"""

    run: str  # the run folder
    image: str  # 28×28 pixels in base64
    layer: str
    number: int  # of the feature map or the neuron, from 0


@dataclass(frozen=True)
class Samples(Question[SamplesJson]):
    """What do a run's newest weights predict for the first test images?"""

    run: str  # the run folder


@dataclass(frozen=True)
class Classify(Question[ClassesJson]):
    """Which classes does a run's network see in a picture?"""

    run: str  # the run folder
    picture: str  # the file in base64
    top: int  # labels in the answer


@dataclass(frozen=True)
class ClassifyWithOnnx(Question[ClassesJson]):
    """Which classes does a network in an ONNX file see in a picture?"""

    file: str
    picture: str  # the file in base64
    top: int  # labels in the answer


@dataclass(frozen=True)
class ReadPicture(Question[ReadingJson]):
    """Which digits are in a drawing or a photograph?"""

    picture: str  # the file in base64


@dataclass(frozen=True)
class ReadSquashed(Question[ReadingJson]):
    """Which digit is a whole picture, resized to the network's input?"""

    picture: str  # the file in base64


@dataclass(frozen=True)
class Prepare(Question[PreparedJson]):
    """What does a run's network get of a picture?"""

    run: str  # the run folder
    picture: str  # the file in base64


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
    kind.__name__: kind
    for kind in (
        *(LayerMaps, Projections, Samples, Classify, Recipes, DrawGraph, Evaluate),  # to tf_worker
        *(ReadPicture, ReadSquashed, ClassifyWithOnnx, Prepare),  # to picture_worker
    )
}


def to_line(question: Question[Any]) -> str:
    """Return a question as a line of JSON."""
    fields = asdict(question)
    return json.dumps({"question": type(question).__name__, "fields": fields}) + "\n"


def from_line(line: str) -> Question[Any]:
    """Return the question that `to_line` wrote."""
    document = json.loads(line)
    return QUESTIONS[document["question"]](**document["fields"])
