"""What is cut out of a picture, and how large a network takes it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

Size = tuple[int, ...]  # height, width, channels
CUT_OUT = 224 / 256  # of the shortest side


class Place(NamedTuple):
    """What is cut out of a picture."""

    share: float = CUT_OUT  # of the shortest side
    across: float = 0.5  # 0: at the left edge, 1: at the right
    down: float = 0.5
    mirrored: bool = False


MIDDLE, WHOLE = Place(), Place(share=1.0)
# Corners and middle, and mirrored. Of the whole picture, not of its middle square: that is better
# (SPP-net, arXiv 1406.4729, section 3.1, of ZFNet's own test).
CORNERS = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
TEN_CROPS = [Place(CUT_OUT, *corner, mirror) for mirror in (False, True) for corner in CORNERS]


def place(strengths: Mapping[str, float], seed: int, number: int) -> Place:
    """Where a recipe's `augment` cuts the number-th training picture out.

    anywhere  share of the way from the middle to the edges
    zoom      how much of the shortest side may be missing: 0.5 takes from the half to all of it
    mirror    share of the pictures that are mirrored
    """
    lots = np.random.default_rng([seed, number, 1]).random(4)
    zoom, way = strengths.get("zoom", 0.0), strengths.get("anywhere", 0.0)
    share = 1 - zoom * lots[0] if zoom else CUT_OUT
    across, down = (float(0.5 + way * (lot - 0.5)) for lot in lots[1:3])
    return Place(float(share), across, down, bool(lots[3] < strengths.get("mirror", 0.0)))


def cut_out(picture: Image.Image, place: Place, size: Size) -> np.ndarray:
    """A part of the picture of the network's size, (height, width, channels) uint8."""
    height, width, channels = size
    scale = place.share * min(picture.width / width, picture.height / height)
    across, down = width * scale, height * scale
    left = round((picture.width - across) * place.across)
    top = round((picture.height - down) * place.down)
    box: Any = (left, top, min(left + across, picture.width), min(top + down, picture.height))
    if (across, down) == (width, height):
        image = picture.crop(box)
    else:
        image = picture.resize((width, height), Image.Resampling.BILINEAR, box)
    if place.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mode = "L" if channels == 1 else "RGB"
    return np.asarray(image if image.mode == mode else image.convert(mode)).reshape(size)
