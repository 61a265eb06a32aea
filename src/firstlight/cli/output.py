"""What the verbs print: results on stdout, problems and notices on stderr."""

import json
import os
import sys
from typing import Any

import typer

from firstlight.errors import DataError
from firstlight.printable import printable


def show(document: Any, as_json: bool, lines: list[str]) -> None:
    """Print a verb's result on stdout: the JSON document alone, or lines for a person."""
    if as_json:
        print(json.dumps(document, ensure_ascii=not prints_utf8()))
    elif lines:
        print("\n".join(map(printable, lines)))


def prints_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def draws_blocks() -> bool:
    """Return whether stdout is a terminal that shows block characters in colours."""
    return sys.stdout.isatty() and prints_utf8() and os.environ.get("TERM") != "dumb"


def report_problems(problems: list[str], files: int) -> None:
    """Print why files could not be read; exit with code 1 for some of the files, 4 for all."""
    print_problems(problems)
    if problems:
        raise typer.Exit(exit_code_of(len(problems), files))


def print_problems(problems: list[str]) -> None:
    for problem in problems:
        print("firstlight:", printable(problem), file=sys.stderr)


def exit_code_of(unreadable: int, files: int) -> int:
    """Return 4 if none of the files could be read, and 1 if some could not."""
    return DataError.exit_code if unreadable == files else 1
