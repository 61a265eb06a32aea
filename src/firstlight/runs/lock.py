"""The lock of a run folder: one process trains a run, and writes only where the folder is.

The system gives a lock back when its process ends, however it ends: so none is ever left behind.
Windows has no such lock (`flock`), and some network file systems have none: there, two processes
are not kept apart.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from firstlight.errors import DataError, UsageError

FILE = ".lock"


class Lock:
    """A run folder that this process trains."""

    def __init__(self, folder: Path, file: TextIO) -> None:
        self.folder, self.file = folder, file

    def check(self) -> None:
        """Raises DataError if the path does not lead to the folder any more."""
        try:
            there, ours = (self.folder / FILE).stat(), os.fstat(self.file.fileno())
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
        except OSError:
            pass
        raise DataError(
            f"{self.folder} was renamed or removed while it was trained; its last checkpoint is "
            f"whole: continue with `firstlight train --resume {self._now_at() or 'ITS NEW NAME'}`"
        )

    def _now_at(self) -> str:
        """Return where the folder is now; "" if the system does not tell, or it is removed."""
        try:
            file = Path(os.readlink(f"/proc/self/fd/{self.file.fileno()}"))
        except OSError:
            return ""
        return str(file.parent) if file.exists() else ""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Give a place to write into the folder. Raises what `check` raises, before and after."""
        self.check()
        try:
            yield
        except FileNotFoundError:
            self.check()
            raise


@contextmanager
def held(folder: Path) -> Iterator[Lock]:
    """Make the folder if it does not exist, and hold its lock.

    Raises:
        UsageError: another process trains in this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # "a+" does not empty the file: it says who has the lock.
    with (folder / FILE).open("a+", encoding="utf-8") as file:
        try:
            take(file)
        except BlockingIOError:
            raise UsageError(f"{folder} is being trained {holder(folder)}") from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}, file)
        file.flush()
        yield Lock(folder, file)


def take(file: TextIO) -> None:
    """Lock an open file. Raises BlockingIOError if another has it."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # this file system has no locks
        return


def holding_process(folder: Path) -> int | None:
    """Return the process of this machine that trains in a folder; None if there is none."""
    try:
        with (folder / FILE).open("r", encoding="utf-8") as file:
            try:
                take(file)
            except BlockingIOError:
                document = json.load(file)
                here = document["host"] == socket.gethostname()
                return int(document["pid"]) if here else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        pass
    return None


def holder(folder: Path) -> str:
    """Return who trains in a folder, and since when, as the end of a sentence."""
    try:
        document = json.loads((folder / FILE).read_text("utf-8"))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(document["since"]))
        return f"by process {document['pid']} on {document['host']} since {since}"
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return "by another process"
