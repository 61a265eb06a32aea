"""Which values in arrays stand for black and for white: 0 and 255, 0 and 1, -1 and 1, ..."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ValueRange:
    """The values that become 0 and 255."""

    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.lowest:g} to {self.highest:g}"

    def to_json(self) -> list[float]:
        return [self.lowest, self.highest]

    @classmethod
    def from_json(cls, document: Any) -> "ValueRange | None":
        """Return the range of a document, None if it is not known.

        Raises:
            TypeError, ValueError: the document is no range.
        """
        if document is None:
            return None
        lowest, highest = map(float, document)
        if not (math.isfinite(lowest) and math.isfinite(highest) and lowest < highest):
            raise ValueError(f"no range of values: {document}")
        return cls(lowest, highest)


BYTES = ValueRange(0, 255)
