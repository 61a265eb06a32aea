"""The log of a training: metrics.jsonl, the progress that is shown, and TensorBoard's events."""

import math
import os
import time
from typing import TextIO

from firstlight.errors import FirstlightError
from firstlight.progress import Progress
from firstlight.runs.documents import LoggedStep, metrics_line, read_metrics
from firstlight.runs.files import naming
from firstlight.training import advice
from firstlight.training.events import write_scalars
from firstlight.training.state import TrainState
from firstlight.training.step import History

SECONDS_BEFORE_ESTIMATE = 3.0  # of steps, before their speed says how long the training will take
MAX_LOGGED_STEPS = 1000  # a curve needs no more points, however long the training is


class Log:
    """Writes metrics.jsonl, shows progress, and writes TensorBoard's events if they are wanted."""

    def __init__(self, state: TrainState, file: TextIO, progress: Progress) -> None:
        self.state, self.file, self.progress = state, file, progress
        self.crc = read_metrics(state.run.metrics_file)[1]
        self.every = math.ceil(state.total_steps / MAX_LOGGED_STEPS)
        self.began = time.monotonic() - state.status.seconds
        self.first_call: tuple[int, float] | None = None  # its last step, and when it ended
        self.has_duration = self.has_warned = False

    def steps(self, start: int, history: History) -> None:
        """Log the steps of one call. Raises FirstlightError at a loss that is not a number."""
        status = self.state.status
        status.seconds = time.monotonic() - self.began
        measured = zip(history.losses, history.accuracies, history.learning_rates, strict=True)
        for step, (loss, accuracy, rate) in enumerate(measured, start + 1):
            if not math.isfinite(loss):
                raise FirstlightError(
                    f"the cost was {loss} at step {step}: {advice.lower_rate(self.state)}"
                )
            if step == 1:
                status.first_cost = float(loss)
            if step == 1 or step % self.every == 0:
                self.line(step, "train", loss=loss, accuracy=accuracy, rate=rate)
        status.final_cost = float(history.losses[-1])
        accuracy = history.accuracies[-1]
        self.say_duration()
        self.progress.at(status.step, f"cost {status.final_cost:.4f}  accuracy {accuracy:.2%}")

    def say_duration(self) -> None:
        """Say once how long the training will take, when some steps have shown their speed.

        The first call is not counted: it compiles the graph.
        """
        state, now = self.state, time.monotonic()
        if self.first_call is None:
            self.first_call = state.status.step, now
        first_step, first_time = self.first_call
        if self.has_duration or now - first_time < SECONDS_BEFORE_ESTIMATE:
            return
        self.has_duration = True
        seconds_per_step = (now - first_time) / (state.status.step - first_step)
        left = seconds_per_step * (state.total_steps - state.status.step)
        self.progress.say(f"this will take about {advice.rough_duration(left)}")

    def sync(self) -> None:
        """Put all lines on the disk."""
        with naming(self.state.run.metrics_file):
            self.file.flush()
            os.fsync(self.file.fileno())

    def line(self, step: int, split: str, *, loss: float, accuracy: float, rate: float) -> None:
        """Write one measurement; see LoggedStep for the units."""
        state = self.state
        logged = LoggedStep(
            step=step,
            epoch=round(step * state.recipe.batch_size / len(state.train), 4),
            split=split,
            loss=float(f"{loss:.9g}"),  # nine digits hold all of a float32
            accuracy=round(float(accuracy), 6),
            lr=float(f"{rate:.6g}"),
            seconds=round(state.status.seconds, 3),
        )
        line, self.crc = metrics_line(logged, self.crc)
        with naming(state.run.metrics_file):
            self.file.write(line)
        state.status.logged += 1
        if state.events:
            write_scalars(state.events, step, split, loss=loss, accuracy=accuracy)
