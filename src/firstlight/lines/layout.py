"""Lines of writing: glyphs side by side, and the strokes that people write between and on them.

A patch (32, 56) holds one drawn glyph. In the arrays of a batch's glyphs, `strip` is the number of
a glyph's strip, and `order` its place in the strip, from 0; `place` is both.

All strips of a batch are laid out at once. A strip is 32 pixels high; ink is 0 to 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.lines.glyphs import DISTANCE_UNITS, SIDE, Glyphs
from firstlight.reading.strip import STRIP_HEIGHT

PATCH = 56  # pixels: the width of the area in which one glyph is drawn
MAX_DIGITS = 12
# How much of a digit at the strip's end is visible: less than the first is drawn, but not read;
# more than the second is read; between them, where even a person would hesitate, nothing is drawn.
MAX_PIECE, MIN_WHOLE = 0.3, 0.8
FITTED_SIDE = 40  # of a field: MNIST's digits were fitted into 20×20, and fields are twice as large

Floats = NDArray[np.floating[Any]]  # float32 for whatever is as large as a batch
Ints = NDArray[np.int64]
Random = np.random.Generator


@dataclass(frozen=True)
class Writing:
    """How the digits of each strip are written; every array is (n,)."""

    count: Ints  # digits, at most MAX_DIGITS
    height: Floats  # of a digit, in pixels
    unequal: Floats  # standard deviation of the heights' logarithm
    stretch: Floats  # width over height, compared with MNIST's
    slant: Floats  # columns per row
    slope: Floats  # of the line, rows per column
    baseline: Floats  # rows from the top of the strip
    restless: Floats  # standard deviation of the baseline, over the height
    gap: Floats  # mean gap between digits, over the height; negative if they overlap
    gap_spread: Floats
    pitch: Floats  # distance of printed cells, in pixels; 0 if there are none
    pen: Floats  # width in pixels; 0: as MNIST's writers wrote
    european: Floats  # probability of flags on 1s and bars through 7s
    joined: Floats  # probability that a stroke joins two digits
    marks: Floats  # probability of a dot, comma or dash after a digit
    letters: Floats  # probability that a glyph is a letter
    zeros: Ints  # how many digits at the end are 0, as in round amounts
    zero_height: Floats  # of these, over that of the others
    again: Floats  # probability that a digit is the same as the one before

    def __len__(self) -> int:
        return len(self.count)


@dataclass(frozen=True)
class Strokes:
    """Straight strokes: numbers of their pictures (n,), ends (n, 4) x, y, x, y; widths (n,)."""

    picture: Ints
    ends: Floats
    width: Floats


@dataclass(frozen=True)
class Lines:
    """Strips with their writing, and what it says."""

    ink: Floats  # (n, 32, width), 0..1
    labels: Ints  # (n, MAX_DIGITS), from left to right; then -1
    writing: Writing
    left: Floats  # (n,): where the writing begins and ends, in pixels
    right: Floats
    cells: Floats  # (n,): the left side of the first printed cell


def choose(random: Random, chosen: Floats, *options: Floats) -> Floats:
    """Return (n,): each value from one of the options (n,), whose probabilities are `chosen`."""
    which = np.searchsorted(np.cumsum(chosen)[:-1], random.random(len(options[0])))
    return np.choose(which, options).astype(np.float32)


def uniform(random: Random, low: float, high: float, count: int) -> Floats:
    return random.uniform(low, high, count).astype(np.float32)


def writing(random: Random, strips: int, width: int) -> Writing:
    """Choose how each strip is written, as differently as people write."""
    height = choose(
        random,
        np.array([0.72, 0.15, 0.09, 0.04]),
        uniform(random, 18, 27, strips),
        uniform(random, 12, 18, strips),
        uniform(random, 27, 33, strips),
        uniform(random, 33, 38, strips),  # cut off at the frame
    )
    gap = choose(
        random,
        np.array([0.35, 0.4, 0.25]),
        uniform(random, -0.15, 0.08, strips),
        uniform(random, 0.0, 0.45, strips),
        uniform(random, 0.3, 1.4, strips),
    )
    most = np.clip(width / (height * (0.6 + np.maximum(gap, 0))), 1, MAX_DIGITS)
    count = np.ceil(most * random.random(strips) ** 0.6)
    count = np.where(random.random(strips) < 0.13, 0, count).astype(np.int64)
    zero = np.zeros(strips, np.float32)
    free = STRIP_HEIGHT - height
    return Writing(
        count=count,
        height=height,
        unequal=choose(
            random, np.array([0.7, 0.3]), zero + 0.07, uniform(random, 0.1, 0.3, strips)
        ),
        stretch=np.exp(random.normal(0.03, 0.2, strips)).astype(np.float32),
        slant=random.normal(0.08, 0.27, strips).clip(-0.5, 1).astype(np.float32),
        slope=random.normal(0, 0.01, strips).astype(np.float32),
        baseline=(STRIP_HEIGHT - free * random.uniform(0.1, 0.9, strips)).astype(np.float32),
        restless=uniform(random, 0, 0.1, strips),
        gap=gap,
        gap_spread=uniform(random, 0.02, 0.15, strips),
        pitch=np.where(random.random(strips) < 0.06, height * uniform(random, 0.8, 1.6, strips), 0),
        pen=choose(
            random,
            np.array([0.36, 0.32, 0.22, 0.1]),
            zero,
            uniform(random, 1.5, 3.5, strips),
            uniform(random, 0.7, 1.5, strips),
            uniform(random, 3.5, 6, strips),
        ),
        european=choose(random, np.array([0.4, 0.35, 0.25]), zero, zero + 0.4, zero + 1),
        joined=choose(random, np.array([0.7, 0.2, 0.1]), zero, zero + 0.2, zero + 0.6),
        marks=choose(random, np.array([0.6, 0.3, 0.1]), zero, zero + 0.12, zero + 0.35),
        letters=choose(
            random, np.array([0.9, 0.05, 0.03, 0.02]), zero, zero + 0.2, zero + 0.8, zero + 1
        ),
        zeros=np.where(random.random(strips) < 0.15, random.integers(2, 7, strips), 0),
        zero_height=choose(random, np.array([0.5, 0.5]), zero + 1, uniform(random, 0.5, 1, strips)),
        again=choose(random, np.array([0.85, 0.15]), zero, zero + 0.5),
    )


def write(glyphs: Glyphs, style: Writing, width: int, random: Random) -> Lines:
    """Write all strips (n, 32, width)."""
    strip = np.repeat(np.arange(len(style)), style.count)
    order = np.arange(len(strip)) - np.repeat(np.cumsum(style.count) - style.count, style.count)
    rows = chosen_glyphs(glyphs, style, (strip, order), random)
    patches = draw_glyphs(glyphs, rows, style, (strip, order), random)
    redraw_fours(patches, glyphs.labels[rows], style, strip, random)
    add_strokes(patches, glyph_strokes(patches, glyphs.labels[rows], style, strip, random))
    left, right = extents(patches)
    x, start = places(style, (strip, order), (left, right), width, random)
    inside = np.minimum(x + right, width) - np.maximum(x + left, 0)
    visible = inside / np.maximum(right - left, 1)
    shown = (visible > 0) & ((visible < MAX_PIECE) | (visible > MIN_WHOLE))
    shown &= (x > -PATCH) & (x < width)
    kept = shown & (visible > MIN_WHOLE)
    ink = paste(patches[shown], strip[shown], x[shown], (len(style), width))
    begin, end = np.full(len(style), float(width)), np.zeros(len(style))
    np.minimum.at(begin, strip[kept], (x + left)[kept])
    np.maximum.at(end, strip[kept], (x + right)[kept])
    middles = x + (left + right) / 2
    add_strokes(
        ink, written_between(style, strip[kept], ((x + left)[kept], (x + right)[kept]), random)
    )
    labels = labels_from_left(glyphs.labels[rows][kept], strip[kept], middles[kept], len(style))
    return Lines(ink, labels, style, begin.astype(np.float32), end.astype(np.float32), start)


def chosen_glyphs(glyphs: Glyphs, style: Writing, place: tuple[Ints, Ints], random: Random) -> Ints:
    """Choose a glyph for each place: any digit, a letter, the digit before once more, or a 0."""
    strip, order = place
    count = len(strip)
    digits = glyphs.rows_of(is_letter=False)
    letters = glyphs.rows_of(is_letter=True)
    labels = random.integers(0, 10, count)
    for repeated in np.flatnonzero((order > 0) & (random.random(count) < style.again[strip])):
        labels[repeated] = labels[repeated - 1]
    labels[is_round(style, place)] = 0
    by_label = np.argsort(glyphs.labels[digits], kind="stable")
    first = np.searchsorted(glyphs.labels[digits][by_label], np.arange(11))
    chosen = by_label[(first[labels] + random.random(count) * np.diff(first)[labels]).astype(int)]
    is_letter = random.random(count) < style.letters[strip]
    return np.where(is_letter, random.choice(letters, count), digits[chosen])


def is_round(style: Writing, place: tuple[Ints, Ints]) -> NDArray[np.bool_]:
    """Return which places are the zeros of a round amount: never the first."""
    strip, order = place
    return (order > 0) & (order >= style.count[strip] - style.zeros[strip])


def draw_glyphs(
    glyphs: Glyphs, rows: Ints, style: Writing, place: tuple[Ints, Ints], random: Random
) -> Floats:
    """Draw each glyph into a patch (n, 32, PATCH), its middle in the middle column.

    A patch's pixels are looked up in the glyph's field, at places which are scaled, sheared and
    slightly bent.
    """
    strip, order = place
    count = len(rows)
    box = glyphs.boxes[rows]
    heights = style.height[strip] * np.exp(random.normal(0, style.unequal[strip]))
    heights = np.where(is_round(style, place), heights * style.zero_height[strip], heights)
    fitted = np.where(random.random(count) < 0.3, box[:, 3] - box[:, 1], FITTED_SIDE)
    scale = (heights / np.maximum(fitted, 20)).astype(np.float32)  # strip's pixels per field's
    stretch = style.stretch[strip] * np.exp(random.normal(0, 0.06, count))
    slant = style.slant[strip] + random.normal(0, 0.06, count)
    bottom = style.baseline[strip] + random.normal(0, style.restless[strip]) * heights
    about = order * style.height[strip] * (0.65 + style.gap[strip])
    bottom += style.slope[strip] * (about - about.max(initial=0) / 2)
    bottom = bottom.clip(0.86 * heights, STRIP_HEIGHT + 0.12 * heights)  # little is cut off
    y = np.arange(STRIP_HEIGHT, dtype=np.float32)[None, :, None] + 0.5
    x = np.arange(PATCH, dtype=np.float32)[None, None, :] + 0.5 - PATCH / 2
    up = column(bottom) - y  # rows above the baseline
    center = column((box[:, 0] + box[:, 2]) / 2)
    from_y = column(box[:, 3]) - up / column(scale)
    from_x = center + (x - column(slant) * (up - column(heights / 2))) / column(scale * stretch)
    from_x = from_x + waves(y, count, random) / column(scale)
    from_y = from_y + waves(x, count, random) / column(scale)
    return pen_strokes(glyphs, rows, (from_x, from_y), (style.pen[strip], scale), random)


def column(values: NDArray[np.floating]) -> Floats:
    """Return values (n,) as (n, 1, 1)."""
    return values.astype(np.float32)[:, None, None]


def waves(positions: Floats, count: int, random: Random) -> Floats:
    """Return a slight bend along the positions, in pixels of the strip."""
    amplitude, frequency = (
        random.exponential(0.35, count).clip(0, 1.2),
        random.uniform(0.1, 0.45, count),
    )
    phase = random.uniform(0, 2 * np.pi, count)
    return column(amplitude) * np.sin(column(frequency) * positions + column(phase))


def pen_strokes(
    glyphs: Glyphs,
    rows: Ints,
    at: tuple[Floats, Floats],
    pen: tuple[Floats, Floats],
    random: Random,
) -> Floats:
    """Look up ink or distance at places (n, 32, PATCH), and make strokes of the pen's width.

    Args:
        pen: its width in the strip's pixels (n,), 0 for the glyph's own ink; the scale (n,).
    """
    width, scale = pen
    count = len(rows)
    own = width == 0
    values = interpolate(glyphs.fields, np.where(own, 0, 1), rows, at)
    gain, level = random.uniform(1.2, 4, count), random.uniform(0.25, 0.6, count)
    edge = random.uniform(0.7, 1.3, count)  # pixels over which a stroke's edge fades
    # Distances end at a few pixels of the field: a pen broader than that would fill it.
    radius = np.minimum(width * np.exp(random.normal(0, 0.08, count)) / 2, 6.5 * scale)
    factor = np.where(own, gain / 255, -scale / DISTANCE_UNITS / edge)
    # Smoothing has raised the distance on the skeleton by about 0.7 pixels of the field.
    offset = np.where(own, 0.5 - gain * level, (radius + 0.7 * scale) / edge + 0.5)
    return np.clip(values * column(factor) + column(offset), 0, 1)


def interpolate(
    fields: NDArray[np.uint8], which: Ints, rows: Ints, at: tuple[Floats, Floats]
) -> Floats:
    """Look up values between pixels (bilinear); outside a field, the nearest value is taken."""
    across = np.clip(at[0] - 0.5, 0, SIDE - 1.001)
    down = np.clip(at[1] - 0.5, 0, SIDE - 1.001)
    left, top = across.astype(np.int32), down.astype(np.int32)
    right_part, lower_part = across - left, down - top
    # Each glyph's field is copied first, so that looking up stays within a small area of memory.
    own = fields[which, rows].reshape(-1)
    index = (np.arange(len(rows), dtype=np.int32) * SIDE**2)[:, None, None] + top * SIDE + left
    upper = own[index] * (1 - right_part) + own[index + 1] * right_part
    lower = own[index + SIDE] * (1 - right_part) + own[index + SIDE + 1] * right_part
    return np.asarray(upper + (lower - upper) * lower_part, np.float32)


def extents(patches: Floats) -> tuple[Ints, Ints]:
    """Return the first column with ink and the one after the last, (n,); 0, 0 without ink."""
    filled = patches.max(axis=1) > 0.4
    left = filled.argmax(axis=1)
    right = np.where(filled.any(axis=1), PATCH - filled[:, ::-1].argmax(axis=1), 0)
    return left, right


def glyph_strokes(
    patches: Floats, labels: Ints, style: Writing, strip: Ints, random: Random
) -> Strokes:
    """Return the flags and feet of 1s, and the bars and ticks of 7s, as in Europe."""
    chosen = random.random(len(labels)) < style.european[strip]
    ones, sevens = (np.flatnonzero(chosen & (labels == digit)) for digit in (1, 7))
    parts = [
        flags(patches, ones, (0.12, 0.75), random),
        feet(patches, ones[random.random(len(ones)) < 0.4], random),
        bars(patches, sevens[random.random(len(sevens)) < 0.8], random),
        flags(patches, sevens[random.random(len(sevens)) < 0.2], (0.1, 0.25), random, at_left=True),
    ]
    return stroke_list(parts, lambda picture: stroke_width(style, strip[picture], random))


Ends = tuple[Ints, Floats]


def stroke_list(parts: list[Ends], widths: Callable[[Ints], Floats]) -> Strokes:
    pictures = np.concatenate([picture for picture, _ in parts])
    ends = np.concatenate([ends for _, ends in parts]).reshape(-1, 4)
    return Strokes(pictures, ends.astype(np.float32), widths(pictures))


def stroke_width(style: Writing, strip: Ints, random: Random) -> Floats:
    """Return the width of an added stroke: about that of the strip's pen."""
    pen = np.where(style.pen[strip] > 0, style.pen[strip], 0.11 * style.height[strip])
    return np.asarray(pen * random.uniform(0.8, 1.15, len(strip)), np.float32)


