"""The arguments and flags that several verbs have, with their help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from firstlight import completion

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress and no notices.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show TensorFlow's messages.")]
Seed = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, max=2**32 - 1, help="Seed of the first weights and the image order."
    ),
]
Data = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="A dataset's name, or its path.",
        autocompletion=completion.datasets,
    ),
]
Network = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK|FILE.py",
        help="A network's name (see `firstlight list`), or a .py file with your own.",
        autocompletion=completion.networks,
    ),
]
Recipe = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="One of the network's recipes; by default the one for this kind of data.",
        autocompletion=completion.recipes,
    ),
]
BatchSize = Annotated[int | None, typer.Option(metavar="N", min=1, help="Images in a batch.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Run the source of an own network that a run folder holds."),
]
OtherData = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="Data to use instead of the run's own.",
        autocompletion=completion.datasets,
    ),
]
RunFolders = Annotated[
    list[Path],
    typer.Argument(metavar="RUN", help="Run folders.", autocompletion=completion.runs),
]
RunFolder = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run folder.", autocompletion=completion.runs),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="RUN|MODEL.onnx",
        help="A run folder, or a network in a file.",
        autocompletion=completion.runs,
    ),
]


# Typer reads the allowed values from enums; tests compare these with the code that does the work.
class Split(StrEnum):
    TEST = "test"
    VAL = "val"
    TRAIN = "train"


ChosenSplit = Annotated[
    Split | None,
    typer.Option(
        help="Which split to measure; by default test, or all of new pictures without splits."
    ),
]
