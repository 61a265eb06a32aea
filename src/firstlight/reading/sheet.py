"""Draws how pictures were read: the ink, the lines as strips, and each digit's ink."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from firstlight.reading.result import UNSURE, Digit, Line, Reading
from firstlight.runs.files import atomic_write

PAGE_WIDTH, PAGE_MARGIN = 1200, 32  # pixels, as all sizes here
CARD_WIDTH, CARD_HEIGHT, CARD_GAP = 215, 112, 15
DIGIT_SIDE = 112  # the network's input on a card is enlarged four times
PICTURES_TOP = PAGE_MARGIN + 64
STRIP_SCALE, STRIP_LABELS = 3, 58  # a strip is enlarged three times; pixels for what is below it
CARDS_ACROSS = (PAGE_WIDTH - 2 * PAGE_MARGIN + CARD_GAP) // (CARD_WIDTH + CARD_GAP)
MAX_TITLE = 80  # characters

PAGE_COLOR, TEXT_COLOR, PALE_COLOR, TRACK_COLOR = "#ffffff", "#1d2733", "#6b7785", "#e8ecf1"
SURE_COLOR, DOUBTFUL_COLOR = "#0a7d5a", "#c2570c"
MIN_SURE = 0.8  # confidence below which a digit has DOUBTFUL_COLOR

LEFT_CAPTION = "the digits that were read"
RIGHT_CAPTION = "the ink that was found"
STRIPS_CAPTION = "the line reader's input, 32 pixels high, and where it sees which digit"
CARDS_CAPTION = "the ink of each digit, 28 by 28 pixels, and the three most probable answers"


def draw_sheet(readings: Sequence[tuple[str, Reading]], path: Path) -> None:
    """Write a PNG with a section for each file name and reading, one below the other."""
    sections = [draw_section(name, reading) for name, reading in readings]
    height = sum(section.height for section in sections)
    sheet = Image.new("RGB", (PAGE_WIDTH, max(height, 1)), PAGE_COLOR)
    y = 0
    for section in sections:
        sheet.paste(section, (0, y))
        y += section.height
    with atomic_write(path) as file:
        sheet.save(file, "PNG")


def draw_section(name: str, reading: Reading) -> Image.Image:
    """Draw one reading: title, the picture beside its ink, its strips, a card for each digit."""
    pictures = side_by_side(annotated_picture(reading), ink_picture(reading))
    strips = [draw_strip(line) for line in reading.lines if line.strip is not None]
    digits = [digit for line in reading.lines for digit in line.digits]
    rows = math.ceil(len(digits) / CARDS_ACROSS)
    strips_top = PICTURES_TOP + pictures.height + 64
    cards_top = strips_top + sum(strip.height for strip in strips) + (64 if strips else 0)
    height = cards_top + rows * (CARD_HEIGHT + CARD_GAP) + PAGE_MARGIN
    section = Image.new("RGB", (PAGE_WIDTH, height), PAGE_COLOR)
    pen = ImageDraw.Draw(section)
    pen.text((PAGE_MARGIN, PAGE_MARGIN), section_title(name, reading), TEXT_COLOR, sized_font(26))
    right = PAGE_WIDTH // 2 + CARD_GAP
    pen.text((right, PAGE_MARGIN + 36), RIGHT_CAPTION, PALE_COLOR, sized_font(15))
    pen.text((PAGE_MARGIN, PAGE_MARGIN + 36), LEFT_CAPTION, PALE_COLOR, sized_font(15))
    section.paste(pictures, (PAGE_MARGIN, PICTURES_TOP))
    if strips:
        pen.text((PAGE_MARGIN, strips_top - 30), STRIPS_CAPTION, PALE_COLOR, sized_font(15))
    for strip in strips:
        section.paste(strip, (PAGE_MARGIN, strips_top))
        strips_top += strip.height
    if digits:
        pen.text((PAGE_MARGIN, cards_top - 30), CARDS_CAPTION, PALE_COLOR, sized_font(15))
    for number, digit in enumerate(digits):
        row, column = divmod(number, CARDS_ACROSS)
        x = PAGE_MARGIN + column * (CARD_WIDTH + CARD_GAP)
        y = cards_top + row * (CARD_HEIGHT + CARD_GAP)
        section.paste(digit_card(digit), (x, y))
    return section


def section_title(name: str, reading: Reading) -> str:
    """Return the file's name and what is written in it, on one line."""
    text = reading.text.replace("\n", "  /  ")
    return truncated(f"{name}:  {', '.join(filter(None, (text, reading.note)))}", MAX_TITLE)


