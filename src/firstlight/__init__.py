"""firstlight: from a first neural network to one that wins competitions.

    import firstlight as fl

    run = fl.train("convnet", recipe="quick")    a run folder, and what is in it
    run.evaluate().accuracy                      how accurate it is, and what it got wrong
    fl.read("photo.jpg").text                    the digits in a photograph, without TensorFlow

The way data flows, and where to read about each part of it:

    images         datasets/        a file each: CLASSES, SHA256, load(split)
    → network      networks/        a file each: INPUT, PARAMETERS, RECIPES, build(classes)
    + recipe       recipe.py        how a network is trained
    → training     training/        the only loop
    → run folder   runs/            all that the next verb knows
    → evaluate     evaluation/      how accurate it is, and what it got wrong; one run or two
      explain      explanation/     what a network looks at
      figures      figures/         the pictures of a run
      graph        graphs/          the two pictures of a network
      export       exports/         files for other programs, compared before they are kept
    → use          classification.py, reading/, serve/

`api.py` has a function for each verb, `cli/` is the command line, `first_graph.py` is the first
chapter's whole program. A public name is imported when it is used first: `import firstlight` costs
nothing.
"""

from firstlight import errors

TYPE_CHECKING = False  # that of `typing`, which takes time to import: Ctrl-C must not meet it here
if TYPE_CHECKING:  # type checkers take it for true
    from typing import Any

__version__ = "0.1.0"

_MODULES = {  # the module of each public name
    "Dataset": "datasets",
    "Evaluation": "runs.documents",
    "Recipe": "recipe",
    "Run": "runs.run",
    "classify": "api",
    "compare": "api",
    "dataset": "api",
    "doctor": "diagnosis",
    "evaluate": "api",
    "explain": "api",
    "export": "api",
    "find_lr": "api",
    "graph": "api",
    "learning_curves": "api",
    "lessons": "api",
    "list_datasets": "api",
    "list_networks": "api",
    "load": "api",
    "network": "api",
    "predict": "api",
    "read": "reading",
    "read_all": "reading.batch",
    "read_to_file": "reading.table",
    "report": "api",
    "site": "api",
    "train": "api",
    "train_first_graph": "api",
}

__all__ = ["errors", *_MODULES]

if TYPE_CHECKING:  # for editors and type checkers, which do not run __getattr__
    from firstlight.api import classify as classify
    from firstlight.api import compare as compare
    from firstlight.api import dataset as dataset
    from firstlight.api import evaluate as evaluate
    from firstlight.api import explain as explain
    from firstlight.api import export as export
    from firstlight.api import find_lr as find_lr
    from firstlight.api import graph as graph
    from firstlight.api import learning_curves as learning_curves
    from firstlight.api import lessons as lessons
    from firstlight.api import list_datasets as list_datasets
    from firstlight.api import list_networks as list_networks
    from firstlight.api import load as load
    from firstlight.api import network as network
    from firstlight.api import predict as predict
    from firstlight.api import report as report
    from firstlight.api import site as site
    from firstlight.api import train as train
    from firstlight.api import train_first_graph as train_first_graph
    from firstlight.datasets import Dataset as Dataset
    from firstlight.diagnosis import doctor as doctor
    from firstlight.reading import read as read
    from firstlight.reading.batch import read_all as read_all
    from firstlight.reading.table import read_to_file as read_to_file
    from firstlight.recipe import Recipe as Recipe
    from firstlight.runs.documents import Evaluation as Evaluation
    from firstlight.runs.run import Run as Run


def __getattr__(name: str) -> "Any":
    import importlib

    if name not in _MODULES:
        raise AttributeError(f"firstlight has no {name!r}; it has: {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"firstlight.{_MODULES[name]}"), name)
    globals()[name] = value  # __getattr__ is not called for it again
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
