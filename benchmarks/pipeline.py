"""How fast pictures become training images: decoded, cut out, mirrored, 224×224; and what it takes.

    python benchmarks/pipeline.py DIR

DIR holds folders of pictures. Each way is a process of its own, bound to so many cores, and reads
the same JPEGs in the same order after one pass to warm the disk's cache. tf.data has its plain
recipe (decode_jpeg, resize to 256, random_crop, random_flip, prefetch), PyTorch a DataLoader with
Pillow; PyTorch is left out where it is not installed. Each is measured three times, in turn, and
the median is told. Memory is what the process takes at its most while it lists and checks a folder
of 1,000 or 100,000 files, which are links to the same pictures, and reads 2,000 images of it.
Writes results/pipeline.json and its table in benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from report import RESULTS, circumstances, in_a_process, into_page, processor

SIDE, BATCH, IMAGES, REPEATS = 224, 32, 2000, 3
CUTS = {"anywhere": 1.0, "mirror": 0.5}
Batches = Callable[[list[Path]], Iterator[int]]  # yields how many images a batch holds


def ours(files: list[Path]) -> Iterator[int]:
    from firstlight.datasets import FolderImages

    images = FolderImages(Path("/"), [str(file) for file in files], (SIDE, SIDE, 3))
    for start in range(0, len(files), BATCH):
        rows = np.arange(start, min(start + BATCH, len(files)))
        yield len(images.augmented(rows, CUTS, 0, start + np.arange(len(rows))))


def tf_data(files: list[Path]) -> Iterator[int]:
    import tensorflow as tf

    def one(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), 3)
        size = tf.cast(tf.shape(image)[:2], tf.float32)
        image = tf.image.resize(
            image, tf.cast(tf.round(size * 256 / tf.reduce_min(size)), tf.int32)
        )
        image = tf.image.random_flip_left_right(tf.image.random_crop(image, (SIDE, SIDE, 3)))
        return tf.cast(image, tf.uint8)

    data = tf.data.Dataset.from_tensor_slices([str(file) for file in files])
    for batch in data.map(one, tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE):
        yield len(batch)


def torch_loader(files: list[Path]) -> Iterator[int]:
    import torch
    from PIL import Image

    class Pictures(torch.utils.data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, index: int) -> torch.Tensor:
            image = Image.open(files[index]).convert("RGB")
            by = 256 / min(image.size)
            image = image.resize((round(image.width * by), round(image.height * by)))
            left, top = (int(torch.randint(side - SIDE + 1, ())) for side in image.size)
            image = image.crop((left, top, left + SIDE, top + SIDE))
            if torch.rand(()) < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            return torch.from_numpy(np.array(image)).permute(2, 0, 1)

    workers = len(os.sched_getaffinity(0))
    for batch in torch.utils.data.DataLoader(Pictures(), BATCH, num_workers=workers):
        yield len(batch)


WAYS: dict[str, Batches] = {"ours": ours, "tf.data": tf_data, "PyTorch": torch_loader}


def pictures(directory: Path, count: int) -> list[Path]:
    """The folder's JPEGs, again and again up to the count."""
    found = sorted(directory.rglob("*.jpg"))
    return [found[i % len(found)].resolve() for i in range(count)]


def speed(way: str, directory: Path, cores: int) -> float:
    """Images per second; the first tenth, which starts threads and graphs, is not counted."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    files, seen, began = pictures(directory, IMAGES), 0, 0.0
    for file in set(files):
        file.read_bytes()
    for count in WAYS[way](files):
        if not began and seen >= IMAGES // 10:
            began, first = time.perf_counter(), seen
        seen += count
    return (seen - first) / (time.perf_counter() - began)


def memory(directory: Path) -> float:
    """Megabytes at the most while a folder is listed, checked, and 2,000 images are read of it."""
    from firstlight import catalog

    images = catalog.dataset(str(directory)).load("train").images.resized((SIDE, SIDE, 3))
    for start in range(0, IMAGES, BATCH):
        rows = np.arange(start, start + BATCH) % len(images)
        images.augmented(rows, CUTS, 0, start + np.arange(len(rows)))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def links(directory: Path, count: int, to: Path) -> Path:
    """A folder of so many files that are links to the pictures of the first ten of its classes."""
    folders = sorted({file.parent for file in directory.rglob("*.jpg")})[:10]
    for number in range(count):
        files = sorted(folders[number % len(folders)].glob("*.jpg"))
        source = files[number // len(folders) % len(files)]
        target = to / "train" / source.parent.name / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
    return to


def speeds(data: Path) -> dict[str, dict[str, int]]:
    """The median of REPEATS of each way, with one core and with all."""
    ways = [way for way in WAYS if way != "PyTorch" or find_spec("torch")]
    counts = (1, os.cpu_count() or 1)
    found = [
        {
            (way, n): in_a_process(__file__, str(data), "--one", way, str(n)) / n
            for way in ways
            for n in counts
        }
        for _ in range(REPEATS)
    ]
    return {
        way: {str(n): round(statistics.median(each[way, n] for each in found)) for n in counts}
        for way in ways
    }


def memories(classes: Path, counts: tuple[int, ...]) -> dict[str, int]:
    megabytes = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            linked = links(classes, count, Path(folder))
            megabytes[f"{count:,}"] = round(
                in_a_process(__file__, str(linked), "--one", "memory", "0")
            )
    return megabytes


def table(facts: dict[str, Any]) -> str:
    speed, memory = facts["images a second and core"], facts["megabytes"]
    cores = list(speed["ours"])
    heads = [f"{n} core{'s' if n != '1' else ''}" for n in cores]
    lines = [f"| images per second and core | {' | '.join(heads)} |", "|---|--:|--:|"]
    lines += [
        f"| {way} | {' | '.join(str(each[n]) for n in cores)} |" for way, each in speed.items()
    ]
    used = ", ".join(f"{megabytes} MB for {count} files" for count, megabytes in memory.items())
    return "\n".join([*lines, "", f"Memory that a folder needs: {used}; {facts['where']}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DIR")
    parser.add_argument(
        "--one", nargs=2, metavar=("WAY", "CORES"), help="used by the program itself"
    )
    parser.add_argument("--most", type=int, default=100_000, help="files of the larger folder")
    given = parser.parse_args()
    if given.one:
        way, cores = given.one
        print(memory(given.data) if way == "memory" else speed(way, given.data, int(cores)))
        return
    facts = {
        "images a second and core": speeds(given.data),
        "megabytes": memories(given.data / "train", (1000, given.most)),
        "where": circumstances(processor(), {"python": platform.python_version()}),
    }
    RESULTS.joinpath("pipeline.json").write_text(json.dumps(facts, indent=1) + "\n")
    into_page("pipeline", table(facts))
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