def truncated(text: str, max_length: int) -> str:
    """Return the text, or its beginning and an ellipsis if it is too long."""
    if len(text) <= max_length:
        return text
    return text[: max_length - 1] + "…"


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Put two pictures beside each other, both resized to the size of the left one."""
    size = scaled_size(left, half_page_scale(left))
    both = Image.new("RGB", (PAGE_WIDTH - 2 * PAGE_MARGIN, size[1]), PAGE_COLOR)
    for x, picture in ((0, left), (PAGE_WIDTH // 2 - PAGE_MARGIN + CARD_GAP, right)):
        both.paste(picture.resize(size, Image.Resampling.LANCZOS), (x, 0))
    return both


def annotated_picture(reading: Reading) -> Image.Image:
    """Draw the picture, paler, with a box around each digit and the digit that was read above.

    What may be a digit and was not read has a box alone.
    """
    picture = reading.picture.image
    # It is drawn at its final size; otherwise lines and letters would be shrunk with the picture.
    scale = half_page_scale(picture)
    picture = picture.resize(scaled_size(picture, scale))
    picture = Image.blend(picture, Image.new("RGB", picture.size, PAGE_COLOR), 0.25)
    scale /= reading.picture.scale
    for line in reading.lines:
        for digit in line.digits:
            draw_box(picture, digit.box, digit_color(digit), scale)
            annotate(picture, digit, scale)
    for box in reading.unread:
        draw_box(picture, box, DOUBTFUL_COLOR, scale)
    return picture


def draw_box(
    picture: Image.Image, box: tuple[int, int, int, int], color: str, scale: float
) -> None:
    """Draw a box into a picture.

    Args:
        scale: pixels of this picture per pixel of the original.
    """
    x, y, width, height = (side * scale for side in box)
    corners = x - 2, y - 2, x + width + 1, y + height + 1
    ImageDraw.Draw(picture).rectangle(corners, outline=color, width=2)


def annotate(picture: Image.Image, digit: Digit, scale: float) -> None:
    """Draw what was read above a digit's box, or below it at the top; `scale` as for the box."""
    pen = ImageDraw.Draw(picture)
    x, y, width, height = (side * scale for side in digit.box)
    font_size = min(max(14.0, height * 0.4), 30.0)
    text_y = y - font_size - 5
    if text_y <= 0:
        text_y = min(y + height + 3, picture.height - font_size - 4)
    pen.text(
        (x + width / 2, text_y),
        digit.digit,
        fill=digit_color(digit),
        font=sized_font(font_size),
        anchor="ma",
        stroke_width=2,
        stroke_fill=PAGE_COLOR,
    )


def half_page_scale(picture: Image.Image) -> float:
    """Return the factor that makes a picture half a page wide, or as high as the page is wide."""
    return min(
        (PAGE_WIDTH // 2 - PAGE_MARGIN - CARD_GAP) / picture.width, PAGE_WIDTH / picture.height
    )


def scaled_size(picture: Image.Image, factor: float) -> tuple[int, int]:
    """Return the width and height of a picture times a factor, each at least 1."""
    return max(1, round(picture.width * factor)), max(1, round(picture.height * factor))


def ink_picture(reading: Reading) -> Image.Image:
    """Draw the ink on white; the darkest ink is black."""
    darkest = max(float(reading.contrast.max()), 0.1)
    return Image.fromarray((255 * (1 - reading.contrast / darkest)).clip(0, 255).astype(np.uint8))


def draw_strip(line: Line) -> Image.Image:
    """Draw a line's strip, enlarged, and each digit and its confidence below its place in it."""
    assert line.strip is not None
    strip = Image.fromarray(255 - line.strip)
    scale = min(STRIP_SCALE, (PAGE_WIDTH - 2 * PAGE_MARGIN) / strip.width)
    width, height = scaled_size(strip, scale)
    drawn = Image.new("RGB", (PAGE_WIDTH - 2 * PAGE_MARGIN, height + STRIP_LABELS), PAGE_COLOR)
    drawn.paste(strip.resize((width, height), Image.Resampling.NEAREST), (0, 0))
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((0, 0, width - 1, height - 1), outline=TRACK_COLOR)
    for digit in line.digits:
        x = scale * (digit.column or 0.0)
        pen.line((x, height, x, height + 5), digit_color(digit), 2)
        pen.text((x, height + 6), digit.digit, digit_color(digit), sized_font(20), anchor="ma")
        confidence = f"{digit.confidence:.0%}".replace("%", " %")
        pen.text((x, height + 30), confidence, PALE_COLOR, sized_font(11), anchor="ma")
    return drawn


def digit_card(digit: Digit) -> Image.Image:
    """Draw the network's input, enlarged, and a bar for each of the most probable classes."""
    card = Image.new("RGB", (CARD_WIDTH, CARD_HEIGHT), PAGE_COLOR)
    image = Image.fromarray(digit.image[..., 0])
    card.paste(image.resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.NEAREST), (0, 0))
    for row, (name, probability) in enumerate(digit.candidates):
        color = digit_color(digit) if row == 0 else PALE_COLOR
        draw_bar(card, row, name, probability, color)
    return card


def draw_bar(card: Image.Image, row: int, name: str, probability: float, color: str) -> None:
    """Draw the name of a class, its probability as a number, and as a bar below them."""
    pen = ImageDraw.Draw(card)
    left, right, top = DIGIT_SIDE + 12, CARD_WIDTH - 1, 3 + 38 * row
    percentage = f"{probability:.1%}".replace("%", " %")
    pen.text((left, top), name, color, sized_font(20))
    pen.text((CARD_WIDTH, top + 4), percentage, PALE_COLOR, sized_font(14), anchor="ra")
    pen.rounded_rectangle((left, top + 25, right, top + 30), radius=3, fill=TRACK_COLOR)
    if probability >= 0.03:  # a shorter bar could not have round ends
        bar_end = left + max(6, probability * (right - left))
        pen.rounded_rectangle((left, top + 25, bar_end, top + 30), radius=3, fill=color)


def digit_color(digit: Digit) -> str:
    doubtful = digit.digit == UNSURE or digit.confidence < MIN_SURE
    return DOUBTFUL_COLOR if doubtful else SURE_COLOR


def sized_font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
