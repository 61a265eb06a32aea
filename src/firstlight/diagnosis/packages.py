"""Which packages are installed, in which versions, and whether they can be imported."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from time import monotonic
from typing import Any

SECONDS = 60.0  # for the imports of all packages
# What pyproject.toml names: the name that is imported, and that of the distribution.
BASE = {
    "markdown_it": "markdown-it-py",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "PIL": "pillow",
    "rich": "rich",
    "segno": "segno",
    "starlette": "starlette",
    "typer": "typer",
    "uvicorn": "uvicorn",
}
TRAIN = {
    "jinja2": "jinja2",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "nbformat": "nbformat",
    "onnx": "onnx",
    "tensorflow": "tensorflow",
    "tf2onnx": "tf2onnx",
}


@dataclass(frozen=True)
class Package:
    name: str  # of the distribution
    version: str | None  # None: it is not installed, or does not tell
    installed: bool
    problem: str | None  # why it cannot be imported; "": it can be; None: not tried in time


@dataclass(frozen=True)
class Extra:
    """Packages that are installed together, and what they are for."""

    name: str  # "" for those that firstlight always needs
    packages: tuple[Package, ...]
    purpose: str
    command: str  # that installs it

    @property
    def missing(self) -> list[str]:
        return [package.name for package in self.packages if not package.installed]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "missing": self.missing}


# The names of extras in pyproject.toml; `gpu` brings the packages of `train`.
EXTRAS: dict[str, tuple[dict[str, str], str]] = {
    "": (BASE, "list, data check, read, serve, site; classify and predict with an ONNX file"),
    "train": (
        TRAIN,
        "first-graph, train, find-lr, evaluate, compare, report, graph, explain, export, lessons; "
        "classify and predict with a run",
    ),
    "pdf": ({"pypdfium2": "pypdfium2"}, "read FILE.pdf"),
    "heic": ({"pi_heif": "pi-heif"}, "HEIC pictures, as phones take them"),
    "parquet": ({"pyarrow": "pyarrow"}, "--data FILE.parquet"),
    "tensorboard": (
        {"tensorboard": "tensorboard"},
        "curves in TensorBoard, from the next training",
    ),
}


def extras() -> tuple[Extra, ...]:
    """Return all extras, after a try to import what is installed of them."""
    modules = [module for packages, _ in EXTRAS.values() for module in packages]
    installed = [module for module in modules if is_installed(module)]
    problems = import_problems(installed)
    return tuple(
        Extra(
            name=name,
            packages=tuple(
                Package(
                    name=distribution,
                    version=version(distribution),
                    installed=module in installed,
                    problem=problems.get(module, ""),
                )
                for module, distribution in packages.items()
            ),
            purpose=purpose,
            command=f"pip install '.[{name}]'" if name else "pip install .",
        )
        for name, (packages, purpose) in EXTRAS.items()
    )


def is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # a module without a specification stands in sys.modules
        return False


def version(distribution: str) -> str | None:
    for name in (distribution, f"{distribution}-cpu"):  # tensorflow-cpu is tensorflow too
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def import_problems(modules: list[str]) -> dict[str, str | None]:
    """Return why modules cannot be imported; those that can are left out.

    They are imported in a process of their own: an import may end it. After a minute no more are
    tried, and None stands for these: on a busy machine TensorFlow alone may take that long.
    """
    problems: dict[str, str | None] = {}
    left, deadline = list(modules), monotonic() + SECONDS
    while left:
        answers, code = imported(left, deadline - monotonic())
        problems |= {module: problem for module, problem in answers.items() if problem}
        left = left[len(answers) :]
        if code is None:
            return problems | dict.fromkeys(left)
        if left:
            problems[left.pop(0)] = f"its import {how_it_ended(code)}"
    return problems


def imported(modules: list[str], seconds: float) -> tuple[dict[str, str], int | None]:
    """Return a problem or "" for each module that was tried, and the process's exit code.

    It is None if the time was too short.
    """
    command = [sys.executable, "-P", "-m", "firstlight.diagnosis.imports", *modules]
    code: int | None
    try:
        done = subprocess.run(command, capture_output=True, timeout=max(0.0, seconds))
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        output, code = error.stdout or b"", None
    lines = output.decode(errors="replace").splitlines()
    return dict(json.loads(line) for line in lines if line.endswith("]")), code


def how_it_ended(code: int) -> str:
    """Return a process's end, as the end of a sentence about it."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
