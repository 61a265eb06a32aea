"""Opens pictures safely: photographs, scans, drawings and arrays, at a size we can work with.

Foreign pictures are not trusted. Pillow tries only the formats of PICTURE_FORMATS, the size is
checked before any pixel is decoded, and a huge JPEG is reduced while it is decoded. A phone's HEIC
needs the extra `heic`, and is tried only for a file that begins as one.

    open_picture      for the reader: colour and grey, small pictures enlarged; a page of a file
    open_photograph   for classification and training: colour, refused if too small or too narrow
"""

import ctypes
import io
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from firstlight import file_types
from firstlight.errors import DataError, UsageError

PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
for _plugin in ("Png", "Jpeg", "WebP", "Bmp", "Gif", "Tiff", "Avif"):
    import_module(f"PIL.{_plugin}ImagePlugin")  # else Pillow imports all its forty: 50 ms
# Without a handler, Python prints what Pillow logs about damaged files on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
MAX_PIXELS = 40_000_000  # decoded, they take 160 MB
MIN_COLOUR_RATIO = 5.0  # of the deviations of a colour and of the lightness
WORKING_PIXELS = 1_600_000  # digits of a full page are 30 pixels high
MIN_WORKING_SIDE = 96  # smaller pictures are enlarged: on coarse pixels a threshold breaks strokes
MAX_ENLARGEMENT = 8
MAX_ENLARGED_PIXELS = 4 * WORKING_PIXELS  # of a narrow picture
MAX_READ_ASPECT_RATIO = 500  # of a picture for the reader: a line of writing is long
MIN_PHOTOGRAPH_SIDE = 8  # pixels
MAX_ASPECT_RATIO = 20  # of a photograph
MIN_OPACITY = 128  # 0 to 255: more transparent pixels do not count as ink
MAX_PAGES = 2000  # of a file; a TIFF's pages are a chain that is followed from the first
PDF_BEGINS = b"%PDF-"
TIFF_BEGINS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MIN_WHITE = 201  # 0 to 255: if all ink is lighter, the paper is black

Source = str | PathLike[str] | Image.Image | NDArray[Any]


class Picture(NamedTuple):
    """A picture ready for the reader, and what maps its pixels back to the original."""

    image: Image.Image  # RGB, at the working size
    grey: NDArray[np.uint8]  # (h, w), the same picture
    size: tuple[int, int]  # width, height of the original, after its EXIF rotation
    scale: float  # original pixels per working pixel
    pages: int = 1  # of the file


