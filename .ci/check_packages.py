"""Checks what is in a wheel and an sdist: python check_packages.py FILE.whl FILE.tar.gz

It needs nothing but Python. The exit code is 1 if a file is missing, or one is there that nobody
needs.
"""

import fnmatch
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNWANTED = ("*__pycache__*", "*.pyc", "*/runs/*-mnist-*", "*/results/*.json", "*/results/*.jsonl")
UNWANTED_IN_WHEEL = ("tests/*", "*/test_*.py", "benchmarks/*", ".ci/*", "*/conftest.py")
MAX_BYTES = {".whl": 40 * 2**20, ".gz": 60 * 2**20}


def in_source(folder: str, pattern: str = "**/*") -> set[str]:
    """Return the files of a folder, named from the root; caches left out."""
    files = (ROOT / folder).glob(pattern)
    return {
        str(file.relative_to(ROOT))
        for file in files
        if file.is_file() and "__pycache__" not in file.parts
    }


def wanted_in_wheel() -> set[str]:
    """Return what the wheel must hold: the whole package, and the chapters and guides."""
    package = {
        file.removeprefix("src/")
        for file in in_source("src/firstlight")
        if not file.startswith("src/firstlight/reading/") or not file.endswith(".md")
    }
    guides = in_source("lessons") | {"README.md", "CHANGELOG.md", "docs/use.md", "docs/deploy.md"}
    guides |= in_source("src/firstlight/reading", "*.md")
    return package | {f"firstlight/markdown/{file}" for file in guides}


def wanted_in_sdist() -> set[str]:
    """Return what the sdist must hold: all that the wheel is made from, and the tests."""
    return in_source("src") | in_source("lessons") | in_source("tests") | {"LICENSE"}


def faults(names: set[str], wanted: set[str], unwanted: tuple[str, ...]) -> list[str]:
    missing = [f"missing: {name}" for name in sorted(wanted - names)]
    extra = [
        f"not wanted: {name}"
        for name in sorted(names)
        if any(fnmatch.fnmatch(name, pattern) for pattern in unwanted)
    ]
    return missing + extra


def faults_of(file: Path) -> list[str]:
    """Return what is wrong with a wheel or an sdist, a line each."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            names = set(wheel.namelist())
        found = faults(names, wanted_in_wheel(), UNWANTED + UNWANTED_IN_WHEEL)
    else:
        with tarfile.open(file) as sdist:
            names = {member.name.partition("/")[2] for member in sdist if member.isfile()}
        found = faults(names, wanted_in_sdist(), UNWANTED)
    size = file.stat().st_size
    print(f"{file.name}: {len(names):,} files, {size:,} bytes, {len(found)} faults")
    if size > MAX_BYTES[file.suffix]:
        found.append(f"too large: {size:,} bytes")
    return [f"{file.name}: {fault}" for fault in found]


if __name__ == "__main__":
    files = [file for file in map(Path, sys.argv[1:]) if file.suffix in MAX_BYTES]
    all_faults = [fault for file in files for fault in faults_of(file)]
    print("\n".join(all_faults[:40]))
    sys.exit(bool(all_faults) or len(files) != 2)
