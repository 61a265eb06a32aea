"""Ctrl-C ends the program at any moment, with one line on stderr and exit code 130.

While a verb works, Ctrl-C is Python's KeyboardInterrupt: files are closed, and temporary ones are
removed. Where nothing is open yet or any more, the process ends at once: there an exception could
be lost, because what is imported catches it, or because Python is about to end.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

LINE = "firstlight: interrupted"
EXIT_CODE = 130  # as shells have it: 128 + the number of SIGINT

Handler = Callable[[int, FrameType | None], None]

_is_command_line = False
_has_come = False  # whether Ctrl-C has been raised in `guarded`


def end(stderr: int = 2) -> NoReturn:
    """End the process now; print the line to this file descriptor."""
    with suppress(OSError):  # nobody reads it any more
        os.write(stderr, f"{LINE}\n".encode())
    os._exit(EXIT_CODE)


def begin() -> None:
    """Let Ctrl-C be answered as the module says: this process is the command line."""
    global _is_command_line
    _is_command_line = True


def guarded(program: Callable[[], int]) -> int:
    """Call a program, and return its exit code; end the process if Ctrl-C has ended the program.

    The first Ctrl-C is a KeyboardInterrupt; a second one ends the process at once.
    """
    global _has_come
    _has_come = False

    def raise_first(number: int, frame: FrameType | None) -> None:
        global _has_come
        _has_come = True
        _handle(lambda number, frame: end())
        raise KeyboardInterrupt

    _handle(raise_first)
    try:
        code = program()
    except KeyboardInterrupt:
        end()
    except Exception:
        if _has_come:  # a package that was being imported has made another error of it
            end()
        raise
    _handle(lambda number, frame: end())  # Python's own end takes time too
    return code


def raise_if_lost() -> None:
    """Raise KeyboardInterrupt if Ctrl-C has come and its KeyboardInterrupt was lost.

    Python drops exceptions in `__del__` and in callbacks of its own imports.
    """
    if _has_come:
        raise KeyboardInterrupt


@contextmanager
def ending_at_once(stderr: int = 2) -> Iterator[None]:
    """Let Ctrl-C end the process at once inside this context; print to this file descriptor.

    In a program that only uses firstlight, such as a notebook's kernel, nothing changes: its
    Ctrl-C is its own.
    """
    if not _is_command_line:
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    _handle(lambda number, frame: end(stderr))
    try:
        yield
    finally:
        if callable(before):
            _handle(before)


def _handle(handler: Handler) -> None:
    """Use a handler, unless Ctrl-C is ignored, as it is for `firstlight ... &` in a script."""
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not is_ignored and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
