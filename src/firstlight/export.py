"""A trained network as a file for other programs, held against its source before it is kept.

    format      file             opened again by        what it is, as JSON (see `about`)
    onnx        NETWORK.onnx     ONNX Runtime           in the metadata property `firstlight`
    litert      NETWORK.tflite   LiteRT's interpreter   firstlight.json, zipped onto its end
    savedmodel  saved_model/     TensorFlow             assets.extra/firstlight.json

All of them take `image` (N, height, width, channels) uint8, as images come, and give `logits`
(N, classes) float32, for any N. Exporters write wrong files without a word: an operation they do
not know, weights they did not find. So nothing is believed: the file is opened as its user would,
and has to give the network's own answers to real images.
"""

import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from firstlight import calibrate, catalog, evaluate, model
from firstlight.catalog import Dataset
from firstlight.datasets._images import fitted
from firstlight.errors import ExportError, UsageError
from firstlight.onnx_model import open_session
from firstlight.runs import card
from firstlight.runs.run import Run
from firstlight.training import augment

OPSET = 17  # the newest that passes ONNX's full check here; tf2onnx would take an older one
EXAMPLES = 256
LARGEST_DIFFERENCE = 1e-4  # of a logit: rounding, in another order of the sums
CALIBRATION = ("temperature", "threshold", "calibration_error", "told", "wrong")
_BATCH = 50  # EXAMPLES is no multiple of it: the last batch is shorter, and must be taken too

Ends = dict[str, tuple[str, tuple[int | None, ...]]]  # inputs or outputs: name → type, shape


class Opened(NamedTuple):
    """An exported file, as the program that opened it sees it."""

    inputs: Ends
    outputs: Ends
    logits: Callable[[np.ndarray], np.ndarray]  # images (N, *INPUT) uint8 → (N, classes)


class Format(NamedTuple):
    file: str  # its name in model/ of the run
    write: Callable[[keras.Model, Path, dict[str, Any]], None]
    open: Callable[[Path], Opened]


def export(run: Run, format: str, out: Path | None = None) -> dict[str, Any]:
    """Write the run's network in one of FORMATS, to `out` or into model/ of the run.

    Returns what the command line prints as JSON. What stood at that path is replaced only by a
    file that has passed.

    Raises:
        ExportError: the file could not be made, or is not the network; nothing is left of it.
        UsageError: `out` cannot be written, or is something that must not be replaced.
        DataError: the run, or the data it was trained on, is missing or damaged.
    """
    network, classes = model.load(run)
    kind = FORMATS[format]
    path = out or run.weights.with_name(kind.file.format(network=network.name))
    refuse_to_replace(path, format)
    dataset = catalog.trained_on(run)
    images = real_images(dataset, network)
    facts = about(run, network, classes, dataset.name) | calibration(run, network, dataset)
    with kept_if_right(path) as new:
        try:
            kind.write(network, new, facts)
            difference = compared(kind.open(new), network, images)
        except Exception as error:  # exporters raise anything
            raise ExportError(f"no {format} of {run.folder} is kept: {reason(error)}") from error
    return {
        "run": str(run.folder),
        "format": format,
        "file": str(path),
        "largest_difference": difference,
        "examples": len(images),
        **{key: facts[key] for key in CALIBRATION},
        "bytes": sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file()),
    }


def about(run: Run, network: keras.Model, classes: tuple[str, ...], data: str) -> dict[str, Any]:
    """What the file says of itself: all that a program needs to use it, and where it is from."""
    settings = run.settings()
    result = settings.get("result", {})
    return {
        "network": network.name,
        "classes": classes,
        "input": network.input_shape[1:],
        "images": run.trained()["learned"],
        "data": data,
        "preprocessing": card.preprocessing(run, network.input_shape[1:], data),
        "trained": {
            "seed": settings["seed"],
            "steps": result.get("steps"),
            "test_accuracy": result.get("test_accuracy"),
            "firstlight": settings["versions"]["firstlight"],
        },
    }


def calibration(run: Run, network: keras.Model, dataset: Dataset) -> dict[str, Any]:
    """How far to trust it, measured on validation images made as hard as in its training."""
    held_out = fitted(dataset.load("val"), network.input_shape[1:])
    if isinstance(held_out.images, np.ndarray):  # photographs in a folder are hard as they are
        harder = run.settings()["recipe"].get("augment", {})
        held_out = held_out._replace(images=augment.example(held_out.images, harder))
    logits = evaluate.predictor(network)(held_out.images)
    return calibrate.calibrate(logits, held_out.labels, dataset.classes)


