"""What names say: of files, of folders, of arrays in a file. "x_train" is train's images.

Everyone names their data in their own way, with the same few words. This table is the only one.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from firstlight.printable import is_printable

SPLIT_WORDS = {
    "train": ("train", "training", "trn", "tra"),
    "val": ("val", "valid", "validation", "dev", "publictest"),
    "test": ("test", "testing", "tests", "tes", "t10k", "privatetest"),
}
ROLE_WORDS = {
    "images": ("images", "image", "imgs", "img", "x", "data", "dataset", "pixels", "inputs",
               "pictures"),
    "labels": ("labels", "label", "y", "target", "targets", "digit", "class", "emotion", "species",
               "category", "letter", "character"),
    "classes": ("classes", "classnames", "labelnames"),
}  # fmt: skip
FORMAT_WORDS = (
    "idx", "idx1", "idx2", "idx3", "idx4", "ubyte", "byte", "int", "float", "double", "gz", "npy",
    "npz", "csv", "tsv", "txt", "parquet", "set", "split",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a file or array belongs: "emnist-letters-test-labels" is ("emnist-letters", "test",
    "labels"). What the name does not say is "".
    """

    collection: str
    split: str
    role: str  # "images", "labels" or "classes"


def decoded(name: bytes) -> str:
    """Return a name that is UTF-8, or as Windows writes it, or else any bytes: never two as one."""
    for encoding in ("utf-8", "cp1252"):
        with suppress(UnicodeDecodeError):
            return name.decode(encoding)
    return name.decode("latin-1")


def is_writable(name: str) -> bool:
    """Return whether the name of a class can be written as UTF-8 and printed."""
    return name == name.encode(errors="ignore").decode() and is_printable(name)


def place_of(name: str) -> Place:
    """Return what a name says."""
    split = role = ""
    rest = []
    for word in words_of(name):
        if word in _SPLIT_OF:
            split = _SPLIT_OF[word]
        elif word in _ROLE_OF:
            role = _ROLE_OF[word]
        elif word == "names" and role == "labels":  # class_names, label names
            role = "classes"
        elif word not in FORMAT_WORDS:
            rest.append(word)
    return Place("-".join(rest), split, role)


def split_named(name: str) -> str:
    """Return the split that a folder or a cell is named after, "" if none: "Validation" is val."""
    place = place_of(name)
    return place.split if place.collection == "" else ""


def words_of(name: str) -> list[str]:
    """Return the words of a name, in small letters: "XTrain", "x-train" and "xtrain" are two."""
    words = []
    for part in re.findall(r"[^\W_]+", name):
        if part.lower() in _KNOWN:
            words.append(part.lower())
            continue
        for piece in re.findall(r"[A-Z]?[^\WA-Z_]+|[A-Z]+(?![a-z])", part):
            words += _two_words(piece.lower())
    return words


def _two_words(word: str) -> list[str]:
    """Return "x", "train" for "xtrain": two known words written as one."""
    if word in _KNOWN:
        return [word]
    for cut in range(1, len(word)):
        pair = [word[:cut], word[cut:]]
        if any(each in _SPLIT_OF for each in pair) and all(each in _KNOWN for each in pair):
            return pair
    return [word]


_SPLIT_OF = {word: split for split, words in SPLIT_WORDS.items() for word in words}
_ROLE_OF = {word: role for role, words in ROLE_WORDS.items() for word in words}
_KNOWN = _SPLIT_OF.keys() | _ROLE_OF.keys() | set(FORMAT_WORDS)
