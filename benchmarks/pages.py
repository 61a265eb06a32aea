"""Pages of handwriting with known text, made of digits that no network was trained on.

A page consists of MNIST's test digits, enlarged to about a hundred pixels and laid side by side. It
is then "photographed": paper, light, perspective, blur and JPEG are simulated.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from firstlight.datasets import mnist

Floats = NDArray[np.float32]
Random = np.random.Generator

# A pixel's eight neighbours as shifts (rows, columns), clockwise from the one above.
NEIGHBOURS = [(1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)]
# Zhang and Suen's two subiterations: a pixel stays if all three neighbours of either group are ink.
SUBITERATIONS = (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6)))
MARGIN = 60  # pixels
LINE_SPACING = 30  # pixels
TABLE_COLOUR = 60  # what is beside the paper


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a page is written and photographed. Strengths are fractions from 0 to 1."""

    pen: int | None = None  # width in pixels of the 200 of a digit's height; None: as in MNIST
    darkness: float = 0.75  # of the ink
    gap: tuple[float, float] = (0.08, 0.5)  # between digits, smallest and largest, ÷ their height
    slope: float = 0.02  # of the lines of text, at most
    noise: float = 0.02  # of the paper
    shading: float = 0.1  # how much darker the darkest corner is
    shadow: bool = False  # one with a sharp edge
    ruled: float = 0.0  # darkness of printed lines
    squared: bool = False  # the printed lines run in both directions
    rotation: float = 0.0  # of the camera, in degrees, at most
    perspective: float = 0.0  # how far the corners move, ÷ the picture's side
    blur: float = 0.5  # radius in pixels
    quality: int = 92  # of the JPEG file
    inverted: bool = False  # light ink on dark paper


STYLES = {
    "clean": Style(noise=0.0, shading=0.0, slope=0.0, blur=0.0, quality=100),
    "paper": Style(),
    "pencil": Style(pen=7, darkness=0.35),
    "touching": Style(gap=(-0.12, 0.1)),
    "ruled": Style(ruled=0.35),
    "squared": Style(ruled=0.25, squared=True),
    "shadow": Style(shadow=True, shading=0.3),
    "photograph": Style(
        noise=0.03, shading=0.4, perspective=0.08, blur=1.2, quality=60, slope=0.06
    ),
    "pencil, ruled, photographed": Style(
        pen=9,
        darkness=0.4,
        ruled=0.2,
        shading=0.3,
        shadow=True,
        perspective=0.05,
        rotation=4,
        blur=1,
    ),
    "blackboard": Style(inverted=True, darkness=0.6, shading=0.2),
}


def page(style: Style, split: str, random: Random) -> tuple[Image.Image, str]:
    """A picture and its text: 1 to 3 lines of 3 to 20 digits."""
    examples = mnist.load(split)
    images, labels = examples.images, examples.labels
    texts, rows = [], []
    for _ in range(random.integers(1, 4)):
        chosen = random.integers(len(images), size=random.integers(3, 21))
        texts.append("".join(str(labels[index]) for index in chosen))
        rows.append(text_line([images[index] for index in chosen], style, random))
    ink = stack_lines(rows, random)
    return photograph(ink, style, random), "\n".join(texts)


def text_line(images: list[NDArray[np.uint8]], style: Style, random: Random) -> Floats:
    """Digits side by side: ink (height, width), 0..1."""
    height = random.uniform(50, 110)
    digits = [enlarge(image, height * random.uniform(0.85, 1.1), style.pen) for image in images]
    gaps = [height * random.uniform(*style.gap) for _ in digits]
    width = int(sum(digit.shape[1] for digit in digits) + sum(gaps)) + 40
    slope = random.uniform(-style.slope, style.slope)
    line = np.zeros((int(1.6 * height + abs(slope) * width) + 4, width), np.float32)
    baseline = float(line.shape[0] - 2)
    if slope < 0:
        baseline -= abs(slope) * width
    x = 5.0
    for digit, gap in zip(digits, gaps, strict=True):
        lift = random.uniform(0, 0.15) * height
        top, left = int(baseline - slope * x - digit.shape[0] - lift), int(x)
        area = line[top : top + digit.shape[0], left : left + digit.shape[1]]
        np.maximum(area, digit[: area.shape[0], : area.shape[1]], out=area)
        x += digit.shape[1] + gap
    return line


