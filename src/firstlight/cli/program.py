"""The program: its help and its groups of verbs; how an error becomes a line and an exit code."""

import os
import sys
import warnings
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from firstlight import __version__, interrupt
from firstlight.errors import FirstlightError, not_installed
from firstlight.printable import printable

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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file name can have characters it cannot encode
            stream.reconfigure(errors="backslashreplace")


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
