"""How well real and composed pictures are read, how sure it is, and how long it takes.

    python benchmarks/reading.py [--real DIR] [--foreign DIR] [--pages N] [--only PART...]

Each picture is read by the whole reader, by a model of digits that says alone which digits those
are (`--model digits.onnx`, the bundled recogniser), by Tesseract, and by RapidOCR (`pip install
rapidocr-onnxruntime`); the last two are asked for digits alone, and left out where they are not
installed.

`--real` holds real handwriting that is not part of this project: single/SET/LABEL_N.png, one digit
each, and strings/*.png with strings/labels.tsv (file, digits, group). `--foreign` holds photographs
without handwriting. Pages are composed of MNIST's test digits, see pages.py.

The results go to results/reading.json, and tables into benchmarks/README.md. With --only, the other
parts stay as they are in the file.
"""

import argparse
import csv
import io
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pages import STYLES, page, photograph
from PIL import Image
from report import RESULTS, circumstances, into_page, processor

from firstlight.errors import DataError
from firstlight.evaluation.accuracy import interval95
from firstlight.evaluation.calibration import calibration_error
from firstlight.reading import Reading, read
from firstlight.reading.reader import read_drawing
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.runs.run import versions

FILE = RESULTS / "reading.json"
SURE = 0.9  # a wrong answer with more confidence is surely wrong
BLANK_PAGES = 25  # of each style
FOREIGN = 250  # photographs
PARTS = ("single", "strings", "pages", "invented", "times")


@dataclass(frozen=True)
class Answer:
    """What was read in a picture, and how sure each digit is; other programs do not say that."""

    text: str
    digits: tuple[tuple[str, float], ...] = ()


Read = Callable[[Image.Image], Answer]


# Who reads


def by_lines(picture: Image.Image) -> Answer:
    return answer_of(read(picture))


def by_own_model(picture: Image.Image) -> Answer:
    return answer_of(read(picture, DIGITS_MODEL))


def answer_of(reading: Reading) -> Answer:
    digits = [digit for line in reading.lines for digit in line.digits]
    return Answer(reading.text, tuple((digit.digit, digit.confidence) for digit in digits))


def by_tesseract(picture: Image.Image, layout: str = "6") -> Answer:
    """Read with Tesseract: its letters are digits, and the picture is a block of text.

    Args:
        layout: Tesseract's page segmentation mode; 7 is a single line.
    """
    buffer = io.BytesIO()
    picture.convert("L").save(buffer, "PNG")
    flags = ["--psm", layout, "-c", "tessedit_char_whitelist=0123456789"]
    command = ["tesseract", "stdin", "stdout", *flags]
    done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=True)
    return Answer(digits_of_lines(done.stdout.decode().split("\n")))


def rapid(single_line: bool) -> Read:
    """Return a reader that is RapidOCR; what is no digit in its lines is left out."""
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR()

    def by_rapid(picture: Image.Image) -> Answer:
        if single_line:
            pixels = np.asarray(picture.convert("RGB"))[..., ::-1]
            found, _ = engine(pixels, use_det=False, use_cls=False, use_rec=True)
            return Answer(digits_of_lines([text for text, _ in found or []]))
        found, _ = engine(np.asarray(picture.convert("RGB"))[..., ::-1])
        return Answer(
            digits_of_lines(rows_of([(corners, text) for corners, text, _ in found or []]))
        )

    return by_rapid


def rows_of(boxes: Sequence[tuple[Sequence[Sequence[float]], str]]) -> list[str]:
    """Return the texts of boxes, given by their corners, that are beside each other as one."""
    rows: list[tuple[float, float, str]] = []  # top, bottom, text
    for corners, text in sorted(boxes, key=lambda each: min(x for x, _ in each[0])):
        top, bottom = min(y for _, y in corners), max(y for _, y in corners)
        for number, (above, below, before) in enumerate(rows):
            if above <= (top + bottom) / 2 <= below:
                rows[number] = (min(above, top), max(below, bottom), before + text)
                break
        else:
            rows.append((top, bottom, text))
    return [text for _, _, text in sorted(rows)]


def digits_of_lines(lines: Sequence[str]) -> str:
    """Return the digits of each line that has some."""
    digits = ["".join(letter for letter in line if letter in "0123456789") for line in lines]
    return "\n".join(filter(None, digits))


