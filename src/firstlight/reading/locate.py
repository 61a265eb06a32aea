"""Finds the ink that may be digits: contrast (h, w) → connected marks → blobs.

Left out: ruled lines, frames and underlines; ink along the picture's border; specks.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firstlight.reading import components
from firstlight.reading.blobs import Blob, run_lengths, trim

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
Labels = NDArray[np.int32]

MIN_LONGEST_SIDE = 5  # pixels of the working picture; what is smaller is a speck
MIN_RELATIVE_DARKNESS = 0.35  # compared with the average ink; a pencil beside a pen has half
MAX_LINE_SLOPE = 0.12  # for ruled lines: the sheet may be turned by 7 degrees
BAND_WIDTH = 400  # pixels; within an upright band, all ruled lines have the same slope
MAX_BLOBS = 400  # in a picture: foliage has thousands, which would take minutes
MAX_COVERING = 3  # times that the boxes of blobs may cover the picture
MAX_SINGLE_BLOBS = 8  # in a picture of one digit: the digit's parts and its neighbours


class MeasuredBlob(NamedTuple):
    """A blob and how dark its ink is: contrast to the paper, 0..1."""

    blob: Blob
    darkness: float


class Marks(NamedTuple):
    """All connected ink of a picture, without specks and ruled lines."""

    blobs: list[MeasuredBlob]  # at most MAX_BLOBS
    others: Ints  # (n, 4): left, top, right, bottom of those that are too many to be cut out


def find_single(marks: Marks, shape: tuple[int, ...]) -> list[Blob]:
    """Return the blobs that may be the one digit of a picture, or parts of it, left to right."""
    blobs = digit_blobs(marks, shape)
    largest = max((blob.longest_side for blob in blobs), default=0)
    without_specks = [blob for blob in blobs if blob.longest_side >= 0.2 * largest]
    return sorted(without_specks, key=lambda blob: blob.center)[:MAX_SINGLE_BLOBS]


# Ink → blobs


def find_marks(contrast: Floats) -> Marks:
    """Return connected ink.

    A pixel that is less than half as dark as its component does not count as ink.
    """
    labels, boxes = components.label(contrast > 0)
    darkness = component_darkness(contrast, labels, len(boxes))
    mask = without_ruled_lines(contrast > 0.5 * darkness[labels])
    labels, boxes = components.label(mask)
    darkness = component_darkness(contrast, labels, len(boxes))
    blobs = []
    numbers = large_components(boxes)
    used = beside_each_other(numbers[:MAX_BLOBS], boxes, contrast.size)
    for number in used:
        level = darkness[number]
        blob = component_blob(contrast, labels, number, boxes[number - 1], level)
        blobs.append(MeasuredBlob(blob, float(level)))
    return Marks(blobs, others=boxes[np.setdiff1d(numbers, used, assume_unique=True) - 1])


def digit_blobs(marks: Marks, shape: tuple[int, ...]) -> list[Blob]:
    """Return the ink that may be digits of a picture (h, w)."""
    kept = without_pale_blobs(without_border_blobs(marks.blobs, shape))
    return [part for blob in kept for part in without_frame(blob)]


def component_darkness(contrast: Floats, labels: Labels, count: int) -> Floats:
    """Return how dark each component's ink is, (count + 1,); number 0 is the paper.

    It is the mean of the contrast weighted by the contrast itself, so that the halo and the texture
    around a stroke count for little.
    """
    inked = labels > 0
    components_, values = labels[inked], contrast[inked]
    total = np.bincount(components_, values, count + 1)
    squares = np.bincount(components_, values**2, count + 1)
    return np.asarray(squares / np.maximum(total, 1e-6), np.float32)


def large_components(boxes: Ints) -> Ints:
    """Return the numbers (from 1) of the components that are not specks, the largest first."""
    longest_side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    order = np.argsort(-longest_side, kind="stable")
    return np.asarray(order[longest_side[order] >= MIN_LONGEST_SIDE] + 1)


def beside_each_other(numbers: Ints, boxes: Ints, pixels: int) -> Ints:
    """Return components without the largest, if together their boxes cover the picture too often.

    Writing lies side by side. Rings in rings would take minutes, and gigabytes.

    Args:
        numbers: of components, the largest first.
    """
    areas = np.prod(boxes[numbers - 1, 2:] - boxes[numbers - 1, :2], axis=1)
    covered = np.cumsum(areas[::-1])[::-1]  # by this component and all smaller ones
    return numbers[covered <= MAX_COVERING * pixels]


def component_blob(
    contrast: Floats, labels: Labels, number: int, box: Ints, darkness: float
) -> Blob:
    """Return a component with its grey edges: one pixel more on each side than its mask has.

    Args:
        box: left, top, right, bottom of the component.
        darkness: the contrast of the component's ink, which becomes 1.
    """
    left, top = max(box[0] - 1, 0), max(box[1] - 1, 0)
    region = (slice(top, box[3] + 1), slice(left, box[2] + 1))
    mask = np.pad(labels[region] == number, 1)
    # A pixel of the component, or the left, right, upper or lower neighbour of one.
    near = mask[1:-1, :-2] | mask[1:-1, 1:-1] | mask[1:-1, 2:] | mask[:-2, 1:-1] | mask[2:, 1:-1]
    ink = np.where(near, (contrast[region] / darkness - 0.25) * 2, 0).clip(0, 1)
    return trim(Blob(int(left), int(top), ink.astype(np.float32)))


def without_border_blobs(
    blobs: Sequence[MeasuredBlob], shape: tuple[int, ...]
) -> Sequence[MeasuredBlob]:
    """Leave out what lies along the picture's border, such as a shadow, unless it is all."""
    inner = [measured for measured in blobs if not lies_along_border(measured.blob, shape)]
    return inner or blobs


