"""Rows as a file: CSV that is safe to open in a spreadsheet, or JSON lines, which keep every type.

A spreadsheet computes a cell that begins with = + - or @, and takes what looks like a number for
one: 0042 becomes 42. Before such a text stands an apostrophe, which says that it is a text.
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstlight.errors import UsageError

ENDINGS = (".csv", ".jsonl")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MAX_NUMBER_DIGITS = 15  # a spreadsheet rounds longer numbers

Row = dict[str, Any]  # column → value


def check_table(path: Path, flag: str) -> None:
    """Raises UsageError unless a file that the user names ends in .csv or .jsonl."""
    if path.suffix.lower() not in ENDINGS or path.is_dir():
        raise UsageError(f"{flag} {path}: give the name of a file that ends in .csv or .jsonl")


def is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def encoded(rows: Sequence[Row], as_csv: bool) -> bytes:
    """Return rows as lines; a character that UTF-8 has not, in a file's name, as its number."""
    lines = [csv_line([cell(value) for value in row.values()]) for row in rows]
    if not as_csv:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    return "".join(lines).encode("utf-8", "backslashreplace")


def csv_line(cells: Sequence[Any]) -> str:
    """Return a row as a line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # so it quotes both, \r and \n
    return text.getvalue().removesuffix("\r\n") + "\n"


def cell(value: Any) -> Any:
    """Return a value as a cell that is no formula; true and false are 1 and 0.

    Different texts are different cells: '=x gets an apostrophe too.
    """
    if isinstance(value, bool):
        return int(value)
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def text_of(cell: str) -> str:
    """Return the text that was made a cell."""
    return cell.removeprefix("'") if _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    return text.lstrip("'").startswith(FORMULA)


def digits_cell(text: str) -> str:
    """Return digits as a cell that keeps its leading zeros and all of its digits."""
    is_changed = text.isdecimal() and (
        (text[0] == "0" and len(text) > 1) or len(text) > MAX_NUMBER_DIGITS
    )
    return f"'{text}" if is_changed else text
