"""Texts that fit: measured, cut to a width, or broken into lines. Widths are pixels."""

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

DOTS_PER_INCH = 120  # of all figures


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return how wide a text of one line is drawn at that font size, in points.

    The widths of the characters are added up: matplotlib takes a millisecond for each text.
    """
    return sum(_character_width(character, size, weight) for character in text)


@cache
def _character_width(character: str, size: float, weight: str) -> float:
    # Between two others, because of a space alone matplotlib says that it has no width.
    return _drawn_width(f"o{character}o", size, weight) - _drawn_width("oo", size, weight)


@cache
def _drawn_width(text: str, size: float, weight: str) -> float:
    renderer: Any = RendererAgg(1, 1, DOTS_PER_INCH)  # type: ignore[no-untyped-call]
    font = FontProperties(size=size, weight=weight)
    return float(renderer.get_text_width_height_descent(text, font, ismath=False)[0])


def widest(texts: Sequence[str], size: float, weight: str = "normal") -> float:
    """Return the width of the widest text; 0 if there is none."""
    return max((text_width(text, size, weight) for text in texts), default=0.0)


def fitted(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Return the text, or the longest beginning of it that fits with an ellipsis."""
    if text_width(text, size, weight) <= width:
        return text
    length = len(text) - 1
    while length > 1 and text_width(f"{text[:length]}…", size, weight) > width:
        length -= 1
    return f"{text[:length]}…"


def wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text that is broken where it would be wider than `width`."""
    if text_width(text, size, weight) <= width:
        return [text]
    characters = len(text) - 1
    lines = textwrap.wrap(text, characters)
    while characters > 1 and widest(lines, size, weight) > width:
        characters -= 1
        lines = textwrap.wrap(text, characters)
    return lines
