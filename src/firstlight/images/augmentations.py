"""The catalogue of augmentations: every change that a recipe may make to its training images.

A recipe names some of them, each with a strength; the others are not applied. Each image gets a
random part of the change, up to the strength.

    "crop"    chooses what is cut out of a picture while it is decoded (images/crops.py)
    "pixel"   changes the pixels of a batch, in the graph (training/augment.py)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Literal

from firstlight.errors import UsageError


@dataclass(frozen=True)
class Augmentation:
    name: str
    kind: Literal["crop", "pixel"]
    unit: str  # of the strength
    max_strength: float  # the largest that is allowed
    meaning: str  # how an image is changed: it is …


_ALL = (
    Augmentation(
        "anywhere", "crop", "fraction of the way", 1, "cropped away from the middle, to the edges"
    ),
    # At 0.5 the crop is between half of the shortest side and all of it.
    Augmentation("zoom", "crop", "fraction of the shortest side", 0.95, "cropped smaller"),
    Augmentation("mirror", "crop", "fraction of the pictures", 1, "mirrored left to right"),
    Augmentation("stroke", "pixel", "pixels", 1, "drawn with thicker or thinner strokes"),
    # Each pixel is mixed with the mean of five pixels.
    Augmentation("blur", "pixel", "fraction of the mean", 1, "blurred across, down, or both"),
    Augmentation("rotate", "pixel", "degrees", 180, "rotated either way"),
    Augmentation("scale", "pixel", "fraction of the size", 0.9, "larger or smaller"),
    Augmentation("shear", "pixel", "fraction of the height", 1, "slanted either way"),
    Augmentation("shift", "pixel", "pixels", 128, "moved either way"),
    # The standard deviation of the random knots; that of the smooth field over them is half of it.
    Augmentation("elastic", "pixel", "pixels", 32, "warped by a smooth random field"),
    Augmentation(
        "outline", "pixel", "fraction of the images", 1, "reduced to the outlines of strokes"
    ),
    Augmentation("scribble", "pixel", "fraction of the images", 1, "drawn over by a random pen"),
    Augmentation("light", "pixel", "times the image", 10, "lit by a smooth random light"),
    Augmentation("bright", "pixel", "grey values", 255, "lighter everywhere"),
    Augmentation(
        "colour", "pixel", "fraction", 1, "changed in brightness, contrast and saturation"
    ),
    Augmentation("noise", "pixel", "grey values", 255, "noisy, with this standard deviation"),
    Augmentation("specks", "pixel", "fraction of the pixels", 1, "with some black or white pixels"),
    Augmentation(
        "invert", "pixel", "fraction of the images", 1, "inverted in a band, or outside the band"
    ),
)
AUGMENTATIONS = {augmentation.name: augmentation for augmentation in _ALL}


def check_strengths(strengths: Mapping[str, float]) -> None:
    """Check a recipe's augmentations.

    Raises:
        UsageError: no augmentation has that name, or it does not allow that strength.
    """
    for name, strength in strengths.items():
        if name not in AUGMENTATIONS:
            names = ", ".join(_nearest_first(name))
            raise UsageError(f"no augmentation {name!r}; augmentations: {names}")
        augmentation = AUGMENTATIONS[name]
        is_number = isinstance(strength, Real) and not isinstance(strength, bool)
        if not is_number or not 0 <= strength <= augmentation.max_strength:
            raise UsageError(
                f"augmentation {name!r} has the strength {strength!r}; "
                f"it must be a number from 0 to {augmentation.max_strength:g} ({augmentation.unit})"
            )


def _nearest_first(name: str) -> list[str]:
    """Return the names of all augmentations, the one that is most like this name first."""
    near = get_close_matches(str(name), AUGMENTATIONS, n=1)
    return near + [other for other in AUGMENTATIONS if other not in near]
