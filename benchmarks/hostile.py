"""Thousands of damaged and hostile files through the command line: which end in more than a line?

    python benchmarks/hostile.py [--inputs 4000] [--seed 0] [--cases DIR] [--only KIND]

Small whole files of each kind are damaged (see mutations.py), inside their checksums too, and given
to a verb that reads such files; some are made by hand, and those of a folder are taken as they are.
A process runs one verb after the other; it is ended and begun again if a verb takes more than 10
seconds. Counted are

    tracebacks   an exception that is no FirstlightError, an unknown exit code, a process that died
    hangs        more than 10 seconds
    memory       more than 1 GB of the process, with Python and its modules (TensorFlow: 0.5 GB);
                 what the verbs before it have left is subtracted
    strange      lines on stderr that are not firstlight's own

The results go to results/hostile.json, with each fault and the number that makes the input again.
"""

import argparse
import gzip
import io
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import mutations
import numpy as np
import parsers
from parsers import Sample
from PIL import Image
from report import FOLDERS, RESULTS, processor

from firstlight.datasets import mnist
from firstlight.quiet import tensorflow
from firstlight.runs.run import versions

MAX_SECONDS = 10.0
MAX_MEMORY = 10**9  # bytes
EXIT_CODES = range(6)
SHARES = {  # kind → how many of 100 inputs
    "pictures": 38,
    "idx": 8,
    "npz": 12,
    "csv": 8,
    "parquet": 6,
    "pdf": 6,
    "onnx": 10,
    "run": 12,
}


@dataclass(frozen=True)
class Outcome:
    """What came of an input; `fault` is "" if it was refused, or taken, as it should be."""

    kind: str
    number: int | str
    verb: str
    code: int | None
    seconds: float
    megabytes: float
    fault: str = ""
    said: str = ""  # the end of what was printed


# The files


def write_whole_files(work: Path) -> None:
    """Write what is damaged later and needs TensorFlow: a run folder and its network as ONNX."""
    import firstlight as fl

    digits = work / "digits"
    digits.mkdir()
    for split, names in (("train", ("train-images-idx3", "train-labels-idx1")),
                         ("test", ("t10k-images-idx3", "t10k-labels-idx1"))):  # fmt: skip
        examples = mnist.load(split)
        arrays = examples.images[:120, ..., 0], examples.labels[:120].astype(np.uint8)
        for name, array in zip(names, arrays, strict=True):
            (digits / f"{name}-ubyte").write_bytes(parsers.idx(array))
    Image.fromarray(255 - mnist.load("test").images[0, ..., 0]).save(work / "seven.png")
    run = fl.train("softmax", digits, steps=20, batch_size=10, out=work / "run", quiet=True)
    fl.evaluate(run, quiet=True)
    fl.export(run, "onnx", work / "model.onnx", quiet=True)


def parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    rows = [{"bytes": parsers.picture("PNG"), "path": f"{i}.png"} for i in range(12)]
    table = pyarrow.table({"image": rows, "label": [i % 2 for i in range(12)]})
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, compression="none")
    return file.getvalue()


def pdf() -> bytes:
    file = io.BytesIO()
    pages = [Image.open(io.BytesIO(parsers.picture("PNG"))).convert("RGB") for _ in range(2)]
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:], resolution=72)
    return file.getvalue()


def samples(kind: str, work: Path) -> list[Sample]:
    """Whole files of a kind; the names of those of a run are paths in its folder."""
    if kind in parsers.samples():
        return list(parsers.samples()[kind])
    if kind == "parquet":
        return [Sample("data.parquet", parquet())]
    if kind == "pdf":
        return [Sample("scan.pdf", pdf())]
    if kind == "onnx":
        return [Sample("model.onnx", (work / "model.onnx").read_bytes())]
    files = [file for file in sorted((work / "run").rglob("*")) if file.suffix in RUN_FILES]
    found = [Sample(str(file.relative_to(work / "run")), file.read_bytes()) for file in files]
    return found + [inside_zip(sample) for sample in found if sample.name.endswith(".npz")]


