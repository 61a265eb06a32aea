"""One picture of how a picture was read: what was found in it, and what the network was shown."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from firstlight.reading.reader import UNSURE, Digit, Reading
from firstlight.runs.files import whole

WIDTH, MARGIN = 1200, 32
CARD_WIDTH, CARD_HEIGHT, SHOWN, GAP = 215, 112, 112, 15
PAGE, TEXT, FAINT, TRACK = "#ffffff", "#1d2733", "#6b7785", "#e8ecf1"
SURE, DOUBTFUL = "#0a7d5a", "#c2570c"


def draw(readings: Sequence[tuple[str, Reading]], path: Path) -> None:
    """Write a PNG: for each file name and reading the picture, the ink, and every digit."""
    sheets = [sheet(name, reading) for name, reading in readings]
    page = Image.new("RGB", (WIDTH, sum(each.height for each in sheets) or 1), PAGE)
    y = 0
    for each in sheets:
        page.paste(each, (0, y))
        y += each.height
    with whole(path) as file:
        page.save(file, "PNG")


def sheet(name: str, reading: Reading) -> Image.Image:
    pictures = side_by_side(answered(reading), inked(reading))
    digits = [digit for line in reading.lines for digit in line.digits]
    across = (WIDTH - 2 * MARGIN + GAP) // (CARD_WIDTH + GAP)
    rows = -(-len(digits) // across)
    top = MARGIN + 64
    cards_top = top + pictures.height + 64
    page = Image.new("RGB", (WIDTH, cards_top + rows * (CARD_HEIGHT + GAP) + MARGIN), PAGE)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN), title(name, reading), TEXT, font(26))
    pen.text((WIDTH // 2 + GAP, MARGIN + 36), "the ink that was found", FAINT, font(15))
    pen.text((MARGIN, MARGIN + 36), "what is read, and where", FAINT, font(15))
    page.paste(pictures, (MARGIN, top))
    if digits:
        says = "what the network is shown, 28 by 28 pixels, and its three best guesses"
        pen.text((MARGIN, cards_top - 30), says, FAINT, font(15))
    for number, digit in enumerate(digits):
        row, column = divmod(number, across)
        place = (MARGIN + column * (CARD_WIDTH + GAP), cards_top + row * (CARD_HEIGHT + GAP))
        page.paste(card(digit), place)
    return page


def title(name: str, reading: Reading) -> str:
    text = reading.note or reading.text.replace("\n", "  /  ")
    return shortened(f"{name}:  {text}", 80)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    size = resized(left, half_size(left))
    page = Image.new("RGB", (WIDTH - 2 * MARGIN, size[1]), PAGE)
    for x, picture in ((0, left), (WIDTH // 2 - MARGIN + GAP, right)):
        page.paste(picture.resize(size, Image.Resampling.LANCZOS), (x, 0))
    return page


def answered(reading: Reading) -> Image.Image:
    """The picture, paled, with a box around each digit and the answer over it."""
    picture = reading.picture.image
    # Drawn at the size at which it will be shown, or lines and letters would be shrunk with it.
    by = half_size(picture)
    picture = picture.resize(resized(picture, by))
    picture = Image.blend(picture, Image.new("RGB", picture.size, PAGE), 0.25)
    pen = ImageDraw.Draw(picture)
    for digit in (digit for line in reading.lines for digit in line.digits):
        x, y, w, h = (side / reading.picture.scale * by for side in digit.box)
        color = color_of(digit)
        pen.rectangle((x - 2, y - 2, x + w + 1, y + h + 1), outline=color, width=2)
        size = min(max(14.0, h * 0.4), 30.0)
        over, under = y - size - 5, min(y + h + 3, picture.height - size - 4)
        place = (x + w / 2, over if over > 0 else under)
        pen.text(place, digit.digit, color, font(size), "ma", stroke_width=2, stroke_fill=PAGE)
    return picture


def half_size(picture: Image.Image) -> float:
    """To make it as wide as half of the sheet, and not higher than the sheet is wide."""
    return min((WIDTH // 2 - MARGIN - GAP) / picture.width, WIDTH / picture.height)


def resized(picture: Image.Image, by: float) -> tuple[int, int]:
    return max(1, round(picture.width * by)), max(1, round(picture.height * by))


def inked(reading: Reading) -> Image.Image:
    """Dark on white, as dark as it is darker than the paper."""
    darkest = max(float(reading.contrast.max()), 0.1)
    return Image.fromarray((255 * (1 - reading.contrast / darkest)).clip(0, 255).astype(np.uint8))


def card(digit: Digit) -> Image.Image:
    """The 28×28 image enlarged, and a bar for each of the likeliest classes."""
    page = Image.new("RGB", (CARD_WIDTH, CARD_HEIGHT), PAGE)
    image = Image.fromarray(digit.image[..., 0])
    page.paste(image.resize((SHOWN, SHOWN), Image.Resampling.NEAREST), (0, 0))
    pen = ImageDraw.Draw(page)
    for row, (name, probability) in enumerate(digit.candidates):
        x, y = SHOWN + 12, 3 + 38 * row
        color = color_of(digit) if row == 0 else FAINT
        pen.text((x, y), name, color, font(20))
        pen.text(
            (CARD_WIDTH, y + 4),
            f"{probability:.1%}".replace("%", " %"),
            FAINT,
            font(14),
            anchor="ra",
        )
        pen.rounded_rectangle((x, y + 25, CARD_WIDTH - 1, y + 30), 3, TRACK)
        if probability >= 0.03:
            end = x + max(6, probability * (CARD_WIDTH - 1 - x))
            pen.rounded_rectangle((x, y + 25, end, y + 30), 3, color)
    return page


def color_of(digit: Digit) -> str:
    return DOUBTFUL if digit.digit == UNSURE or digit.confidence < 0.8 else SURE


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
