"""Which ink may be digits, and in which order one reads it.

    contrast (h, w)  →  blobs  →  lines of blobs, top to bottom, each left to right

Left out are ruled lines, frames and underlines, what runs along the picture's edge, specks, and
the dots, commas and dashes between digits. What is a digit's second stroke is joined to its first.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.reading import components
from firstlight.reading.blobs import Blob, joined, run_lengths, trimmed

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

SMALLEST = 10  # pixels of the working picture: a digit of fewer cannot be told
PALEST = 0.35  # of the usual ink: a pencil beside a pen has half
STEEPEST = 0.12  # of a ruled line: a sheet that is turned by 7 degrees
STRIP = 400  # pixels from side to side in which a line's lean is one
MOST_BLOBS = 400  # of a picture: foliage has thousands, and would take minutes
MOST_PARTS = 8  # of a single digit and its neighbours


def lines(contrast: Floats) -> list[list[Blob]]:
    """Blobs that may be digits, in reading order."""
    return in_lines(whole_strokes(blobs(contrast)))


def blobs(contrast: Floats) -> list[Blob]:
    """Connected ink. What is less than half as dark as the ink that it hangs on to is no ink."""
    labels, boxes = components.label(contrast > 0)
    mask = without_rules(contrast > 0.5 * darkness(contrast, labels, len(boxes))[labels])
    labels, boxes = components.label(mask)
    levels = darkness(contrast, labels, len(boxes))
    found = {
        cut_out(contrast, labels, number, boxes[number - 1], levels[number]): float(levels[number])
        for number in tall_enough(boxes)
    }
    inner = dark_enough({blob: found[blob] for blob in without_edges(list(found), contrast.shape)})
    return [part for blob in inner for part in without_frame(blob)]


def dark_enough(found: dict[Blob, float]) -> list[Blob]:
    """Without what is far paler than most of the ink: what shows through, grain, printed patterns.

    Args:
        found: blobs, and how dark each is.
    """
    inked = sum(blob.amount for blob in found)
    usual = sum(blob.amount * level for blob, level in found.items()) / max(inked, 1.0)
    return [blob for blob, level in found.items() if level > PALEST * usual]


def darkness(contrast: Floats, labels: NDArray[np.int32], count: int) -> Floats:
    """How dark each component's ink is: (count + 1,), the mean weighted by the contrast itself.

    So weighted, the halo and the texture that hang on to a stroke count for little.
    """
    inked = labels > 0
    of, values = labels[inked], contrast[inked]
    total = np.bincount(of, values, count + 1)
    squares = np.bincount(of, values**2, count + 1)
    return np.asarray(squares / np.maximum(total, 1e-6), np.float32)


def tall_enough(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the components that are no specks; of very many the largest."""
    longest = (boxes[:, 2:] - boxes[:, :2]).max(1, initial=0)
    order = np.argsort(-longest, kind="stable")[:MOST_BLOBS]
    return np.asarray(order[longest[order] >= SMALLEST / 2] + 1)


def cut_out(
    contrast: Floats, labels: NDArray[np.int32], number: int, box: NDArray[np.int64], level: float
) -> Blob:
    """A component with its grey edges: a pixel more on each side than the mask has."""
    left, top = max(box[0] - 1, 0), max(box[1] - 1, 0)
    here = (slice(top, box[3] + 1), slice(left, box[2] + 1))
    near = np.pad(labels[here] == number, 1)
    near = near[1:-1, :-2] | near[1:-1, 1:-1] | near[1:-1, 2:] | near[:-2, 1:-1] | near[2:, 1:-1]
    ink = np.where(near, (contrast[here] / level - 0.25) * 2, 0).clip(0, 1)
    return trimmed(Blob(int(left), int(top), ink.astype(np.float32)))


def without_rules(mask: Mask) -> Mask:
    """Without lines that cross most of the picture: ruled paper, squared paper, a cheque's line."""
    across = long_lines(mask)
    if not across.any():  # a long upright stroke alone is a 1
        return mask
    return mask & ~across & ~long_lines(mask.T).T


