"""The verbs of the group Learn: they train networks, list them, and write the chapters."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from firstlight import completion, console
from firstlight.cli.flags import BatchSize, Data, Json, Network, Quiet, Recipe, Seed, Trust, Verbose
from firstlight.cli.output import show
from firstlight.cli.program import LEARN, app, data_app, examples
from firstlight.errors import GateMissed, UsageError


class ClassWeights(StrEnum):
    BALANCED = "balanced"


@app.command(
    "first-graph",
    rich_help_panel=LEARN,
    epilog=examples(
        "first-graph",
        "first-graph --steps 3000 --lr 0.1",
    ),
)
def first_graph(
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Batches to train on.")] = 1000,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Images in a batch.")] = 100,
    lr: Annotated[
        float, typer.Option(metavar="RATE", help="Learning rate: the size of a step.")
    ] = 0.01,
    seed: Seed = 0,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Use only the first N training images.")
    ] = None,
    log_every: Annotated[
        int, typer.Option(metavar="N", min=1, help="Print every N-th cost.")
    ] = 100,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train the first graph, in a session.

    The network is one layer of ten neurons, written as an explicit TensorFlow graph. After every
    100 steps, its accuracy on the validation images is printed below the costs so far.
    """
    from firstlight import api
    from firstlight.training.cluster import notice_alone

    if not quiet and (notice := notice_alone("first-graph")):
        print(notice, file=sys.stderr)

    def on_cost(step: int, cost: float) -> None:
        if not json_ and not quiet and ((step - 1) % log_every == 0 or step == steps):
            print(f"Cost: {cost:.6f}", flush=True)

    def on_validation(step: int, cost: float, accuracy: float) -> None:
        if not json_ and not quiet:
            print(f"Validation accuracy after {step:,} steps: {accuracy:.2%}", flush=True)

    first = api.train_first_graph(
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        limit=limit,
        verbose=verbose,
        command=command_line(),
        on_cost=on_cost,
        on_validation=on_validation,
    )
    lines = [
        *console.training(first.run.result),
        *console.predictions(first.predicted, first.labels),
    ]
    show(first.run.result.to_json(), json_, lines)


@app.command(
    rich_help_panel=LEARN,
    epilog=examples(
        "train convnet",
        "train zfnet --data photographs --epochs 20",
    ),
)
def train(
    context: typer.Context,
    network: Network = "",
    data: Data = "mnist",
    recipe: Recipe = "",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Passes over the training images.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Batches to train on, instead of --epochs."),
    ] = None,
    batch_size: BatchSize = None,
    lr: Annotated[
        float | None, typer.Option(metavar="RATE", help="Highest learning rate of the schedule.")
    ] = None,
    seed: Seed = 0,
    patience: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Stop after N epochs without a better accuracy. 0: never stop early.",
        ),
    ] = 0,
    class_weights: Annotated[
        ClassWeights | None,
        typer.Option(help="Let each class count alike, however few examples it has."),
    ] = None,
    from_run: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Run to take the first weights from, wherever name and shape match.",
            autocompletion=completion.runs,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Folder for the run; by default runs/NETWORK-DATA-N."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Stopped run to continue, unchanged.",
            autocompletion=completion.runs,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Use only N training and N validation images."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run one step and keep nothing.")
    ] = False,
    devices: Annotated[
        str,
        typer.Option(
            metavar="cpu|gpu|gpu:0,1",
            help="What computes; by default all GPUs, and without one the CPU.",
            show_default=False,
        ),
    ] = "",
    local_workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Train in N processes on this machine."),
    ] = None,
    trust: Trust = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a network; leave a run folder."""
    from firstlight import api
    from firstlight import local_workers as local
    from firstlight.training import cluster

    if resume:
        refuse_beside_resume(context)
    if local_workers and local_workers > 1 and not local.is_one():
        raise SystemExit(local.train_together(local_workers))  # the chief has said why
    trained = api.train(
        network or None,
        data,
        recipe,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        patience=patience,
        class_weights=class_weights,
        from_run=from_run,
        out=out,
        resume=resume,
        limit=limit,
        dry_run=dry_run,
        devices=devices,
        trust=trust,
        quiet=quiet,
        verbose=verbose,
        command=command_line(),
    )
    if cluster.is_chief():  # the others have no result
        show(trained.result.to_json(), json_, console.training(trained.result))


def refuse_beside_resume(context: typer.Context) -> None:
    """Raises UsageError if a flag would change a run that continues."""
    allowed = {"resume", "devices", "local_workers", "trust", "json_", "quiet", "verbose"}
    changed = [name for name in context.params if name not in allowed and was_given(context, name)]
    if changed:
        raise UsageError(f"--resume continues a run unchanged: leave out {', '.join(changed)}")


def was_given(context: typer.Context, name: str) -> bool:
    """Return whether the user has given this parameter on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def command_line() -> str:
    """Return the command that was given, as run.json and the model card record it."""
    return shlex.join(["firstlight", *sys.argv[1:]])


