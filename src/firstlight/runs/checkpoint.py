"""A checkpoint: arrays by name and a JSON document, in one .npz file."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from firstlight.errors import DataError
from firstlight.runs.files import atomic_write, refuse_no_file, with_checksum, without_checksum

Arrays = dict[str, np.ndarray]


class Variable(Protocol):
    """A Keras or TensorFlow variable."""

    @property
    def shape(self) -> Any: ...

    @property
    def dtype(self) -> Any: ...

    def assign(self, value: np.ndarray) -> Any: ...


_DOCUMENT = "status.json"  # a JSON text, as an array of bytes
_CRC = "crc"  # in it, the CRC of each array by name
# What NumPy, zipfile and json raise at a file that is not what `save` wrote.
DAMAGE = (
    *(KeyError, ValueError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile),
    *(zlib.error, RuntimeError, OverflowError, MemoryError, struct.error, SyntaxError),
)


def save(
    path: Path,
    arrays: Arrays,
    document: dict[str, Any] | None = None,
    keep: Path | None = None,
) -> None:
    """Write the arrays and a JSON document, whole or not at all.

    The file is what `numpy.savez` would write. The document is its last member, and has the CRC of
    each array, so that a file that was written again by something else is known.

    Args:
        keep: the name that the checkpoint before it gets.
    """
    with atomic_write(path, keep) as file, zipfile.ZipFile(file, "w") as members:
        for name, array in arrays.items():
            _write_array(members, name, array)
        written = {**(document or {}), _CRC: _crc_by_name(members)}
        text = json.dumps(with_checksum(written)).encode()
        _write_array(members, _DOCUMENT, np.frombuffer(text, np.uint8))


def _write_array(members: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with members.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def _crc_by_name(members: zipfile.ZipFile) -> dict[str, int]:
    """Return the CRC of each array. Raises DataError if a name stands twice."""
    found = {member.filename.removesuffix(".npy"): member.CRC for member in members.infolist()}
    if len(found) != len(members.infolist()):
        raise DataError("an array is in it twice")
    return found


def load(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the document that `save` wrote. Nothing in the file is ever run.

    Raises:
        DataError: no such file, or it is damaged.
    """
    with open_arrays(path) as stored:
        arrays = {name: stored[name] for name in stored if name != _DOCUMENT}
        return arrays, _document(stored)


def document(path: Path) -> dict[str, Any]:
    """Return the document that `save` wrote, without the arrays. Raises what `load` raises."""
    with open_arrays(path) as stored:
        return _document(stored)


def load_into(variables: Mapping[str, Variable], path: Path) -> dict[str, Any]:
    """Assign each variable its array, one at a time: memory never holds all of them twice.

    Returns the document. Raises what `load` and `restore` raise.
    """
    with open_arrays(path) as stored:
        restore(variables, stored, path)
        return _document(stored)


def check(path: Path) -> None:
    """Read all of a file. Raises DataError if it is missing or damaged."""
    with open_arrays(path) as stored:
        for name in stored:
            stored[name]


@contextmanager
def open_arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Open an .npz file; each array is read only when it is used. Raises what `load` raises."""
    refuse_no_file(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            try:
                _check_members(stored)
            except DataError as error:
                raise ValueError(str(error)) from None
            yield stored
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the run has no such checkpoint") from None
    except DAMAGE as error:
        raise DataError(f"{path}: damaged or incomplete checkpoint ({error})") from None


def _check_members(stored: object) -> None:
    """Raises DataError or ValueError if an opened .npz file is not as `save` wrote it.

    Files of older versions have no CRCs in their document. Each array's CRC is compared with its
    bytes when it is read, by zipfile.
    """
    if not isinstance(stored, np.lib.npyio.NpzFile):
        raise ValueError("not an .npz file")
    members = stored.zip
    assert members  # it is open
    if any(member.compress_type != zipfile.ZIP_STORED for member in members.infolist()):
        raise ValueError("it is compressed, and no checkpoint is")  # it could unfold to anything
    found, written = _crc_by_name(members), _read_document(stored).get(_CRC)
    found.pop(_DOCUMENT)
    if written is None:
        return
    for name in sorted(found.keys() | written.keys()):
        if found.get(name) != written.get(name):
            raise ValueError(f"{name} is not as it was written")


def _document(stored: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: value for name, value in _read_document(stored).items() if name != _CRC}


def _read_document(stored: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return without_checksum(json.loads(stored[_DOCUMENT].tobytes()))


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
        if array.dtype != variable.dtype:
            raise DataError(
                f"{path} does not fit the network: {name} is {array.dtype}, the network's is "
                f"{variable.dtype}"
            )
        variable.assign(array)
