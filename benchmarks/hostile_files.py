"""Small valid files of each kind, and hostile ones, for hostile.py."""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

CORPUS = Path(__file__).parent.parent / "tests" / "corpus"
GIGABYTE = 2**30
FORM = {"input": [28, 28, 1], "classes": ["a", "b", "c"], "image_kind": "arrays"}

Beside = dict[str, bytes]


def valid_files() -> list[tuple[str, str, bytes, Beside]]:
    """Return kind, name, content, and the files beside it."""
    files: list[tuple[str, str, bytes, Beside]] = []
    for file in sorted((CORPUS / "pictures").iterdir()):
        files.append(
            ("picture", f"{file.name}.{file.name.partition('-')[0]}", file.read_bytes(), {})
        )
    images, labels = idx(3, (10, 28, 28)), idx(1, (10,))
    names = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    files += [
        ("picture", "page.pdf", pdf(), {}),
        ("arrays", names[0], images, {names[1]: labels}),
        ("arrays", names[1], labels, {names[0]: images}),
        ("arrays", f"{names[0]}.gz", gzip.compress(images), {names[1]: labels}),
        ("arrays", "train.csv", csv(), {}),
        ("arrays", "train.csv.gz", gzip.compress(csv()), {}),
        ("arrays", "mnist.npz", npz(np.savez), {}),
        ("arrays", "mnist.npz", npz(np.savez_compressed), {}),
        ("arrays", "data.parquet", parquet(), {}),
        ("model", "model.onnx", model(), {}),
    ]
    record = {
        "run.json": CORPUS / "settings" / "run",
        "model/model.json": CORPUS / "settings" / "model",
    }
    run = {name: file.read_bytes() for name, file in record.items()} | {"metrics.jsonl": metrics()}
    files += [("run", name, content, run) for name, content in run.items()]
    return files * 2 + [each for each in files if each[0] != "model"] * 3  # models are slow


def idx(dimensions: int, shape: tuple[int, ...]) -> bytes:
    values = np.arange(np.prod(shape)) % (10 if dimensions == 1 else 256)
    return (
        struct.pack(f">4B{dimensions}I", 0, 0, 8, dimensions, *shape)
        + values.astype("u1").tobytes()
    )


def csv() -> bytes:
    rows = [",".join(map(str, [row % 3, *range(64)])) for row in range(12)]
    return "\n".join(["label," + ",".join(f"pixel{i}" for i in range(64)), *rows]).encode()


def npz(save: Any) -> bytes:
    stream = io.BytesIO()
    x, y = np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8), np.arange(6) % 3
    save(stream, x_train=x, y_train=y, x_test=x, y_test=y)
    return stream.getvalue()


def parquet() -> bytes:
    import pyarrow
    from pyarrow import parquet as pq

    picture = (CORPUS / "pictures" / "png").read_bytes()
    table = pyarrow.table({"image": [{"bytes": picture, "path": "a"}] * 6, "label": [0, 1, 2] * 2})
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def pdf(body: bytes = b"1 0 0 RG 10 10 m 90 90 l S", side: int = 100) -> bytes:
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 4 0 R>>" % (side, side),
        b"<</Length %d>>stream\n%s\nendstream" % (len(body), body),
    )
    numbered = b"".join(b"%d 0 obj%s\nendobj\n" % (i + 1, each) for i, each in enumerate(objects))
    return b"%PDF-1.4\n" + numbered + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF"


def metrics() -> bytes:
    line = {"step": 1, "epoch": 0.1, "split": "train", "loss": 2.3, "accuracy": 0.1, "lr": 0.1}
    return b"".join(json.dumps(line | {"seconds": i}).encode() + b"\n" for i in range(3))


