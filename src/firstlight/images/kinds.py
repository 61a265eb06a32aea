"""What kind of images a network has learned: this decides how a picture becomes its input."""

from typing import Literal

# digits:   light ink on black in 28×28 pixels, drawn as MNIST's are
# arrays:   other images that came as arrays: the input is the whole image
# pictures: photographs in files: the input is a crop
ImageKind = Literal["digits", "arrays", "pictures"]
