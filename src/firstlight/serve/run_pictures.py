"""The pictures of a run that has learned from a folder of them, for the page's Look inside.

A visitor names a picture by its number in the run's own list (pictures.json), never by a path.
"""

import math
from pathlib import Path
from typing import TypedDict

import numpy as np

from firstlight import catalog
from firstlight.classification import preprocess
from firstlight.datasets import Listing
from firstlight.errors import DataError, NotFound
from firstlight.images.crops import CENTER_CROP, CROP_FRACTION, Size, crop_and_resize
from firstlight.images.kinds import ImageKind
from firstlight.images.open import open_photograph
from firstlight.runs.run import Run
from firstlight.serve.digits import INPUT_SHAPE, encode

MAX_PICTURES = 8
SIDE = 96  # pixels of a small picture


class SmallPictureJson(TypedDict):
    number: int  # by which the page asks for it
    label: str  # its class
    image: str  # (SIDE, SIDE, 3) uint8 in base64


class RunPicturesJson(TypedDict):
    input: Size | None  # height, width, channels of the network; None for an own network
    side: int  # pixels of each small picture
    pictures: list[SmallPictureJson]


class PreparedJson(TypedDict):
    image: str  # the network's input, (28, 28) uint8 in base64
    classes: list[str]


def input_of(run: Run) -> Size | None:
    """Return the network's input: height, width, channels; None if it is not in the catalog."""
    name = run.record().settings.network
    return next((entry.input for entry in catalog.networks() if entry.name == name), None)


def small_pictures(run: Run) -> RunPicturesJson:
    """Return some test pictures of a run, small; those that its folder does not have are left out.

    Raises:
        NotFound: the run has not learned from pictures.
        DataError: the run is damaged.
    """
    pictures: list[SmallPictureJson] = []
    listing = listing_of(run)
    for number, file in enumerate(shown_files(listing)):
        try:
            image = small(path_in_folder(run, file))
        except (DataError, NotFound):
            continue  # it was moved, or is damaged
        pictures.append({"number": number, "label": listing.class_of(file), "image": encode(image)})
    return {"input": input_of(run), "side": SIDE, "pictures": pictures}


def small(path: Path) -> np.ndarray:
    picture = open_photograph(path, math.ceil(SIDE / CROP_FRACTION))
    return crop_and_resize(picture, CENTER_CROP, (SIDE, SIDE, 3))


def content(run: Run, number: int) -> bytes:
    """Return the file of a picture that `small_pictures` has numbered. Raises NotFound."""
    files = shown_files(listing_of(run))
    if not 0 <= number < len(files):
        raise NotFound(f"no picture {number} of {run.folder.name}; it shows {len(files)}")
    try:
        return path_in_folder(run, files[number]).read_bytes()
    except OSError:
        raise NotFound(f"{files[number]} is not in the run's folder of pictures") from None


def prepared(run: Run, picture: bytes) -> PreparedJson:
    """Return a picture as the network's input, as `classify` prepares it.

    Raises:
        DataError: it is no picture, or the network's input is not 28×28 pixels in grey.
    """
    if input_of(run) != INPUT_SHAPE:
        raise DataError(f"the layers of {run.folder.name} are not shown on the page")
    listing = listing_of(run)
    image = preprocess(Path("the picture"), INPUT_SHAPE, kind_of(run, listing), picture)
    return {"image": encode(image), "classes": list(listing.classes)}


def kind_of(run: Run, listing: Listing) -> ImageKind:
    """Return the kind of images; a run that is still training has not written it yet."""
    if run.model_file.is_file():
        return run.model_info().image_kind
    return "arrays" if listing.size else "pictures"


def listing_of(run: Run) -> Listing:
    """Raises NotFound if the run has not learned from pictures."""
    listing = run.listing()
    if listing is None:
        raise NotFound(f"{run.folder.name} has not learned from pictures")
    return listing


def shown_files(listing: Listing) -> list[str]:
    """Return up to MAX_PICTURES test pictures (else validation pictures) of all classes."""
    files = sorted(listing.splits.get("test") or listing.splits.get("val") or ())
    count = min(MAX_PICTURES, len(files))
    return [files[number * len(files) // count] for number in range(count)]


def path_in_folder(run: Run, file: str) -> Path:
    """Return where a listed picture is.

    Raises:
        NotFound: it is not in the folder, or leads out of it, as a foreign pictures.json may.
    """
    folder = Path(run.record().settings.data).resolve()
    path = (folder / file).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise NotFound(f"{file} is not in the run's folder of pictures")
    return path
