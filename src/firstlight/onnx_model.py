"""A network in an ONNX file, run by ONNX Runtime.

`firstlight export --format onnx` writes such files. They have

- one input `image`: uint8 (n, height, width, channels);
- one output `logits`: float32 (n, classes);
- the metadata property `firstlight`: a JSON document whose keys ModelMetadata lists.

A file may come from a stranger. So what it says is checked, and it runs in a process of its own,
whose memory and time are bounded (onnx_process).
"""

import json
import math
import mmap
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firstlight.errors import DataError, UsageError
from firstlight.images.crops import Size
from firstlight.images.kinds import ImageKind
from firstlight.images.values import ValueRange
from firstlight.printable import is_printable
from firstlight.probabilities import softmax

if TYPE_CHECKING:
    from firstlight.classification import Classification, Pictures
    from firstlight.onnx_process import ForeignNetwork

LARGE_FILE = 20_000_000  # bytes
MAX_MEMORY = 900 * 2**20  # bytes, of all small models: a file of 400 bytes may ask for any amount
MAX_BATCH_VALUES = 1_000_000  # pixels × channels that are computed at once
MAX_SIDE = 1024  # pixels of an image
MAX_SECONDS = 4.0  # for a batch, and
MAX_SECONDS_PER_IMAGE = 1.0  # more for each image in it
SMALL_MODEL_THREADS = 2  # a small network gains nothing from more
MAX_SAID = 200  # characters of a foreign file's inputs in a message
EXTERNAL_DATA_FOLDER = "session.model_external_initializers_file_folder_path"

Document = dict[str, Any]
Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # images → logits
Signature = dict[str, tuple[str, list[Any]]]  # name → type, shape


class Content(NamedTuple):
    """What an ONNX file says of itself."""

    inputs: dict[str, Any]  # name → type, shape
    outputs: dict[str, Any]
    property: str | None  # the metadata property `firstlight`


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """What the property `firstlight` says about a model."""

    input: Size
    classes: tuple[str, ...]  # one of a reader's classes is "none": not a digit
    image_kind: ImageKind
    values: ValueRange | None = None  # of the arrays that it has learned, if they are known
    # The calibration, which only the reader of digits uses: see reading/recognizer.py.
    temperature: float = 1.0  # logits are divided by it
    threshold: float = 0.5  # a less confident answer is reported as unsure

    @classmethod
    def from_json(cls, document: Document) -> "ModelMetadata":
        """Raises KeyError, TypeError, ValueError, OverflowError: firstlight did not write it."""
        height, width, channels = map(operator.index, document["input"])
        if not 1 <= max(height, width) <= MAX_SIDE or channels not in (1, 3):
            raise ValueError(
                f"images of {height}×{width}×{channels}; at most {MAX_SIDE}×{MAX_SIDE}×3"
            )
        if not all(map(is_printable, document["classes"])):
            raise ValueError("a class has no name that can be printed")
        if document["image_kind"] not in get_args(ImageKind):
            raise ValueError(f"unknown kind of images: {document['image_kind']}")
        return cls(
            input=(height, width, channels),
            classes=tuple(document["classes"]),
            image_kind=document["image_kind"],
            values=ValueRange.from_json(document.get("values")),
            temperature=float(document.get("temperature", 1.0)),
            threshold=float(document.get("threshold", 0.5)),
        )


class OnnxModel:
    """A model in memory. It is a `classification.Classifier`."""

    def __init__(self, path: Path, *, is_ours: bool = False) -> None:
        """Open the model.

        Args:
            is_ours: it comes with firstlight. Any other runs in a process of its own.

        Raises:
            DataError: the file does not exist, or is not an ONNX model.
            UsageError: the model was not written by `firstlight export`.
        """
        self._path = path
        content, self._run = (_open_own if is_ours else _open_foreign)(path)
        self.metadata = _read_metadata(content, path)

    @property
    def input(self) -> Size:
        """Height, width and channels of the images that it takes."""
        return self.metadata.input

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        return self.metadata.classes

    @property
    def image_kind(self) -> ImageKind:
        return self.metadata.image_kind

    @property
    def values(self) -> ValueRange | None:
        """The values of the arrays that the network has learned, None if they are not known."""
        return self.metadata.values

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits (n, classes) of images (n, *input), 0..255.

        Raises:
            DataError: the network does not end, needs too much memory, or answers with no numbers.
        """
        if not len(images):
            return np.zeros((0, len(self.classes)), np.float32)
        logits = self._run(images)
        if logits.shape != (len(images), len(self.classes)) or not np.isfinite(logits).all():
            raise DataError(f"{self._path}: its answers are not a finite number for each class")
        return logits

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return probabilities (n, classes) of images (n, *input), 0..255."""
        return softmax(self.logits(images))

    def predict(self, images: "Pictures") -> NDArray[np.float32]:
        """Return the probabilities (N, classes) of arrays or files: see `firstlight.predict`."""
        from firstlight import classification

        return classification.predict(self, images)

    def classify(
        self, images: str | Path | Sequence[str | Path], top: int = 5
    ) -> "list[Classification]":
        """Return the most probable classes of pictures: see `firstlight.classify`."""
        from firstlight import classification

        return classification.classify(self, classification.as_files(images) or [], top=top)