def ink_rows(patches: Floats, rows: Ints) -> tuple[Ints, Ints]:
    """Return the first and the last row with ink of some patches."""
    filled = patches[rows].max(axis=2) > 0.4
    return filled.argmax(axis=1), STRIP_HEIGHT - 1 - filled[:, ::-1].argmax(axis=1)


def middle_of_row(patches: Floats, rows: Ints, y: Ints, first: bool = False) -> Floats:
    """Return the mean column of the ink in a row of some patches, or its first column."""
    ink = patches[rows, y.clip(0, STRIP_HEIGHT - 1)] > 0.3
    if first:
        return np.asarray(ink.argmax(axis=1), np.float32)
    total = np.maximum(ink.sum(axis=1), 1)
    return np.asarray((ink * np.arange(PATCH)).sum(axis=1) / total, np.float32)


def flags(
    patches: Floats, rows: Ints, length: tuple[float, float], random: Random, at_left: bool = False
) -> Ends:
    """Return a stroke from the top of a 1 down to the left, or from the left end of a 7's top."""
    top, bottom = ink_rows(patches, rows)
    height = (bottom - top + 1).astype(np.float32)
    x = middle_of_row(patches, rows, top + 1, first=at_left) + 0.5
    reach = random.uniform(*length, len(rows)) * height
    angle = random.uniform(1.3, 1.8, len(rows)) if at_left else random.uniform(0.5, 1.2, len(rows))
    ends = [x, top + 1.0, x - reach * np.cos(angle), top + 1 + reach * np.sin(angle)]
    return rows, np.stack(ends, axis=1)


