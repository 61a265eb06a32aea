"""What a run's network looks at in a picture, as arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from firstlight import catalog, classification, model
from firstlight.datasets import Examples
from firstlight.errors import UsageError
from firstlight.evaluation.accuracy import name_classes
from firstlight.explanation import network_layers
from firstlight.explanation.features import (
    FirstLayer,
    MapProjections,
    activations,
    choose_stages,
    first_layer,
    has_feature_maps,
    project_maps,
)
from firstlight.explanation.network_layers import Stages
from firstlight.explanation.occlusion import GREY, PAPER, Occlusion, PredictAndWatch, occlude
from firstlight.images.kinds import ImageKind
from firstlight.probabilities import Label, softmax, top_labels
from firstlight.runs.run import Run
from firstlight.settings import DataChoice

if TYPE_CHECKING:
    from firstlight.figures.style import NotebookFigure

MAX_IMAGES = 5_000  # validation images that are searched for the top nine
TOP_LABELS = 5


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a network looks at in a picture."""

    run: Path  # the run folder
    file: Path  # the picture
    network: str
    classes: tuple[str, ...]
    image_kind: ImageKind  # what it was trained on
    image: np.ndarray  # (height, width, channels) uint8: the picture as the network takes it
    logits: np.ndarray  # (classes,)
    label: int  # the class that occlusion is about
    first_layer: FirstLayer
    last_layer: str  # its units are the classes; "" if no layer's are
    feature_maps: dict[str, np.ndarray]  # layer → (height, width, maps)
    projections: dict[str, list[MapProjections]]  # layer → its strongest maps, strongest first
    data: str  # the dataset that the top nine are from
    occlude: Callable[[], Occlusion]  # takes long for large networks; computes it once
    files: tuple[Path, ...] = ()  # the pictures that were written

    def __repr__(self) -> str:
        labels = ", ".join(f"{label.label} {label.probability:.1%}" for label in self.labels)
        return f"Explanation({str(self.file)!r}: {labels})"

    @property
    def occlusion(self) -> Occlusion:
        """How the answer changes where the picture is covered."""
        return self.occlude()

    @property
    def probabilities(self) -> np.ndarray:
        """The network's probabilities (classes,) for the picture."""
        return softmax(self.logits[None])[0]

    @property
    def predicted(self) -> int:
        """The most probable class."""
        return int(self.logits.argmax())

    @property
    def labels(self) -> tuple[Label, ...]:
        """The most probable classes."""
        return top_labels(self.probabilities, self.classes, TOP_LABELS)

    def figures(self) -> dict[str, "NotebookFigure"]:
        """Return the pictures by name (such as "occlusion"; `files` has them too) as Figures."""
        from firstlight.figures.explanation import explanation_figures

        return explanation_figures(self)

    def _repr_html_(self) -> str:
        from firstlight import notebook

        return notebook.explanation(self)

    def to_json(self) -> dict[str, Any]:
        """Return what `firstlight explain --json` prints."""
        return {
            "run": str(self.run),
            "file": str(self.file),
            "labels": [label.to_json() for label in self.labels],
            "files": [str(file) for file in self.files],
        }


def compute_explanation(
    run: Run,
    picture: Path,
    *,
    layers: Sequence[str] = (),
    data: DataChoice = "",
    label: str = "",
    quiet: bool = False,
) -> Explanation:
    """Compute what `explain` returns; see there. No file is written.

    The occlusion is computed when it is first asked for.
    """
    network, classes = model.load(run)
    stages = network_layers.stages(network)
    chosen = choose_stages(stages, layers)
    image_kind = run.model_info().image_kind
    image = classification.preprocess(picture, network.input_shape[1:], image_kind)
    data_name, examples = validation_images(run, network, data, quiet)
    outputs = activations(stages, image)
    logits = network_layers.forward(network_layers.layers_of(network), image[None])[-1].numpy()[0]
    *_, last = stages.values()
    first = first_layer(network, stages, outputs, image)
    label_index = class_index(label, classes) if label else int(logits.argmax())
    predict, watched_map = occlusion_predictor(network, stages, image)
    color = GREY if image_kind == "pictures" else PAPER
    projections = project_maps(chosen, image, outputs, examples.images, quiet=quiet)
    return Explanation(
        run=run.folder,
        file=picture,
        network=run.model_info().network,
        classes=classes,
        image_kind=image_kind,
        image=image,
        logits=logits,
        label=label_index,
        first_layer=first,
        last_layer=last.name if last.shape[-1] == len(classes) else "",
        feature_maps={name: maps for name, maps in outputs.items() if has_feature_maps(maps)},
        projections=projections,
        data=data_name,
        occlude=cache(
            lambda: occlude(predict, watched_map, image, label_index, color, quiet=quiet)
        ),
    )


def validation_images(
    run: Run, network: keras.Model, data: DataChoice, quiet: bool
) -> tuple[str, Examples]:
    """Return the dataset's name, and its validation images as the network takes them."""
    dataset = catalog.dataset(data, quiet=quiet) if data else run.dataset()
    examples = dataset.load("val").first(MAX_IMAGES)
    return dataset.name, examples.resized(network.input_shape[1:])


def class_index(label: str, classes: tuple[str, ...]) -> int:
    """Return the index of a class by its name.

    Raises:
        UsageError: no class has that name.
    """
    if label not in classes:
        raise UsageError(f"no class {label!r}; the network knows: {name_classes(classes)}")
    return classes.index(label)


def occlusion_predictor(
    network: keras.Model, stages: Stages, image: np.ndarray
) -> tuple[PredictAndWatch, str]:
    """Return a compiled function of the outputs that occlusion watches, and the map's name.

    The watched feature map is, as in the paper's figure 7, the one of the last convolution with
    the strongest response to the uncovered image; "" for a network without convolutions.
    """
    last = next((stage for stage in reversed(stages.values()) if stage.is_convolution), None)
    number, name = 0, ""
    if last:
        output = network_layers.forward(last.path, image[None])[-1].numpy()[0]
        number = int(output.sum((0, 1)).argmax())
        name = f"{last.name}, map {number}"

    @tf.function(input_signature=[tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)])
    def outputs(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = network_layers.forward(network_layers.layers_of(network), images)
        probabilities = tf.nn.softmax(values[-1])
        if not last:
            return probabilities, tf.zeros_like(probabilities[:, 0])
        return probabilities, tf.reduce_sum(values[len(last.path)][..., number], (1, 2))

    def predict(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, activity = outputs(images)
        return probabilities.numpy(), activity.numpy()

    return predict, name
