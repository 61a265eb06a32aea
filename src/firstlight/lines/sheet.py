"""Draws what the line reader and the line finder are trained on.

python -m firstlight.lines.sheet runs/lines/glyphs-train.npy strips.png pages.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from firstlight.lines import compose, glyphs, pages
from firstlight.lines.glyphs import Glyphs

WIDTH, HEIGHT, GAP = 1200, 1500, 8  # pixels of a sheet
STRIP_SCALE = 1.5
TEXT_HEIGHT = 13


def strips(written: Glyphs, random: np.random.Generator) -> list[Image.Image]:
    """Return some strips of a batch, dark on light, each above what it says."""
    batch = compose.compose(written, 8, random)
    drawn = []
    for pixels, labels in zip(batch.pixels, batch.labels, strict=True):
        strip = Image.fromarray(255 - pixels[..., 0])
        strip = strip.resize((round(strip.width * STRIP_SCALE), round(strip.height * STRIP_SCALE)))
        picture = Image.new("RGB", (strip.width, strip.height + TEXT_HEIGHT), "white")
        picture.paste(strip)
        text = "".join(map(str, labels[labels >= 0])) or "nothing"
        ImageDraw.Draw(picture).text((0, strip.height), text, "black")
        drawn.append(picture)
    return drawn


def page_pictures(written: Glyphs, random: np.random.Generator) -> list[Image.Image]:
    """Return some pages of a batch, with the middles of their lines in colour."""
    batch = pages.compose(written, 2, random)
    drawn = []
    for pixels, answers in zip(batch.pixels[..., 0], batch.lines, strict=True):
        is_line = Image.fromarray(answers[..., 0] > 0).resize(pixels.shape[::-1])
        picture = Image.fromarray(pixels).convert("RGB")
        picture.paste((0, 120, 255), mask=is_line.convert("L").point([0] * 255 + [100]))
        drawn.append(picture.resize((picture.width // 2, picture.height // 2)))
    return drawn


def in_rows(pictures: Sequence[Image.Image]) -> Image.Image:
    """Lay pictures side by side, in rows, as many as fit on a sheet."""
    sheet = Image.new("RGB", (WIDTH, HEIGHT), "white")
    x = y = row_height = 0
    for picture in pictures:
        if x + picture.width > WIDTH:
            x, y, row_height = 0, y + row_height + GAP, 0
        sheet.paste(picture, (x, y))
        x, row_height = x + picture.width + GAP, max(row_height, picture.height)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("glyphs", type=Path, help="a file that the training has written")
    parser.add_argument("strips", type=Path)
    parser.add_argument("pages", type=Path)
    arguments = parser.parse_args()
    written = glyphs.load("train", arguments.glyphs)
    for draw, path in ((strips, arguments.strips), (page_pictures, arguments.pages)):
        drawn = [part for seed in range(24) for part in draw(written, np.random.default_rng(seed))]
        in_rows(drawn).save(path)


if __name__ == "__main__":
    main()