def logits_of(session: Any, images: NDArray[np.uint8], path: Path) -> NDArray[np.float32]:
    """Return what a network answers to images, in batches. Raises DataError if it fails."""
    try:
        answers = [session.run(["logits"], {"image": batch})[0] for batch in _batches(images)]
    except Exception as error:  # ONNX Runtime's own exceptions have no other common base class
        raise DataError(f"{path}: this network cannot be run ({one_line(error)})") from None
    return np.concatenate(answers)


def _batches(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    size = max(1, MAX_BATCH_VALUES // math.prod(images.shape[1:]))
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _open_own(path: Path) -> tuple[Content, Run]:
    session = open_session(path)
    return content_of(session), partial(logits_of, session, path=path)


def _open_foreign(path: Path) -> tuple[Content, Run]:
    """Return what a foreign file says of itself, and what runs it. Raises DataError."""
    from firstlight.onnx_process import ForeignNetwork  # which costs time

    if not path.is_file():
        raise DataError(f"no model at {path}; `firstlight export` makes one")
    network = ForeignNetwork(path, SMALL_MODEL_THREADS)

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.concatenate([_run_foreign(network, batch, path) for batch in _batches(images)])

    return network.content, run


def _run_foreign(
    network: "ForeignNetwork", images: NDArray[np.uint8], path: Path
) -> NDArray[np.float32]:
    seconds = MAX_SECONDS + MAX_SECONDS_PER_IMAGE * len(images)
    document, content = network.run(images, seconds)
    try:
        return np.frombuffer(content, np.float32).reshape(document["shape"])
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}: its answers are no numbers") from None


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


@cache
def bound_memory() -> None:
    """Bound what the small models of this process may allocate."""
    import onnxruntime

    onnxruntime.create_and_register_allocator(
        onnxruntime.OrtMemoryInfo(
            "Cpu",
            onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
            0,
            onnxruntime.OrtMemType.DEFAULT,
        ),
        onnxruntime.OrtArenaCfg({"max_mem": MAX_MEMORY}),
    )


def open_session(path: Path) -> Any:
    """Return ONNX Runtime's session of a model that is a single file. Raises DataError."""
    import onnxruntime

    if not path.is_file():
        raise DataError(f"no model at {path}; `firstlight export` makes one")
    options = onnxruntime.SessionOptions()
    # 0 means: one for each core.
    is_small = path.stat().st_size < LARGE_FILE
    options.intra_op_num_threads = SMALL_MODEL_THREADS if is_small else 0
    if is_small:
        bound_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
    # Idle threads that spin take half of the time from everything that runs beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # no messages of its own: our errors say what is wrong
    # Weights in other files are refused: a foreign model could name any file that we may read.
    options.add_session_config_entry(EXTERNAL_DATA_FOLDER, os.devnull)
    try:
        session = onnxruntime.InferenceSession(
            _path_or_bytes(path), options, providers=["CPUExecutionProvider"]
        )
        session._model_bytes = None  # otherwise it keeps a copy of the whole file
        return session
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except Exception as error:  # ONNX Runtime's own exceptions have no other common base class
        raise DataError(
            f"{path} is not an ONNX model that can be run ({one_line(error)})"
        ) from None


def _path_or_bytes(path: Path) -> str | bytes:
    """Return the path if the model names no other file, otherwise the file's bytes.

    With a path, ONNX Runtime holds one copy fewer of large weights while it opens the model, but it
    ignores EXTERNAL_DATA_FOLDER. ONNX names other files under the key `location`, so a model
    that contains this word is given as bytes.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        names_other_files = content.find(b"location") >= 0
    return path.read_bytes() if names_other_files else str(path)


def content_of(session: Any) -> Content:
    """Return what the file of a session says of itself."""
    return Content(
        _signature(session.get_inputs()),
        _signature(session.get_outputs()),
        session.get_modelmeta().custom_metadata_map.get("firstlight"),
    )


def _read_metadata(content: Content, path: Path) -> ModelMetadata:
    """Read the property `firstlight` and check that it fits the model's input and output.

    Raises:
        UsageError: the property is missing or damaged, or does not fit.
    """
    reason = ""
    try:
        metadata = ModelMetadata.from_json(json.loads(content.property or "{}"))
        fits = has_form(content.inputs, "image", "tensor(uint8)", list(metadata.input))
        classes = [len(metadata.classes)]
        fits = fits and has_form(content.outputs, "logits", "tensor(float)", classes)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        fits, reason = False, f" ({one_line(error)})"
    if not fits:
        actual = ", ".join(
            f"{name} {kind} {shape}" for name, (kind, shape) in content.inputs.items()
        )
        raise UsageError(
            f"{path} takes {actual[:MAX_SAID]}: not a model of firstlight{reason}; `firstlight "
            "export` writes models that take image uint8 (n, height, width, channels) and name "
            "their classes"
        )
    return metadata


def _signature(nodes: Any) -> Signature:
    """Return the types and shapes of a session's inputs or outputs by name."""
    return {node.name: (node.type, node.shape) for node in nodes}


def has_form(nodes: Signature, name: str, kind: str, shape: list[int]) -> bool:
    """Return whether there is one node, for batches of any length, of a shape without its batch."""
    [(found, (found_kind, (batch, *found_shape)))] = nodes.items()
    is_free = not isinstance(batch, int)  # the name of a dimension, or None
    return is_free and (found, found_kind, found_shape) == (name, kind, shape)
