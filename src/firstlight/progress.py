"""Progress and notices, on stderr: a live bar on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows how far something is. `with Progress(total) as progress: progress.at(step, text)`"""

    def __init__(self, total: int, start: int = 0, quiet: bool = False, unit: str = "step") -> None:
        console = Console(stderr=True, quiet=quiet)
        columns = (
            TextColumn(unit),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._live = console.is_terminal and not quiet
        self._bar = Bar(*columns, console=console, disable=not self._live)
        self._task = self._bar.add_task("", total=total, completed=start)
        self._quiet, self._unit = quiet, unit
        self._line_due = time.monotonic() + _SECONDS_BETWEEN_LINES

    def at(self, step: int, text: str) -> None:
        """So far: updates the bar, or prints a line every ten seconds."""
        if self._live:
            self._bar.update(self._task, completed=step, description=text)
        elif time.monotonic() >= self._line_due:
            self.say(f"{self._unit} {step:,}  {text}")

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        self._line_due = time.monotonic() + _SECONDS_BETWEEN_LINES
        if self._live:
            self._bar.console.print(line, markup=False, highlight=False)
        elif not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


def in_batches(count: int, size: int, what: str, quiet: bool = False) -> Iterator[slice]:
    """Slices of `count` things, `size` at a time, with progress: what is done with them."""
    with Progress(count, quiet=quiet, unit="image") as progress:
        for start in range(0, count, size):
            yield slice(start, start + size)
            progress.at(min(start + size, count), what)
