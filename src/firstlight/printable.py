"""Foreign text, such as names of classes and files, that is safe to print on a terminal.

A control character can move the cursor, colour what follows, or rename the window.
"""

import unicodedata
from typing import Any

# Unicode's categories: control characters, halves of characters, ends of lines and paragraphs.
NOT_SHOWN = ("Cc", "Cs", "Zl", "Zp")
TURNS_TEXT = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # Unicode's classes


def is_printable(name: Any) -> bool:
    """Return whether the name of a class can be printed: it moves no cursor and turns no text."""
    return isinstance(name, str) and not any(map(_is_control, name))


def printable(text: str) -> str:
    """Return a text with each control character as Python writes it: \\x1b."""
    return "".join(ascii(each)[1:-1] if _is_control(each) else each for each in text)


def _is_control(letter: str) -> bool:
    category, direction = unicodedata.category(letter), unicodedata.bidirectional(letter)
    return category in NOT_SHOWN or direction in TURNS_TEXT