RUN_FILES = (".json", ".jsonl", ".npz")


def inside_zip(sample: Sample) -> Sample:
    """Return a sample whose first array is damaged, within a zip whose checksums fit."""
    with zipfile.ZipFile(io.BytesIO(sample.inner)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    first = next(iter(members))
    return Sample(sample.name, members[first], lambda inner: parsers.npz(members | {first: inner}))


def damaged(sample: Sample, random: Random) -> bytes:
    if sample.name.endswith(".json"):
        return mutations.damaged_text(json.loads(sample.inner), random)
    return sample.pack(mutations.damaged(sample.inner, random))


# The inputs: each is written into a folder, and gives the arguments of a verb


def write_input(kind: str, number: int | str, seed: int, work: Path, here: Path) -> list[str]:
    """Write an input into the folder `here`; return the verb and its arguments."""
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir(parents=True)
    if kind == "by hand":
        return BY_HAND[str(number)](here, work)
    if kind == "case":
        return write_case(Path(str(number)), work, here)
    random = Random(f"{seed} {kind} {number}")
    sample = random.choice(samples(kind, work))
    content = damaged(sample, random)
    return WRITERS[kind](Sample(sample.name, content), random, work, here)


def write_picture(file: Sample, random: Random, work: Path, here: Path) -> list[str]:
    if random.random() < 0.6:
        (here / file.name).write_bytes(file.inner)
        verb = ["read"] if random.random() < 0.7 else ["classify", str(work / "model.onnx")]
        return [*verb, "-q", str(here / file.name)]
    for name in ("cat", "dog"):
        (here / "d" / name).mkdir(parents=True)
        (here / "d" / name / "whole.png").write_bytes(parsers.picture("PNG"))
    (here / "d" / "cat" / file.name).write_bytes(file.inner)
    return ["data", "check", "-q", str(here / "d")]


def write_data(file: Sample, random: Random, work: Path, here: Path) -> list[str]:
    path = here / file.name
    if "labels-idx1" in file.name:
        (here / "train-images-idx3-ubyte").write_bytes(parsers.idx(parsers.IMAGES))
    elif "images-idx3" in file.name:
        (here / "train-labels-idx1-ubyte").write_bytes(parsers.idx(parsers.LABELS))
    path.write_bytes(file.inner)
    if random.random() < 0.2:
        out = str(here / "answers.csv")
        return ["predict", "-q", str(work / "model.onnx"), str(path), "--out", out]
    return ["data", "check", "-q", str(path)]


def write_pdf(file: Sample, random: Random, work: Path, here: Path) -> list[str]:
    (here / file.name).write_bytes(file.inner)
    return ["read", "-q", str(here / file.name)]


def write_onnx(file: Sample, random: Random, work: Path, here: Path) -> list[str]:
    path = here / "model.onnx"
    path.write_bytes(file.inner)
    if random.random() < 0.3:
        return ["read", "-q", "--model", str(path), str(work / "seven.png")]
    return ["classify", "-q", str(path), str(work / "seven.png")]


def write_run(file: Sample, random: Random, work: Path, here: Path) -> list[str]:
    shutil.copytree(work / "run", here / "run")
    (here / "run" / file.name).write_bytes(file.inner)
    return run_verb(here / "run", random, work)


def run_verb(run: Path, random: Random, work: Path) -> list[str]:
    verbs = [
        ["classify", "-q", str(run), str(work / "seven.png")],
        ["evaluate", "-q", str(run)],
        ["report", "-q", str(run)],
        ["export", "-q", str(run), "--format", "html"],
        ["train", "-q", "--resume", str(run)],
    ]
    return random.choice(verbs)


WRITERS: dict[str, Callable[[Sample, Random, Path, Path], list[str]]] = {
    "pictures": write_picture,
    "idx": write_data,
    "npz": write_data,
    "csv": write_data,
    "parquet": write_data,
    "pdf": write_pdf,
    "onnx": write_onnx,
    "run": write_run,
}


def write_case(case: Path, work: Path, here: Path) -> list[str]:
    """Write a file of --cases, or the files of a folder there; its name says what reads it."""
    if case.name.startswith("run"):
        shutil.copytree(work / "run", here / "run")
        for file in case.iterdir():
            place = "model" if file.name == "model.json" else "."
            shutil.copy(file, here / "run" / place / file.name)
        return ["classify", "-q", str(here / "run"), str(work / "seven.png")]
    if case.name.startswith("onnx"):
        return ["classify", "-q", str(case), str(work / "seven.png")]
    if case.name.startswith("data"):
        return ["data", "check", "-q", str(case)]
    return ["read", "-q", str(case)]


def bomb(start: bytes, zeros: int) -> bytes:
    """Return gzip of a few bytes and any number of zeros."""
    packer = zlib.compressobj(1, wbits=31)
    block = bytes(1 << 20)
    parts = [packer.compress(start)]
    parts += [packer.compress(block) for _ in range(zeros >> 20)]
    return b"".join([*parts, packer.flush()])


def write_as(name: str, content: bytes, *verb: str) -> Callable[[Path, Path], list[str]]:
    def write(here: Path, work: Path) -> list[str]:
        (here / name).write_bytes(content)
        return [*verb, str(here / name)]

    return write


def write_gzip_bomb(here: Path, work: Path) -> list[str]:
    images = bytes((0, 0, 8, 3)) + np.array((4 << 10, 1 << 10, 1 << 10), ">u4").tobytes()
    (here / "train-images-idx3-ubyte.gz").write_bytes(bomb(images, 4 << 30))
    (here / "train-labels-idx1-ubyte").write_bytes(parsers.idx(parsers.LABELS))
    return ["data", "check", "-q", str(here)]


def write_npz_bomb(here: Path, work: Path) -> list[str]:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (3 << 10, 1 << 10, 1 << 10)}
    )
    with zipfile.ZipFile(here / "data.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("labels.npy", parsers.npy(parsers.LABELS))
        with archive.open("images.npy", "w", force_zip64=True) as member:
            member.write(file.getvalue())
            for _ in range(3 << 10):
                member.write(bytes(1 << 20))
    return ["data", "check", "-q", str(here / "data.npz")]


def write_png_of(width: int, height: int) -> Callable[[Path, Path], list[str]]:
    head = width.to_bytes(4) + height.to_bytes(4) + bytes((1, 0, 0, 0, 0))
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b""))
    chunks = [len(body).to_bytes(4) + name + body + bytes(4) for name, body in parts]
    return write_as("large.png", parsers.with_checksums(parsers.PNG + b"".join(chunks)), *READ)


