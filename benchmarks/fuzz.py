"""Look for files at which a parser fails, guided by which lines of it a file reaches.

    pip install atheris
    python benchmarks/fuzz.py idx|npz|csv|settings|model|metrics|recipe|metadata|pictures
                              [--minutes 60] [--folder DIR]

Atheris (libFuzzer for Python) begins with the files of `parsers.samples` and of tests/corpus,
changes them, and keeps each that reaches a new branch of firstlight's, NumPy's or Pillow's Python
code, in DIR/PARSER. A fault is an exception that is not a FirstlightError, more than 10 seconds, or
more than 1 GB: the file is left in DIR as PARSER-crash-…, PARSER-timeout-… or PARSER-oom-….

Half of the changes are libFuzzer's own, which know nothing of a format. The others damage a file
inside its checksums: see mutations.py.

    python benchmarks/fuzz.py idx --keep [--folder DIR]

copies the small files of DIR/PARSER into tests/corpus, which tests/test_fuzz.py replays.
"""

import argparse
import hashlib
import sys
import tempfile
import warnings
from pathlib import Path
from random import Random

import atheris

INSTRUMENTED = ["firstlight", "PIL", "numpy.lib._format_impl", "numpy.lib._npyio_impl", "zipfile"]
# Not what is as good as constant, and called very often.
LEFT_OUT = ["PIL.ExifTags", "PIL.TiffTags", "firstlight.console", "firstlight.cli"]
with atheris.instrument_imports(include=INSTRUMENTED, exclude=LEFT_OUT):
    import mutations
    import parsers

    from firstlight.errors import FirstlightError

MAX_LENGTH = 4096  # bytes: what is wrong with a long file is wrong with a short one
MAX_SECONDS, MAX_MEGABYTES = 10, 1280  # the fuzzer itself takes some
MAX_KEPT = 2048  # bytes of a file in tests/corpus


def main() -> None:
    arguments = parse_arguments()
    folder = arguments.folder / arguments.parser
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.keep:
        keep(folder, arguments.parser)
        return
    write_seeds(folder, arguments.parser)
    flags = [
        f"-max_total_time={round(arguments.minutes * 60)}",
        f"-max_len={MAX_LENGTH}",
        f"-timeout={MAX_SECONDS}",
        f"-rss_limit_mb={MAX_MEGABYTES}",
        f"-artifact_prefix={arguments.folder}/{arguments.parser}-",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    warnings.simplefilter("ignore")
    atheris.Setup(
        [sys.argv[0], *flags, str(folder)],
        as_target(arguments.parser),
        custom_mutator=mutator(arguments.parser),
    )
    atheris.Fuzz()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parser", choices=parsers.PARSERS)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "fuzz")
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


def as_target(name: str) -> parsers.Parser:
    """Return a parser for libFuzzer: to refuse a file is no fault."""
    parse = parsers.PARSERS[name]

    def target(content: bytes) -> None:
        try:
            parse(content)
        except FirstlightError:
            pass

    return target


def mutator(name: str) -> object:
    """Return what changes a file; it stays within MAX_LENGTH."""
    samples, document = parsers.samples()[name], parsers.documents().get(name)

    def mutate(content: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5 or not content:
            return atheris.Mutate(content, max_size)
        if random.random() < 0.5:
            return mutations.damaged(content, random)[:max_size]
        if document:
            return mutations.damaged_text(document, random)[:max_size]
        sample = random.choice(samples)
        return sample.pack(mutations.damaged(sample.inner, random))[:max_size]

    return mutate


def write_seeds(folder: Path, name: str) -> None:
    found = [file.read_bytes() for file in (parsers.CORPUS / name).glob("*")]
    for content in [*found, *(sample.content for sample in parsers.samples()[name])]:
        (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


def keep(folder: Path, name: str) -> None:
    """Copy what libFuzzer has left: it replaces a file by a smaller one that reaches the same."""
    kept = parsers.CORPUS / name
    kept.mkdir(exist_ok=True, parents=True)
    for file in folder.iterdir():
        if file.stat().st_size <= MAX_KEPT:
            (kept / file.name[:12]).write_bytes(file.read_bytes())


if __name__ == "__main__":
    main()
