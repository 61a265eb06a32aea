"""The command line: each verb parses its flags, calls one function, and prints what it returns.

Results go to stdout, progress and notices to stderr. Each verb imports what it needs, so that help
starts without NumPy, and reading without TensorFlow.
"""

import json
import os
import shlex
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from firstlight import __version__, completion, console, interrupt
from firstlight.errors import DataError, FirstlightError, GateMissed, UsageError, not_installed
from firstlight.printable import printable

if TYPE_CHECKING:  # imports NumPy
    from collections.abc import Iterable

    from firstlight.reading import FileReading

FILES_IN_ONE_PROCESS = 16  # for more, `read` starts a process for each core

# "\b" keeps the line breaks of a paragraph.
HELP = """From a first neural network to one that wins competitions.

\b
Begin with these, in this order:
  firstlight first-graph     train the first network, and watch its cost fall
  firstlight train convnet   train a better one: 99 % in three seconds
  firstlight read photo.jpg  read the handwritten digits in a photograph
"""
LEARN, UNDERSTAND, USE = "Learn", "Understand", "Use"  # the verbs, as one comes to need them


class Verbs(TyperGroup):
    """The verbs: its help shows them in groups, before the options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for title in (LEARN, UNDERSTAND, USE):
            verbs = [
                (name.ljust(width), verb.get_short_help_str(limit=60))
                for name, verb in self.commands.items()
                if getattr(verb, "rich_help_panel", None) == title
            ]
            with formatter.section(title):
                formatter.write_dl(verbs)
        options = [
            record
            for option in self.get_params(ctx)
            if option.name != "show_completion" and (record := option.get_help_record(ctx))
        ]
        with formatter.section("Options"):
            formatter.write_dl(options)


def examples(*commands: str) -> str:
    """Return the end of a verb's help."""
    return "\n".join(["\b", "Examples:", *(f"  firstlight {command}" for command in commands)])