def open_picture(source: Source, page: int = 1) -> Picture:
    """Open a file, a Pillow image or an array: upright, over white paper, at the working size.

    Arrays are (h, w), (h, w, 1), (h, w, 3) or (h, w, 4): integers, booleans, or floats in 0..1 or
    0..255.

    Args:
        page: of a TIFF or PDF file, from 1.

    Raises:
        DataError: the file is missing, not a picture, damaged, or too large, or has no such page.
        UsageError: the array has another shape or type.
    """
    if isinstance(source, np.ndarray):
        return _working_picture(Image.fromarray(_as_uint8(source)))
    if isinstance(source, Image.Image):
        return _working_picture(source)
    path = Path(source)
    if is_pdf(path):
        from firstlight.images import pdf  # costs time, and needs a package

        return pdf.open_page(path, page, _working_picture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures; we check the size too
        with _opened(path) as image:
            pages = pages_in(image)
            check_page(page, pages)
            image.seek(page - 1)
            return _working_picture(image)._replace(pages=pages)


def count_pages(path: Path) -> int:
    """Return how many pages a TIFF or PDF file has; 1 for any other picture. Decodes no pixel.

    Raises:
        DataError: the file is missing, not a picture, damaged, or has more than MAX_PAGES.
    """
    if is_pdf(path):
        from firstlight.images import pdf

        return pdf.count_pages(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _opened(path) as image:
            pages = pages_in(image)
            check_page(1, pages)
            return pages


def is_pdf(path: Path) -> bool:
    """Return whether a file is a PDF, by its first bytes."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(PDF_BEGINS)) == PDF_BEGINS
    except OSError:  # whoever opens it next says why
        return False


def check_page(page: int, pages: int) -> None:
    """Raise DataError if the file does not have this page, or has more than MAX_PAGES.

    Args:
        pages: how many the file has.
    """
    if pages > MAX_PAGES:
        raise DataError(f"more than {MAX_PAGES:,} pages; split the file")
    if not 1 <= page <= pages:
        raise DataError(f"no page {page}; it has {pages}")


def open_photograph(path: Path, shortest: int, content: bytes | None = None) -> Image.Image:
    """Open a file as RGB, upright, over white paper.

    A large JPEG is decoded at a fraction of its size, but its shortest side keeps at least
    `shortest` pixels, if the file has as many. Several threads may call this at once.

    Args:
        content: the file's bytes, if they are in memory; `path` is only what it is called.

    Raises:
        DataError: the file is missing, not a picture, damaged, too large, too small, too narrow,
            or holds several pictures.
    """
    with _opened(path, content) as image:
        _refuse_large(image)
        _refuse_unusual(image)
        image.draft(None, (shortest, shortest))  # decode a JPEG at 1/2, 1/4 or 1/8 of its size
        picture = _simple_mode(image)
        # In place: otherwise Pillow copies the picture even if it does not rotate it.
        ImageOps.exif_transpose(picture, in_place=True)
        picture.load()
        if picture.mode == "RGB":
            return picture
        return _over_paper(picture)


def is_picture(path: Path) -> bool:
    """Return whether a file is a picture, by its first bytes and not by its name."""
    if not path.is_file():
        return False
    try:
        with Image.open(path, formats=PICTURE_FORMATS):
            return True
    except Image.DecompressionBombError:
        return True
    except (OSError, ValueError, SyntaxError):
        return _is_heic(_start(path))
    except Exception:  # a decoder's own: the file is of its kind, and damaged
        return True


class WholeFile(io.BufferedReader):
    """A file that is not asked for more bytes than it has.

    Python allocates as many bytes as are asked for, and Pillow asks for as many as a damaged PNG
    claims: gigabytes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return super().read()
        return super().read(min(size, max(0, self.size - self.tell())))


@contextmanager
def _opened(path: Path, content: bytes | None = None) -> Iterator[Image.Image]:
    """Open a file without decoding it; turn every error into a DataError that names the file."""
    try:
        if content is None and (special := file_types.special_file(path)):
            raise DataError(special)
        start = _start(path, content)
        if start.startswith(TIFF_BEGINS):
            _silence_libtiff()
        with (
            WholeFile(path) if content is None else io.BytesIO(content) as source,
            Image.open(source, formats=_formats(start)) as image,
        ):
            yield image
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # Pillow's decoders raise anything, even struct.error
        raise DataError(f"{path}: {_problem(path, content, error)}") from None


def open_content(content: bytes) -> Image.Image:
    """Open the content of a file without decoding it. Pillow's errors are raised as they are.

    Raises:
        DataError: it is HEIC, and the package that reads HEIC is not installed.
    """
    if content.startswith(TIFF_BEGINS):
        _silence_libtiff()
    return Image.open(io.BytesIO(content), formats=_formats(content))


def _formats(start: bytes) -> tuple[str, ...]:
    """Return the formats that are tried for a file that begins with these bytes."""
    return (_heic_format(),) if _is_heic(start) else PICTURE_FORMATS


def _start(path: Path, content: bytes | None = None) -> bytes:
    if content is not None:
        return content[: file_types.LENGTH]
    with path.open("rb") as file:
        return file.read(file_types.LENGTH)


def _is_heic(start: bytes) -> bool:
    """Return whether a file begins as HEIC does, which phones write; AVIF begins much alike."""
    return start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS and b"avif" not in start[:64]


@cache
def _silence_libtiff() -> None:
    """Let libtiff print nothing: it prints lines about damaged files, beside the exception."""
    from PIL import _imaging

    with suppress(OSError, AttributeError):  # another system, or a Pillow that links it otherwise
        library = ctypes.CDLL(_imaging.__file__)  # its symbols are found through what uses it
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


@cache
def _heic_format() -> str:
    """Teach Pillow to read HEIC; return its name of the format.

    Raises:
        DataError: the package that can is not installed.
    """
    try:
        import pi_heif
    except ImportError:
        raise DataError(
            "a HEIC picture, as phones take them: install the extra `heic` (pip install pi-heif), "
            "or save it as JPEG"
        ) from None
    pi_heif.register_heif_opener(thumbnails=False)
    return "HEIF"


def pages_in(image: Image.Image) -> int:
    """Return the number of a TIFF's pages, at most MAX_PAGES + 1; 1 for every other format."""
    if image.format != "TIFF":
        return 1
    current = image.tell()
    pages = 1
    with suppress(EOFError):  # one after the other: a chain may be of any length
        while pages <= MAX_PAGES:
            image.seek(pages)
            pages += 1
    image.seek(current)
    return pages


def _refuse_large(image: Image.Image) -> None:
    """Raise DataError if the picture has more than MAX_PIXELS."""
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"{image.width}×{image.height} is more than {MAX_PIXELS // 10**6} million pixels; "
            "make it smaller"
        )


def _refuse_narrow(image: Image.Image, ratio: int) -> None:
    short, long = sorted(image.size)
    if long > ratio * short:
        raise DataError(
            f"{image.width}×{image.height} pixels: too narrow; at most {ratio} times as long as "
            "wide"
        )


def _refuse_unusual(image: Image.Image) -> None:
    """Raise DataError if the picture is too small, too narrow, or more than one picture."""
    short = min(image.size)
    size = f"{image.width}×{image.height} pixels"
    if short < MIN_PHOTOGRAPH_SIDE:
        minimum = f"each side must have at least {MIN_PHOTOGRAPH_SIDE} pixels"
        raise DataError(f"{size}: too small or narrow; {minimum}")
    _refuse_narrow(image, MAX_ASPECT_RATIO)
    # A phone's JPEG may hold a second version of the same picture (MPO). That is allowed.
    several = getattr(image, "is_animated", False)
    if several and image.format in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        raise DataError("animated, or with several pages; save one of its pictures as a file")


def _problem(path: Path, content: bytes | None, error: Exception) -> str:
    """Describe in a few words why a file cannot be opened."""
    if isinstance(error, OSError) and error.strerror:  # from the system: missing, a directory, ...
        return error.strerror[0].lower() + error.strerror[1:]
    return problem_of(_start(path, content), error)


def problem_of(start: bytes, error: Exception) -> str:
    """Describe in a few words why Pillow cannot read a file that begins with these bytes."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"too large, more than {MAX_PIXELS // 10**6} million pixels; make it smaller"
    if not start:
        return "empty file"
    if isinstance(error, UnidentifiedImageError):
        if known := file_types.describe(start):
            return f"not a picture that can be read, but {known}"
        return f"not a picture; {', '.join(PICTURE_FORMATS)} can be read"
    return f"damaged picture ({' '.join(str(error).split())})"


def _working_picture(image: Image.Image) -> Picture:
    """Reduce or enlarge a picture to the working size. Raise DataError if it is too large."""
    _refuse_large(image)
    _refuse_narrow(image, MAX_READ_ASPECT_RATIO)
    original = image.size
    image = _reduced(image)
    stored_landscape = image.width > image.height
    image = _over_paper(ImageOps.exif_transpose(image))
    if (image.width > image.height) != stored_landscape:  # EXIF turned it by 90 degrees
        original = original[1], original[0]
    image = _enlarged(image)
    scale = original[0] / image.width
    return Picture(image, grey=_as_grey(image), size=original, scale=scale)


def _as_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Return the lightness (h, w) of a picture; if only colours differ, that one that differs most.

    Red ink on green paper can be as light as the paper.
    """
    lightness = np.asarray(image.convert("L"))
    colours = np.asarray(image)
    some = (slice(None, None, 4), slice(None, None, 4))  # enough pixels
    deviations = colours[some].std(axis=(0, 1))
    if deviations.max() < MIN_COLOUR_RATIO * lightness[some].std():
        return lightness
    return colours[..., int(deviations.argmax())]


def _reduced(image: Image.Image) -> Image.Image:
    """Return the picture in a simple mode, reduced to WORKING_PIXELS if it has more."""
    factor = math.sqrt(WORKING_PIXELS / (image.width * image.height))
    if factor >= 1:
        return _simple_mode(image)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    image.draft(None, size)  # decode a JPEG at 1/2, 1/4 or 1/8 of its size: this saves most time
    return _simple_mode(image).resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _enlarged(image: Image.Image) -> Image.Image:
    """Return the picture with its shorter side at least MIN_WORKING_SIDE pixels, if possible."""
    largest = int(math.sqrt(MAX_ENLARGED_PIXELS / (image.width * image.height)))
    factor = min(MAX_ENLARGEMENT, math.ceil(MIN_WORKING_SIDE / min(image.size)), largest)
    if factor <= 1:
        return image
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)