def readers(single_line: bool = False) -> dict[str, Read]:
    """Return the readers.

    Args:
        single_line: each picture is one line. The other programs need to know that; ours do not.
    """
    found: dict[str, Read] = {"line reader": by_lines, "own model": by_own_model}
    if shutil.which("tesseract"):
        found["Tesseract"] = partial(by_tesseract, layout="7" if single_line else "6")
    if find_spec("rapidocr_onnxruntime"):
        found["RapidOCR"] = rapid(single_line)
    return found


# How sure


def sureness(pairs: Sequence[tuple[Answer, str]]) -> dict[str, float | None]:
    """Count the answers, the unsure and the wrong ones, where the number of digits is right.

    The calibration error is that of the answers that are not unsure; None if there are none.
    """
    told = [
        (digit, confidence, right)
        for answer, text in pairs
        if len(answer.digits) == len(text.replace("\n", ""))
        for (digit, confidence), right in zip(answer.digits, text.replace("\n", ""), strict=True)
    ]
    answered = [each for each in told if each[0] != "?"]
    wrong = [confidence for digit, confidence, right in answered if digit != right]
    # Two classes: what was read, and everything else.
    confidences = [(confidence, 0.0) for _, confidence, _ in answered]
    classes = [0 if digit == right else 1 for digit, _, right in answered]
    error = calibration_error(np.array(confidences), np.array(classes)) if answered else None
    return {
        "digits": len(told),
        "unsure": len(told) - len(answered),
        "calibration_error": None if error is None else round(error, 4),
        "wrong": len(wrong),
        "surely_wrong": sum(confidence > SURE for confidence in wrong),
    }


# What is read


def singles(folder: Path) -> dict[str, Any]:
    """Return for each set of single digits how many are right, by both of our readers."""
    result: dict[str, Any] = {}
    for group in sorted(path for path in (folder / "single").iterdir() if path.is_dir()):
        files = sorted(group.glob("*.png"))
        result[group.name] = {"pictures": len(files)}
        for name, model in (("line reader", None), ("own model", DIGITS_MODEL)):
            readings = [read(file, model, single=True) for file in files]
            labels = [file.name[0] for file in files]
            pairs = list(zip(map(answer_of, readings), labels, strict=True))
            right = sum(
                likeliest(each) == label for each, label in zip(readings, labels, strict=True)
            )
            result[group.name][name] = {"right": right, **sureness(pairs)}
        print(group.name, result[group.name], file=sys.stderr)
    return result


def likeliest(reading: Reading) -> str:
    """Return the likeliest digit, even if the reader is unsure."""
    return reading.lines[0].digits[0].candidates[0][0] if reading.lines else ""