def long_lines(mask: Mask) -> Mask:
    """Lines across, strip by strip: of a sheet seen from aside each leans another way."""
    strips = np.array_split(mask, max(1, mask.shape[1] // STRIP), axis=1)
    return np.concatenate([lines_across(strip) for strip in strips], axis=1)


def lines_across(mask: Mask) -> Mask:
    """Those that are level when the picture is sheared as the fullest row asks for."""
    width = mask.shape[1]
    fall = lean(mask)
    if not fall:
        return thin_lines(mask, 0.6 * width)
    rows = fall * np.arange(width) // width
    padded = np.pad(mask, ((abs(fall), abs(fall)), (0, 0)))
    lines_ = sheared(thin_lines(sheared(padded, rows), 0.6 * width), -rows)
    return lines_[abs(fall) : -abs(fall)]


def sheared(mask: Mask, rows: Ints) -> Mask:
    """Each column moved up by so many rows; what leaves at the top comes in below."""
    height = mask.shape[0]
    return np.take_along_axis(mask, (np.arange(height)[:, None] + rows) % height, 0)


def lean(mask: Mask) -> int:
    """How far the picture's lines rise or fall from its left to its right side, in pixels."""
    width = mask.shape[1]
    every = max(1, width // 100)  # a hundred columns will do
    y, x = np.nonzero(mask[:, ::every])
    reach = round(STEEPEST * width)
    fullest = [
        np.bincount(y + reach - rise * x * every // width, minlength=1).max()
        for rise in range(-reach, reach + 1)
    ]
    best = int(np.argmax(fullest)) - reach
    return best if fullest[best + reach] > 1.2 * fullest[reach] else 0


def without_frame(blob: Blob) -> list[Blob]:
    """What is left of a blob without the box around it or the line under it; mostly itself."""
    mask = blob.ink >= 0.5
    across, along = thin_lines(mask, 0.8 * blob.width), thin_lines(mask.T, 0.8 * blob.height).T
    if both_sides(across.any(1)) and both_sides(along.any(0)):
        lines_ = across | along
    elif blob.width > 2 * blob.height:
        lines_ = thin_lines(mask, 1.5 * blob.height)
    else:
        return [blob]
    if not lines_.any():
        return [blob]
    labels, boxes = components.label(mask & ~lines_)
    parts = [cut_out(blob.ink, labels, n, boxes[n - 1], 1.0) for n in tall_enough(boxes)]
    return [replace(part, x=part.x + blob.x, y=part.y + blob.y) for part in parts]


def both_sides(filled: Any) -> bool:
    third = max(1, len(filled) // 3)
    return bool(filled[:third].any() and filled[-third:].any())


def thin_lines(mask: Mask, length: float) -> Mask:
    """The pixels of thin level lines at least so long, but for the strokes that cross them."""
    broad = np.pad(mask, ((1, 1), (0, 0)))
    broad = broad[:-2] | broad[1:-1] | broad[2:]  # then a line may lean a little,
    broad = without_gaps(broad, length / 20)  # and be printed faintly
    line = mask & (run_lengths(broad) >= length)
    if not line.any():
        return line
    upright = run_lengths(mask.T).T
    thickness = float(np.median(upright[line]))
    return line & (upright <= 2 * thickness) & (thickness <= length / 20)


def without_gaps(mask: Mask, longest: float) -> Mask:
    """The gaps in its rows filled, up to a length."""
    gaps = ~mask
    return mask | (gaps & (run_lengths(gaps) <= longest))


def without_edges(found: list[Blob], shape: tuple[int, ...]) -> list[Blob]:
    """Without what lies along the picture's edge, a shadow or the table, if there is more."""
    kept = [blob for blob in found if not lies_along(blob, shape)]
    return kept or found


def lies_along(blob: Blob, shape: tuple[int, ...]) -> bool:
    height, width = shape
    mask = blob.ink >= 0.5
    touching = (
        mask[:, 0].sum() * (blob.x <= 1)
        + mask[0].sum() * (blob.y <= 1)
        + mask[:, -1].sum() * (blob.right >= width - 1)
        + mask[-1].sum() * (blob.bottom >= height - 1)
    )
    return bool(touching > max(blob.height, blob.width) / 2)


def whole_strokes(found: list[Blob]) -> list[Blob]:
    """Small blobs joined to the digit that they are a part of, or left out: dots and dashes."""
    whole = without_breaks(found)
    for small in sorted(whole, key=lambda blob: max(blob.height, blob.width)):
        near = [blob for blob in whole if blob is not small and is_small_beside(small, blob)]
        if small not in whole or not (near or small.flat):  # it has grown, or is a digit
            continue
        whole.remove(small)
        owner = max(near, key=lambda blob: overlap(small, blob), default=None)
        if owner and is_part_of(small, owner):
            whole[whole.index(owner)] = joined([owner, small])
    return [blob for blob in whole if blob.height >= SMALLEST]


def without_breaks(found: list[Blob]) -> list[Blob]:
    """Blobs joined that lie one above the other, nearer than the pen is wide."""
    whole: list[Blob] = []
    for blob in sorted(found, key=lambda blob: blob.y):
        above = [upper for upper in whole if is_broken_off(blob, upper)]
        whole = [upper for upper in whole if upper not in above]
        whole.append(joined([*above, blob]))
    return whole


def is_broken_off(lower: Blob, upper: Blob) -> bool:
    alike = 0.4 < lower.height / upper.height < 2.5  # what is smaller is looked at later
    under = alike and overlap(lower, upper) >= 0.5 * min(lower.width, upper.width)
    pen = min(lower.pen, upper.pen)
    return under and not is_under(lower, upper) and -pen <= lower.y - upper.bottom <= pen


def is_small_beside(small: Blob, tall: Blob) -> bool:
    near = gap(small, tall) < tall.height and small.y < tall.bottom + 0.3 * tall.height
    below_top = small.bottom > tall.y - 0.3 * tall.height
    flat = small.flat and small.height < 0.4 * tall.height
    return near and below_top and (flat or max(small.height, small.width) < 0.45 * tall.height)


def is_part_of(small: Blob, tall: Blob) -> bool:
    """Over or in the digit: the end of a broken stroke; or on its upper right: the flag of a 5."""
    above, below = tall.y - small.y, small.bottom - tall.bottom
    if small.flat and small.bottom < tall.y + 0.3 * tall.height:
        return above < 0.4 * tall.height and overlap(small, tall) >= 0.1 * small.width
    inside = above < 0.2 * tall.height and below < 0.1 * tall.height
    return inside and not is_under(small, tall) and overlap(small, tall) >= 0.5 * small.width


def is_under(small: Blob, tall: Blob) -> bool:
    """A line that was drawn or printed under it."""
    return small.flat and small.middle[1] > tall.bottom - 0.1 * tall.height


def overlap(one: Blob, other: Blob) -> float:
    """Pixels that they share from left to right."""
    return max(0, min(one.right, other.right) - max(one.x, other.x))


def gap(one: Blob, other: Blob) -> float:
    return max(0, max(one.x, other.x) - min(one.right, other.right))


def in_lines(found: list[Blob]) -> list[list[Blob]]:
    """Each blob goes to the line whose last digit is most beside it, so that lines may lean."""
    grown: list[list[Blob]] = []
    for blob in sorted(found, key=lambda blob: blob.middle):
        shares = [beside(blob, line[-1]) for line in grown]
        if shares and max(shares) > 0.4:
            grown[int(np.argmax(shares))].append(blob)
        else:
            grown.append([blob])
    return sorted(grown, key=lambda line: np.mean([blob.middle[1] for blob in line]))


def beside(one: Blob, other: Blob) -> float:
    """The part of the lower one's height that both share."""
    shared = min(one.bottom, other.bottom) - max(one.y, other.y)
    return shared / min(one.height, other.height)


def single(contrast: Floats) -> list[Blob]:
    """From left to right what may be the one digit of the picture, or parts of it; no specks."""
    found = blobs(contrast)
    most = max((max(blob.height, blob.width) for blob in found), default=0)
    kept = [blob for blob in found if max(blob.height, blob.width) >= 0.2 * most]
    return sorted(kept, key=lambda blob: blob.middle)[:MOST_PARTS]
