"""What each verb prints for a person (without --json): each function returns a verb's lines."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # these modules take time to import, and some import TensorFlow
    import numpy as np

    from firstlight.answers import Answers
    from firstlight.catalog import DatasetEntry, NetworkEntry, Reach
    from firstlight.chapters.notebooks import Notebooks
    from firstlight.classification import Classification
    from firstlight.datasets import DatasetCheck
    from firstlight.diagnosis import Diagnosis
    from firstlight.diagnosis.machine import Machine
    from firstlight.diagnosis.packages import Extra
    from firstlight.evaluation.comparison import Comparison
    from firstlight.explanation.explanation import Explanation
    from firstlight.exports.export import Export
    from firstlight.graphs.draw import GraphPictures
    from firstlight.reading import FileReading
    from firstlight.reading.table import ReadSummary
    from firstlight.reports.report import Report
    from firstlight.runs.documents import Evaluation, Mistake, TrainingResult
    from firstlight.runs.run import Run
    from firstlight.serve.sharing import Sharing
    from firstlight.training.rate_search import RateSearch
    from firstlight.website.write import Site

MAX_MISTAKES_SHOWN = 5
MAX_MISTAKES_DRAWN = 25  # in a figure: see figures/evaluation.py
MAX_NEAR_COPIES = 20
EXPLAINED = {  # what each picture of `explain` shows
    "filters": "the weights of the first layer",
    "maps": "where in the picture the filters of each layer respond",
    "occlusion": "how the answer changes where the picture is covered",
    "strongest": "which pixels activate the strongest units",
    "top_nine": "which other images activate the same maps most",
    "weights": "how much each pixel counts for each class",
}
MAX_PREDICTIONS_SHOWN = 20
NO_BREAK = "\N{NO-BREAK SPACE}"  # a line never ends here


def counted(number: int, noun: str) -> str:
    """Return "1 step" or "1,000 steps"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def training(result: TrainingResult) -> list[str]:
    """Return steps, time, cost, test accuracy, and the run folder."""
    lines = [
        f"{result.network} on {result.data}: {counted(result.steps, 'step')} in "
        f"{result.seconds:.1f} s, "
        f"cost {result.first_cost:.4f} → {result.final_cost:.4f}"
    ]
    if result.test_accuracy is None:
        lines.append(f"test accuracy not measured: {result.data} has no test split")
    else:
        lines.append(f"test accuracy {result.test_accuracy:.2%}{_of_images(result)}")
    lines.append(f"run {result.run}" if result.run else "a dry run: nothing was kept")
    return lines


def _of_images(result: TrainingResult) -> str:
    """Return of how many images the test accuracy is: ", 19 of 31"."""
    if result.test_images is None or result.test_accuracy is None:
        return ""
    return f", {round(result.test_accuracy * result.test_images):,} of {result.test_images:,}"


def predictions(predicted: np.ndarray, labels: np.ndarray) -> list[str]:
    """Return the first predictions above their labels, and a mark below each wrong one."""
    pairs = list(
        zip(predicted[:MAX_PREDICTIONS_SHOWN], labels[:MAX_PREDICTIONS_SHOWN], strict=True)
    )
    return [
        "predicted  " + " ".join(str(answer) for answer, _ in pairs),
        "labels     " + " ".join(str(label) for _, label in pairs),
        "wrong      " + " ".join(" " if answer == label else "^" for answer, label in pairs),
    ]


def rate_search(search: RateSearch) -> list[str]:
    lines = [f"try --lr {search.suggestion:g} for {search.network} on {search.data}"]
    if search.note:
        lines.append(f"but {search.note}")
    return [*lines, f"the cost at each rate: {search.picture}"]


def accuracy(measured: Evaluation) -> str:
    """Return the accuracy and its interval."""
    low, high = measured.interval95
    return (
        f"{measured.network} on {measured.data} ({measured.measured_on}): "
        f"{measured.accuracy:.2%} right, "
        f"{measured.correct:,} of {measured.examples:,} (95 % confidence interval: {low:.2%} to "
        f"{high:.2%})"
    )


def evaluation(measured: Evaluation, runs: list[Run]) -> list[str]:
    """Return the accuracy and its interval, then the most confident mistakes."""
    lines = [accuracy(measured)]
    if measured.top5 is not None:
        lines.append(
            f"the right class is among the five most probable for {measured.top5:.2%} of the images"
        )
    classes = runs[0].model_info().classes
    shown = measured.mistakes[:MAX_MISTAKES_SHOWN]
    if len(shown) < len(measured.mistakes):
        lines.append(_surest(len(shown), len(measured.mistakes), measured.figures))
    lines += [_mistake(wrong, classes) for wrong in shown]
    if measured.figures:
        lines.append(f"figures in {measured.figures}")
    return lines


