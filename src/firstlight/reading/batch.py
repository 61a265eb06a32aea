"""Reads very many files: in a process for each core, in order, a few pages ahead of the caller.

A process that ends over a page, or takes too long, is replaced; the page counts as unreadable.
"""

import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from firstlight.diagnosis.machine import usable_cores
from firstlight.images.files import find_pictures
from firstlight.reading.pages import Page, pages_of, unreadable
from firstlight.reading.recognizer import DIGITS_MODEL, recognizer
from firstlight.reading.result import FileReading
from firstlight.recipe import check_whole_number

MAX_SECONDS = 60.0  # for a page; most take a tenth of a second
PAGES_AHEAD = 4  # for each process: a slow page does not keep the others waiting


def read_all(
    what: str | Path | Sequence[str | Path],
    model: str | Path | None = None,
    single: bool = False,
    *,
    jobs: int | None = None,
) -> Iterator[FileReading]:
    """Yield what is written on every page of many pictures and PDF files, as it is read, in order.

    The pictures are not kept: the memory that this needs does not grow with their number.

    Args:
        what: files, folders with all that is in them, or patterns such as "scans/*.png".
        model, single: as for `read`.
        jobs: processes; by default one for each core.

    A page that cannot be read has a `problem`, and does not stop the others.

    Raises:
        DataError: the model is missing or damaged, or there is no picture.
        UsageError: the model is not a model of digits, or `jobs` is not allowed.

    >>> [each.text for each in fl.read_all(["photo.png", "seven.png"], jobs=1)]
    ['7210', '7']
    """
    paths = [what] if isinstance(what, str | Path) else what
    files = find_pictures([Path(path) for path in paths], pdf=True).files
    return read_pages(files, Path(model) if model else None, single, jobs=jobs)


def read_pages(
    files: Sequence[Path],
    model: Path | None,
    single: bool,
    *,
    jobs: int | None,
    is_done: Callable[[Page], bool] = lambda page: False,
) -> Iterator[FileReading]:
    """Yield what is written on each page of files, except those that are done; see `read_all`."""
    if jobs is not None:
        check_whole_number("jobs", jobs, minimum=1)
    recognizer(model or DIGITS_MODEL)  # raises here, and not in another process
    return _read_in_order(files, partial(Workers, jobs or usable_cores(), model, single), is_done)


def _read_in_order(
    files: Sequence[Path], start: "Callable[[], Workers]", is_done: Callable[[Page], bool]
) -> Iterator[FileReading]:
    workers = start()
    threads = ThreadPoolExecutor(workers.jobs, "reader")  # each waits for a process
    waiting: deque[Future[FileReading]] = deque()
    try:
        for page in pages_of(files, workers.count):
            if is_done(page):
                continue
            waiting.append(threads.submit(workers.read, page))
            if len(waiting) >= PAGES_AHEAD * workers.jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        workers.close()


class Workers:
    """Some processes that read pages; each question is answered by one that is idle."""

    def __init__(self, jobs: int, model: Path | None, single: bool) -> None:
        self.jobs = jobs
        self._arguments = [str(model or ""), "single" if single else ""]
        self._closed = False
        self._all = [Worker(self._arguments) for _ in range(jobs)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._all:
            self._idle.put(worker)

    def count(self, file: Path) -> int:
        """Return how many pages a file has; 1 if that cannot be told."""
        return int(self._ask(file, 1))

    def read(self, page: Page) -> FileReading:
        """Return what is written on a page."""
        problem = f"{page.file}: the process that read it ended, or took over {MAX_SECONDS:.0f} s"
        answer: FileReading = self._ask(page, unreadable(page, problem))
        return answer

    def close(self) -> None:
        """End all processes."""
        self._closed = True
        for worker in self._all:
            worker.end()

    def _ask(self, question: Path | Page, otherwise: Any) -> Any:
        worker = self._idle.get()
        try:
            return worker.ask(question)
        except (OSError, ValueError, EOFError, pickle.UnpicklingError):  # it has ended
            worker.end()
            if not self._closed:
                worker.start()
            return otherwise
        finally:
            self._idle.put(worker)


class Worker:
    """A process that runs worker.py."""

    def __init__(self, arguments: list[str]) -> None:
        self._command = [sys.executable, "-P", "-m", "firstlight.reading.worker", *arguments]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us
        )

    def ask(self, question: Path | Page) -> Any:
        """Return the process's answer. Raises what a closed pipe does if it ends."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions and answers
        timer = threading.Timer(MAX_SECONDS, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            pickle.dump(question, questions)
            questions.flush()
            return pickle.load(answers)
        finally:
            timer.cancel()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:  # what was written into it has no reader any more
                    pass
