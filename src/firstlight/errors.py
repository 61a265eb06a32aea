"""The exceptions of firstlight, and the exit code of each.

    FirstlightError   1   the run failed
    ├── UsageError    2   unknown network, recipe, layer or option
    │   └── NotFound      the page asked for something that does not exist: HTTP status 404
    ├── GateMissed    3   --min-accuracy was not reached, or data has faults
    ├── DataError     4   data or a run is missing or damaged
    ├── ExportError   5   an exported file differs from its network
    └── Interrupted 130   the user stopped a training; it has written a checkpoint

Ctrl-C in anything but a training is a KeyboardInterrupt, and has the exit code 130 too.
A message is one line: what the user gave, what exists, and what to do.
"""

# What the extra `train` of pyproject.toml installs, by the name that is imported.
TRAIN_PACKAGES = ("jinja2", "keras", "matplotlib", "nbformat", "onnx", "tensorflow", "tf2onnx")


class FirstlightError(Exception):
    exit_code = 1


class UsageError(FirstlightError):
    exit_code = 2


class NotFound(UsageError):
    pass


class GateMissed(FirstlightError):
    exit_code = 3


class DataError(FirstlightError):
    exit_code = 4


class ExportError(FirstlightError):
    exit_code = 5


class Interrupted(FirstlightError):
    exit_code = 130


def not_installed(package: str) -> str:
    """Return what to do about a package that is not installed, by the name that is imported."""
    top = package.partition(".")[0]
    if top not in TRAIN_PACKAGES:
        return f"the Python module {package} is not installed; install it, or firstlight again"
    return (
        f"{top} is not installed; it comes with the extra `train`: pip install '.[train]' in the "
        "folder of firstlight's source, or pip install 'firstlight[train]' from a package index"
    )
