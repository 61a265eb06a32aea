"""Damaged and hostile files: a value or one line of error, soon, and in bounded memory."""

import asyncio
import base64
import gzip
import io
import os
import signal
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstlight import catalog, onnx_model
from firstlight.errors import DataError, FirstlightError, UsageError
from firstlight.images import pdf
from firstlight.images.files import find_pictures
from firstlight.images.open import MAX_ENLARGED_PIXELS, open_photograph, open_picture
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.runs.files import read_json
from firstlight.serve import disk, guard
from firstlight.serve.picture_workers import PictureWorkers
from firstlight.serve.questions import ReadPicture


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
    monkeypatch.setattr(onnx_model, "MAX_SECONDS", 0.0)
    monkeypatch.setattr(onnx_model, "MAX_SECONDS_PER_IMAGE", 0.0)
    with pytest.raises(DataError, match="takes more than"):
        model.logits(np.zeros((1000, *model.input), np.uint8))  # it cannot answer at once
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
