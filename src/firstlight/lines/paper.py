"""What is on and around the writing in a photograph: printed lines, texture, grain, light, JPEG.

Everything here is in units of the ink's contrast to the paper: paper is 0, ink is 1.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from firstlight.lines.layout import (
    Floats,
    Ints,
    Lines,
    Random,
    Strokes,
    add_strokes,
    column,
    uniform,
)
from firstlight.reading.strip import STRIP_HEIGHT

LENSES = 4  # groups of strips in a batch: two are blurred, two lose pixels
BLANK_STROKES = 4  # at most, in a strip without digits


def some(random: Random, share: float, count: int) -> Ints:
    """Return the numbers of a random share of `count` strips."""
    return np.flatnonzero(random.random(count) < share)


def broken_ink(ink: Floats, random: Random) -> None:
    """Make the ink uneven, as pencil, chalk and dry pens do."""
    rows = some(random, 0.3, len(ink))
    fine = random.standard_normal((len(rows), *ink.shape[1:]), np.float32)
    strength = column(uniform(random, 0.02, 0.3, len(rows)))
    uneven = (fine + np.roll(fine, 1, 1) + np.roll(fine, 1, 2)) * strength
    ink[rows] *= np.clip(1 - np.abs(uneven), 0, 1)


def other_lines(lines: Lines, random: Random) -> None:
    """Let the lower or the upper ends of another line's digits show at the strip's edge."""
    style = lines.writing
    originals = lines.ink.copy()
    for row in some(random, 0.15, len(originals)).tolist():
        other = (row + 1) % len(originals)
        visible = int(random.integers(1, 2 + int(0.25 * style.height[other])))
        base = int(style.baseline[other]) + 1
        is_above = random.random() < 0.5
        first = base - visible if is_above else base - int(style.height[other])
        first = min(max(first, 0), STRIP_HEIGHT - visible)
        edge = slice(0, visible) if is_above else slice(STRIP_HEIGHT - visible, STRIP_HEIGHT)
        area = lines.ink[row, edge]
        np.maximum(area, originals[other, first : first + visible], out=area)


def printed(lines: Lines, random: Random) -> Floats:
    """Return printed and drawn lines: ruled, squared, boxes, cells, dark edges; (n, 32, width)."""
    ink = np.zeros_like(lines.ink)
    for draw in (ruled, squared, cells, boxed, dark_edges, scribbles):
        strokes, darkness = draw(lines, random)
        add_strokes(ink, strokes, darkness)
    return ink


Drawn = tuple[Strokes, Floats]


def level_lines(rows: Ints, y: Floats, width: int, random: Random) -> Floats:
    """Return the ends (n, 4) of lines across the whole strip, nearly level."""
    slope = random.normal(0, 0.012, len(rows)) * width
    return np.stack([y * 0 - 9, y - slope / 2, y * 0 + width + 9, y + slope / 2], 1).astype(
        np.float32
    )


def ruled(lines: Lines, random: Random) -> Drawn:
    """Draw a printed line, mostly near the foot of the digits; sometimes two."""
    rows = some(random, 0.28, len(lines.ink))
    style = lines.writing
    y = style.baseline[rows] + random.normal(0.5, 2.5, len(rows))
    y = np.where(random.random(len(rows)) < 0.3, random.uniform(0, STRIP_HEIGHT, len(rows)), y)
    rows, y = np.tile(rows, 2), np.concatenate([y, y - random.uniform(10, 30, len(rows))])
    kept = (np.arange(len(rows)) < len(rows) // 2) | (random.random(len(rows)) < 0.3)
    rows, y = rows[kept], y[kept].astype(np.float32)
    ends = level_lines(rows, y, lines.ink.shape[2], random)
    thickness = uniform(random, 0.4, 2.4, len(rows))
    return Strokes(rows, ends, thickness), uniform(random, 0.15, 1.1, len(rows))


def squared(lines: Lines, random: Random) -> Drawn:
    """Draw squared paper: thin lines in both directions, with one distance."""
    width = lines.ink.shape[2]
    pictures, ends = [], []
    for row in some(random, 0.08, len(lines.ink)).tolist():
        step, tilt = random.uniform(5, 30), random.normal(0, 0.02)
        y = np.arange(random.uniform(0, step), STRIP_HEIGHT, step)
        x = np.arange(random.uniform(0, step), width, step)
        level = np.stack([y * 0 - 9, y, y * 0 + width + 9, y + tilt * width], 1)
        sides = np.stack([x, x * 0 - 9, x - tilt * STRIP_HEIGHT, x * 0 + STRIP_HEIGHT + 9], 1)
        ends.append(np.concatenate([level, sides]))
        pictures.append(np.full(len(ends[-1]), row))
    return same_pen(pictures, ends, random, (0.3, 1.5))


def cells(lines: Lines, random: Random) -> Drawn:
    """Draw a printed box for each digit: upright sides, often double, and lines above and below."""
    width = lines.ink.shape[2]
    style = lines.writing
    pictures, ends = [], []
    for row in np.flatnonzero((style.pitch > 0) & (style.count > 0)).tolist():
        height = style.height[row]
        top = max(-5.0, style.baseline[row] - height * random.uniform(1.05, 1.4))
        bottom = style.baseline[row] + height * random.uniform(0.03, 0.3)
        sides = lines.cells[row] + style.pitch[row] * np.arange(style.count[row] + 1)
        if random.random() < 0.4:
            apart = random.uniform(1.5, 5)
            sides = np.concatenate([sides[:-1] + apart / 2, sides[1:] - apart / 2])
        drawn = [[x, top, x, bottom] for x in sides]
        if random.random() < 0.8:
            drawn += [[sides.min(), y, sides.max(), y] for y in (top, bottom)]
        ends.append(np.array(drawn).clip(-9, width + 9))
        pictures.append(np.full(len(drawn), row))
    return same_pen(pictures, ends, random, (0.4, 2.0))


def boxed(lines: Lines, random: Random) -> Drawn:
    """Draw one box around the whole line."""
    rows = [
        row
        for row in some(random, 0.07, len(lines.ink)).tolist()
        if lines.left[row] < lines.right[row]
    ]
    style = lines.writing
    pictures, ends = [], []
    for row in rows:
        left = lines.left[row] - random.uniform(2, 14)
        right = lines.right[row] + random.uniform(2, 30)
        top = style.baseline[row] - style.height[row] * random.uniform(1.0, 1.4)
        bottom = style.baseline[row] + random.uniform(0, 6)
        drawn = [
            [left, top, left, bottom],
            [right, top, right, bottom],
            [left, top, right, top],
            [left, bottom, right, bottom],
        ]
        ends.append(np.array(drawn))
        pictures.append(np.full(4, row))
    return same_pen(pictures, ends, random, (0.4, 2.5))


def same_pen(
    pictures: list[Ints], ends: list[Floats], random: Random, widths: tuple[float, float]
) -> Drawn:
    """Return strokes whose width and darkness are the same within a strip."""
    if not ends:
        none = np.zeros(0, np.float32)
        return Strokes(np.zeros(0, np.int64), none.reshape(0, 4), none), none
    lengths = [len(part) for part in pictures]
    width = np.repeat(random.uniform(*widths, len(lengths)), lengths).astype(np.float32)
    darkness = np.repeat(random.uniform(0.2, 1.1, len(lengths)), lengths).astype(np.float32)
    return Strokes(
        np.concatenate(pictures), np.concatenate(ends).astype(np.float32), width
    ), darkness


def dark_edges(lines: Lines, random: Random) -> Drawn:
    """Draw the edge of a table or a frame along a side of the strip."""
    rows = some(random, 0.05, len(lines.ink))
    width = lines.ink.shape[2]
    y = random.choice([0.0, STRIP_HEIGHT], len(rows)).astype(np.float32)
    ends = level_lines(rows, y, width, random)
    upright = random.random(len(rows)) < 0.4
    x = random.choice([-3.0, width + 3.0], len(rows))
    ends[upright] = np.stack([x, x * 0 - 9, x, x * 0 + STRIP_HEIGHT + 9], 1)[upright]
    return Strokes(rows, ends, uniform(random, 2, 11, len(rows))), uniform(
        random, 0.5, 1.3, len(rows)
    )


def scribbles(lines: Lines, random: Random) -> Drawn:
    """Draw strokes that are no digits, level or leaving the strip, in strips without digits."""
    blank = np.flatnonzero((lines.labels[:, 0] < 0) & (random.random(len(lines.ink)) < 0.5))
    rows = np.repeat(blank, random.integers(1, BLANK_STROKES + 1, len(blank)))
    width = lines.ink.shape[2]
    x, y = random.uniform(-9, width + 9, len(rows)), random.uniform(0, STRIP_HEIGHT, len(rows))
    length = random.uniform(4, 60, len(rows))
    angle = random.normal(0, 0.3, len(rows))
    ends = np.stack([x, y, x + length * np.cos(angle), y + length * np.sin(angle)], 1)
    through = random.random(len(rows)) < 0.25
    leaning = random.normal(0, 8, len(rows))
    ends[through] = np.stack([x, y * 0 - 9, x + leaning, y * 0 + STRIP_HEIGHT + 9], 1)[through]
    strokes = Strokes(rows, ends.astype(np.float32), uniform(random, 0.8, 4, len(rows)))
    return strokes, uniform(random, 0.4, 1, len(rows))


def texture(shape: tuple[int, ...], random: Random) -> Floats:
    """Return the printed pattern of a cheque's paper: wavy lines, one bundle or two."""
    count, height, width = shape
    y = np.arange(height, dtype=np.float32)[None, :, None]
    x = np.arange(width, dtype=np.float32)[None, None, :]
    pattern = np.zeros(shape, np.float32)
    for share in (0.3, 0.12):
        rows = some(random, share, count)
        angle = column(random.uniform(0, np.pi, len(rows)))
        period = column(random.uniform(2.5, 9, len(rows)))
        bend = column(random.uniform(0, 4, len(rows)))
        curl = column(random.uniform(0.02, 0.15, len(rows)))
        phase = column(random.uniform(0, 6.3, len(rows)))
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        waves = np.sin((along + bend * np.sin(curl * across + phase)) * (2 * np.pi / period))
        sharp = np.where(random.random((len(rows), 1, 1)) < 0.5, np.maximum(waves, 0) ** 2, waves)
        pattern[rows] += column(random.uniform(0.02, 0.25, len(rows))) * sharp
    return pattern


