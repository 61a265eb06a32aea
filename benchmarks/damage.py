"""Is damage in a run folder told? Each file of three runs is damaged in many ways, and read.

One run is finished and evaluated, one was interrupted, one has learned pictures. An outcome is
right if the verb answers as it does without the damage, or if it says in one line which file is
damaged, with exit code 4. A traceback, another exit code, more lines, and another answer are wrong.
The result goes to results/damage.json.

    python benchmarks/damage.py
"""

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from report import RESULTS

from firstlight import cli
from firstlight.datasets import mnist
from firstlight.errors import FirstlightError, Interrupted
from firstlight.figures import training
from firstlight.progress import Progress
from firstlight.runs import checkpoint
from firstlight.runs.files import CHECKSUM, write_json
from firstlight.runs.run import Run, versions
from firstlight.serve import run_views
from firstlight.settings import prepare
from firstlight.training import loop, trainer
from firstlight.training.state import TrainState

SECONDS_FOR_A_VERB = 20.0
FLIPS = 12  # damaged bytes of each file, one at a time
FIRST_LINE = {  # of metrics.jsonl: what is replaced, and by what
    "a number changed": ('"loss": ', '"loss": 1'),
    "a number missing": ('"loss"', '"los"'),
    "not a number": ('"loss": ', '"loss": NaN, "a": '),
    "a text for a number": ('"step": 1', '"step": "1"'),
}
OLD = "without a checksum"  # how the names of damages of such documents begin
WRONG_VALUES = (None, "x", -1, 1e400, float("nan"), 10**30, True, [], {}, [1], {"a": 1})


@dataclass(frozen=True)
class Damage:
    """A way to damage a file."""

    name: str
    apply: Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """What a verb has answered."""

    code: int
    out: str
    error: str


# Damages of any file ------------------------------------------------------------------------------


