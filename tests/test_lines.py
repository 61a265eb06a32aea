"""Strips and pages that are composed, and how the line reader's outputs become digits."""

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstlight.datasets import mnist
from firstlight.lines import compose, glyphs, pages
from firstlight.reading import alignment
from firstlight.reading.line_reader import line_reader
from firstlight.reading.strip import STRIP_HEIGHT, Strip


@pytest.fixture(scope="module")
def written() -> glyphs.Glyphs:
    """A few digits that no network was trained on, and the letters."""
    examples = mnist.load("val").first(500)
    images = np.concatenate([examples.images[:].reshape(-1, 28, 28), glyphs.letters()])
    fields = glyphs.fields(images)
    letters = np.full(len(images) - len(examples), glyphs.LETTER_LABEL)
    labels = np.concatenate([examples.labels, letters]).astype(np.int64)
    return glyphs.Glyphs(fields, glyphs.ink_boxes(fields[0]), labels)


def outputs_for(steps: list[int]) -> np.ndarray:
    """Outputs of a network that is sure of one class in each step."""
    return np.where(np.eye(11)[steps] > 0, 10.0, 0.0).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_strips_are_new_for_each_seed_and_the_same_for_the_same(
    written: glyphs.Glyphs, seed: int
) -> None:
    first, again, other = (
        compose.compose(written, 16, np.random.default_rng(number))
        for number in (seed, seed, seed + 100)
    )
    assert first.pixels.shape == (16, STRIP_HEIGHT, first.pixels.shape[2], 1)
    assert np.array_equal(first.pixels, again.pixels) and np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)


def test_labels_are_digits_and_then_nothing(written: glyphs.Glyphs) -> None:
    labels = np.concatenate(
        [compose.compose(written, 64, np.random.default_rng(seed)).labels for seed in range(4)]
    )
    assert labels.min() == -1 and labels.max() == 9
    ended = np.maximum.accumulate(labels < 0, axis=1)
    assert (labels[ended] == -1).all()
    assert 0.05 < (labels[:, 0] < 0).mean() < 0.35  # strips without digits


def test_a_page_says_where_its_lines_are_and_how_high(written: glyphs.Glyphs) -> None:
    made = [pages.compose(written, 2, np.random.default_rng(seed)) for seed in range(4)]
    for page in made:
        rows, columns = page.pixels.shape[1:3]
        assert page.lines.shape == (2, rows // pages.CELL, columns // pages.CELL, 3)
    is_line = np.concatenate([page.lines[..., 0].ravel() for page in made])
    heights = np.concatenate([page.lines[..., 1].ravel() for page in made])
    assert set(np.unique(is_line)) == {0, 1}
    least = pages.MIN_HEIGHT / max(pages.DISTANCES)
    assert (heights[is_line > 0] >= np.log2(least) - 0.01).all()
    assert (heights[is_line == 0] == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_turned_page_has_the_heights_that_its_lines_have_then(seed: int) -> None:
    page = np.zeros((400, 400), np.float32)
    page[180:220, 150:250] = 1
    turn, scale = pages.turning(page.shape, np.random.default_rng(seed))
    turned = pages.turned(page, turn, Image.Resampling.BILINEAR)
    assert (turned.sum() / page.sum()) ** 0.5 == pytest.approx(scale, rel=0.05)


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([10, 10, 10], []),
        ([10, 4, 4, 10], [4]),
        ([1, 10, 1], [1, 1]),  # a blank separates two digits that are alike
        ([1, 1, 1], [1]),
        ([7, 3, 3, 10, 3], [7, 3, 3]),
    ],
)
def test_repeated_outputs_are_one_digit_unless_a_blank_is_between(
    steps: list[int], text: list[int]
) -> None:
    digits = alignment.align([outputs_for(steps)])
    assert [int(digit.probabilities.argmax()) for digit in digits] == text
    assert all(digit.probabilities.sum() == pytest.approx(1) for digit in digits)
    assert all(steps[round(digit.step)] in text for digit in digits)


