"""What kind of images a network has learned: this decides how a picture is shown to it."""

from typing import Literal

# digits:   light ink on black in 28×28 pixels, drawn as MNIST's are
# arrays:   other images that came as arrays: each is shown whole
# pictures: photographs in files: each is shown as a crop
ImageKind = Literal["digits", "arrays", "pictures"]
