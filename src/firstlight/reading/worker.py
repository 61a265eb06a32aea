"""The program of a process that reads pages for batch.py, until its standard input ends.

    python -m firstlight.reading.worker MODEL SINGLE        SINGLE is "single" or ""

Questions come on standard input, answers go to standard output, both as pickles: a path, whose
answer is the number of its pages; or a Page, whose answer is a FileReading.
"""

import os
import pickle
import sys
from pathlib import Path

from firstlight import onnx_model
from firstlight.errors import DataError
from firstlight.images import pdf
from firstlight.images.open import count_pages
from firstlight.reading.pages import Page, read_page, unreadable
from firstlight.reading.result import FileReading


def main() -> None:
    """Answer every question."""
    onnx_model.SMALL_MODEL_THREADS = 1  # the other cores have processes of their own
    pdf.HAS_DEADLINE = True  # batch.py kills this process
    model = Path(sys.argv[1]) if sys.argv[1] else None
    single = sys.argv[2] == "single"
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        try:
            question = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(answer(question, model, single), answers)
        answers.flush()


def answer(question: Path | Page, model: Path | None, single: bool) -> int | FileReading:
    """Return the number of a file's pages, or what is written on a page."""
    if isinstance(question, Path):
        try:
            return count_pages(question)
        except DataError:  # whoever reads it says why
            return 1
    try:
        return read_page(question, model, single)
    except Exception as error:  # of a file that no library expects: the others are read
        return unreadable(question, f"{question.file}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
