"""Files and folders that are written whole or not at all."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from firstlight.errors import DataError, UsageError

CHECKSUM = "checksum"  # a document's field: see with_checksum
SECONDS_UNTIL_ABANDONED = 3600.0  # nothing is written for that long without a change


@contextmanager
def atomic_write(path: Path, keep: Path | None = None) -> Iterator[BinaryIO]:
    """Write a file under another name, and rename it when it is complete.

    Args:
        keep: the name that the file before it gets; None: it is not kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with naming(path), part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep and path.exists():
            path.replace(keep)
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give the file's name to an OSError without one: when the disk is full, none is named."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path for a file or a folder; without an exception, it replaces `path`.

    Raises:
        UsageError: nothing can be written beside `path`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(".part", f".{path.name}.", path.parent)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}); give another path"
        ) from None
    with naming(path), temporary as folder:
        new = Path(folder) / path.name
        yield new
        if path.is_dir():  # a rename cannot replace a folder that is not empty
            path.rename(new.with_name(f"{path.name}.old"))
        new.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk: without it, a power failure can undo a rename."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems do not sync folders
        pass
    finally:
        os.close(descriptor)


def remove_parts(folder: Path, ours: list[Path]) -> None:
    """Remove what processes that were killed have left half written in a folder and below.

    Args:
        ours: the files that nobody else writes now. Parts of others are removed if their process
            is dead, or after an hour without change.
    """
    names = {path.name for path in ours}
    for part in sorted(folder.rglob(".*.part"), reverse=True):
        old = time.time() - part.lstat().st_mtime > SECONDS_UNTIL_ABANDONED
        if part.is_dir() and not part.is_symlink():
            if old:
                shutil.rmtree(part, ignore_errors=True)
            continue
        name, _, process = part.name[1:].removesuffix(".part").rpartition(".")
        if old or name in names or not is_alive(process):
            part.unlink(missing_ok=True)


def is_alive(process: str) -> bool:
    """Return whether a process of this machine has this number, or may have it."""
    if sys.platform == "win32":  # there, os.kill ends any process
        return True
    try:
        os.kill(int(process), 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        pass
    return True


def check_suffix(path: Path, suffix: str) -> None:
    """Raises UsageError unless a file that the user names ends in the suffix, and is no folder.

    So a slip cannot replace another kind of file, such as a run's own.
    """
    if path.suffix.lower() != suffix or path.is_dir():
        raise UsageError(f"--out {path}: give the name of a file that ends in {suffix}")


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode(errors="backslashreplace"))  # JSON may name half a character


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document with its checksum: see `with_checksum`."""
    write_text(path, json.dumps(with_checksum(document), indent=2) + "\n")


def with_checksum(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the SHA-256 of the rest of it under the name "checksum"."""
    return {**document, CHECKSUM: _sha256(document)}


def without_checksum(document: Any) -> dict[str, Any]:
    """Return what `with_checksum` was given. Documents of older versions have no checksum.

    Raises:
        DataError: the document is not as it was written.
    """
    if not isinstance(document, dict):
        raise DataError(f"damaged: it holds a {type(document).__name__}, and must hold an object")
    rest = {name: value for name, value in document.items() if name != CHECKSUM}
    if CHECKSUM in document and document[CHECKSUM] != _sha256(rest):
        raise DataError(
            f"it was changed after it was written: its contents do not have its {CHECKSUM}"
        )
    return rest


def _sha256(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a document, whatever the order of its names and its spaces."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def refuse_no_file(path: Path) -> None:
    """Raises DataError if there is something else than a file: a pipe would be read for ever."""
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: damaged (it is no file)")


def read_json(path: Path) -> dict[str, Any]:
    """Return what `write_json` wrote. Raises DataError if it is missing, or not as it was."""
    refuse_no_file(path)
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; is {path.parent} a run folder?") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    try:
        return without_checksum(document)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