def lies_along_border(blob: Blob, shape: tuple[int, ...]) -> bool:
    """Return whether the ink touches the border of a picture (h, w) for half of its longer side."""
    height, width = shape
    mask = blob.ink >= 0.5
    sides = [
        (blob.x <= 1, mask[:, 0]),
        (blob.y <= 1, mask[0]),
        (blob.right >= width - 1, mask[:, -1]),
        (blob.bottom >= height - 1, mask[-1]),
    ]
    touching = sum(int(side.sum()) for is_at_border, side in sides if is_at_border)
    return touching > blob.longest_side / 2


def without_pale_blobs(blobs: Sequence[MeasuredBlob]) -> list[Blob]:
    """Leave out what is far paler than most of the ink.

    That is ink that shows through from the other side, grain, and printed patterns.
    """
    mass = sum(blob.mass for blob, _ in blobs)
    mean_darkness = sum(blob.mass * darkness for blob, darkness in blobs) / max(mass, 1.0)
    return [blob for blob, darkness in blobs if darkness > MIN_RELATIVE_DARKNESS * mean_darkness]


def without_frame(blob: Blob) -> list[Blob]:
    """Return what remains of a blob without the box around it or the line under it.

    Most blobs have neither, and are returned as they are.
    """
    mask = blob.ink >= 0.5
    frame = box_around(mask)
    if not frame.any() and blob.width > 2 * blob.height:
        frame = thin_lines(mask, 1.5 * blob.height)
    if not frame.any():
        return [blob]
    labels, boxes = components.label(mask & ~frame)
    parts = [
        component_blob(blob.ink, labels, number, boxes[number - 1], darkness=1.0)
        for number in large_components(boxes)[:MAX_BLOBS]
    ]
    return [replace(part, x=part.x + blob.x, y=part.y + blob.y) for part in parts]


