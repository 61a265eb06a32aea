"""The verbs of the group Understand: they measure runs, and look inside them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from firstlight import completion, console
from firstlight.cli.flags import (
    ChosenSplit,
    Json,
    OtherData,
    Quiet,
    RunFolder,
    RunFolders,
    Trust,
    Verbose,
)
from firstlight.cli.output import show
from firstlight.cli.program import UNDERSTAND, app, examples


class Views(StrEnum):
    MIDDLE = "middle"
    TEN_CROPS = "ten-crops"
    DENSE = "dense"


@app.command(
    rich_help_panel=UNDERSTAND,
    epilog=examples(
        "evaluate runs/convnet-mnist-1",
        "evaluate runs/zfnet-photographs-1 --views ten-crops",
    ),
)
def evaluate(
    folders: RunFolders,
    data: OtherData = "",
    split: ChosenSplit = None,
    views: Annotated[
        Views,
        typer.Option(
            help="Which crops of a photograph to average. More crops are slower and usually more "
            "accurate."
        ),
    ] = Views.MIDDLE,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION", min=0, max=1, help="Exit with code 3 below this accuracy."
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write each image's prediction into this file, which ends in .csv or .jsonl.",
        ),
    ] = None,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure a run's accuracy and mistakes.

    Several runs form an ensemble: their probabilities are averaged.
    """
    from firstlight import api
    from firstlight.arguments import as_run

    runs = [as_run(folder, trust) for folder in folders]
    evaluation = api.evaluate(
        runs, data, split or "", views, predictions=predictions, quiet=quiet, verbose=verbose
    )
    lines = console.evaluation(evaluation, runs)
    if predictions:
        lines.append(f"predictions in {predictions}")
    show(evaluation.to_json(), json_, lines)
    api.require_accuracy(evaluation, min_accuracy)


@app.command(
    rich_help_panel=UNDERSTAND,
    epilog=examples(
        "compare runs/mlp-mnist-1 runs/convnet-mnist-1",
        "compare runs/convnet-mnist-1 runs/convnet-mnist-2 --split val",
    ),
)
def compare(
    first: RunFolder,
    second: RunFolder,
    data: OtherData = "",
    split: ChosenSplit = None,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare two runs image by image.

    Is one better, or may the difference be chance?
    """
    from firstlight import api

    compared = api.compare(
        first, second, data, split or "", trust=trust, quiet=quiet, verbose=verbose
    )
    show(compared.to_json(), json_, console.comparison(compared))


@app.command(
    rich_help_panel=UNDERSTAND,
    epilog=examples(
        "report runs/convnet-mnist-1",
        "report runs/mlp-mnist-1 runs/convnet-mnist-1 --out both.html",
    ),
)
def report(
    folders: RunFolders,
    data: OtherData = "",
    split: ChosenSplit = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="File; by default report.html in the first run's folder."
        ),
    ] = None,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write one HTML file about runs.

    It shows accuracy, curves, mistakes and recipe, and compares several runs. It needs no network
    and no other file.
    """
    from firstlight import api

    written = api.report(folders, data, split or "", out, trust=trust, quiet=quiet, verbose=verbose)
    show(written.to_json(), json_, console.report(written))


@app.command(
    rich_help_panel=UNDERSTAND,
    epilog=examples(
        "graph convnet",
        "graph runs/lenet5-mnist-1 --out pictures",
    ),
)
def graph(
    target: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK|RUN|first-graph",
            help="What to draw.",
            autocompletion=completion.graphs,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the pictures.")
    ] = None,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw a network's graph.

    Two pictures: its layers, and TensorFlow's own operations.
    """
    from firstlight import api

    pictures = api.graph(target, out, trust=trust, verbose=verbose)
    show(pictures.to_json(), json_, console.graph(pictures))


@app.command(
    rich_help_panel=UNDERSTAND,
    epilog=examples(
        "explain runs/convnet-mnist-1 seven.png",
        "explain runs/convnet-mnist-1 seven.png --layer conv2 --label 1",
    ),
)
def explain(
    folder: RunFolder,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Any picture.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the pictures.")
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="Layer to look into; repeat it for several layers."),
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            metavar="CLASS", help="Class to measure in occlusion; by default the predicted one."
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR",
            help="Data to find the top nine in, instead of the run's own.",
            autocompletion=completion.datasets,
        ),
    ] = "",
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show what a network looks at.

    The pictures show filters, feature maps, deconvnet projections and occlusion.
    """
    from firstlight import api

    explanation = api.explain(
        folder,
        image,
        layer=layer or (),
        label=label,
        data=data,
        out=out,
        trust=trust,
        quiet=quiet,
        verbose=verbose,
    )
    show(explanation.to_json(), json_, console.explanation(explanation))