def _surest(shown: int, mistakes: int, figures: Path | None) -> str:
    """Return how many mistakes are printed, and where to find the others."""
    line = f"the {shown} surest of {mistakes:,} mistakes"
    if figures is None:
        return f"{line}:"
    drawn = "all" if mistakes <= MAX_MISTAKES_DRAWN else f"the {MAX_MISTAKES_DRAWN} surest"
    return f"{line}; {drawn} are in {figures / 'mistakes.png'}:"


def _mistake(mistake: Mistake, classes: tuple[str, ...]) -> str:
    image = mistake.file or f"image {mistake.index}"
    label, answer = classes[mistake.label], classes[mistake.predicted]
    return f"  {image}: {label} predicted as {answer}, confidence {mistake.confidence:.1%}"


def export(exported: Export) -> list[str]:
    """Return a line about the file, one about its temperature and one about its threshold."""
    calibration = exported.calibration
    before, after = calibration.calibration_error
    low, high = calibration.error_interval95
    splits = ", ".join(f"{count:,} {split}" for split, count in exported.splits.items())
    return [
        f"{exported.path}: {exported.bytes:,} bytes; on {exported.examples:,} images ({splits}) "
        f"its logits differ from the network's by at most {exported.largest_difference:.2g}",
        f"not calibrated: {calibration.problem}"
        if calibration.problem
        else f"temperature {calibration.temperature:.3g} (calibration error {before:.2%} → "
        f"{after:.2%})",
        f"of {counted(calibration.images, 'validation image')}, {calibration.answers:,} have an "
        f"answer of at least {calibration.threshold:.0%} (the threshold), {calibration.wrong:,} of "
        f"them a wrong one (95 % confidence interval: {low:.2%} to {high:.2%}); `classify` answers "
        "below it too",
    ]


def reading(result: FileReading, named: bool, candidates: bool = False) -> list[str]:
    """Return the lines of text, or why there is none.

    Args:
        named: each line begins with the file's name.
        candidates: what an unsure digit may be stands below its line.
    """
    if result.problem:
        return []
    lines = [] if result.lines else [result.note or ""]
    for line in result.lines:
        lines.append(line.text)
        unsure = [(place, each) for place, each in enumerate(line.digits, 1) if each.digit == "?"]
        for place, digit in unsure if candidates else []:
            likely = ", ".join(f"{name} {share:.0%}" for name, share in digit.candidates)
            lines.append(f"  digit {place}: {likely}")
    prefix = f"{result.name}: " if named else ""
    return [prefix + line for line in lines]


def read_summary(summary: ReadSummary) -> list[str]:
    """Return how many pages were read into a file, and how many somebody should look at."""
    pages, files = counted(summary.pages, "page"), counted(summary.files, "file")
    facts = [
        (summary.unsure, "unsure digit"),
        (summary.empty, "page without digits"),
        (summary.incomplete, "page with marks that were not read"),
        (summary.unreadable, "unreadable page"),
        (summary.left_out, "other file left out"),
    ]
    noticed = [f"{number:,} {_plural(noun, number)}" for number, noun in facts if number]
    return [f"{summary.out}: {pages} of {files}" + "".join(f", {each}" for each in noticed)]


def _plural(noun: str, number: int) -> str:
    """Return the noun in the plural, unless the number is 1: its "page", "digit" or "file"."""
    return noun if number == 1 else re.sub(r"\b(page|digit|file)\b", r"\1s", noun, count=1)


def classes(results: list[Classification]) -> list[str]:
    """Return a line for each label of a single picture, or a line for each of several pictures."""
    if len(results) == 1:
        return [f"{each.probability:6.1%}  {each.label}" for each in results[0].labels]
    lines = []
    for result in results:
        if result.labels:
            labels = ", ".join(f"{each.label} {each.probability:.1%}" for each in result.labels)
            lines.append(f"{result.file}: {labels}")
    return lines


def answers(written: Answers) -> list[str]:
    """Return how many answers are in a file, and what has none."""
    facts = [
        (len(written.problems), "unreadable file"),
        (written.left_out, "other file left out"),
    ]
    noticed = [f", {number:,} {_plural(noun, number)}" for number, noun in facts if number]
    return [f"{written.out}: {counted(written.rows, 'row')}{''.join(noticed)}"]


def explanation(explained: Explanation) -> list[str]:
    """Return the most probable labels, then the files that were written, and what they show."""
    labels = [f"{label.probability:6.1%}  {label.label}" for label in explained.labels]
    return [*labels, *(f"{file}: {EXPLAINED[file.stem]}" for file in explained.files)]