def strings(folder: Path) -> dict[str, Any]:
    """Return for each reader how many numbers are read without a mistake, and the others."""
    with (folder / "strings" / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    result: dict[str, Any] = {"pictures": len(rows)}
    for name, reader in readers(single_line=True).items():
        pairs = [(reader(Image.open(folder / "strings" / row["file"])), row) for row in rows]
        wrong = {
            row["file"]: [row["digits"], answer.text]
            for answer, row in pairs
            if answer.text != row["digits"]
        }
        surely = sureness([(answer, row["digits"]) for answer, row in pairs])
        result[name] = {"right": len(rows) - len(wrong), "misread": wrong, **surely}
        print(name, result[name], file=sys.stderr)
    return result


def pages(count: int) -> dict[str, Any]:
    """Return for each reader and style how many lines of composed pages are wholly right."""
    result: dict[str, Any] = {}
    for name, reader in readers().items():
        result[name] = {}
        for style_name, style in STYLES.items():
            made = (page(style, "test", np.random.default_rng(number)) for number in range(count))
            pairs = [(reader(picture), text) for picture, text in made]
            right = sum(
                line in answer.text.split("\n") for answer, text in pairs for line in text.split()
            )
            lines = sum(len(text.split()) for _, text in pairs)
            result[name][style_name] = {
                "lines": lines,
                "right": right,
                "interval95": [round(bound, 4) for bound in interval95(right, lines)],
                "wholly_right_pages": sum(answer.text == text for answer, text in pairs),
                "pages": count,
                **sureness(pairs),
            }
            print(name, style_name, result[name][style_name], file=sys.stderr)
    return result


def invented(foreign: Path | None) -> dict[str, Any]:
    """Return how many digits are read where none is written, by each of our readers."""
    result: dict[str, Any] = {}
    for name, reader in (("line reader", by_lines), ("own model", by_own_model)):
        result[name] = {}
        for kind, pictures in (
            ("empty pages", empty_pages()),
            ("photographs", photographs(foreign)),
        ):
            answers = [reader(picture) for picture in pictures]
            told = [digit for answer in answers for digit in answer.digits if digit[0] != "?"]
            result[name][kind] = {
                "pictures": len(answers),
                "digits": len(told),
                "surely": sum(confidence > SURE for _, confidence in told),
                "pictures_with_digits": sum(bool(answer.digits) for answer in answers),
            }
        print(name, result[name], file=sys.stderr)
    return result


def empty_pages() -> Iterator[Image.Image]:
    """Yield photographs of paper on which nothing is written."""
    for style in STYLES.values():
        for number in range(BLANK_PAGES):
            random = np.random.default_rng([number, 5])
            shape = int(random.integers(200, 900)), int(random.integers(300, 1200))
            yield photograph(np.zeros(shape, np.float32), style, random)


def photographs(folder: Path | None) -> Iterator[Image.Image]:
    """Yield photographs of a folder, spread over it evenly."""
    files = sorted(folder.rglob("*.jp*g")) if folder else []
    for file in files[:: max(1, len(files) // FOREIGN)][:FOREIGN]:
        try:
            read(file)
        except DataError:  # too small, or damaged
            continue
        yield Image.open(file)


# How long


def from_the_shell(picture: Image.Image, name: str) -> float:
    """Return the seconds of `firstlight read` on a picture, a process of its own: the median."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        picture.save(path)
        command = [sys.executable, "-m", "firstlight", "read", str(path)]
        for _ in range(11):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - began)
    return round(statistics.median(seconds), 3)


def times(real: Path | None) -> dict[str, Any]:
    """Return how long a number, a large photograph, pages in one process and a drawing take."""
    photo, _ = page(STYLES["photograph"], "test", np.random.default_rng(0))
    by = (12e6 / (photo.width * photo.height)) ** 0.5
    large = photo.resize((round(photo.width * by), round(photo.height * by)))
    result: dict[str, Any] = {"photograph of 12 megapixels": from_the_shell(large, "photo.jpg")}
    if real:
        number = Image.open(sorted((real / "strings").glob("*.png"))[0])
        result["number on a cheque"] = from_the_shell(number, "number.png")
    for name, model in (("line reader", None), ("own model", DIGITS_MODEL)):
        result[f"pages a second, {name}"] = round(pages_a_second(model), 1)
    result["milliseconds of a drawing"] = round(milliseconds_of_a_drawing(), 1)
    return result


def pages_a_second(model: Path | None) -> float:
    """Read pages of 1,600 pixels, from the JPEG file's bytes to the text, the model in memory."""
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


def milliseconds_of_a_drawing() -> float:
    """Return the median for a drawing of four digits, as the page sends it."""
    picture, _ = page(STYLES["clean"], "test", np.random.default_rng(1))
    drawing = np.asarray(picture.convert("L").resize((400, 300)))
    seconds = []
    for _ in range(21):
        began = time.perf_counter()
        read_drawing(drawing)
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)


# What is shown of it


def tables(result: dict[str, Any]) -> str:
    """Return what benchmarks/README.md shows."""
    rows = real_table(result) if "strings" in result else []
    rows += ["", *pages_table(result["pages"]), "", *invented_table(result["invented"]), ""]
    if sentence := calibration(result["pages"]["line reader"]):
        rows += [sentence, ""]
    took = result["times"]
    for name in ("number on a cheque", "photograph of 12 megapixels"):
        if name in took:
            rows.append(f"`firstlight read`, {name}: {took[name]:.2f} s.")
    rows.append(
        f"One process reads {took['pages a second, line reader']} photographs of 1,600 pixels a "
        f"second ({took['pages a second, own model']} with a model of one's own); a drawing takes "
        f"{took['milliseconds of a drawing']} ms."
    )
    rows += ["", circumstances(result["processor"], result["versions"])]
    return "\n".join(rows).strip()


def head(title: str, readers_: list[str]) -> list[str]:
    """Return the first two rows of a table with a column for each reader."""
    return [f"| {title} | n | {' | '.join(readers_)} |", "|---|--:|" + "--:|" * len(readers_)]


def real_table(result: dict[str, Any]) -> list[str]:
    """Return the table of real handwriting: right, and surely wrong in brackets."""
    names = [name for name in result["strings"] if name != "pictures"]
    rows = head(f"real handwriting: right (wrong with more than {SURE})", names)
    sets = {f"digits: {name}": facts for name, facts in result["single"].items()}
    for title, facts in (*sets.items(), ("numbers on cheques", result["strings"])):
        cells = [
            f"{facts[name]['right']} ({facts[name]['surely_wrong']})"
            if facts.get(name, {}).get("digits")
            else str(facts.get(name, {}).get("right", ""))
            for name in names
        ]
        rows.append(f"| {title} | {facts['pictures']} | {' | '.join(cells)} |")
    return rows


def pages_table(by_reader: dict[str, Any]) -> list[str]:
    """Return the table of composed pages: lines wholly right, with the interval of ours."""
    rows = head("composed pages: lines wholly right", list(by_reader))
    for style, facts in by_reader["line reader"].items():
        low, high = (100 * bound for bound in facts["interval95"])
        cells = [f"{each[style]['right'] / facts['lines']:.1%}" for each in by_reader.values()]
        cells[0] += f" ({low:.0f} to {high:.0f})"
        rows.append(f"| {style} | {facts['lines']} | {' | '.join(cells)} |")
    return rows


def invented_table(by_reader: dict[str, Any]) -> list[str]:
    """Return the table of digits that were read where none is written."""
    rows = head(f"digits invented (with more than {SURE})", list(by_reader))
    for kind, facts in by_reader["line reader"].items():
        cells = [f"{each[kind]['digits']} ({each[kind]['surely']})" for each in by_reader.values()]
        rows.append(f"| {kind} | {facts['pictures']} | {' | '.join(cells)} |")
    return rows


def calibration(by_style: dict[str, dict[str, Any]]) -> str:
    """Return a sentence on how far the line reader's confidence is from its accuracy.

    It is empty if no calibration error was measured.
    """
    answered = {
        style: facts["digits"] - facts["unsure"]
        for style, facts in by_style.items()
        if facts.get("calibration_error") is not None
    }
    if not answered:
        return ""
    errors = {style: by_style[style]["calibration_error"] for style in answered}
    mean = np.average(list(errors.values()), weights=list(answered.values()))
    worst = max(errors, key=lambda style: errors[style])
    return (
        f"On average over the {len(errors)} kinds of composed pages, the expected calibration "
        f"error of the line reader is {mean:.2%}; it is largest for `{worst}`, "
        f"{errors[worst]:.2%}. The line reader was not trained on these papers."
    )


def in_short(result: dict[str, Any]) -> str:
    """Return the table of README: what is read wholly right by each program."""
    lines = {"line reader": "firstlight", "Tesseract": "Tesseract", "RapidOCR": "RapidOCR"}
    rows = head("wholly right", list(lines.values()))
    real = result["strings"]
    cells = [str(real[name]["right"]) if name in real else "" for name in lines]
    rows.append(f"| numbers on cheques | {real['pictures']} | {' | '.join(cells)} |")
    for style in ("clean", "photograph"):
        of_style = {name: each[style] for name, each in result["pages"].items()}
        cells = [str(of_style[name]["right"]) if name in of_style else "" for name in lines]
        count = of_style["line reader"]["lines"]
        rows.append(f"| composed lines: {style} | {count} | {' | '.join(cells)} |")
    return "\n".join([*rows, "", circumstances(result["processor"], result["versions"])])


def used_versions() -> dict[str, str]:
    """Return the versions of what reads."""
    modules = {"onnxruntime": "onnxruntime", "pillow": "PIL"}
    modules["rapidocr-onnxruntime"] = "rapidocr_onnxruntime"
    return {name: metadata.version(name) for name, module in modules.items() if find_spec(module)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--foreign", type=Path)
    parser.add_argument("--pages", type=int, default=50, help="of each style")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    result: dict[str, Any] = (
        json.loads(FILE.read_text()) if set(arguments.only) < set(PARTS) else {}
    )
    result |= {"processor": processor(), "versions": versions() | used_versions()}
    measure: dict[str, Callable[[], Any]] = {
        "pages": lambda: pages(arguments.pages),
        "invented": lambda: invented(arguments.foreign),
        "times": lambda: times(arguments.real),
    }
    if arguments.real:
        measure["single"] = lambda: singles(arguments.real)
        measure["strings"] = lambda: strings(arguments.real)
    for part in arguments.only:
        if part in measure:
            result[part] = measure[part]()
    FILE.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    into_page("reading", tables(result))
    if "strings" in result:
        into_page("reading in short", in_short(result))


if __name__ == "__main__":
    main()