def shading(shape: tuple[int, ...], random: Random) -> Floats:
    """Return what is left of uneven light and of shadows' edges after the paper is estimated."""
    count, height, width = shape
    y = np.linspace(-1, 1, height, dtype=np.float32)[None, :, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, None, :]
    gradient = column(random.normal(0, 0.05, count)) * x + column(random.normal(0, 0.04, count)) * y
    light = np.broadcast_to(gradient, shape).copy()
    rows = some(random, 0.1, count)
    where = column(random.uniform(-1, 1, len(rows)))
    lean = column(random.normal(0, 0.3, len(rows)))
    soft = column(random.uniform(0.01, 0.2, len(rows)))
    step = np.clip((x + lean * y - where) / soft, -4, 4)
    edge = 1 / (1 + np.exp(-step))
    ridge = np.exp(-(step**2))
    is_ridge = random.random((len(rows), 1, 1)) < 0.5
    light[rows] += column(random.uniform(0.05, 0.5, len(rows))) * np.where(is_ridge, ridge, edge)
    return light


def scenes(lines: Lines, random: Random) -> Floats:
    """Return what is not writing, in some of the strips without digits; (n, 32, width).

    Clouds of several sizes, and things with a soft or a sharp edge, one before the other.
    """
    strips, height, width = lines.ink.shape
    result = np.zeros_like(lines.ink)
    blank = np.flatnonzero((lines.labels[:, 0] < 0) & (random.random(strips) < 0.55))
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    for row in blank.tolist():
        scene = cloud((height, width), random)
        for _ in range(random.integers(0, 9)):
            thing = random_shape(
                x - random.uniform(0, width), y - random.uniform(0, height), random
            )
            scene += (random.normal(0, 0.7) - scene) * thing
        scene = scene - np.percentile(scene, random.uniform(5, 60))
        result[row] = scene if random.random() < 0.5 else np.maximum(scene, 0)
    return result


