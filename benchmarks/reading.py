"""How well real and composed pictures are read, and what each step of the reader is worth.

    python benchmarks/reading.py [--real DIRECTORY] [--pages N] [--model MODEL.onnx]

DIRECTORY holds real handwriting that is not part of this project: single/SET/LABEL_N.png, one
digit each, and strings/*.png with strings/labels.tsv (file, digits, group). Pages are composed of
MNIST's test digits, see pages.py; every page is read by the whole reader, and again with one of its
steps replaced by the plainest thing that could stand in its place.

Where Tesseract is installed it reads the same pictures, asked for digits alone. Then a page as a
photograph of twelve megapixels is read by `firstlight read` from the shell, and pages of 1,600
pixels one after another in one process.

The results go to results/reading.json, and tables into benchmarks/README.md.
"""

import argparse
import csv
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from pages import STYLES, page
from PIL import Image
from report import RESULTS, circumstances, into_page, processor

from firstlight.reading import ink, locate, normalize, read, reader, split
from firstlight.reading.blobs import Blob
from firstlight.runs.run import versions


class Step(NamedTuple):
    """A step of the reader, and what is put in its place to switch it off."""

    name: str  # in reading.json
    label: str  # of the row in the table that is measured without the step
    module: Any
    function: str
    replacement: Callable[..., Any]


def stretched(blob: Blob) -> np.ndarray:
    """Resize the whole box to 28×28, whatever its aspect ratio, centre of mass and pen."""
    return np.asarray(Image.fromarray(np.uint8(blob.ink * 255)).resize((28, 28)))[..., None]


