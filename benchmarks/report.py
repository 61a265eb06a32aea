"""What the benchmarks share: how a number is written, on what it was measured, into which page."""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
RESULTS = HERE / "results"
FOLDERS = re.compile(r"/(?:[\w.+-]+/)+")  # of this machine: they are nobody else's business
PAGES = (HERE / "README.md", HERE.parent / "README.md")


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()


def short_name(processor: str) -> str:
    """Of what `processor` returns, the name alone: "Intel Xeon"."""
    return processor.partition(" × ")[2].replace("(R)", "").removesuffix(" Processor")


def processor_kind() -> str:
    """The processor, with what multiplies bfloat16 in it: rows of several kinds stand together."""
    flags = Path("/proc/cpuinfo").read_text().split() if sys.platform == "linux" else []
    units = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
    unit = next((unit for flag, unit in units.items() if flag in flags), "no bfloat16")
    return f"{short_name(processor())} ({unit})"


def circumstances(processor: str, versions: dict[str, str]) -> str:
    return f"{processor}; {', '.join(f'{name} {number}' for name, number in versions.items())}."


def spread(values: list[float], digits: int) -> str:
    """Mean ± standard deviation."""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


class Convolution(NamedTuple):
    maps: int
    size: int
    stride: int
    padding: str  # "same" or "valid"


def convolutions_of(network_name: str) -> list[Convolution]:
    """Return each convolution of one of our networks, in order."""
    from keras import layers

    from firstlight import catalog

    return [
        Convolution(layer.filters, layer.kernel_size[0], layer.strides[0], layer.padding)
        for layer in catalog.network(network_name).build(10).layers
        if isinstance(layer, layers.Conv2D)
    ]


def into_page(name: str, text: str) -> None:
    """Write a table between the marks <!-- name --> and <!-- /name -->, wherever they stand."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    (page,) = [page for page in PAGES if begin in page.read_text("utf-8")]
    before, rest = page.read_text("utf-8").split(begin)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}", "utf-8")


def in_a_process(file: str, *arguments: str) -> Any:
    """What a benchmark prints when it is run with these arguments, as JSON."""
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, file, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=quiet)
    return json.loads(done.stdout)


def batch_seconds(call: Callable[[Any], object]) -> Callable[[], float]:
    """A function that says how long a batch takes within Keras's `fit` or `predict`.

    `call` is given the callback that is the clock: from the end of the first batch to that of the
    last. Before it returns, Keras waits until tf.data's tuning thread wakes, which sleeps for 10,
    20, 40 ms and so on: with TensorFlow 2.21, up to as long again as all of its epochs took.
    """
    import keras

    ends: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            ends.append(time.perf_counter())

        on_predict_batch_end = on_train_batch_end

    clock = Clock()

    def seconds() -> float:
        ends.clear()
        call(clock)
        return (ends[-1] - ends[0]) / (len(ends) - 1)

    return seconds


def peak(precision: str) -> float:
    """Operations per second of the best of ten products of two 4096×4096 matrices."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((4096, 4096)), precision)
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        product().numpy()
        best = min(best, time.perf_counter() - began)
    return 2 * 4096**3 / best


def peaks_lacking(known: dict[str, float]) -> dict[str, float]:
    """The machine's peak in each precision that is not known, each measured in its own process."""
    wanted = (precision for precision in ("float32", "bfloat16") if precision not in known)
    return {precision: in_a_process(__file__, precision) for precision in wanted}


def peaks(found: dict[str, float]) -> str:
    each = (f"{rate / 1e9:,.0f} GFLOP/s in {precision}" for precision, rate in found.items())
    return f"peak {' and '.join(each)}"


if __name__ == "__main__":
    print(json.dumps(peak(sys.argv[1])))
