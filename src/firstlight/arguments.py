"""What the functions of api.py are given: opened, checked, and written down as a call."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from firstlight.datasets import Dataset
from firstlight.errors import UsageError
from firstlight.recipe import Recipe
from firstlight.runs.run import Run

PathChoice: TypeAlias = str | Path
if TYPE_CHECKING:  # its module imports TensorFlow
    from firstlight.training.first_graph import FirstRun

    RunChoice: TypeAlias = Run | FirstRun | PathChoice
else:
    RunChoice = Run | PathChoice


def as_run(run: object, trust: bool) -> Run:
    """Return the run, or the one in the folder. Raises DataError if there is none."""
    return opened(run) or Run.open(as_path(run, "run"), trust)


def opened(choice: object) -> Run | None:
    """Return a run, or that of a FirstRun; None for anything else, such as a path.

    FirstRun is not named: its module imports TensorFlow.
    """
    run = choice if isinstance(choice, Run) else getattr(choice, "run", None)
    return run if isinstance(run, Run) else None


def as_runs(runs: RunChoice | Sequence[RunChoice], trust: bool) -> list[Run]:
    """Return the runs, at least one. Raises UsageError if there is none."""
    several = [runs] if isinstance(runs, str | Path) or opened(runs) else runs
    if not isinstance(several, Sequence) or not several:
        raise UsageError(f"runs is {runs!r}; it must be a run or its folder, or a list of them")
    return [as_run(run, trust) for run in several]


def as_path(path: object, what: str) -> Path:
    """Return the path. Raises UsageError if it is none."""
    if not isinstance(path, str | Path):
        raise UsageError(f"{what} is a {type(path).__name__}; it must be a path")
    return Path(path)


def is_onnx(path: Path) -> bool:
    return path.suffix == ".onnx" or path.is_file()


def given_arguments(function: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call that differ from the function's defaults."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
    }
    return {name: values[name] for name in defaults if values[name] is not defaults[name]}


def refuse_beside_resume(given: dict[str, Any]) -> None:
    """Raises UsageError if an argument would change a run that continues."""
    changed = given.keys() - {"resume", "quiet", "verbose", "trust", "command", "devices"}
    if isinstance(given.get("data"), Dataset):  # arrays, which a run folder does not keep
        changed -= {"data"}
    if changed:
        raise UsageError(
            f"resume continues a run unchanged: leave out {', '.join(sorted(changed))}"
        )


def call_text(function: str, given: dict[str, Any]) -> str:
    """Return a call from Python as run.json and the model card record it."""
    shown = ", ".join(f"{name}={argument_text(value)}" for name, value in given.items())
    return f"fl.{function}({shown})"


def argument_text(value: Any) -> str:
    """Return an argument as Python code; what has no such code is named."""
    if isinstance(value, Path):
        return repr(str(value))
    run = opened(value)
    if run:
        return repr(str(run.folder))
    if isinstance(value, str | int | float | Recipe):
        return repr(value)
    name = getattr(value, "name", None) or getattr(value, "__name__", "")
    return f"<{type(value).__name__} {name}>"
