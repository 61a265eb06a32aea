"""The networks of 2013 beside the same layers in Keras's `fit` and in PyTorch.

    python benchmarks/networks.py            what results/networks.json has not got yet, in turn
    python benchmarks/networks.py --table    only write the table into its page

Images per second of a training step and of an answer, 32 at a time, that lie in memory; each
measurement in a process of its own, alone on the machine, all of them in turn, ROUNDS times; told
are medians, and beside them the share of the machine's peak, which is the rate of a large matrix
product in the same run.
PyTorch, channels last, is a dependency of the benchmarks alone: pip install torch==2.13.0
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from report import (
    RESULTS,
    batch_seconds,
    circumstances,
    in_a_process,
    into_page,
    peaks,
    peaks_lacking,
    processor,
)

FILE = RESULTS / "networks.json"
NETWORKS = ("zfnet", "overfeat", "nin-imagenet")
ROUNDS = 3
BATCH, SECONDS, LEAST = 32, 15.0, 3  # of a measurement: images at a time, seconds, calls
Call = Callable[[], object]  # a batch; returns the seconds if it knows them better than who calls


def batch(network: str) -> tuple[np.ndarray, np.ndarray]:
    """Noise: what a picture shows does not change how long it takes."""
    from firstlight import catalog

    random = np.random.default_rng(0)
    size = (BATCH, *catalog.network(network).input)
    return random.integers(256, size=size, dtype=np.uint8), np.arange(BATCH, dtype=np.int32)


def ours(network: str, precision: str) -> dict[str, Call]:
    import tensorflow as tf

    from firstlight.training import step

    state = pictures_training(network, precision)
    run_steps = step.compile_steps(state)
    images, labels = (tf.constant(array[np.newaxis]) for array in batch(network))
    answering = state.network  # what `evaluate` asks computes in float32
    answer = tf.function(lambda: answering(images[0], training=False))
    return {
        "step": lambda: run_steps(step.Call(0, 1, images, labels), 0),
        "answer": lambda: answer().numpy(),
    }


def pictures_training(network: str, precision: str) -> Any:
    """What `train NETWORK --recipe modern` sets up, on pictures of a thousand classes in memory."""
    from firstlight.datasets import Dataset, array_examples
    from firstlight.settings import prepare
    from firstlight.training.state import TrainState

    noise = Dataset(
        name="noise",
        classes=tuple(map(str, range(1000))),
        load=lambda split: array_examples(*batch(network)),
        fingerprint=dict,
        splits=("train", "val"),
    )
    plan = prepare(network, noise, "modern")
    recipe = replace(plan.settings.recipe, precision=precision, augment={}, steps_per_call=1)
    return TrainState(replace(plan, settings=replace(plan.settings, recipe=recipe)))


def keras_fit(network: str, policy: str) -> dict[str, Call]:
    import keras
    import tensorflow as tf

    from firstlight import catalog
    from firstlight.networks._layers import LocalResponseNorm
    from firstlight.training.state import computing_in

    def normal(self: Any, x: Any) -> Any:
        """Contrast normalisation as one writes it with TensorFlow."""
        full = tf.cast(x, tf.float32)
        y = tf.nn.local_response_normalization(full, 2, bias=2.0, alpha=1e-4, beta=0.75)
        return tf.cast(y, x.dtype)

    LocalResponseNorm.call = normal  # all other layers are Keras's own
    with computing_in(policy):
        model = catalog.network(network).build(1000)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, 0.9, True, weight_decay=5e-4), loss)
    images, labels = (np.concatenate([array] * 4) for array in batch(network))
    given: dict[str, Any] = {"batch_size": BATCH, "verbose": 0}
    return {
        "step": batch_seconds(
            lambda clock: model.fit(images, labels, shuffle=False, callbacks=[clock], **given)
        ),
        "answer": batch_seconds(lambda clock: model.predict(images, callbacks=[clock], **given)),
    }


def pytorch(network: str, precision: str) -> dict[str, Call]:
    import torch
    from torch import nn

    from firstlight import catalog

    model = in_pytorch(catalog.network(network).build(1000)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9, nesterov=True, weight_decay=5e-4)
    pixels, numbers = batch(network)
    scaled = torch.from_numpy((pixels.astype("float32") - 118) / 62).permute(0, 3, 1, 2)
    images, labels = scaled.to(memory_format=torch.channels_last), torch.from_numpy(numbers).long()

    def forward() -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            return model(images).float()

    def step() -> None:
        model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(forward(), labels).backward()
        optimizer.step()

    def answer() -> None:
        model.eval()
        with torch.no_grad():
            forward()

    return {"step": step, "answer": answer}


def in_pytorch(network: Any) -> Any:
    """The same layers, of the same sizes, for images (N, channels, height, width)."""
    from torch import nn

    def sides(layer: Any) -> tuple[int, int]:
        return layer.input.shape[-1], layer.output.shape[-1]

    make: dict[str, Callable[[Any], list[Any]]] = {
        "ZeroPadding2D": lambda _: [nn.ZeroPad2d(1)],
        "Conv2D": lambda layer: [
            nn.Conv2d(*sides(layer), layer.kernel_size, layer.strides, missing(layer) // 2)
        ],
        "MaxPooling2D": lambda layer: [
            nn.MaxPool2d(layer.pool_size, layer.strides, ceil_mode=bool(missing(layer)))
        ],
        "LocalResponseNorm": lambda _: [nn.LocalResponseNorm(5, 5e-4, 0.75, 2)],  # divides α by n
        "Dense": lambda layer: [nn.Linear(*sides(layer))],
        "Dropout": lambda _: [nn.Dropout(0.5)],
        "Flatten": lambda _: [nn.Flatten()],
        "GlobalAveragePooling2D": lambda _: [nn.AdaptiveAvgPool2d(1), nn.Flatten()],
    }
    stack: list[Any] = []
    for layer in network.layers:
        stack += make.get(type(layer).__name__, lambda _: [])(layer)
        if layer.get_config().get("activation") == "relu":
            stack.append(nn.ReLU())
    return nn.Sequential(*stack)


def missing(layer: Any) -> int:
    """How many rows "same" adds to a layer's image, and columns as well."""
    if getattr(layer, "padding", "") != "same":
        return 0
    window = (getattr(layer, "kernel_size", None) or layer.pool_size)[0]
    return max(0, (layer.output.shape[1] - 1) * layer.strides[0] + window - layer.input.shape[1])


