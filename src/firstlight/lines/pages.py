"""Pages with lines of digits, composed anew each time: what the line finder is trained on.

A page is drawn at the finder's own size: lines of any height, other writing, printed lines; then
it is photographed: perspective, a table beside it, light and shadows, noise.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from firstlight.lines import layout, paper
from firstlight.lines.glyphs import Glyphs
from firstlight.lines.layout import Floats, Lines, Random
from firstlight.reading.finder import CELL
from firstlight.reading.strip import STRIP_HEIGHT

SIZES = ((384, 512), (512, 384), (256, 512), (448, 448), (128, 512), (256, 256))  # rows, columns
LINES = 48  # that a batch's lines are taken from
STRIP_WIDTHS = (64, 128, 192, 256, 352, 480)
MIN_HEIGHT = 8.0  # pixels of a digit
DISTANCES = (0.85, 1.25)  # of the camera, if a page is turned; a larger one makes it smaller


@dataclass(frozen=True)
class Pages:
    """A batch of pages, and where their lines are."""

    pixels: NDArray[np.uint8]  # (n, rows, columns, 1)
    lines: Floats  # (n, rows / 4, columns / 4, 3): is a line's middle; log2 of its height; is dark


@dataclass(frozen=True)
class Canvas:
    """A page before it is photographed, all (rows, columns)."""

    ink: Floats  # 0..1
    heights: Floats  # of the digits, in the middle half of each line; elsewhere 0


def compose(glyphs: Glyphs, count: int, random: Random) -> Pages:
    """Compose a batch of pages of one size."""
    shape = SIZES[random.integers(len(SIZES))]
    lines = some_lines(glyphs, random)
    made = [photograph(write_page(lines, shape, random), random) for _ in range(count)]
    pixels, answers = zip(*made, strict=True)
    return Pages(np.array(pixels)[..., None], np.array(answers, np.float32))


def some_lines(glyphs: Glyphs, random: Random) -> Lines:
    """Write lines for a batch; some of them consist of letters."""
    width = int(random.choice(STRIP_WIDTHS))
    style = layout.writing(random, LINES, width)
    is_text = random.random(LINES) < 0.2
    height = np.minimum(style.height, 29)
    style = replace(
        style,
        count=np.maximum(style.count, 1),
        letters=is_text.astype(np.float32),
        height=height,
        baseline=((STRIP_HEIGHT + height) / 2).astype(np.float32),
    )
    lines = layout.write(glyphs, style, width, random)
    paper.broken_ink(lines.ink, random)
    return lines


def write_page(lines: Lines, shape: tuple[int, int], random: Random) -> Canvas:
    """Write lines below one another, or sometimes none."""
    canvas = Canvas(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    tallest = 0.9 * min(shape)
    common = MIN_HEIGHT * (tallest / MIN_HEIGHT) ** random.random()
    unequal = random.choice([0.05, 0.2, 0.6])
    most = random.choice([0, 1, 2, 3, 20], p=[0.1, 0.25, 0.2, 0.2, 0.25])
    y = random.uniform(-0.2, 1.0) * common
    if most < 20:
        y = random.uniform(0, max(1.0, shape[0] - 1.5 * most * common))
    for number in random.integers(0, len(lines.ink), most).tolist():
        height = float(np.clip(common * np.exp(random.normal(0, unequal)), MIN_HEIGHT, tallest))
        if y + height > shape[0]:
            break
        place_line(canvas, lines, number, (y, height), random)
        y += height * (1 + max(0.05, random.normal(0.6, 0.5)))
    return canvas


def place_line(
    canvas: Canvas, lines: Lines, number: int, place: tuple[float, float], random: Random
) -> None:
    """Draw one line into a canvas, at the row of its top and with the height of its digits."""
    top, height = place
    style = lines.writing
    scale = height / float(style.height[number])
    left, right = lines.left[number], lines.right[number]
    if right <= left:
        return
    ink = lines.ink[number, :, int(left) : int(np.ceil(right)) + 1]
    size = max(1, round(ink.shape[1] * scale)), max(1, round(STRIP_HEIGHT * scale))
    drawn = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR))
    rows, columns = canvas.ink.shape
    x = int(random.uniform(-0.1 * size[0], max(0.1, columns - 0.9 * size[0])))
    y = int(top - (style.baseline[number] - style.height[number]) * scale)
    above, before = max(0, -y), max(0, -x)
    drawn = drawn[above : rows - y, before : columns - x]
    if not drawn.size:
        return
    area = (
        slice(y + above, y + above + drawn.shape[0]),
        slice(x + before, x + before + drawn.shape[1]),
    )
    np.maximum(canvas.ink[area], drawn, out=canvas.ink[area])
    if (lines.labels[number] >= 0).any() and style.letters[number] == 0:
        middle = slice(max(0, int(top + 0.25 * height)), max(1, int(np.ceil(top + 0.75 * height))))
        canvas.heights[middle, area[1]] = height


def photograph(canvas: Canvas, random: Random) -> tuple[NDArray[np.uint8], Floats]:
    """Return a page's pixels (rows, columns), and the finder's answers."""
    shape = (canvas.ink.shape[0], canvas.ink.shape[1])
    dark = random.uniform(0.12, 0.9)
    if random.random() < 0.15:  # drawn on a screen
        return answered(1 - canvas.ink * random.choice([dark, 1.0]), canvas.heights, random)
    page = paper_brightness(shape, random) * (1 - dark * canvas.ink)
    page = page * (1 - printed_lines(shape, random))
    return finish(page, canvas.heights, random)


def finish(page: Floats, heights: Floats, random: Random) -> tuple[NDArray[np.uint8], Floats]:
    """Turn and tilt a page on its table, add light and noise."""
    if random.random() < 0.6:
        turn, scale = turning(page.shape, random)
        table = random.uniform(0.05, 0.9)
        page = turned(page - table, turn, Image.Resampling.BILINEAR) + table
        heights = scale * turned(heights, turn, Image.Resampling.NEAREST)
    page = page * shadow((page.shape[0], page.shape[1]), random)
    noise = random.standard_normal(page.shape, np.float32)
    page = page + noise * np.float32(0.005 * 8 ** random.random())
    return answered(page * random.uniform(0.6, 1.05), heights, random)


def answered(page: Floats, heights: Floats, random: Random) -> tuple[NDArray[np.uint8], Floats]:
    """Return a page's pixels, some inverted or blurred, and the finder's answers."""
    inverted = random.random() < 0.3
    pixels = (255 * (1 - page if inverted else page)).clip(0, 255).astype(np.uint8)
    if random.random() < 0.4:
        side = (paper.blur(page.shape[axis], random.random()) for axis in (0, 1))
        rows, columns = side
        pixels = (rows @ pixels @ columns.T).clip(0, 255).astype(np.uint8)
    cells = heights[CELL // 2 :: CELL, CELL // 2 :: CELL]
    is_line = cells > 0
    answers = np.stack([is_line, np.log2(np.maximum(cells, 1)), is_line & (not inverted)], axis=-1)
    return pixels, answers.astype(np.float32)


def paper_brightness(shape: tuple[int, int], random: Random) -> Floats:
    """Return the paper: plain, stained, or, on some pages, things instead of paper."""
    bright = np.full(shape, random.uniform(0.6, 1.0), np.float32)
    kind = random.random()
    if kind < 0.3:
        bright += paper.cloud(shape, random) * random.uniform(0.01, 0.15)
    if kind < 0.08:
        y = np.arange(shape[0], dtype=np.float32)[:, None]
        x = np.arange(shape[1], dtype=np.float32)[None, :]
        for _ in range(random.integers(1, 25)):
            at = x - random.uniform(0, shape[1]), y - random.uniform(0, shape[0])
            size = random.uniform(0.5, 4)
            thing = paper.random_shape(at[0] / size, at[1] / size, random)
            bright += (random.uniform(0.1, 1) - bright) * thing
    return bright.clip(0.03, 1.1)


def printed_lines(shape: tuple[int, int], random: Random) -> Floats:
    """Return the darkness of printed lines, level or in both directions, (rows, columns)."""
    lines = np.zeros(shape, np.float32)
    kind = random.random()
    if kind > 0.5:
        return lines
    step, dark = random.uniform(4, 60), random.uniform(0.05, 0.6)
    thickness = random.uniform(0.3, 1.5)
    for axis in (0, 1) if kind < 0.15 else (0,):
        position = np.arange(shape[axis]) - random.uniform(0, step)
        distance = np.abs((position + step / 2) % step - step / 2)
        profile = np.clip(thickness / 2 - distance + 0.5, 0, 1) * dark
        across = profile[:, None] if axis == 0 else profile[None, :]
        lines = np.maximum(lines, across)
    return lines


def shadow(shape: tuple[int, int], random: Random) -> Floats:
    """Return uneven light, and often a shadow with an edge: factors (rows, columns)."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    light = 1 - random.uniform(0, 0.25) * (
        1 + np.cos(random.uniform(0, 6.3)) * x + np.sin(random.uniform(0, 6.3)) * y
    )
    for _ in range(int(random.choice([0, 1, 2], p=[0.5, 0.4, 0.1]))):
        angle = random.uniform(0, 2 * np.pi)
        edge = x * np.cos(angle) + y * np.sin(angle) - random.uniform(-0.7, 0.7)
        sharpness = random.choice([3.0, 30.0, 200.0])
        light = light * (
            1 - random.uniform(0.1, 0.6) / (1 + np.exp(-np.clip(edge * sharpness, -30, 30)))
        )
    return np.asarray(light, np.float32)