def cloud(shape: tuple[int, int], random: Random) -> Floats:
    """Return random values that change smoothly, (h, w): noise of three sizes, added up."""
    total = np.zeros(shape, np.float32)
    for cell in (3, 8, 20):
        rows, columns = (-(-side // cell) + 1 for side in shape)
        noise = Image.fromarray(random.standard_normal((rows, columns), np.float32))
        total += np.asarray(noise.resize(shape[::-1], Image.Resampling.BICUBIC)) * random.uniform(
            0, 0.5
        )
    return total


def random_shape(x: Floats, y: Floats, random: Random) -> Floats:
    """Return a half plane, a disc, a bar or a bow near the origin, 1 inside, 0 outside, (h, w)."""
    angle = random.uniform(0, 2 * np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    size, soft = random.uniform(3, 25), random.choice([0.5, 1.0, 3.0, 8.0])
    disc = np.hypot(along, across * random.uniform(0.6, 2)) - size
    kind = random.integers(4)
    inside = (across, disc, np.abs(across) - size / 5, np.abs(disc) - size / 8)[kind]
    return np.asarray(np.clip(0.5 - inside / soft, 0, 1) * random.uniform(0.5, 1))


def grain(shape: tuple[int, ...], random: Random) -> Floats:
    """Return the noise of paper and camera, fine or coarse."""
    noise = random.standard_normal(shape, np.float32)
    coarse = some(random, 0.4, shape[0])
    noise[coarse] = (noise[coarse] + np.roll(noise[coarse], 1, 1)) * 0.7
    noise[coarse] = (noise[coarse] + np.roll(noise[coarse], 1, 2)) * 0.7
    strength = 0.005 * (40 ** random.random(shape[0]) ** 1.3)
    return noise * column(strength)


def photographed(contrast: Floats, random: Random) -> Floats:
    """Return strips as lenses, few pixels and JPEG leave them; each kind for a part of them."""
    kind = random.integers(0, LENSES, len(contrast))
    for number in range(LENSES):
        rows = np.flatnonzero(kind == number)
        lens = blur if number < 2 else few_pixels
        contrast[rows] = through_lens(contrast[rows], lens, random)
    rows = some(random, 0.35, len(contrast))
    if len(rows):
        contrast[rows] = compressed(contrast[rows], random)
    return contrast


def through_lens(contrast: Floats, lens: Callable[[int, float], Floats], random: Random) -> Floats:
    """Apply a lens along the rows and along the columns: it is a matrix for each."""
    strength = float(random.random())
    height, width = contrast.shape[1:]
    return np.asarray(lens(height, strength) @ contrast @ lens(width, strength).T, np.float32)


def blur(side: int, strength: float) -> Floats:
    """Return a Gaussian blur of up to 1.1 pixels as a matrix (side, side)."""
    distance = np.arange(side)[:, None] - np.arange(side)
    weights = np.exp(-((distance / (0.25 + 0.85 * strength**2)) ** 2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def few_pixels(side: int, strength: float) -> Floats:
    """Return a matrix (side, side) that reduces a side by up to 2.4 times and enlarges it again."""
    few = max(2, round(side / (1 + 1.4 * strength)))
    identity = np.eye(side, dtype=np.float32)
    smaller = Image.fromarray(identity).resize((side, few), Image.Resampling.BOX)
    return np.asarray(smaller.resize((side, side), Image.Resampling.BICUBIC))


def compressed(contrast: Floats, random: Random) -> Floats:
    """Return strips (n, 32, width) after JPEG: all in one file, one below the other."""
    quality = int(random.integers(25, 90))
    dark = random.uniform(80, 200)
    grey = (230 - dark * contrast).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey.reshape(-1, grey.shape[2])).save(buffer, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(buffer), np.float32).reshape(grey.shape)
    return np.asarray((230 - decoded) / dark, np.float32)
