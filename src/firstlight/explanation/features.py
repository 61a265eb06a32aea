"""What does a network look at? Its filters, its maps, and what in a picture makes it answer.

Arrays out, no drawing (see explain_figures.py):

    filters      the first layer's weights, as images; of a network of one layer also these weights
                 times the picture: where ink speaks for a class, and where against it
    maps         what each layer answers to the picture
    sights       the strongest units of several layers, projected to pixels by the deconvnet; and
                 the nine pictures of a dataset to which the same maps answer most: figure 2 of
                 Zeiler and Fergus, arXiv 1311.2901
    occlusion    a square slid over the picture, and what the network says then: their figure 7,
                 in occlusion.py
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from firstlight import catalog, classification, model
from firstlight.datasets._images import fitted
from firstlight.errors import UsageError
from firstlight.evaluation.accuracy import listed
from firstlight.explanation import deconvnet
from firstlight.explanation.deconvnet import Place, Stage, Stages
from firstlight.explanation.occlusion import GREY, PAPER, Box, Occlusion, Says, occlude
from firstlight.probabilities import softmax, top_labels
from firstlight.progress import in_batches
from firstlight.runs.run import Run

LAYERS, MAPS, NINE = 5, 4, 9  # layers looked at unless told, maps of each, pictures of a map
MOST_IMAGES = 5_000  # of a dataset, among which the nine are looked for
MANY = 100  # filters
_BATCH = 32


class Sight(NamedTuple):
    """A unit's answer to an image, sent down to pixels."""

    image: np.ndarray  # (height, width, channels) uint8
    pixels: np.ndarray  # the same shape, float32: what there speaks for the unit, and against
    box: Box  # the part of the image that the unit can see
    value: float  # its answer


class Map(NamedTuple):
    """A map's strongest unit for the picture, and for the nine that it answers most to."""

    number: int
    own: Sight
    nine: list[Sight]  # strongest first


class Explanation(NamedTuple):
    network: str
    classes: tuple[str, ...]
    learned: str  # from what: see `fitted.learned_from`
    image: np.ndarray  # (height, width, channels) uint8: what the network was shown
    logits: np.ndarray  # (classes,)
    label: int  # the class that occlusion is about
    first: str  # the first layer
    last: str  # the one whose units are the classes
    units: int  # of the first layer
    filters: dict[int, np.ndarray]  # of MANY of them the weights (height, width, channels)
    products: np.ndarray | None  # (classes, height, width, channels): weights times the picture
    maps: dict[str, np.ndarray]  # layer → (height, width, maps)
    sights: dict[str, list[Map]]  # layer → maps, the most active first
    data: str  # where the nine are from
    occlusion: Occlusion

    @property
    def probabilities(self) -> np.ndarray:
        return softmax(self.logits[None])[0]

    def labels(self) -> list[dict[str, Any]]:
        return [label.to_json() for label in top_labels(self.probabilities, self.classes, 5)]


def explain(
    run: Run,
    picture: Path,
    wanted: Sequence[str] = (),
    data: str = "",
    label: str = "",
    quiet: bool = False,
) -> Explanation:
    """Look into a run's network while it looks at a picture.

    Args:
        wanted: layers to project from; without, several of the convolutions.
        data: of whose validation images the top nine are; without, the run's own.
        label: the class that occlusion is about; without, the one that the network answers.

    Raises:
        UsageError: no such layer or class.
        DataError: the run, the picture or the data is missing or damaged.
    """
    network, classes = model.load(run)
    stages = deconvnet.stages(network)
    chosen = choose(stages, wanted)
    learned = run.trained()["learned"]
    image = classification.preprocess(picture, network.input_shape[1:], learned)
    dataset = catalog.dataset(data, quiet=quiet) if data else catalog.trained_on(run)
    examples = fitted(dataset.load("val").first(MOST_IMAGES), network.input_shape[1:])
    answers = answers_of(stages, image)
    first, logits = next(iter(stages)), list(answers.values())[-1]
    about = class_number(classes, label) if label else int(logits.argmax())
    weights = filters(network.get_layer(first), network.input_shape[1:])
    paper = GREY if learned == "pictures" else PAPER
    return Explanation(
        network.name,
        classes,
        learned,
        image,
        logits,
        about,
        first,
        list(stages)[-1],
        len(weights),
        {number: weights[number] for number in most_active(answers[first], MANY)},
        products(stages, weights, image) if len(stages) == 1 else None,
        {name: values for name, values in answers.items() if is_map(values)},
        sights(chosen, image, answers, examples.images, quiet),
        dataset.name,
        occlude(*asked(network, stages, image), image, about, paper, quiet),
    )