def any_file(size: int, chance: random.Random) -> Iterator[Damage]:
    """Yield damages that know nothing of a file's form."""
    for share in (0.0, 0.3, 0.7, 0.95):
        yield Damage(f"cut to {share:.0%}", lambda path, s=share: cut(path, s))
    yield Damage("last byte missing", lambda path: path.write_bytes(path.read_bytes()[:-1]))
    for _ in range(FLIPS):
        place, bits = chance.randrange(size), chance.randrange(1, 256)
        yield Damage(f"byte {place} ^ {bits}", lambda path, p=place, b=bits: flip(path, p, b))
    yield Damage("not UTF-8", lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()))
    yield Damage("text after it", lambda path: path.write_bytes(path.read_bytes() + b"more\n"))
    yield Damage("zeros", lambda path: path.write_bytes(bytes(len(path.read_bytes()))))
    yield Damage("a folder", lambda path: (path.unlink(), path.mkdir(), None)[-1])
    yield Damage("a pipe", lambda path: (path.unlink(), os.mkfifo(path), None)[-1])


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def flip(path: Path, place: int, bits: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= bits
    path.write_bytes(content)


# Damages of JSON documents ------------------------------------------------------------------------


def documents(document: Any, chance: random.Random) -> Iterator[Damage]:
    """Yield damages of a JSON document: other values, names, nesting."""
    for place in places(document):
        for value in chance.sample(WRONG_VALUES, 3):
            yield changed(f"{place} = {value!r}", lambda d, p=place, v=value: put(d, p, v))
            yield changed(
                f"{OLD}, {place} = {value!r}",
                lambda d, p=place, v=value: without_checksum(put(d, p, v)),
            )
        if isinstance(place[-1], str):
            yield changed(f"no {place}", lambda d, p=place: remove(d, p))
    yield changed("one more name", lambda d: d | {"more": 1})
    yield changed("in a list", lambda d: [d])
    yield changed("in an object", lambda d: {"run": d})
    yield Damage("nested deeply", lambda path: path.write_text("[" * 100_000))
    yield Damage("a long number", lambda path: path.write_text('{"format": ' + "1" * 5000 + "}"))


def places(document: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each value; of a list, to its first."""
    items = document.items() if isinstance(document, dict) else enumerate(document[:1])
    for name, value in list(items):
        yield (*prefix, name)
        if isinstance(value, dict | list):
            yield from places(value, (*prefix, name))


def changed(name: str, change: Callable[[Any], Any]) -> Damage:
    def apply(path: Path) -> None:
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return Damage(name, apply)


def put(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    parent(document, place)[place[-1]] = value
    return document


def without_checksum(document: Any) -> Any:
    """Return the document as an older version would have written it."""
    return {name: value for name, value in document.items() if name != CHECKSUM}


def remove(document: Any, place: tuple[Any, ...]) -> Any:
    del parent(document, place)[place[-1]]
    return document


def parent(document: Any, place: tuple[Any, ...]) -> Any:
    for name in place[:-1]:
        document = document[name]
    return document


# Damages of metrics.jsonl -------------------------------------------------------------------------


def metrics() -> Iterator[Damage]:
    """Yield damages of the lines: missing, twice, exchanged, with other values."""

    def lines(name: str, change: Callable[[list[str]], list[str]]) -> Damage:
        def apply(path: Path) -> None:
            path.write_text("\n".join(change(path.read_text().split("\n"))))

        return Damage(name, apply)

    yield lines("a line missing", lambda each: each[:1] + each[2:])
    yield lines("the last lines missing", lambda each: [*each[:2], ""])
    yield lines("a line twice", lambda each: [each[0], *each])
    yield lines("two lines exchanged", lambda each: [each[1], each[0], *each[2:]])
    for name, (old, new) in FIRST_LINE.items():
        yield lines(name, lambda each, o=old, n=new: [each[0].replace(o, n), *each[1:]])
    yield lines("a list", lambda each: [f"[{each[0]}]", *each[1:]])
    yield lines("an empty line", lambda each: ["", *each])


# Damages of .npz files ----------------------------------------------------------------------------


def arrays(key: str) -> Iterator[Damage]:
    """Yield damages of the arrays; `key` names one of them."""

    def written(name: str, change: Callable[[Any], Any], save: Any = np.savez) -> Damage:
        def apply(path: Path) -> None:
            with np.load(path) as stored:
                content = change(dict(stored))
            with path.open("wb") as file:
                save(file, **content)

        return Damage(name, apply)

    yield written("float64", lambda a: a | {key: a[key].astype(np.float64)})
    yield written("turned", lambda a: a | {key: a[key].T})
    yield written("flat", lambda a: a | {key: a[key].ravel()})
    yield written("NaN", lambda a: a | {key: a[key] * np.float32("nan")})
    yield written(
        "one weight changed", lambda a: a | {key: a[key] + np.eye(*a[key].shape, dtype=np.float32)}
    )
    yield written("array missing", lambda a: {name: b for name, b in a.items() if name != key})
    yield written("array more", lambda a: a | {"more": np.zeros(3)})
    yield written("no document", lambda a: {n: b for n, b in a.items() if n != "status.json"})
    yield written("a text for the document", lambda a: a | {"status.json": np.array("x")})
    yield written(
        "a list for the document", lambda a: a | {"status.json": np.frombuffer(b"[]", np.uint8)}
    )
    yield written("objects", lambda a: a | {key: np.array([{}, None], object)})
    yield written("compressed", lambda a: a, save=np.savez_compressed)
    yield Damage("an array alone", lambda path: path.write_bytes(npy(np.zeros(3))))


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


# Verbs --------------------------------------------------------------------------------------------


def command(*arguments: str) -> Outcome:
    """Run the command line in this process."""
    out, error = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    sys.argv = ["firstlight", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            code = cli.run()
        except Exception:
            traceback.print_exc()
            code = 99
        out.flush(), error.flush()
    texts = [stream.buffer.getvalue().decode() for stream in (out, error)]  # type: ignore[attr-defined]
    return Outcome(code, *texts)


def called(function: Callable[[Run], Any], folder: Path) -> Outcome:
    """Call a function that reads a run, as the page does."""
    try:
        return Outcome(0, repr(function(Run.open(folder))), "")
    except FirstlightError as error:
        return Outcome(error.exit_code, "", f"{error}\n")
    except Exception:
        return Outcome(99, "", traceback.format_exc())


def resume(folder: Path) -> Outcome:
    """Resume a run; the answer is the weights that it keeps."""
    answer = command("train", "--resume", str(folder), "--quiet")
    if answer.code:
        return answer
    weights = checkpoint.load(Run(folder).weights)[0]
    return Outcome(0, str({name: hash(array.tobytes()) for name, array in weights.items()}), "")


VERBS: dict[str, Callable[[Path], Outcome]] = {
    "evaluate": lambda folder: command("evaluate", str(folder), "--json", "--quiet"),
    "resume": resume,
    "report": lambda folder: command("report", str(folder), "--quiet", "--out", f"{folder}.html"),
    "predict": lambda folder: called(
        lambda run: run.predict(np.zeros((1, 28, 28), np.uint8)), folder
    ),
    "history": lambda folder: called(lambda run: run.history["loss"], folder),
    "summary": lambda folder: called(page_summary, folder),
    "page metrics": lambda folder: called(
        lambda run: run_views.metrics_from(run, 0)["lines"], folder
    ),
    "page weights": lambda folder: called(
        lambda run: run_views.first_weights(run)["pixels"], folder
    ),
    "page evaluation": lambda folder: called(run_views.evaluation_summary, folder),
    "page mistakes": lambda folder: called(
        lambda run: run_views.mistakes_page(run, None, None, 0), folder
    ),
}
READ_BY = {
    "run.json": ("evaluate", "resume", "report", "summary"),
    "model.json": ("evaluate", "predict", "page evaluation"),
    "metrics.jsonl": ("resume", "report", "history", "page metrics"),
    "last.npz": ("resume", "page weights"),
    "best.npz": ("resume",),
    "weights.npz": ("evaluate", "page weights"),
    "pictures.json": ("evaluate", "resume"),
    "evaluation.json": ("page evaluation", "page mistakes", "report", "summary"),
}


def page_summary(run: Run) -> str:
    """Return the row of the page's table. A damaged run is shown as damaged."""
    row = run_views.run_summary(run.folder, "run", None)
    if row["state"] == "damaged":
        run.record()
        run.metrics()
        run_views.read_evaluation(run)
    return str({name: value for name, value in row.items() if name != "folder"})


# The measurement ----------------------------------------------------------------------------------


def make_runs(root: Path, data: str) -> list[Path]:
    """Return a run that is finished and evaluated, an interrupted one, and one of pictures."""
    plan = prepare("softmax", data, limit=100, epochs=3, batch_size=50)
    finished = trainer.train(plan, root / "finished", quiet=True)
    finished.evaluate(quiet=True)
    state = TrainState(plan)
    state.into(Run.create(plan, state.total_steps, root / "interrupted"))
    state.save()
    with Progress(state.total_steps, quiet=True) as progress, contextlib.suppress(Interrupted):
        answers = iter([False, True])
        write_json(state.run.unfinished_model_file, finished.model_info().to_json())
        loop.run_training(state, progress, stop_requested=lambda: next(answers))
    shop = prepare("softmax", str(write_pictures(root / "shop")), epochs=3)
    pictures = trainer.train(shop, root / "pictures", quiet=True)
    return [root / "finished", root / "interrupted", pictures.folder]


def write_pictures(folder: Path) -> Path:
    """Write a folder with pictures of two classes; return it."""
    examples = mnist.load("test").first(60)
    for number, label in enumerate(examples.labels):
        if label in (0, 1):
            file = folder / f"digit{label}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(examples.images[number : number + 1][0, ..., 0]).save(file)
    return folder


def damages(path: Path, chance: random.Random) -> Iterator[Damage]:
    """Yield all damages of a file."""
    yield from any_file(path.stat().st_size, chance)
    if path.suffix == ".json":
        yield from documents(json.loads(path.read_text()), chance)
    if path.name == "metrics.jsonl":
        yield from metrics()
    if path.suffix == ".npz":
        with np.load(path) as stored:
            yield from arrays(next(name for name in stored if name.endswith("kernel")))


def fault(name: str, expected: Outcome, got: Outcome, *, seconds: float, is_old: bool) -> str:
    """Return what is wrong about an outcome, or "".

    Args:
        is_old: whether the file has no checksum: then other values may give another answer, or
            another error.
    """
    if got.code == 99 or "Traceback" in got.error:
        return f"traceback: {got.error.strip().splitlines()[-1]}"
    if seconds > SECONDS_FOR_A_VERB:
        return f"took {seconds:.0f} s"
    if got.code == 0 or (is_old and got.code == 2):
        return "" if got.out == expected.out or is_old else "another answer, silently"
    if got.code != 4 and got.code != expected.code:
        return f"exit code {got.code}: {got.error.strip()}"
    lines = got.error.strip().splitlines()
    if len(lines) != 1:
        return f"{len(lines)} lines: {lines[-2:]}"
    if is_old:
        return ""
    return "" if got.error == expected.error or name in got.error else f"no file named: {lines[0]}"


def measure(
    folder: Path,
    chance: random.Random,
    share: float = 1.0,
    verbs: Collection[str] = tuple(VERBS),
) -> Iterator[tuple[str, str]]:
    """Yield (what was damaged and read, what is wrong about the outcome or "").

    Args:
        share: of all damages, the part that is tried.
    """
    for file in sorted(path for path in folder.rglob("*") if path.name in READ_BY):
        place = file.relative_to(folder)
        readers = [verb for verb in READ_BY[file.name] if verb in verbs]
        expected = {verb: read_copy(folder, VERBS[verb]) for verb in readers}
        for damage in damages(file, chance):
            for verb in readers:
                if chance.random() > share:
                    continue
                began = time.monotonic()
                got = read_copy(folder, VERBS[verb], place, damage)
                seconds = time.monotonic() - began
                what = f"{folder.name}/{file.name}: {damage.name}: {verb}"
                is_old = damage.name.startswith(OLD)
                yield (
                    what,
                    fault(file.name, expected[verb], got, seconds=seconds, is_old=is_old),
                )


def read_copy(
    folder: Path,
    verb: Callable[[Path], Outcome],
    place: Path | None = None,
    damage: Damage | None = None,
) -> Outcome:
    """Read a copy of a run in which one file is damaged."""
    copy = folder.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    if place and damage:
        damage.apply(copy / place)
    return verb(copy)


def write_data(path: Path) -> Path:
    """Write a small part of MNIST as one file; return its path."""
    train, test = mnist.load("train").first(240), mnist.load("test").first(60)
    np.savez(
        path,
        x_train=train.images[:, ..., 0],
        y_train=train.labels,
        x_test=test.images[:, ..., 0],
        y_test=test.labels,
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    training.draw_training = lambda *_: None  # pictures take most of a verb's time
    chance, tried, faults = random.Random(arguments.seed), Counter[str](), []
    with tempfile.TemporaryDirectory() as root:
        data = write_data(Path(root) / "digits.npz")
        for folder in make_runs(Path(root), str(data)):
            for what, wrong in measure(folder, chance, arguments.share):
                tried[what.split(":")[0]] += 1
                if wrong:
                    faults.append(f"{what}: {wrong}")
                    print(faults[-1], file=sys.stderr, flush=True)
    record = {
        "command": f"python benchmarks/damage.py --share {arguments.share} --seed {arguments.seed}",
        "tried": sum(tried.values()),
        "wrong": len(faults),
        "by_file": dict(tried),
        "faults": faults,
        "versions": versions(),
    }
    (RESULTS / "damage.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
