"""A checkpoint: arrays by name and a few facts, in one .npz file, written whole or not at all."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import DataError
from firstlight.runs.files import whole

Arrays = dict[str, np.ndarray]
_FACTS = "facts.json"  # as an array of bytes: a JSON text beside the arrays


def save(path: Path, arrays: Arrays, facts: dict[str, Any] | None = None) -> None:
    """Write the arrays, and facts that JSON can hold."""
    text = np.frombuffer(json.dumps(facts or {}).encode(), np.uint8)
    with whole(path) as file:
        np.savez(file, allow_pickle=False, **{_FACTS: text}, **arrays)


def load(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """The arrays and facts that `save` wrote. Nothing in the file is ever run.

    Raises:
        DataError: no such file, or it is damaged.
    """
    with stored(path) as found:
        arrays = {name: found[name] for name in found if name != _FACTS}
        return arrays, json.loads(found[_FACTS].tobytes())


def load_into(variables: dict[str, Any], path: Path) -> dict[str, Any]:
    """Give each variable its array, one after the other: never all in memory a second time.

    Returns the facts. Raises what `load` and `restore` do.
    """
    with stored(path) as found:
        restore(variables, found, path)
        facts: dict[str, Any] = json.loads(found[_FACTS].tobytes())
        return facts


@contextmanager
def stored(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """What lies in the file; an array is read when it is asked for."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            yield found
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the run has no such checkpoint") from None
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not a whole checkpoint ({error})") from None


def restore(variables: dict[str, Any], arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Give each variable the array of its name.

    Raises:
        DataError: a variable has no array, an array no variable, or a shape differs.
    """
    for name in sorted(variables.keys() ^ (arrays.keys() - {_FACTS})):
        lacking = "the file lacks" if name in variables else "the network has no"
        raise DataError(f"{path} does not fit the network: {lacking} {name}")
    for name, variable in variables.items():
        array = arrays[name]
        if tuple(variable.shape) != array.shape:
            shapes = f"{array.shape}, the network's is {tuple(variable.shape)}"
            raise DataError(f"{path} does not fit the network: {name} is {shapes}")
        variable.assign(array)
