"""What kind of images a network has learned.

    digits     single handwritten digits, light on black, drawn as MNIST's are
    arrays     other images that came as arrays: Fashion-MNIST, CIFAR-10, ...
    pictures   photographs, each of its own size, that came as files

The kind decides how classification.py prepares a picture for the network.
"""

from typing import Literal

ImageKind = Literal["digits", "arrays", "pictures"]