def _simple_mode(image: Image.Image) -> Image.Image:
    """Convert to mode L, RGB or RGBA, and keep Pillow's `info` of the picture."""
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode.startswith(("I", "F")):  # 16 bits and more: convert() clips instead of scaling
        simple = Image.fromarray(_as_uint8(np.asarray(image)))
    else:
        transparent = image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info
        simple = image.convert("RGBA" if transparent else "RGB")
    simple.info = image.info
    return simple


def _over_paper(image: Image.Image) -> Image.Image:
    """Put white paper under transparent pixels, or black paper if the ink itself is white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    pixels = np.asarray(image)
    ink = pixels[pixels[..., 3] >= MIN_OPACITY, :3]
    ink_is_white = len(ink) > 0 and ink.min() >= MIN_WHITE
    paper = Image.new("RGBA", image.size, "black" if ink_is_white else "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def _as_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert to uint8: 0..1 becomes 0..255; a range that goes beyond 255 is scaled down to it.

    Raises:
        UsageError: the array is not a picture.
    """
    pixels = array
    if array.ndim == 3 and array.shape[2] == 1:
        pixels = array[..., 0]
    is_color = pixels.ndim == 3 and pixels.shape[2] in (3, 4)
    if not array.size or not (pixels.ndim == 2 or is_color):
        raise UsageError(f"an array of shape {array.shape}; a picture is (h, w), or (h, w, 1|3|4)")
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.dtype.kind not in "buif" or not np.isfinite(pixels).all():
        raise UsageError(f"an array of {pixels.dtype}; a picture consists of finite numbers")
    return (pixels * np.float32(_scale_to_255(pixels))).clip(0, 255).astype(np.uint8)


def _scale_to_255(pixels: NDArray[Any]) -> float:
    """Return the factor that brings the pixels into the range 0..255."""
    largest = float(pixels.max())
    if pixels.dtype.kind in "bf" and largest <= 1:
        return 255
    if largest > 255:
        return 255 / largest
    return 1
