"""MNIST with all 60,000 training images, for a last training when every choice has been made.

The 5,000 images that mnist.py holds out are trained on too, so the accuracy on them says nothing
about images that the network has not seen. Choose on mnist_writers.py, and measure on test.
"""

from firstlight.datasets import Examples, array_examples, mnist

CLASSES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
SHA256 = mnist.SHA256
REMARKS = (
    "all 60,000 training images are trained on, so validation measures images that the network "
    "has seen",
)


def load(split: str) -> Examples:
    """Return images and labels as mnist.load does, and all 60,000 for "train".

    Raises:
        DataError: a file is missing, or differs from the published one.
    """
    if split != "train":
        return mnist.load(split)
    return array_examples(*mnist.training_files())
