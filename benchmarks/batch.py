"""How fast very many scans become a table, in how much memory, and what a kill costs.

    python benchmarks/batch.py [--scans N] [--pages N]

The scans are made of MNIST's test digits: a line or two on a small sheet. They are read by
`firstlight read DIRECTORY --out digits.csv` with one process and with two. Memory is the peak of
all processes together (their proportional set size). Then the program is killed (SIGKILL) five
times, at random moments, and continued; the table must be the one that was never stopped. At last
a PDF of scanned pages (needs pypdfium2). A photograph alone is in reading.py.

The results go to results/batch.json, and a table into benchmarks/README.md.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pages import STYLES, page
from PIL import Image
from report import RESULTS, circumstances, into_page, processor

from firstlight.datasets import mnist
from firstlight.runs.run import versions

KILLS = 5
SECONDS_BETWEEN_LOOKS = 0.2  # at the memory
DIGITS_ON_A_LINE = 4


def write_scans(folder: Path, count: int) -> None:
    """Write sheets (52 or 92 × 132 pixels) with one or two lines of digits, as PNG files."""
    images = mnist.load("test").images[:][..., 0]
    generator = np.random.default_rng(0)
    for number in range(count):
        lines = 1 + number % 2
        sheet = np.zeros((12 + 40 * lines, 12 + 30 * DIGITS_ON_A_LINE), np.uint8)
        for line in range(lines):
            for place in range(DIGITS_ON_A_LINE):
                digit = images[generator.integers(len(images))]
                sheet[12 + 40 * line :, 8 + 30 * place :][:28, :28] = digit
        below = folder / f"{number // 1000:03}"
        below.mkdir(exist_ok=True)
        Image.fromarray(255 - sheet).save(below / f"{number:05}.png")


def started(*arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "firstlight", "read", *map(str, arguments), "-q"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measured(*arguments: object) -> dict[str, float]:
    """Run `firstlight read`: seconds, and megabytes of all its processes together at most."""
    began, peak = time.perf_counter(), 0
    process = started(*arguments)
    while process.poll() is None:
        peak = max(peak, sum(map(memory_of, family(process.pid))))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 2), "megabytes": round(peak / 1024)}


def family(pid: int) -> list[int]:
    """Return a process and those that it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [pid, *(each for child in children for each in family(int(child)))]


def memory_of(pid: int) -> int:
    """Return the kilobytes that belong to a process; shared ones in proportion."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def killed_and_continued(folder: Path, out: Path, seconds: float) -> dict[str, int]:
    """Kill the program at random moments, let it end, and compare the table with `out`."""
    generator = np.random.default_rng(1)
    other = out.with_name("continued.csv")
    kills = 0
    for _ in range(KILLS):
        process = started(folder, "--out", other)
        time.sleep(1 + generator.random() * seconds / KILLS)
        kills += process.poll() is None
        process.kill()
        process.wait()
        time.sleep(0.5)  # its workers end by themselves
    started(folder, "--out", other).wait()
    expected, actual = Counter(rows_of(out)), Counter(rows_of(other))
    return {
        "kills": kills,
        "rows": expected.total(),
        "rows_lost": (expected - actual).total(),
        "rows_twice": (actual - expected).total(),
        "bytes_equal": int(out.read_bytes() == other.read_bytes()),
    }


def rows_of(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)]


def write_pdf(path: Path, pages: int) -> None:
    """Write a PDF of composed pages, as a scanner makes it."""
    sheets = [
        page(STYLES["paper"], "test", np.random.default_rng(number % 10))[0].convert("L")
        for number in range(pages)
    ]
    sheets[0].save(path, save_all=True, append_images=sheets[1:])


def measure(folder: Path, scans: int, pages: int) -> dict[str, Any]:
    place, out = folder / "scans", folder / "digits.csv"
    place.mkdir()
    write_scans(place, scans)
    result: dict[str, Any] = {"scans": scans, "pdf_pages": pages}
    for jobs in (1, 2):
        result[f"jobs_{jobs}"] = measured(place, "--out", out, "--jobs", jobs)
        print(jobs, result[f"jobs_{jobs}"], file=sys.stderr)
    result["killed"] = killed_and_continued(place, out, result["jobs_2"]["seconds"])
    print(result["killed"], file=sys.stderr)
    if find_spec("pypdfium2"):
        write_pdf(folder / "scan.pdf", pages)
        result["pdf"] = measured(folder / "scan.pdf", "--out", folder / "pdf.csv", "--jobs", 2)
        print(result["pdf"], file=sys.stderr)
    return result


def table(result: dict[str, Any]) -> str:
    """What benchmarks/README.md shows of it."""
    rows = [
        "| `firstlight read ... --out digits.csv` | seconds | MB, all processes |",
        "|---|--:|--:|",
    ]
    names = {
        "jobs_1": f"{result['scans']:,} scans of a line or two, `--jobs 1`",
        "jobs_2": f"{result['scans']:,} scans of a line or two, `--jobs 2`",
        "pdf": f"a PDF of {result['pdf_pages']} pages, `--jobs 2`",
    }
    for key, name in names.items():
        if key in result:
            rows.append(f"| {name} | {result[key]['seconds']:.1f} | {result[key]['megabytes']} |")
    killed = result["killed"]
    rows += [
        "",
        f"Killed {killed['kills']} times and continued: of {killed['rows']:,} rows "
        f"{killed['rows_lost']} are lost and {killed['rows_twice']} are there twice. "
        + circumstances(result["processor"], result["versions"]),
    ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scans", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=200, help="of the PDF file")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="firstlight-batch-"))
    try:
        result = measure(folder, arguments.scans, arguments.pages)
    finally:
        shutil.rmtree(folder)
    used = {name: metadata.version(name) for name in ("onnxruntime", "pillow")}
    result |= {"processor": processor(), "versions": versions() | used}
    (RESULTS / "batch.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    into_page("batch", table(result))


if __name__ == "__main__":
    main()
