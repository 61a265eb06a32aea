"""Draws docs/pictures/draw.gif: digits are drawn on the page, and read: python docs/build_draw.py

It starts the page's server, and draws with the mouse in Chromium, as a person does.
"""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

GIF = Path(__file__).parent / "pictures" / "draw.gif"
BROWSER = "/usr/bin/chromium"
VIEWPORT = {"width": 900, "height": 620}
SIZE = (720, 496)  # of the GIF
STEPS = 8  # pictures for a stroke
MILLISECONDS = 90  # a picture is shown for so long
LAST_MILLISECONDS = 2500

Point = tuple[float, float]


def arc(centre: Point, radius: Point, begin: float, end: float) -> list[Point]:
    """Return points of an ellipse; angles in turns, 0 at the right, clockwise."""
    turns = [begin + (end - begin) * step / 12 for step in range(13)]
    return [
        (
            centre[0] + radius[0] * math.cos(2 * math.pi * turn),
            centre[1] + radius[1] * math.sin(2 * math.pi * turn),
        )
        for turn in turns
    ]


STROKES = [  # of a 7, a 2 and a 3, as fractions of the sheet
    [(0.08, 0.28), (0.26, 0.27), (0.2, 0.45), (0.15, 0.72)],
    [*arc((0.47, 0.38), (0.09, 0.11), -0.5, 0.08), (0.42, 0.62), (0.37, 0.72), (0.58, 0.71)],
    [*arc((0.79, 0.38), (0.09, 0.1), -0.4, 0.2), *arc((0.78, 0.6), (0.11, 0.12), -0.25, 0.38)],
]


def pictures(page: Any) -> Iterator[Image.Image]:
    """Draw the strokes on the page; yield what the screen shows, a few times for each stroke."""
    sheet = page.locator("canvas.pad").bounding_box()

    def shot() -> Image.Image:
        return Image.open(BytesIO(page.screenshot())).convert("RGB").resize(SIZE)

    yield shot()
    for stroke in STROKES:
        points = [
            (sheet["x"] + sheet["width"] * x, sheet["y"] + sheet["height"] * y) for x, y in stroke
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for number, point in enumerate(points[1:], start=1):
            page.mouse.move(*point, steps=4)
            if number % max(1, len(points) // STEPS) == 0:
                page.wait_for_timeout(60)  # the page asks the server while the pen is down
                yield shot()
        page.mouse.up()
        page.wait_for_timeout(400)
        yield shot()


def main() -> None:
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--json"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as server,
        sync_playwright() as driver,
    ):
        assert server.stdout
        url = json.loads(server.stdout.readline())["url"]
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(url)
        page.wait_for_selector("canvas.pad")
        frames = [image.quantize(64) for image in pictures(page)]
        browser.close()
        server.send_signal(2)
    GIF.parent.mkdir(exist_ok=True)
    durations = [MILLISECONDS] * (len(frames) - 1) + [LAST_MILLISECONDS]
    frames[0].save(GIF, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    print(f"{GIF}: {GIF.stat().st_size:,} bytes, {len(frames)} pictures")


if __name__ == "__main__":
    main()