def center_box(ink_: np.ndarray) -> np.ndarray:
    """Place ink into 112×112 with its box, not its centre of mass, in the middle."""
    frame = np.zeros((112, 112), np.float32)
    top, left = ((112 - side) // 2 for side in ink_.shape)
    frame[top : top + ink_.shape[0], left : left + ink_.shape[1]] = ink_
    return frame


def median_paper(grey: np.ndarray) -> np.ndarray:
    """Take the whole paper to be as bright as the picture's median."""
    return np.full_like(grey, np.median(grey))


def uncut(blob: Blob, height: float) -> list[split.BlobPart]:
    """Leave every blob whole."""
    return [split.BlobPart(blob, 0.0)]


def all_blobs(blobs: Sequence[locate.MeasuredBlob]) -> list[Blob]:
    """Keep every blob, however pale."""
    return [blob for blob, _ in blobs]


STEPS = [
    Step(
        name="dark or light ink decided",
        label="without deciding whether the ink is dark or light",
        module=ink,
        function="polarities",
        replacement=lambda grey: [True],
    ),
    Step(
        name="paper flattened",
        label="without correcting uneven paper",
        module=ink,
        function="estimate_paper",
        replacement=median_paper,
    ),
    Step(
        name="ruled lines taken out",
        label="without removing ruled lines",
        module=locate,
        function="without_ruled_lines",
        replacement=lambda mask: mask,
    ),
    Step(
        name="edges left out",
        label="without removing blobs at the picture's border",
        module=locate,
        function="without_border_blobs",
        replacement=lambda blobs, shape: blobs,
    ),
    Step(
        name="pale ink left out",
        label="without removing pale blobs",
        module=locate,
        function="without_pale_blobs",
        replacement=all_blobs,
    ),
    Step(
        name="strokes joined, dots left out",
        label="without joining strokes and removing dots",
        module=locate,
        function="join_strokes",
        replacement=lambda blobs: blobs,
    ),
    Step(
        name="touching digits cut",
        label="without cutting touching digits apart",
        module=split,
        function="split_blob",
        replacement=uncut,
    ),
    Step(
        name="thin pens broadened",
        label="without thickening thin strokes",
        module=normalize,
        function="thicken",
        replacement=lambda ink: ink,
    ),
    Step(
        name="centre of mass",
        label="without centring by the centre of mass",
        module=normalize,
        function="center_by_mass",
        replacement=center_box,
    ),
    Step(
        name="normalised as MNIST",
        label="without normalising as MNIST does",
        module=reader,
        function="normalize",
        replacement=stretched,
    ),
]
LABELS = {f"without: {step.name}": step.label for step in STEPS}  # of rows in the table


@contextmanager
def without(step: Step | None) -> Iterator[None]:
    with ExitStack() as stack:
        if step:
            stack.enter_context(mock.patch.object(step.module, step.function, step.replacement))
        yield


def singles(folder: Path, model: Path | None) -> dict[str, Any]:
    """Return for each set how many single digits are right, even if the reader is unsure."""
    result = {}
    for group in sorted(path for path in (folder / "single").iterdir() if path.is_dir()):
        files = sorted(group.glob("*.png"))
        readings = [(file.name[0], read(file, model, single=True)) for file in files]
        counts = {
            "pictures": len(files),
            "right": sum(label == likeliest_digit(reading) for label, reading in readings),
            "told_right": sum(label == reading.text for label, reading in readings),
            "unsure": sum(reading.text in ("?", "") for _, reading in readings),
        }
        result[group.name] = counts
        print(group.name, counts, file=sys.stderr)
    return result


def likeliest_digit(reading: reader.Reading) -> str:
    """Return the likeliest digit, even if the reader is unsure."""
    return reading.lines[0].digits[0].candidates[0][0] if reading.lines else ""


Reader = Callable[[Image.Image], str]


def strings(folder: Path, reader: Reader) -> dict[str, Any]:
    """How many fields are read without a mistake, in all and by group."""
    with (folder / "strings" / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wrong, groups = {}, {row["group"]: [0, 0] for row in rows}
    for row in rows:
        text = reader(Image.open(folder / "strings" / row["file"]))
        groups[row["group"]][1] += 1
        if text == row["digits"]:
            groups[row["group"]][0] += 1
        else:
            wrong[row["file"]] = [row["digits"], text]
    print("strings wrong:", wrong, file=sys.stderr)
    right = len(rows) - len(wrong)
    return {"pictures": len(rows), "right": right, "groups": groups, "wrong": wrong}


def tesseract(picture: Image.Image) -> str:
    """What Tesseract reads: the picture is a block of text, and its letters are digits."""
    buffer = io.BytesIO()
    picture.convert("L").save(buffer, "PNG")
    flags = ["--psm", "6", "-c", "tessedit_char_whitelist=0123456789"]
    command = ["tesseract", "stdin", "stdout", *flags]
    done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=True)
    lines = done.stdout.decode().split("\n")
    return "\n".join("".join(line.split()) for line in lines if line.strip())


def pages(count: int, reader: Reader, name: str) -> dict[str, float]:
    """For each style the share of lines of text that are read without a mistake."""
    shares = {}
    for style_name, style in STYLES.items():
        right, lines = 0, 0
        for number in range(count):
            picture, text = page(style, "test", np.random.default_rng(number))
            answer = reader(picture).split("\n")
            lines += text.count("\n") + 1
            right += sum(line in answer for line in text.split("\n"))
        shares[style_name] = round(right / lines, 4)
    print(name, shares, file=sys.stderr)
    return shares


def from_the_shell() -> dict[str, float]:
    """Of `firstlight read` on a photograph of 12 megapixels: seconds, and megabytes at most."""
    picture, _ = page(STYLES["photograph"], "test", np.random.default_rng(0))
    by = (12e6 / (picture.width * picture.height)) ** 0.5
    large = picture.resize((round(picture.width * by), round(picture.height * by)))
    seconds, megabytes = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.jpg"
        large.save(path, quality=90)
        for _ in range(7):
            began = time.perf_counter()
            child = subprocess.Popen(
                [sys.executable, "-m", "firstlight", "read", str(path)], stdout=subprocess.DEVNULL
            )
            _, _, used = os.wait4(child.pid, 0)
            seconds.append(time.perf_counter() - began)
            megabytes.append(used.ru_maxrss / 1024)
    return {"seconds": statistics.median(seconds), "megabytes": max(megabytes)}


def photographs_a_second(model: Path | None) -> float:
    """Pages of 1,600 pixels, from the JPEG file's bytes to the text, the model in memory."""
    files = []
    for number in range(20):
        picture, _ = page(STYLES["photograph"], "test", np.random.default_rng(number))
        by = 1600 / max(picture.size)
        buffer = io.BytesIO()
        picture.resize((round(picture.width * by), round(picture.height * by))).save(buffer, "JPEG")
        files.append(buffer)
    read(Image.open(files[0]), model)
    began = time.perf_counter()
    for file in files:
        read(Image.open(file), model)
    return len(files) / (time.perf_counter() - began)


def tables(result: dict[str, Any]) -> str:
    """What benchmarks/README.md shows of it."""
    rows = []
    if "strings" in result:
        rows = ["| handwriting from outside MNIST | pictures | read correctly | Tesseract |"]
        rows += ["|---|--:|--:|--:|"]
        for name, facts in result["single"].items():
            share = facts["right"] / facts["pictures"]
            rows.append(f"| digits: {name} | {facts['pictures']} | {share:.1%} | |")
        ours, other = result["strings"], result.get("tesseract", {}).get("strings")
        share = f"{other['right'] / other['pictures']:.0%}" if other else ""
        rows.append(
            f"| amounts on cheques | {ours['pictures']} | {ours['right'] / ours['pictures']:.0%} "
            f"| {share} |"
        )
    styles = list(next(iter(result["lines_right"].values())))
    rows += ["", f"| lines read correctly, by style of page | {' | '.join(styles)} |"]
    rows += ["|---|" + "--:|" * len(styles)]
    for name, shares in result["lines_right"].items():
        cells = " | ".join(f"{shares[style]:.0%}" for style in styles)
        rows.append(f"| {LABELS.get(name, name)} | {cells} |")
    shell = result["from_the_shell"]
    rows += [
        "",
        f"`firstlight read` on a photograph of 12 megapixels takes {shell['seconds']:.2f} s and at "
        f"most {shell['megabytes']:.0f} MB. One process reads {result['photographs_a_second']:.1f} "
        "photographs per second, if their longer side has 1,600 pixels. "
        f"{result['pages_of_each_style']} pages of each style; "
        + circumstances(result["processor"], result["versions"]),
    ]
    return "\n".join(rows).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--pages", type=int, default=20, help="of each style")
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()

    def ours(picture: Image.Image) -> str:
        return read(picture, arguments.model).text

    used = {name: metadata.version(name) for name in ("onnxruntime", "pillow")}
    result: dict[str, Any] = {"processor": processor(), "versions": versions() | used}
    other = {"tesseract": tesseract} if shutil.which("tesseract") else {}
    if arguments.real:
        result["single"] = singles(arguments.real, arguments.model)
        result["strings"] = strings(arguments.real, ours)
        for name, reader in other.items():
            result[name] = {"strings": strings(arguments.real, reader)}
    result["from_the_shell"] = from_the_shell()
    result["photographs_a_second"] = round(photographs_a_second(arguments.model), 2)
    result["pages_of_each_style"] = arguments.pages
    whole = "whole reader"
    result["lines_right"] = {whole: pages(arguments.pages, ours, whole)}
    for step in STEPS:
        name = f"without: {step.name}"
        with without(step):
            result["lines_right"][name] = pages(arguments.pages, ours, name)
    for name, reader in other.items():
        result["lines_right"][name.title()] = pages(arguments.pages, reader, name)
    (RESULTS / "reading.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    into_page("reading", tables(result))


if __name__ == "__main__":
    main()
