"""How fast the recogniser answers, beside Keras `predict` and PyTorch on the same layers.

    python benchmarks/classifier.py

Images of MNIST's test set, 28×28 uint8, in memory; each contender in a process of its own, in
turn, several rounds; medians. PyTorch (channels last, no gradients) is a dependency of benchmarks
alone: pip install torch==2.13.0. The results go to results/classifier.json and into README.md
beside this program.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from report import RESULTS, circumstances, into_page, processor

from firstlight.datasets import mnist
from firstlight.runs.run import versions

ROUNDS = 5
BATCH = 500
Predict = Callable[[np.ndarray], Any]


def ours() -> Predict:
    from firstlight.reading.recognizer import DIGITS_MODEL, recognizer

    return recognizer(DIGITS_MODEL).probabilities


def keras_predict() -> Predict:
    from firstlight import catalog

    network = catalog.network("convnet-reader").build(11)
    return lambda images: network.predict(images, batch_size=BATCH, verbose=0)


def pytorch() -> Predict:
    import torch
    from speed import pytorch_convnet

    network = pytorch_convnet("convnet-reader", 11).eval()

    def predict(images: np.ndarray) -> Any:
        scaled = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            return network(scaled.to(memory_format=torch.channels_last))

    return predict


CONTENDERS = {"ours (ONNX Runtime)": ours, "Keras predict": keras_predict, "PyTorch": pytorch}


def measure(name: str) -> dict[str, float]:
    """Images per second in batches, and milliseconds for one image alone."""
    images = mnist.load("test").images
    predict = CONTENDERS[name]()
    predict(images[:BATCH])
    predict(images[:1])
    began = time.perf_counter()
    for start in range(0, len(images), BATCH):
        predict(images[start : start + BATCH])
    rate = len(images) / (time.perf_counter() - began)
    alone = []
    for row in range(200):
        began = time.perf_counter()
        predict(images[row : row + 1])
        alone.append(time.perf_counter() - began)
    return {"images_per_second": rate, "milliseconds_alone": 1e3 * statistics.median(alone)}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, rounds in results.items():
            command = [sys.executable, __file__, name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=quiet)
            rounds.append(json.loads(done.stdout))
    medians = {
        name: {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
        for name, rounds in results.items()
    }
    result = {"processor": processor(), "versions": versions(), "medians": medians}
    (RESULTS / "classifier.json").write_text(json.dumps(result | {"rounds": results}) + "\n")
    rows = ["| the recogniser | images per second, batches of 500 | one image alone, ms |"]
    rows += ["|---|--:|--:|"]
    rows += [
        f"| {name} | {m['images_per_second']:,.0f} | {m['milliseconds_alone']:.2f} |"
        for name, m in medians.items()
    ]
    measured_on = circumstances(result["processor"], result["versions"])
    into_page("classifier", "\n".join([*rows, "", f"Medians of {ROUNDS} rounds; {measured_on}"]))


if __name__ == "__main__":
    main()