def model(nodes: list[Any] | None = None, metadata: Any = FORM, batch: Any = None) -> bytes:
    """Return a network of 28×28 pixels and three classes; its nodes take "sums" (n, 3)."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, 28, 28, 1])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3])
    weights = numpy_helper.from_array(np.ones((784, 3), np.float32) / 784, "weights")
    shape = numpy_helper.from_array(np.array([-1, 784]), "shape")
    begin = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "shape"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["sums"]),
    ]
    end = nodes or [helper.make_node("Identity", ["sums"], ["logits"])]
    graph = helper.make_graph([*begin, *end], "a", [image], [logits], [weights, shape])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    helper.set_model_props(made, {"firstlight": text})
    return made.SerializeToString()


def hostile_files() -> Iterator[tuple[str, str, bytes]]:
    """Yield kind, name and content of files that are made to do harm."""
    for name, content in (*drawn(), *lying_pictures()):
        yield "picture", name, content
    for name, content in arrays():
        yield "arrays", name, content
    for content in models():
        yield "model", "model.onnx", content
    for depth in (100, 100_000):
        yield "run", "run.json", b"[" * depth
        yield "run", "run.json", b'{"a":' * depth
    yield "run", "run.json", b'{"format": ' + b"9" * 10_000 + b"}"


def models() -> Iterator[bytes]:
    def large(*size: int) -> list[Any]:
        tensor = numpy_helper.from_array(np.array(size, np.int64))
        return [
            helper.make_node("Constant", [], ["size"], value=tensor),
            helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        ]

    largest = helper.make_node("ReduceMax", ["zeros"], ["largest"], keepdims=0)
    product = [helper.make_node("MatMul", ["zeros", "zeros"], ["p0"])]
    product += [helper.make_node("MatMul", [f"p{i}", "zeros"], [f"p{i + 1}"]) for i in range(40)]
    product.append(helper.make_node("ReduceMax", ["p40"], ["largest"], keepdims=0))
    add = helper.make_node("Add", ["sums", "largest"], ["logits"])
    for size in (GIGABYTE, 200_000_000, 2**40, -1):
        yield model([*large(size), largest, add])
    for side in (5000, 9000, 20_000):  # minutes, while constants are folded
        yield model([*large(side, side), *product, add])
    for loop_body in ("Add", "Concat"):
        yield model(endless(loop_body))
    zero = helper.make_node("Sub", ["sums", "sums"], ["zero"])
    yield model([zero, helper.make_node("Div", ["zero", "zero"], ["logits"])])
    yield model(batch=5)
    for changed in (
        {"input": [30_000, 30_000, 1]},
        {"input": [28, 28]},
        {"input": "28"},
        {"input": [28.0, 28, 1]},
        {"classes": ["\x1b[2J", "b", "c"]},
        {"classes": ["\u202ea", "b", "c"]},
        {"classes": ["a\nb", "b", "c"]},
        {"classes": "abc"},
        {"classes": 3},
        {"values": [255, 0]},
        {"threshold": "x"},
        {"temperature": 0},
    ):
        yield model(metadata=FORM | changed)
    for text in ("[" * 100_000, "null", "[]", '"a"', "{", "NaN", "\ud7ff"):
        yield model(metadata=text)


def endless(body_node: str) -> list[Any]:
    """Return a loop whose condition stays true; with Concat its value grows with each round."""

    def value(name: str, kind: int, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    axis = {"axis": 0} if body_node == "Concat" else {}
    go = helper.make_node("Identity", ["go"], ["go_on"])
    add = helper.make_node(body_node, ["old", "old"], ["new"], **axis)
    inputs = [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, [])]
    inputs.append(value("old", TensorProto.FLOAT, [None, 3]))
    outputs = [value("go_on", TensorProto.BOOL, []), value("new", TensorProto.FLOAT, [None, 3])]
    body = helper.make_graph([go, add], "body", inputs, outputs)
    true = numpy_helper.from_array(np.array(True))
    always = helper.make_node("Constant", [], ["always"], value=true)
    return [always, helper.make_node("Loop", ["", "always", "sums"], ["logits"], body=body)]


def drawn() -> Iterator[tuple[str, bytes]]:
    """Yield pictures that are small files and hold very many marks, or marks within marks."""
    side = 1260
    y, x = np.mgrid[:side, :side] - side / 2
    radius = np.hypot(x, y)
    angle = np.arctan2(y, x)
    chance = np.random.default_rng(0)
    for period in (4, 6, 12, 30):
        rings = radius % period < period / 2
        squares = np.maximum(abs(x), abs(y)) % period < period / 2
        spiral = (radius + angle * period / (2 * np.pi)) % period < period / 2
        lines = (y + 0 * x) % period < period / 2
        board = (x // (period / 2) + y // (period / 2)) % 2 == 0
        dots = ((x % period) < period / 2) & ((y % period) < period / 2)
        comb = lines | (abs(x) < 3)
        shapes = (rings, squares, spiral, lines, board, dots, comb)
        for number, shape in enumerate(shapes):
            yield f"drawn-{period}-{number}.png", png(np.where(shape, 0, 255))
    for density in (0.02, 0.1, 0.3, 0.5, 0.59, 0.7):
        yield f"noise-{density}.png", png(np.where(chance.random((side, side)) < density, 0, 255))
    for letter in "0178":
        page = Image.new("L", (side, side), 255)
        text = "\n".join([letter * 200] * 100)
        ImageDraw.Draw(page).text((0, 0), text, fill=0)
        yield f"page-{letter}.png", png(np.asarray(page))
    for size in ((1, 40_000), (20_000, 1), (12, 260_000), (280, 140_000), (6300, 6300), (2, 2)):
        yield f"size-{size[0]}.png", png(np.zeros(size))


def png(pixels: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def lying_pictures() -> Iterator[tuple[str, bytes]]:
    """Yield pictures whose headers promise too much, and PDF pages that take long to draw."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    for side in (6000, 60_000, 2**31 - 1):
        header = struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)
        content = zlib.compress(bytes(10**7))
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
        yield f"huge-{side}.png", b"\x89PNG\r\n\x1a\n" + chunks
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**9)))
    small = png(np.zeros((20, 20)))
    yield "text.png", small[:33] + text + small[33:]
    yield (
        "huge.bmp",
        b"BM" + struct.pack("<IIIIiiHH24x", 54, 0, 54, 40, 60_000, 60_000, 1, 24),
    )
    yield "huge.gif", b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + bytes(100)
    for side in (100, 10**9):
        yield f"side-{side}.pdf", pdf(side=side)
    points = b" ".join(b"%d %d l" % (i * 7919 % 100, i * 104729 % 100) for i in range(100_000))
    for paint in (b"S", b"f", b"[0.01 0.01] 0 d S", b"20 w 1 J 1 j S"):
        yield f"points-{len(paint)}.pdf", pdf(b"0 0 m " + points + b" " + paint)
    yield "nested.pdf", pdf(b"q " * 100_000)
    pages = b"<</Type/Pages/Kids[2 0 R]/Count 2000000>>"
    yield "pages.pdf", pdf().replace(b"<</Type/Pages/Kids[3 0 R]/Count 1>>", pages)
    yield "chain.tif", b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 8)
    brand = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    yield "lie.heic", brand + b"\xff\xff\xff\xffmeta" + bytes(200)


