"""The door: each verb parses its flags, calls the module of its name, and prints.

Results go to stdout, progress and notices to stderr. TensorFlow is imported inside the verbs that
need it, so that the others start at once.
"""

import json
import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from firstlight import __version__, catalog, console
from firstlight.errors import FirstlightError, GateMissed, UsageError
from firstlight.quiet import tensorflow
from firstlight.runs.files import write_json
from firstlight.runs.run import existing
from firstlight.settings import prepare

app = typer.Typer(
    name="firstlight",
    help="From a first neural network to one that wins competitions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

data_app = typer.Typer(help="Look after data.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress, no notices.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="All that TensorFlow has to say.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of weights and order.")]
Data = Annotated[str, typer.Option(metavar="NAME|DIR", help="A dataset by name, or where one is.")]
OtherData = Annotated[str, typer.Option(metavar="NAME|DIR", help="Other data than its own.")]


class Split(StrEnum):
    TEST = "test"
    VAL = "val"
    TRAIN = "train"


class Views(StrEnum):
    MIDDLE = "middle"
    TEN_CROPS = "ten-crops"
    DENSE = "dense"


class Format(StrEnum):
    ONNX = "onnx"
    LITERT = "litert"
    SAVEDMODEL = "savedmodel"


def main() -> None:
    """Run a verb; a mistake of the user's is one line on stderr and the contract's exit code."""
    for stream in (sys.stdout, sys.stderr):  # a file's name may hold what they cannot encode
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    warnings.filterwarnings("ignore", "Image size")  # Pillow's; we refuse large ones ourselves
    try:
        code = app(standalone_mode=False)
    except (FirstlightError, TyperException) as error:
        message = error.format_message() if isinstance(error, TyperException) else str(error)
        print("firstlight:", " ".join(message.split()), file=sys.stderr)
        code = error.exit_code
    except BrokenPipeError:  # the reader of our output has gone: `firstlight list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:  # a full disk, a place where we may not write, a file for a folder
        named = f"{error.filename}: " if error.filename else ""
        print(f"firstlight: {named}{error.strerror or error}", file=sys.stderr)
        code = 1
    sys.exit(code)


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version")] = False) -> None:
    if version:
        print(f"firstlight {__version__}")
        raise typer.Exit


@app.command("first-graph")
def first_graph(
    steps: Annotated[int, typer.Option(min=1)] = 1000,
    batch_size: Annotated[int, typer.Option(min=1)] = 100,
    lr: Annotated[float, typer.Option(help="How far a step goes.")] = 0.01,
    seed: Seed = 0,
    log_every: Annotated[int, typer.Option(min=1, help="Print every N-th cost.")] = 100,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """The first network: an explicit graph that a session runs."""
    with tensorflow(verbose):
        from firstlight.training import first_graph

    def on_cost(step: int, cost: float) -> None:
        if not json_ and not quiet and ((step - 1) % log_every == 0 or step == steps):
            print(f"Cost: {cost:.6f}", flush=True)

    result, predicted, labels = first_graph.train(steps, batch_size, lr, seed, on_cost)
    draw_training(result["run"])
    show(result, json_, [*console.training(result), *console.prediction(predicted, labels)])


@app.command()
def train(
    context: typer.Context,
    network: Annotated[str, typer.Argument(help="See `firstlight list`.")] = "",
    data: Data = "mnist",
    recipe: Annotated[str, typer.Option(help="One of the network's recipes.")] = "",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the images.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Batches, instead of epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1)] = None,
    lr: Annotated[float | None, typer.Option(help="The schedule's highest rate.")] = None,
    seed: Seed = 0,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after N epochs without a better one; 0: never.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="The run folder.")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use so many training and validation images.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="One step, leaving nothing.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train a network; leaves a run folder."""
    if resume:
        refuse_beside_resume(context)
        run = existing(resume)
        with tensorflow(verbose):
            from firstlight.training import loop
        result = loop.resume(run, quiet)
    else:
        flags = {"epochs": epochs, "steps": steps, "batch_size": batch_size, "learning_rate": lr}
        with tensorflow(verbose):
            from firstlight.training import loop
        settings = prepare(network, data, recipe, seed, patience, limit, quiet, **flags)
        result = loop.dry_run(settings) if dry_run else loop.train(settings, out, quiet)
    draw_training(result["run"])
    show(result, json_, console.training(result))


@app.command()
def evaluate(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...")],
    data: OtherData = "",
    split: Annotated[Split, typer.Option(help="Which images.")] = Split.TEST,
    views: Annotated[
        Views, typer.Option(help="Of a photograph; more take longer and are mostly right oftener.")
    ] = Views.MIDDLE,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with 3 if it is not reached.")
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """How accurate a run is, and what it got wrong; several runs answer together."""
    with tensorflow(verbose):
        from firstlight.evaluation import accuracy as evaluation
        from firstlight.evaluation.crops import VIEWS
        from firstlight.figures.evaluation import draw_evaluation
    opened = [existing(folder) for folder in folders]
    facts, seen, probabilities = evaluation.evaluate(opened, data, split, VIEWS[views], quiet)
    if facts["split"] != split and not quiet:
        print(
            f"{facts['data']} has no {split} split: measured on {facts['split']}", file=sys.stderr
        )
    if len(opened) == 1:
        write_json(opened[0].evaluation, facts)
        draw_evaluation(opened[0], facts, seen, probabilities)
    show(facts, json_, console.evaluation(facts, opened))
    if min_accuracy is not None and facts["accuracy"] < min_accuracy:
        raise GateMissed(f"accuracy {facts['accuracy']:.4f} is below --min-accuracy {min_accuracy}")


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN")],
    second: Annotated[Path, typer.Argument(metavar="RUN")],
    data: OtherData = "",
    split: Annotated[Split, typer.Option(help="Which images.")] = Split.TEST,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Which of two runs is better, image by image, or whether it was luck."""
    with tensorflow(verbose):
        from firstlight.evaluation import comparison as comparison
    facts = comparison.compare(existing(first), existing(second), data, split)
    show(facts, json_, console.comparison(facts))


@app.command()
def graph(
    target: Annotated[str, typer.Argument(metavar="NETWORK|RUN|first-graph")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the pictures.")
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw a network's graph twice: its layers, and TensorFlow's own operations."""
    with tensorflow(verbose):
        from firstlight.graphs.draw import draw_graph
    pictures = draw_graph(target, out)
    show(pictures.to_json(), json_, console.graph(pictures))


@app.command()
def explain(
    folder: Annotated[Path, typer.Argument(metavar="RUN")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Any picture.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the pictures.")
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER", help="Layer to look into; may be repeated."),
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            metavar="CLASS", help="Class that occlusion is about; by default the predicted one."
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR", help="Images for the top nine, instead of the run's own data."
        ),
    ] = "",
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show what a network looks at in a picture: filters, feature maps, deconvnet, occlusion."""
    run = existing(folder)
    with tensorflow(verbose):
        from firstlight.explanation.explain import explain
    explanation = explain(
        run, image, layers=layer or (), data=data, label=label, out=out, quiet=quiet
    )
    show(explanation.to_json(), json_, console.explanation(explanation))


@app.command()
def classify(
    model: Annotated[Path, typer.Argument(metavar="RUN|MODEL.onnx")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...")],
    top: Annotated[int, typer.Option(min=1, help="So many labels of each.")] = 5,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """The most probable classes of pictures."""
    from firstlight import classification as classification

    if model.suffix == ".onnx" or model.is_file():
        network = classification.of_onnx(model)
    else:
        run = existing(model)
        with tensorflow(verbose):
            from firstlight.evaluation import accuracy as evaluation

            network = evaluation.classifier(run)
    facts, problems = classification.classify(network, images, top)
    show(facts, json_, console.classes(facts))
    complain(problems)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN")],
    format_: Annotated[Format, typer.Option("--format", help="For which programs.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where to; a folder for savedmodel.")
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a run's network for other programs; kept only if it answers as the network does."""
    run = existing(folder)
    with tensorflow(verbose):
        from firstlight.exports.export import export

        facts = export(run, format_, out)
    show(facts, json_, console.export(facts))


@app.command()
def read(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...")],
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL.onnx", help="Another model than our own.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(metavar="PICTURE", help="Draw how they were read, as a PNG.")
    ] = None,
    single: Annotated[bool, typer.Option("--single", help="Each image is one digit.")] = False,
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read the handwritten digits in pictures."""
    from firstlight.reading import reader

    results, unread = reader.read_all(images, model, single)
    if explain and results:
        from firstlight.reading import sheet as explanation

        explanation.draw([(p.name, r) for p, r in results.items()], explain)
    facts = [reader.facts(path, results.get(path), unread.get(path)) for path in images]
    answered = [fact for fact in facts if Path(fact["file"]) in results]
    show(facts, json_, console.reading(answered, named=len(images) > 1))
    complain(list(unread.values()))


@data_app.command()
def check(
    data: Annotated[str, typer.Argument(metavar="NAME|DIR", help="A dataset, or where one is.")],
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Look at every file of a dataset; exits with 3 if there are faults."""
    from firstlight import check as checking

    facts = checking.check(data, quiet)
    show(facts, json_, console.check(facts))
    if facts["faults"]:
        raise GateMissed(f"{data} has {len(facts['faults']):,} faults")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL.onnx|RUN", help="To read with, or to look into.")
    ] = None,
    token: Annotated[
        str, typer.Option(envvar="FIRSTLIGHT_TOKEN", help="What a visitor must know.")
    ] = "",
    json_: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """A page to draw digits on, to watch networks learn, and to look inside them."""
    from firstlight.serve import server

    def on_ready(url: str) -> None:
        show({"url": url}, json_, console.serving(url))
        sys.stdout.flush()

    server.serve(host, port, model, token, on_ready)


@app.command("list")
def list_(json_: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """The networks and datasets that there are."""
    facts = {"networks": catalog.networks(), "datasets": catalog.datasets()}
    show(facts, json_, console.catalog(facts))


def show(result: Any, as_json: bool, lines: list[str]) -> None:
    """The verb's answer on stdout: the JSON document alone, or lines for a person."""
    if as_json or lines:
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        print(json.dumps(result, ensure_ascii=not utf8) if as_json else "\n".join(lines))


def complain(problems: list[str]) -> None:
    """Some of the files could not be read; the others have been answered."""
    for problem in problems:
        print("firstlight:", problem, file=sys.stderr)
    if problems:
        raise typer.Exit(1)


def draw_training(folder: str | None) -> None:
    if folder:  # a dry run leaves none
        from firstlight.figures.training import draw_training

        draw_training(existing(Path(folder)))


def refuse_beside_resume(context: typer.Context) -> None:
    """A run goes on as it began: no flag may change it."""
    allowed = {"resume", "json_", "quiet", "verbose"}
    given = [name for name in context.params if name not in allowed and was_given(context, name)]
    if given:
        raise UsageError(f"--resume goes on with a run as it began: leave out {', '.join(given)}")


def was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
