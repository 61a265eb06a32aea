"""Draws the pages of a PDF file as pictures, with PDFium (the package pypdfium2, the extra `pdf`).

Pages and the pictures in them are measured by what the file says of them before anything is drawn.
Still a page may take hours: a few lines can repeat a drawing a million times. So it is drawn in a
process (pdf_worker.py) that is killed at a deadline.
"""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from firstlight.errors import DataError
from firstlight.images.open import MAX_PIXELS, WORKING_PIXELS, Picture, check_page

BOX_PIXELS_PER_POINT = 2  # boxes are in pixels of a page at 144 dots per inch
DRAWN_PIXELS = 2 * WORKING_PIXELS  # reduced to the working size afterwards, which keeps thin pens
MAX_DRAWN_SIDE = 10_000  # pixels: of a page that is a strip
MAX_PIXELS_PER_POINT = 8.0
SECONDS_TO_DRAW = 6.0  # a page, with the start of the process
MAX_MEMORY = 900 * 2**20  # bytes, of the process
HAS_DEADLINE = False  # whether this process is itself killed when it takes too long

Drawn = tuple[float, float, Image.Image]  # width and height of a page in points, and its picture


def count_pages(path: Path) -> int:
    """Return the number of pages.

    Raises:
        DataError: pypdfium2 is not installed; the file is damaged, encrypted, or has too many.
    """
    with _opened(path) as document:
        check_page(1, len(document))
        return len(document)


def open_page(path: Path, page: int, as_picture: Callable[[Image.Image], Picture]) -> Picture:
    """Return a page, drawn, as a picture.

    Args:
        page: its number, from 1.
        as_picture: brings an image to the working size.

    Raises:
        DataError: as `count_pages`; there is no such page, or it holds a picture that is too large.
    """
    pages = count_pages(path)
    with _naming(path):
        check_page(page, pages)
    width, height, image = draw(path, page) if HAS_DEADLINE else _draw_in_process(path, page)
    picture = as_picture(image)
    original = round(width * BOX_PIXELS_PER_POINT), round(height * BOX_PIXELS_PER_POINT)
    scale = original[0] / picture.image.width
    return picture._replace(size=original, scale=scale, pages=pages)


def draw(path: Path, page: int) -> Drawn:
    """Return a page, drawn. Raises DataError if it is damaged, or holds a picture too large."""
    with _opened(path) as document:
        return _drawn(document[page - 1])


def _draw_in_process(path: Path, page: int) -> Drawn:
    """Return a page, drawn. Raises DataError as `draw` does, and if that takes too long."""
    command = [sys.executable, "-P", "-m", "firstlight.images.pdf_worker", str(path), str(page)]
    try:
        output = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_TO_DRAW,
        ).stdout
    except subprocess.TimeoutExpired:
        raise DataError(f"{path}: page {page} takes more than {SECONDS_TO_DRAW:.0f} s") from None
    line, _, content = output.partition(b"\n")
    if not line:
        raise DataError(f"{path}: page {page} cannot be drawn: it may need too much memory")
    document = json.loads(line)
    if "error" in document:
        raise DataError(document["error"])
    width, height = document["page"]
    return width, height, Image.frombytes("RGB", tuple(document["size"]), content)


def _drawn(page: Any) -> Drawn:
    """Return a page's width and height in points (1/72 inch), and its image."""
    from pypdfium2 import raw

    for each in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE]):
        columns, rows = each.get_px_size()
        if columns * rows > MAX_PIXELS:
            million = MAX_PIXELS // 10**6
            raise DataError(f"a picture of {columns}×{rows} is more than {million} million pixels")
    width, height = page.get_size()
    scale = min(
        MAX_PIXELS_PER_POINT,
        math.sqrt(DRAWN_PIXELS / max(width * height, 1.0)),
        MAX_DRAWN_SIDE / max(width, height, 1.0),
    )
    return width, height, page.render(scale=scale).to_pil().convert("RGB")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let a DataError name the file."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a PDF file; turn every error into a DataError that names the file."""
    try:
        from pypdfium2 import PdfDocument
    except ModuleNotFoundError:
        install = "pip install 'firstlight[pdf]', or pip install pypdfium2"
        raise DataError(f"{path}: a PDF, which needs pypdfium2: {install}") from None
    document = None
    try:
        document = PdfDocument(path)
        yield document
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # PDFium's own, and what a damaged file makes of a size
        if "password" in str(error).lower():
            raise DataError(f"{path}: encrypted; save it without a password") from None
        raise DataError(f"{path}: damaged PDF ({error})") from None
    finally:
        if document is not None:
            document.close()
