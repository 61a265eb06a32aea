"""Progress and notices on stderr: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows the progress of a task: `with Progress(total) as progress: progress.at(step, text)`."""

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
        """Show that `step` is reached: in the bar, or as a line every ten seconds."""
        if self._live:
            self._bar.update(self._task, completed=step, description=text)
        elif time.monotonic() >= self._line_due:
            self.say(f"{self._unit} {step:,}  {text}")

    def say(self, line: str) -> None:
        """Print a line that stays, above the bar."""
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


def in_batches(count: int, size: int, text: str, quiet: bool = False) -> Iterator[slice]:
    """Yield slices of `count` images, `size` at a time, and show progress with the text."""
    with Progress(count, quiet=quiet, unit="image") as progress:
        for start in range(0, count, size):
            yield slice(start, start + size)
            progress.at(min(start + size, count), text)
