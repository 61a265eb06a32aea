"""IMAGES IN. A dataset is a file here: CLASSES, SHA256, load(split) of "train", "val", "test".

mnist, cutouts              datasets that firstlight knows by name
mnist_writers, mnist_all    MNIST split by writer, to choose recipes; all of it, when that is done
_kinds                      a user's own data: which kind lies at a path
  _idx, _npz, _csv          arrays in files; _array_files: what these have in common; _emnist;
                            _csv_columns: what the columns of a table are
  _folder, _parquet         pictures; _pictures: what these have in common; _label_table
_arrays                     what arrays mean: their shapes, values and labels
_names                      what the names of files, folders and arrays mean
_dataset, _near_copies      a Dataset, and what checking it finds
_examples, _images          what a split is: images with labels, in memory or in files
_batches                    the order in which training uses them
"""

from firstlight.datasets._batches import ahead, shuffled
from firstlight.datasets._dataset import EMPTY_CLASS, Dataset, DatasetCheck, Fault, Listing
from firstlight.datasets._examples import (
    ALL,
    SPLITS,
    Examples,
    array_examples,
    flat,
    hold_out,
    one_hot,
)
from firstlight.datasets._images import ArrayImages, FolderImages, Images

__all__ = [
    "ALL",
    "EMPTY_CLASS",
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
