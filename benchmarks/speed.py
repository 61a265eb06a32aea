"""Side by side with the examples that everyone starts from: how long until 99.0 %, until 99.5 %?

    python benchmarks/speed.py               what results/speed.json has not got yet, in turn
    python benchmarks/speed.py --until-99    the examples end at 99.0 %: this takes 15 minutes
    python benchmarks/speed.py --table       only write the tables into their page

The network and recipe of Keras's own MNIST example and of PyTorch's (their repositories'
`mnist_convnet.py` and `mnist/main.py`, as published) against ours, on the same 55,000 training
images, each in a process of its own, alone on the machine. All are measured on the test images at
the same moments, every quarter of an epoch; measuring is not counted as training, compiling is.
Then, for one network, ours, the images per second of a training step, and the share of the
machine's peak, which is the rate of a large matrix product in the same run.
PyTorch is a dependency of the benchmarks alone: pip install torch==2.13.0

The file holds the results of each kind of processor that it was measured on. Compare within one.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from report import (
    RESULTS,
    batch_seconds,
    circumstances,
    convolutions_of,
    in_a_process,
    into_page,
    peaks,
    peaks_lacking,
    processor,
    processor_kind,
)

FILE = RESULTS / "speed.json"
MOMENT = 13_750  # images: a quarter of an epoch
TARGETS = (0.990, 0.995)
SECONDS, WARM_UP, BATCH = 6.0, 10, 128  # of the throughput measurement


class Clock:
    """Counts training and stands still while accuracy is measured."""

    def __init__(self, answer: Callable[[np.ndarray], np.ndarray], stop_at: float) -> None:
        from firstlight.datasets import mnist

        self.test, self.answer, self.stop_at = mnist.load("test"), answer, stop_at
        self.measured: list[tuple[int, float, float]] = []  # images seen, seconds, accuracy
        self.spent, self.since = 0.0, time.perf_counter()

    def saw(self, images: int) -> bool:
        """After a step: measures if a moment has come; true once the target is reached."""
        if images // MOMENT > len(self.measured):
            self.measure(images)
        return bool(self.measured) and self.measured[-1][2] >= self.stop_at

    def measure(self, images: int) -> None:
        self.spent += time.perf_counter() - self.since
        accuracy = float(np.mean(self.answer(self.test.images) == self.test.labels))
        self.measured.append((images, round(self.spent, 2), accuracy))
        self.since = time.perf_counter()


def keras_example(seed: int, target: float) -> list[tuple[int, float, float]]:
    import keras
    from keras import layers

    from firstlight.datasets import mnist, one_hot

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

    def answer(images: np.ndarray) -> np.ndarray:
        scaled = images[:].astype("float32") / 255
        return np.asarray(model.predict(scaled, batch_size=500, verbose=0)).argmax(1)

    train = mnist.load("train")
    clock = Clock(answer, target)

    class Measure(keras.callbacks.Callback):
        seen = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen += 128
            if clock.saw(self.seen):
                self.model.stop_training = True

    images, labels = train.images[:].astype("float32") / 255, one_hot(train.labels, 10)
    model.fit(images, labels, batch_size=128, epochs=15, verbose=0, callbacks=[Measure()])
    return clock.measured


def pytorch_example(seed: int, target: float) -> list[tuple[int, float, float]]:
    import torch
    import torch.nn.functional as F
    from torch import nn

    from firstlight.datasets import mnist

    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )

    def tensor(images: np.ndarray) -> Any:
        scaled = (images[:].astype("float32") / 255 - 0.1307) / 0.3081
        return torch.from_numpy(scaled).permute(0, 3, 1, 2).contiguous()

    def answer(images: np.ndarray) -> np.ndarray:
        network.eval()
        with torch.no_grad():
            parts = [network(part).argmax(1) for part in tensor(images).split(1000)]
        network.train()
        return torch.cat(parts).numpy()

    train = mnist.load("train")
    images, labels = tensor(train.images), torch.from_numpy(train.labels).long()
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    clock = Clock(answer, target)
    seen = 0
    for _ in range(14):
        for rows in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
            seen += len(rows)
            if clock.saw(seen):
                return clock.measured
        schedule.step()
    return clock.measured


def ours(recipe: str, seed: int) -> list[tuple[int, float, float]]:
    from firstlight import catalog
    from firstlight.settings import prepare
    from firstlight.training import loop
    from firstlight.training.state import TrainState
    from firstlight.training.step import compile_steps

    network, _ = catalog.recipe(recipe, catalog.network("convnet"))
    state = TrainState(prepare(network, "mnist", recipe, seed=seed))
    size = state.recipe.batch_size
    clock = Clock(lambda images: state.eval_logits(images).argmax(1), stop_at=2)
    state.predict(state.val.images[:1])  # measuring is compiled before the clock starts
    clock.since = time.perf_counter()
    run_steps = compile_steps(state)
    for call in loop.batches(state):
        run_steps(call, 0)
        clock.saw(call.end * size)
    clock.measure(state.total_steps * size)
    return clock.measured


CONTENDERS: dict[str, tuple[Callable[[int, float], list[tuple[int, float, float]]], int]] = {
    "ours, quick": (lambda seed, target: ours("quick", seed), 10),
    "Keras's example": (keras_example, 3),
    "ours, short": (lambda seed, target: ours("short", seed), 5),
    "PyTorch's example": (pytorch_example, 3),
}


def throughput(name: str) -> dict[str, float]:
    """Images per second of a training step of `convnet`, batch 128, and of a matrix product."""
    step = STEPS[name]()
    for _ in range(WARM_UP):
        step()
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        known = step()
        times.append(known if isinstance(known, float) else time.perf_counter() - began)
    return {"images_per_second": BATCH / float(np.mean(times))}


def batch() -> tuple[np.ndarray, np.ndarray]:
    from firstlight.datasets import mnist

    examples = mnist.load("val").first(BATCH)
    return examples.images[:], examples.labels


def our_step(precision: str) -> Callable[[], object]:
    import tensorflow as tf

    from firstlight.settings import prepare
    from firstlight.training.state import TrainState
    from firstlight.training.step import Call, compile_steps

    plan = prepare("convnet", "mnist", "quick")
    recipe = replace(plan.settings.recipe, precision=precision, steps_per_call=1)
    settings = replace(plan.settings, recipe=recipe)
    run_steps = compile_steps(TrainState(replace(plan, settings=settings)))
    images, labels = (tf.constant(array[np.newaxis]) for array in batch())
    return lambda: run_steps(Call(0, 1, images, labels), 0)


def keras_step(policy: str) -> Callable[[], float]:
    """`fit` on the same layers, from an array that lies in memory: one epoch of 40 steps a call.

    It returns the seconds of a step within it.
    """
    import keras
    from keras import layers

    keras.config.set_dtype_policy(policy)
    stack: list[Any] = [keras.Input((28, 28, 1))]
    for maps, size, stride, padding in convolutions_of("convnet"):
        stack += [
            layers.Conv2D(maps, size, stride, padding=padding, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
        ]
    model = keras.Sequential([*stack, layers.Flatten(), layers.Dense(10, dtype="float32")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, 0.9, True, weight_decay=5e-4), loss)
    images, labels = (np.concatenate([array] * 40) for array in batch())
    images = images.astype("float32") / 255
    given: dict[str, Any] = {"batch_size": BATCH, "verbose": 0, "shuffle": False}
    return batch_seconds(lambda clock: model.fit(images, labels, callbacks=[clock], **given))


def pytorch_convnet(network_name: str, classes: int) -> Any:
    """Return the layers of `convnet` or of a network like it, channels last."""
    import torch
    from torch import nn

    torch.set_num_threads(os.cpu_count() or 1)
    stack, before, side = [], 1, 28
    for maps, size, stride, padding in convolutions_of(network_name):
        margin = size // 2 if padding == "same" else 0
        stack += [
            nn.Conv2d(before, maps, size, stride, padding=margin, bias=False),
            nn.BatchNorm2d(maps),
            nn.ReLU(),
        ]
        before, side = maps, (side + 2 * margin - size) // stride + 1
    network: Any = nn.Sequential(*stack, nn.Flatten(), nn.Linear(before * side * side, classes))
    return network.to(memory_format=torch.channels_last)


def pytorch_step(precision: str) -> Callable[[], object]:
    import torch
    from torch import nn

    network = pytorch_convnet("convnet", 10)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    array, numbers = batch()
    images = torch.from_numpy(array.astype("float32") / 255).permute(0, 3, 1, 2)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.from_numpy(numbers).long()

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = network(images)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


STEPS: dict[str, Callable[[], Callable[[], object]]] = {
    "ours, float32": lambda: our_step("float32"),
    "ours, bfloat16": lambda: our_step("bfloat16"),
    "Keras fit, float32": lambda: keras_step("float32"),
    "Keras fit, bfloat16": lambda: keras_step("mixed_bfloat16"),
    "PyTorch, float32": lambda: pytorch_step("float32"),
    "PyTorch, bfloat16": lambda: pytorch_step("bfloat16"),
}


def measure(target: float) -> None:
    """Write down each measurement as soon as it is made; what is there already is not repeated.

    Args:
        target: the examples end when they have reached this accuracy.
    """
    from firstlight.runs.run import versions

    results: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    result = results.setdefault(processor_kind(), {})
    result |= {"processor": processor(), "versions": versions()}
    for part in ("peak", "throughput", "curves"):
        result.setdefault(part, {})
    result["peak"] |= peaks_lacking(result["peak"])
    for name in STEPS:
        if name not in result["throughput"]:
            result["throughput"][name] = in_a_process(__file__, "--throughput", name)
    for name, (_, seeds) in CONTENDERS.items():
        curves = result["curves"].setdefault(name, [])
        for seed in range(len(curves), seeds):
            curves.append(in_a_process(__file__, "--train", name, str(seed), str(target)))
            FILE.write_text(json.dumps(results) + "\n")
            print(name, curves[-1][-1], file=sys.stderr, flush=True)


def seconds_to(curve: list[list[float]], target: float) -> float:
    """When a curve first reaches the target, in seconds of training; infinite if it never does."""
    return next((seconds for _, seconds, accuracy in curve if accuracy >= target), float("inf"))


def write_tables(results: dict[str, Any]) -> None:
    """Write the tables of each kind of processor on which ours was measured."""
    measured = [result for result in results.values() if result["curves"].get("ours, quick")]
    into_page("speed", "\n\n".join(map(table_of_trainings, measured)))
    into_page("steps", "\n\n".join(map(table_of_steps, measured)))


def table_of_trainings(result: dict[str, Any]) -> str:
    rows = ["| training | n | seconds to 99.0 % | seconds to 99.5 % | at the end of training |"]
    rows += ["|---|--:|--:|--:|--:|"]
    for name, curves in result["curves"].items():
        if not curves:
            continue
        cells = [name, str(len(curves))]
        for target in TARGETS:
            times = [seconds_to(curve, target) for curve in curves]
            reached = [t for t in times if t < float("inf")]
            few = f" ({len(reached)} of {len(times)})" if len(reached) < len(times) else ""
            cells.append(f"{np.mean(reached):.1f}{few}" if reached else "not reached")
        ends = [(curve[-1][1], 100 * curve[-1][2]) for curve in curves]
        seconds, accuracy = np.mean(ends, axis=0)
        spread = f" ± {np.std(ends, axis=0, ddof=1)[1]:.2f}" if len(ends) > 1 else ""
        cells.append(f"{accuracy:.2f}{spread} % in {seconds:.1f} s")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", circumstances(result["processor"], result["versions"])])


def table_of_steps(result: dict[str, Any]) -> str:
    rows = ["| training step of `convnet`, batch size 128 | images per second | share of peak |"]
    rows += ["|---|--:|--:|"]
    for name, found in result["throughput"].items():
        rate = found["images_per_second"]
        share = rate * operations() / result["peak"][name.split(", ")[1]]
        rows.append(f"| {name} | {rate:,.0f} | {share:.0%} |")
    where = circumstances(f"{result['processor']}, {peaks(result['peak'])}", result["versions"])
    return "\n".join([*rows, "", where])


def operations() -> int:
    """Floating-point operations of a training step of `convnet`, an image: thrice its answer's."""
    total, before, side = 0, 1, 28
    for maps, size, stride, padding in convolutions_of("convnet"):
        side = (side - (size - 1 if padding == "valid" else 0) - 1) // stride + 1
        total += side * side * size * size * before * maps
        before = maps
    return 3 * 2 * (total + side * side * before * 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="only write the tables")
    parser.add_argument("--throughput")
    parser.add_argument("--train", nargs=3, metavar=("CONTENDER", "SEED", "TARGET"))
    parser.add_argument("--until-99", action="store_true", help="the examples end at 99.0 %%")
    given = parser.parse_args()
    if given.throughput or given.train:
        if given.throughput:
            answer: Any = throughput(given.throughput)
        else:
            name, seed, target = given.train
            answer = CONTENDERS[name][0](int(seed), float(target))
        print(json.dumps(answer))
        return
    if not given.table:
        measure(TARGETS[0] if given.until_99 else TARGETS[1])
    write_tables(json.loads(FILE.read_text()))


if __name__ == "__main__":
    main()
