"""How a trained run fares on corrupted digits: the 15 corruptions of MNIST-C.

    python benchmarks/corruptions.py RUN...           measure runs, write results/ and the table
    python benchmarks/corruptions.py --picture FILE   draw what the corruptions do; needs no run

MNIST-C (Mu and Gilmer, 2019, arXiv 1906.02337) is MNIST's 10,000 test images, each corrupted in 15
ways. Here the images are made anew from the definitions, with the published strengths and in the
paper's order; nothing is downloaded. They are alike, not the same: the random numbers are our own,
and motion blur follows ImageMagick's formula but not its rounding.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from report import FOLDERS, circumstances, into_page, processor
from scipy import ndimage

from firstlight.datasets import Examples, mnist
from firstlight.errors import FirstlightError, UsageError
from firstlight.runs.files import write_text
from firstlight.runs.run import Run, versions

RESULTS = Path(__file__).parent / "results" / "corruptions.json"
SEED = 0
SIDE = 28
NAMES = {"clean": "not corrupted", "mean": "**mean of the 15**"}
BATCH_SIZE = 250  # images: fog alone needs a map of 256 × 256 for each

Corruption = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def to_unit(images: np.ndarray) -> np.ndarray:
    """Pixels 0 to 255 as 0 to 1."""
    return images / 255.0


def to_pixels(values: np.ndarray) -> np.ndarray:
    """Values 0 to 1, clipped, as the nearest pixels uint8."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def gaussian_blur(values: np.ndarray, down: float, across: float) -> np.ndarray:
    """Each image under a Gaussian, its edge pixels going on for ever."""
    return ndimage.gaussian_filter(values, (0, down, across), mode="nearest", truncate=4)


def random_signs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], shape)


def shot_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Too little light: a pixel counts photons, three of them if it is white."""
    return to_pixels(rng.poisson(to_unit(images) * 3) / 3)


def impulse_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """17 % of the pixels are white or black, whatever they were."""
    chance, whiteness = rng.random((2, *images.shape))
    return np.where(chance < 0.17, np.where(whiteness < 0.5, 255, 0), images).astype(np.uint8)


def glass_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Behind frosted glass: blurred, neighbouring pixels swapped twice over, blurred again."""
    # Only along columns: the published code takes the 28 columns for colours, and blurs each.
    blurred = (gaussian_blur(to_unit(images), 0.7, 0) * 255).astype(np.uint8)
    flat = blurred.reshape(len(images), -1).T.copy()  # (784, N)
    image_numbers = np.arange(len(images))
    # A pixel stays every other time; else its partner is drawn: itself, left, above, above left.
    partners = np.array([0, 0, 0, 0, 0, -1, -SIDE, -SIDE - 1])
    visits = list(product(range(2), range(27, 1, -1), range(27, 1, -1)))
    chosen_partners = partners[rng.integers(0, len(partners), (len(visits), len(images)))]
    for (_, row, column), partner in zip(visits, chosen_partners, strict=True):
        pixel = row * SIDE + column
        old_value = flat[pixel].copy()
        flat[pixel] = flat[pixel + partner, image_numbers]
        flat[pixel + partner, image_numbers] = old_value
    return to_pixels(gaussian_blur(to_unit(flat.T.reshape(images.shape)), 0.7, 0))


