"""What the layers of a run's network make of an image, and what activates their feature maps."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from firstlight.datasets import Examples
from firstlight.errors import UsageError
from firstlight.explanation import features, network_layers
from firstlight.explanation.explanation import validation_images
from firstlight.explanation.network_layers import Stage, Stages
from firstlight.explanation.receptive_field import window_of
from firstlight.serve import digits, run_views
from firstlight.serve.questions import (
    LayerJson,
    LayerMaps,
    LayerMapsJson,
    ProjectionJson,
    Projections,
    ProjectionsJson,
)
from firstlight.serve.tf_network import (
    LiveNetwork,
    Version,
    newest_network,
    open_run,
    run_classes,
)

SEARCHED_IMAGES = 2000  # validation images, for the nine that activate a feature map most


def layer_maps(question: LayerMaps) -> LayerMapsJson:
    """Return the probabilities, the occlusion map and each layer's output for an image."""
    network = newest_network(question.run)
    image = digits.decode_image(question.image)
    outputs = network.outputs(image[None])
    if not isinstance(outputs, list):  # Keras unwraps a list of one output
        outputs = [outputs]
    (probabilities,) = network.probabilities(image[None])
    label = int(probabilities.argmax())
    return {
        "probabilities": probabilities.astype(float).round(4).tolist(),
        "occlusion": digits.occlusion_map(image, network.probabilities, label),
        "layers": [
            layer_json(layer, np.asarray(output)[0], network.stage_names[layer.name])
            for layer, output in zip(network.layers, outputs, strict=True)
        ],
    }


def layer_json(layer: Any, output: np.ndarray, stage: str) -> LayerJson:
    """Return a layer's output for the page: its feature maps, or its neurons as one row."""
    if features.has_feature_maps(output):
        maps = output.transpose(2, 0, 1)  # (height, width, maps) → (maps, height, width)
    else:
        maps = output.reshape(1, 1, -1)
    window = window_of(layer)
    return {
        **run_views.encode_maps(maps),
        "name": layer.name,
        "type": type(layer).__name__,
        "stage": stage,
        "window": window,
        "strides": layer.strides if window else None,
    }


# --- What activates a feature map --------------------------------------------------------------


@dataclass(frozen=True)
class Search:
    """The largest activation of each feature map, for each of many validation images."""

    data: str  # the name of the dataset
    examples: Examples
    stages: Stages  # each layer that the page shows, as a stage that ends with it
    maxima: dict[str, tuple[np.ndarray, np.ndarray]]  # layer → values, positions: (N, maps)


@lru_cache(maxsize=2)
def search(folder: str, version: Version) -> Search:
    """Compute all layers for the first SEARCHED_IMAGES validation images of a run.

    Args:
        folder: the run's.
        version: of the weights that the network has now; others need another search.

    Raises:
        DataError: the run's data is missing or damaged.
        UsageError: `explain` cannot look into the network.
    """
    network = newest_network(folder)
    data, examples = validation_images(open_run(folder), network.network, "", quiet=True)
    examples = examples.first(SEARCHED_IMAGES)
    stages = each_layer(network)
    maxima = features.spatial_maxima(list(stages.values()), examples.images)
    return Search(data, examples, stages, dict(zip(stages, maxima, strict=True)))


def each_layer(network: LiveNetwork) -> Stages:
    """Return each layer that the page shows, as a stage that ends with it.

    Raises:
        UsageError: `explain` cannot look into the network.
    """
    network_layers.stages(network.network)
    layers = network_layers.layers_of(network.network)
    return {
        layer.name: Stage(
            name=layer.name,
            path=layers[: layers.index(layer) + 1],
            shape=network_layers.output_of(layer).shape[1:],
            is_convolution=network_layers.is_convolution(layer),
        )
        for layer in network.layers
    }


def projections(question: Projections) -> ProjectionsJson:
    """Project a feature map's strongest unit down to pixels, for an image and for the top nine."""
    network = newest_network(question.run)
    assert network.loaded
    found = search(question.run, network.loaded)
    stage, number = chosen_map(found.stages, question.layer, question.number)
    image = digits.decode_image(question.image)
    values, positions = found.maxima[stage.name]
    own = features.activations({stage.name: stage}, image)[stage.name]
    own_values = own.reshape(-1, stage.shape[-1])[:, number]
    projected = features.project_map(
        stage,
        number,
        picture=image,
        own_values=own_values,
        images=found.examples.images,
        maxima=values[:, number],
        positions=positions[:, number],
    )
    unit = features.unit_at(stage.shape, number, int(own_values.argmax()))
    labels = found.examples.labels[features.top_nine(values[:, number])]
    classes = run_classes(open_run(question.run))
    return {
        "place": list(unit[:-1]),
        "drawing": projection_json(projected.picture, ""),
        "top_nine": [
            projection_json(projection, classes[label])
            for projection, label in zip(projected.top_nine, labels, strict=True)
        ],
        "searched": len(found.examples),
        "data": found.data,
    }


def chosen_map(stages: Stages, layer: str, number: int) -> tuple[Stage, int]:
    """Return the stage of that name, and the number of one of its maps.

    Raises:
        UsageError: there is no such layer or no such map.
    """
    if layer not in stages:
        raise UsageError(f"no layer {layer!r}; layers: {', '.join(stages)}")
    count = stages[layer].shape[-1]
    if not 0 <= number < count:
        raise UsageError(f"no map {number} in {layer}, which has {count}: 0 to {count - 1}")
    return stages[layer], number


def projection_json(projection: features.Projection, label: str) -> ProjectionJson:
    return {
        **run_views.encode_maps(projection.pixels.transpose(2, 0, 1)),
        "image": digits.encode(projection.image),
        "region": projection.receptive_field,
        "activation": round(projection.activation, 3),
        "label": label,
    }
