"""Near copies: the same picture again in another split, smaller, recompressed or a little brighter.

Equal bytes are found by their hash. Near copies are found by dHash: whether each of 8 × 8 places is
lighter than its neighbour on the right, 64 bits. Two hashes that differ in at most three bits agree
in one quarter of their bits, so only pictures that share a quarter are compared: the time grows
with the number of pictures, not with its square. What the hashes propose is then compared itself.

Source: Krawetz, "Kind of Like That", 2013 (dHash).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.datasets._examples import Examples
from firstlight.datasets._images import Images

HEIGHT, WIDTH = 16, 18  # of a thumbnail; halved, it has 8 × 9 places, and 8 × 8 neighbours
MAX_DIFFERENT_BITS = 3
QUARTER = 16  # bits
MAX_COMPARED = 16  # pictures that share a quarter with one of another split
MIN_CORRELATION = 0.99  # of two thumbnails
MIN_CONTRAST = 8.0  # standard deviation of a thumbnail: in flatter ones, noise decides
BLOCK = 1024  # pictures

Thumbnails = NDArray[np.float32]  # (N, 288), of mean 0 and length 1; zeros if too flat
Hashes = NDArray[np.uint64]  # (N,)


@dataclass(frozen=True)
class NearCopy:
    """Two pictures of different splits that look the same."""

    file: str
    like: str

    def to_json(self) -> dict[str, str]:
        return {"file": self.file, "like": self.like}


def near_copies(splits: Mapping[str, Examples]) -> Iterator[NearCopy]:
    """Yield each picture that looks the same as one of an earlier split, once."""
    seen: list[tuple[str, Examples, Thumbnails, Hashes]] = []
    for split, examples in splits.items():
        thumbnails = thumbnails_of(examples.images)
        hashes = hashes_of(thumbnails)
        for other, others, their_thumbnails, their_hashes in seen:
            candidates = _candidates(hashes, their_hashes)
            for row, their_row in _alike(thumbnails, their_thumbnails, candidates):
                yield NearCopy(name_of(split, examples, row), name_of(other, others, their_row))
        seen.append((split, examples, thumbnails, hashes))


def name_of(split: str, examples: Examples, row: int) -> str:
    """Return what an example is called: its file, or "test image 7"."""
    return examples.images.file(row) or f"{split} image {row}"


def thumbnails_of(images: Images) -> Thumbnails:
    """Return small grey versions of images, of the same mean and contrast."""
    thumbnails = np.empty((len(images), HEIGHT * WIDTH), np.float32)
    small = images.resized((HEIGHT, WIDTH, 1)) if images.are_crops else images
    for start in range(0, len(images), BLOCK):
        block = small[start : start + BLOCK]
        # For arrays, means of areas are faster than Pillow, one by one.
        reduced = block if images.are_crops else _reduced(block)
        thumbnails[start : start + BLOCK] = reduced.reshape(len(block), -1)
    thumbnails -= thumbnails.mean(1, keepdims=True)
    contrast = thumbnails.std(1, keepdims=True)
    length = np.where(contrast < MIN_CONTRAST, np.inf, contrast * np.sqrt(HEIGHT * WIDTH))
    return thumbnails / np.float32(length)


def _reduced(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images (N, height, width, channels) as (N, 16, 18): means of areas, or nearest."""
    grey: NDArray[np.float32] = images.mean(-1, dtype=np.float32)
    for axis, size in ((1, HEIGHT), (2, WIDTH)):
        edges = np.arange(size) * grey.shape[axis] // size
        if grey.shape[axis] < size:
            grey = grey.take(edges, axis)
        else:
            widths = np.diff(edges, append=grey.shape[axis])
            grey = np.add.reduceat(grey, edges, axis) / np.expand_dims(widths, 2 - axis)
    return grey


def hashes_of(thumbnails: Thumbnails) -> Hashes:
    """Return the dHash of each thumbnail."""
    halved = thumbnails.reshape(-1, HEIGHT // 2, 2, WIDTH // 2, 2).mean((2, 4))
    is_lighter = halved[..., :-1] > halved[..., 1:]
    bits = np.packbits(is_lighter.reshape(len(thumbnails), -1), axis=1)
    return np.ascontiguousarray(bits).view(np.uint64)[:, 0]


def _candidates(hashes: Hashes, others: Hashes) -> NDArray[np.int64]:
    """Return pairs (M, 2) of rows whose hashes differ in at most a few bits."""
    found = []
    for quarter in range(64 // QUARTER):
        shift, mask = np.uint64(quarter * QUARTER), np.uint64(2**QUARTER - 1)
        keys, their_keys = (hashes >> shift) & mask, (others >> shift) & mask
        order = np.argsort(their_keys, kind="stable")
        first = np.searchsorted(their_keys[order], keys)
        last = np.searchsorted(their_keys[order], keys, "right")
        for step in range(MAX_COMPARED):
            rows = np.flatnonzero(first + step < last)
            if not len(rows):
                break
            theirs = order[first[rows] + step]
            is_near = np.bitwise_count(hashes[rows] ^ others[theirs]) <= MAX_DIFFERENT_BITS
            found.append(np.stack([rows[is_near], theirs[is_near]], axis=1))
    return np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), np.int64)


def _alike(
    thumbnails: Thumbnails, others: Thumbnails, candidates: NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs that look the same: of each picture, the most similar one."""
    rows, theirs = candidates.T
    similarity = np.einsum("ij,ij->i", thumbnails[rows], others[theirs])
    best: dict[int, tuple[float, int]] = {}
    for row, their_row, value in zip(rows.tolist(), theirs.tolist(), similarity, strict=True):
        if value >= MIN_CORRELATION and value > best.get(row, (0.0, 0))[0]:
            best[row] = float(value), their_row
    for row, (_, their_row) in best.items():
        yield row, their_row
