"""A network in an ONNX file, run by ONNX Runtime.

`firstlight export --format onnx` writes such files. They have

- one input `image`: uint8 (n, height, width, channels);
- one output `logits`: float32 (n, classes);
- the metadata property `firstlight`: a JSON document whose keys ModelMetadata lists.

A file may come from a stranger. So what it says is checked, and its memory and time are bounded.
"""

import json
import math
import mmap
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

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

LARGE_FILE = 20_000_000  # bytes
MAX_MEMORY = 900 * 2**20  # bytes, of all small models: a file of 400 bytes may ask for any amount
MAX_BATCH_VALUES = 1_000_000  # pixels × channels that are computed at once
MAX_SIDE = 1024  # pixels of an image
MAX_SECONDS = 4.0  # for a batch, and
MAX_SECONDS_PER_IMAGE = 1.0  # more for each image in it
SMALL_MODEL_THREADS = 2  # a small network gains nothing from more
EXTERNAL_DATA_FOLDER = "session.model_external_initializers_file_folder_path"

Document = dict[str, Any]
Signature = dict[str, tuple[str, list[Any]]]  # name → type, shape


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
        height, width, channels = document["input"]
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

    def __init__(self, path: Path) -> None:
        """Open the model.

        Raises:
            DataError: the file does not exist, or is not an ONNX model.
            UsageError: the model was not written by `firstlight export`.
        """
        self._path = path
        self._session = open_session(path)
        self.metadata = _read_metadata(self._session, path)

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
        logits = logits_of(self._session, images, self._path)
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
    """Return what a network answers to images, in batches. Raises what `run_in_time` does."""
    size = max(1, MAX_BATCH_VALUES // math.prod(images.shape[1:]))
    starts = range(0, len(images), size)
    return np.concatenate([run_in_time(session, images[i : i + size], path) for i in starts])


def run_in_time(session: Any, images: NDArray[np.uint8], path: Path) -> NDArray[np.float32]:
    """Return what a network answers. Raises DataError if it takes too long, or fails."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    seconds = MAX_SECONDS + MAX_SECONDS_PER_IMAGE * len(images)
    timer = threading.Timer(seconds, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        (logits,) = session.run(["logits"], {"image": images}, options)
        return np.asarray(logits)
    except Exception as error:  # ONNX Runtime's own exceptions have no other common base class
        fault = f"it takes more than {seconds:.0f} s" if options.terminate else one_line(error)
        raise DataError(f"{path}: this network cannot be run ({fault})") from None
    finally:
        timer.cancel()


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


def _read_metadata(session: Any, path: Path) -> ModelMetadata:
    """Read the property `firstlight` and check that it fits the model's input and output.

    Raises:
        UsageError: the property is missing or damaged, or does not fit.
    """
    inputs, outputs = _signature(session.get_inputs()), _signature(session.get_outputs())
    reason = ""
    try:
        document = json.loads(session.get_modelmeta().custom_metadata_map["firstlight"])
        metadata = ModelMetadata.from_json(document)
        fits = has_form(inputs, "image", "tensor(uint8)", list(metadata.input))
        fits = fits and has_form(outputs, "logits", "tensor(float)", [len(metadata.classes)])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        fits, reason = False, f" ({one_line(error)})"
    if not fits:
        actual = ", ".join(f"{name} {kind} {shape}" for name, (kind, shape) in inputs.items())
        raise UsageError(
            f"{path} takes {actual}: not a model of firstlight{reason}; `firstlight export` writes "
            "models that take image uint8 (n, height, width, channels) and name their classes"
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