def box_around(mask: Mask) -> Mask:
    """Return the pixels (h, w) of a box: thin lines on all four sides; none if one is missing."""
    height, width = mask.shape
    horizontal = thin_lines(mask, 0.8 * width)
    if at_both_ends(horizontal.any(axis=1)):
        vertical = thin_lines(mask.T, 0.8 * height).T
        if at_both_ends(vertical.any(axis=0)):
            return horizontal | vertical
    return np.zeros_like(mask)


def at_both_ends(filled: Any) -> bool:
    """Return whether a row (n,) of booleans has a True in its first third and in its last."""
    third = max(1, len(filled) // 3)
    return bool(filled[:third].any() and filled[-third:].any())


# Ruled lines


def without_ruled_lines(mask: Mask) -> Mask:
    """Remove lines that cross most of the picture: ruled or squared paper, a cheque's line."""
    horizontal = ruled_lines(mask)
    if not horizontal.any():  # a long vertical stroke alone is a 1
        return mask
    return mask & ~horizontal & ~ruled_lines(mask.T).T


def ruled_lines(mask: Mask) -> Mask:
    """Return the pixels (h, w) of horizontal lines.

    They are searched strip by strip: on a sheet photographed from the side, their slope changes.
    """
    strips = np.array_split(mask, max(1, mask.shape[1] // BAND_WIDTH), axis=1)
    return np.concatenate([ruled_lines_of_band(strip) for strip in strips], axis=1)


def ruled_lines_of_band(mask: Mask) -> Mask:
    """Return the pixels (h, w) of lines that are level after the strip's slope is sheared away."""
    width = mask.shape[1]
    descent = line_descent(mask)
    min_length = 0.6 * width
    if descent == 0:
        return thin_lines(mask, min_length)
    margin = abs(descent)
    shifts = descent * np.arange(width) // width
    padded = np.pad(mask, ((margin, margin), (0, 0)))
    level_lines = thin_lines(shear(padded, shifts), min_length)
    return shear(level_lines, -shifts)[margin:-margin]


def shear(mask: Mask, shifts: Ints) -> Mask:
    """Move each column of (h, w) up by its shift (w,); what leaves at the top enters below."""
    height = mask.shape[0]
    return np.take_along_axis(mask, (np.arange(height)[:, None] + shifts) % height, axis=0)


def line_descent(mask: Mask) -> int:
    """Return by how many rows the ruled lines go down from the left side to the right side.

    Each possible slope is tried: at the right one, some row of the sheared picture is fullest.
    """
    width = mask.shape[1]
    step = max(1, width // 100)  # a hundred columns are enough
    y, x = np.nonzero(mask[:, ::step])
    largest = round(MAX_LINE_SLOPE * width)
    descents = range(-largest, largest + 1)
    fullest_rows = [
        np.bincount(y + largest - descent * x * step // width, minlength=1).max()
        for descent in descents
    ]
    best = int(np.argmax(fullest_rows))
    clearly_better_than_level = fullest_rows[best] > 1.2 * fullest_rows[largest]
    return descents[best] if clearly_better_than_level else 0


def thin_lines(mask: Mask, min_length: float) -> Mask:
    """Return the pixels (h, w) of thin level lines, without the strokes that cross them."""
    padded = np.pad(mask, ((1, 1), (0, 0)))
    broad = padded[:-2] | padded[1:-1] | padded[2:]  # so that a line may be slightly slanted
    broad = close_gaps(broad, min_length / 20)  # so that it may be printed faintly
    line = mask & (run_lengths(broad) >= min_length)
    if not line.any():
        return line
    vertical_extent = run_lengths(mask.T).T
    thickness = float(np.median(vertical_extent[line]))
    if thickness > min_length / 20:
        return np.zeros_like(mask)
    return line & (vertical_extent <= 2 * thickness)


def close_gaps(mask: Mask, max_length: float) -> Mask:
    """Fill the gaps in the rows of a mask (h, w) up to a length."""
    gaps = ~mask
    return mask | (gaps & (run_lengths(gaps) <= max_length))
