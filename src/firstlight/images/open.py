"""Any picture in: a photograph, a scan, a drawing, an array; of a bearable size out.

A picture from somewhere is not to be trusted: only six formats are tried, the size is looked at
before a pixel is decoded, and a huge photograph is reduced while it is decoded.

    open_picture      to be read: also grey, and never too coarse
    open_photograph   to be learnt or recognised as a whole: colour, one picture of a bearable shape
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from firstlight.errors import DataError, UsageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MOST_PIXELS = 40_000_000  # decoded they are 160 MB
WORKING_PIXELS = 1_600_000  # a sheet's digits are 30 pixels high, and all steps take 0.1 s
SMALL_SIDE = 96  # below, pixels are so coarse that a threshold would break strokes
LARGEST_ZOOM = 8
SMALLEST_SIDE, LONGEST = 8, 20  # of a photograph: pixels, and times as long as it is wide

Source = str | PathLike[str] | Image.Image | NDArray[Any]


class Picture(NamedTuple):
    """A picture ready to be read, and what it takes to say where in the original a thing is."""

    image: Image.Image  # RGB, at the working size
    grey: NDArray[np.uint8]  # (h, w), the same
    size: tuple[int, int]  # width, height of the original, turned upright
    scale: float  # pixels of the original in one of the working picture


def open_picture(source: Source) -> Picture:
    """A file, a Pillow image or an array, upright, over white, at the working size.

    Arrays are (h, w), (h, w, 1), (h, w, 3) or (h, w, 4): whole numbers, booleans, or floats in
    0..1 or 0..255.

    Raises:
        DataError: the file is missing, no picture, damaged, or too large.
        UsageError: an array of another shape or kind.
    """
    if isinstance(source, np.ndarray):
        return _working(Image.fromarray(_bytes(source)))
    if isinstance(source, Image.Image):
        return _working(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bombs: we look at the size ourselves
        with _opened(Path(source)) as image:
            return _working(image)


def open_photograph(path: Path, shortest: int) -> Image.Image:
    """A file as RGB, upright, over white; decoded at a part of its size if that is large enough.

    Its shortest side is at least `shortest` pixels, if the file's is. Can be called in threads.

    Raises:
        DataError: the file is missing, no picture, damaged, too large, too small, too narrow, or
            holds several pictures.
    """
    with _opened(path) as image:
        _refuse_large(image)
        _refuse_odd(image)
        image.draft(None, (shortest, shortest))  # a JPEG at a half, a quarter, an eighth
        picture = _plain(image)
        ImageOps.exif_transpose(picture, in_place=True)  # else it would be copied, turned or not
        picture.load()
        return picture if picture.mode == "RGB" else _over_paper(picture)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its first bytes, whatever its name says."""
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except Image.DecompressionBombError:
        return True
    except (OSError, ValueError, SyntaxError):
        return False


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file, not yet decoded; whatever goes wrong with it is a DataError that names it."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            yield image
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # Pillow's decoders raise anything, struct.error among it
        raise DataError(f"{path}: {_problem(path, error)}") from None


def _refuse_large(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise DataError(
            f"{image.width}×{image.height} is more than {MOST_PIXELS // 10**6} million pixels; "
            "make it smaller"
        )


def _refuse_odd(image: Image.Image) -> None:
    """Raises DataError of a picture that nothing can be learnt from, or that is not one picture."""
    short, long = sorted(image.size)
    size = f"{image.width}×{image.height} pixels"
    if short < SMALLEST_SIDE:
        raise DataError(f"{size}: too small or narrow; a side is {SMALLEST_SIDE} pixels at least")
    if long > LONGEST * short:
        raise DataError(f"{size}: too narrow; at most {LONGEST} times as long as wide")
    # A phone's JPEG may hold a second picture of itself (MPO): that one is left alone.
    if image.format in ("GIF", "PNG", "WEBP", "TIFF") and getattr(image, "is_animated", False):
        raise DataError("animated, or of several pages; save one of its pictures")


def _problem(path: Path, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"too large, more than {MOST_PIXELS // 10**6} million pixels; make it smaller"
    if isinstance(error, OSError) and error.strerror:  # the system's: missing, a directory, ...
        return error.strerror[0].lower() + error.strerror[1:]
    if path.stat().st_size == 0:
        return "empty file"
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture; {', '.join(FORMATS)} can be read"
    return f"damaged picture ({error})"


def _working(image: Image.Image) -> Picture:
    """Raises DataError if it is too large."""
    _refuse_large(image)
    width, height = image.size
    by = min(1.0, math.sqrt(WORKING_PIXELS / (width * height)))
    size = max(1, round(width * by)), max(1, round(height * by))
    if by < 1:  # a JPEG can be decoded at a half, a quarter, an eighth: most of the time is saved
        image.draft(None, size)
        image = _plain(image).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    image = _over_paper(ImageOps.exif_transpose(_plain(image)))
    if (image.width > image.height) != (size[0] > size[1]):
        width, height = height, width
    times = min(LARGEST_ZOOM, math.ceil(SMALL_SIDE / min(image.size)))
    if times > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.BICUBIC)
    return Picture(image, np.asarray(image.convert("L")), (width, height), width / image.width)


def _plain(image: Image.Image) -> Image.Image:
    """One of the modes L, RGB and RGBA, with what Pillow knows of the picture kept."""
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode.startswith(("I", "F")):  # 16 bits and more: convert() would cut off, not scale
        plain = Image.fromarray(_bytes(np.asarray(image)))
    else:
        clear = image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info
        plain = image.convert("RGBA" if clear else "RGB")
    plain.info = image.info
    return plain


def _over_paper(image: Image.Image) -> Image.Image:
    """What is transparent becomes white, or black under ink that is itself white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    pixels = np.asarray(image)
    drawn = pixels[pixels[..., 3] > 127, :3]
    paper = "black" if len(drawn) and drawn.min() > 200 else "white"
    return Image.alpha_composite(Image.new("RGBA", image.size, paper), image).convert("RGB")


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8, with 0..1 or a range beyond 255 scaled to 0..255.

    Raises:
        UsageError: an array that is no picture.
    """
    shaped = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if not (shaped.ndim == 2 or (shaped.ndim == 3 and shaped.shape[2] in (3, 4))) or not array.size:
        raise UsageError(f"an array of shape {array.shape}; a picture is (h, w), or (h, w, 1|3|4)")
    if shaped.dtype == np.uint8:
        return np.ascontiguousarray(shaped)
    if shaped.dtype.kind not in "buif" or not np.isfinite(shaped).all():
        raise UsageError(f"an array of {shaped.dtype}; a picture is made of finite numbers")
    top = float(shaped.max())
    fraction = shaped.dtype.kind in "bf" and top <= 1
    by = 255 if fraction else 255 / top if top > 255 else 1
    return (shaped * np.float32(by)).clip(0, 255).astype(np.uint8)
