"""Each parser of foreign files, as a function of bytes, with small files that are whole.

A parser returns, or raises a FirstlightError. Anything else is a fault, which the fuzzers look for.
"""

import gzip
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from firstlight import catalog
from firstlight.datasets import _npz
from firstlight.errors import FirstlightError
from firstlight.images.open import open_photograph, open_picture
from firstlight.images.values import BYTES
from firstlight.onnx_model import Content, _read_metadata
from firstlight.recipe import Recipe
from firstlight.runs.documents import (
    LoggedStep,
    ModelInfo,
    RunRecord,
    TrainingResult,
    TrainingStatus,
)
from firstlight.runs.run import Run
from firstlight.settings import Settings

CORPUS = Path(__file__).parents[1] / "tests" / "corpus"
IMAGES = (np.arange(12 * 64) * 7 % 256).astype(np.uint8).reshape(12, 8, 8)
LABELS = (np.arange(12) % 2).astype(np.uint8)
PNG = b"\x89PNG\r\n\x1a\n"

Parser = Callable[[bytes], None]


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def npz(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def csv() -> bytes:
    names = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    rows = np.column_stack([LABELS, IMAGES.reshape(len(IMAGES), -1)])
    return "\n".join([names, *(",".join(map(str, row)) for row in rows.tolist()), ""]).encode()


def picture(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """A dark digit on light paper, 64×48 pixels."""
    pixels = np.full((48, 64, 3), 230, np.uint8)
    pixels[8:40, 30:34] = 20
    pixels[8:12, 22:34] = (40, 20, 90)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


def with_checksums(png: bytes) -> bytes:
    """Return a PNG that was changed, with checksums that fit: otherwise nothing is read of it."""
    parts, place = [png[: len(PNG)]], len(PNG)
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        body = png[place + 4 : place + 8 + length]
        parts += [png[place : place + 4], body, zlib.crc32(body).to_bytes(4)]
        place += 12 + length
    return b"".join(parts)


@cache
def documents() -> dict[str, Any]:
    """The JSON documents of a run folder, by the name of their parser."""
    recipe = Recipe(
        batch_size=10,
        learning_rate=0.1,
        steps=20,
        lr_drops=(0.5,),
        augment={"shift": 2.0},
        lr_multipliers={"bias": 2.0},
    )
    settings = Settings(
        network="lenet5", data="mnist", recipe=recipe, seed=0, sha256={"a": "00"}, notices=("b",)
    )
    result = TrainingResult(
        network="lenet5",
        data="mnist",
        steps=20,
        first_cost=2.3,
        final_cost=0.1,
        test_accuracy=0.9,
        seconds=1.5,
        run="runs/a",
    )
    record = RunRecord(
        settings=settings,
        total_steps=20,
        versions={"numpy": "2"},
        machine="",
        status=TrainingStatus(step=20),
        result=result,
    )
    logged = LoggedStep(
        step=1, epoch=0.1, split="train", loss=2.3, accuracy=0.1, lr=0.1, seconds=0.5
    )
    info = ModelInfo("lenet5", ("0", "1"), "digits", BYTES)
    return {
        "settings": record.to_json(),
        "model": info.to_json(),
        "metrics": logged.to_json(),
        "recipe": recipe.to_json(),
        "metadata": {
            "input": [28, 28, 1],
            "classes": ["0", "1"],
            "image_kind": "digits",
            "values": [0, 255],
            "temperature": 1.5,
            "threshold": 0.5,
        },
    }


@cache
def folder() -> Path:
    """A folder of this process, in memory where there is one."""
    shared = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="firstlight-", dir=shared if shared.is_dir() else None))


def remove_folder() -> None:
    shutil.rmtree(folder(), ignore_errors=True)


def write(name: str, content: bytes) -> Path:
    path = folder() / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content)
    return path


def load(path: Path) -> None:
    """Read all splits of a dataset, as a training does."""
    dataset = catalog.dataset(path)
    for split in dataset.splits:
        dataset.load(split).images[:1]
    dataset.fingerprint()


def parse_idx(content: bytes) -> None:
    """The content is that of the images, and then that of the labels."""
    for images, labels in ((content, idx(LABELS)), (idx(IMAGES), content)):
        write("idx/train-labels-idx1-ubyte", labels)
        with suppress(FirstlightError):
            load(write("idx/train-images-idx3-ubyte", images).parent)


def parse_npz(content: bytes) -> None:
    path = write("npz/data.npz", content)
    with suppress(FirstlightError):
        load(path)
    _npz.images_of(path)