def report(written: Report) -> list[str]:
    return [f"{written.path}: {written.bytes:,} bytes; open it in a browser"]


def lessons(written: Notebooks) -> list[str]:
    """Return the notebooks, and how to open and run them."""
    folder = shlex.quote(str(written.files[0].parent))
    how = f"to open them: pip install jupyterlab, then jupyter lab {folder}"
    where = (
        "to run one: copy it into a new, empty folder of its own; "
        "some chapters write files of the same names"
    )
    return [*map(str, written.files), how, where]


def site(written: Site) -> list[str]:
    """Return how large the site is, and how to look at it."""
    folder = shlex.quote(str(written.folder))
    return [
        f"{written.folder}: {written.files} files, {written.bytes:,} bytes, for any web host",
        f"to look at it: python -m http.server 8080 --directory {folder}, then open "
        "http://localhost:8080/",
    ]


def graph(pictures: GraphPictures) -> list[str]:
    return [str(file) for file in pictures.files]


def serving(sharing: Sharing) -> list[str]:
    """Return the addresses that open the page, and the token and link for visitors."""
    first, *others = sharing.urls
    lines = [f"open {first} in a browser; press Ctrl-C to stop the server"]
    lines += [f"or, from another network: {url}" for url in others]
    if sharing.token is not None:
        lines += [
            f"token that visitors enter: {sharing.token}",
            f"link that has the token in it: {sharing.link}",
        ]
    return lines


def comparison(compared: Comparison) -> list[str]:
    """Return both accuracies, how often both runs agree, and the verdict."""
    lines = [
        f"{run}: {accuracy:.2%}"
        for run, accuracy in zip(compared.runs, compared.accuracy, strict=True)
    ]
    lines.append(
        f"{compared.examples:,} images of {compared.data} ({compared.split}): both runs are right "
        f"on {compared.both_right:,} and wrong on {compared.both_wrong:,}"
    )
    lines.append(compared.verdict)
    return lines


def check(checked: DatasetCheck) -> list[str]:
    """Return a line for each fault and near copy, a table of classes by split, and the totals."""
    near = checked.near_copies
    classes = "1 class" if len(checked.classes) == 1 else f"{len(checked.classes):,} classes"
    return [
        *(f"{fault.file}: {fault.problem}" for fault in checked.faults),
        *(f"{copy.file}: looks the same as {copy.like}" for copy in near[:MAX_NEAR_COPIES]),
        *([f"{len(near):,} images look the same as one of another split"] if near else []),
        *checked.remarks,
        *_class_table(checked),
        f"{checked.data}: {counted(checked.examples, 'example')} in {classes}, "
        f"{counted(len(checked.faults), 'fault')}",
    ]


def _class_table(checked: DatasetCheck) -> list[str]:
    """Return a line for each class: how many examples it has in each split, and in all."""
    if not checked.splits:
        return []
    width = 2 + max(map(len, checked.classes), default=0)
    splits = list(checked.counts.values())
    rows = [
        "".join(f"{count:>9,}" for count in (*(split[name] for split in splits), total))
        for name, total in checked.classes.items()
    ]
    header = "".join(f"{name:>9}" for name in (*checked.splits, "all"))
    return [
        f"{'':<{width}}{header}",
        *(f"{name:<{width}}{row}" for name, row in zip(checked.classes, rows, strict=True)),
    ]


def catalog(networks: Sequence[NetworkEntry], datasets: Sequence[DatasetEntry]) -> list[str]:
    """Return a table of the networks, with a line for each recipe, and a table of the datasets."""
    width = 2 + max(len(network.name) for network in networks)
    papers = [_short(network.paper) for network in networks]
    paper_width = 2 + max(map(len, (*papers, "paper")))
    lines = [
        f"{'network':<{width}}{'paper':<{paper_width}}{'input':<9}{'parameters':>13}  "
        f"{'recipe':<8}{'mnist':>7}{'photos':>8}{'time':>8}"
    ]
    for network, paper in zip(networks, papers, strict=True):
        size = "×".join(map(str, network.input))
        entry = f"{network.name:<{width}}{paper:<{paper_width}}{size:<9}{network.parameters:>13,}"
        for recipe in network.recipes:
            lines.append(f"{entry}  {recipe:<8}{_reached(network.reaches.get(recipe))}")
            entry = " " * len(entry)  # the network is named once, beside its first recipe
    width = 2 + max(len(dataset.name) for dataset in datasets)
    return [
        *lines,
        "",
        "mnist: right answers on MNIST's 10,000 test images. photos: on 233 photographs of 12",
        "classes. time: of the training, on one or two cores. Each is a mean over several seeds.",
        "The first recipe of a network is the default; for photographs it is `pictures`, if the",
        "network has that.",
        *_photograph_advice(networks),
        "",
        f"{'dataset':<{width}}classes",
        *(f"{dataset.name:<{width}}{dataset.classes:>7}" for dataset in datasets),
    ]


