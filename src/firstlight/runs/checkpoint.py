"""A checkpoint: arrays by name and a JSON document, in one .npz file."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from firstlight.errors import DataError
from firstlight.runs.files import atomic_write

Arrays = dict[str, np.ndarray]


class Variable(Protocol):
    """A Keras or TensorFlow variable."""

    @property
    def shape(self) -> Any: ...

    def assign(self, value: np.ndarray) -> Any: ...


_DOCUMENT = "status.json"  # a JSON text, as an array of bytes


def save(path: Path, arrays: Arrays, document: dict[str, Any] | None = None) -> None:
    """Write the arrays and a JSON document, whole or not at all."""
    text = np.frombuffer(json.dumps(document or {}).encode(), np.uint8)
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, **{_DOCUMENT: text}, **arrays)


def load(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the document that `save` wrote. Nothing in the file is ever run.

    Raises:
        DataError: no such file, or it is damaged.
    """
    with open_arrays(path) as stored:
        arrays = {name: stored[name] for name in stored if name != _DOCUMENT}
        return arrays, json.loads(stored[_DOCUMENT].tobytes())


def document(path: Path) -> dict[str, Any]:
    """Return the document that `save` wrote, without the arrays. Raises what `load` raises."""
    with open_arrays(path) as stored:
        written: dict[str, Any] = json.loads(stored[_DOCUMENT].tobytes())
        return written


def load_into(variables: Mapping[str, Variable], path: Path) -> dict[str, Any]:
    """Assign each variable its array, one at a time: memory never holds all of them twice.

    Returns the document. Raises what `load` and `restore` raise.
    """
    with open_arrays(path) as stored:
        restore(variables, stored, path)
        document: dict[str, Any] = json.loads(stored[_DOCUMENT].tobytes())
        return document


@contextmanager
def open_arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Open an .npz file; each array is read only when it is used. Raises what `load` raises."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            yield stored
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the run has no such checkpoint") from None
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged or incomplete checkpoint ({error})") from None


def restore(
    variables: Mapping[str, Variable], arrays: Mapping[str, np.ndarray], path: Path
) -> None:
    """Assign each variable the array of its name.

    Raises:
        DataError: a variable has no array, an array has no variable, or a shape differs.
    """
    for name in sorted(variables.keys() ^ (arrays.keys() - {_DOCUMENT})):
        lacking = "the file lacks" if name in variables else "the network has no"
        raise DataError(f"{path} does not fit the network: {lacking} {name}")
    for name, variable in variables.items():
        array = arrays[name]
        expected = tuple(variable.shape)
        if array.shape != expected:
            raise DataError(
                f"{path} does not fit the network: {name} is {array.shape}, the network's is "
                f"{expected}"
            )
        variable.assign(array)
