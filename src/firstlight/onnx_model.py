"""Which digit is it: a network in an ONNX file, run by ONNX Runtime.

The file has one input, `image`: uint8 (n, 28, 28, 1), light ink on black; one output, `logits`:
float32 (n, classes); and a property `firstlight`, a JSON document: `classes` (their names; one may
be "none": no digit), `input` [28, 28, 1], and, if it was calibrated, `temperature` (the logits are
divided by it) and `threshold` (what is less probable is not told). `classify` takes files of other
inputs too.
"""

import functools
import json
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.errors import DataError, UsageError

DIGITS = Path(__file__).parent / "reading" / "digits.onnx"
NONE = "none"
NONE_RARER = 0.05  # than in training, where it is a fifth: what one cuts out is mostly a digit
INPUT = (28, 28, 1)
LARGE = 20_000_000  # bytes
EXTERNAL_DATA_FOLDER = "session.model_external_initializers_file_folder_path"


class Recognizer:
    """A model in memory: what it says of itself, and `probabilities` of images."""

    def __init__(self, path: Path) -> None:
        """Raises DataError if there is no such model, UsageError if it is not one of ours."""
        self._session = open_session(path)
        about = _about(self._session, path)
        self.input = tuple(about["input"])
        self.classes: list[str] = about["classes"]
        self.learned = about.get("images", "digits")  # from what: see inputs.py
        self.threshold = float(about.get("threshold", 0.5))
        self._temperature = float(about.get("temperature", 1.0))
        priors = [NONE_RARER if name == NONE else 1.0 for name in self.classes]
        self._priors = np.array(priors, np.float32)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Images (n, *input), 0..255, all in one batch → (n, classes), rows summing to 1."""
        if not len(images):
            return np.zeros((0, len(self.classes)), np.float32)
        (logits,) = self._session.run(["logits"], {"image": images})
        scaled = logits / self._temperature
        powers = np.exp(scaled - scaled.max(1, keepdims=True)) * self._priors
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)

    def sureness(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, classes) → (n,): how sure it is that this is a digit, and which.

        Of "none" it may be as sure as it likes: two halves of a digit, surely no digits, would be
        likelier than the digit.
        """
        return np.asarray(probabilities[:, self._priors == 1].max(1), np.float32)


@functools.cache
def recognizer(path: Path) -> Recognizer:
    """The model of digits in that file, opened once.

    Raises what Recognizer does, and UsageError if it is not one of digits.
    """
    model = Recognizer(path)
    if (model.input, model.learned) != (INPUT, "digits"):
        size = "×".join(map(str, model.input))
        raise UsageError(
            f"{path} takes {model.learned} {size}: not a model of digits, which are 28×28×1"
        )
    return model


def open_session(path: Path) -> Any:
    """ONNX Runtime's session of a model that lies in one file. Raises DataError."""
    import onnxruntime

    if not path.is_file():
        raise DataError(f"no model at {path}; `firstlight export` makes one")
    options = onnxruntime.SessionOptions()
    # A small network gains nothing from more than two threads; 0 is as many as there are cores.
    options.intra_op_num_threads = 2 if path.stat().st_size < LARGE else 0
    # Idle threads that spin cost half of the time where anything else runs beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what is wrong is said by our own line
    # Weights in other files are refused: a model could name any that we may read.
    options.add_session_config_entry(EXTERNAL_DATA_FOLDER, os.devnull)
    try:
        given, providers = _path_or_bytes(path), ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(given, options, providers=providers)
        session._model_bytes = None  # else it keeps the whole file beside what it made of it
        return session
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    except Exception as error:  # ONNX Runtime's own classes, which share no other base
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is no ONNX model that can be run ({reason[:120]})") from None


def _path_or_bytes(path: Path) -> str | bytes:
    """Of a file that names no other, the path: large weights are then held once less on opening.

    ONNX calls that name `location`. One that might have it is given as bytes: with a path ONNX
    Runtime would not heed EXTERNAL_DATA_FOLDER.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as model:
        return str(path) if model.find(b"location") < 0 else path.read_bytes()


def _about(session: Any, path: Path) -> dict[str, Any]:
    """The property `firstlight`, compared with what the model takes and gives."""
    takes = {i.name: (i.type, i.shape[1:]) for i in session.get_inputs()}
    gives = {o.name: (o.type, o.shape[1:]) for o in session.get_outputs()}
    try:
        about = json.loads(session.get_modelmeta().custom_metadata_map["firstlight"])
        image, logits = list(about["input"]), [len(about["classes"])]
        fits = takes == {"image": ("tensor(uint8)", image)} and len(image) == 3
        fits = fits and gives == {"logits": ("tensor(float)", logits)}
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        given = ", ".join(f"{name} {kind} {shape}" for name, (kind, shape) in takes.items())
        raise UsageError(
            f"{path} takes {given}: not a model of ours; one takes image uint8 (n, height, width, "
            "channels) and says its classes, as `firstlight export` writes it"
        )
    return dict(about)