def write_fifo(name: str, *verb: str) -> Callable[[Path, Path], list[str]]:
    """A named pipe into which nobody writes."""

    def write(here: Path, work: Path) -> list[str]:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(here / name)
        return [*verb, str(here / name)]

    return write


def write_link(name: str, target: str, *verb: str) -> Callable[[Path, Path], list[str]]:
    def write(here: Path, work: Path) -> list[str]:
        (here / name).symlink_to(target)
        return [*verb, str(here / name)]

    return write


def write_run_with(name: str, make: Callable[[Path], object]) -> Callable[[Path, Path], list[str]]:
    def write(here: Path, work: Path) -> list[str]:
        shutil.copytree(work / "run", here / "run")
        (here / "run" / name).unlink()
        make(here / "run" / name)
        return ["classify", "-q", str(here / "run"), str(work / "seven.png")]

    return write


READ, CHECK = ("read", "-q"), ("data", "check", "-q")
DEEP = b"[" * 10**6 + b"]" * 10**6
BY_HAND: dict[str, Callable[[Path, Path], list[str]]] = {
    "4 GB in gzip": write_gzip_bomb,
    "3 GB in npz": write_npz_bomb,
    "PNG of 60,000×60,000": write_png_of(60_000, 60_000),
    "PNG of 6,000×6,000, truncated": write_png_of(6_000, 6_000),
    "PNG of 2³¹−1 columns": write_png_of(2**31 - 1, 1),
    "FIFO as picture": write_fifo("a.png", *READ),
    "FIFO as data": write_fifo("data.csv", *CHECK),
    "FIFO among pictures": lambda here, work: [
        *write_fifo("cat/a.png", *CHECK)(here, work)[:-1], str(here)
    ],
    "FIFO as model": lambda here, work: [
        *write_fifo("model.onnx", "classify", "-q")(here, work), str(work / "seven.png")
    ],
    "run: FIFO as run.json": write_run_with("run.json", os.mkfifo),
    "run: FIFO as model.json": write_run_with("model/model.json", os.mkfifo),
    "run: FIFO as weights": write_run_with("model/weights.npz", os.mkfifo),
    "run: a folder as run.json": write_run_with("run.json", os.mkdir),
    "run: a folder as weights": write_run_with("model/weights.npz", os.mkdir),
    "/dev/zero as picture": write_link("a.png", "/dev/zero", *READ),
    "/dev/zero as data": write_link("data.csv", "/dev/zero", *CHECK),
    "/dev/zero as IDX": write_link("train-images-idx3-ubyte", "/dev/zero", *CHECK),
    "a link to itself": write_link("a.png", "a.png", *READ),
    "run: run.json a million lists deep": write_run_with("run.json", lambda p: p.write_bytes(DEEP)),
    "run: model.json a million lists deep": write_run_with(
        "model/model.json", lambda p: p.write_bytes(DEEP)
    ),
    "a line of 200 MB": write_as("data.csv", b"1," * 10**8, *CHECK),
    "escape sequences in a table": write_as(
        "data.csv", parsers.csv().replace(b"\n0,", b"\n\x1b]0;a\x07\x1b[31m,"), *CHECK
    ),
    "gzip in gzip in gzip": write_as(
        "train-images-idx3-ubyte.gz", gzip.compress(bomb(b"", 1 << 30)), *CHECK
    ),
}  # fmt: skip