def enlarge(image: NDArray[np.uint8], height: float, pen: int | None) -> Floats:
    """An MNIST digit with smooth edges, cropped to its ink and scaled by `height` ÷ 200.

    All digits are scaled alike: a 1 is as high as an 8.
    """
    enlarged = Image.fromarray(image.reshape(28, 28)).resize((280, 280), Image.Resampling.BICUBIC)
    smooth = np.asarray(enlarged.filter(ImageFilter.GaussianBlur(4)), np.float32) / 255
    ink = ((smooth / max(smooth.max(), 0.1) - 0.5) * 12 + 0.5).clip(0, 1)
    if pen:
        ink = thin(ink, pen)
    rows, columns = (np.flatnonzero(ink.max(axis) > 0.5) for axis in (1, 0))
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = height / 200
    size = max(2, round(cropped.shape[1] * scale)), max(2, round(cropped.shape[0] * scale))
    return np.asarray(Image.fromarray(cropped).resize(size, Image.Resampling.BOX))


def thin(ink: Floats, pen: int) -> Floats:
    """The strokes' skeletons (Zhang and Suen, 1984), drawn with a pen of that width in pixels."""
    mask = np.pad(ink > 0.5, 1)
    pixels_before = -1
    while mask.sum() != pixels_before:
        pixels_before = mask.sum()
        for first, second in SUBITERATIONS:
            around = np.stack([np.roll(mask, shift, (0, 1)) for shift in NEIGHBOURS])
            neighbours = around.sum(0)
            changes = (~around & np.roll(around, -1, 0)).sum(0)
            removable = (neighbours >= 2) & (neighbours <= 6) & (changes == 1)
            mask &= ~(removable & ~around[list(first)].all(0) & ~around[list(second)].all(0))
    drawn = Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(pen))
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255


def stack_lines(rows: list[Floats], random: Random) -> Floats:
    """The lines of text below one another, each at a random distance from the left."""
    width = max(row.shape[1] for row in rows) + 2 * MARGIN
    height = sum(row.shape[0] + LINE_SPACING for row in rows) + 2 * MARGIN
    ink = np.zeros((max(height, width // 2), width), np.float32)
    y = MARGIN
    for row in rows:
        x = MARGIN + random.integers(width - row.shape[1] - 2 * MARGIN + 1)
        ink[y : y + row.shape[0], x : x + row.shape[1]] = row
        y += row.shape[0] + LINE_SPACING
    return ink


def photograph(ink: Floats, style: Style, random: Random) -> Image.Image:
    brightness = paper(ink.shape, style, random) * (1 - style.darkness * ink)
    if style.inverted:
        brightness = 1 - brightness
    picture = Image.fromarray((255 * brightness).clip(0, 255).astype(np.uint8))
    if style.perspective:
        picture = tilt(picture, style.perspective, random)
    if style.rotation:
        angle = random.uniform(-style.rotation, style.rotation)
        picture = picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=TABLE_COLOUR)
    buffer = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(style.blur)).save(buffer, "JPEG", quality=style.quality)
    return Image.open(buffer)


def paper(shape: tuple[int, ...], style: Style, random: Random) -> NDArray[np.float64]:
    """The brightness of the empty paper, 0..1."""
    darkening = gradient(shape, random) * style.shading
    if style.shadow:
        darkening += 0.35 * (gradient(shape, random) > random.uniform(0.3, 0.7))
    brightness = 0.92 * (1 - darkening) + random.normal(0, style.noise, shape)
    if style.ruled:
        spacing, first = int(random.integers(35, 70)), int(random.integers(35))
        rule(brightness, first, spacing, style.ruled)
        if style.squared:
            rule(brightness.T, first, spacing, style.ruled)
    return brightness


def rule(brightness: NDArray[np.float64], first: int, spacing: int, darkness: float) -> None:
    """Print horizontal lines, two pixels thick, onto the paper."""
    brightness[first::spacing] *= 1 - darkness
    brightness[first + 1 :: spacing] *= 1 - darkness / 2


def gradient(shape: tuple[int, ...], random: Random) -> NDArray[np.float64]:
    """Values from 0 at one side of the picture to 1 at the opposite side."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    slope = x * np.cos(angle) + y * np.sin(angle)
    return np.asarray((slope - slope.min()) / np.ptp(slope))


def tilt(picture: Image.Image, strength: float, random: Random) -> Image.Image:
    """The picture in perspective, on a dark table: each corner moves by up to `strength` of it."""
    width, height = picture.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    shifts = random.uniform(-strength, 0.2 * strength, (4, 2)) * (width, height)
    moved = corners + shifts * np.sign(corners - 1)
    rows = []
    for (x, y), (u, v) in zip(moved, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    coefficients = np.linalg.solve(np.array(rows), corners.ravel())
    return picture.transform(
        picture.size,
        Image.Transform.PERSPECTIVE,
        coefficients,
        Image.Resampling.BICUBIC,
        fillcolor=TABLE_COLOUR,
    )