def feet(patches: Floats, rows: Ints, random: Random) -> Ends:
    """Return a level stroke under each 1."""
    top, bottom = ink_rows(patches, rows)
    reach = random.uniform(0.15, 0.4, len(rows)) * (bottom - top + 1)
    x, y = middle_of_row(patches, rows, bottom - 1) + 0.5, bottom - 0.0
    return rows, np.stack([x - reach, y, x + reach, y + random.normal(0, 0.7, len(rows))], axis=1)


def bars(patches: Floats, rows: Ints, random: Random) -> Ends:
    """Return a stroke through the stem of each 7."""
    top, bottom = ink_rows(patches, rows)
    y = (top + (bottom - top) * random.uniform(0.4, 0.65, len(rows))).astype(np.int64)
    x = middle_of_row(patches, rows, y) + 0.5
    reach = random.uniform(0.12, 0.42, len(rows)) * (bottom - top + 1)
    rise = random.normal(0.1, 0.15, len(rows)) * reach
    return rows, np.stack([x - reach, y + rise, x + reach, y - rise], axis=1)


def redraw_fours(
    patches: Floats, labels: Ints, style: Writing, strip: Ints, random: Random
) -> None:
    """Write some 4s open, with three straight strokes: MNIST's writers were from one country."""
    chosen = (labels == 4) & (random.random(len(labels)) < 0.35 * style.european[strip])
    rows = np.flatnonzero(chosen)
    top, bottom = ink_rows(patches, rows)
    height = (bottom - top + 1).astype(np.float32)
    patches[rows] = 0
    width = height * random.uniform(0.3, 0.6, len(rows)) * style.stretch[strip[rows]]
    bar = top + height * random.uniform(0.5, 0.75, len(rows))
    stem = random.uniform(0.3, 0.9, len(rows)) * width  # from the left end of the bar
    above = random.uniform(0.0, 0.5, len(rows)) * height  # the stem begins lower than the arm
    left = PATCH / 2 - width / 2
    arm = random.uniform(-0.1, 0.5, len(rows)) * width
    slant = style.slant[strip[rows]]

    def at(x: Floats, y: Floats | Ints) -> list[Floats | Ints]:
        return [x + slant * ((top + bottom) / 2 - y), y]

    rise = random.normal(0, 0.05, len(rows)) * height
    parts = [
        [*at(left + arm, top + 1), *at(left, bar)],
        [*at(left, bar), *at(left + width, bar - rise)],
        [*at(left + stem, top + above + 1), *at(left + stem, bottom + 0.0)],
    ]
    strokes: list[Ends] = [(rows, np.stack(ends, axis=1).astype(np.float32)) for ends in parts]
    widths = np.tile(stroke_width(style, strip[rows], random), len(parts))
    add_strokes(patches, stroke_list(strokes, lambda _: widths))


