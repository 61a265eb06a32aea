"""The verbs of the group Use without `read`: they use networks, and serve the page."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from firstlight import completion, console
from firstlight.cli.flags import Json, Model, OtherData, Quiet, RunFolder, Trust, Verbose
from firstlight.cli.output import draws_blocks, report_problems, show
from firstlight.cli.program import USE, app, examples


class Format(StrEnum):
    ONNX = "onnx"
    LITERT = "litert"
    SAVEDMODEL = "savedmodel"
    HTML = "html"


@app.command(
    rich_help_panel=USE,
    epilog=examples(
        "classify runs/zfnet-photographs-1 cat.jpg dog.jpg",
        "classify zfnet.onnx cat.jpg --top 3",
    ),
)
def classify(
    model: Model,
    images: Annotated[
        list[Path], typer.Argument(metavar="WHAT", help="Pictures, folders, patterns.")
    ],
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Labels per picture.")] = 5,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print the most probable classes of each picture."""
    from firstlight import api

    results = api.classify(model, images, top, trust=trust, quiet=quiet, verbose=verbose)
    show([result.to_json() for result in results], json_, console.classes(results))
    report_problems([result.problem for result in results if result.problem], len(results))


@app.command(
    rich_help_panel=USE,
    epilog=examples(
        "predict runs/convnet-mnist-1 scans/ --out answers.csv",
        "predict convnet.onnx test.csv --out submission.csv",
    ),
)
def predict(
    model: Model,
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="WHAT", help="Pictures, folders, patterns; .csv, .npy, .npz files of images."
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="File to write; it ends in .csv or .jsonl.")
    ],
    top: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="Write the K most probable labels.")
    ] = None,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the label of each picture into a file.

    For a table of pixels from Kaggle, it has Kaggle's form: ImageId,Label.
    """
    from firstlight import api

    answers = api.predict(model, what, out=out, top=top, trust=trust, quiet=quiet, verbose=verbose)
    show(answers.to_json(), json_, console.answers(answers))
    report_problems(list(answers.problems), answers.rows)


@app.command(
    rich_help_panel=USE,
    epilog=examples(
        "export runs/convnet-mnist-1 --format onnx",
        "export runs/convnet-mnist-1 --format html --out digits.html",
    ),
)
def export(
    folder: RunFolder,
    format_: Annotated[
        Format, typer.Option("--format", help="File format; html is a page to draw on.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="File to write; for savedmodel, a folder."),
    ] = None,
    data: OtherData = "",
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a network for other programs.

    The file is kept only if its answers are the network's. export needs the training extra:
    pip install '.[train]' in the folder of firstlight's source.
    """
    from firstlight import api

    exported = api.export(
        folder, format_, out, data=data, trust=trust, quiet=quiet, verbose=verbose
    )
    show(exported.to_json(), json_, console.export(exported))


@app.command(
    rich_help_panel=USE,
    epilog=examples(
        "serve",
        "serve --host 0.0.0.0 --read-only",
    ),
)
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0: other machines may open the page.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0: any free one.")
    ] = 8000,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL.onnx|RUN",
            help="Model to read with, or run to look inside.",
            autocompletion=completion.runs,
        ),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="FIRSTLIGHT_TOKEN", help="Token that visitors must enter; made if left out."
        ),
    ] = "",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Visitors start, stop and evaluate no trainings.")
    ] = False,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve the page on this machine.

    Draw digits and see them read, watch networks learn, look inside them.
    """
    from firstlight.serve import server
    from firstlight.serve.sharing import Sharing, qr_for_terminal

    def on_ready(sharing: Sharing) -> None:
        qr_code = qr_for_terminal(sharing.link) if sharing.token and draws_blocks() else []
        show(sharing.to_json(), json_, console.serving(sharing))
        if qr_code and not json_:
            print("\n".join(qr_code))
        sys.stdout.flush()

    server.serve(host, port, model, token, on_ready=on_ready, trust=trust, read_only=read_only)


@app.command(
    rich_help_panel=USE,
    epilog=examples(
        "doctor",
        "doctor --json",
    ),
)
def doctor(json_: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Show versions and devices, what is missing for which verb, and what is broken.

    Two processes try to train together, which takes some seconds. The exit code is 1 if something
    that is installed is broken.
    """
    from firstlight import diagnosis

    found = diagnosis.doctor()
    show(found.to_json(), json_, console.diagnosis(found))
    if found.problems:
        raise typer.Exit(1)