def real_images(dataset: Dataset, network: keras.Model) -> np.ndarray:
    """EXAMPLES images of the dataset: of the test split, and of others if it is too small."""
    images = np.empty((0, *network.input_shape[1:]), np.uint8)
    for split in sorted(dataset.splits, key=("test", "val", "train").index):
        found = dataset.load(split).first(EXAMPLES - len(images))
        images = np.concatenate([images, fitted(found, network.input_shape[1:]).images[:]])
    return images


def compared(opened: Opened, network: keras.Model, images: np.ndarray) -> float:
    """The largest difference between the file's logits and the network's.

    Raises ExportError if it is too large, an answer is another, or the ends are not as promised.
    """
    image, logits = ("uint8", network.input_shape), ("float32", network.output_shape)
    if (opened.inputs, opened.outputs) != ({"image": image}, {"logits": logits}):
        raise ExportError(f"it takes {opened.inputs} and gives {opened.outputs}")
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    given, wanted = (
        np.concatenate([answer(batch) for batch in batches])
        for answer in (opened.logits, evaluate.predictor(network))
    )
    difference = float(np.abs(given - wanted).max())
    changed = int((given.argmax(1) != wanted.argmax(1)).sum())
    if changed or not difference <= LARGEST_DIFFERENCE:  # a NaN is not
        raise ExportError(
            f"its logits differ from the network's by up to {difference:.3g} (allowed are "
            f"{LARGEST_DIFFERENCE:g}), its answers to {changed} of {len(images)} images"
        )
    return difference


def reason(error: Exception) -> str:
    """One line: of what exporters say only the first, which can be followed by pages."""
    if isinstance(error, ExportError):
        return str(error)
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first} (-v says more)"


def refuse_to_replace(path: Path, format: str) -> None:
    """Raises UsageError if something at the path is not what this format would have written."""
    if format != "savedmodel" and path.is_dir():
        raise UsageError(f"{path} is a folder; give --out a file's name, such as {path / 'model'}")
    if format == "savedmodel" and path.exists() and not _is_saved_model(path):
        raise UsageError(f"{path} is there already and no SavedModel; give another --out")


def _is_saved_model(path: Path) -> bool:
    """A folder with nothing in it that TensorFlow has not put there."""
    ours = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}
    is_folder = path.is_dir() and not path.is_symlink()
    return is_folder and {file.name for file in path.iterdir()} <= ours


@contextmanager
def kept_if_right(path: Path) -> Iterator[Path]:
    """Where to write a file or folder that takes its place at `path` if no exception comes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        box = tempfile.TemporaryDirectory(".part", f".{path.name}.", path.parent)
    except OSError as error:
        why = error.strerror
        raise UsageError(f"{path} cannot be written ({why}); give another --out") from None
    with box as folder:
        new = Path(folder) / path.name
        yield new
        if path.is_dir():  # a folder with something in it cannot be renamed over
            path.rename(new.with_name(f"{path.name}.old"))
        new.replace(path)


def serving(network: keras.Model) -> Any:
    """The network's answer as a TensorFlow function, from which each format is made."""
    image = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")

    @tf.function(input_signature=[image])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": network(image, training=False)}

    return serve


