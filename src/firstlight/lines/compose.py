"""Strips of writing, composed anew each time: what the line reader is trained on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.lines import layout, paper
from firstlight.lines.glyphs import Glyphs
from firstlight.lines.layout import Floats, Ints, Random
from firstlight.reading.strip import PAPER_PIXEL, strip_pixels

WIDTHS = (48, 64, 96, 128, 160, 192, 256, 352)  # pixels; all strips of a batch have the same
SHARES = (0.08, 0.12, 0.15, 0.2, 0.15, 0.12, 0.1, 0.08)


@dataclass(frozen=True)
class Strips:
    """A batch of strips: pixels (n, 32, width, 1), and labels (n, MAX_DIGITS), at the end -1."""

    pixels: NDArray[np.uint8]
    labels: Ints


def compose(glyphs: Glyphs, strips: int, random: Random) -> Strips:
    """Compose a batch of strips of one width."""
    width = int(random.choice(WIDTHS, p=SHARES))
    style = layout.writing(random, strips, width)
    lines = layout.write(glyphs, style, width, random)
    paper.other_lines(lines, random)
    paper.broken_ink(lines.ink, random)
    pressed = lines.ink * layout.column(random.uniform(0.7, 1, strips))
    contrast = 1 - (1 - pressed) * (1 - np.minimum(paper.printed(lines, random), 1.3))
    contrast += paper.scenes(lines, random)
    contrast += paper.texture(contrast.shape, random) + paper.shading(contrast.shape, random)
    early = random.random((strips, 1, 1)) < 0.5
    noise = paper.grain(contrast.shape, random)
    contrast = paper.photographed(contrast + noise * early, random) + noise * ~early
    pixels = strip_pixels(contrast)
    cut_to_writing(pixels, lines, random)
    return Strips(pixels[..., None], lines.labels)


def cut_to_writing(pixels: NDArray[np.uint8], lines: layout.Lines, random: Random) -> None:
    """Replace what is beside the writing with plain paper, in two of five strips."""
    chosen = (random.random(len(pixels)) < 0.4) & (lines.right > lines.left)
    margins: Floats = random.uniform(1, 12, (2, len(pixels), 1)).astype(np.float32)
    columns = np.arange(pixels.shape[2])
    left, right = lines.left[:, None] - margins[0], lines.right[:, None] + margins[1]
    outside = chosen[:, None] & ((columns < left) | (columns > right))
    pixels[np.broadcast_to(outside[:, None], pixels.shape)] = PAPER_PIXEL