def asked(network: keras.Model, stages: Stages, image: np.ndarray) -> tuple[Says, str]:
    """What `occlude` asks, compiled, and the map that it watches: of the last convolution the one
    with the strongest response to the whole image."""
    last = next((stage for stage in reversed(stages.values()) if stage.convolves), None)
    number = 0
    if last:
        answer = deconvnet.forward(last.path, image[None])[-1].numpy()[0]
        number = int(answer.sum((0, 1)).argmax())

    @tf.function(input_signature=[tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)])
    def says(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = deconvnet.forward(network.layers[1:], images)
        probabilities = tf.nn.softmax(values[-1])
        if not last:
            return probabilities, tf.zeros_like(probabilities[:, 0])
        return probabilities, tf.reduce_sum(values[len(last.path)][..., number], (1, 2))

    watched = f"{last.name}, map {number}" if last else ""
    return lambda images: tuple(part.numpy() for part in says(images)), watched


def choose(stages: Stages, wanted: Sequence[str]) -> list[Stage]:
    """The stages of these names; without, LAYERS convolutions from the first to the last.

    Raises:
        UsageError: there is no such layer.
    """
    for name in wanted:
        if name not in stages:
            raise UsageError(f"no layer {name!r} to look into; there are: {', '.join(stages)}")
    if wanted:
        return [stages[name] for name in wanted]
    there = [stage for stage in stages.values() if stage.convolves] or list(stages.values())
    steps = np.linspace(0, len(there) - 1, min(LAYERS, len(there)))
    return [there[round(step)] for step in steps]


def class_number(classes: tuple[str, ...], label: str) -> int:
    if label not in classes:
        raise UsageError(f"no class {label!r}; the network knows: {listed(classes)}")
    return classes.index(label)


def answers_of(stages: Stages, image: np.ndarray) -> dict[str, np.ndarray]:
    """What each stage answers to the image: (height, width, maps), or (units,)."""
    *_, last = stages.values()
    values = deconvnet.forward(last.path, image[None])
    return {name: values[len(stage.path)].numpy()[0] for name, stage in stages.items()}


def is_map(values: np.ndarray) -> bool:
    return values.ndim == 3 and values.shape[0] * values.shape[1] > 1


def most_active(values: np.ndarray, count: int) -> list[int]:
    """So many maps (or units) of the highest answers, the highest first."""
    highest = values.reshape(-1, values.shape[-1]).max(0)
    return [int(number) for number in np.argsort(-highest, kind="stable")[:count]]


def filters(layer: Any, size: tuple[int, int, int]) -> np.ndarray:
    """The weights of a first layer as images: (filters, height, width, channels)."""
    kernel: np.ndarray = layer.kernel.numpy()
    if isinstance(layer, layers.Conv2D):
        return kernel.transpose(3, 0, 1, 2)
    rows = kernel.T if isinstance(layer, layers.Dense) else kernel
    return rows.reshape(-1, *size)


def products(stages: Stages, weights: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Of a network of one layer: each weight times what it is given. A class's add up to its logit,
    but for the bias.
    """
    (only,) = stages.values()
    given = deconvnet.forward(only.path, image[None])[-2].numpy()
    product: np.ndarray = weights * given.reshape(1, *image.shape)
    return product


def sights(
    chosen: list[Stage],
    image: np.ndarray,
    answers: dict[str, np.ndarray],
    images: np.ndarray,
    quiet: bool = True,
) -> dict[str, list[Map]]:
    """Of each stage the maps that are most active in the image, there and in the images."""
    seen: dict[str, list[Map]] = {}
    for stage, (values, places) in zip(chosen, highest(chosen, images, quiet), strict=True):
        own_values = answers[stage.name].reshape(-1, stage.shape[-1])
        numbers = most_active(own_values, MAPS)
        seen[stage.name] = []
        for number in [n for n in numbers if own_values[:, n].max() > 0] or numbers[:1]:
            nine = np.argsort(-values[:, number], kind="stable")[:NINE]
            nine = nine[values[nine, number] != 0]  # what it is silent about is no example
            units = [unit_at(stage.shape, number, places[index, number]) for index in nine]
            own = unit_at(stage.shape, number, int(own_values[:, number].argmax()))
            told = [own_values[:, number].max(), *values[nine, number]]
            own_sight, *others = look(stage, [image, *images[nine]], [own, *units], told)
            seen[stage.name].append(Map(number, own_sight, others))
    return seen


def highest(
    chosen: list[Stage], images: np.ndarray, quiet: bool = True
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each stage the highest answer of each map to each image (N, maps), and at which place."""
    longest = max((stage.path for stage in chosen), key=len)

    @tf.function(input_signature=[tf.TensorSpec((None, *images.shape[1:]), tf.uint8)])
    def strongest(batch: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        values = deconvnet.forward(longest, batch)
        found = []
        for stage in chosen:
            places = int(np.prod(stage.shape[:-1]))
            flat = tf.reshape(values[len(stage.path)], (-1, places, stage.shape[-1]))
            found.append((tf.reduce_max(flat, 1), tf.argmax(flat, 1)))
        return found

    batches = []
    for rows in in_batches(len(images), _BATCH, "looking through the validation images", quiet):
        batches.append(strongest(images[rows]))
    return [
        (np.concatenate([v for v, _ in stage]), np.concatenate([place for _, place in stage]))
        for stage in zip(*batches, strict=True)
    ]


def unit_at(shape: Place, number: int, place: int) -> Place:
    """The unit of a map (or layer) of that shape: (row, column, map), or (unit,)."""
    if len(shape) == 1:
        return (number,)
    row, column = divmod(int(place), shape[1])
    return row, column, number


def look(
    stage: Stage, images: list[np.ndarray], units: list[Place], values: list[float]
) -> list[Sight]:
    """What each image's unit saw in it; the values are their answers."""
    pixels = deconvnet.project(stage.path, np.array(images), units)
    boxes = [deconvnet.receptive_field(stage.path, unit) for unit in units]
    told = zip(images, pixels, boxes, values, strict=True)
    return [Sight(*sight) for sight in told]
