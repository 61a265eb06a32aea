"""From how many validation images can a temperature be found, and which rule finds out?

    python benchmarks/calibration.py DIR        DIR: photographs in a folder for each class

Trains networks well, barely, or until they memorise their images. Then, many times: draws n of a
network's validation images, fits a temperature on them as evaluation/calibration.py does, and looks
whether it harms the other images: whether their cross entropy rises by more than 1 %. Three rules
decide whether a temperature is used: always; only if the temperature of each half lowers the cross
entropy of the other half; the likelihood ratio test of firstlight (without MIN_EXAMPLES). Then the
threshold: how many answers above it are wrong for the other images, if MAX_ERROR_RATE is allowed
for the drawn ones. Writes results/calibration.json, with the largest share of harmful draws.
"""

import argparse
import json
from typing import Any, NamedTuple

import numpy as np
from report import HERE, RESULTS, processor

from firstlight import model
from firstlight.evaluation.calibration import (
    MIN_LIKELIHOOD_RATIO,
    TEMPERATURES,
    lowest_threshold,
)
from firstlight.exports.export import validation_logits
from firstlight.probabilities import softmax
from firstlight.runs.run import Run
from firstlight.settings import prepare
from firstlight.training import trainer

RUNS = HERE.parent / "runs" / "calibration"
COUNTS = (3, 5, 10, 20, 30, 50, 75, 100, 125, 150, 200, 300, 500, 1000, 2000)
DRAWS = 1000
HARM = 1.01
ONE = int(np.argmin(np.abs(TEMPERATURES - 1)))


class Training(NamedTuple):
    name: str
    network: str
    recipe: str
    settings: dict[str, int]
    photographs: bool = False


TRAININGS = (
    Training("convnet", "convnet", "quick", {}),
    Training("convnet, smoothed labels", "convnet", "short", {"limit": 20_000}),
    Training("lenet5, barely", "lenet5", "", {"steps": 20}),
    Training("mlp", "mlp", "", {"epochs": 5}),
    Training("mlp, memorised", "mlp", "", {"epochs": 100, "limit": 300}),
    Training("softmax", "softmax", "", {}),
    Training("convnet, photographs", "convnet", "pictures", {}, True),
    Training("convnet, photographs, memorised", "convnet", "quick", {"epochs": 25}, True),
    Training("mlp, photographs, barely", "mlp", "pictures", {"epochs": 3}, True),
)


def logits_and_labels(training: Training, photographs: str) -> tuple[np.ndarray, np.ndarray]:
    data = photographs if training.photographs else "mnist"
    run = Run(RUNS / training.name.replace(", ", "-").replace(" ", "-"))
    if not run.model_file.exists():
        chosen = prepare(training.network, data, training.recipe, **training.settings)
        trainer.train(*chosen, run.folder, quiet=True)
    network, _ = model.load(run)
    return validation_logits(network, run.dataset(), run.record().settings.recipe)


def costs(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross entropy of each image at each temperature, (N, temperatures)."""
    images = np.arange(len(labels))
    of_labels = [softmax(logits / temperature)[images, labels] for temperature in TEMPERATURES]
    return -np.log(np.stack(of_labels, axis=1) + 1e-12)


def uses(drawn: np.ndarray) -> dict[str, bool]:
    """Return which rules use the best temperature of the drawn images, (n, temperatures)."""
    best = int(drawn.mean(0).argmin())
    halves = drawn[::2], drawn[1::2]
    crossed = [other[:, half.mean(0).argmin()].sum() for half, other in (halves, halves[::-1])]
    ratio = 2 * (drawn[:, ONE].sum() - drawn[:, best].sum())
    inside = 0 < best < len(TEMPERATURES) - 1
    return {
        "always": True,
        "halves": inside and sum(crossed) < drawn[:, ONE].sum(),
        "likelihood ratio": inside and ratio >= MIN_LIKELIHOOD_RATIO,
    }


def shares(table: np.ndarray, count: int) -> dict[str, dict[str, float]]:
    """Return by rule: the share of draws that use their temperature, and that harm by it."""
    random = np.random.default_rng(count)
    used: dict[str, list[bool]] = {}
    harmful: dict[str, list[bool]] = {}
    for _ in range(DRAWS):
        order = random.permutation(len(table))
        drawn, others = table[order[:count]], order[count:]
        best = drawn.mean(0).argmin()
        harms = table[others, best].mean() > HARM * table[others, ONE].mean()
        for rule, is_used in uses(drawn).items():
            used.setdefault(rule, []).append(is_used)
            harmful.setdefault(rule, []).append(is_used and bool(harms))
    return {
        rule: {"used": float(np.mean(used[rule])), "harmful": float(np.mean(harmful[rule]))}
        for rule in used
    }


def error_above_threshold(logits: np.ndarray, labels: np.ndarray, count: int) -> float | None:
    """Return the median error rate of the answers that images which were not drawn get."""
    random = np.random.default_rng(count)
    probabilities = softmax(logits)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    rates = []
    for _ in range(DRAWS):
        order = random.permutation(len(labels))
        drawn, others = order[:count], order[count:]
        answered = others[confidence[others] >= lowest_threshold(confidence[drawn], right[drawn])]
        if len(answered):
            rates.append(1 - right[answered].mean())
    return float(np.median(rates)) if rates else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="DIR")
    given = parser.parse_args()
    networks: dict[str, Any] = {}
    for training in TRAININGS:
        logits, labels = logits_and_labels(training, given.data)
        table = costs(logits, labels)
        networks[training.name] = {
            "accuracy": float((logits.argmax(1) == labels).mean()),
            "temperature": float(TEMPERATURES[table.mean(0).argmin()]),
            "images": {n: shares(table, n) for n in COUNTS if n <= 0.6 * len(labels)},
            "error_above_threshold": {
                n: error_above_threshold(logits, labels, n)
                for n in COUNTS
                if n <= 0.6 * len(labels)
            },
        }
        print(training.name, networks[training.name]["accuracy"], flush=True)
    worst = {
        rule: max(
            (row[rule]["harmful"], name, count)
            for name, network in networks.items()
            for count, row in network["images"].items()
        )
        for rule in ("always", "halves", "likelihood ratio")
    }
    document = {"draws": DRAWS, "processor": processor(), "worst": worst, "networks": networks}
    (RESULTS / "calibration.json").write_text(json.dumps(document, indent=1) + "\n")
    print(worst)


if __name__ == "__main__":
    main()