@app.command(
    "find-lr",
    rich_help_panel=LEARN,
    epilog=examples(
        "find-lr mlp",
        "find-lr ./my_net.py --data photographs",
    ),
)
def find_lr(
    network: Network,
    data: Data = "mnist",
    recipe: Recipe = "",
    batch_size: BatchSize = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="PNG file; by default runs/find-lr-NETWORK-DATA.png."),
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Suggest a learning rate.

    A short training, with a rate that rises, shows which rates are too low and too high. It keeps
    no run.
    """
    from firstlight import api

    search = api.find_lr(
        network,
        data,
        recipe,
        batch_size=batch_size,
        seed=seed,
        out=out,
        quiet=quiet,
        verbose=verbose,
    )
    show(search.to_json(), json_, console.rate_search(search))


@data_app.command(
    epilog=examples(
        "data check mnist",
        "data check photographs",
    ),
)
def check(
    data: Annotated[
        str,
        typer.Argument(
            metavar="NAME|PATH",
            help="A dataset's name or path.",
            autocompletion=completion.datasets,
        ),
    ],
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check every file of a dataset; exit with code 3 if a file has a fault."""
    from firstlight import api

    checked = api.dataset(data, quiet=quiet).check()
    show(checked.to_json(), json_, console.check(checked))
    if checked.faults:
        raise GateMissed(f"{data}: {console.counted(len(checked.faults), 'fault')}")


@app.command(
    "list",
    rich_help_panel=LEARN,
    epilog=examples(
        "list",
        "list --json",
    ),
)
def list_(json_: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """List the networks and datasets."""
    from firstlight import catalog

    networks, datasets = catalog.networks(), catalog.datasets()
    document = {
        "networks": [entry.to_json() for entry in networks],
        "datasets": [entry.to_json() for entry in datasets],
    }
    show(document, json_, console.catalog(networks, datasets))


@app.command(
    rich_help_panel=LEARN,
    epilog=examples(
        "lessons notebooks",
        "lessons notebooks --json",
    ),
)
def lessons(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder for the notebooks; it is made if it is new."),
    ],
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the chapters of the series as Jupyter notebooks.

    They have their outputs, and run from top to bottom: pip install jupyterlab. Run each in a new,
    empty folder of its own: some chapters write files of the same names. This verb, the chapters'
    code and first-graph need the training extra: pip install '.[train]' in the folder of
    firstlight's source.
    """
    from firstlight import api

    written = api.lessons(folder)
    show(written.to_json(), json_, console.lessons(written))


@app.command(
    rich_help_panel=LEARN,
    epilog=examples(
        "site pages",
        "site pages --json",
    ),
)
def site(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder for the site; one that is there is replaced."),
    ],
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the series and the guides as a static site.

    Any web host can serve it. One can draw a digit on it and see it read; nothing is installed, and
    the pages load nothing from other hosts.
    """
    from firstlight import api

    written = api.site(folder)
    show(written.to_json(), json_, console.site(written))
