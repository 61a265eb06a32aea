"""Names of a model's weights that are the same however and whenever the model is built.

Keras numbers layers without a name across all models of a process: the first Dense is `dense`, that
of the second model `dense_1`. Here they are numbered within their model. A weight is named by its
layer and its own name: conv1/kernel.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import keras


def weight_names(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the model's weights by name: trained ones, and batch norm's moving statistics."""
    named: dict[str, keras.Variable] = {}
    repeated: Counter[str] = Counter()  # a layer may give several weights the same name
    for name, weight in _named_weights(model, outer="", numbers=defaultdict(Counter)):
        named[_numbered(name, repeated)] = weight
    return named


Numbers = defaultdict[str, Counter[str]]  # outer name → name without number → how many so far


def _named_weights(
    model: keras.Model, outer: str, numbers: Numbers
) -> Iterator[tuple[str, keras.Variable]]:
    for layer in model.layers:
        name = outer + _stable_name(layer, numbers[outer])
        if is_plain_model(layer):
            yield from _named_weights(layer, f"{name}/", numbers)
            continue
        parts: dict[str, str] = {}  # Keras's path of a layer within this layer → our name
        for weight in layer.weights:
            inner, _, own = weight.path.rpartition(f"{layer.name}/")[2].rpartition("/")
            if inner and inner not in parts:
                base = re.sub(r"_\d+(?=/|$)", "", inner)
                parts[inner] = _numbered(base, numbers[name]) + "/"
            # A weight without a name is `variable`, with a number that counts all of the process.
            stable_own = re.sub(r"^variable_\d+$", "variable", own)
            yield f"{name}/{parts.get(inner, '')}{stable_own}", weight


def _stable_name(layer: keras.Layer, numbers: Counter[str]) -> str:
    """Return the layer's name; if Keras has chosen it, with a number within the model."""
    base = re.sub(r"_\d+$", "", layer.name)
    return _numbered(base, numbers) if base == automatic_name(layer) else str(layer.name)


def _numbered(base: str, numbers: Counter[str]) -> str:
    number = numbers[base]
    numbers[base] += 1
    return f"{base}_{number}" if number else base


def automatic_name(layer: keras.Layer) -> str:
    """Return the name that Keras gives a layer, as far as its number: Conv2D is conv2d."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model, and those of the models in it."""
    for layer in model.layers:
        if is_plain_model(layer):
            yield from all_layers(layer)
        else:
            yield layer


def is_plain_model(layer: keras.Layer) -> bool:
    """Return whether a layer is a functional or sequential model: it consists of its layers."""
    return isinstance(layer, keras.Model) and type(layer).__module__.startswith("keras.")
