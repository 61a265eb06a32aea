# ruff: noqa: E501  (the page's own lines)
"""Writes docs/api.md from the docstrings of the public names: python docs/build_api.py

Everything on the page comes from the source: signatures, docstrings, and the comments beside the
fields of a class. A test compares the page with what this program would write.
"""

import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import firstlight as fl
from firstlight import (
    answers,
    catalog,
    classification,
    datasets,
    diagnosis,
    errors,
    probabilities,
    reading,
)
from firstlight.chapters.notebooks import Notebooks
from firstlight.evaluation.comparison import Comparison
from firstlight.explanation.explanation import Explanation
from firstlight.exports.export import Export
from firstlight.graphs.draw import GraphPictures
from firstlight.images.augmentations import AUGMENTATIONS, Augmentation
from firstlight.networks._network import Network
from firstlight.onnx_model import OnnxModel
from firstlight.reading import table as reading_table
from firstlight.reports.report import Report
from firstlight.runs import documents
from firstlight.training.first_graph import FirstRun
from firstlight.training.rate_search import RateSearch
from firstlight.website.write import Site

PAGE = Path(__file__).parent / "api.md"
FUNCTIONS = {
    "Train": ["train", "train_first_graph", "find_lr"],
    "Understand": ["evaluate", "compare", "learning_curves", "explain", "report", "graph"],
    "Use": ["read", "read_all", "read_to_file", "predict", "classify", "export", "load"],
    "Learn": ["lessons", "site"],
    "Your machine": ["doctor"],
    "Networks and data": ["network", "dataset", "list_networks", "list_datasets"],
}
CLASSES = [fl.Run, fl.Dataset, fl.Recipe, fl.Evaluation]
RESULTS = [
    catalog.NetworkEntry,
    catalog.Reach,
    catalog.DatasetEntry,
    documents.TrainingResult,
    documents.Mistake,
    documents.ClassScore,
    FirstRun,
    RateSearch,
    Comparison,
    Explanation,
    Report,
    GraphPictures,
    Export,
    Notebooks,
    Site,
    diagnosis.Diagnosis,
    diagnosis.Machine,
    diagnosis.Extra,
    diagnosis.WorkersCheck,
    OnnxModel,
    classification.Classification,
    answers.Answers,
    probabilities.Label,
    reading.Reading,
    reading.Line,
    reading.Digit,
    reading.FileReading,
    reading_table.ReadSummary,
    Network,
    datasets.Examples,
]
INTRODUCTION = """# firstlight in Python

    pip install '.[train]'    # in the folder of the source

```python
import firstlight as fl

run = fl.train("convnet", recipe="quick")    # a run folder, and what is in it
run.result.test_accuracy                     # 0.99
run.evaluate().mistakes[0]                   # what it got wrong, the surest first
fl.read("photo.jpg").text                    # the digits in a photograph, without TensorFlow
```

`import firstlight` costs nothing: each name is imported when it is used. A keyword has the name of the
command line's flag (`--lr` is `lr=`; `--from` is `from_run=`). In a notebook, results show themselves:
the value of a cell is drawn, and progress is live.

Images are arrays (N, height, width, channels) uint8, 0 to 255, as they come from a file: networks scale
them themselves, and images of another size than the network's are resized. Labels are whole numbers from 0. Probabilities and accuracies are from 0 to 1, losses in
nats, times in seconds.

The examples below are run by the tests, from top to bottom in one folder. It holds `photo.png`, a
photograph of the handwritten digits 7210, and `seven.png`, an image of a 7.
"""
OWN_NETWORK = '''## Your own network

Write a file with `INPUT` and `build(classes)`, and give its path to `train`, `find_lr`, `network` or `graph`, in
Python or on the command line. The file stands alone: a run keeps this file, and none that it imports from beside it.

```python
"""my_net.py"""
import keras
from keras import layers

INPUT = (28, 28, 1)                          # height, width, channels

def build(classes):
    image = keras.Input(INPUT, dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)     # images come as they are: 0 to 255
    x = layers.Flatten()(x)
    x = layers.Dense(100, activation="relu")(x)
    return keras.Model(image, layers.Dense(classes)(x))    # logits: no softmax at the end
```

```python
data = fl.Dataset.from_arrays(x, y, classes=names)
run = fl.train("my_net.py", data=data, recipe=fl.Recipe(epochs=3, batch_size=64, learning_rate=0.1))
```

A function `classes → keras.Model`, or a `keras.Model`, is a network too; training begins with the weights of
a model that is given. `RECIPES = {"name": fl.Recipe(...)}` in the file gives it recipes; the first is the
default.

The run keeps the network's source, with its hash. To open such a run means to run this source. firstlight
does it by itself only if your file is where it was and has not changed. Otherwise, and always for a function
or a model, it needs `fl.load(folder, trust=True)`, or `--trust` on the command line. The run that `fl.train`
returns needs neither.
'''


def page() -> str:
    """Return the text of docs/api.md."""
    parts = [INTRODUCTION]
    for title, names in FUNCTIONS.items():
        parts.append(f"## {title}\n")
        parts += [function(f"fl.{name}", getattr(fl, name)) for name in names]
    parts.append(
        "### Their recipes\n\nThe first is the default. For photographs, a network that has `pictures` takes that.\n"
    )
    parts.append(table([(name, ", ".join(recipes)) for name, recipes in recipe_names().items()]))
    parts.append(OWN_NETWORK)
    parts.append("## Classes\n")
    parts += [class_(f"fl.{kind.__name__}", kind) for kind in CLASSES]
    parts.append("### Augmentations\n\nFor `augment` of a recipe, each with a strength.\n")
    parts.append(table([augmentation_row(each) for each in AUGMENTATIONS.values()]))
    parts.append("## What functions return\n")
    parts += [class_(kind.__name__, kind) for kind in RESULTS]
    parts.append("## Errors\n")
    parts.append(f"They are in `fl.errors`.\n\n{code(inspect.cleandoc(errors.__doc__ or ''))}")
    return "\n".join(parts)