def write_onnx(network: keras.Model, path: Path, facts: dict[str, Any]) -> None:
    """The graph, and behind it the weights, one after the other.

    Protobuf takes the parts of a file for one message. So of a network of half a gigabyte no more
    than one weight is copied at a time: what is converted has its weights as inputs, and those
    become initializers here.
    """
    weights = {f"weight{i}": weight for i, weight in enumerate(network.weights)}
    serve = with_weights_as_inputs(network, weights)
    proto, _ = tf2onnx.convert.from_function(serve, serve.input_signature, opset=OPSET)
    graph, turned = proto.graph, turned_weights(proto.graph, weights)
    del graph.input[1:]
    for end in (*graph.input, *graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "N"
    graph.name = network.name
    proto.doc_string = f"{network.name}, trained on {facts['data']}. {facts['preprocessing']}"
    onnx.helper.set_model_props(proto, {"firstlight": _json(facts)})
    with path.open("wb") as file:
        file.write(proto.SerializeToString())
        for name, (weight, axes) in turned.items():
            value = np.ascontiguousarray(weights[weight].numpy().transpose(axes))
            file.write(before_raw_data(name, value))
            file.write(value.data)


def before_raw_data(name: str, value: np.ndarray) -> bytes:
    """A model that holds nothing but this initializer, as protobuf writes it, up to its numbers."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    tensor = onnx.TensorProto(name=name, data_type=kind, dims=value.shape).SerializeToString()
    head = tensor + field(9, value.nbytes)  # TensorProto.raw_data
    head = field(5, len(head) + value.nbytes) + head  # GraphProto.initializer
    return field(7, len(head) + value.nbytes) + head  # ModelProto.graph


def field(number: int, length: int) -> bytes:
    """The beginning of a field of so many bytes."""
    return bytes([number << 3 | 2]) + varint(length)


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the eighth set."""
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def with_weights_as_inputs(network: keras.Model, weights: dict[str, Any]) -> Any:
    """The network's answer as a function of an image and all its weights."""
    image = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="image")
    specs = [tf.TensorSpec(w.shape, w.dtype, name=name) for name, w in weights.items()]
    number = {id(weight): i for i, weight in enumerate(network.weights)}

    @tf.function(input_signature=[image, *specs])
    def serve(image: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        trained, others = (
            [values[number[id(v)]] if id(v) in number else v.value for v in variables]
            for variables in (network.trainable_variables, network.non_trainable_variables)
        )
        logits, _ = network.stateless_call(trained, others, image, training=False)
        return {"logits": logits}

    return serve


def turned_weights(graph: Any, weights: dict[str, Any]) -> dict[str, tuple[str, list[int]]]:
    """Initializer → the weight that it holds, and the order of its axes.

    ONNX has a kernel's axes in another order: the operations that turn them are taken out.
    """
    turned: dict[str, tuple[str, list[int]]] = {}
    for node in list(graph.node):
        if node.op_type == "Transpose" and node.input[0] in weights:
            turned[node.output[0]] = node.input[0], list(node.attribute[0].ints)
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for name in (name for name in weights if name in used):
        turned[name] = name, list(range(len(weights[name].shape)))
    return turned


def open_onnx(path: Path) -> Opened:
    onnx.checker.check_model(path, full_check=True)
    session = open_session(path)  # as `classify` and `read` do
    names = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}

    def ends(found: Any) -> Ends:
        return {
            end.name: (
                names.get(end.type, end.type),
                tuple(size if isinstance(size, int) else None for size in end.shape),
            )
            for end in found
        }

    def logits(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(["logits"], {"image": images})[0])

    return Opened(ends(session.get_inputs()), ends(session.get_outputs()), logits)


def write_litert(network: keras.Model, path: Path, facts: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(network, Path(folder), facts)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
    # The way of LiteRT's own metadata: the file is then a zip archive too, and runs as before.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("firstlight.json", _json(facts))


def open_litert(path: Path) -> Opened:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is about to move to a package of its own
        runner = tf.lite.Interpreter(str(path)).get_signature_runner()

    def ends(found: dict[str, Any]) -> Ends:
        return {
            name: (
                np.dtype(end["dtype"]).name,
                tuple(int(size) if size >= 0 else None for size in end["shape_signature"]),
            )
            for name, end in found.items()
        }

    def logits(images: np.ndarray) -> np.ndarray:
        return runner(image=images)["logits"]

    return Opened(ends(runner.get_input_details()), ends(runner.get_output_details()), logits)


def write_saved_model(network: keras.Model, path: Path, facts: dict[str, Any]) -> None:
    module = tf.Module()
    module.serve = serving(network)
    # TensorFlow's variables, not Keras's around them: LiteRT's converter would lose those.
    module.weights = [weight.value for weight in network.weights]
    tf.saved_model.save(module, str(path), signatures=module.serve)
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / "firstlight.json").write_text(_json(facts), "utf-8")


def open_saved_model(path: Path) -> Opened:
    module = tf.saved_model.load(str(path))
    answer = module.signatures["serving_default"]

    def ends(found: dict[str, Any]) -> Ends:
        return {name: (end.dtype.name, tuple(end.shape)) for name, end in found.items()}

    def logits(images: np.ndarray) -> np.ndarray:
        # By way of `module`: without a reference to it, its variables would be gone.
        return module.signatures["serving_default"](image=tf.constant(images))["logits"].numpy()

    _, inputs = answer.structured_input_signature
    return Opened(ends(inputs), ends(answer.structured_outputs), logits)


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False)


FORMATS = {
    "onnx": Format("{network}.onnx", write_onnx, open_onnx),
    "litert": Format("{network}.tflite", write_litert, open_litert),
    "savedmodel": Format("saved_model", write_saved_model, open_saved_model),
}