CONTENDERS: dict[str, Callable[[str], dict[str, Call]]] = {
    "ours, bfloat16": lambda network: ours(network, "bfloat16"),
    "ours, float32": lambda network: ours(network, "float32"),
    "Keras, bfloat16": lambda network: keras_fit(network, "bfloat16"),
    "Keras, float32": lambda network: keras_fit(network, "float32"),
    "PyTorch, bfloat16": lambda network: pytorch(network, "bfloat16"),
    "PyTorch, float32": lambda network: pytorch(network, "float32"),
}


def measured(contender: str, network: str) -> dict[str, float]:
    """Images per second, of the median call."""
    calls, found = CONTENDERS[contender](network), {}
    for name, call in calls.items():
        call()  # compiles, and lays out what it needs
        call()
        times: list[float] = []
        until = time.perf_counter() + SECONDS
        while len(times) < LEAST or time.perf_counter() < until:
            began = time.perf_counter()
            known = call()
            times.append(known if isinstance(known, float) else time.perf_counter() - began)
        found[name] = BATCH / float(np.median(times))
    return found


def operations(network: str) -> int:
    """Floating-point operations of an answer, an image: two a weight and place."""
    from firstlight import catalog

    total = 0
    for layer in catalog.network(network).build(1000).layers:
        if type(layer).__name__ in ("Conv2D", "Dense"):
            places = int(np.prod(layer.output.shape[1:-1]))
            total += 2 * places * int(np.prod(layer.kernel.shape))
    return total


def table(result: dict[str, Any]) -> str:
    rows = ["| images per second | training | share of peak | inference | share of peak |"]
    rows += ["|---|--:|--:|--:|--:|"]
    for network in NETWORKS:
        rates = result["rates"].get(network, {})
        for name, found in ((name, rates[name]) for name in CONTENDERS if name in rates):
            cells = [f"{network}: {name}"]
            for part, times in (("step", 3), ("answer", 1)):
                rate = float(np.median([each[part] for each in found]))
                done = rate * times * result["operations"][network]
                cells += [f"{rate:,.1f}", f"{done / result['peak'][name.split(', ')[1]]:.0%}"]
            rows.append(f"| {' | '.join(cells)} |")
    where = circumstances(f"{result['processor']}, {peaks(result['peak'])}", result["versions"])
    return "\n".join(
        [*rows, "", f"Batches of {BATCH} images; medians of up to {ROUNDS} rounds; {where}"]
    )


def measure() -> None:
    """Write down each measurement as soon as it is made; what is there already is not repeated."""
    from firstlight.runs.run import versions

    result: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    result |= {"processor": processor(), "versions": versions()}
    for part in ("peak", "operations", "rates"):
        result.setdefault(part, {})
    result["peak"] |= peaks_lacking(result["peak"])
    for network in NETWORKS:
        if network not in result["operations"]:
            result["operations"][network] = in_a_process(__file__, "--operations", network)
    for number, network, name in product(range(ROUNDS), NETWORKS, CONTENDERS):
        found = result["rates"].setdefault(network, {}).setdefault(name, [])
        if len(found) == number:
            found.append(in_a_process(__file__, "--measure", name, network))
            FILE.write_text(json.dumps(result, indent=1) + "\n")
            print(network, name, found[-1], file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="only write the table")
    parser.add_argument("--operations")
    parser.add_argument("--measure", nargs=2, metavar=("CONTENDER", "NETWORK"))
    given = parser.parse_args()
    if given.operations:
        print(json.dumps(operations(given.operations)))
    elif given.measure:
        print(json.dumps(measured(*given.measure)))
    else:
        if not given.table:
            measure()
        into_page("networks", table(json.loads(FILE.read_text())))


if __name__ == "__main__":
    main()
