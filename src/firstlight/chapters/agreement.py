"""Does what was printed agree with what the chapter says?

The words must be the same, and the numbers as near as the block's tolerance says. Processors round
differently, and a training enlarges the difference.
"""

import re
from dataclasses import dataclass

NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?")
TOLERANCE = re.compile(r"within (?P<amount>\d+(?:\.\d+)?) (?P<unit>%|points)")


@dataclass(frozen=True)
class Tolerance:
    """By how much printed numbers may differ: a share of the number, or an amount.

    By default, a number with a decimal point may differ by 2 %, and a whole number not at all. Any
    number that may differ may differ by one in its last place.
    """

    share: float = 0.02
    amount: float = 0.0
    of_whole_numbers: bool = False

    @classmethod
    def from_text(cls, text: str) -> "Tolerance":
        """Return what "within 20 %" or "within 3 points" says; for "", the default."""
        match = TOLERANCE.fullmatch(text.strip())
        if not match:
            if text.strip():
                raise ValueError(
                    f"{text!r} is no tolerance; write: within 20 %, or within 3 points"
                )
            return cls()
        amount = float(match["amount"])
        if match["unit"] == "%":
            return cls(share=amount / 100, of_whole_numbers=True)
        return cls(share=0, amount=amount, of_whole_numbers=True)

    def allows(self, said: str, printed: str) -> bool:
        """Return whether a printed number may stand for the number that is said."""
        if is_whole(said) != is_whole(printed):
            return False
        if is_whole(said) and not self.of_whole_numbers:
            return said == printed
        one, other = as_float(said), as_float(printed)
        allowed = max(self.share * abs(one), self.amount, last_place(said))
        return abs(one - other) <= 1.001 * allowed  # 0.1 + 0.2 is a little more than 0.3


def disagreement(said: str, printed: str, tolerance: Tolerance | None = None) -> str:
    """Return the first difference, in one line; "" if what was printed agrees with what is said."""
    tolerance = tolerance or Tolerance()
    said_lines, printed_lines = said.rstrip().splitlines(), printed.rstrip().splitlines()
    for expected, actual in zip(said_lines, printed_lines, strict=False):
        if not lines_agree(expected.rstrip(), actual.rstrip(), tolerance):
            return f"the chapter says {expected!r}, but the code printed {actual!r}"
    if len(said_lines) != len(printed_lines):
        return f"the chapter says {len(said_lines)} lines, but {len(printed_lines)} were printed"
    return ""


def lines_agree(said: str, printed: str, tolerance: Tolerance) -> bool:
    if words(said) != words(printed):
        return False
    pairs = zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True)
    return all(tolerance.allows(one, other) for one, other in pairs)


def words(line: str) -> list[str]:
    """Return what stands between the numbers; widths of columns do not count."""
    return NUMBER.sub("#", line).split()


def is_whole(number: str) -> bool:
    return "." not in number and "e" not in number


def as_float(number: str) -> float:
    return float(number.replace(",", ""))


def last_place(number: str) -> float:
    """Return the value of one in the number's last place: 0.01 for 3.12."""
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    return float(10.0 ** (int(exponent or 0) - decimals))
