"""Files and folders that are written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from firstlight.errors import DataError, UsageError


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Write a file under another name, and rename it when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
    with temporary as folder:
        new = Path(folder) / path.name
        yield new
        if path.is_dir():  # a rename cannot replace a folder that is not empty
            path.rename(new.with_name(f"{path.name}.old"))
        new.replace(path)


def check_suffix(path: Path, suffix: str) -> None:
    """Raises UsageError unless a file that the user names ends in the suffix, and is no folder.

    So a slip cannot replace another kind of file, such as a run's own.
    """
    if path.suffix.lower() != suffix or path.is_dir():
        raise UsageError(f"--out {path}: give the name of a file that ends in {suffix}")


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode(errors="backslashreplace"))  # JSON may name half a character


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Raises DataError if the file is missing or is not JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is missing; is {path.parent} a run folder?") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
