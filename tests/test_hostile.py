"""Damaged and hostile files: a value or one line of error, soon, and in bounded memory."""

import asyncio
import base64
import gzip
import io
import json
import os
import signal
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from firstlight import catalog, onnx_model
from firstlight.datasets import _csv, _idx, _npz
from firstlight.errors import DataError, FirstlightError, UsageError
from firstlight.images import pdf
from firstlight.images.files import find_pictures
from firstlight.images.open import MAX_ENLARGED_PIXELS, open_photograph, open_picture
from firstlight.onnx_model import ModelMetadata
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.recipe import Recipe
from firstlight.runs.documents import ModelInfo, RunRecord
from firstlight.runs.files import read_json
from firstlight.runs.run import Run
from firstlight.serve import disk, guard
from firstlight.serve.picture_workers import PictureWorkers
from firstlight.serve.questions import ReadPicture

CORPUS = Path(__file__).parent / "corpus"
FEW = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("9" * 400)
)
ANY_JSON = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def seeds(target: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((CORPUS / target).iterdir())]


def document(name: str) -> Any:
    return json.loads((CORPUS / "settings" / name).read_text())


@st.composite
def damaged(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """Arbitrary bytes, or a valid file of which a part is replaced."""
    content = draw(st.sampled_from([b"", *files]))
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 16)))
    return content[:start] + draw(st.binary(max_size=16)) + content[end:]


@st.composite
def changed(draw: st.DrawFn, valid: Any) -> Any:
    """A document of which a value, at any depth, is another one, or is missing."""
    if not isinstance(valid, dict | list) or not valid or draw(st.integers(0, 4)) == 0:
        return draw(ANY_JSON)
    keys = list(valid) if isinstance(valid, dict) else list(range(len(valid)))
    key = draw(st.sampled_from(keys))
    copy = valid.copy()
    if draw(st.integers(0, 5)) == 0:
        del copy[key]
    else:
        copy[key] = draw(changed(valid[key]))
    return copy


@contextmanager
def one_line() -> Iterator[None]:
    """Whatever is raised here is a DataError or a UsageError of one line."""
    try:
        yield
    except (DataError, UsageError) as error:
        assert len(str(error).splitlines()) == 1


# Parsers


@FEW
@given(damaged(seeds("idx")))
@example(struct.pack(">4B4I", 0, 0, 8, 4, 2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1))
def test_idx_is_parsed_or_refused(content: bytes) -> None:
    with one_line():
        assert _idx.parse(content, Path("file")).nbytes <= len(content)


@FEW
@given(damaged(seeds("npz")))
def test_npz_is_parsed_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.npz"
    file.write_bytes(content)
    with one_line():
        assert not _npz.images_of(file).dtype.hasobject


ROWS = b"label,a,b,c,d\n1,0,1,2,3\n0,255,0,0,9\n"


@FEW
@given(damaged([ROWS, gzip.compress(ROWS)]))
def test_csv_is_parsed_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(content)
    with one_line():
        table = _csv.read(file)
        assert len(table.images) <= len(ROWS) + 16


@FEW
@given(damaged(seeds("pictures")))
def test_pictures_are_opened_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with one_line():
        picture = open_picture(file)
        assert picture.grey.size <= MAX_ENLARGED_PIXELS
    with one_line():
        open_photograph(file, 8)


@FEW
@given(changed(document("run")))
def test_run_json_is_read_or_refused(written: Any) -> None:
    with one_line():
        RunRecord.from_json(written, Path("run.json"))


@FEW
@given(changed(document("model")))
def test_model_json_is_read_or_refused(written: Any) -> None:
    with one_line():
        info = ModelInfo.from_json(written, Path("model.json"))
        assert all(name.isprintable() or name for name in info.classes)


@FEW
@given(changed(document("run")["recipe"]))
def test_a_recipe_is_read_or_refused(written: Any) -> None:
    with suppress(FirstlightError, KeyError, TypeError, ValueError, AttributeError):
        Recipe.from_json(written)  # RunRecord names the file, and turns the others into DataError


LOGGED = {"step": 1, "epoch": 0.1, "split": "train", "loss": 2.3, "accuracy": 0.1, "lr": 0.1}


@FEW
@given(damaged([json.dumps(LOGGED | {"seconds": 1.0}).encode() + b"\n"]))
def test_metrics_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    run = Run(tmp_path)
    run.metrics_file.write_bytes(content)
    with one_line():
        run.metrics()


FORM = {"input": [28, 28, 1], "classes": ["a", "b"], "image_kind": "arrays", "values": [0, 255]}


@FEW
@given(changed(FORM | {"temperature": 1.0, "threshold": 0.5}))
def test_the_metadata_of_a_model_is_read_or_refused(written: Any) -> None:
    try:
        metadata = ModelMetadata.from_json(written)
    except (KeyError, TypeError, ValueError, AttributeError):
        return  # onnx_model says that it is not a model of firstlight
    assert max(metadata.input) <= 1024
    assert not any(set(name) & set("\x1b\n\u202e\u2028") for name in metadata.classes)


