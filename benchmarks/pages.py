"""Pages of handwriting with known text: digits that no network has learned on, written on paper.

A page is composed of MNIST's test digits, enlarged to a hundred pixels and laid side by side, then
photographed: paper, light, perspective, blur and JPEG.
"""

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from firstlight.datasets import mnist

Floats = NDArray[np.float32]
Random = np.random.Generator

# The eight neighbours of a pixel, from above, clockwise.
AROUND = [(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)]


class Style(NamedTuple):
    """How a page is written and photographed."""

    pen: int | None = None  # only the strokes' middles, the nearer 1 the thinner; None: as in MNIST
    darkness: float = 0.75  # of the ink
    gap: tuple[float, float] = (0.08, 0.5)  # between digits, over their height
    lean: float = 0.02  # of the lines of text
    texture: float = 0.02
    light: float = 0.1  # how much darker the darkest corner is
    shadow: bool = False
    ruled: float = 0.0  # darkness of printed lines
    squared: bool = False  # they run both ways
    turned: float = 0.0  # of the camera, in degrees
    perspective: float = 0.0
    blur: float = 0.5
    quality: int = 92
    inverted: bool = False


STYLES = {
    "clean": Style(texture=0.0, light=0.0, lean=0.0, blur=0.0, quality=100),
    "paper": Style(),
    "pencil": Style(pen=7, darkness=0.35),
    "touching": Style(gap=(-0.12, 0.1)),
    "ruled": Style(ruled=0.35),
    "squared": Style(ruled=0.25, squared=True),
    "shadow": Style(shadow=True, light=0.3),
    "photograph": Style(texture=0.03, light=0.4, perspective=0.08, blur=1.2, quality=60, lean=0.06),
    "pencil, ruled, photographed": Style(
        pen=9, darkness=0.4, ruled=0.2, light=0.3, shadow=True, perspective=0.05, turned=4, blur=1
    ),
    "blackboard": Style(inverted=True, darkness=0.6, light=0.2),
}


def page(style: Style, split: str, random: Random) -> tuple[Image.Image, str]:
    """A picture and its text, 1 to 3 lines of 3 to 20 digits."""
    examples = mnist.load(split)
    images, labels = examples.images, examples.labels
    texts, rows = [], []
    for _ in range(random.integers(1, 4)):
        chosen = random.integers(len(images), size=random.integers(3, 21))
        texts.append("".join(str(labels[i]) for i in chosen))
        rows.append(written([images[i] for i in chosen], style, random))
    ink = stacked(rows, random)
    return photographed(ink, style, random), "\n".join(texts)


def written(images: list[NDArray[np.uint8]], style: Style, random: Random) -> Floats:
    """A line of digits side by side, (h, w), 0..1."""
    height = random.uniform(50, 110)
    digits = [enlarged(image, height * random.uniform(0.85, 1.1), style.pen) for image in images]
    gaps = [height * random.uniform(*style.gap) for _ in digits]
    width = int(sum(digit.shape[1] for digit in digits) + sum(gaps)) + 40
    rise = random.uniform(-style.lean, style.lean)
    line = np.zeros((int(1.6 * height + abs(rise) * width) + 4, width), np.float32)
    base = line.shape[0] - 2 if rise >= 0 else line.shape[0] - 2 - abs(rise) * width
    x = 5.0
    for digit, gap in zip(digits, gaps, strict=True):
        top = int(base - rise * x - digit.shape[0] - random.uniform(0, 0.15) * height)
        place = line[top : top + digit.shape[0], int(x) : int(x) + digit.shape[1]]
        np.maximum(place, digit[: place.shape[0], : place.shape[1]], out=place)
        x += digit.shape[1] + gap
    return line