def places(
    style: Writing,
    place: tuple[Ints, Ints],
    sides: tuple[Ints, Ints],
    width: int,
    random: Random,
) -> tuple[Ints, Floats]:
    """Return the column of each patch's left side, (glyphs,), and of the first cell, (strips,)."""
    strip, order = place
    left, right = sides
    gap = (style.gap[strip] + random.normal(0, style.gap_spread[strip])) * style.height[strip]
    gap += style.height[strip] * (random.random(len(strip)) < 0.04) * random.uniform(0.3, 1)
    cursor = np.zeros(len(style), np.float32)
    x = np.zeros(len(strip), np.float32)
    for number in range(MAX_DIGITS):
        now = np.flatnonzero(order == number)
        at = strip[now]
        free = np.maximum(gap[now], -0.6 * (right - left)[now]) if number else 0
        in_cell = style.pitch[at] * (number + 0.5) - (left + right)[now] / 2
        x[now] = np.where(style.pitch[at] > 0, in_cell, cursor[at] + free - left[now])
        cursor[at] = np.maximum(x[now] + right[now], cursor[at] + 4)
    cursor = np.where(style.pitch > 0, style.pitch * style.count, cursor)
    start = random.uniform(0, 1, len(style)) * (width - cursor)
    start = np.where(cursor > width, random.uniform(0, 6, len(style)), start)
    cut = random.random(len(style)) < 0.15  # a digit is cut off at the left end
    start = np.where(cut, random.uniform(-1, 0.2, len(style)) * style.height, start)
    return (x + start[strip]).round().astype(np.int64), start.astype(np.float32)


