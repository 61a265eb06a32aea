"""Which single change buys which gain: from the first graph to the convolutions, one at a time.

    python benchmarks/changes.py        what results/changes.json has not got yet, in turn

Every line changes one part of the line above it (weights, layers, optimizer, images). All see the
training images ten times, 128 at a time, and keep the weights that were best on the validation
images. All compute in bfloat16 where the processor multiplies it. The results go to
results/changes.json, and a table into benchmarks/README.md.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
from keras import layers
from report import RESULTS, circumstances, into_page, processor, spread

import firstlight as fl
from firstlight.networks import convnet_record
from firstlight.networks._convnet import norm_convolution
from firstlight.networks._network import Network
from firstlight.recipe import Recipe
from firstlight.runs.run import versions

FILE = RESULTS / "changes.json"
SEEDS = 3
CONVOLUTIONS = ((32, 5, 2), (64, 3, 2), (64, 3, 1), (64, 3, 1))  # maps, size, stride


def stack(*middle: Any, output: Any) -> keras.Model:
    image = keras.Input((28, 28, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(image)
    for layer in (*middle, layers.Flatten(), output):
        x = layer(x)
    return keras.Model(image, x)


def large_weights() -> keras.Model:
    normal = keras.initializers.TruncatedNormal(stddev=1.0)
    return stack(output=layers.Dense(10, kernel_initializer=normal))


def small_weights() -> keras.Model:
    return stack(output=layers.Dense(10))  # Glorot and Bengio (2010): uniform, ±0.087 here


def hidden_layer() -> keras.Model:
    return stack(layers.Flatten(), layers.Dense(800, "relu"), output=layers.Dense(10))


def convolutions() -> keras.Model:
    stages = [
        layers.Conv2D(maps, size, stride, "same", activation="relu")
        for maps, size, stride in CONVOLUTIONS
    ]
    return stack(*stages, output=layers.Dense(10))


def with_batch_norm() -> keras.Model:
    """The same convolutions with batch norm in the place of biases."""
    image = keras.Input((28, 28, 1), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(image)
    for number, (maps, size, stride) in enumerate(CONVOLUTIONS):
        x = norm_convolution(x, maps, size, stride=stride, name=f"conv{number}")
    return keras.Model(image, layers.Dense(10, dtype="float32")(layers.Flatten()(x)))


class Change(NamedTuple):
    name: str
    build: Callable[[], keras.Model]
    recipe: Recipe


PLAIN = Recipe(
    epochs=10,
    batch_size=128,
    learning_rate=0.01,
    steps_per_call=10,
    precision="bfloat16",  # where that is faster
)
SCHEDULED = replace(PLAIN, learning_rate=0.1, momentum=0.9, weight_decay=5e-4, schedule="one-cycle")
RECORD = convnet_record.RECIPES["record"]
VARIED = replace(SCHEDULED, augment=RECORD.augment)
CHANGES = [
    Change("the first graph's layer, ten epochs", large_weights, PLAIN),
    Change("initialisation: small weights", small_weights, PLAIN),
    Change("a hidden layer of 800", hidden_layer, PLAIN),
    Change("optimizer: momentum, decay, 10 × the rate, one-cycle", hidden_layer, SCHEDULED),
    Change("convolutions", convolutions, SCHEDULED),
    Change("batch norm", with_batch_norm, SCHEDULED),
    Change("augmentation", with_batch_norm, VARIED),
    Change("averaging", with_batch_norm, replace(VARIED, ema_decay=RECORD.ema_decay)),
]


def train(change: Change, seed: int) -> dict[str, Any]:
    """What `firstlight train --json` would say of it."""
    network = Network(change.name, (28, 28, 1), recipes={}, build=lambda classes: change.build())
    with tempfile.TemporaryDirectory() as folder:
        run = fl.train(
            network,
            recipe=change.recipe,
            seed=seed,
            out=Path(folder) / "run",
            quiet=True,
        )
        return run.result.to_json()


def table(result: dict[str, Any]) -> str:
    rows = ["| change | test error, % | seconds |", "|---|--:|--:|"]
    for name, found in result["changes"].items():
        error = spread([100 * (1 - run["test_accuracy"]) for run in found], 2)
        rows.append(f"| {name} | {error} | {spread([run['seconds'] for run in found], 1)} |")
    where = circumstances(result["processor"], result["versions"])
    return "\n".join([*rows, "", f"Mean ± standard deviation, n = {SEEDS}; {where}"])


def main() -> None:
    result: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {"changes": {}}
    result |= {"processor": processor(), "versions": versions()}
    for change in CHANGES:
        found = result["changes"].setdefault(change.name, [])
        for seed in range(len(found), SEEDS):
            found.append(train(change, seed) | {"run": None})
            FILE.write_text(json.dumps(result, indent=1) + "\n")
        errors = [f"{1 - run['test_accuracy']:.2%}" for run in found]
        print(change.name, *errors, file=sys.stderr, flush=True)
    into_page("changes", table(result))


if __name__ == "__main__":
    main()