def enlarged(image: NDArray[np.uint8], height: float, pen: int | None) -> Floats:
    """An MNIST digit with smooth edges, cut to its ink and about so high (a 1 as high as an 8)."""
    big = Image.fromarray(image.reshape(28, 28)).resize((280, 280), Image.Resampling.BICUBIC)
    smooth = np.asarray(big.filter(ImageFilter.GaussianBlur(4)), np.float32) / 255
    ink = ((smooth / max(smooth.max(), 0.1) - 0.5) * 12 + 0.5).clip(0, 1)
    ink = skeleton(ink, pen) if pen else ink
    rows, columns = (np.flatnonzero(ink.max(axis) > 0.5) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    by = height / 200
    size = max(2, round(cut.shape[1] * by)), max(2, round(cut.shape[0] * by))
    return np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BOX))


def skeleton(ink: Floats, pen: int) -> Floats:
    """The strokes' middles, thinned as Zhang and Suen (1984) do it, drawn with a pen so wide."""
    mask = np.pad(ink > 0.5, 1)
    before = -1
    while mask.sum() != before:
        before = mask.sum()
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            around = np.stack([np.roll(mask, shift, (0, 1)) for shift in AROUND])
            neighbours = around.sum(0)
            changes = (~around & np.roll(around, -1, 0)).sum(0)
            loose = (neighbours >= 2) & (neighbours <= 6) & (changes == 1)
            mask &= ~(loose & ~around[list(first)].all(0) & ~around[list(second)].all(0))
    drawn = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(pen))
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255


def stacked(rows: list[Floats], random: Random) -> Floats:
    margin = 60
    width = max(row.shape[1] for row in rows) + 2 * margin
    height = sum(row.shape[0] + 30 for row in rows) + 2 * margin
    ink = np.zeros((max(height, width // 2), width), np.float32)
    y = margin
    for row in rows:
        x = margin + random.integers(width - row.shape[1] - 2 * margin + 1)
        ink[y : y + row.shape[0], x : x + row.shape[1]] = row
        y += row.shape[0] + 30
    return ink


def photographed(ink: Floats, style: Style, random: Random) -> Image.Image:
    light = ramp(ink.shape, random) * style.light
    if style.shadow:
        light += 0.35 * (ramp(ink.shape, random) > random.uniform(0.3, 0.7))
    grain = random.normal(0, style.texture, ink.shape)
    paper = 0.92 * (1 - light) + grain
    if style.ruled:
        apart, first = int(random.integers(35, 70)), int(random.integers(35))
        for lines in (paper, paper.T) if style.squared else (paper,):
            lines[first::apart] *= 1 - style.ruled
            lines[first + 1 :: apart] *= 1 - style.ruled / 2
    seen = paper * (1 - style.darkness * ink)
    picture = Image.fromarray(
        (255 * (1 - seen if style.inverted else seen)).clip(0, 255).astype(np.uint8)
    )
    if style.perspective:
        picture = from_aside(picture, style.perspective, random)
    if style.turned:
        angle = random.uniform(-style.turned, style.turned)
        picture = picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=60)
    buffer = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(style.blur)).save(buffer, "JPEG", quality=style.quality)
    return Image.open(buffer)


def ramp(shape: tuple[int, ...], random: Random) -> NDArray[np.float64]:
    """0..1 from one side of the picture to another."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    slope = x * np.cos(angle) + y * np.sin(angle)
    return np.asarray((slope - slope.min()) / np.ptp(slope))


def from_aside(picture: Image.Image, by: float, random: Random) -> Image.Image:
    """Seen from aside, on a dark table: the corners moved by up to a part of the picture."""
    width, height = picture.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    seen = corners + random.uniform(-by, 0.2 * by, (4, 2)) * (width, height) * np.sign(corners - 1)
    rows = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    coefficients = np.linalg.solve(np.array(rows), corners.ravel())
    return picture.transform(
        picture.size,
        Image.Transform.PERSPECTIVE,
        coefficients,
        Image.Resampling.BICUBIC,
        fillcolor=60,
    )
