"""Names of a model's weights that are the same each time the model is built.

Keras numbers layers without a name across all models of a process: the first Dense is `dense`, that
of the second model `dense_1`. Here they are numbered within their model.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import keras


def weight_names(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the model's weights by path: trained ones, and batch norm's moving statistics."""
    numbering = Numbering({automatic_name(layer) for layer in all_layers(model)})
    return {numbering.path(weight.path): weight for weight in model.weights}


class Numbering:
    """Numbers layers that Keras has named, in the order in which their weights come."""

    def __init__(self, automatic: set[str]) -> None:
        self._automatic = automatic  # names without their numbers
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by outer path
        self._names: dict[tuple[str, str], str] = {}  # outer path and Keras's name → our name

    def path(self, keras_path: str) -> str:
        parts: list[str] = []
        for part in keras_path.split("/"):
            parts.append(self._name("/".join(parts), part))
        return "/".join(parts)

    def _name(self, outer: str, part: str) -> str:
        base = re.sub(r"_\d+$", "", part)
        if base not in self._automatic:
            return part
        if (outer, part) not in self._names:
            number = self._counts[outer][base]
            self._names[outer, part] = f"{base}_{number}" if number else base
            self._counts[outer][base] += 1
        return self._names[outer, part]


def automatic_name(layer: keras.Layer) -> str:
    """Return the name that Keras gives a layer, as far as its number: Conv2D is conv2d."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model, and those of the models in it."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
