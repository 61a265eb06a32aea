"""Separates digits that touch, and joins digits in pieces: tries what could be one digit.

A line is cut wherever it could be cut, into pieces. Every series of neighbouring pieces that could
be one digit is a candidate. The network sees all candidates at once, then the cheapest path through
the line is chosen. This is heuristic over-segmentation (LeCun and others 1998, section V).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.reading.blobs import Blob, merge, trim

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MIN_WIDTH_TO_CUT = 0.6  # of the line's height; narrower blobs are one digit
MAX_CUTS = 5  # per blob
MAX_PIECES = 6  # per digit
STROKE_CUT_COST = 0.2  # for a cut through one stroke
PAPER_COST = 0.02  # for each step of a seam, as ink, also on paper: shorter seams are cheaper
STEP_ASIDE_COST = 0.02  # for each step to the side, as ink: straighter seams are cheaper
GAP_AT_LINE_START = 9.0  # line heights: too wide to join anything across it


class Piece(NamedTuple):
    """A part of a line, and what separates it from the piece on its left."""

    blob: Blob
    strokes_cut: float  # how many strokes the cut goes through; 0 if it is not a cut
    gap: float  # paper between the two, over the line's height; 0 within one blob


class Candidate(NamedTuple):
    """The pieces from `start` up to, not including, `end`, taken for one digit."""

    start: int
    end: int
    blob: Blob
    penalty: float  # what its shape costs, as a negative logarithm of a probability


class Seam(NamedTuple):
    """A path from the top of a blob to its bottom, along which the blob can be cut."""

    columns: Ints  # for each row, (h,)
    ink: float  # that it goes through, in pixels


@dataclass
class BlobPart:
    """A part that is cut off a blob, and how many strokes the cut on its left goes through."""

    blob: Blob
    strokes_cut: float


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
        pieces.append(Piece(first.blob, strokes_cut=0.0, gap=gap))
        pieces += [Piece(part.blob, part.strokes_cut, gap=0.0) for part in others]
    return pieces


def split_blob(blob: Blob, height: float) -> list[BlobPart]:
    """Return the parts of a wide blob from left to right; a narrow blob is its own only part."""
    if blob.width < MIN_WIDTH_TO_CUT * min(height, blob.height):
        return [BlobPart(blob, 0.0)]
    stroke_width = max(blob.stroke_width, 1.0)
    seams = cheapest_seams(blob.ink, min_distance=0.2 * min(height, blob.height))
    right_side = Seam(np.full(blob.height, blob.width), ink=0.0)
    parts: list[BlobPart] = []
    left, strokes_cut = np.zeros(blob.height, np.int64), 0.0
    for seam in [*seams, right_side]:
        part = part_between(blob, left, seam.columns)
        if part.mass > 2 * stroke_width**2:
            parts.append(BlobPart(part, strokes_cut))
            left, strokes_cut = np.maximum(left, seam.columns), seam.ink / stroke_width
        elif seam.ink == 0 and parts:  # a crumb that no cut separates from the part before it
            parts[-1].blob = merge([parts[-1].blob, part])
    return parts or [BlobPart(blob, 0.0)]


def part_between(blob: Blob, left: Ints, right: Ints) -> Blob:
    """Return the ink in the columns from `left` up to, not including, `right`; both (h,)."""
    first, last = int(left.min()), int(right.max())
    columns = np.arange(first, last)
    inside = (columns >= left[:, None]) & (columns < right[:, None])
    return trim(Blob(blob.x + first, blob.y, blob.ink[:, first:last] * inside))


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


def cheapest_paths(cost: Floats) -> tuple[Floats, Ints]:
    """Find the cheapest path from each column of the first row to the last row of (h, w).

    A path goes down one row a step, and at most one column to the side.

    Returns:
        the costs of the paths, (w,);
        the steps, (h - 1, w): for each pixel the column of the path's pixel in the next row.
    """
    height, width = cost.shape
    total = cost[-1].copy()
    steps = np.empty((height - 1, width), np.int64)
    columns = np.arange(width)
    padded = np.full(width + 2, np.inf, np.float32)  # no path leaves the picture
    for row in range(height - 2, -1, -1):
        padded[1:-1] = total
        straight = padded[1:-1]
        left, right = padded[:-2] + STEP_ASIDE_COST, padded[2:] + STEP_ASIDE_COST
        options = np.stack([straight, left, right])
        best = options.argmin(axis=0)
        steps[row] = columns + np.array([0, -1, 1])[best]
        total = cost[row] + options[best, columns]
    return total, steps


def trace_path(steps: Ints, column: int) -> Ints:
    """Return the columns of the path, (h,), that starts in a column of the first row."""
    path = [column]
    for step in steps:
        path.append(int(step[path[-1]]))
    return np.array(path)


# Pieces → candidates


def digit_candidates(pieces: Sequence[Piece], height: float) -> list[Candidate]:
    """Return every series of pieces of a line that could be one digit."""
    candidates = []
    for start in range(len(pieces)):
        last_end = min(start + MAX_PIECES, len(pieces))
        for end in range(start + 1, last_end + 1):
            blob = merge([piece.blob for piece in pieces[start:end]])
            joined = pieces[start + 1 : end]
            if joined and (joined[-1].gap > 0.15 or blob.width > 1.6 * height):
                break
            cut_cost = STROKE_CUT_COST * strokes_cut(pieces, start, end)
            penalty = cut_cost + gap_penalty(joined) + shape_penalty(blob, height)
            candidates.append(Candidate(start, end, blob, penalty))
    return candidates


def single_candidates(pieces: Sequence[Piece]) -> list[Candidate]:
    """Return every series of pieces of a picture that shows one digit, and maybe its neighbours.

    A part of the ink is less probable than all of it, in proportion to its mass.
    """
    whole_mass = merge([piece.blob for piece in pieces]).mass
    candidates = []
    for start in range(len(pieces)):
        for end in range(start + 1, len(pieces) + 1):
            blob = merge([piece.blob for piece in pieces[start:end]])
            fraction = max(blob.mass / whole_mass, 1e-6)
            cut_cost = STROKE_CUT_COST * strokes_cut(pieces, start, end)
            penalty = cut_cost - float(np.log(fraction))
            candidates.append(Candidate(start, end, blob, penalty))
    return candidates


def strokes_cut(pieces: Sequence[Piece], start: int, end: int) -> float:
    """Return how many strokes are cut on both sides of a series of pieces."""
    on_the_left = pieces[start].strokes_cut
    on_the_right = pieces[end].strokes_cut if end < len(pieces) else 0.0
    return on_the_left + on_the_right


def gap_penalty(joined: Sequence[Piece]) -> float:
    """Return the cost of the gaps in one digit; `joined` is all its pieces except the first."""
    return sum(0.15 + 2.5 * piece.gap for piece in joined if piece.strokes_cut == 0)


def shape_penalty(blob: Blob, height: float) -> float:
    """Return the cost of one digit that is low or wide, in a line of that height."""
    low = 5 * max(0.0, 0.6 - blob.height / height)
    wide_in_line = 3 * max(0.0, blob.width / height - 1)
    wide_in_itself = 3 * max(0.0, blob.width / blob.height - 1.3)
    return low + wide_in_line + wide_in_itself


# Candidates → digits


def costs(candidates: Sequence[Candidate], confidences: Floats) -> Floats:
    """Return each candidate's cost, (n,): its penalty, minus the logarithm of its confidence.

    Args:
        confidences: the probability of each candidate's most probable digit, (n,).
    """
    penalties = np.array([candidate.penalty for candidate in candidates], np.float32)
    return np.asarray(penalties - np.log(np.maximum(confidences, 1e-4)), np.float32)


def cheapest_path(candidates: Sequence[Candidate], costs: Floats) -> list[int]:
    """Return the indices of the candidates that lead through the whole line at the least cost.

    Each of them starts with the piece at which the one before it ends (dynamic programming).
    """
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}  # end → cost and path up to there
    last = max(candidate.end for candidate in candidates)
    for end in range(1, last + 1):
        paths = [
            (best[candidate.start][0] + float(costs[index]), [*best[candidate.start][1], index])
            for index, candidate in enumerate(candidates)
            if candidate.end == end and candidate.start in best
        ]
        if paths:
            best[end] = min(paths)
    return best[last][1]
