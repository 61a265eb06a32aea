"""The program of a process that runs a foreign ONNX file for onnx_process.py.

    python -m firstlight.onnx_worker FILE THREADS

It says {} when it has started, and then what it finds in the file. Each further message is images,
and is answered with logits, or with {"error": "…"}. It ends when its standard input does.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from firstlight import onnx_model
from firstlight.errors import DataError
from firstlight.memory import bound_memory
from firstlight.onnx_process import MAX_RUN_SECONDS, receive, send

BYTES_FOR_EACH_BYTE = 4  # of the file: its content, its weights, and a copy in another order


def main() -> None:
    path = Path(sys.argv[1])
    onnx_model.SMALL_MODEL_THREADS = int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    send(answers, {})
    with suppress(OSError):  # the file: the session says what is wrong with it
        bound_memory(onnx_model.MAX_MEMORY + BYTES_FOR_EACH_BYTE * path.stat().st_size)
    bound_time()
    try:
        session = onnx_model.open_session(path)
    except DataError as error:
        return send(answers, {"error": str(error)})
    send(answers, onnx_model.content_of(session)._asdict())
    while message := receive(sys.stdin.buffer):
        document, content = message
        bound_time()
        images = np.frombuffer(content, np.uint8).reshape(document["shape"])
        try:
            logits = onnx_model.logits_of(session, images, path)
            send(answers, {"shape": logits.shape}, logits.astype(np.float32).tobytes())
        except DataError as error:
            send(answers, {"error": str(error)})


def bound_time() -> None:
    """Let the system end this process some time from now: whoever should, may have been killed."""
    with suppress(ImportError):
        import resource

        used = sum(os.times()[:2])
        seconds = used + MAX_RUN_SECONDS * (os.cpu_count() or 1)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
