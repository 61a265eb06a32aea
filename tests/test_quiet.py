"""stderr is silent while TensorFlow is imported, and afterwards it is what it was."""

import os
import threading
import time

import numpy as np
import pytest

from firstlight.quiet import without_stderr


def identity(descriptor: int) -> tuple[int, int]:
    """Return which file a descriptor leads to."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def test_contexts_within_contexts_are_silent_until_the_last_one(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = identity(2)
    with without_stderr(verbose=False) as stderr:
        with without_stderr(verbose=False) as same, without_stderr(verbose=True) as plain:
            assert (identity(stderr), identity(same), plain) == (before, before, 2)
        os.write(2, b"noise")
        os.write(stderr, b"heard")
    os.write(2, b" again")
    assert identity(2) == before
    assert capfd.readouterr().err == "heard again"


def test_an_exception_gives_stderr_back() -> None:
    before = identity(2)
    with pytest.raises(ZeroDivisionError), without_stderr(verbose=False):
        raise ZeroDivisionError
    assert identity(2) == before


def test_the_first_thread_may_leave_before_the_second() -> None:
    """The second one has found a stderr that leads nowhere already."""
    before = identity(2)
    first, second = without_stderr(verbose=False), without_stderr(verbose=False)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert identity(2) != before
    second.__exit__(None, None, None)
    assert identity(2) == before


def test_threads_come_and_go_at_random_and_stderr_is_back() -> None:
    before, silent = identity(2), []

    def come_and_go(seed: int) -> None:
        for seconds in np.random.default_rng(seed).uniform(0, 0.002, 50):
            with without_stderr(verbose=False) as stderr:
                time.sleep(seconds)
                silent.append(identity(2) != before == identity(stderr))

    threads = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert identity(2) == before
    assert len(silent) == 400 and all(silent)