# The process that runs verbs


def serve(connection: Connection, seed: int, work: Path, has_tensorflow: bool) -> None:
    """Answer each (kind, number) with "begins", when the input is written, and what came of it."""
    warnings.filterwarnings("ignore", "Image size")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.chdir(work)
    if has_tensorflow:  # otherwise it is no part of what is measured
        with tensorflow(verbose=False):
            import_module("firstlight.training.trainer")
    connection.send("ready")
    at_first = megabytes("VmRSS")
    while True:
        kind, number = connection.recv()
        arguments = write_input(kind, number, seed, work, work / "here")
        connection.send("begins")
        left = max(0.0, megabytes("VmRSS") - at_first)
        result = run_verb_here(arguments)
        connection.send(result | {"megabytes": round(megabytes("VmHWM") - left, 1)})


def run_verb_here(arguments: list[str]) -> dict[str, Any]:
    """Run the command line in this process: exit code, seconds, and what was printed."""
    from firstlight import cli

    sys.argv = ["firstlight", *arguments]
    fault, code = "", None
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        began = time.monotonic()
        try:
            code = cli.run()
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        seconds = time.monotonic() - began
        sys.stdout.flush()
        sys.stderr.flush()
        err.seek(0)
        said = err.read().decode(errors="replace")
    if not fault and (code not in EXIT_CODES or "Traceback (most" in said):
        fault = f"exit code {code}"
    return {
        "verb": " ".join(arguments[:2] if arguments[0] == "data" else arguments[:1]),
        "code": code,
        "seconds": round(seconds, 3),
        "fault": fault[:300],
        "said": FOLDERS.sub("…/", said[-600:]),
    }


