"""Does what was printed agree with what the chapter says?

The words must be the same. A number with a decimal point may differ by some per cent, or by one in
its last place: processors round differently. A whole number must be the same, unless the chapter
says by how much it may differ.
"""

import re

from firstlight.chapters.chapter import DEFAULT_PERCENT

NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?")


def disagreement(said: str, printed: str, percent: int = DEFAULT_PERCENT) -> str:
    """Return the first difference, in one line; "" if what was printed agrees with what is said.

    Args:
        percent: by how much numbers may differ; whole numbers only if it is not the default.
    """
    said_lines, printed_lines = said.rstrip().splitlines(), printed.rstrip().splitlines()
    for expected, actual in zip(said_lines, printed_lines, strict=False):
        if not lines_agree(expected.rstrip(), actual.rstrip(), percent):
            return f"the chapter says {expected!r}, but the code printed {actual!r}"
    if len(said_lines) != len(printed_lines):
        return f"the chapter says {len(said_lines)} lines, but {len(printed_lines)} were printed"
    return ""


def lines_agree(said: str, printed: str, percent: int) -> bool:
    if words(said) != words(printed):
        return False
    pairs = zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True)
    return all(numbers_agree(one, other, percent) for one, other in pairs)


def words(line: str) -> list[str]:
    """Return what stands between the numbers; widths of columns do not count."""
    return NUMBER.sub("#", line).split()


def numbers_agree(said: str, printed: str, percent: int) -> bool:
    if is_whole(said) != is_whole(printed):
        return False
    if is_whole(said) and percent == DEFAULT_PERCENT:
        return said == printed
    one, other = as_float(said), as_float(printed)
    return abs(one - other) <= max(percent / 100 * abs(one), 1.001 * last_place(said))


def is_whole(number: str) -> bool:
    return "." not in number and "e" not in number


def as_float(number: str) -> float:
    return float(number.replace(",", ""))


def last_place(number: str) -> float:
    """Return the value of one in the number's last place: 0.01 for 3.12."""
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    return float(10.0 ** (int(exponent or 0) - decimals))
