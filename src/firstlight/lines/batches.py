"""Batches for training, composed in a process of its own, which needs no TensorFlow."""

import multiprocessing
import os
import queue
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.errors import FirstlightError
from firstlight.lines import compose, glyphs, pages
from firstlight.lines.glyphs import Glyphs

STRIPS, PAGES = 64, 8  # of a batch
WAITING_BATCHES = 6
SECONDS_BETWEEN_CHECKS = 1  # whether the other process still runs

Batch = tuple[NDArray[Any], NDArray[Any]]  # inputs, and the right answers
Compose = Callable[[Glyphs, np.random.Generator], Batch]


def compose_strips(written: Glyphs, random: np.random.Generator) -> Batch:
    """Compose strips (n, 32, width, 1), and labels (n, digits) int32 that end in -1."""
    strips = compose.compose(written, STRIPS, random)
    return strips.pixels, strips.labels.astype(np.int32)


def compose_pages(written: Glyphs, random: np.random.Generator) -> Batch:
    """Compose pages (n, rows, columns, 1), and their answers: see pages.py."""
    made = pages.compose(written, PAGES, random)
    return made.pixels, made.lines


def composed(compose_batch: Compose, out: Path, seed: int, first: int) -> Iterator[Batch]:
    """Yield the batch of each step from `first` on, composed in another process.

    Args:
        out: a folder; the glyphs are kept there.

    Raises:
        FirstlightError: the other process ended.
    """
    context = multiprocessing.get_context("spawn")
    waiting = context.Queue(WAITING_BATCHES)
    process = context.Process(
        target=fill, args=(compose_batch, waiting, out, seed, first), daemon=True
    )
    # The new process inherits this. With two threads, a small matrix product mostly waits for the
    # other thread: a batch then takes ten times as long on a busy machine.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    process.start()
    while True:
        try:
            yield waiting.get(timeout=SECONDS_BETWEEN_CHECKS)
        except queue.Empty:
            if not process.is_alive():
                raise FirstlightError(
                    f"the process that composes batches for {out} ended; run the command again"
                ) from None


def fill(compose_batch: Compose, waiting: Any, out: Path, seed: int, step: int) -> None:
    """Compose the batches from a step on, and wait while the queue is full; end with the parent."""
    # At its end a process waits until its queue was read; nobody reads it if the parent was killed.
    waiting.cancel_join_thread()
    written = glyphs.load("train", out / "glyphs-train.npy")
    parent = multiprocessing.parent_process()
    assert parent is not None
    batch = compose_batch(written, np.random.default_rng([seed, step]))
    while parent.is_alive():
        with suppress(queue.Full):
            waiting.put(batch, timeout=SECONDS_BETWEEN_CHECKS)
            step += 1
            batch = compose_batch(written, np.random.default_rng([seed, step]))