def turning(shape: tuple[int, ...], random: Random) -> tuple[list[float], float]:
    """Return the coefficients of a rotation and a slight perspective, and how they scale a page.

    The coefficients say where in the old page each pixel of the new page comes from.
    """
    rows, columns = shape
    angle, distance = random.normal(0, 0.06), random.uniform(*DISTANCES)
    cos, sin = np.cos(angle) * distance, np.sin(angle) * distance
    tilt = random.normal(0, 0.12, 2) / (columns, rows)
    cx, cy = columns / 2, rows / 2
    # Around the middle of the page: (x, y) → (a·x + b·y + c, d·x + e·y + f) / (g·x + h·y + 1).
    g, h = float(tilt[0]), float(tilt[1])
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0], [g, h, 1]]) @ np.array(
        [[1, 0, -cx], [0, 1, -cy], [0, 0, 1]]
    )
    matrix = np.array([[1, 0, cx], [0, 1, cy], [0, 0, 1]]) @ matrix
    return list((matrix / matrix[2, 2]).ravel()[:8]), 1 / distance


def turned(page: Floats, turn: list[float], how: Image.Resampling) -> Floats:
    image = Image.fromarray(page.astype(np.float32))
    return np.asarray(image.transform(image.size, Image.Transform.PERSPECTIVE, turn, how))
