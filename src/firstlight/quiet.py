"""TensorFlow imported without its start-up noise.

    from firstlight.quiet import keras, tf

is `import keras` and `import tensorflow as tf`, without their messages.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from firstlight import interrupt
from firstlight.errors import not_installed

_MODULES = {"keras": "keras", "tf": "tensorflow"}


def __getattr__(name: str) -> ModuleType:
    """Import `keras` or `tf`, when a program imports that name from here."""
    if name not in _MODULES:
        raise AttributeError(f"firstlight.quiet has no {name!r}; it has: {', '.join(_MODULES)}")
    with tensorflow(verbose=False):
        return import_module(_MODULES[name])


class _Stderr:
    """File descriptor 2, which leads nowhere while at least one user of it wants silence.

    A process has only one. So the first user redirects it, and the last one restores it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0  # threads, and contexts within contexts
        self.kept = 2  # a duplicate of what 2 was, while there are users

    def discard(self) -> int:
        """Discard what is printed; return a file descriptor of what 2 was."""
        with self.lock:
            if not self.users:
                self.kept = os.dup(2)
                with open(os.devnull, "wb") as nowhere:
                    os.dup2(nowhere.fileno(), 2)  # TensorFlow's C++ code writes there directly
            self.users += 1
            return self.kept

    def restore(self) -> None:
        """End what `discard` began."""
        with self.lock:
            self.users -= 1
            if not self.users:
                os.dup2(self.kept, 2)
                os.close(self.kept)


_stderr = _Stderr()


@contextmanager
def tensorflow(verbose: bool) -> Iterator[None]:
    """Import TensorFlow; discard what it and others print on stderr inside this context.

    Ctrl-C ends the process at once while TensorFlow is imported: it catches a KeyboardInterrupt.

    Raises:
        ModuleNotFoundError: TensorFlow, or another package of the extra `train`, is not installed.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    for package in ("tensorflow", "matplotlib"):  # figures come last: say so before a training
        if find_spec(package) is None:
            raise ModuleNotFoundError(not_installed(package), name=package)
    with without_stderr(verbose) as stderr:
        with interrupt.ending_at_once(stderr):
            import_module("tensorflow")
            import_module("keras")
        yield


@contextmanager
def without_stderr(verbose: bool) -> Iterator[int]:
    """Discard what is printed on stderr, unless verbose; give a file descriptor of stderr.

    Several threads may be in this context at once: stderr is back when the last one leaves.
    """
    if verbose:
        yield 2
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    stderr = _stderr.discard()
    try:
        yield stderr
    finally:
        _stderr.restore()
