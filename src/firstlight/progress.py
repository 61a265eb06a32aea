"""Progress and notices: a live bar on a terminal, a live line in a notebook, plain lines elsewhere.

They go to stderr; in a notebook to the output of the cell.
"""

import html
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichBar

from firstlight.printable import printable

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_UPDATES = 0.2  # of a notebook's cell


class Display(Protocol):
    """Where progress is shown."""

    def at(self, step: int, text: str) -> None:
        """Show that `step` is reached."""

    def say(self, line: str) -> None:
        """Show a line that stays."""

    def close(self) -> None:
        """Show the last state; nothing follows."""


class Progress:
    """Shows the progress of a task: `with Progress(total) as progress: progress.at(step, text)`."""

    def __init__(self, total: int, start: int = 0, quiet: bool = False, unit: str = "step") -> None:
        self._display: Display
        if quiet:
            self._display = Nothing()
        elif in_notebook():
            self._display = NotebookLine(total, start, unit)
        elif Console(stderr=True).is_terminal:
            self._display = TerminalBar(total, start, unit)
        else:
            self._display = PlainLines(total, start, unit)

    def at(self, step: int, text: str) -> None:
        """Show that `step` is reached."""
        self._display.at(step, text)

    def say(self, line: str) -> None:
        """Show a line that stays."""
        self._display.say(printable(line))

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._display.close()


class Nothing:
    def at(self, step: int, text: str) -> None:
        pass

    def say(self, line: str) -> None:
        pass

    def close(self) -> None:
        pass


class TerminalBar:
    def __init__(self, total: int, start: int, unit: str) -> None:
        columns = (
            TextColumn(unit),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._bar = RichBar(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task("", total=total, completed=start)
        self._bar.start()

    def at(self, step: int, text: str) -> None:
        self._bar.update(self._task, completed=step, description=text)

    def say(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False)

    def close(self) -> None:
        self._bar.stop()


class PlainLines:
    """A line every ten seconds: for a file or another program."""

    def __init__(self, total: int, start: int, unit: str) -> None:
        self._total, self._start, self._unit = total, start, unit
        self._began = time.monotonic()
        self._due = self._began + _SECONDS_BETWEEN_LINES

    def at(self, step: int, text: str) -> None:
        now = time.monotonic()
        if now >= self._due:
            left = (now - self._began) * (self._total - step) / max(step - self._start, 1)
            self.say(f"{self._unit} {step:,} of {self._total:,}  {text}  ({left:.0f} s left)")

    def say(self, line: str) -> None:
        self._due = time.monotonic() + _SECONDS_BETWEEN_LINES
        print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class NotebookLine:
    """The lines that stay, and a bar below them, in one output of a notebook's cell.

    The output is found again by its number. So a thread can update it after its cell has ended.
    """

    def __init__(self, total: int, start: int, unit: str) -> None:
        self._total, self._step, self._unit = total, start, unit
        self._lines: list[str] = []
        self._text = ""
        self._due = time.monotonic() + _SECONDS_BETWEEN_UPDATES  # a short task shows nothing
        self._handle: Any = None  # of the output, once it exists

    def at(self, step: int, text: str) -> None:
        self._step, self._text = step, text
        if time.monotonic() >= self._due:
            self._show(self._lines_and_bar())

    def say(self, line: str) -> None:
        self._lines.append(line)
        self._show(self._lines_and_bar())

    def close(self) -> None:
        if self._lines:
            self._show(self._lines_and_bar())
        elif self._handle:  # the bar alone tells nothing when the task is done
            self._show("")

    def _lines_and_bar(self) -> str:
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in self._lines)
        return (
            f'{lines}<div><progress value="{self._step}" max="{self._total}"></progress> '
            f"{self._unit} {self._step:,} of {self._total:,}&ensp;{html.escape(self._text)}</div>"
        )

    def _show(self, text: str) -> None:
        from IPython.display import HTML, display

        self._due = time.monotonic() + _SECONDS_BETWEEN_UPDATES
        if self._handle is None:
            self._handle = display(HTML(text), display_id=True)
        else:
            self._handle.update(HTML(text))


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook. Does not import IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def in_batches(count: int, size: int, text: str, quiet: bool = False) -> Iterator[slice]:
    """Yield slices of `count` images, `size` at a time, and show progress with the text."""
    with Progress(count, quiet=quiet, unit="image") as progress:
        for start in range(0, count, size):
            yield slice(start, start + size)
            progress.at(min(start + size, count), text)
