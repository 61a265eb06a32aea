"""Each verb as a function: what the command line calls, and what `import firstlight as fl` gives.

A keyword has the name of the flag; only `--from` is `from_run`. A run is given as a `Run` or as the
path of its folder, data as a `Dataset`, by its name or path, or as (images, labels). The errors are
those of the command line: see errors.py. TensorFlow is imported when a function needs it.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import NDArray

from firstlight import catalog, classification
from firstlight.answers import Answers, write_answers
from firstlight.arguments import (
    PathChoice,
    RunChoice,
    as_path,
    as_run,
    as_runs,
    call_text,
    given_arguments,
    is_onnx,
    opened,
    refuse_beside_resume,
)
from firstlight.classification import Classification, Pictures
from firstlight.datasets import ALL, Dataset
from firstlight.errors import GateMissed, UsageError
from firstlight.evaluation.predictions import check_predictions_file
from firstlight.images.files import find_pictures
from firstlight.networks._network import Network
from firstlight.onnx_model import OnnxModel
from firstlight.quiet import tensorflow
from firstlight.recipe import Recipe, check_whole_number
from firstlight.runs.documents import Evaluation
from firstlight.runs.run import Run
from firstlight.settings import DataChoice, NetworkChoice, prepare

if TYPE_CHECKING:  # these import TensorFlow, or a package of the extra `train`
    from firstlight.chapters.notebooks import Notebooks
    from firstlight.evaluation.comparison import Comparison
    from firstlight.explanation.explanation import Explanation
    from firstlight.exports.export import Export
    from firstlight.figures.style import NotebookFigure
    from firstlight.graphs.draw import GraphPictures
    from firstlight.reports.report import Report
    from firstlight.training.first_graph import FirstRun
    from firstlight.training.rate_search import RateSearch
    from firstlight.website.write import Site


def train(
    network: NetworkChoice | None = None,
    data: DataChoice = "mnist",
    recipe: str | Recipe = "",
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    patience: int = 0,
    class_weights: str | None = None,
    from_run: RunChoice | None = None,
    out: PathChoice | None = None,
    resume: RunChoice | None = None,
    limit: int | None = None,
    dry_run: bool = False,
    devices: str = "",
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    command: str | None = None,
) -> Run:
    """Train a network, and return its run.

    Several machines train one network if each has the environment variable TF_CONFIG, or under
    Slurm: see the guide "Several devices and machines". Only the first of them gets a run with a
    result.

    Args:
        network: the name of a network, the path of a .py file in the form of the files in
            networks/, a function that takes the number of classes and returns a Keras model, or
            such a model, whose weights are then the first ones.
        data: a dataset, its name, its path, or a tuple (images, labels).
        recipe: a `Recipe`, or the name of one of the network's, as `list_networks` shows them; ""
            for its default. A network of your own without RECIPES is trained for 10 epochs with
            batches of 64 and a learning rate of 0.05.
        epochs: passes over the training images.
        steps: batches to train on, instead of `epochs`.
        batch_size: images in a batch.
        lr: the highest learning rate of the schedule: `learning_rate` of the recipe.
        seed: of the first weights and the order of the images, 0 to 2³² - 1.
        patience: the number of epochs without a better accuracy after which training stops; 0:
            it never stops early.
        class_weights: "balanced" lets each class count alike, however few examples it has: in the
            loss, and when the best weights are chosen.
        from_run: a run to take the first weights from, wherever name and shape match.
        out: the run folder; by default runs/NETWORK-DATA-N.
        resume: a stopped run to continue, unchanged, instead of a network. If it was trained on
            arrays, give the same dataset as `data`.
        limit: the largest number of training images, and of validation images, that are used: the
            first ones. In a folder of pictures these come from all classes.
        dry_run: run one step and keep nothing; the run has a result and no folder.
        devices: "cpu", "gpu", or some GPUs as "gpu:0,1"; by default all GPUs, and without one the
            CPU. Several share each batch.
        trust: run the source of an own network that a run folder holds.
        quiet: show no progress and no notices.
        verbose: show TensorFlow's messages.
        command: what run.json records as the command; by default this call.

    The run has `.result`, `.history`, `.validation_accuracy` and `.notices`. The accuracy in its
    result is None if the data has no test split.

    Raises:
        UsageError: no such network or recipe, or a value that is not allowed.
        DataError: the data is missing, damaged, or has a single class.
        FirstlightError: the loss is not a number.
        Interrupted: Ctrl-C; a checkpoint has been written, and `resume` continues from it.

    >>> run = fl.train("mlp", epochs=1, quiet=True)
    >>> run.result.test_accuracy > 0.9
    True
    """
    given = given_arguments(train, locals())
    with tensorflow(verbose):
        from firstlight.training import trainer
        from firstlight.training.workers import start_workers
    if resume is not None:
        refuse_beside_resume(given)
    workers = start_workers(devices, verbose)
    if resume is not None:
        arrays = data if isinstance(data, Dataset) else None
        return trainer.resume(as_run(resume, trust), quiet, arrays, workers)
    plan = prepare(
        network or "",
        data,
        recipe,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        learning_rate=lr,
        seed=seed,
        patience=patience,
        class_weights=class_weights,
        limit=limit,
        quiet=quiet,
        command=call_text("train", given) if command is None else command,
        measure_bfloat16=workers.bfloat16_speedup,
    )
    start = as_run(from_run, trust) if from_run is not None else None
    if dry_run:
        return trainer.dry_run(plan, start, quiet, workers)
    folder = Path(out) if out else None
    return trainer.train(plan, folder, quiet=quiet, start=start, workers=workers)


def train_first_graph(
    *,
    steps: int = 1000,
    batch_size: int = 100,
    lr: float = 0.01,
    seed: int = 0,
    limit: int | None = None,
    verbose: bool = False,
    command: str | None = None,
    on_cost: Callable[[int, float], None] = lambda step, cost: None,
    on_validation: Callable[[int, float, float], None] = lambda step, cost, accuracy: None,
) -> "FirstRun":
    """Train the first graph of the lessons in a TensorFlow session.

    Args:
        limit: the number of training images, the first ones; by default all 55,000.
        on_cost: is called after each step with its number, from 1, and its cost in nats.
        on_validation: is called before the first step, after every 100 steps, and at the end, with
            the number of steps so far, and the cost and the accuracy (0 to 1) on all 5,000
            validation images.

    The other arguments are those of `train`. The result has the `accuracy` on all 10,000 test
    images, and the `run`, whose `history` has each step's cost and what validation measured.

    Raises:
        UsageError: a value is not allowed.
        FirstlightError: the cost is not a number.

    >>> first = fl.train_first_graph(steps=300, lr=0.1)
    >>> first.accuracy > 0.5
    True
    >>> first.run.result.final_cost < first.run.result.first_cost
    True
    """
    given = given_arguments(train_first_graph, locals())
    if limit is not None:
        check_whole_number("limit", limit, minimum=1)
    with tensorflow(verbose):
        from firstlight.training import first_graph
    return first_graph.train(
        steps=steps,
        batch_size=batch_size,
        learning_rate=lr,
        seed=seed,
        limit=limit,
        command=call_text("train_first_graph", given) if command is None else command,
        on_cost=on_cost,
        on_validation=on_validation,
    )


def find_lr(
    network: NetworkChoice,
    data: DataChoice = "mnist",
    recipe: str | Recipe = "",
    *,
    batch_size: int | None = None,
    seed: int = 0,
    out: PathChoice | None = None,
    quiet: bool = False,
    verbose: bool = False,
) -> "RateSearch":
    """Train with a learning rate that rises, and suggest one; no run is kept.

    The rate rises from 0.00001 to 10 in 120 steps, with the recipe's batches. The result has
    `.suggestion`, and `.rates` (n,) with the `.losses` (n,) in nats, also as a
    `.figure`.

    Args:
        out: the PNG file for the figure; by default runs/find-lr-NETWORK-DATA.png.

    The other arguments are those of `train`.

    Raises:
        UsageError, DataError: as `train`.

    >>> 0.001 < fl.find_lr("mlp", quiet=True).suggestion < 10
    True
    """
    with tensorflow(verbose):
        from firstlight.training.cluster import notice_alone
        from firstlight.training.rate_search import search_rate
    if notice := notice_alone("find-lr"):
        say_notice(notice, quiet=quiet)
    plan = prepare(network, data, recipe, batch_size=batch_size, seed=seed, quiet=quiet)
    return search_rate(plan, Path(out) if out else None, quiet)


def evaluate(
    runs: RunChoice | Sequence[RunChoice],
    data: DataChoice = "",
    split: str = "",
    views: str = "middle",
    *,
    min_accuracy: float | None = None,
    predictions: PathChoice | None = None,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> Evaluation:
    """Measure a run's accuracy and mistakes, or those of an ensemble of runs.

    Args:
        runs: a run, or several: the probabilities of an ensemble are averaged.
        data: data to measure on; "" for the data that the first run was trained on. Of a tuple
            (images, labels) every image is measured, of a `Dataset` a split.
        split: "test", "val" or "train"; "" for test, but of pictures that are not the run's own
            and have no splits, all are measured. Where there is no test split, val is measured.
        views: which crops of a photograph to average: "middle", "ten-crops" or "dense".
        min_accuracy: the accuracy, 0 to 1, below which GateMissed is raised.
        predictions: a file that ends in .csv or .jsonl, for a row for each image of the split:
            index, file (only of pictures in a folder), label, predicted, probability (of the
            predicted class) and right (in CSV 1 or 0). In CSV, a name that begins with = + - or @
            gets an apostrophe before it, so that a spreadsheet does not compute it.

    Raises:
        UsageError: the data's classes are not the network's, there is no such split, or
            `predictions` has another ending.
        DataError: a run or the data is missing or damaged.
        GateMissed: the accuracy is below `min_accuracy`.

    >>> evaluation = fl.evaluate("runs/mlp-mnist-1", quiet=True)
    >>> low, high = evaluation.interval95
    >>> low < evaluation.accuracy < high
    True
    >>> _ = fl.evaluate("runs/mlp-mnist-1", predictions="predictions.csv", quiet=True)
    >>> from pathlib import Path
    >>> Path("predictions.csv").read_text().split()[0]
    'index,label,predicted,probability,right'
    """
    chosen = as_runs(runs, trust)
    file = None if predictions is None else as_path(predictions, "predictions")
    if file:
        check_predictions_file(file, chosen)
    say_unfinished(chosen, quiet)
    with tensorflow(verbose):
        from firstlight.evaluation import accuracy
    evaluation = accuracy.evaluate(chosen, data, split, views, quiet, predictions_file=file)
    if evaluation.split not in (split or "test", ALL) and not quiet:
        print(
            f"{evaluation.data} has no test split: measured on {evaluation.split}", file=sys.stderr
        )
    require_accuracy(evaluation, min_accuracy)
    return evaluation


def require_accuracy(evaluation: Evaluation, min_accuracy: float | None) -> None:
    """Raises GateMissed if the accuracy is below `min_accuracy`."""
    if min_accuracy is not None and evaluation.accuracy < min_accuracy:
        raise GateMissed(
            f"accuracy {evaluation.accuracy:.4f} is below --min-accuracy {min_accuracy}"
        )


def compare(
    first: RunChoice,
    second: RunChoice,
    data: DataChoice = "",
    split: str = "",
    *,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> "Comparison":
    """Compare two runs image by image: is one better, or may the difference be chance?

    Args:
        data, split: as in `evaluate`.

    Raises:
        UsageError: the runs were trained on different data, and `data` does not choose.
        DataError: a run or the data is missing or damaged.

    >>> fl.compare("runs/mlp-mnist-1", "runs/first-graph-mnist-1", quiet=True).verdict[:26]
    'runs/mlp-mnist-1 is better'
    """
    chosen = [as_run(first, trust), as_run(second, trust)]
    say_unfinished(chosen, quiet)
    with tensorflow(verbose):
        from firstlight.evaluation import comparison
    return comparison.compare(chosen[0], chosen[1], data, split, quiet)


def learning_curves(
    runs: RunChoice | Sequence[RunChoice],
    labels: Sequence[str] | None = None,
    split: str = "val",
) -> "NotebookFigure":
    """Draw several trainings together: cost and error against steps, a line for each run.

    Args:
        runs: 1 to 12 runs or their folders; also what `train_first_graph` returns.
        labels: a name for each run; by default what differs between the runs' settings, such as
            "lr 0.01", or else the names of their folders.
        split: "val" for validation, "train" for the running mean of the training steps, or "both":
            training as thin lines, validation as thick ones.

    The figure is shown by a notebook, and `figure.savefig("curves.png")` writes it. It has a panel
    for the error only if a run has measured accuracies on the split.

    Raises:
        UsageError: no run, too many, not a label for each, or no such split.
        DataError: a run is missing or damaged, or has logged nothing on the split.

    >>> figure = fl.learning_curves(["runs/mlp-mnist-1", "runs/first-graph-mnist-1"])
    >>> [panel.get_ylabel() for panel in figure.axes]
    ['cost (cross entropy, nats)', 'error (% of images wrong)']
    """
    several = as_runs(runs, trust=False)
    with tensorflow(verbose=False):
        from firstlight.figures.comparison import compare_curves
    return compare_curves(several, labels, split)


def classify(
    model: RunChoice | OnnxModel,
    images: PathChoice | Sequence[PathChoice],
    top: int = 5,
    *,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> list[Classification]:
    """Return the most probable classes of each picture.

    Args:
        model: a run, or a model in an ONNX file.
        images: picture files of any size, folders with all that is in them, or patterns.
        top: labels for each picture, at least 1.

    A picture that cannot be opened has a `problem` instead of labels.

    Raises:
        DataError: the model is missing or damaged, or there is no picture.
        UsageError: the ONNX model was not written by `export`.

    >>> (answer,) = fl.classify("runs/mlp-mnist-1", "seven.png", top=1)
    >>> answer.labels[0].label
    '7'
    """
    check_whole_number("top", top, minimum=1)
    paths = [images] if isinstance(images, str | Path) else images
    if not isinstance(paths, Sequence):
        raise UsageError(f"images is a {type(images).__name__}; it must be paths of pictures")
    pictures = find_pictures([as_path(path, "image") for path in paths]).files
    classifier = as_classifier(model, trust=trust, quiet=quiet, verbose=verbose)
    return classification.classify(classifier, pictures, top=top)


@overload
def predict(
    model: RunChoice | OnnxModel,
    images: Pictures,
    *,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> NDArray[Any]: ...


@overload
def predict(
    model: RunChoice | OnnxModel,
    images: PathChoice | Sequence[PathChoice],
    *,
    out: PathChoice,
    top: int | None = None,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> Answers: ...


def predict(
    model: RunChoice | OnnxModel,
    images: Pictures,
    *,
    out: PathChoice | None = None,
    top: int | None = None,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> NDArray[Any] | Answers:
    """Return the probabilities (N, classes) of images: a row for each, which adds up to 1.

    With `out`, the most probable labels are written into a file instead.

    Args:
        model: a run, or a model in an ONNX file.
        images: arrays (N, height, width), or (N, height, width, 1 or 3), with values as
            `Dataset.from_arrays` takes them; a single image (height, width), or (height, width, 3)
            for a network that takes colours; or picture files. Images of another size, or in
            colour for a grey network, are converted. A network of digits takes arrays as MNIST has
            them, light on black; files may show dark ink on paper. With `out`: pictures, folders,
            patterns such as "scans/*.png", and .csv, .npy or .npz files of images.
        out: a name that ends in .csv or .jsonl. A row has file, row (from 0, in a file of images),
            label, probability and note (why a picture cannot be read). For a table of pixels from
            Kaggle without labels, a .csv has ImageId and Label.
        top: labels in a row: in CSV label, probability, label_2, probability_2, ...; in JSON lines
            a list `labels`.
        quiet: show no progress and no notices.

    Raises:
        DataError: a file is missing or not a picture, or the model is missing or damaged.
        UsageError: an array is not images, or `out` has another ending.

    >>> probabilities = fl.predict("runs/mlp-mnist-1", ["seven.png"])
    >>> probabilities.shape, int(probabilities.argmax())
    ((1, 10), 7)
    >>> fl.predict("runs/mlp-mnist-1", "seven.png", out="answers.csv", quiet=True).rows
    1
    >>> from pathlib import Path
    >>> Path("answers.csv").read_text().split()[0]
    'file,label,probability,note'
    """
    if top is not None:
        check_whole_number("top", top, minimum=1)
    classifier = as_classifier(model, trust=trust, quiet=quiet, verbose=verbose)
    if out is None:
        return classification.predict(classifier, images, partial(say_notice, quiet=quiet))
    paths = classification.as_files(images)
    if paths is None:
        raise UsageError("with out, images must be paths of files or folders")
    return write_answers(classifier, paths, as_path(out, "out"), top, quiet)


def explain(
    run: RunChoice,
    image: PathChoice,
    *,
    layer: str | Sequence[str] = (),
    label: str = "",
    data: DataChoice = "",
    out: PathChoice | None = None,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> "Explanation":
    """Show what a network looks at in a picture.

    It writes `filters.png` (the first layer's filters), `maps.png` (feature maps of the picture),
    `strongest.png` and `top_nine.png` (which pixels activate the strongest maps, here and in the
    images that activate them most), and `occlusion.png`: how the answer changes where the picture
    is covered. A network of one layer has `weights.png` instead of the first two. `.files` names
    them, and `.figures()["occlusion"]` is one of them as a matplotlib Figure.

    Args:
        image: the path of a picture.
        layer: a layer, or several, to project from; by default several of the convolutions.
        label: the class that occlusion is about; by default the predicted one.
        data: the data whose validation images the top nine are from; by default the run's own.
        out: the folder for the PNG files; by default figures/explain/STEM of the run.

    Raises:
        UsageError: the network has no such layer or class.
        DataError: the run, the picture or the data is missing or damaged.

    >>> explanation = fl.explain("runs/mlp-mnist-1", "seven.png", quiet=True)
    >>> explanation.labels[0].label
    '7'
    >>> explanation.figures()["occlusion"].savefig("occlusion.png")
    """
    chosen = as_run(run, trust)
    picture = as_path(image, "image")
    say_unfinished([chosen], quiet)
    with tensorflow(verbose):
        from firstlight.explanation import explain as explanation
    return explanation.explain(
        chosen,
        picture,
        layers=[layer] if isinstance(layer, str) else layer,
        data=data,
        label=label,
        out=Path(out) if out else None,
        quiet=quiet,
    )


def export(
    run: RunChoice,
    format: str = "onnx",
    out: PathChoice | None = None,
    *,
    data: DataChoice = "",
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> "Export":
    """Write a network for other programs; the file is kept only if its answers are the network's.

    Args:
        data: data to calibrate on and to compare answers with; "" for the run's own.
        format: "onnx", "litert", "savedmodel", or "html": a page to draw a digit on.
        out: the file (for savedmodel, the folder) to write; by default in model/ of the run.

    Raises:
        ExportError: the file could not be made or checked, or differs from the network; it is
            removed.
        UsageError: no such format, the format is not for such a network, or `out` cannot be written
            or must not be replaced.
        DataError: the run, or the data it was trained on, is missing or damaged.

    >>> fl.export("runs/mlp-mnist-1", "onnx").path
    PosixPath('runs/mlp-mnist-1/model/mlp.onnx')
    """
    chosen = as_run(run, trust)
    say_unfinished([chosen], quiet)
    with tensorflow(verbose):
        from firstlight.exports import export as exports

        return exports.export(chosen, format, Path(out) if out else None, data)


def graph(
    target: RunChoice,
    out: PathChoice | None = None,
    *,
    trust: bool = False,
    verbose: bool = False,
) -> "GraphPictures":
    """Draw a network's graph: its layers, and TensorFlow's own operations, as SVG files.

    Args:
        target: the name or .py file of a network, a run, or "first-graph".
        out: the folder for the files; by default the run's figures, or runs/graph-NAME.

    Raises:
        UsageError, DataError: the network or run does not exist, or is not trained yet.

    >>> [str(file) for file in fl.graph("softmax").files]
    ['runs/graph-softmax/functional.svg', 'runs/graph-softmax/operations.svg']
    """
    with tensorflow(verbose):
        from firstlight.graphs.draw import draw_graph
    chosen = opened(target) or str(target)
    return draw_graph(chosen, Path(out) if out else None, trust)


def report(
    runs: RunChoice | Sequence[RunChoice],
    data: DataChoice = "",
    split: str = "",
    out: PathChoice | None = None,
    *,
    trust: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> "Report":
    """Write one HTML file about a run, or about several, which are then compared.

    The file needs no network and no other file. A notebook shows it.

    Args:
        data: data to measure on; "" for the data that each run was trained on.
        split: as in `evaluate`.
        out: the file; by default report.html in the folder of the first run.

    Raises:
        UsageError: more runs than a report can hold, or the data's classes are not a network's.
        DataError: a run or the data is missing or damaged.

    >>> fl.report("runs/mlp-mnist-1", quiet=True).path
    PosixPath('runs/mlp-mnist-1/report.html')
    """
    with tensorflow(verbose):
        from firstlight.reports import report as reports
    return reports.report(as_runs(runs, trust), data, split, Path(out) if out else None, quiet)


def load(path: PathChoice, *, trust: bool = False) -> Run | OnnxModel:
    """Open a run folder, or a model in an ONNX file, which needs no TensorFlow.

    Raises:
        DataError: there is no run or model at the path, or it is damaged.
        UsageError: the ONNX model was not written by `export`.

    >>> fl.load("runs/mlp-mnist-1").result.network
    'mlp'
    >>> fl.load("runs/mlp-mnist-1/model/mlp.onnx").classes[7]
    '7'
    """
    place = as_path(path, "path")
    if is_onnx(place):
        return OnnxModel(place)
    return Run.open(place, trust)


def network(network: NetworkChoice, *, classes: int = 10, verbose: bool = False) -> Network:
    """Return a network by its name, or your own: see `train`.

    `network(...).build(classes)` is a plain `keras.Model` with new weights, from images
    (N, *input) uint8, 0 to 255, to logits (N, classes).

    Raises:
        UsageError: no network has that name, or what is given is not a network.

    >>> fl.network("lenet5").build(classes=12).output_shape
    (None, 12)
    """
    with tensorflow(verbose):
        return catalog.network(network, classes)


def dataset(data: DataChoice, *, quiet: bool = True) -> Dataset:
    """Return a dataset by its name, or the one at a path.

    At a path there may be IDX files, NumPy files, CSV, Parquet, or pictures: docs/pictures.md has a
    table.

    `.classes` names its classes, `.load("train").images[:]` is an array (N, height, width,
    channels) uint8, and `.load("train").labels` an array (N,) of whole numbers.

    Raises:
        DataError: the dataset or path does not exist, or is damaged.

    >>> len(fl.dataset("mnist").load("test"))
    10000
    """
    return catalog.dataset(data, quiet=quiet)


def lessons(folder: PathChoice) -> "Notebooks":
    """Write the chapters of the series as Jupyter notebooks, with their outputs and pictures.

    Run each in a new, empty folder of its own: some chapters write files of the same names.

    Args:
        folder: the folder for the notebooks; it is made if it is new.

    Raises:
        UsageError: the folder has a notebook of that name, or cannot be written.

    >>> fl.lessons("notebooks").files[0]
    PosixPath('notebooks/1-a-first-graph.ipynb')
    """
    from firstlight.chapters.notebooks import write_notebooks

    return write_notebooks(Path(folder))


def site(folder: PathChoice) -> "Site":
    """Write the series and the guides as a static site for any web host.

    Its pages are HTML that asks no other host; the parts that one can try out run in the browser.
    It works at any address, also below a path.

    Args:
        folder: the folder for the site. A site that was written there before is replaced.

    Raises:
        UsageError: the folder holds something else than such a site, or cannot be written.

    >>> fl.site("site").folder / "index.html"
    PosixPath('site/index.html')
    """
    from firstlight.website.write import write_site

    return write_site(Path(folder))


def list_networks() -> tuple[catalog.NetworkEntry, ...]:
    """Return name, input, parameters, recipes and measured accuracies of each network.

    >>> "lenet5" in [entry.name for entry in fl.list_networks()]
    True
    """
    return catalog.networks()


def list_datasets() -> tuple[catalog.DatasetEntry, ...]:
    """Return name and number of classes of each dataset that is known by name.

    >>> [entry.name for entry in fl.list_datasets()][:4]
    ['cutouts', 'mnist', 'mnist-all', 'mnist-writers-1']
    """
    return catalog.datasets()


def say_unfinished(runs: Sequence[Run], quiet: bool) -> None:
    """Print which weights stand for those of trainings that have not ended."""
    for run in runs:
        unfinished = None if quiet else run.unfinished()
        if unfinished:
            print(unfinished.notice, file=sys.stderr)


def say_notice(notice: str, *, quiet: bool) -> None:
    if not quiet:
        print(notice, file=sys.stderr)


def as_classifier(
    model: RunChoice | OnnxModel, *, trust: bool, quiet: bool, verbose: bool
) -> classification.Classifier:
    """Return what classifies images: a run's network, or an ONNX model."""
    if isinstance(model, OnnxModel):
        return model
    if opened(model) is None and is_onnx(as_path(model, "model")):
        return OnnxModel(as_path(model, "model"))
    run = as_run(model, trust)
    say_unfinished([run], quiet)
    with tensorflow(verbose):
        from firstlight.evaluation import accuracy

        return accuracy.classifier(run)
