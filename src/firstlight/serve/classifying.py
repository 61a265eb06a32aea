"""Classifies a picture for another program, as `firstlight classify` does.

A run that was exported to ONNX needs no TensorFlow. Any other run's network is in the worker.
"""

import base64
from functools import lru_cache
from pathlib import Path

from firstlight.classification import Classifier, classify_content
from firstlight.onnx_model import OnnxModel
from firstlight.reading.recognizer import DIGITS_MODEL
from firstlight.runs.run import Run
from firstlight.serve.questions import ClassesJson, Classify

TOP = 5  # labels in an answer, if the request does not say how many


def classes_json(classifier: Classifier, picture: bytes, top: int) -> ClassesJson:
    """Return the most probable labels of a picture. Raises DataError if it is none."""
    labels = classify_content(classifier, picture, top=top)
    return {"labels": [label.to_json() for label in labels]}


def with_onnx(file: Path, picture: bytes, top: int) -> ClassesJson:
    """Return the labels that a network in an ONNX file gives. Raises DataError."""
    return classes_json(_opened(file, file.stat().st_mtime), picture, top)


def question(run: Run, picture: bytes, top: int) -> Classify:
    """Return the question for the worker."""
    encoded = base64.b64encode(picture).decode()
    return Classify(run=str(run.folder), picture=encoded, top=top)


def exported_file(run: Run) -> Path | None:
    """Return the ONNX file of a run's weights; None if there is none, or it is older than they.

    Raises:
        DataError: no step was trained yet, or the run is damaged.
    """
    file = run.model_file.with_name(f"{run.model_info().network}.onnx")
    if not run.weights.is_file():  # it still trains, and its weights change
        return None
    is_of_weights = file.is_file() and file.stat().st_mtime >= run.weights.stat().st_mtime
    return file if is_of_weights else None


@lru_cache(maxsize=4)
def _opened(file: Path, modified: float) -> OnnxModel:
    return OnnxModel(file, is_ours=file == DIGITS_MODEL)
