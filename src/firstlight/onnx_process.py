"""A foreign network in a process of its own, whose memory and time are bounded (onnx_worker.py).

A file of 400 bytes may ask for any amount of memory, or compute for ever. The process is killed at
a deadline; whatever it does to itself, this process goes on. A message is a line of JSON, which
may say how many bytes follow it.
"""

import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from firstlight.errors import DataError
from firstlight.onnx_model import Content
from firstlight.printable import printable

SECONDS_TO_START = 60.0  # Python, NumPy and ONNX Runtime, on a busy machine
SECONDS_TO_OPEN = 5.0  # a model, and
BYTES_PER_SECOND = 20_000_000  # of the model's file: a large one gets more seconds
MAX_RUN_SECONDS = 600  # of a process that nobody waits for any more
MAX_LINE = 2**20  # bytes of JSON; a model of 10,000 classes has a fifth of it

Message = tuple[dict[str, Any], bytes]


class ForeignNetwork:
    """A network in an ONNX file that a stranger may have made. Threads may share it."""

    def __init__(self, path: Path, threads: int) -> None:
        """Start the process and open the file in it. Raises DataError if it is not a model."""
        self._path = path
        self._threads = threads
        self._lock = threading.Lock()
        with self._lock:
            self.content = self._start()

    def run(self, images: Any, seconds: float) -> Message:
        """Return {"shape": …} and the float32 bytes that the network answers to uint8 images.

        Raises:
            DataError: it fails, or takes longer than `seconds`.
        """
        with self._lock:
            if self._process.poll() is not None:  # the question before was too much for it
                self._start()
            with self._deadline(seconds):
                send(self._questions, {"shape": images.shape}, images.tobytes())
                return self._receive()

    def _start(self) -> Content:
        command = [sys.executable, "-P", "-m", "firstlight.onnx_worker"]
        self._process = subprocess.Popen(
            [*command, str(self._path), str(self._threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us
        )
        weakref.finalize(self, end, self._process)
        assert self._process.stdin and self._process.stdout
        self._questions, self._answers = self._process.stdin, self._process.stdout
        with self._deadline(SECONDS_TO_START):
            self._receive()
        seconds = SECONDS_TO_OPEN + self._path.stat().st_size / BYTES_PER_SECOND
        with self._deadline(seconds):
            document, _ = self._receive()
            return Content(**document)

    def _receive(self) -> Message:
        message = receive(self._answers)
        if not message:
            raise EOFError
        if "error" in message[0]:
            raise DataError(printable(str(message[0]["error"])))
        return message

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Kill the process after `seconds`; raise DataError if it has ended."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            end(self._process)
            fault = "its process has ended: it may need too much memory"
            if late.is_set():
                fault = f"it takes more than {seconds:.0f} s"
            raise DataError(f"{self._path}: this network cannot be run ({fault})") from None
        except BaseException:  # Ctrl-C: a late answer must not be taken for the next one
            end(self._process)
            raise
        finally:
            timer.cancel()


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # what was written into it has no reader any more
            if pipe:
                pipe.close()


def send(stream: IO[bytes], document: dict[str, Any], content: bytes = b"") -> None:
    line = json.dumps({"bytes": len(content), "document": document})
    stream.write(line.encode() + b"\n")
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Return the next message, None at the end. Raises ValueError or KeyError if it is none."""
    line = stream.readline(MAX_LINE)
    if not line:
        return None
    message = json.loads(line)
    size = int(message["bytes"])
    content = stream.read(size)
    if len(content) != size:
        raise EOFError
    return message["document"], content