def paste(patches: Floats, strip: Ints, x: Ints, shape: tuple[int, int]) -> Floats:
    """Lay patches (n, 32, PATCH) into strips; where they overlap, the darker ink stays."""
    strips, width = shape
    ink = np.zeros((strips, STRIP_HEIGHT, width + 2 * PATCH), np.float32)
    for patch, number, left in zip(patches, strip.tolist(), (x + PATCH).tolist(), strict=True):
        area = ink[number, :, left : left + PATCH]
        np.maximum(area, patch, out=area)
    return ink[:, :, PATCH:-PATCH].copy()


def labels_from_left(labels: Ints, strip: Ints, middles: NDArray[np.floating], strips: int) -> Ints:
    """Return the labels of each strip's digits from left to right, then -1; letters left out."""
    order = np.lexsort((middles, strip))
    order = order[labels[order] < 10]
    strip, labels = strip[order], labels[order]
    number = np.arange(len(strip)) - np.searchsorted(strip, strip)
    result = np.full((strips, MAX_DIGITS), -1, np.int64)
    result[strip, number] = labels
    return result


def written_between(
    style: Writing, strip: Ints, sides: tuple[Floats, Floats], random: Random
) -> Strokes:
    """Return dots, commas and dashes after digits, and strokes that join neighbours."""
    left, right = sides
    is_last = np.append(strip[1:] != strip[:-1], True)[: len(strip)]
    following = np.append(left[1:], 0)[: len(strip)]
    height, base = style.height[strip], style.baseline[strip]
    marked = random.random(len(strip)) < style.marks[strip]
    final = is_last & (random.random(len(strip)) < 2 * style.marks[strip])
    linked = ~is_last & (random.random(len(strip)) < style.joined[strip])
    near = linked & (following - right < 0.5 * height)
    parts = [
        dots(np.flatnonzero(marked & ~final), (right, base, height), strip, random),
        dashes(np.flatnonzero(final), (right, base, height), strip, random),
        links(np.flatnonzero(near), (right, following, base, height), strip, random),
    ]
    return stroke_list(parts, lambda picture: stroke_width(style, picture, random))