def megabytes(name: str) -> float:
    """Return the memory of this process: now ("VmRSS"), or at its peak ("VmHWM")."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(name)]
    return int(line.split()[1]) * 1024 / 10**6


class Worker:
    """The process that runs verbs; it is begun again when a verb has ended it."""

    def __init__(self, seed: int, work: Path) -> None:
        self.seed, self.work = seed, work
        self.process: Any = None
        self.has_tensorflow = False

    def run(self, kind: str, number: int | str) -> Outcome:
        self.begin(has_tensorflow=kind == "run" or Path(str(number)).name.startswith("run"))
        self.connection.send((kind, number))
        self.connection.recv()
        if self.connection.poll(MAX_SECONDS):
            try:
                return Outcome(kind=kind, number=number, **self.connection.recv())
            except EOFError:
                self.process.join()
                fault = f"died with exit code {self.process.exitcode}"
        else:
            fault = "hang"
        self.end()
        return Outcome(kind, number, verb="", code=None, seconds=10, megabytes=0, fault=fault)

    def begin(self, has_tensorflow: bool) -> None:
        if self.process and self.has_tensorflow == has_tensorflow:
            return
        self.end()
        self.has_tensorflow = has_tensorflow
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = theirs, self.seed, self.work, has_tensorflow
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()  # it is ready

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.join()
        self.process = None


def fault_of(outcome: Outcome) -> str:
    """Return under which of the four an outcome is counted; "" if it is as it should be."""
    if outcome.fault == "hang":
        return "hangs"
    if outcome.fault:
        return "tracebacks"
    if outcome.megabytes * 10**6 > MAX_MEMORY:
        return "memory"
    own = ("firstlight:", "Usage:", "Try ")
    if any(not line.startswith(own) for line in outcome.said.splitlines()):
        return "strange"
    return ""


# All of it


def main() -> None:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        work = Path(folder)
        writer = multiprocessing.get_context("spawn").Process(target=write_whole_files, args=[work])
        writer.start()
        writer.join()
        worker = Worker(arguments.seed, work)
        outcomes = []
        try:
            for kind, number in inputs(arguments):
                outcomes.append(worker.run(kind, number))
                show(outcomes, work)
        finally:
            worker.end()
    write_results(outcomes, arguments)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=Path, help="a folder of hostile files")
    parser.add_argument("--only", choices=[*SHARES, "by hand", "case"])
    return parser.parse_args()


def inputs(arguments: argparse.Namespace) -> list[tuple[str, int | str]]:
    """Return kind and number of each input: those of a kind together."""
    chosen: list[tuple[str, int | str]] = []
    for kind, share in SHARES.items():
        chosen += [(kind, number) for number in range(arguments.inputs * share // 100)]
    if arguments.cases:
        chosen += [("case", str(path.resolve())) for path in sorted(arguments.cases.iterdir())]
    chosen += [("by hand", name) for name in BY_HAND]
    return [each for each in chosen if arguments.only in (None, each[0])]


def show(outcomes: list[Outcome], work: Path) -> None:
    last = outcomes[-1]
    if (counted := fault_of(last)) or last.kind in ("by hand", "case"):
        said = last.fault or last.said.replace(str(work), "")[-200:].strip()
        where = f"{last.kind} {last.number} ({last.verb})"
        cost = f"code {last.code}, {last.seconds} s, {last.megabytes} MB"
        print(f"{counted or 'as it should be'}: {where}: {cost}: {said!r}", flush=True)
    if len(outcomes) % 200 == 0:
        print(f"{len(outcomes):,} inputs, {last.kind}", flush=True)


def write_results(outcomes: list[Outcome], arguments: argparse.Namespace) -> None:
    counts = Counter(fault_of(outcome) or "as it should be" for outcome in outcomes)
    kinds = {kind: Counter(fault_of(o) or "as it should be" for o in outcomes if o.kind == kind)
             for kind in dict.fromkeys(o.kind for o in outcomes)}  # fmt: skip
    document = {
        "processor": processor(),
        "versions": versions(),
        "seed": arguments.seed,
        "inputs": len(outcomes),
        "counts": dict(counts),
        "codes": dict(sorted(Counter(str(o.code) for o in outcomes).items())),
        "kinds": {kind: dict(found) for kind, found in kinds.items()},
        "slowest_seconds": max(o.seconds for o in outcomes),
        "most_megabytes": max(o.megabytes for o in outcomes),
        "faults": [asdict(outcome) for outcome in outcomes if fault_of(outcome)],
    }
    print(json.dumps({k: v for k, v in document.items() if k != "faults"}, indent=2))
    if not arguments.only:
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (RESULTS / "hostile.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
