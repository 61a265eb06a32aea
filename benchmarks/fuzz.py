"""Feeds mutated files to the parsers, guided by the code that they reach (Atheris, libFuzzer).

    pip install atheris
    python benchmarks/fuzz.py idx FOLDER -max_total_time=3600 -rss_limit_mb=1000 -timeout=10

The targets are idx, npz, settings and pictures. FOLDER keeps the inputs that reach new code; begin
with a copy of tests/corpus/TARGET. Whatever is no DataError or UsageError ends the program, and
the input is kept as `crash-*`.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["firstlight", "numpy.lib", "zipfile", "json", "PIL"]):
    from firstlight.datasets import _idx, _npz
    from firstlight.errors import FirstlightError
    from firstlight.images.open import open_photograph, open_picture
    from firstlight.runs.documents import ModelInfo, RunRecord

FILE = Path(tempfile.mkdtemp(prefix="firstlight-fuzz-"), "input")


def idx(content: bytes) -> None:
    _idx.parse(content, FILE)


def npz(content: bytes) -> None:
    FILE.write_bytes(content)
    _npz.images_of(FILE)


def settings(content: bytes) -> None:
    with suppress(ValueError, RecursionError):  # `Run` turns those of JSON into DataError
        document = json.loads(content)
        for parse in (RunRecord.from_json, ModelInfo.from_json):
            with suppress(FirstlightError):
                parse(document, FILE)


def pictures(content: bytes) -> None:
    FILE.write_bytes(content)
    with suppress(FirstlightError):
        open_photograph(FILE, 32)
    open_picture(FILE)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "idx": idx,
    "npz": npz,
    "settings": settings,
    "pictures": pictures,
}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def once(content: bytes) -> None:
        with suppress(FirstlightError):
            target(content)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
