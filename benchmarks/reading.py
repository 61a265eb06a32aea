"""How well real and composed pictures are read, and what each step of the reader is worth.

    python benchmarks/reading.py [--real DIRECTORY] [--pages N] [--model MODEL.onnx]

DIRECTORY holds real handwriting that is not part of this project: single/SET/LABEL_N.png, one
digit each, and strings/*.png with strings/labels.tsv (file, digits, group). Pages are composed of
MNIST's test digits, see pages.py; every page is read by the whole reader, and again with one of its
steps replaced by the plainest thing that could stand in its place.

The results go to results/reading.json.
"""

import argparse
import csv
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from pages import STYLES, page
from PIL import Image
from report import RESULTS, processor

from firstlight import runs
from firstlight.read import ink, locate, normalize, read, reading, split
from firstlight.read.blobs import Blob


class Step(NamedTuple):
    """A step of the reader, and what is put in its place to switch it off."""

    name: str
    module: Any
    function: str
    instead: Callable[..., Any]


def stretched(blob: Blob) -> np.ndarray:
    """The whole box resized to 28×28: no aspect, no centre, no pen."""
    return np.asarray(Image.fromarray(np.uint8(blob.ink * 255)).resize((28, 28)))[..., None]


STEPS = [
    Step("dark or light ink decided", ink, "is_dark_on_light", lambda grey: True),
    Step("paper flattened", ink, "paper", lambda grey: np.full_like(grey, np.median(grey))),
    Step("ruled lines taken out", locate, "without_rules", lambda mask: mask),
    Step("edges left out", locate, "without_edges", lambda found, shape: found),
    Step("pale ink left out", locate, "dark_enough", lambda found: list(found)),
    Step("strokes joined, dots left out", locate, "whole_strokes", lambda found: found),
    Step("touching digits cut", split, "cut_up", lambda blob, height: [(blob, 0.0)]),
    Step("thin pens broadened", normalize, "thickened", lambda ink: ink),
    Step("centre of mass", normalize, "centered", lambda ink: boxed(ink)),
    Step("normalised as MNIST", reading, "normalize", stretched),
]


def boxed(ink_: np.ndarray) -> np.ndarray:
    """In the middle of its box."""
    frame = np.zeros((112, 112), np.float32)
    top, left = ((112 - side) // 2 for side in ink_.shape)
    frame[top : top + ink_.shape[0], left : left + ink_.shape[1]] = ink_
    return frame


@contextmanager
def without(step: Step | None) -> Iterator[None]:
    with ExitStack() as stack:
        if step:
            stack.enter_context(mock.patch.object(step.module, step.function, step.instead))
        yield


def singles(folder: Path, model: Path | None) -> dict[str, Any]:
    """For each set how many single digits are right: the likeliest one, told or not."""
    found = {}
    for group in sorted(path for path in (folder / "single").iterdir() if path.is_dir()):
        files = sorted(group.glob("*.png"))
        results = [(file.name[0], read(file, model, single=True)) for file in files]
        right = sum(label == likeliest(result) for label, result in results)
        told = sum(label == result.text for label, result in results)
        unsure = sum(result.text in ("?", "") for _, result in results)
        facts = {"pictures": len(files), "right": right, "told_right": told, "unsure": unsure}
        found[group.name] = facts
        print(group.name, facts, file=sys.stderr)
    return found


def likeliest(result: reading.Reading) -> str:
    return result.lines[0].digits[0].candidates[0][0] if result.lines else ""


def strings(folder: Path, model: Path | None) -> dict[str, Any]:
    with (folder / "strings" / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    texts = {row["file"]: read(folder / "strings" / row["file"], model).text for row in rows}
    wrong = {
        r["file"]: [r["digits"], texts[r["file"]]] for r in rows if r["digits"] != texts[r["file"]]
    }
    print("strings wrong:", wrong, file=sys.stderr)
    return {"pictures": len(rows), "right": len(rows) - len(wrong), "wrong": wrong}


def pages(count: int, step: Step | None, model: Path | None) -> dict[str, float]:
    """For each style the share of lines of text that are read without a mistake."""
    shares = {}
    for name, style in STYLES.items():
        right, lines = 0, 0
        for number in range(count):
            picture, text = page(style, "test", np.random.default_rng(number))
            with without(step):
                answer = read(picture, model).text.split("\n")
            lines += text.count("\n") + 1
            right += sum(line in answer for line in text.split("\n"))
        shares[name] = round(right / lines, 4)
    print(step.name if step else "whole reader", shares, file=sys.stderr)
    return shares


def seconds(model: Path | None) -> list[float]:
    """Of reading a photograph's page, the model in memory."""
    picture, _ = page(STYLES["photograph"], "test", np.random.default_rng(0))
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        read(picture.copy(), model)
        taken.append(time.perf_counter() - start)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--pages", type=int, default=20, help="of each style")
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    used = {name: metadata.version(name) for name in ("onnxruntime", "pillow")}
    result: dict[str, Any] = {"processor": processor(), "versions": runs.versions() | used}
    if given.real:
        result["single"] = singles(given.real, given.model)
        result["strings"] = strings(given.real, given.model)
    result["seconds"] = round(statistics.median(seconds(given.model)), 3)
    result["pages_of_each_style"] = given.pages
    result["lines_right"] = {"whole reader": pages(given.pages, None, given.model)}
    for step in STEPS:
        result["lines_right"][f"without: {step.name}"] = pages(given.pages, step, given.model)
    (RESULTS / "reading.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
