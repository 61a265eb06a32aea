"""What a file is, by its first bytes, and how to make something of it that firstlight takes."""

import re
import stat
from pathlib import Path
from typing import NamedTuple


class FileType(NamedTuple):
    offset: int  # of the bytes that tell it
    start: bytes
    text: str  # what it is, and what to do; completes "FILE is ..."


_UNPACK = "unpack it, and name the folder"
_AS_JPEG = "save it as JPEG"
_AS_ARRAYS = "save its arrays with NumPy: np.savez(FILE, images=images, labels=labels)"

FILE_TYPES = (
    FileType(0, b"version https://git-lfs", "a Git LFS pointer, not the file; run `git lfs pull`"),
    FileType(0, b"<!DOCTYPE", "a web page, not the file; download the file itself"),
    FileType(0, b"<!doctype", "a web page, not the file; download the file itself"),
    FileType(0, b"<html", "a web page, not the file; download the file itself"),
    FileType(0, b"PK\3\4", f"a zip archive; {_UNPACK}"),
    FileType(257, b"ustar", f"a tar archive; {_UNPACK}"),
    FileType(0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {_UNPACK}"),
    FileType(0, b"Rar!", f"a rar archive; {_UNPACK}"),
    FileType(0, b"\xfd7zXZ", "packed with xz; unpack it: unxz FILE"),
    FileType(0, b"BZh", "packed with bzip2; unpack it: bunzip2 FILE"),
    FileType(0, b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it: unzstd FILE"),
    FileType(0, b"\x1f\x8b", "packed with gzip; unpack it: gunzip FILE, or tar xf FILE"),
    FileType(0, b"\x89HDF\r\n", f"an HDF5 file; open it with h5py, and {_AS_ARRAYS}"),
    FileType(0, b"MATLAB 5.0", f"a MATLAB file; open it with scipy.io.loadmat, and {_AS_ARRAYS}"),
    FileType(0, b"\x80", f"a Python pickle, which could run foreign code; {_AS_ARRAYS}"),
    FileType(0, b"ARROW1", "an Arrow file; save it as Parquet: dataset.to_parquet(FILE)"),
    FileType(
        0, b"\xff\xff\xff\xff", "an Arrow stream; save it as Parquet: dataset.to_parquet(FILE)"
    ),
    FileType(
        0,
        b"PAR1",
        "a Parquet file; of those, pictures with labels can be read, with the extra `parquet`",
    ),
    FileType(0, b"SQLite format 3", f"a database; {_AS_ARRAYS}"),
    FileType(0, b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    FileType(0, b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
    FileType(0, b"%PDF", "a PDF; save its pages as pictures"),
    FileType(0, b"8BPS", f"a Photoshop picture; {_AS_JPEG}"),
    FileType(0, b"\xff\x0a", f"a JPEG XL picture; {_AS_JPEG}"),
    FileType(4, b"JXL ", f"a JPEG XL picture; {_AS_JPEG}"),
    FileType(4, b"jP  ", f"a JPEG 2000 picture; {_AS_JPEG}"),
    FileType(
        4,
        b"ftypavi",
        f"an AVIF picture that is damaged, or that this Pillow cannot read; {_AS_JPEG}",
    ),
    *(
        FileType(4, b"ftyp" + brand, f"a HEIC picture that is damaged; {_AS_JPEG}")
        for brand in (b"hei", b"hev", b"mif1", b"msf1")
    ),
    FileType(4, b"ftypcrx", f"a camera's raw picture; {_AS_JPEG}"),
    FileType(4, b"ftyp", "a film; save pictures of it"),
    FileType(0, b"RIFF", "a film or a sound, or a damaged WebP"),
    FileType(0, b"\x1aE\xdf\xa3", "a film; save pictures of it"),
    FileType(0, b"FUJIFILMCCD", f"a camera's raw picture; {_AS_JPEG}"),
    FileType(0, b"\0\0\1\0", "an icon; save it as PNG"),
    FileType(128, b"DICM", "a DICOM picture; save it as PNG"),
)
INSIDE_ZIP = {  # names of the first files in it
    b"data.pkl": f"a PyTorch file with a Python pickle, which could run foreign code; {_AS_ARRAYS}",
    b"[Content_Types].xml": "an Office document; save the table as CSV",
}
STARTS_JSON = re.compile(rb"\s*[\[{]\s*[\[{\"\]}\d-]")
_JSON = (
    "JSON; save it as CSV: a row `file,label` for each picture, or a row for each image: its "
    "label, then its values"
)
# Raw bytes are known by their names, and CIFAR's by the length of a record: labels, then an image.
RAW_ENDINGS = (".bin", ".raw")
CIFAR_RECORDS = {3073: "CIFAR-10", 3074: "CIFAR-100"}
INSIDE_TEXT = {  # after comments, in small letters
    b"<svg": "an SVG drawing; save it as PNG",
    b"@relation": f"an ARFF file; open it with scipy.io.arff, and {_AS_ARRAYS}",
}
LENGTH = 1024  # bytes that are looked at


def special_file(path: Path) -> str:
    """Return what a path is that is neither a file nor a folder, "" if it is one or is not there.

    Whoever opens a pipe waits for its writer, and a device may have no end.
    """
    try:
        mode = path.stat().st_mode
    except OSError:  # whoever opens it says why
        return ""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    return f"{kind}, not a file; save its content as a file"


def describe_file(path: Path) -> str:
    """Return what a file is and what to do, "" if it is not known."""
    if special := special_file(path):
        return special
    try:
        with path.open("rb") as file:
            known = describe(file.read(LENGTH))
        return known or (_describe_raw(path) if path.suffix.lower() in RAW_ENDINGS else "")
    except OSError as error:
        return f"not readable ({error.strerror})"


def is_text(path: Path) -> bool:
    """Return whether a file begins with text in UTF-8."""
    try:
        with path.open("rb") as file:
            start = file.read(LENGTH)
    except OSError:
        return False
    return b"\0" not in start and "\ufffd" not in start[:-3].decode(errors="replace")


def describe(start: bytes) -> str:
    """Return what a file is that begins so, and what to do, "" if it is not known."""
    if not start:
        return "an empty file"
    for mark, text in INSIDE_ZIP.items():
        if start.startswith(b"PK") and mark in start[:LENGTH]:
            return text
    for offset, signature, text in FILE_TYPES:
        if start.startswith(signature, offset):
            return text
    for mark, text in INSIDE_TEXT.items():
        if mark in start[:LENGTH].lower():
            return text
    return _JSON if STARTS_JSON.match(start) else ""


def _describe_raw(path: Path) -> str:
    size = path.stat().st_size
    record = next((each for each in CIFAR_RECORDS if size % each == 0), None)
    if record is None:
        return (
            "raw bytes, which do not say how large an image is; read them with np.fromfile(FILE, "
            f"np.uint8).reshape(-1, HEIGHT, WIDTH), and {_AS_ARRAYS}"
        )
    name, labels = CIFAR_RECORDS[record], record - 3072
    return (
        f"raw bytes, as {name} has them; convert them: rows = np.fromfile('{path.name}', "
        f"np.uint8).reshape(-1, {record}); np.savez('{path.stem}.npz', images=rows[:, {labels}:], "
        f"labels=rows[:, {labels - 1}])"
    )