def parse_csv(content: bytes) -> None:
    load(write("csv/data.csv", content))


def parse_settings(content: bytes) -> None:
    run = Run.open(write("run/run.json", content).parent)
    run.record()
    run.resume_command()


def parse_model(content: bytes) -> None:
    write("model/model/model.json", content)
    Run(folder() / "model").model_info()


def parse_metrics(content: bytes) -> None:
    """One line of metrics.jsonl is the document; the content may hold any number of them."""
    write("metrics/metrics.jsonl", content + b"\n")
    Run(folder() / "metrics").metrics()


def parse_recipe(content: bytes) -> None:
    with suppress(ValueError, RecursionError):  # what is no JSON never becomes a recipe
        Recipe.from_json(json.loads(content))


def parse_metadata(content: bytes) -> None:
    """The content is the property `firstlight` of an ONNX file that fits it."""
    text = content.decode("utf-8", "replace")
    inputs = {"image": ("tensor(uint8)", ["n", 28, 28, 1])}
    outputs = {"logits": ("tensor(float)", ["n", 2])}
    _read_metadata(Content(inputs, outputs, text), Path("model.onnx"))


def parse_picture(content: bytes) -> None:
    """Opened for the reader, and as a photograph that is trained on."""
    path = write("picture", content)
    with suppress(FirstlightError):
        open_picture(path)
    open_photograph(path, shortest=32)


PARSERS: dict[str, Parser] = {
    "idx": parse_idx,
    "npz": parse_npz,
    "csv": parse_csv,
    "settings": parse_settings,
    "model": parse_model,
    "metrics": parse_metrics,
    "recipe": parse_recipe,
    "metadata": parse_metadata,
    "pictures": parse_picture,
}


def whole(content: bytes) -> bytes:
    return content


@dataclass(frozen=True)
class Sample:
    """A small whole file.

    `inner` is what is damaged; `pack` makes a file of it whose checksums fit.
    """

    name: str
    inner: bytes
    pack: Callable[[bytes], bytes] = whole

    @property
    def content(self) -> bytes:
        return self.pack(self.inner)


@cache
def samples() -> dict[str, tuple[Sample, ...]]:
    """Small whole files, by the name of their parser."""
    arrays = {"images.npy": npy(IMAGES), "labels.npy": npy(LABELS)}
    names = npy(np.array(["cat", "dog"])[LABELS])
    found = {
        "idx": (
            Sample("train-images-idx3-ubyte", idx(IMAGES)),
            Sample("train-labels-idx1-ubyte", idx(LABELS)),
            Sample("train-images-idx3-ubyte.gz", idx(IMAGES), gzip.compress),
            Sample("train-images-idx3-ubyte.gz", gzip.compress(idx(IMAGES))),
        ),
        "npz": (
            Sample("data.npz", npz(arrays)),
            Sample("data.npz", arrays["images.npy"], lambda c: npz(arrays | {"images.npy": c})),
            Sample("data.npz", arrays["labels.npy"], lambda c: npz(arrays | {"labels.npy": c})),
            Sample("data.npz", names, lambda c: npz(arrays | {"labels.npy": c})),
            Sample("images.npy", npy(IMAGES)),
        ),
        "csv": (Sample("data.csv", csv()), Sample("data.csv.gz", csv(), gzip.compress)),
        "pictures": pictures(),
    }
    texts = {name: json.dumps(document).encode() for name, document in documents().items()}
    return found | {name: (Sample(f"{name}.json", text),) for name, text in texts.items()}


def pictures() -> tuple[Sample, ...]:
    return (
        Sample("a.png", picture("PNG"), with_checksums),
        Sample("grey.png", picture("PNG", "LA"), with_checksums),
        Sample("palette.png", picture("PNG", "P"), with_checksums),
        Sample("a.jpg", picture("JPEG")),
        Sample("progressive.jpg", picture("JPEG", progressive=True)),
        Sample("a.webp", picture("WEBP")),
        Sample("lossless.webp", picture("WEBP", lossless=True)),
        Sample("a.bmp", picture("BMP")),
        Sample("a.gif", picture("GIF")),
        Sample("a.tif", picture("TIFF")),
        Sample("lzw.tif", picture("TIFF", compression="tiff_lzw")),
        Sample("fax.tif", picture("TIFF", "1", compression="group4")),
        Sample("jpeg.tif", picture("TIFF", compression="jpeg")),
        Sample("a.avif", picture("AVIF")),
        Sample("a.heic", (CORPUS / "picture.heic").read_bytes()),
    )
