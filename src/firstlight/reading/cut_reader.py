"""Reads digits that are cut out: ink → blobs → pieces → candidates → the cheapest chain of digits.

A model of digits that the user gives reads so. It sees one digit at a time.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from firstlight.reading import locate, split
from firstlight.reading.blobs import Blob, Box
from firstlight.reading.recognition import Recognition, recognize
from firstlight.reading.recognizer import Recognizer
from firstlight.reading.unread import find_unread


def recognize_ink(
    contrast: NDArray[np.float32], network: Recognizer, single: bool = False
) -> tuple[list[list[Recognition]], list[Box]]:
    """Recognise the digits of each line.

    Returns:
        the lines, what is no digit included;
        the boxes of the ink that may be a digit and was not read. If the picture is a single digit,
        or if no digit was read, there are none.
    """
    marks = locate.find_marks(contrast)
    if single:
        return read_single(locate.find_single(marks, contrast.shape), network), []
    lines = read_lines(locate.find_lines(marks, contrast.shape), network)
    return lines, find_unread(marks, lines, network)


def read_lines(lines: Sequence[list[Blob]], network: Recognizer) -> list[list[Recognition]]:
    """Recognise the digits of each line; the network sees all candidates of a picture at once."""
    candidates = [
        split.digit_candidates(split.split_line(line), split.line_height(line)) for line in lines
    ]
    recognized = iter(recognize([each.blob for line in candidates for each in line], network))
    results = []
    for line in candidates:
        recognized_line = [next(recognized) for _ in line]
        path = split.cheapest_path(line, candidate_costs(line, recognized_line, network))
        results.append([recognized_line[index] for index in path])
    return results


def read_single(blobs: list[Blob], network: Recognizer) -> list[list[Recognition]]:
    """Recognise the one digit that some blobs contain: one line of one digit, or no line."""
    if not blobs:
        return []
    candidates = split.single_candidates(split.split_line(blobs))
    recognized = recognize([candidate.blob for candidate in candidates], network)
    best = int(candidate_costs(candidates, recognized, network).argmin())
    return [[recognized[best]]]


def candidate_costs(
    candidates: Sequence[split.Candidate], recognized: Sequence[Recognition], network: Recognizer
) -> NDArray[np.float32]:
    """Return the cost of taking each candidate for a digit, (n,)."""
    probabilities = np.array([recognition.probabilities for recognition in recognized])
    return split.costs(candidates, network.digit_confidence(probabilities))
