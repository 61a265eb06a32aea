"""Connected components and run lengths, compared with SciPy's and with a count by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from firstlight.reading import components
from firstlight.reading.blobs import run_lengths

EIGHT_NEIGHBOURS = np.ones((3, 3), int)  # pixels that share a corner belong together
ROWS, COLUMNS = np.indices((9, 12))
CHECKERBOARD = (ROWS + COLUMNS) % 2 == 0
RINGS = np.minimum.reduce([ROWS, COLUMNS, 8 - ROWS, 11 - COLUMNS]) % 2 == 0  # one inside the other
COMB = (ROWS == 8) | (COLUMNS % 2 == 0)  # its teeth meet in the last row only


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """Masks up to 24×24, sparse to dense, some of them empty or full or a single row or column."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    density = draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).random(shape) < density


def any_mask() -> st.SearchStrategy[np.ndarray]:
    """Masks of random density, and masks that hypothesis can shrink pixel by pixel."""
    shapes = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
    return st.one_of(masks(), arrays.arrays(bool, shapes))


def every_kind_of_mask(test: Callable[[np.ndarray], None]) -> Callable[[], None]:
    """Run a test of a mask on random masks and on those that are the likeliest to fail."""
    for mask in (
        np.zeros((5, 7), bool),
        np.ones((5, 7), bool),
        *(np.array(bits, bool)[None] for bits in ([1, 0, 1, 1, 0], [0], [1])),
        *(np.array(bits, bool)[:, None] for bits in ([1, 0, 1, 1, 0], [0, 0], [1, 1])),
        *(CHECKERBOARD, ~CHECKERBOARD, RINGS, ~RINGS, COMB, COMB[::-1], COMB.T, COMB.T[:, ::-1]),
    ):
        test = example(mask)(test)
    return given(any_mask())(test)


@every_kind_of_mask
def test_labels_are_scipys_up_to_their_numbers(mask: np.ndarray) -> None:
    labels, boxes = components.label(mask)
    expected, count = ndimage.label(mask, EIGHT_NEIGHBOURS)
    assert labels.shape == mask.shape and len(boxes) == count
    pairs = set(zip(labels.ravel().tolist(), expected.ravel().tolist(), strict=True))
    numbers = {label for label, _ in pairs}
    # Every number of ours goes with one of SciPy's, and the background with the background.
    assert numbers == {number for _, number in pairs} == set(np.unique(expected).tolist())
    assert len(pairs) == len(numbers)
    assert all((ours == 0) == (theirs == 0) for ours, theirs in pairs)


@every_kind_of_mask
def test_boxes_are_scipys(mask: np.ndarray) -> None:
    labels, boxes = components.label(mask)
    slices = ndimage.find_objects(labels)
    expected = [[x.start, y.start, x.stop, y.stop] for y, x in slices]
    assert boxes.tolist() == expected


@every_kind_of_mask
def test_segments_cover_the_mask_and_do_not_touch(mask: np.ndarray) -> None:
    painted = np.zeros(mask.shape, int)
    segments = components.segments(mask)
    for row, start, end in zip(*segments, strict=True):
        assert start < end
        assert start == 0 or not mask[row, start - 1]
        assert end == mask.shape[1] or not mask[row, end]
        painted[row, start:end] += 1
    assert (painted == mask).all()
    assert segments.length.sum() == mask.sum()


def counted_run_lengths(mask: np.ndarray) -> np.ndarray:
    """Walk from each pixel to the left and to the right until the run ends."""
    lengths = np.zeros(mask.shape, int)
    for row, column in np.argwhere(mask):
        left = right = column
        while left > 0 and mask[row, left - 1]:
            left -= 1
        while right < mask.shape[1] - 1 and mask[row, right + 1]:
            right += 1
        lengths[row, column] = right - left + 1
    return lengths


@every_kind_of_mask
def test_run_lengths_are_those_counted_pixel_by_pixel(mask: np.ndarray) -> None:
    assert run_lengths(mask).tolist() == counted_run_lengths(mask).tolist()


def test_pixels_that_share_a_corner_belong_together() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]], bool)
    labels, boxes = components.label(mask)
    assert labels[0, 0] == labels[1, 1] != 0 and len(boxes) == 4
    assert boxes[labels[0, 3] - 1].tolist() == [3, 0, 4, 2]


@pytest.mark.parametrize("density", [0.1, 0.4, 0.6])
def test_a_large_mask_has_scipys_components(density: float) -> None:
    mask = np.random.default_rng(0).random((300, 400)) < density
    labels, boxes = components.label(mask)
    expected, count = ndimage.label(mask, EIGHT_NEIGHBOURS)
    pairs = np.unique(np.stack([labels[mask], expected[mask]]), axis=1)
    assert len(boxes) == count == pairs.shape[1]