Sides = tuple[Floats, ...]


def dots(rows: Ints, sides: Sides, strip: Ints, random: Random) -> Ends:
    """Return a dot or a comma at the lower right of each digit."""
    right, base, height = (values[rows] for values in sides)
    x = right + random.uniform(0, 0.15, len(rows)) * height
    y = base - random.uniform(-0.12, 0.15, len(rows)) * height
    tail = random.choice([0.0, 0.02, 0.12, 0.25], len(rows)) * height
    return strip[rows], np.stack([x, y, x - tail * random.uniform(0, 0.8, len(rows)), y + tail], 1)


def dashes(rows: Ints, sides: Sides, strip: Ints, random: Random) -> Ends:
    """Return one dash or two after each last digit: "-" or "=", level or rising."""
    twice = np.concatenate([rows, rows[random.random(len(rows)) < 0.4]])
    right, base, height = (values[twice] for values in sides)
    same = np.random.default_rng(len(rows)).random(len(sides[0]))[twice]  # for both dashes of "="
    x = right + (0.1 + 0.5 * same) * height
    length = (0.3 + 1.5 * same**2) * height
    second = np.arange(len(twice)) >= len(rows)
    y = base - (0.25 + 0.3 * same - 0.22 * second) * height
    rise = random.normal(0.05, 0.15, len(twice)) * length * (random.random(len(twice)) < 0.5)
    return strip[twice], np.stack([x, y, x + length, y - rise], axis=1)