def diagnosis(found: Diagnosis) -> list[str]:
    """Return what is here, what each extra is for, and what is broken, in 80 columns."""
    lines = [f"firstlight {found.firstlight}, Python {found.python}, {found.machine.system}", ""]
    lines += _machine(found.machine)
    gpus = found.workers.gpus
    seen = "not known, as TensorFlow has not told" if gpus is None else ", ".join(gpus) or "none"
    lines += _entry("GPUs", seen)
    lines += _entry("workers", f"can several train together? {found.workers.message}")
    for extra in found.extras:
        lines += ["", *_extra(extra)]
    lines.append("")
    if any(extra.missing for extra in found.extras):
        lines.append("Run these pip commands in the folder of firstlight's source.")
    packages = [package for extra in found.extras for package in extra.packages]
    untried = [package.name for package in packages if package.problem is None]
    if untried:
        lines += textwrap.wrap(f"Not tried, for want of time: {', '.join(untried)}.", 79)
    if not found.problems:
        return [*lines, "Nothing is broken."]
    lines += ["", "Broken:"]
    for problem in found.problems:
        lines += textwrap.wrap(problem, 79, initial_indent="- ", subsequent_indent="  ")
    return lines


def _machine(machine: Machine) -> list[str]:
    memory = machine.memory
    sizes = [
        (memory.total, ""),
        (memory.available, " available"),
        (memory.limit, " is the limit of this container or service"),
    ]
    cores = counted(machine.cores, "core")
    if machine.core_limit is not None:
        cores += f" (their time is limited to that of {machine.core_limit:g})"
    return [
        *_entry("processor", f"{machine.processor}, {cores}"),
        *_entry("threads", f"{machine.threads}: TensorFlow and ONNX Runtime use one for each core"),
        *_entry("precision", f"{machine.precision or ''}: {machine.reason}".removeprefix(": ")),
        *_entry("memory", ", ".join(_bytes(size) + what for size, what in sizes if size)),
        *_entry("disk", f"{_bytes(machine.disk_free)} free in the current folder"),
    ]


def _extra(extra: Extra) -> list[str]:
    """Return what an extra is for, what is installed of it, and the command if some is missing."""
    installed = [
        f"{package.name}{NO_BREAK}{package.version or ''}".strip()
        for package in extra.packages
        if package.installed
    ]
    title = f"extra {extra.name}" if extra.name else "always"
    lines = _entry(title, extra.purpose)
    if installed:
        lines += _entry("", ", ".join(installed))
    if extra.missing:
        lines += _entry("", f"missing: {', '.join(extra.missing)}")
        lines += _entry("", f"to install: {extra.command}")
    return lines


def _entry(name: str, text: str) -> list[str]:
    """Return a text beside its name, wrapped."""
    width = 19
    wrapped = textwrap.wrap(text, 79 - width, break_on_hyphens=False) or ["not known"]
    wrapped = [line.replace(NO_BREAK, " ") for line in wrapped]
    labels = [name] + [""] * (len(wrapped) - 1)
    return [f"{label:<{width}}{line}" for label, line in zip(labels, wrapped, strict=True)]


def _bytes(size: int) -> str:
    """Return "512 MB" or "23.4 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _short(paper: str) -> str:
    """Return "Lin et al. 2013" for a paper of more than two authors."""
    authors, _, year = paper.rpartition(" ")
    first, *others = authors.split(", ")
    return f"{first} et al. {year}" if len(others) > 1 else paper


def _reached(reach: Reach | None) -> str:
    """Return an accuracy in the column of its data, and the time that the training took."""
    if reach is None:
        return f"{'not measured':>23}"
    mnist, photographs = "", ""
    if reach.data == "mnist":
        mnist = f"{reach.accuracy:.2%}"
    else:
        photographs = f"{reach.accuracy:.1%}"
    return f"{mnist:>7}{photographs:>8}{_time(reach.seconds):>8}"


def _time(seconds: float) -> str:
    """Return "0.8 s", "35 s" or "39 min"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def _photograph_advice(networks: Sequence[NetworkEntry]) -> list[str]:
    """Return which network to start with for photographs: the one in colour that learns soonest."""
    measured = [
        (reach.seconds, network.name, "" if recipe == network.recipes[0] else f" --recipe {recipe}")
        for network in networks
        for recipe, reach in network.reaches.items()
        if reach.data == "photographs" and network.input[2] == 3
    ]
    if not measured:
        return []
    _, name, flag = min(measured)
    return [f"For photographs, start with `firstlight train {name}{flag} --data DIR`."]