def motion_blur(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The camera moved: a trail to one side, at up to 45° to the rows."""
    angle = np.radians(rng.uniform(-45, 45, (len(images), 1, 1)))
    image_numbers, rows, columns = np.ogrid[: len(images), :SIDE, :SIDE]
    reach = np.arange(2 * 10 + 1)  # ImageMagick's radius is 10, but the kernel has only one side
    weights = np.exp(-(reach**2) / (2 * 3**2))
    trail = np.zeros(images.shape)
    for distance, weight in zip(reach, weights / weights.sum(), strict=True):
        row = rows + np.ceil(distance * np.sin(angle) - 0.5).astype(int)
        column = columns + np.ceil(distance * np.cos(angle) - 0.5).astype(int)
        trail += weight * images[image_numbers, row.clip(0, SIDE - 1), column.clip(0, SIDE - 1)]
    return to_pixels(trail / 255)


def warp(images: np.ndarray, matrices: np.ndarray, shifts: np.ndarray | float = 0.0) -> np.ndarray:
    """Each image, its pixels taken from elsewhere: between four, and black outside.

    A pixel at (row, column) from the centre is taken from `matrices @ (row, column) + shifts`;
    matrices are (N, 2, 2) and shifts (N, 2, 1), or one for all.
    """
    centre = (SIDE - 1) / 2
    source = matrices @ (np.indices((SIDE, SIDE)).reshape(2, -1) - centre) + centre + shifts
    source = np.broadcast_to(source, (len(images), 2, SIDE * SIDE))
    image_numbers = np.broadcast_to(np.arange(len(images))[:, np.newaxis], source[:, 0].shape)
    coordinates = np.stack([image_numbers, source[:, 0], source[:, 1]])
    values = ndimage.map_coordinates(to_unit(images), coordinates, order=1, mode="grid-constant")
    return to_pixels(values.reshape(images.shape))


def matrices(*entries: np.ndarray | float) -> np.ndarray:
    """2 × 2 matrices (N, 2, 2) from their four entries, each (N,) or one for all."""
    return np.stack(np.broadcast_arrays(*map(np.atleast_1d, entries)), axis=-1).reshape(-1, 2, 2)


def shear(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slanted to the left or right by 0.4 rad."""
    angle = 0.4 * random_signs(rng, len(images))
    # scikit-image of 2019: not a pure shear, the image also grows by 1 / cos 0.4 in height.
    return warp(images, matrices(np.cos(angle), 0, -np.sin(angle), 1))


def scale(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shrunk to 70 %."""
    return warp(images, np.eye(2) / 0.7)


def rotate(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned by 0.4 rad (23°), one way or the other."""
    angle = 0.4 * random_signs(rng, len(images))
    return warp(images, matrices(np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)))


def brightness(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of white added everywhere: a grey pixel's value in HSV is the pixel."""
    return to_pixels(to_unit(images) + 0.5)


def translate(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moved 3 pixels up or down, and 3 to the left or right."""
    return warp(images, np.eye(2), 3 * random_signs(rng, len(images), 2, 1))


def stripe(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The seven columns on either side inverted."""
    column = np.arange(SIDE)
    return np.where((column < 7) | (column >= 21), 255 - images, images)


def plasma(count: int, size: int, decay: float, rng: np.random.Generator) -> np.ndarray:
    """Cloudy maps (count, size, size) of heights 0 to 1, by diamond-square on a torus.

    From coarse to fine, a point is the mean of the four around it and a jitter, which `decay`
    divides twice a level: once for the jitter, once for what it is multiplied by.
    """
    heights = np.zeros((count, size, size), np.float32)
    step, jitter = size, 1.0

    def between(total: np.ndarray) -> np.ndarray:
        return total / 4 + jitter * (2 * rng.random(total.shape, np.float32) - 1)

    while step >= 2:
        half = step // 2
        corners = heights[:, ::step, ::step]
        sides = corners + np.roll(corners, -1, axis=1)
        centres = between(sides + np.roll(sides, -1, axis=2))
        tops = corners + np.roll(corners, -1, axis=2) + centres + np.roll(centres, 1, axis=1)
        heights[:, half::step, half::step] = centres
        heights[:, ::step, half::step] = between(tops)
        heights[:, half::step, ::step] = between(sides + centres + np.roll(centres, 1, axis=2))
        step, jitter = half, jitter / decay**2
    heights -= heights.min(axis=(1, 2), keepdims=True)
    return heights / heights.max(axis=(1, 2), keepdims=True)


def fog(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three parts of cloud to one of digit."""
    clouds = plasma(len(images), 256, 1.4, rng)[:, :SIDE, :SIDE]
    whitest = to_unit(images).max(axis=(1, 2), keepdims=True)
    return to_pixels((to_unit(images) + 3 * clouds) * whitest / (whitest + 3))


def spatter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Splashes of dark grey mud, of the size that random noise has under a small blur."""
    drops = gaussian_blur(rng.normal(0.65, 0.3, images.shape), 1, 1) > 0.65
    mud = gaussian_blur(drops.astype(float), 1.5, 1.5)
    mud[mud < 0.8] = 0
    return to_pixels(to_unit(images) * (1 - mud) + 63 / 255 * mud)


def line(x0: np.ndarray, y0: np.ndarray, x1: np.ndarray, y1: np.ndarray) -> np.ndarray:
    """A line an image (N, 28, 28), 0 to 1, from (x0, y0) to (x1, y1), each of them (N,).

    It is 1 in the middle and 0 from 1.45 pixels above and below.
    """
    x0, y0, x1, y1 = (np.reshape(end, (-1, 1, 1)) for end in (x0, y0, x1, y1))
    _, row, column = np.ogrid[:1, :SIDE, :SIDE]
    distance = np.abs(row - y0 - (y1 - y0) / (x1 - x0) * (column - x0))
    ink = np.log(np.maximum(1 - distance / 2.3, np.exp(-1))) + 1
    return ink * ((column >= np.floor(x0)) & (column < np.ceil(x1)))


def dotted_line(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A straight line from edge to edge, every other two columns of it."""
    left, right = rng.integers(0, 27, (2, len(images)))
    x0, x1 = np.full((2, len(images)), [[0], [27]])
    dots = np.arange(SIDE) // 2 % 2
    return to_pixels(to_unit(images) + dots * line(x0, left, x1, right))


def zigzag(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A saw-toothed line across, tilted a little: a tooth is 4 pixels long and 4 high."""
    start, rise = rng.integers(0, 27, len(images)), rng.integers(-5, 5, len(images))
    width = 23  # from column 2 to 25
    length = np.hypot(width, rise)
    along = np.stack([np.full(len(images), at) for at in (0, 2, 6, 10, 14, 18, 22)] + [length])
    # The last tooth is cut off where the line ends, at the height that the published code gives it.
    across = np.stack(
        [np.full(len(images), at) for at in (0, 2, -2, 2, -2, 2, -2)] + [-1 / (length - 20)]
    )
    x = 2 + (along * width - across * rise) / length
    y = start + (along * rise + across * width) / length
    teeth = [line(*a, *b) for a, b in pairwise(zip(x, y, strict=True))]
    return to_pixels(to_unit(images) + sum(teeth))


def canny_edges(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing but the edges, white on black (Canny, 1986), as scikit-image finds them."""
    frame_weights = ndimage.gaussian_filter(np.ones((SIDE, SIDE)), 1, mode="constant")
    blurred = ndimage.gaussian_filter(to_unit(images), (0, 1, 1), mode="constant") / frame_weights
    down, across = (
        # Sobel's filter; SciPy's own would also smooth from one image to the next.
        ndimage.correlate1d(ndimage.correlate1d(blurred, [-1, 0, 1], a), [1, 2, 1], b)
        for a, b in ((1, 2), (2, 1))
    )
    slope = np.hypot(down, across)
    ridge = ridges(slope, down, across)
    neighbours = np.zeros((3, 3, 3), int)
    neighbours[1] = 1  # pixels hang together in all eight directions, images not at all
    labels, count = ndimage.label(ridge, neighbours)
    is_strong = np.zeros(count + 1, bool)
    is_strong[labels[ridge & (slope >= 0.2)]] = True
    return np.where(is_strong[labels], 255, 0).astype(np.uint8)


def ridges(slope: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Where the slope is at least 0.1 and, in its own direction, no less than on either side."""
    ridge = np.zeros(slope.shape, bool)
    ridge[:, 1:-1, 1:-1] = slope[:, 1:-1, 1:-1] >= 0.1
    image, row, column = np.nonzero(ridge)
    y, x = down[ridge], across[ridge]
    steep = np.abs(y) >= np.abs(x)
    diagonal = np.minimum(np.abs(y), np.abs(x)) / np.maximum(np.abs(y), np.abs(x))
    step_y, step_x = np.sign(y).astype(int), np.sign(x).astype(int)
    highest = np.ones(len(image), bool)
    for side in (1, -1):
        # The slope one step on lies between a neighbour on the axis and one on the diagonal.
        straight = slope[image, row + side * step_y * steep, column + side * step_x * ~steep]
        slanting = slope[image, row + side * step_y, column + side * step_x]
        highest &= slanting * diagonal + straight * (1 - diagonal) <= slope[ridge]
    ridge[ridge] = highest
    return ridge


CORRUPTIONS: dict[str, Corruption] = {
    corruption.__name__: corruption
    for corruption in (
        shot_noise, impulse_noise, glass_blur, motion_blur, shear, scale, rotate, brightness,
        translate, stripe, fog, spatter, dotted_line, zigzag, canny_edges,
    )
}  # fmt: skip


def corrupt(name: str, images: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Images (N, 28, 28) uint8, corrupted: the same whenever they and the seed are the same."""
    rng = np.random.default_rng(seed)
    parts = range(0, len(images), BATCH_SIZE)
    return np.concatenate([CORRUPTIONS[name](images[i : i + BATCH_SIZE], rng) for i in parts])


def measure(folders: Sequence[Path], examples: Examples) -> list[dict[str, Any]]:
    """A record for each run: the share of images it gets wrong, in %, clean and corrupted.

    Raises:
        DataError: a run is missing or damaged.
        UsageError: a run's network takes images of another size.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from firstlight import model
    from firstlight.model import predictor

    runs = [Run.open(folder) for folder in folders]
    networks = [model.load(run)[0] for run in runs]
    for run, network in zip(runs, networks, strict=True):
        if network.input_shape[1:] != examples.images.shape[1:]:
            raise UsageError(f"{run.folder} takes images of another size than MNIST's")
    predictors = [predictor(network) for network in networks]
    errors: list[dict[str, float]] = [{} for _ in runs]
    for name in ("clean", *CORRUPTIONS):  # each is made once, for all runs
        clean = examples.images[..., 0]
        images = (clean if name == "clean" else corrupt(name, clean))[..., np.newaxis]
        for predict, errors_of_run in zip(predictors, errors, strict=True):
            wrong = predict(images).argmax(1) != examples.labels
            errors_of_run[name] = round(100 * float(wrong.mean()), 2)
    return list(map(run_record, runs, errors, [len(examples.labels)] * len(runs)))


def run_record(run: Run, errors: dict[str, float], examples: int) -> dict[str, Any]:
    settings = run.record().settings.to_json()
    corrupted = [error for name, error in errors.items() if name != "clean"]
    return {
        "run": run.folder.resolve().name,
        **{key: settings[key] for key in ("network", "seed", "recipe")},
        "command": FOLDERS.sub("", settings["command"]),
        "examples": examples,
        "corruption_seed": SEED,
        "clean": errors["clean"],
        "mean": round(float(np.mean(corrupted)), 2),
        "corrupted": {name: errors[name] for name in CORRUPTIONS},
        "processor": processor(),
        "versions": versions() | {"scipy": scipy.__version__},
    }


def run_summary(record: dict[str, Any]) -> str:
    rows = [f"{record['run']}: test error, %, n = {record['examples']:,}"]
    lines = {"clean": record["clean"], **record["corrupted"], "mean of the 15": record["mean"]}
    return "\n".join(rows + [f"  {name:15} {error:6.2f}" for name, error in lines.items()])


def table(records: list[dict[str, Any]]) -> str:
    head = [record["run"] for record in records]
    rows = [f"| test error, % | {' | '.join(head)} |", f"|---|{'--:|' * len(records)}"]
    errors = {name: [record["corrupted"][name] for record in records] for name in CORRUPTIONS}
    for key in ("clean", "mean"):
        errors[key] = [record[key] for record in records]
    for name in ("clean", *CORRUPTIONS, "mean"):
        cells = " | ".join(f"{error:.2f}" for error in errors[name])
        rows.append(f"| {NAMES.get(name, name.replace('_', ' '))} | {cells} |")
    last = records[-1]
    measured_on = circumstances(last["processor"], last["versions"])
    columns = f"Each column is one run, measured on {last['examples']:,} images"
    return "\n".join([*rows, "", f"{columns}; {measured_on}"])


def draw_picture(examples: Examples, path: Path) -> None:
    """One PNG: a row a corruption, the first test image of each class in it."""
    from matplotlib.figure import Figure

    digits = examples.images[[int(np.argmax(examples.labels == d)) for d in range(10)], :, :, 0]
    rows = {"clean": digits} | {name: corrupt(name, digits) for name in CORRUPTIONS}
    gap = [(0, 0), (1, 1), (1, 1)]
    tiles = [np.hstack(np.pad(row, gap, constant_values=64)) for row in rows.values()]
    figure = Figure(figsize=(9, 13), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.vstack(tiles), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([(SIDE + 2) * (i + 0.5) for i in range(len(rows))], list(rows))
    figure.savefig(path, dpi=120, bbox_inches="tight", format="png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the corruptions")
    arguments = parser.parse_args()
    if not arguments.runs and not arguments.picture:
        parser.error("give a RUN, or --picture FILE")
    examples = mnist.load("test")
    if arguments.picture:
        draw_picture(examples, arguments.picture)
    if arguments.runs:
        try:
            records = measure(arguments.runs, examples)
        except FirstlightError as error:
            sys.exit(f"{error}")
        print("\n".join(map(run_summary, records)))
        old_records = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []
        measured_again = {record["run"] for record in records}
        kept = [record for record in old_records if record["run"] not in measured_again]
        records = kept + records
        write_text(RESULTS, json.dumps(records, indent=2) + "\n")
        into_page("corruptions", table(records))


if __name__ == "__main__":
    main()
