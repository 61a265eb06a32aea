"""The verb `read`: the handwritten digits in pictures."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from firstlight import console
from firstlight.cli.flags import Json, Quiet, Verbose
from firstlight.cli.output import exit_code_of, print_problems, report_problems, show
from firstlight.cli.program import USE, app, examples
from firstlight.errors import UsageError
from firstlight.printable import printable

if TYPE_CHECKING:  # imports NumPy
    from collections.abc import Iterable

    from firstlight.reading import FileReading

FILES_IN_ONE_PROCESS = 16  # for more, `read` starts a process for each core


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