def function(name: str, called: Callable[..., Any], level: int = 3) -> str:
    """Return a function's signature and docstring."""
    return f"{'#' * level} {name}\n\n{code(signature(name, called))}\n{docstring(called)}\n"


def signature(name: str, called: Callable[..., Any]) -> str:
    """Return a function's signature: on one line if it fits, otherwise a line for each argument."""
    parameters = [
        parameter
        for parameter in inspect.signature(called).parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    shown: list[str] = []
    for previous, parameter in zip([None, *parameters], parameters, strict=False):
        begins = parameter.kind is parameter.KEYWORD_ONLY
        if begins and (previous is None or previous.kind is not parameter.KEYWORD_ONLY):
            shown.append("*")
        text = str(parameter.replace(annotation=inspect.Parameter.empty))
        shown.append(re.sub(r"=<function .*", "=None", text))
    line = f"{name}({', '.join(shown)})"
    return line if len(line) <= 96 else "\n".join(textwrap.wrap(line, 96, subsequent_indent="    "))


def class_(name: str, kind: type) -> str:
    """Return a class's docstring, its fields, and its public methods and properties."""
    parts = [f"### {name}\n", docstring(kind), ""]
    if is_dataclass(kind):
        parts.append(field_table(kind))
    properties = [
        (each, first_line(value))
        for each, value in vars(kind).items()
        if is_property(value) and not each.startswith("_") and first_line(value)
    ]
    if properties:
        parts.append(table(properties))
    for each, value in vars(kind).items():
        called = value.__func__ if isinstance(value, classmethod) else value
        is_public = inspect.isfunction(called) and not each.startswith("_") and called.__doc__
        if is_public and each not in INTERNAL:
            parts.append(function(f"{kind.__name__}.{each}", called, level=4))
    return "\n".join(parts)


# What the package itself needs of these classes; a user has no use for it.
INTERNAL = {
    "create", "own_files", "record", "write_record", "model_info", "listing", "metrics",
    "forget_after", "to_json", "from_json", "epoch_ends", "notices", "fingerprint", "network",
    "dataset", "logits", "probabilities", "first", "resized",
}  # fmt: skip


def recipe_names() -> dict[str, list[str]]:
    """Return the recipes that each network's name finds."""
    return {entry.name: list(catalog.recipes(entry.name)) for entry in catalog.networks()}


def augmentation_row(each: Augmentation) -> tuple[str, str]:
    return each.name, f"{each.meaning}; up to {each.max_strength:g}, in {each.unit}"


def is_property(value: Any) -> bool:
    return isinstance(value, property) or type(value).__name__ == "cached_property"


def first_line(value: Any) -> str:
    called = value.fget if isinstance(value, property) else value.func
    return inspect.cleandoc(called.__doc__ or "").partition("\n")[0]


def field_table(kind: type) -> str:
    """Return the fields of a dataclass with their defaults, and the comment beside or above each."""
    above: list[str] = []
    comments: dict[str, str] = {}
    for line in inspect.getsource(kind).splitlines():
        match = re.match(r"    (\w+): [^#]*(?:# (.*))?$", line)
        if match:
            comments.setdefault(match[1], match[2] or " ".join(above))
        above = [*above, line.strip()[2:]] if line.strip().startswith("# ") else []
    rows = [
        f"| `{each.name}` | {default_text(each)} | {cell(comments.get(each.name, ''))} |"
        for each in fields(kind)
        if not each.name.startswith("_")
    ]
    if not any(default_text(each) for each in fields(kind)):
        return table([(each.name, comments.get(each.name, "")) for each in fields(kind)])
    return "\n".join(["| | default | |", "|---|---|---|", *rows, ""])


def default_text(each: Field[Any]) -> str:
    """Return a field's default as code; "" if it must be given."""
    if each.default_factory is not MISSING:
        return f"`{each.default_factory()!r}`"
    return "" if each.default is MISSING else f"`{each.default!r}`"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def table(rows: list[tuple[str, str]]) -> str:
    """Return a Markdown table of names and what they are."""
    body = [f"| `{name}` | {cell(text)} |" for name, text in rows]
    return "\n".join(["| | |", "|---|---|", *body, ""])


def docstring(documented: Any) -> str:
    """Return a docstring as Markdown: arguments and errors as lists, examples as code."""
    text = inspect.cleandoc(documented.__doc__ or "")
    parts = []
    for paragraph in re.split(r"\n\n(?=\S)", text):
        head, _, rest = paragraph.partition("\n")
        if head in ("Args:", "Raises:"):
            parts.append(f"{head[:-1]}:\n\n{items(textwrap.dedent(rest))}")
        elif paragraph.startswith(">>>"):
            parts.append(f"```python\n{paragraph}\n```")
        else:
            parts.append(paragraph)
    return "\n\n".join(parts) + "\n"


def items(text: str) -> str:
    """Return `name: text` paragraphs, whose further lines are indented, as a Markdown list."""
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            name, _, rest = line.partition(": ")
            entries.append(f"- `{name}`: {rest}" if rest else f"- {line}")
    return "\n".join(entries)


def code(text: str) -> str:
    return f"```python\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE}: {len(page()):,} characters\n")
