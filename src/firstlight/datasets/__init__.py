"""IMAGES IN. A dataset is a file here: CLASSES, SHA256, load(split) of "train", "val", "test".

mnist, cutouts              datasets that firstlight knows by name
_idx, _npz, _folder         formats of a user's own data
_dataset                    what they have in common: a Dataset
_examples, _images          what a split is: images with labels, in memory or in files
_batches                    the order in which training uses them
"""

from firstlight.datasets._batches import ahead, shuffled
from firstlight.datasets._dataset import Dataset, DatasetCheck, Fault, Listing
from firstlight.datasets._examples import (
    SPLITS,
    Examples,
    array_examples,
    flat,
    hold_out,
    one_hot,
)
from firstlight.datasets._images import ArrayImages, FolderImages, Images

__all__ = [
    "SPLITS",
    "ArrayImages",
    "Dataset",
    "DatasetCheck",
    "Examples",
    "Fault",
    "FolderImages",
    "Images",
    "Listing",
    "ahead",
    "array_examples",
    "flat",
    "hold_out",
    "one_hot",
    "shuffled",
]