app = typer.Typer(
    name="firstlight",
    cls=Verbs,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

data_app = typer.Typer(help="Check a dataset: `firstlight data check`.", rich_markup_mode=None)
app.add_typer(data_app, name="data", rich_help_panel=LEARN)

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


# Typer reads the allowed values from enums; tests compare these with the code that does the work.
class Split(StrEnum):
    TEST = "test"
    VAL = "val"
    TRAIN = "train"


class Views(StrEnum):
    MIDDLE = "middle"
    TEN_CROPS = "ten-crops"
    DENSE = "dense"


class ClassWeights(StrEnum):
    BALANCED = "balanced"


class Format(StrEnum):
    ONNX = "onnx"
    LITERT = "litert"
    SAVEDMODEL = "savedmodel"
    HTML = "html"


ChosenSplit = Annotated[
    Split | None,
    typer.Option(
        help="Which split to measure; by default test, or all of new pictures without splits."
    ),
]


def run() -> int:
    """Run a verb; print an error as one line on stderr. Return the exit code of its kind.

    Raises:
        KeyboardInterrupt: the user has pressed Ctrl-C.
    """
    prepare_output()
    warnings.filterwarnings("ignore", "Image size")  # images/open.py refuses large pictures
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged pictures: our line says it
    try:
        code = app(prog_name="firstlight", standalone_mode=False)
        sys.stdout.flush()
        if code == interrupt.EXIT_CODE:  # Typer has caught a KeyboardInterrupt
            raise KeyboardInterrupt
    except BrokenPipeError:  # nobody reads the output any more, as in `firstlight list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except MemoryError:
        print("firstlight: this takes more memory than there is", file=sys.stderr)
        code = 1
    except (FirstlightError, TyperException, ModuleNotFoundError, OSError) as error:
        print("firstlight:", printable(" ".join(message(error).split())), file=sys.stderr)
        code = error.exit_code if isinstance(error, FirstlightError | TyperException) else 1
    return code or 0


def message(error: Exception) -> str:
    """Return what an error says to the user."""
    if isinstance(error, TyperException):
        return error.format_message()
    if isinstance(error, ModuleNotFoundError):
        return not_installed(error.name or str(error))
    if isinstance(error, OSError):  # a full disk, a read-only place, a file in place of a folder
        prefix = f"{error.filename}: " if error.filename else ""
        return f"{prefix}{error.strerror or error}"
    return str(error)


def prepare_output() -> None:
    """Make both streams writable: also if the shell closed one, and for any file name."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # open until the program ends
    # A shell that completes words would show errors beside what is typed.
    if sys.stderr is None or "_FIRSTLIGHT_COMPLETE" in os.environ:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):  # a file name can have characters they cannot encode
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        print(f"firstlight {__version__}")
        raise typer.Exit
    help_without_verb(context)


@data_app.callback(invoke_without_command=True)
def data_options(context: typer.Context) -> None:
    help_without_verb(context)


def help_without_verb(context: typer.Context) -> None:
    """Print the help if the user gave no verb."""
    if context.invoked_subcommand is None:
        print(context.get_help())


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

    runs = [api.as_run(folder, trust) for folder in folders]
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


@app.command(
    rich_help_panel=USE,
    epilog=examples(
        "classify runs/zfnet-photographs-1 cat.jpg dog.jpg",
        "classify zfnet.onnx cat.jpg --top 3",
    ),
)
def classify(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL.onnx",
            help="A run folder, or a network in a file.",
            autocompletion=completion.runs,
        ),
    ],
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
    model: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL.onnx",
            help="A run folder, or a network in a file.",
            autocompletion=completion.runs,
        ),
    ],
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
        "read photo.jpg --explain how.png",
        "read scans/ --out digits.csv",
    ),
)
def read(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="WHAT", help="Pictures, PDF files, folders, patterns; - for standard input."
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL.onnx", help="Model to read with, instead of the built-in one."),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="PNG file that shows how the digits were read."),
    ] = None,
    single: Annotated[bool, typer.Option("--single", help="Each picture shows one digit.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a row for each line into this file, which ends in .csv or .jsonl; "
            "continues where it was stopped.",
        ),
    ] = None,
    digits: Annotated[
        bool, typer.Option("--digits", help="With --out: a row for each digit, with its box.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes; by default one for each core."),
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read the handwritten digits in pictures.

    With -v, the candidates of an unsure digit are printed below its line.
    """
    check_read_flags(out, explain=explain is not None, digits=digits)
    if out:
        settings = {"model": model, "single": single, "digits": digits, "jobs": jobs}
        read_into(images, out, quiet=quiet, json_=json_, **settings)
        return
    from firstlight.images.files import find_pictures
    from firstlight.reading.pages import STANDARD_INPUT, read_files

    files = find_pictures(images, pdf=True).files
    results: Iterable[FileReading]
    one_process = explain or STANDARD_INPUT in files  # both are only here
    if (jobs or len(files) > FILES_IN_ONE_PROCESS) and not one_process:
        from firstlight.reading.batch import read_pages

        results = read_pages(files, model, single, jobs=jobs)
    else:
        results = read_files(files, model, single, keep_pictures=explain is not None)
    shown = []
    for result in results:
        shown.append(result)
        if not json_:
            show_reading(result, named=len(files) > 1, quiet=quiet, verbose=verbose)
    if explain:
        draw_readings(shown, explain)
    if json_:
        show([result.to_json() for result in shown], json_, [])
    report_problems([result.problem for result in shown if result.problem], len(shown))


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
    no other host is asked.
    """
    from firstlight import api

    written = api.site(folder)
    show(written.to_json(), json_, console.site(written))


def show(document: Any, as_json: bool, lines: list[str]) -> None:
    """Print a verb's result on stdout: the JSON document alone, or lines for a person."""
    if as_json:
        print(json.dumps(document, ensure_ascii=not prints_utf8()))
    elif lines:
        print("\n".join(map(printable, lines)))


def prints_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def draws_blocks() -> bool:
    """Return whether stdout is a terminal that shows block characters in colours."""
    return sys.stdout.isatty() and prints_utf8() and os.environ.get("TERM") != "dumb"


def check_read_flags(out: Path | None, *, explain: bool, digits: bool) -> None:
    """Raises UsageError if flags of `read` exclude each other."""
    if out and explain:
        raise UsageError("--explain draws a few pictures, --out is for many: give one of them")
    if digits and not out:
        raise UsageError("--digits is for rows in a file: give --out too, or --json instead")


def read_into(what: list[Path], out: Path, *, quiet: bool, json_: bool, **settings: Any) -> None:
    """Read into a file; print how much, and exit as `report_problems` does."""
    from firstlight.reading.table import read_to_file

    summary = read_to_file(what, out, quiet=quiet, **settings)
    show(summary.to_json(), json_, console.read_summary(summary))
    print_problems(summary.problems)
    if summary.unreadable:  # also before it was continued
        raise typer.Exit(exit_code_of(summary.unreadable, summary.pages))


def show_reading(reading: "FileReading", *, named: bool, quiet: bool, verbose: bool) -> None:
    """Print what is written on a page; on stderr, what is not in it."""
    named = named or reading.page is not None
    lines = console.reading(reading, named, candidates=verbose)
    if lines:
        print("\n".join(map(printable, lines)), flush=True)
    if reading.note and reading.lines and not quiet:
        print(printable(f"firstlight: {reading.name}: {reading.note}"), file=sys.stderr)


def draw_readings(results: "list[FileReading]", path: Path) -> None:
    """Draw how pages were read, if any was."""
    from firstlight.reading.sheet import draw_sheet

    readings = [(result.file.name, result.reading) for result in results if result.reading]
    if readings:
        draw_sheet(readings, path)


def command_line() -> str:
    """Return the command that was given, as run.json and the model card record it."""
    return shlex.join(["firstlight", *sys.argv[1:]])


def report_problems(problems: list[str], files: int) -> None:
    """Print why files could not be read; exit with code 1 for some of the files, 4 for all."""
    print_problems(problems)
    if problems:
        raise typer.Exit(exit_code_of(len(problems), files))


def print_problems(problems: list[str]) -> None:
    for problem in problems:
        print("firstlight:", printable(problem), file=sys.stderr)


def exit_code_of(unreadable: int, files: int) -> int:
    """Return 4 if none of the files could be read, and 1 if some could not."""
    return DataError.exit_code if unreadable == files else 1


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