def arrays() -> Iterator[tuple[str, bytes]]:
    """Yield datasets that unpack to gigabytes, or say so."""
    zeros = gzip.compress(bytes(GIGABYTE), 6)  # a megabyte
    yield "train-images-idx3-ubyte.gz", zeros * 4
    huge = struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 28, 28)
    yield "t10k-images-idx3-ubyte", huge
    yield "t10k-images-idx3-ubyte.gz", gzip.compress(huge + bytes(2**28)) + zeros * 3
    yield "line.csv.gz", gzip.compress(b"label,pixel0\n1," + b"1" * GIGABYTE)
    yield "rows.csv.gz", gzip.compress(b"label,a,b,c,d\n" + b"1,0,0,0,0\n" * 10**8, 1)
    yield "line.csv", b"label,pixel0\n1," + b"1" * 10**8
    yield "commas.csv", b"," * 10**7
    yield "quotes.csv", b'label,"' * 10**6
    for claimed in ((2**40, 28, 28), (10**6, 1000, 1000), (-1, 28, 28), (2**70,)):
        header = repr({"descr": "|u1", "fortran_order": False, "shape": claimed}).encode()
        array = (
            b"\x93NUMPY\x01\0" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(100)
        )
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", method) as archive:
                archive.writestr("x_train.npy", array)
                archive.writestr("y_train.npy", array)
            yield "mnist.npz", stream.getvalue()
    stream = io.BytesIO()
    np.savez_compressed(stream, x_train=np.zeros((10**6, 1024), np.uint8), y_train=np.zeros(10**6))
    yield "mnist.npz", stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\x02\0\xff\xff\xff\x7f" + bytes(2**29))
    yield "mnist.npz", stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}.npy", b"")
    yield "mnist.npz", stream.getvalue()
