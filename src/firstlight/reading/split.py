"""Digits that touch, and digits in two pieces: try what could be one digit, keep the surest.

A line is cut wherever it could be cut. Every stretch between two cuts that could be a digit is
shown to the network, all at once; then the cheapest way through the line is found, as in reading by
segmentation and recognition together (LeCun and others 1998, section V).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.reading.blobs import Blob, joined, trimmed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

WIDE = 0.6  # of the line's height: what is narrower is one digit
MOST_CUTS = 5
MOST_PIECES = 6
CUT = 0.2  # what one cut stroke counts, as a logarithm of probability


class Piece(NamedTuple):
    """A part of a line, and what it costs to cut it from the piece before it, in strokes."""

    blob: Blob
    cut: float  # ink that the cut goes through; 0 where there is none
    gap: float  # paper between the two, over the line's height; 0 in one blob


class Candidate(NamedTuple):
    """Pieces `start` to `end` taken for one digit."""

    start: int
    end: int
    blob: Blob
    penalty: float


def line_height(line: list[Blob]) -> float:
    """Half of the line's ink height is in blobs at least so high: dots and bits do not count."""
    heights = np.sort([blob.height for blob in line])
    return float(heights[np.searchsorted(np.cumsum(heights), heights.sum() / 2)])


def pieces(line: list[Blob]) -> list[Piece]:
    height = line_height(line)
    found: list[Piece] = []
    for blob in line:
        gap = max(0, blob.x - found[-1].blob.right) / height if found else 9.0
        parts = cut_up(blob, height)
        found.append(Piece(parts[0][0], 0.0, gap))
        found += [Piece(part, cut, 0.0) for part, cut in parts[1:]]
    return found


def cut_up(blob: Blob, height: float) -> list[tuple[Blob, float]]:
    """A wide blob's parts from left to right, each with the strokes cut on its left."""
    if blob.width < WIDE * min(height, blob.height):
        return [(blob, 0.0)]
    pen = max(blob.pen, 1.0)
    seams = cheapest_seams(blob.ink, 0.2 * min(height, blob.height))
    columns = np.arange(blob.width)
    parts, left, cost = [], np.zeros(blob.height, np.int64), 0.0
    for seam, ink in [*seams, (np.full(blob.height, blob.width), 0.0)]:
        inside = (columns >= left[:, None]) & (columns < seam[:, None])
        part = trimmed(replace(blob, ink=np.where(inside, blob.ink, 0).astype(np.float32)))
        if part.amount > 2 * pen**2:
            parts.append((part, cost))
            left, cost = np.maximum(left, seam), ink / pen
        elif ink == 0 and parts:  # a crumb at the right end belongs to the part before it
            parts[-1] = joined([parts[-1][0], part]), parts[-1][1]
    return parts or [(blob, 0.0)]


def cheapest_seams(ink: Floats, apart: float) -> list[tuple[Ints, float]]:
    """Ways from top to bottom through the least ink: for each the column by row, and its ink.

    From every column at half the height the cheapest way is found to the top and to the bottom,
    a row a step, at most a column aside; then the columns where it is cheaper than around.
    """
    middle = len(ink) // 2
    cost = ink + 0.02  # of two ways through paper, the shorter
    up, up_from = ways(cost[middle::-1])
    down, down_from = ways(cost[middle:])
    total = up + down
    chosen: list[int] = []
    for column in np.argsort(total, kind="stable"):
        inside = apart <= column <= ink.shape[1] - apart
        if inside and all(abs(column - other) >= apart for other in chosen):
            chosen.append(int(column))
    seams = []
    for column in sorted(chosen[:MOST_CUTS]):
        seam = np.concatenate([follow(up_from, column)[:0:-1], follow(down_from, column)])
        seams.append((seam, float(ink[np.arange(len(ink)), seam].sum())))
    return seams


def ways(cost: Floats) -> tuple[Floats, Ints]:
    """The cost of the cheapest way from the first row to the last, by where it starts; the steps.

    Returns:
        (w,); (h - 1, w): from a row's column, the column to go to in the next row.
    """
    height, width = cost.shape
    total = cost[-1].copy()
    steps = np.empty((height - 1, width), np.int64)
    columns = np.arange(width)
    padded = np.full(width + 2, np.inf, np.float32)  # beyond both ends there is no way
    for row in range(height - 2, -1, -1):
        padded[1:-1] = total
        aside = np.stack([padded[1:-1], padded[:-2] + 0.02, padded[2:] + 0.02])
        best = aside.argmin(0)
        steps[row] = columns + np.array([0, -1, 1])[best]
        total = cost[row] + aside[best, columns]
    return total, steps


def follow(steps: Ints, column: int) -> Ints:
    way = [column]
    for step in steps:
        way.append(int(step[way[-1]]))
    return np.array(way)


def candidates(found: list[Piece], height: float) -> list[Candidate]:
    """Every stretch of pieces that could be one digit."""
    possible = []
    for start in range(len(found)):
        for end in range(start + 1, min(start + MOST_PIECES, len(found)) + 1):
            blob = joined([piece.blob for piece in found[start:end]])
            inner = found[start + 1 : end]
            if inner and (inner[-1].gap > 0.15 or blob.width > 1.6 * height):
                break
            ends = strokes_cut(found, start, end)
            possible.append(Candidate(start, end, blob, penalty(blob, inner, ends, height)))
    return possible


def stretches(found: list[Piece]) -> list[Candidate]:
    """Every stretch of pieces, where the whole picture is one digit and the rest its neighbours.

    A part of the ink is as much less likely than all of it as it is smaller.
    """
    everything = joined([piece.blob for piece in found]).amount
    possible = []
    for start in range(len(found)):
        for end in range(start + 1, len(found) + 1):
            blob = joined([piece.blob for piece in found[start:end]])
            share = max(blob.amount / everything, 1e-6)
            against = CUT * strokes_cut(found, start, end) - float(np.log(share))
            possible.append(Candidate(start, end, blob, against))
    return possible


def strokes_cut(found: list[Piece], start: int, end: int) -> float:
    return found[start].cut + (found[end].cut if end < len(found) else 0.0)


def penalty(blob: Blob, inner: list[Piece], ends: float, height: float) -> float:
    """What speaks against a stretch's being one digit, as a logarithm of probability."""
    apart = sum(0.15 + 2.5 * piece.gap for piece in inner if piece.cut == 0)
    low = 5 * max(0.0, 0.6 - blob.height / height)
    wide = 3 * max(0.0, blob.width / height - 1) + 3 * max(0.0, blob.width / blob.height - 1.3)
    return CUT * ends + apart + low + wide


def doubts(possible: list[Candidate], sure: Floats) -> Floats:
    """For each candidate what speaks against it, its likeliest digit's improbability included."""
    against = np.array([candidate.penalty for candidate in possible], np.float32)
    return np.asarray(against - np.log(np.maximum(sure, 1e-4)), np.float32)


def likeliest_chain(possible: list[Candidate], doubt: Floats) -> list[int]:
    """The chain of candidates through the whole line with the least doubt: their indices."""
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    last = max(candidate.end for candidate in possible)
    for end in range(1, last + 1):
        chains = [
            (best[candidate.start][0] + float(doubt[index]), [*best[candidate.start][1], index])
            for index, candidate in enumerate(possible)
            if candidate.end == end and candidate.start in best
        ]
        if chains:
            best[end] = min(chains)
    return best[last][1]