def test_a_texts_probability_is_the_sum_over_its_alignments() -> None:
    random = np.random.default_rng(0)
    outputs = alignment.log_softmax(random.normal(0, 1, (4, 11)))
    texts = {(1,): 0.0, (1, 1): 0.0, (1, 2): 0.0, (2, 1, 2): 0.0}
    for path in itertools.product((1, 2, alignment.BLANK), repeat=4):
        text = tuple(key for key, _ in itertools.groupby(path) if key != alignment.BLANK)
        if text in texts:
            texts[text] += float(np.exp(outputs[range(4), path].sum()))
    for text, probability in texts.items():
        (logarithm,) = alignment.log_probability(outputs, np.array([text]))
        assert np.exp(logarithm) == pytest.approx(probability)


def test_an_unsure_digit_has_its_alternatives() -> None:
    outputs = outputs_for([10, 4, 10, 8, 10])
    outputs[1, 9] = outputs[1, 4] - 0.5
    first, second = alignment.align([outputs])
    assert list(np.argsort(-first.probabilities)[:2]) == [4, 9]
    assert 0.5 < first.probabilities[4] < 0.7 < second.probabilities[8]


def test_the_bundled_network_reads_composed_strips(written: glyphs.Glyphs) -> None:
    strips = compose.compose(written, 64, np.random.default_rng(1))
    right = 0
    for pixels, labels in zip(strips.pixels, strips.labels, strict=True):
        digits = alignment.align([line_reader().logits(Strip(pixels[..., 0]))])
        read = [int(digit.probabilities.argmax()) for digit in digits]
        right += read == labels[labels >= 0].tolist()
    assert right > 0.6 * len(strips.labels)  # some are illegible for a person too


def test_glyphs_are_made_again_if_their_file_has_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = mnist.load("val").first(20)
    monkeypatch.setattr(mnist, "load", lambda split: few)
    made = glyphs.load("val", tmp_path / "new.npy")
    np.save(tmp_path / "old.npy", made.fields[:, :-1])
    again = glyphs.load("val", tmp_path / "old.npy")
    assert np.array_equal(made.fields, again.fields)
    assert len(again.boxes) == len(again.labels) == again.fields.shape[1]


# Run as a program; the composing process imports it too.
TAKES_ONE_BATCH = """
import sys, time
from pathlib import Path
import numpy as np
from firstlight.errors import FirstlightError
from firstlight.lines import batches, glyphs

glyphs.load = lambda split, cache: None

def large_batch(written, random):  # more than fits into the pipe between two processes
    return np.zeros((64, 32, 400, 1)), np.zeros((64, 12))

def no_batch(written, random):
    raise MemoryError

if __name__ == "__main__":
    compose, out = {"large": large_batch, "none": no_batch}[sys.argv[1]], Path(sys.argv[2])
    try:
        next(batches.composed(compose, out, 0, 0))
    except FirstlightError as error:
        print(error)
    print("took a batch", flush=True)
    time.sleep(60)
"""


def start_parent(compose_batch: str, folder: Path) -> subprocess.Popen[str]:
    program = folder / "parent.py"
    program.write_text(TAKES_ONE_BATCH)
    command = [sys.executable, str(program), compose_batch, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGTERM])
def test_the_composing_process_ends_with_its_parent(
    signal_: signal.Signals, tmp_path: Path
) -> None:
    with start_parent("large", tmp_path) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "took a batch\n"
        of_parent = ["ps", "-o", "pid=", "--ppid", str(parent.pid)]
        children = [int(line) for line in subprocess.check_output(of_parent).split()]
        assert children and all(map(is_running, children))
        parent.send_signal(signal_)
    ended_by = time.monotonic() + 10
    while any(map(is_running, children)) and time.monotonic() < ended_by:
        time.sleep(0.1)
    assert not any(map(is_running, children))


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


def test_a_training_says_that_the_composing_process_ended(tmp_path: Path) -> None:
    with start_parent("none", tmp_path) as parent:
        assert parent.stdout is not None
        assert "the process that composes batches" in parent.stdout.readline()
        parent.kill()


@pytest.mark.large
@pytest.mark.parametrize("task", ["reader", "finder"])
def test_a_training_continues_from_its_checkpoint(task: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "firstlight.training.lines", task, "--out", str(out)]
    for steps in (2, 3):
        subprocess.run([*command, "--steps", str(steps)], check=True)
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [2, 3]
    assert all(np.isfinite(line["loss"]) for line in log)