# Hostile files


def test_deep_json_is_refused(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"a":' * 100_000):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(DataError):
            read_json(tmp_path / "run.json")


def bomb_of_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(300 << 20))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("train-images-idx3-ubyte.gz", lambda: gzip.compress(bytes(100 << 20), 1) * 3),
        ("rows.csv.gz", lambda: gzip.compress(b"label,a\n" + b"1,0\n" * (70 << 20), 1)),
        ("mnist.npz", bomb_of_zip),
    ],
)
def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, name: str, make: Callable[[], bytes]
) -> None:
    (tmp_path / name).write_bytes(make())
    with pytest.raises(DataError):
        catalog.dataset(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for use in (open_picture, catalog.dataset, lambda path: open_photograph(path, 8)):
        with pytest.raises(DataError, match="a pipe, not a file"):
            use(pipe)
    with pytest.raises(DataError, match="a device, not a file"):
        open_picture(Path("/dev/zero"))
    assert not find_pictures([tmp_path]).files or find_pictures([tmp_path]).files == (pipe,)


def test_a_narrow_picture_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "narrow.png"
    Image.new("L", (100_000, 12)).save(file)
    with pytest.raises(DataError, match="too narrow"):
        open_picture(file)
    Image.new("L", (5000, 12)).save(file)
    assert open_picture(file).grey.size <= MAX_ENLARGED_PIXELS


def test_libtiff_prints_no_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "damaged.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(pixels).save(file, compression="tiff_lzw")
    content = bytearray(file.read_bytes())
    content[100:140] = bytes(40)
    file.write_bytes(content)
    with suppress(DataError):
        open_picture(file)
    assert capfd.readouterr() == ("", "")


# The page


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST:8000", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::1]:8000", "::1"),
        ("[::1].example", ""),
        ("[::1]example:80", ""),
        ("[::1", ""),
        ("::1", ""),
        ("[::1]:", ""),
        ("[::1]:80:80", ""),
        ("[::1]@example", ""),
        ("localhost:80.example", ""),
        ("localhost:80@example", ""),
        ("localhost:", ""),
        ("example@localhost", ""),
        ("localhost/", ""),
        ("localhost\t", ""),
        ("", ""),
    ],
)
def test_a_host_is_taken_only_as_a_whole(header: str, host: str) -> None:
    assert guard.without_port(header) == host


def test_a_full_disk_is_told_before_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.refuse_full(tmp_path / "runs", "softmax")
    usage = type("Usage", (), {"free": 200_000_000})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage)
    disk.refuse_full(tmp_path / "runs", "softmax")
    with pytest.raises(UsageError, match="200 MB are free"):
        disk.refuse_full(tmp_path / "runs", "overfeat")


# Files that are opened in processes of their own


def test_a_pdf_that_takes_long_to_draw_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pypdfium2")
    file = tmp_path / "page.pdf"
    Image.new("L", (40, 40), 255).save(file)
    assert open_picture(file).pages == 1
    monkeypatch.setattr(pdf, "SECONDS_TO_DRAW", 0.01)
    with pytest.raises(DataError, match=r"page\.pdf: page 1 takes more than"):
        open_picture(file)


def test_the_process_of_a_foreign_network_is_replaced_when_it_was_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnx_model, "MAX_SECONDS", 30.0)
    model = onnx_model.OnnxModel(DIGITS_MODEL)  # treated as a stranger's
    image = np.zeros((1, *model.input), np.uint8)
    ours = onnx_model.OnnxModel(DIGITS_MODEL, is_ours=True)
    np.testing.assert_array_equal(model.logits(image), ours.logits(image))
    monkeypatch.setattr(onnx_model, "MAX_SECONDS", -1.0)  # at once
    with pytest.raises(DataError, match="takes more than"):
        model.logits(np.zeros((1000, *model.input), np.uint8)[:1])
    monkeypatch.setattr(onnx_model, "MAX_SECONDS", 30.0)
    np.testing.assert_array_equal(model.logits(image), ours.logits(image))


def test_a_picture_that_takes_long_ends_its_process_and_not_the_page() -> None:
    stream = io.BytesIO()
    Image.new("L", (100, 100), 255).save(stream, "PNG")
    question = ReadPicture(picture=base64.b64encode(stream.getvalue()).decode())

    async def ask() -> None:
        workers = PictureWorkers(DIGITS_MODEL)
        first, _ = workers.all
        first.seconds_to_answer = 60.0
        assert (await workers.ask(question))["text"] == ""
        process = first.process
        assert process
        os.kill(process.pid, signal.SIGSTOP)  # it computes for ever
        first.seconds_to_answer = 0.2
        with pytest.raises(FirstlightError, match="takes too long"):
            await workers.ask(question)
        await process.wait()
        first.seconds_to_answer = 60.0
        assert (await workers.ask(question))["text"] == ""
        assert first.process and first.process.pid != process.pid
        await workers.close()

    asyncio.run(ask())
