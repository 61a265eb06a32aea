"""A process that imports modules. It prints a line of JSON for each: its name, and a problem or "".

python -m firstlight.diagnosis.imports numpy PIL
"""

import importlib
import json
import os
import sys


def problem_of(module: str) -> str:
    """Return why a module cannot be imported, in one line; "" if it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything
        first = (str(error).strip().splitlines() or [""])[0]
        return f"{type(error).__name__}: {first}"[:300]
    return ""


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what packages print is not an answer
    for name in sys.argv[1:]:
        print(json.dumps([name, problem_of(name)]), file=answers, flush=True)
