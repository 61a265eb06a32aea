"""The report: one file that holds everything, and escapes what is foreign."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer, Make
from PIL import Image

import firstlight as fl
from firstlight.errors import UsageError

Firstlight = Callable[..., Answer]

EVIL = '<script>alert("1")</script>'


class Elements(HTMLParser):
    """Collects the tags of a document, and the addresses that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href")]


def test_a_report_of_two_runs_compares_them(trained: Make, firstlight: Firstlight) -> None:
    runs = trained("convnet"), trained("softmax")
    answer = firstlight("report", *runs, "--out", "both.html", "-q")
    assert answer.code == 0 and "both.html: " in answer.out
    text = Path("both.html").read_text("utf-8")
    for expected in (
        "95 % confidence interval", "Learning curves", "Confusion matrix", "Reliability diagram",
        "The surest mistakes", "Precision and recall by class", "SHA-256 of the data", "command",
        "The best run and the others", "the probability of a difference this large by chance",
    ):  # fmt: skip
        assert expected in text
    for run in runs:
        accuracy = fl.load(run).result.test_accuracy
        assert f"{accuracy:.2%}" in text
    elements = Elements(text)
    assert elements.addresses and all(each.startswith("data:") for each in elements.addresses)
    assert not {"script", "link", "iframe"} & set(elements.tags)
    assert "http" not in re.sub(r"data:image/png;base64,[\w+/=]*|http-equiv", "", text)


def test_names_of_classes_and_files_are_escaped(here: Path) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        for name in ("a&b", EVIL.replace("/", "∕")):
            folder = here / "d" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                image = random.integers(0, 256, (40, 40, 3), np.uint8)
                Image.fromarray(image).save(folder / f"<b>{i}.png")
    run = fl.train("softmax", data=here / "d", epochs=1, quiet=True)
    text = run.report(quiet=True).path.read_text("utf-8")
    assert "a&amp;b" in text and "&lt;script&gt;" in text and "&lt;b&gt;" in text
    assert not {"script", "b>0"} & set(Elements(text).tags) and "<script" not in text
    html = run.evaluate(quiet=True)._repr_html_()
    assert "&lt;script&gt;" in html and "<script" not in html


def test_its_size_is_bounded(here: Path) -> None:
    """A thousand classes, all answers wrong: the file holds the worst of them."""
    classes = [f"class number {i} of a thousand" for i in range(1000)]
    images = np.random.default_rng(0).integers(0, 256, (2000, 28, 28), np.uint8)
    data = fl.Dataset.from_arrays(images, np.arange(2000) % 1000, classes=classes)
    run = fl.train("softmax", data=data, steps=1, quiet=True)
    written = run.report(data=data, split="train", quiet=True)
    assert written.bytes == written.path.stat().st_size < 2_000_000
    text = written.path.read_text("utf-8")
    assert "50 classes of 1,000 with the lowest recall" in text
    assert re.search(r"24\s+of 1,\d\d\d\.", text)


def test_runs_on_different_data_are_not_compared(trained: Make, here: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    data = fl.Dataset.from_arrays(images, np.arange(40) % 2)
    other = fl.train("softmax", data=data, steps=1, quiet=True)
    written = fl.report([trained("softmax"), other], out="r.html", quiet=True)
    assert "not measured on the same images" in written.path.read_text("utf-8")


def test_a_report_is_about_some_runs_but_not_too_many(trained: Make) -> None:
    with pytest.raises(UsageError, match="13 runs; a report is about 1 to 12"):
        fl.report([trained("softmax")] * 13)
    with pytest.raises(UsageError, match="it must be a run or its folder, or a list of them"):
        fl.report([])
