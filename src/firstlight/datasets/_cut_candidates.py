"""Cuts a line of writing wherever it could be cut, and joins pieces: what could be one digit.

Every series of neighbouring pieces that could be one digit is a candidate. This is heuristic
over-segmentation (LeCun and others 1998, section V). The dataset cutouts is made of candidates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.reading.blobs import Blob, merge
from firstlight.reading.seams import PAPER_COST, cheapest_paths, part_between, trace_path

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MIN_WIDTH_TO_CUT = 0.6  # of the line's height; narrower blobs are one digit
MAX_CUTS = 5  # per blob
MAX_PIECES = 6  # per digit
MAX_GAP = 0.15  # line heights, between two pieces of one digit
MAX_CANDIDATE_WIDTH = 1.6  # line heights
GAP_AT_LINE_START = 9.0  # line heights: too wide to join anything across it


class Piece(NamedTuple):
    """A part of a line, and what separates it from the piece on its left."""

    blob: Blob
    gap: float  # paper between the two, over the line's height; 0 within one blob


class Seam(NamedTuple):
    """A path from the top of a blob to its bottom, along which the blob can be cut."""

    columns: Ints  # for each row, (h,)
    ink: float  # that it goes through, in pixels


# Lines → pieces


def line_height(line: Sequence[Blob]) -> float:
    """Return the height of a line's digits: a median in which taller blobs count more.

    Half of the sum of all heights is in blobs at least this high, so dots and specks do not count.
    """
    heights = np.sort([blob.height for blob in line])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def split_line(line: Sequence[Blob]) -> list[Piece]:
    """Return the pieces of a line from left to right."""
    height = line_height(line)
    pieces: list[Piece] = []
    for blob in line:
        gap = GAP_AT_LINE_START
        if pieces:
            gap = max(0, blob.x - pieces[-1].blob.right) / height
        first, *others = split_blob(blob, height)
        pieces.append(Piece(first, gap))
        pieces += [Piece(part, gap=0.0) for part in others]
    return pieces


def split_blob(blob: Blob, height: float) -> list[Blob]:
    """Return the parts of a wide blob from left to right; a narrow blob is its own only part."""
    if blob.width < MIN_WIDTH_TO_CUT * min(height, blob.height):
        return [blob]
    stroke_width = max(blob.stroke_width, 1.0)
    seams = cheapest_seams(blob.ink, min_distance=0.2 * min(height, blob.height))
    right_side = Seam(np.full(blob.height, blob.width), ink=0.0)
    parts: list[Blob] = []
    left = np.zeros(blob.height, np.int64)
    for seam in [*seams, right_side]:
        part = part_between(blob, left, seam.columns)
        if part.mass > 2 * stroke_width**2:
            parts.append(part)
            left = np.maximum(left, seam.columns)
        elif seam.ink == 0 and parts:  # a crumb that no cut separates from the part before it
            parts[-1] = merge([parts[-1], part])
    return parts or [blob]


def cheapest_seams(ink: Floats, min_distance: float) -> list[Seam]:
    """Return at most MAX_CUTS seams through little ink, from left to right.

    For each column at half the height, the cheapest seam through it is found: its upper half and
    its lower half are the cheapest paths to the top and to the bottom. Then columns are taken in
    the order of their seams' costs, each at least `min_distance` from those before it and from the
    sides.
    """
    height, width = ink.shape
    middle = height // 2
    cost = ink + PAPER_COST
    upper_cost, upper_steps = cheapest_paths(cost[middle::-1])
    lower_cost, lower_steps = cheapest_paths(cost[middle:])
    chosen: list[int] = []
    for column in np.argsort(upper_cost + lower_cost, kind="stable"):
        inside = min_distance <= column <= width - min_distance
        if inside and all(abs(column - other) >= min_distance for other in chosen):
            chosen.append(int(column))
    seams = []
    for column in sorted(chosen[:MAX_CUTS]):
        upper, lower = trace_path(upper_steps, column), trace_path(lower_steps, column)
        columns = np.concatenate([upper[:0:-1], lower])  # both contain the middle row
        seams.append(Seam(columns, ink=float(ink[np.arange(height), columns].sum())))
    return seams


# Pieces → candidates


def digit_candidates(pieces: Sequence[Piece], height: float) -> list[Blob]:
    """Return every series of pieces of a line that could be one digit."""
    candidates = []
    for start in range(len(pieces)):
        last_end = min(start + MAX_PIECES, len(pieces))
        for end in range(start + 1, last_end + 1):
            blob = merge([piece.blob for piece in pieces[start:end]])
            joined = pieces[start + 1 : end]
            if joined and (joined[-1].gap > MAX_GAP or blob.width > MAX_CANDIDATE_WIDTH * height):
                break
            candidates.append(blob)
    return candidates