def links(rows: Ints, sides: Sides, strip: Ints, random: Random) -> Ends:
    """Return a stroke from each digit to its right neighbour, mostly near the top or the bottom."""
    right, following, base, height = (values[rows] for values in sides)
    levels = random.choice([0.05, 0.1, 0.5, 0.8, 0.9, 0.95], len(rows))
    y = base - levels * height
    reach = random.uniform(0.05, 0.2, len(rows)) * height
    rise = random.normal(0, 0.08, len(rows)) * height
    return strip[rows], np.stack([right - reach, y, following + reach, y - rise], axis=1)


def add_strokes(pictures: Floats, strokes: Strokes, darkness: Floats | None = None) -> None:
    """Draw straight strokes with round ends into pictures (n, h, w)."""
    order = np.argsort(strokes.picture, kind="stable")
    picture = strokes.picture[order]
    number = np.arange(len(picture)) - np.searchsorted(picture, picture)
    strength = np.ones(len(picture)) if darkness is None else darkness[order]
    for turn in range(int(number.max(initial=-1)) + 1):  # so that each picture occurs once a turn
        now = np.flatnonzero(number == turn)
        chosen = order[now]
        drawn = stroke_ink(strokes.ends[chosen], strokes.width[chosen], pictures.shape[1:])
        at = picture[now]
        pictures[at] = np.maximum(pictures[at], drawn * column(strength[now]))


def stroke_ink(ends: Floats, width: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the ink of one straight stroke in each picture, (n, h, w)."""
    height, columns = shape
    y = np.arange(height, dtype=np.float32)[None, :, None] + 0.5
    x = np.arange(columns, dtype=np.float32)[None, None, :] + 0.5
    x0, y0, x1, y1 = (column(ends[:, side]) for side in range(4))
    length = (x1 - x0) ** 2 + (y1 - y0) ** 2 + 1e-3
    along = (((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length).clip(0, 1)
    distance = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
    return np.clip(column(width) / 2 - distance + 0.5, 0, 1)
