"""TensorFlow imported without its start-up noise."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from firstlight import interrupt
from firstlight.errors import not_installed


@contextmanager
def tensorflow(verbose: bool) -> Iterator[None]:
    """Import TensorFlow; discard what it and others print on stderr inside this context.

    Ctrl-C ends the process at once while TensorFlow is imported: it catches a KeyboardInterrupt.

    Raises:
        ModuleNotFoundError: TensorFlow, or another package of the extra `train`, is not installed.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if find_spec("matplotlib") is None:  # figures come last: say so before a training, not after it
        raise ModuleNotFoundError(not_installed("matplotlib"), name="matplotlib")
    with without_stderr(verbose) as stderr:
        with interrupt.ending_at_once(stderr):
            import_module("tensorflow")
            import_module("keras")
        yield


@contextmanager
def without_stderr(verbose: bool) -> Iterator[int]:
    """Discard what is printed on stderr, unless verbose; give a file descriptor of stderr."""
    if verbose:
        yield 2
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # TensorFlow's C++ code writes there directly
        try:
            yield stderr
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
