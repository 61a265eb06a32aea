"""The process that opens the pictures that are sent to the page: none is opened in the server.

    python -m firstlight.serve.picture_worker MODEL

Questions and answers are lines of JSON (see questions.py); an error is {"error": "…"}. Memory is
bounded. After a picture that has taken much of it, the answer says that this process should end:
allocated memory is hardly ever given back to the system before that.
"""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from firstlight.errors import FirstlightError, NotFound
from firstlight.memory import bound_memory, peak_memory
from firstlight.reading.recognizer import recognizer
from firstlight.runs.run import Run
from firstlight.serve import classifying, digits, run_pictures
from firstlight.serve.questions import (
    ClassifyWithOnnx,
    Prepare,
    Question,
    ReadPicture,
    ReadSquashed,
    from_line,
)

MAX_MEMORY = 900 * 2**20  # bytes that a picture may take; the largest photograph takes a third
MAX_KEPT_MEMORY = 300 * 2**20  # bytes; most processes have a hundred million


def main() -> None:
    """Answer questions, a line each, until stdin ends."""
    model = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed must not be taken for an answer
    bound_memory(MAX_MEMORY)
    for line in sys.stdin:
        document = answer_or_error(line, model)
        answers.write(json.dumps(document | {"ends": peak_memory() > MAX_KEPT_MEMORY}) + "\n")
        answers.flush()


def answer_or_error(line: str, model: Path) -> dict[str, Any]:
    """Return the answer to a question, or {"error": message}."""
    try:
        return dict(answer(from_line(line), model))
    except FirstlightError as error:
        return {"error": str(error), "is_missing": isinstance(error, NotFound)}
    except MemoryError:
        return {"error": "this picture needs too much memory; make it smaller"}


def answer(question: Question[Any], model: Path) -> Any:
    match question:
        case ReadPicture():
            return digits.read_picture(decoded(question.picture), recognizer(model), model)
        case ReadSquashed():
            return digits.read_squashed(decoded(question.picture), recognizer(model))
        case ClassifyWithOnnx():
            file = Path(question.file)
            return classifying.with_onnx(file, decoded(question.picture), question.top)
        case Prepare():
            return run_pictures.prepared(Run(Path(question.run)), decoded(question.picture))
    raise NotImplementedError(type(question).__name__)


def decoded(picture: str) -> bytes:
    return base64.b64decode(picture)


if __name__ == "__main__":
    main()
